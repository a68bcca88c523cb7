/**
 * Preloaded by Node (`--import`): in this process, and in those that it starts, a file reads as if its protection had been taken away.
 * Nothing on disk changes, so a run that is cut leaves nothing behind; and what compiles a file keys its cache by the text that
 * it read.
 */
import fs from 'node:fs'
import { register, syncBuiltinESMExports } from 'node:module'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { applyChanges, readChanges } from './changes.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const { readFileSync } = fs

/** The changed texts by the path of their file. */
const changed = new Map()
for (const change of readChanges(process.env)) {
  const file = path.join(root, change.file)
  changed.set(file, applyChanges(changed.get(file) ?? readFileSync(file, 'utf8'), [change]))
}

/** @param {unknown} name as `readFileSync` takes it @returns {string | undefined} the changed text of this file */
function changedText(name) {
  if (typeof name === 'string') return changed.get(path.resolve(name))
  // A URL of another realm, as in jest, is no instance of this one's class.
  const isFile = typeof name === 'object' && name !== null && name.protocol === 'file:'
  return isFile ? changed.get(fileURLToPath(String(name.href))) : undefined
}

fs.readFileSync = function (name, options) {
  const text = changedText(name)
  if (text === undefined) return readFileSync.call(this, name, options)
  const encoding = typeof options === 'string' ? options : options?.encoding
  const bytes = Buffer.from(text)
  return encoding === undefined || encoding === null ? bytes : bytes.toString(encoding)
}
syncBuiltinESMExports()

const modules = [...changed].filter(([file]) => file.endsWith('.mjs'))
if (modules.length > 0) {
  // Node reads ES modules by itself.
  const data = modules.map(([file, text]) => [pathToFileURL(file).href, text])
  register('./load-changed.mjs', import.meta.url, { data })
}
