/** What becomes of a case. */

/**
 * @typedef {object} Result
 * @property {string} id of the case
 * @property {'ok' | 'n/a' | 'differs' | 'unexpected'} outcome
 * @property {string} [note] why it does not apply or differs, or what was unexpected
 */

/**
 * @param {string} id @param {string | undefined} failure what was not right @param {import('./manifests.mjs').Expectation | undefined} expected
 * @returns {Result}
 */
export function resultOf(id, failure, expected) {
  if (expected === undefined) {
    return failure === undefined ? { id, outcome: 'ok' } : { id, outcome: 'unexpected', note: failure }
  }
  if (failure === undefined) {
    return { id, outcome: 'unexpected', note: `ok, where this was expected: ${expected.differs}` }
  }
  return new RegExp(expected.differs).test(failure)
    ? { id, outcome: 'differs', note: expected.because }
    : { id, outcome: 'unexpected', note: `${failure} (expected: ${expected.differs})` }
}
