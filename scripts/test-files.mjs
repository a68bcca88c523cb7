/** Which test files are quick, slow or long: each slow or long one says why in its first line. */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import path from 'node:path'

/** The first line of a slow test file, and of a long one. */
const MARK = /^\/\/ (slow|long): (\S.*)/

/** @param {string} file @returns {string} its first line, if that is not longer than a comment may be */
function firstLine(file) {
  const bytes = Buffer.alloc(256)
  const descriptor = openSync(file, 'r')
  try {
    return bytes.toString('utf8', 0, readSync(descriptor, bytes)).split('\n', 1)[0]
  } finally {
    closeSync(descriptor)
  }
}

/**
 * @typedef {{ file: string, reason: string }} Marked
 * @param {string} root of the project
 * @returns {{ quick: string[], slow: Marked[], long: Marked[] }} files, from the root, with slashes: `slow` are left to
 *   `npm run check`, `long` to `npm run check:all`
 */
export function listTests(root) {
  const quick = []
  const marked = { slow: [], long: [] }
  const names = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' })
  for (const name of names.filter((each) => each.endsWith('.test.ts')).sort()) {
    const [, mark, reason] = MARK.exec(firstLine(path.join(root, 'test', name))) ?? []
    const file = `test/${name.replaceAll(path.sep, '/')}`
    if (mark === undefined) quick.push(file)
    else marked[mark].push({ file, reason })
  }
  return { quick, ...marked }
}

/** @param {string} file from the root @returns {string} a pattern that matches this file alone */
export const patternOf = (file) => `/${file.replaceAll('.', '[.]')}$`

/**
 * @param {readonly { file: string }[]} marked
 * @returns {string[]} arguments that keep jest from them
 */
export const patternsWithout = (marked) =>
  ['/node_modules/', ...marked.map(({ file }) => patternOf(file))].map(
    (pattern) => `--testPathIgnorePatterns=${pattern}`,
  )
