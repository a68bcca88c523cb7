/**
 * Takes each protection of the table away, in memory, and demands that its test fails: CONTRIBUTING.md, "Test rules".
 *
 * node protections/run.mjs [--only TEXT] [--list]
 *   --only   the rows whose name, list or changed file has this text, in any case
 *   --list   says which rows there are, and runs nothing
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runCompiler, runJest } from './lib/programs.mjs'
import { changesOf, findProblems, isHeld, namePattern, readLists } from './lib/table.mjs'
import { judgeFailure, judgeSuccess } from './lib/verdict.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What the caller did wrong. */
class UsageError extends Error {}

function readFlags() {
  try {
    const options = { only: { type: 'string' }, list: { type: 'boolean', default: false } }
    return parseArgs({ options }).values
  } catch (error) {
    throw new UsageError(error.message.split('\n', 1)[0])
  }
}

/** @param {readonly import('./lib/table.mjs').List[]} lists @param {string | undefined} only */
function choose(lists, only) {
  const rows = lists.flatMap(({ list, rows }) => rows.map((row) => ({ ...row, list })))
  if (only === undefined) return rows
  const wanted = only.toLowerCase()
  const chosen = rows.filter(({ list, row, file = '' }) =>
    [list, row, file].some((text) => text.toLowerCase().includes(wanted)),
  )
  if (chosen.length === 0)
    throw new UsageError(`no row has ${JSON.stringify(only)}: --list says which there are`)
  return chosen
}

/** Whether the tests pass as things are. @returns {Promise<string[]>} the rows for which they do not, and why */
async function tryWith(rows, folder) {
  const files = [...new Set(rows.map(({ test: [file] }) => file))]
  const pattern = rows.map((row) => `(${namePattern(row)})`).join('|')
  const { report, output } = await runJest({ files, pattern, folder })
  if (report === null) throw new Error(`jest wrote no report:\n${output}`)
  return rows.flatMap((row) => {
    const [file] = row.test
    const testResults = report.testResults.filter(({ name }) =>
      name.replaceAll('\\', '/').endsWith(`/${file}`),
    )
    const problem = judgeSuccess({ testResults }, new RegExp(namePattern(row)))
    return problem === null ? [] : [`${row.row}: ${problem}`]
  })
}

/** Takes one protection away. @returns {Promise<{ isHeld: boolean, says: string }>} */
async function tryWithout(row, folder) {
  const changes = changesOf(row)
  const [file] = row.test
  const { fails = 'assertion' } = row
  if (fails === 'types') {
    const errors = (await runCompiler(changes)).split('\n').filter((line) => line.startsWith(`${file}(`))
    if (errors.length > 0) return { isHeld: true, says: `the compiler finds ${String(errors.length)} errors` }
    return { isHeld: false, says: 'THE COMPILER FINDS NOTHING in the test' }
  }
  const run = await runJest({ files: [file], pattern: namePattern(row), changes, folder })
  if (run.report !== null) return judgeFailure(run.report, fails)
  if (run.isCut) return { isHeld: fails === 'hang', says: 'does not end' }
  return { isHeld: false, says: `jest wrote no report:\n${run.output}` }
}

async function main(folder) {
  const { only, list } = readFlags()
  const lists = await readLists(root)
  const rows = choose(lists, only)
  if (list) {
    for (const row of rows) console.log(`${row.list}: ${row.row}`)
    return true
  }
  const problems = findProblems(root, lists)
  if (problems.length > 0) throw new UsageError(`the table is wrong:\n${problems.join('\n')}`)
  const held = rows.filter(isHeld)
  const byTests = held.filter(({ fails }) => fails !== 'types')
  if (byTests.length > 0) console.log(`${String(byTests.length)} rows, as things are`)
  const failures = byTests.length === 0 ? [] : await tryWith(byTests, folder)
  for (const failure of failures) console.log(`FAILED ${failure}`)
  for (const [index, row] of held.entries()) {
    const start = performance.now()
    const { isHeld: isRight, says } = await tryWithout(row, folder)
    const seconds = ((performance.now() - start) / 1000).toFixed(1)
    const line = `${row.row}: ${says} (${seconds} s)`
    console.log(`${String(index + 1)}/${String(held.length)} ${isRight ? 'ok' : 'FAILED'} ${line}`)
    if (!isRight) failures.push(line)
  }
  const others = rows.length - held.length
  console.log(
    `${String(held.length)} protections taken away, one after another; ${String(others)} rows have none`,
  )
  for (const failure of failures) console.log(`FAILED ${failure}`)
  console.log(
    failures.length === 0 ? 'each test fails without its protection' : `${String(failures.length)} failed`,
  )
  return failures.length === 0
}

const folder = await mkdtemp(path.join(tmpdir(), 'hawser-protections-'))
try {
  if (!(await main(folder))) process.exitCode = 1
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error)
  process.exitCode = 2
} finally {
  await rm(folder, { recursive: true, force: true })
}
