import { Stop } from './stop.mjs'

/** Ends a run in which nothing happens any more. */
export class Watchdog {
  /** @type {NodeJS.Timeout | undefined} */
  #timer
  /** @type {(error: Error) => void} */
  #reject = () => {}
  #allowedMs
  #describe

  /**
   * @param {number} allowedMs how long nothing may happen
   * @param {() => string} describe what was going on, for the message
   */
  constructor(allowedMs, describe) {
    this.#allowedMs = allowedMs
    this.#describe = describe
    /** Rejects with a Stop when the time is over; never resolves. @type {Promise<never>} */
    this.expired = new Promise((_resolve, reject) => {
      this.#reject = reject
    })
    this.expired.catch(() => {}) // whoever races it may have left by then
    this.touch()
  }

  /** Something happened: the time starts anew. */
  touch() {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#reject(new Stop(`hung: nothing happened for ${this.#allowedMs / 1000} s ${this.#describe()}`))
    }, this.#allowedMs)
  }

  clear() {
    clearTimeout(this.#timer)
  }
}
