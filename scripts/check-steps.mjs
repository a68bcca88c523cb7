/** What `check.mjs` runs, and how it counts: apart, so that tests can look at it. */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'

/**
 * One check: an npm script and its flags, or a program of its own.
 * @typedef {object} Step
 * @property {string} name
 * @property {string} [script] of package.json
 * @property {string} [program] a file that Node runs, from the root of the project
 * @property {string[]} [flags]
 * @property {Record<string, string>} [env] beside that of the check
 * @property {string} [needs] the step without which this one makes no sense
 * @property {string} [report] where jest writes what it found: files that failed are run again, alone
 */

/** What may be asked of Autobahn. */
export const AUTOBAHN = ['off', 'sample', 'full']

/** Each is a program that ends with 0 where all went well: run by `--all`, one after another. */
const STRESS_FOLDER = 'test/stress'

/** @param {string} root @returns {Step[]} */
function stressSteps(root) {
  const folder = path.join(root, STRESS_FOLDER)
  if (!existsSync(folder)) return []
  const names = readdirSync(folder)
    .filter((name) => name.endsWith('.mjs'))
    .sort()
  return names.map((name) => ({
    name: `stress (${name.slice(0, -'.mjs'.length)})`,
    program: `${STRESS_FOLDER}/${name}`,
    needs: 'build',
  }))
}

/** Everything that does not need src/native is to hold without it. */
const WITHOUT_NATIVE = { HAWSER_NATIVE: 'off' }

/** Where code differs without src/native: unit tests, and every way in to a connection and out of it. */
const WITHOUT_NATIVE_SAMPLE = [
  'test/unit/(native|frame|connection|handshake|deflate|transport|server|socket)/',
  'test/adversarial/(deflate|own-port|frame-[a-z]+|connection-[a-z]+)[.]test',
  'test/integration/(direct-io|rejections|coalescing|server-pipelining|server-upgrade|client-connect|deflate-contexts|large-output)[.]test',
]

/** @param {boolean} all @returns {Step} */
function withoutNativeStep(all) {
  const files = all ? ['test/(unit|integration|adversarial)/'] : WITHOUT_NATIVE_SAMPLE
  return {
    name: all ? 'tests without native, all' : 'tests without native, sample',
    script: 'test',
    flags: files,
    env: WITHOUT_NATIVE,
  }
}

/**
 * Always from the same seed, where many run it: what one change did not touch must not refuse it.
 * @param {boolean} all @returns {Step}
 */
function fuzzStep(all) {
  const flags = all ? ['--seconds', '600'] : ['--seconds', '60', '--seed', '1']
  return { name: all ? 'fuzz, long' : 'fuzz', script: 'fuzz', flags }
}

/** The tests that take minutes each. @param {boolean} all @returns {Step[]} */
function longTestsSteps(all) {
  return all ? [{ name: 'tests, long', script: 'test', flags: ['--long'] }] : []
}

/** A small run of the leaks; that of a million takes minutes. @returns {Step} */
function leaksStep() {
  const flags = ['--only', 'leaks', '--connections', '20000']
  return { name: 'leaks', script: 'soak', flags, needs: 'build' }
}

/** A choice of mutants, always the same: a whole run takes most of an hour. @param {boolean} all @returns {Step[]} */
function mutationSteps(all) {
  const flags = ['--max-mutants', '500', '--seconds', '600']
  return all ? [{ name: 'mutation, bounded', script: 'mutation', flags }] : []
}

/** @param {string} autobahn @param {boolean} all @returns {Step[]} */
function autobahnSteps(autobahn, all) {
  const step = (name, flags) => ({ name: `autobahn (${name})`, script: 'autobahn', flags, needs: 'build' })
  // Without native no handle is used: what is by the stream is in it.
  const without = { ...step('without native, sample', ['--stream', '--sample']), env: WITHOUT_NATIVE }
  if (all) return [step('full', []), step('stream, full', ['--stream']), without]
  if (autobahn === 'full') return [step('full', []), without]
  return autobahn === 'sample' ? [step('sample', ['--sample'])] : []
}

/** @param {boolean} interop @param {boolean} all @returns {Step[]} */
function interopSteps(interop, all) {
  if (all) return [{ name: 'interop', script: 'interop', flags: ['--check'], needs: 'build' }]
  return interop ? [{ name: 'interop (quick)', script: 'interop', flags: ['--quick'], needs: 'build' }] : []
}

/** Programs of the registry with the drop-in for `ws`. @param {boolean} interop @param {boolean} all @returns {Step[]} */
function consumersSteps(interop, all) {
  if (all) return [{ name: 'consumers', script: 'consumers' }]
  return interop ? [{ name: 'consumers (quick)', script: 'consumers', flags: ['--quick'] }] : []
}

/**
 * The checks, in order.
 * @param {{ root: string, autobahn: string, interop: boolean, all: boolean, testReport: string }} options `interop`: other
 *   implementations, and programs that use the drop-in, those that are quick to install; `all`: everything that takes long, whatever `autobahn` and `interop`
 *   say; `testReport`: where jest writes its counts
 * @returns {Step[]}
 */
