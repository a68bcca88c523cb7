/** A peer's program, running: it takes cases as lines of JSON, and reports in lines of JSON. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { Mismatch, within } from './mismatch.mjs'

/** A JVM on a busy machine, a browser. */
const START_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 5_000

/**
 * What a peer reports when a connection is over. What its API does not show is left out.
 * @typedef {{ case: string, open?: boolean, protocol?: string, closeCode?: number, closeReason?: string, status?: number,
 *   error?: string }} Report
 */

export class PeerProcess {
  /** Where each configuration of a server listens. @type {Map<string, number>} */
  ports = new Map()
  /** @type {Map<string, (report: Report) => void>} */
  #waiting = new Map()
  /** Those that nobody waited for so far. @type {Map<string, Report>} */
  #reports = new Map()
  #complaints = ''
  #child
  #ended
  #listening

  /** @param {readonly string[]} command @param {string} folder @param {readonly string[]} args */
  constructor([program, ...rest], folder, args) {
    this.#child = spawn(program, [...rest, ...args], { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stdin.on('error', () => {})
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#complaints = (this.#complaints + text).slice(-2_000)
    })
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        this.#complaints += error.message
        resolve()
      })
      this.#child.once('close', resolve)
    })
    const gone = new Promise((_, reject) => {
      this.#ended.then(() => reject(new Mismatch(`the peer's program ended: ${this.#complaints.trim()}`)))
    })
    gone.catch(() => {})
    this.gone = gone
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(line))
  }

  get isRunning() {
    return this.#child.exitCode === null && this.#child.signalCode === null && this.#child.pid !== undefined
  }

  get complaints() {
    return this.#complaints.trim()
  }

  #take(line) {
    let report
    try {
      report = JSON.parse(line)
    } catch {
      this.#complaints += `${line}\n`
      return
    }
    if (report.listening !== undefined) {
      this.ports.set(report.listening, report.port)
      this.#listening?.()
      return
    }
    const waiting = this.#waiting.get(report.case)
    this.#waiting.delete(report.case)
    if (waiting === undefined) this.#reports.set(report.case, report)
    else waiting(report)
  }

  /** Waits until a server listens with so many configurations. @param {number} count */
  async listening(count) {
    const all = new Promise((resolve) => {
      this.#listening = () => {
        if (this.ports.size === count) resolve()
      }
      this.#listening()
    })
    await within(Promise.race([all, this.gone]), START_TIMEOUT_MS, "the start of the peer's servers")
  }

  /** Has a client do a case. @param {object} spec */
  write(spec) {
    this.#child.stdin.write(`${JSON.stringify(spec)}\n`)
  }

  /** The report of a case. @param {string} id @param {number} timeoutMs @returns {Promise<Report>} */
  report(id, timeoutMs) {
    const early = this.#reports.get(id)
    if (early !== undefined) return Promise.resolve(early)
    const report = new Promise((resolve) => this.#waiting.set(id, resolve))
    return within(Promise.race([report, this.gone]), timeoutMs, 'the report of the peer')
  }

  async stop() {
    if (!this.isRunning) return
    this.#child.stdin.end()
    this.#child.kill()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.#ended
    clearTimeout(timer)
  }
}
