/**
 * Mutation testing: changes the sources one place at a time, and runs the tests that reach it. A change that no test notices
 * is a test that is missing, or is explained in mutation/survivors.json. See docs/mutation.md.
 *
 * node mutation/run.mjs [folder or file of src]... [options]     without a path: the folders of mutation/results.json
 *   --concurrency N   processes at a time. Default 1
 *   --max-mutants N   a choice of so many mutants, from all of the sources
 *   --seconds N       tries nothing new after this time; what was not tried is not judged
 *   --seed N          of the choice. Default 1
 *   --list            shows the mutants and the test files, and runs nothing
 *   --write           keeps the scores in mutation/results.json and docs/mutation.md: whole folders only
 *   --again FILE      a report: what it has as killed by a test stays so; the others, also those killed by time, are tried again
 *   --report FILE     writes each mutant and its outcome, as JSON
 * Ends with 1 where a mutant survives that is not in the list, where the list has a row that no mutant is for, or where a whole
 * run scores below 90 %; with 2 where it could not run.
 */
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { divide, readReport } from './lib/again.mjs'
import { choose } from './lib/choose.mjs'
import { compare, outcomesOf, scoreOf } from './lib/judge.mjs'
import { readOptions } from './lib/options.mjs'
import { LEAST_SCORE, readResults, readRows, writeResults } from './lib/results.mjs'
import { makeSandbox } from './lib/sandbox.mjs'
import { supervise } from './lib/supervise.mjs'
import { roomOf, sourcesOf, testsOf } from './lib/targets.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const PROGRESS_MS = 15_000

const show = ({ file, line, mutator, original, replacement }) =>
  `${file}:${String(line)} ${mutator}\n-   ${original.replaceAll('\n', '\n-   ')}\n+   ${replacement.replaceAll('\n', '\n+   ')}`

/** Says from time to time how far it is. */
function progressOf(target, count) {
  let next = Date.now() + PROGRESS_MS
  return (ledgers) => {
    if (Date.now() < next) return
    next = Date.now() + PROGRESS_MS
    const decided = ledgers.reduce((sum, ledger) => sum + ledger.decided.size, 0)
    const through = Math.min(...ledgers.map((ledger) => ledger.through.size))
    console.log(
      `${target}: ${String(decided)} of ${String(count)} killed, ${String(through)} test files through`,
    )
  }
}

/** @returns {Promise<ReturnType<typeof outcomesOf>>} of the chosen mutants of one folder or file */
async function runTarget(target, instrumented, chosen, tests, options, deadline) {
  const sandbox = await makeSandbox(root, instrumented.files)
  try {
    const tell = progressOf(target, chosen.length)
    const ledgers = []
    const workers = Array.from({ length: Math.min(options.concurrency, chosen.length) }, (_, worker) =>
      supervise(
        {
          sandbox: sandbox.folder,
          name: String(worker),
          files: tests,
          mutants: chosen.filter((_mutant, at) => at % options.concurrency === worker).map(({ id }) => id),
          deadline,
        },
        (ledger) => {
          ledgers[worker] = ledger
          tell(ledgers.filter(Boolean))
        },
      ),
    )
    const settled = await Promise.allSettled(workers)
    const failure = settled.find(({ status }) => status === 'rejected')
    if (failure !== undefined) throw failure.reason
    const isWhole = deadline === null || Date.now() < deadline
    return outcomesOf(
      chosen,
      settled.map(({ value }) => value),
      isWhole,
    )
  } finally {
    await sandbox.remove()
  }
}

/** @returns {boolean} whether all is well */
function tell(target, outcomes, rows, mutants, isBounded) {
  const { unlisted, gone, killedRows } = compare(outcomes, rows, mutants)
  const score = scoreOf(outcomes, rows)
  for (const outcome of unlisted) {
    const what = outcome.status === 'unreached' ? 'no test reaches' : 'survived'
    console.log(`\n${what}: ${show(outcome)}`)
  }
  for (const row of gone)
    console.log(`\nthe list has a row without a mutant: ${row.file} ${row.mutator}\n    ${row.text}`)
  for (const row of killedRows)
    console.log(`\nthe list has a row that the tests kill: ${row.file} ${row.mutator}\n    ${row.text}`)
  const isLow = !isBounded && score.score < LEAST_SCORE
  const open = outcomes.length - score.mutants
  console.log(
    `\n${target}: ${score.score.toFixed(1)} % of ${String(score.mutants)} mutants killed (${String(score.timeouts)} by time); ` +
      `${String(score.listed)} explained, ${String(score.unlisted)} not` +
      `${open > 0 ? `; ${String(open)} not tried` : ''}${isLow ? `; below ${String(LEAST_SCORE)} %` : ''}`,
  )
  return unlisted.length === 0 && gone.length === 0 && killedRows.length === 0 && !isLow
}

/** @returns {Promise<boolean>} whether all is well */
async function main(options) {
  // Not before the options are right: it takes a second to load.
  const { instrument } = await import('./lib/instrument.mjs')
  const rows = readRows(root)
  const before = options.again === null ? null : readReport(options.again)
  const results = {}
  const report = []
  const deadline = options.seconds === null ? null : Date.now() + options.seconds * 1000
  let isWell = true
  for (const [at, target] of options.targets.entries()) {
    const instrumented = await instrument(root, sourcesOf(root, [target]))
    const tests = testsOf(root, roomOf(target))
    const share = options.maxMutants === null ? null : Math.ceil(options.maxMutants / options.targets.length)
    const chosen = choose(instrumented.mutants, share, options.seed)
    if (options.list) {
      for (const mutant of chosen) console.log(show(mutant))
      console.log(`\n${target}: ${String(chosen.length)} mutants, ${String(tests.length)} test files`)
      for (const file of tests) console.log(file)
      continue
    }
    if (tests.length === 0) throw new RangeError(`no tests belong to ${target}`)
    console.log(`${target}: ${String(chosen.length)} mutants, ${String(tests.length)} test files`)
    // Each target has its share of the time that is left.
    const until =
      deadline === null ? null : Date.now() + (deadline - Date.now()) / (options.targets.length - at)
    const { known, open } = divide(chosen, before)
    if (before !== null)
      console.log(`${target}: ${String(known.length)} are known, ${String(open.length)} are tried`)
    const tried = open.length === 0 ? [] : await runTarget(target, instrumented, open, tests, options, until)
    const outcomes = [...known, ...tried]
    report.push(...outcomes)
    const isBounded = share !== null || until !== null
    if (!tell(target, outcomes, rows, instrumented.mutants, isBounded)) isWell = false
    results[target] = { ...scoreOf(outcomes, rows), date: new Date().toISOString().slice(0, 10) }
  }
  if (options.report !== null) await writeFile(options.report, `${JSON.stringify(report, null, 2)}\n`)
  if (options.write && !options.list) await writeResults(root, results)
  return isWell
}

try {
  const options = readOptions(root, process.argv.slice(2), Object.keys(readResults(root)))
  if (options.targets.length === 0)
    console.log('nothing to run: no folder has a score yet. Give one: src/frame')
  else if (!(await main(options))) process.exitCode = 1
} catch (error) {
  console.error(error instanceof RangeError ? error.message : error)
  process.exitCode = 2
}
