import { createWriteStream, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { startChild } from './children.mjs'
import { PROJECT_DIR } from './paths.mjs'

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

/**
 * What one case showed, as in the suite's index.json.
 * @typedef {object} CaseResult
 * @property {string} behavior
 * @property {string} [behaviorClose]
 */

/** @typedef {Record<string, CaseResult>} CaseResults case id to result */

/**
 * The folder of one run of one role: the suite's spec and reports, and the logs. What another run left is removed.
 */
export class RunFolder {
  /** @param {string} dir */
  constructor(dir) {
    this.dir = dir
    rmSync(dir, { recursive: true, force: true })
    mkdirSync(dir, { recursive: true })
  }

  /** @param {string} name @returns {string} a file's path as a person would type it in the project's folder */
  show(name) {
    return relative(PROJECT_DIR, join(this.dir, name))
  }

  /**
   * Starts the suite on a spec.
   * @param {import('./find-suite.mjs').Suite} suite
   * @param {string} mode `fuzzingclient` or `fuzzingserver`
   * @param {object} spec
   * @param {(line: string) => void} onLine each line that the suite prints; they are also logged, and not kept
   * @returns {ChildProcess}
   */
  startSuite(suite, mode, spec, onLine) {
    writeFileSync(join(this.dir, 'spec.json'), `${JSON.stringify(spec, null, 2)}\n`)
    const { command, args, alsoStop } = suite.command(mode, this.dir)
    const child = startChild(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PYTHONUNBUFFERED: '1' },
      ...(alsoStop === undefined ? {} : { alsoStop }),
    })
    const log = createWriteStream(join(this.dir, 'wstest.log'))
    child.stdout?.pipe(log, { end: false })
    child.stderr?.pipe(log, { end: false })
    child.once('close', () => {
      log.end()
    })
    if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', onLine)
    return child
  }

  /**
   * @param {string} agent
   * @returns {CaseResults | null} what the suite has reported; null: nothing (yet), or half a file
   */
  readResults(agent) {
    try {
      const index = JSON.parse(readFileSync(join(this.dir, 'index.json'), 'utf8'))
      return pickResults(index, agent)
    } catch {
      return null
    }
  }
}

/**
 * @param {Record<string, CaseResults>} index the suite's index.json, parsed
 * @param {string} agent
 * @returns {CaseResults | null} what is compared, without durations and file names
 */
export function pickResults(index, agent) {
  const cases = index[agent]
  if (cases === undefined) return null
  return Object.fromEntries(
    Object.entries(cases).map(([id, { behavior, behaviorClose }]) => [
      id,
      { behavior, ...(behaviorClose === undefined ? {} : { behaviorClose }) },
    ]),
  )
}
