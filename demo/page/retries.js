/* global document, window */

const FIRST_DELAY_MS = 500
const MAX_DELAY_MS = 8_000
const COUNT_EVERY_MS = 250

/** When to connect again: after half a second, then twice as long each time, up to eight seconds. */
export class Retries {
  #handlers
  #delayMs = FIRST_DELAY_MS
  #dueAt = null
  #timer = null
  #isOn = false

  /** @param {{ onCountdown(seconds: number): void, onTry(): void }} handlers */
  constructor(handlers) {
    this.#handlers = handlers
    // A page in the background is slowed down, and a laptop that wakes up has a network a moment later.
    document.addEventListener('visibilitychange', () => this.#hurry())
    window.addEventListener('online', () => this.#hurry())
  }

  /** From the first {@link later} up to {@link stop}. */
  get isOn() {
    return this.#isOn
  }

  /** Another try, later than the one before. */
  later() {
    this.#isOn = true
    this.#dueAt = performance.now() + this.#delayMs
    this.#delayMs = Math.min(2 * this.#delayMs, MAX_DELAY_MS)
    this.#count()
  }

  stop() {
    this.#isOn = false
    this.#dueAt = null
    this.#delayMs = FIRST_DELAY_MS
    clearTimeout(this.#timer)
  }

  #count() {
    clearTimeout(this.#timer)
    const leftMs = this.#dueAt - performance.now()
    if (leftMs <= 0) {
      this.#dueAt = null
      this.#handlers.onTry()
      return
    }
    this.#handlers.onCountdown(Math.ceil(leftMs / 1000))
    this.#timer = setTimeout(() => this.#count(), Math.min(leftMs, COUNT_EVERY_MS))
  }

  #hurry() {
    if (this.#dueAt === null || document.hidden) return
    this.#dueAt = performance.now()
    this.#count()
  }
}
