/** Which test files are quick, and which are slow: each slow one says why in its first line. */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import path from 'node:path'

/** The first line of a slow test file. */
const SLOW = /^\/\/ slow: (\S.*)/

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
 * @param {string} root of the project
 * @returns {{ quick: string[], slow: { file: string, reason: string }[] }} files, from the root, with slashes
 */
export function listTests(root) {
  const quick = []
  const slow = []
  const names = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' })
  for (const name of names.filter((each) => each.endsWith('.test.ts')).sort()) {
    const reason = SLOW.exec(firstLine(path.join(root, 'test', name)))?.[1]
    const file = `test/${name.replaceAll(path.sep, '/')}`
    if (reason === undefined) quick.push(file)
    else slow.push({ file, reason })
  }
  return { quick, slow }
}

/**
 * @param {readonly { file: string }[]} slow
 * @returns {string[]} arguments that keep jest from them
 */
export const quickPatterns = (slow) =>
  ['/node_modules/', ...slow.map(({ file }) => `/${file.replaceAll('.', '[.]')}$`)].map(
    (pattern) => `--testPathIgnorePatterns=${pattern}`,
  )
