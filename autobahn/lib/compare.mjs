import { compareCaseIds } from './cases.mjs'

/** @typedef {import('./run-folder.mjs').CaseResult} CaseResult */
/** @typedef {import('./run-folder.mjs').CaseResults} CaseResults */

/**
 * A case that did not do what was expected of it.
 * @typedef {object} Drift
 * @property {string} id
 * @property {'worse' | 'better' | 'changed' | 'missing' | 'extra'} kind missing: expected and not reported; extra:
 *   reported and not expected at all; changed: neither of the two is better
 * @property {string} expected
 * @property {string} actual
 */

/** From worst to best. What stands on one line is neither better nor worse. */
const RANKS = [
  ['FAILED', 'WRONG CODE', 'UNCLEAN', 'FAILED BY CLIENT', 'NO_CLOSE'],
  ['UNIMPLEMENTED'],
  ['NON-STRICT'],
  ['INFORMATIONAL'],
  ['OK'],
]

/** @param {string} behavior */
function rank(behavior) {
  return RANKS.findIndex((names) => names.includes(behavior))
}

/** @param {CaseResult} result @returns {string} both behaviours, the second where it differs */
export function showResult({ behavior, behaviorClose }) {
  return behaviorClose === undefined || behaviorClose === behavior
    ? behavior
    : `${behavior}, close ${behaviorClose}`
}

/**
 * @param {CaseResult} expected
 * @param {CaseResult} actual
 * @returns {Drift['kind'] | null}
 */
function judge(expected, actual) {
  const pairs = [[expected.behavior, actual.behavior]]
  if (expected.behaviorClose !== undefined)
    pairs.push([expected.behaviorClose, actual.behaviorClose ?? 'absent'])
  const different = pairs.filter(([before, after]) => before !== after)
  if (different.length === 0) return null
  const known = different.every(([before = '', after = '']) => rank(before) >= 0 && rank(after) >= 0)
  const steps = different.map(([before = '', after = '']) => Math.sign(rank(after) - rank(before)))
  if (known && steps.every((step) => step > 0)) return 'better'
  return known && steps.every((step) => step === 0) ? 'changed' : 'worse'
}

/**
 * Compares what happened with what was expected: any difference counts, also for the better, so that the committed
 * expectation always says what is true.
 * @param {CaseResults} expected every case; where it has no behaviorClose, that is not compared
 * @param {CaseResults} actual
 * @param {readonly string[]} selected the cases that were to run
 * @returns {Drift[]} in the order of the cases
 */
export function compareResults(expected, actual, selected) {
  /** @type {Drift[]} */
  const drift = []
  for (const id of new Set([...selected, ...Object.keys(actual)])) {
    const before = expected[id]
    const after = actual[id]
    if (before !== undefined && after !== undefined) {
      const kind = judge(before, after)
      if (kind !== null) drift.push({ id, kind, expected: showResult(before), actual: showResult(after) })
    } else if (before !== undefined) {
      drift.push({ id, kind: 'missing', expected: showResult(before), actual: 'nothing' })
    } else if (after !== undefined) {
      drift.push({ id, kind: 'extra', expected: 'nothing', actual: showResult(after) })
    }
  }
  return drift.sort((a, b) => compareCaseIds(a.id, b.id))
}
