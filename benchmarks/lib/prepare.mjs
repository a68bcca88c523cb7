/** What must be there before anything is measured: the contenders, and a build of what is in src. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { here } from './contenders.mjs'

const modifiedAt = (file) => (existsSync(file) ? statSync(file).mtimeMs : 0)

function newestIn(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  )
  return Math.max(0, ...files.map((entry) => modifiedAt(path.join(entry.parentPath, entry.name))))
}

function runVisibly(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${String(status)}`)
}

/** Installs the contenders at first use, and whenever their list has changed. */
export function installContenders() {
  const installed = here('node_modules/.package-lock.json')
  if (modifiedAt(installed) >= modifiedAt(here('package-lock.json'))) return
  console.log('Installing the contenders in benchmarks/ (npm ci; once) ...')
  runVisibly('npm', ['ci', '--no-audit', '--no-fund'], here('.'))
}

/** Builds dist where it is missing or older than src. */
export function buildIfOld() {
  const newest = newestIn(here('../src'))
  if (modifiedAt(here('../dist/esm/index.js')) < newest) {
    console.log('Building hawser ...')
    runVisibly(process.execPath, [here('../scripts/build.mjs')], here('..'))
  }
  if (
    modifiedAt(here('../packages/ws/dist/index.js')) >= Math.max(newest, newestIn(here('../packages/ws/src')))
  )
    return
  console.log('Building the drop-in for ws ...')
  runVisibly(process.execPath, [here('../scripts/build-drop-in.mjs')], here('..'))
}
