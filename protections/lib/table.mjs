/** The rows of all lists, and what must be so for the table to be run. */
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { applyChanges, countOf } from './changes.mjs'

/**
 * A row: what a peer, a caller or a change could break, the test that holds it, and the smallest careless change that takes its protection
 * away.
 * @typedef {object} Row
 * @property {string} row what is right, in plain words; unique
 * @property {readonly [file: string, title: string, only?: string]} test the title as it stands in the file; `only`: a part of the
 *   full name, where one of many cases is enough
 * @property {string} file what is changed, from the root of the project; with `from` and `to`
 * @property {string} from
 * @property {string} to
 * @property {readonly import('./changes.mjs').Change[]} [also] further changes that belong to this one
 * @property {'assertion' | 'hang' | 'throw' | 'types'} [fails] how the test fails: by an assertion (the default); because something never
 *   happens; by an error that the code throws; by the compiler
 * @property {string} [because] why it does not fail by an assertion
 */

/**
 * A row without a protection of its own.
 * @typedef {object} RowWithout
 * @property {string} row
 * @property {string} without why there is nothing to take away
 */

/** What each list begins with. @typedef {{ list: string, rows: readonly (Row | RowWithout)[] }} List */

/** @param {string} root @returns {Promise<List[]>} in the order of their files */
export async function readLists(root) {
  const folder = path.join(root, 'protections/rows')
  const files = readdirSync(folder).sort()
  return await Promise.all(
    files.map(async (file) => (await import(pathToFileURL(path.join(folder, file)).href)).default),
  )
}

/** @param {Row | RowWithout} row @returns {row is Row} */
export const isHeld = (row) => !('without' in row)

/** @param {Row} row @returns {import('./changes.mjs').Change[]} */
export const changesOf = ({ file, from, to, also = [] }) => [{ file, from, to }, ...also]

const HELD_NAMES = ['row', 'test', 'file', 'from', 'to', 'also', 'fails', 'because']
const FAILURES = ['assertion', 'hang', 'throw', 'types']

/** What stands in a title for a value: of `each`, or of a template. */
const PLACEHOLDER = /%[a-z]|\$\{[^}]*\}|\$\w+/

/** @param {string} text */
const escapePattern = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/**
 * The pattern of the full names that a row runs, for the flag `-t` of jest.
 * @param {Row} row
 */
export function namePattern({ test: [, title, only] }) {
  const parts = title.split(new RegExp(PLACEHOLDER, 'g')).map(escapePattern)
  const pattern = parts.join('.*')
  return only === undefined ? pattern : `^(?=[^]*${escapePattern(only)})[^]*${pattern}`
}

/** The titles of a test file as they are written, and other texts that a comma follows. */
function titlesOf(text) {
  const found = text.matchAll(/(['"`])((?:(?!\1)[^\n\\]|\\.)+)\1,/g)
  return [...found].map(([, , title]) => title.replace(/\\(['"`])/g, '$1'))
}

/** @param {string} root @returns {(file: string) => string | null} reads each file once; null: it is not there */
function reader(root) {
  const texts = new Map()
  return (file) => {
    if (!texts.has(file)) {
      let text = null
      try {
        text = readFileSync(path.join(root, file), 'utf8')
      } catch (error) {
        if (error.code !== 'ENOENT') throw error
      }
      texts.set(file, text)
    }
    return texts.get(file)
  }
}

/** @param {Row} row @param {(file: string) => string | null} read @returns {string[]} */
function problemsOfHeld(row, read) {
  const problems = Object.keys(row)
    .filter((name) => !HELD_NAMES.includes(name))
    .map((name) => `it has no member ${name}`)
  const { test, fails = 'assertion', because } = row
  const [file, title] = test
  const text = read(file)
  if (text === null) problems.push(`${file} is not there`)
  else if (!titlesOf(text).includes(title)) problems.push(`${file} has no title: ${title}`)
  if (!FAILURES.includes(fails)) problems.push(`fails is one of ${FAILURES.join(', ')}, not ${fails}`)
  if ((fails === 'assertion') !== (because === undefined)) {
    problems.push('because says why a test does not fail by an assertion, and nothing else')
  }
  for (const file of new Set(changesOf(row).map((change) => change.file))) {
    const source = read(file)
    const changes = changesOf(row).filter((change) => change.file === file)
    if (source === null) problems.push(`${file} is not there`)
    else problems.push(...problemsOfChanges(source, changes))
  }
  return problems
}

/** @param {string} source @param {readonly import('./changes.mjs').Change[]} changes of this file */
function problemsOfChanges(source, changes) {
  const problems = changes
    .filter(({ from }) => countOf(source, from) !== 1)
    .map(({ file, from }) => `${file} has ${String(countOf(source, from))} times: ${from}`)
  if (problems.length > 0) return problems
  return applyChanges(source, changes) === source ? [`${changes[0].file} does not change`] : []
}

/**
 * @param {string} root
 * @param {readonly List[]} lists
 * @returns {string[]} what is wrong with the table, each with its row
 */
export function findProblems(root, lists) {
  const read = reader(root)
  const problems = []
  const seen = new Set()
  for (const { list, rows } of lists) {
    for (const row of rows) {
      const where = `${list}: ${row.row}`
      if (seen.has(row.row)) problems.push(`${where}: the row stands twice`)
      seen.add(row.row)
      if (isHeld(row)) problems.push(...problemsOfHeld(row, read).map((problem) => `${where}: ${problem}`))
      else if (row.without === '') problems.push(`${where}: it does not say why`)
    }
  }
  return problems
}
