/** The Chromium of the machine: `HAWSER_CHROMIUM`, or one on the PATH. */
import { accessSync, constants } from 'node:fs'
import path from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

export const ARGUMENTS = [
  // The pages are our own, and in containers the sandbox lacks what it needs.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** @returns {string} @throws Error where there is none: nothing is left out in silence */
export function findChromium() {
  const given = process.env.HAWSER_CHROMIUM
  if (given !== undefined && given !== '') return given
  const folders = (process.env.PATH ?? '').split(path.delimiter)
  const found = folders.flatMap((folder) => NAMES.map((name) => path.join(folder, name))).find(isExecutable)
  if (found === undefined)
    throw new Error('no Chromium on the PATH: install it, or name it in HAWSER_CHROMIUM')
  return found
}
