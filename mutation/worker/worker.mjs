/**
 * The process that runs tests with mutants: jest, in this process, one file after another. It may hang or die by what a
 * mutant does; the process above then starts another, which goes on from the ledger.
 *
 * node worker.mjs PLAN     PLAN: a JSON file, { sandbox, ledger, files, mutants, deadline, hangMs }
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { runCLI } from 'jest'
import { Ledger } from '../lib/ledger.mjs'
import { FreshRun } from './fresh-run.mjs'
import { HotRun } from './hot-run.mjs'
import { session } from './session.mjs'

/** A file is loaded, and its tests run once without a mutant, within this. */
const FILE_MS = 600_000
/** As long for a file that is loaded with a mutant. */
const FRESH_FILE_MS = 300_000

/** For a test that does not return to the loop of events. */
const HANG_MS = 15_000

/** How long one test may take with a mutant on from the start: by the clock, so long enough for a machine that is busy. */
const FRESH_TEST_MS = 60_000

/** A file that still does not end after so many new starts tells the process above. */
const MAX_STARTS = 2_000

const here = (name) => fileURLToPath(new URL(name, import.meta.url))

const plan = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const deadline = plan.deadline ?? Infinity
const wanted = new Set(plan.mutants)
const ledger = new Ledger(plan.ledger)
const { default: base } = await import(pathToFileURL(path.join(plan.sandbox, 'jest.config.mjs')).href)

const config = {
  ...base,
  rootDir: plan.sandbox,
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testEnvironment: here('environment.mjs'),
  setupFilesAfterEnv: ['<rootDir>/mutation-setup.cjs'],
  cacheDirectory: path.join(plan.sandbox, '.cache'),
  reporters: [],
  coverageThreshold: {},
}
delete config.maxWorkers

/** Whether a test was run with a mutant in this process. */
let hasTried = false

// jest has its own listener while it runs tests. What a mutant left behind may throw between two files: nobody is to blame.
process.on('uncaughtException', (error) => {
  if (hasTried || session.run?.hasTried) return
  console.error(error)
  process.exit(1)
})

/** @param {string} file @param {object} run @param {number} [testTimeout] @returns what jest counted */
async function runFile(file, run, testTimeout = config.testTimeout) {
  session.run = run
  const { results } = await runCLI(
    {
      $0: 'jest',
      _: [path.join(plan.sandbox, file)],
      runTestsByPath: true,
      runInBand: true,
      silent: true,
      watchman: false,
      ci: true,
      config: JSON.stringify({ ...config, testTimeout }),
    },
    [plan.sandbox],
  )
  session.run = null
  hasTried ||= run.hasTried
  if (results.numTotalTestSuites !== 1) throw new Error(`jest found no test in ${file}`)
  return results
}

/** Each test with each mutant that it reaches. @param {string} file @param {'quick' | 'slow'} turn */
async function runHot(file, turn) {
  for (let starts = 0; ; starts++) {
    const run = new HotRun(ledger, file, wanted, turn, deadline, plan.hangMs ?? HANG_MS)
    if (ledger.through.has(run.key)) return
    if (starts > MAX_STARTS)
      throw new Error(`${file} was started ${String(starts)} times, and is not through`)
    ledger.write({ kind: 'trying', file, mutant: null, test: null, until: Date.now() + FILE_MS, by: file })
    const wasTried = hasTried
    const results = await runFile(file, run)
    // What a mutant left behind in the file before may throw in this one, once.
    if (run.broken !== null && (starts > 0 || !wasTried))
      throw new Error(`${file} fails without a mutant: ${run.broken}`)
    const [{ testExecError }] = results.testResults
    // What a mutant left behind may also throw when no test runs.
    if (testExecError && !hasTried)
      throw new Error(`${file} does not load: ${testExecError.message || testExecError.stack}`)
    ledger.write({ kind: 'idle' })
    if (Date.now() > deadline) return
    if (!run.isThrough) continue
    run.finish()
    ledger.write({ kind: 'through', file: run.key })
  }
}

/** The file that noticed the mutant before comes first: mutants of one table come one after another. */
function inOrder(files, first) {
  const rank = (file) => (file === first ? -1 : plan.files.indexOf(file))
  return [...files].sort((one, other) => rank(one) - rank(other))
}

/** A mutant that is on while a file is loaded. @param {string} mutant @param {string} file */
async function runFresh(mutant, file) {
  const by = `${file}, loaded with the mutant`
  ledger.write({ kind: 'trying', file, mutant, test: null, until: Date.now() + FRESH_FILE_MS, by })
  process.env.HAWSER_MUTANT = mutant
  const run = new FreshRun(mutant)
  const results = await runFile(file, run, FRESH_TEST_MS)
  delete process.env.HAWSER_MUTANT
  if (results.success) ledger.write({ kind: 'loaded', mutant, file })
  else ledger.decide(mutant, run.isEndless ? 'timeout' : 'killed', run.failed ?? by)
  ledger.write({ kind: 'idle' })
}

async function main() {
  for (const turn of ['quick', 'slow']) {
    for (const file of plan.files) {
      if (Date.now() > deadline || ledger.decided.size >= wanted.size) break
      if (turn === 'quick' || ledger.slow.has(file)) await runHot(file, turn)
    }
  }
  let noticedIn = ''
  for (const [mutant, files] of [...ledger.again]) {
    for (const file of inOrder(files, noticedIn)) {
      if (Date.now() > deadline || ledger.decided.has(mutant)) break
      if (!ledger.wasLoaded(mutant, file)) await runFresh(mutant, file)
      if (ledger.decided.has(mutant)) noticedIn = file
    }
  }
}

try {
  await main()
  process.exit(0)
} catch (error) {
  console.error(error)
  process.exit(1)
}
