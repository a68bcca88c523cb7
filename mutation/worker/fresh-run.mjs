/** So often no test file reaches one expression: it is in a loop without an end. */
const HIT_LIMIT = 1e8

/** What jest says of a test that took too long. */
const isLate = (errors) =>
  errors.flat().some((error) => /Exceeded timeout of/.test(String(error?.message ?? error)))

/** One test file, loaded with a mutant that is on from the start: for constants, and for what is worked out once. */
export class FreshRun {
  #mutant
  #state
  #hasFailed = false
  #isLate = false
  /** The title of the test that failed. @type {string | null} */
  failed = null

  /** Whether a test was run with a mutant: here each is. */
  hasTried = true

  /** @param {string} mutant */
  constructor(mutant) {
    this.#mutant = mutant
  }

  /** @param {object} global of the tests, before anything is loaded */
  enter(global) {
    this.#state = { active: this.#mutant, hits: null, hitCount: 0, hitLimit: HIT_LIMIT }
    global.__mutation__ = this.#state
  }

  /** Whether a loop, or a test, did not end. */
  get isEndless() {
    return this.#isLate || this.#state.hitCount > HIT_LIMIT
  }

  /** @param {{ name: string, test?: object }} event of jest-circus */
  handle({ name, test }) {
    if (name === 'error') this.#hasFailed = true
    else if (name === 'test_start' && this.#hasFailed) test.mode = 'skip'
    else if (name === 'test_done' && test.errors.length > 0) {
      if (!this.#hasFailed) this.#isLate = isLate(test.errors)
      this.#hasFailed = true
      this.failed ??= test.name
    }
    return undefined
  }
}
