/** One test file, loaded with a mutant that is on from the start: for constants, and for what is worked out once. */
export class FreshRun {
  #mutant
  #hasFailed = false
  /** The title of the test that failed. @type {string | null} */
  failed = null

  /** @param {string} mutant */
  constructor(mutant) {
    this.#mutant = mutant
  }

  /** @param {object} global of the tests, before anything is loaded */
  enter(global) {
    global.__mutation__ = { active: this.#mutant, hits: null, hitCount: 0, hitLimit: Infinity }
  }

  /** @param {{ name: string, test?: object }} event of jest-circus */
  handle({ name, test }) {
    if (name === 'error') this.#hasFailed = true
    else if (name === 'test_start' && this.#hasFailed) test.mode = 'skip'
    else if (name === 'test_done' && test.errors.length > 0) {
      this.#hasFailed = true
      this.failed ??= test.name
    }
    return undefined
  }
}
