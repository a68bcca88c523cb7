/** What a run of one test says: did it fail, and how. */
import { stripVTControlCharacters } from 'node:util'

/**
 * What is read of the report of `jest --json`.
 * @typedef {{ testResults: readonly { name: string, status: string, message: string, assertionResults: readonly {
 *   status: string, fullName: string, failureMessages: readonly string[] }[] }[] }} Report
 */

/** @typedef {'assertion' | 'hang' | 'throw'} Failure */

const HANGS = /Exceeded timeout of|^Error: in vain for \d+ ms/
const ASSERTS = /expect\(|Property failed after|AssertionError/
/** The first line of a stack that is of the project. */
const PLACE = /^\s+at .*?((?:test|src|packages|protections)\/[\w./-]+):\d+/m

/**
 * How a test failed. An error that a test throws itself is its way to assert; one that the code throws is not.
 * @param {string} message of jest, with its stack
 * @returns {Failure}
 */
export function failureOf(message) {
  if (HANGS.test(message)) return 'hang'
  if (ASSERTS.test(message)) return 'assertion'
  const isOwn = /^Error: /.test(message) && PLACE.exec(message)?.[1].startsWith('test/') === true
  return isOwn ? 'assertion' : 'throw'
}

const firstLine = (text) => stripVTControlCharacters(text).trim().split('\n', 1)[0]

/**
 * @param {Report} report
 * @param {Failure} expected
 * @returns {{ isHeld: boolean, says: string }} `isHeld`: the test fails as it should without the protection
 */
export function judgeFailure(report, expected) {
  const [broken] = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  )
  if (broken !== undefined)
    return { isHeld: false, says: `the file does not load: ${firstLine(broken.message)}` }
  const ran = testsOf(report)
  if (ran.length === 0) return { isHeld: false, says: 'no test has this title' }
  const failed = ran.filter(({ status }) => status === 'failed')
  if (failed.length === 0) return { isHeld: false, says: 'THE TEST PASSES without the protection' }
  const messages = failed.flatMap(({ failureMessages }) => failureMessages)
  const found = messages.map(failureOf)
  if (found.includes(expected)) {
    return {
      isHeld: true,
      says: `${String(failed.length)} of ${String(ran.length)} fail by ${WORDS[expected]}`,
    }
  }
  return {
    isHeld: false,
    says: `fails by ${WORDS[found[0]]}, not by ${WORDS[expected]}: ${firstLine(messages[0])}`,
  }
}

const WORDS = { assertion: 'an assertion', hang: 'waiting in vain', throw: 'an error of the code' }

/**
 * What is wrong where no protection is taken away.
 * @param {Report} report of the file of the test
 * @param {RegExp} pattern of the full names
 * @returns {string | null}
 */
export function judgeSuccess(report, pattern) {
  const tests = testsOf(report).filter(({ fullName }) => pattern.test(fullName))
  if (tests.length === 0) return 'no test has this title'
  const failed = tests.find(({ status }) => status === 'failed')
  return failed === undefined
    ? null
    : `fails with the protection: ${failed.fullName}: ${firstLine(failed.failureMessages[0] ?? '')}`
}

/** The tests that ran. @param {Report} report */
const testsOf = ({ testResults }) =>
  testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === 'passed' || status === 'failed')
