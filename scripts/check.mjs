/**
 * All checks, one after another, each with its time; a failure does not keep the others from running. CI runs the
 * same list (`.ci/run`). Ends with the line `N passed, N failed`: the tests, as jest counted them.
 *
 * node scripts/check.mjs [--autobahn off|sample|full]     default: HAWSER_AUTOBAHN, or off
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const AUTOBAHN_FLAGS = { off: null, sample: ['--sample'], full: [] }

/** @typedef {{ name: string, script: string, flags?: string[], needs?: string }} Step one npm script, and its flags */

/** @returns {Step[]} */
function listSteps(autobahn, testReport) {
  const steps = [
    { name: 'lint', script: 'lint' },
    { name: 'format', script: 'format:check' },
    { name: 'types', script: 'types' },
    { name: 'layers', script: 'layers' },
    { name: 'tests', script: 'test', flags: ['--coverage', '--json', `--outputFile=${testReport}`] },
    { name: 'build', script: 'build' },
    { name: 'package', script: 'package:check', flags: ['--built'], needs: 'build' },
  ]
  const flags = AUTOBAHN_FLAGS[autobahn]
  if (flags !== null)
    steps.push({ name: `autobahn (${autobahn})`, script: 'autobahn', flags, needs: 'build' })
  return steps
}

/** Runs an npm script with no input. @returns whether it ended well */
function run({ script, flags = [] }) {
  return new Promise((resolve) => {
    const options = {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: process.platform === 'win32',
    }
    const child = spawn('npm', ['run', '--silent', script, '--', ...flags], options)
    child.once('error', (error) => {
      console.error(String(error))
      resolve(false)
    })
    child.once('close', (code) => resolve(code === 0))
  })
}

/** What jest counted; a file that did not even load is one failure. */
async function countTests(testReport) {
  const text = await readFile(testReport, 'utf8').catch(() => null)
  if (text === null) return { passed: 0, failed: 0 }
  const report = JSON.parse(text)
  return { passed: report.numPassedTests, failed: report.numFailedTests + report.numRuntimeErrorTestSuites }
}

async function check(autobahn) {
  const temp = await mkdtemp(path.join(tmpdir(), 'hawser-check-'))
  try {
    const testReport = path.join(temp, 'tests.json')
    const rows = []
    const failed = new Set()
    for (const step of listSteps(autobahn, testReport)) {
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
    const tests = await countTests(testReport)
    console.log(`\n${rows.join('\n')}`)
    if (failed.size > 0) console.log(`failed: ${[...failed].join(', ')}`)
    console.log(`${String(tests.passed)} passed, ${String(tests.failed)} failed`)
    return failed.size === 0
  } finally {
    await rm(temp, { recursive: true, force: true })
  }
}

const { values } = parseArgs({ options: { autobahn: { type: 'string' } } })
const autobahn = values.autobahn ?? process.env.HAWSER_AUTOBAHN ?? 'off'
if (!Object.hasOwn(AUTOBAHN_FLAGS, autobahn)) {
  console.error(
    `autobahn is one of ${Object.keys(AUTOBAHN_FLAGS).join(', ')}, not ${JSON.stringify(autobahn)}`,
  )
  process.exitCode = 2
} else if (!(await check(autobahn))) {
  process.exitCode = 1
}
