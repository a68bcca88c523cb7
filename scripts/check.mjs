/**
 * All checks, one after another, each with its time; a failure does not keep the others from running. CI runs the
 * same list (`.ci/run`). Ends with the line `N passed, N failed`: the tests, as jest counted them; where CI is true, one
 * that was skipped has failed.
 *
 * node scripts/check.mjs [--autobahn off|sample|full] [--interop] [--all]
 *   --autobahn   default: HAWSER_AUTOBAHN, or off; full is all cases, and the sample without src/native
 *   --interop    other implementations, and programs that use the drop-in, those that are quick to install
 *   --all        a choice of mutants, the protections, all other implementations, all such programs, all of Autobahn by handle and by stream, its sample
 *                without src/native, a small soak for leaks, and every program of test/stress
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { AUTOBAHN, countTests, listFailures, listLate, listSteps } from './check-steps.mjs'
import { listTests } from './test-files.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const isCi = process.env.CI === 'true'

/** Runs an npm script, or a program, with no input. @returns whether it ended well */
function run({ script, program, flags = [], env = {} }) {
  return new Promise((resolve) => {
    const options = {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: process.platform === 'win32',
    }
    const child =
      program === undefined
        ? spawn('npm', ['run', '--silent', script, '--', ...flags], options)
        : spawn(process.execPath, [program, ...flags], { ...options, shell: false })
    child.once('error', (error) => {
      console.error(String(error))
      resolve(false)
    })
    child.once('close', (code) => resolve(code === 0))
  })
}

/** What jest wrote; nothing: it did not get that far. */
async function readResults(testReport) {
  const text = await readFile(testReport, 'utf8').catch(() => null)
  if (text === null) return { passed: 0, failed: 0, skipped: 0, failures: [], late: [] }
  const report = JSON.parse(text)
  return {
    ...countTests(report, isCi),
    failures: listFailures(report),
    late: listLate(report, listTests(root).quick),
  }
}

async function check({ autobahn, interop, all }) {
  const temp = await mkdtemp(path.join(tmpdir(), 'hawser-check-'))
  try {
    const testReport = path.join(temp, 'tests.json')
    const rows = []
    const failed = new Set()
    for (const step of listSteps({ root, autobahn, interop, all, testReport })) {
      console.log(`\n== ${step.name}`)
      const start = performance.now()
      const skipped = step.needs !== undefined && failed.has(step.needs)
      const passed = !skipped && (await run(step))
      if (!passed) failed.add(step.name)
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
