/** Without a terminal: no line sooner than this after the last, and one at least this often. */
const MIN_LINE_GAP_MS = 10_000
const MAX_LINE_GAP_MS = 60_000

/** @param {number} seconds @returns {string} `12:34` */
export function showDuration(seconds) {
  const whole = Math.round(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`
}

/** Shows how far each role is: one line that is rewritten on a terminal, else a line about every 5 %. */
export class Progress {
  /** @type {Map<string, { done: number, total: number }>} */
  #roles = new Map()
  #out
  #now
  #startedAt
  #lastLineAt
  /** How many twentieths, of all roles together, the last line told. */
  #lastStep = 0
  #open = false

  /**
   * @param {{ isTTY?: boolean, write(text: string): unknown }} out
   * @param {() => number} [now] milliseconds
   */
  constructor(out, now = () => performance.now()) {
    this.#out = out
    this.#now = now
    this.#startedAt = now()
    this.#lastLineAt = this.#startedAt
  }

  /**
   * @param {string} role
   * @param {number} done
   * @param {number} total
   */
  update(role, done, total) {
    this.#roles.set(role, { done, total })
    const now = this.#now()
    if (this.#out.isTTY === true) {
      this.#out.write(`\r${this.#line(now)}\x1b[K`)
      this.#open = true
    } else if (this.#isDue(now)) {
      this.#lastLineAt = now
      this.#lastStep = this.#step()
      this.#out.write(`${this.#line(now)}\n`)
    }
  }

  /** Ends the line on a terminal, so that others can print. */
  close() {
    if (this.#open) this.#out.write('\n')
    this.#open = false
  }

  /** @param {number} now */
  #isDue(now) {
    const gap = now - this.#lastLineAt
    return gap >= MAX_LINE_GAP_MS || (gap >= MIN_LINE_GAP_MS && this.#step() > this.#lastStep)
  }

  #step() {
    const parts = [...this.#roles.values()].map(({ done, total }) =>
      Math.floor((20 * done) / Math.max(total, 1)),
    )
    return parts.reduce((sum, part) => sum + part, 0)
  }

  /** @param {number} now */
  #line(now) {
    const parts = [...this.#roles].map(([role, { done, total }]) => `${role} ${done}/${total}`)
    return `autobahn: ${parts.join(', ')} cases done, ${showDuration((now - this.#startedAt) / 1000)}`
  }
}
