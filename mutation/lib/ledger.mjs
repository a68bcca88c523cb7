/**
 * What is known about the mutants of a run, as a file of lines that are only ever appended: a worker that hangs or dies is
 * killed, and the next one goes on from here.
 */
import { appendFileSync, closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'

/**
 * One line:
 * - `trying`: from now on, `file` runs with `mutant` (null: none), in the test with that index (null: from the start), until
 *   `until` at the latest (milliseconds since 1970); nothing is tried any more: `idle`
 * - `decided`: a test failed with the mutant, or did not end: `status` is killed, timeout or crashed, `by` its title
 * - `suspect`: the test also fails without the mutant now, since one before it left something behind: to try first, in a
 *   process where nothing was tried
 * - `cleared`: there it passed: the test does not notice it, and is not run with it again
 * - `reached`: mutants that a test of the file reached
 * - `again`: mutants that count only while a file is loaded, such as constants, or that the second run of a test does not
 *   reach: they are to be tried with the file loaded anew
 * - `slow`: a test that takes long: its mutants wait until the quick tests of all files are through
 * - `next`: the tests of the file before this index are through; `through`: the file is
 * - `loaded`: the file was run anew with the mutant, and no test failed
 * @typedef {{ kind: string, file?: string, mutant?: string | null, mutants?: string[], test?: number | null, until?: number,
 *   status?: string, by?: string }} Entry
 */

export class Ledger {
  /** @type {Map<string, { status: string, by: string }>} */
  decided = new Map()
  /** @type {Set<string>} */
  reached = new Set()
  /** @type {Set<string>} */
  suspects = new Set()
  #cleared = new Set()
  /** @type {Map<string, Set<string>>} mutants to be tried with files loaded anew */
  again = new Map()
  /** @type {Set<string>} files whose tests are through */
  through = new Set()
  /** @type {Map<string, Map<number, string[]>>} by file, by index of the test: the mutants that it reaches */
  slow = new Map()
  /** @type {Entry | null} what runs now */
  trying = null
  #path
  #next = new Map()
  #loaded = new Set()
  #read = 0

  /** @param {string} path of the file */
  constructor(path) {
    this.#path = path
    this.read()
  }

  /** Takes over what another process has written since. */
  read() {
    if (!existsSync(this.#path)) return
    const file = openSync(this.#path, 'r')
    try {
      const bytes = Buffer.alloc(fstatSync(file).size - this.#read)
      const count = readSync(file, bytes, 0, bytes.length, this.#read)
      // Another process may be in the middle of a line.
      const end = bytes.subarray(0, count).lastIndexOf('\n') + 1
      const lines = bytes.toString('utf8', 0, end).split('\n')
      for (const line of lines) if (line !== '') this.#apply(JSON.parse(line))
      this.#read += end
    } finally {
      closeSync(file)
    }
  }

  /** @param {Entry} entry */
  write(entry) {
    const line = `${JSON.stringify(entry)}\n`
    appendFileSync(this.#path, line)
    this.#read += Buffer.byteLength(line)
    this.#apply(entry)
  }

  /** @param {string} file @returns {number} the index of the test that comes next */
  next(file) {
    return this.#next.get(file) ?? 0
  }

  /** @param {string} mutant @param {string} file @returns {boolean} whether the file was run anew with the mutant */
  wasLoaded(mutant, file) {
    return this.#loaded.has(`${mutant} ${file}`)
  }

  /** @param {string} mutant @param {string} file @param {number} test @returns {boolean} whether the test passes with the mutant */
  isCleared(mutant, file, test) {
    return this.#cleared.has(`${mutant} ${String(test)} ${file}`)
  }

  /** @param {string} mutant @param {string} status @param {string} by the title of the test */
  decide(mutant, status, by) {
    this.write({ kind: 'decided', mutant, status, by })
  }

  /** @param {Entry} entry */
  #apply(entry) {
    switch (entry.kind) {
      case 'trying':
        this.trying = entry
        break
      case 'idle':
        this.trying = null
        break
      case 'decided':
        this.decided.set(entry.mutant, { status: entry.status, by: entry.by })
        this.suspects.delete(entry.mutant)
        this.again.delete(entry.mutant)
        break
      case 'suspect':
        // The newest is the last: what was tried before it may leave behind what makes it fail.
        this.suspects.delete(entry.mutant)
        this.suspects.add(entry.mutant)
        break
      case 'cleared':
        this.#cleared.add(`${entry.mutant} ${String(entry.test)} ${entry.file}`)
        this.suspects.delete(entry.mutant)
        break
      case 'reached':
        for (const mutant of entry.mutants) this.reached.add(mutant)
        break
      case 'again':
        for (const mutant of entry.mutants) this.#addAgain(mutant, entry.file)
        break
      case 'slow':
        if (!this.slow.has(entry.file)) this.slow.set(entry.file, new Map())
        this.slow.get(entry.file).set(entry.test, entry.mutants)
        break
      case 'next':
        this.#next.set(entry.file, entry.test)
        break
      case 'through':
        this.through.add(entry.file)
        break
      case 'loaded':
        this.#loaded.add(`${entry.mutant} ${entry.file}`)
        break
      default:
        throw new Error(`the ledger has an entry of the kind ${JSON.stringify(entry.kind)}`)
    }
  }

  #addAgain(mutant, file) {
    if (this.decided.has(mutant)) return
    const files = this.again.get(mutant)
    if (files === undefined) this.again.set(mutant, new Set([file]))
    else files.add(file)
  }
}