export function listSteps({ root, autobahn, interop, all, testReport }) {
  return [
    { name: 'lint', script: 'lint' },
    { name: 'format', script: 'format:check' },
    { name: 'types', script: 'types' },
    { name: 'layers', script: 'layers' },
    // Once, all of them: the floors of the coverage hold for the quick and the slow tests together.
    {
      name: 'tests',
      script: 'test',
      flags: ['--all', '--coverage', '--json', `--outputFile=${testReport}`],
      report: testReport,
    },
    ...longTestsSteps(all),
    withoutNativeStep(all),
    fuzzStep(all),
    ...mutationSteps(all),
    ...(all ? [{ name: 'protections', script: 'protections' }] : []),
    { name: 'build', script: 'build' },
    { name: 'package', script: 'package:check', flags: ['--built'], needs: 'build' },
    ...interopSteps(interop, all),
    ...consumersSteps(interop, all),
    ...autobahnSteps(autobahn, all),
    ...(all ? [leaksStep(), ...stressSteps(root)] : []),
  ]
}

/**
 * What jest counted. A file that did not even load is one failure, and in CI a test that was skipped is one: nobody knows
 * what it would have shown.
 * @param {{ numPassedTests: number, numFailedTests: number, numRuntimeErrorTestSuites: number, numPendingTests: number,
 *   numTodoTests: number }} report of `jest --json`
 * @param {boolean} isCi
 * @returns {{ passed: number, failed: number, skipped: number }} `skipped` is part of `failed` in CI
 */
export function countTests(report, isCi) {
  const skipped = report.numPendingTests + report.numTodoTests
  const failed = report.numFailedTests + report.numRuntimeErrorTestSuites
  return { passed: report.numPassedTests, failed: failed + (isCi ? skipped : 0), skipped }
}

/**
 * The titles of the tests that failed, and the files that did not load: the end of a log is all that is seen of some.
 * @param {{ testResults: { name: string, assertionResults: { status: string, fullName: string }[], status: string,
 *   message: string }[] }} report of `jest --json`
 * @returns {string[]}
 */
export function listFailures({ testResults }) {
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const failed = assertionResults.filter((test) => test.status === 'failed')
    if (failed.length > 0) return failed.map(({ fullName }) => `${path.basename(name)}: ${fullName}`)
    return status === 'failed' ? [`${path.basename(name)}: ${message.trim().split('\n')[0]}`] : []
  })
}

/** Whether this is what jest prints where a floor of the coverage does not hold: no second run mends that. @param {string} text */
export const isBelowFloor = (text) => /Jest: (Coverage (data )?for|Uncovered count)/.test(text)

/** More files than this are not run again: so many failures are no chance. */
const MAX_FILES_AGAIN = 5

/**
 * The files that are run once more, alone: on two cores two files at a time take each other's time, and other guests of the
 * machine take both's. A file that fails alone has failed; one that passes alone is named.
 * @param {{ testResults: { name: string, status: string }[] }} report of `jest --json`
 * @returns {string[]} empty where all passed, or too many failed
 */
export function listAgain({ testResults }) {
  const failed = testResults.filter(({ status }) => status === 'failed').map(({ name }) => name)
  return failed.length <= MAX_FILES_AGAIN ? failed : []
}

/**
 * What both runs say: of a file that ran again, the second.
 * @param {{ testResults: { name: string, status: string, assertionResults: { status: string }[] }[] }} first of `jest --json`
 * @param {{ testResults: { name: string }[] } | null} second
 * @returns {object} a report that `countTests` and `listFailures` read
 */
export function joinReports(first, second) {
  if (second === null) return first
  const again = new Map(second.testResults.map((result) => [result.name, result]))
  const testResults = first.testResults.map((result) => again.get(result.name) ?? result)
  const count = (status) =>
    testResults.flatMap(({ assertionResults }) => assertionResults).filter((test) => test.status === status)
      .length
  return {
    testResults,
    numPassedTests: count('passed'),
    numFailedTests: count('failed'),
    numPendingTests: count('pending'),
    numTodoTests: count('todo'),
    numRuntimeErrorTestSuites: testResults.filter(
      ({ status, assertionResults }) =>
        status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
    ).length,
  }
}

/** A file of the quick tests that takes longer than this is named at the end of a check. */
const QUICK_MAX_SECONDS = 12

/**
 * The files that are among the quick tests and were not quick: each is made quicker, or says why it is slow.
 * @param {{ testResults: { name: string, startTime: number, endTime: number }[] }} report of `jest --json`
 * @param {readonly string[]} quick files, from the root, with slashes
 * @returns {string[]}
 */
export function listLate({ testResults }, quick) {
  return testResults.flatMap(({ name, startTime, endTime }) => {
    const seconds = (endTime - startTime) / 1000
    const file = quick.find((one) => name.replaceAll('\\', '/').endsWith(`/${one}`))
    if (file === undefined || seconds <= QUICK_MAX_SECONDS) return []
    return [`${file} is among the quick tests, and took ${seconds.toFixed(1)} s`]
  })
}
