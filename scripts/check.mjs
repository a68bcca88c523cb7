/**
 * All checks, one after another, each with its time; a failure does not keep the others from running. CI runs the
 * same list (`.ci/run`). A test file that fails is run once more, alone, and named if it passes then. Ends with the line `N passed, N failed`: the tests, as jest counted them; where CI is true, one
 * that was skipped has failed.
 *
 * node scripts/check.mjs [--autobahn off|sample|full] [--interop] [--all]
 *   --autobahn   default: HAWSER_AUTOBAHN, or off; full is all cases, and the sample without src/native
 *   --interop    other implementations, and programs that use the drop-in, those that are quick to install
 *   --all        the tests that take minutes, a choice of mutants, the protections, all other implementations, all such programs, all of Autobahn by handle and by stream, its sample
 *                without src/native, a small soak for leaks, and every program of test/stress
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import {
  AUTOBAHN,
  countTests,
  isBelowFloor,
  joinReports,
  listAgain,
  listFailures,
  listLate,
  listSteps,
} from './check-steps.mjs'
import { listTests, patternOf } from './test-files.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const isCi = process.env.CI === 'true'

/**
 * Runs an npm script, or a program, with no input.
 * @returns whether it ended well, and whether it said that the coverage is below its floors
 */
function run({ script, program, flags = [], env = {}, report }) {
  return new Promise((resolve) => {
    let belowFloor = false
    let tail = ''
    const options = {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', report === undefined ? 'inherit' : 'pipe'],
      shell: process.platform === 'win32',
    }
    const child =
      program === undefined
        ? spawn('npm', ['run', '--silent', script, '--', ...flags], options)
        : spawn(process.execPath, [program, ...flags], { ...options, shell: false })
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      process.stderr.write(text)
      belowFloor ||= isBelowFloor(tail + text)
      tail = text.slice(-200)
    })
    child.once('error', (error) => {
      console.error(String(error))
      resolve({ passed: false, belowFloor })
    })
    child.once('close', (code) => resolve({ passed: code === 0, belowFloor }))
  })
}

/** What jest wrote; null: it did not get that far. */
async function readReport(file) {
  const text = await readFile(file, 'utf8').catch(() => null)
  return text === null ? null : JSON.parse(text)
}

/**
 * Runs a step. Of one with a report, the files that failed are run once more, alone.
 * @returns whether it passed, and the files that passed only alone
 */
async function runStep(step) {
  const first = await run(step)
  if (first.passed || first.belowFloor || step.report === undefined)
    return { passed: first.passed, alone: [] }
  const report = await readReport(step.report)
  const files = report === null ? [] : listAgain(report)
  if (files.length === 0) return { passed: false, alone: [] }
  const names = files.map((file) => path.relative(root, file).replaceAll(path.sep, '/'))
  console.log(`\n-- failed, and run again alone: ${names.join(', ')}`)
  const flags = ['--runInBand', '--json', `--outputFile=${againOf(step.report)}`, ...names.map(patternOf)]
  const second = await run({ script: step.script, flags })
  const ran = (await readReport(againOf(step.report)))?.testResults.map(({ name }) => name) ?? []
  const passed = second.passed && files.every((file) => ran.includes(file))
  return { passed, alone: passed ? names : [] }
}

/** @param {string} report @returns {string} where the second run writes */
const againOf = (report) => report.replace(/[.]json$/, '-again.json')

/** What jest counted, of both runs; nothing: it did not get that far. */
async function readResults(testReport) {
  const first = await readReport(testReport)
  if (first === null) return { passed: 0, failed: 0, skipped: 0, failures: [], late: [] }
  const report = joinReports(first, await readReport(againOf(testReport)))
  return {
    ...countTests(report, isCi),
    failures: listFailures(report),
    late: listLate(first, listTests(root).quick),
  }
}

async function check({ autobahn, interop, all }) {
  const temp = await mkdtemp(path.join(tmpdir(), 'hawser-check-'))
  try {
    const testReport = path.join(temp, 'tests.json')
    const rows = []
    const failed = new Set()
    const onlyAlone = []
    for (const step of listSteps({ root, autobahn, interop, all, testReport })) {
      console.log(`\n== ${step.name}`)
      const start = performance.now()
      const skipped = step.needs !== undefined && failed.has(step.needs)
      const { passed, alone } = skipped ? { passed: false, alone: [] } : await runStep(step)
      if (!passed) failed.add(step.name)
      onlyAlone.push(...alone)
      const seconds = ((performance.now() - start) / 1000).toFixed(1)
      const outcome = skipped ? `not run: it needs the ${step.needs}` : passed ? 'ok' : 'FAILED'
      rows.push(`${step.name}: ${outcome} (${seconds} s)`)
      console.log(`-- ${rows.at(-1)}`)
    }
    const tests = await readResults(testReport)
    console.log(`\n${rows.join('\n')}`)
    if (tests.skipped > 0) {
      console.log(`${String(tests.skipped)} skipped${isCi ? ', which is a failure in CI' : ''}`)
      if (isCi) failed.add('skipped tests')
    }
    for (const file of tests.late) console.log(file)
    for (const file of onlyAlone) console.log(`${file} failed beside other tests, and passed alone`)
    for (const failure of tests.failures) console.log(`FAILED ${failure}`)
    if (failed.size > 0) console.log(`failed: ${[...failed].join(', ')}`)
    console.log(`${String(tests.passed)} passed, ${String(tests.failed)} failed`)
    return failed.size === 0
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
}

const { values } = parseArgs({
  options: {
    autobahn: { type: 'string' },
    interop: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
  },
})
const autobahn = values.autobahn ?? process.env.HAWSER_AUTOBAHN ?? 'off'
if (!AUTOBAHN.includes(autobahn)) {
  console.error(`autobahn is one of ${AUTOBAHN.join(', ')}, not ${JSON.stringify(autobahn)}`)
  process.exitCode = 2
} else if (!(await check({ ...values, autobahn }))) {
  process.exitCode = 1
}
