/**
 * The soak: floods beside steady traffic, and leaks. See docs/robustness.md; `--help` shows the flags.
 *
 * Exit status: 0 where all is clean; 1 where a bound was missed, or something could not be measured; 2 for wrong flags.
 */
import { totalmem } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildIfOld, installContenders } from '../benchmarks/lib/prepare.mjs'
import { lookBefore, NOISY, percent } from '../benchmarks/lib/quiet.mjs'
import { readProcessor, readTree, slugOf, writeResults } from '../benchmarks/lib/results.mjs'
import { SCENARIOS } from './lib/attacks.mjs'
import { HELP, LEAKS, NAMES, readFlags } from './lib/flags.mjs'
import { measureLeaks } from './lib/leaks.mjs'
import { measureLoad } from './lib/load.mjs'
import { leaksLine, loadLine } from './lib/lines.mjs'
import { faultsOfLeaks, faultsOfLoad, noteUsualP99 } from './lib/verdict.mjs'

const FOLDER = fileURLToPath(new URL('./results', import.meta.url))

const progress = (text) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`)
}

/** Says what is wrong with a row, and remembers it. */
function judge(row, faults, faultsOf) {
  row.faults = faultsOf(row)
  faults.push(...row.faults.map((fault) => `${row.name}: ${fault}`))
  for (const fault of row.faults) console.log(`    RED: ${row.name}: ${fault}`)
}

function show(line) {
  progress('')
  console.log(line)
}

/** In which scenarios other processes took too much, and how much at most. */
function quietness(rows) {
  const shares = rows.flatMap(({ name, machine }) =>
    [machine.quiet, machine.flood].map(({ othersShare }) => ({ name, share: othersShare })),
  )
  if (shares.length === 0) return { noisyRows: null, worstShare: null }
  const noisy = new Set(shares.filter(({ share }) => share > NOISY).map(({ name }) => name))
  return { noisyRows: [...noisy], worstShare: Math.max(...shares.map(({ share }) => share)) }
}

async function soak(flags) {
  const { names, steady, seconds, quietSeconds, connections, quick, isWhole, isComplete } = flags
  // The charts are drawn by what the benchmarks have installed.
  if (isWhole) installContenders()
  buildIfOld()
  const from = performance.now()
  const before = { ...(await lookBefore()), tree: readTree('soak') }
  const processor = readProcessor()
  console.log(
    `node ${process.version}, ${processor.cores} x ${processor.cpu}, kernel ${processor.kernel}\n${before.text}`,
  )
  const faults = []
  const scenarios = SCENARIOS.filter(({ name }) => names.includes(name))
  let load = { rows: [] }
  if (scenarios.length > 0) {
    console.log(
      `\n${steady.toLocaleString('en')} connections with steady traffic, and beside them for ${seconds} s each:`,
    )
    progress('opening the connections')
    load = await measureLoad({ steady, seconds, quietSeconds }, scenarios, (row) => show(loadLine(row)))
    // What is usual is known when all floods are over.
    noteUsualP99(load.rows)
    for (const row of load.rows) judge(row, faults, () => faultsOfLoad(row, quick))
  }
  let leaks = []
  if (names.includes(LEAKS)) {
    console.log(`\n${connections.toLocaleString('en')} short connections, and what is left of them:`)
    leaks = await measureLeaks(connections, {
      progress,
      report: (row) => {
        show(leaksLine(row))
        judge(row, faults, faultsOfLeaks)
      },
    })
  }
  const took = Math.round((performance.now() - from) / 1000)
  const quiet = quietness(load.rows)
  if (quiet.noisyRows?.length > 0)
    console.log(
      `\nTHIS MACHINE WAS NOT QUIET: other processes took up to ${percent(quiet.worstShare)} of a core in ${quiet.noisyRows.join(', ')}`,
    )
  const after = readTree('soak')
  const { kernel: system, ...machine } = processor
  const slug = slugOf(processor)
  const file = flags.json ?? (isWhole ? path.join(FOLDER, `${slug}.json`) : undefined)
  if (file !== undefined) {
    const results = {
      date: new Date().toISOString().slice(0, 10),
      commit: before.tree.commit,
      changed: before.tree.changed || after.changed || after.commit !== before.tree.commit,
      node: process.version,
      ...{
        ...machine,
        memoryGiB: Math.round(totalmem() / 2 ** 30),
        system,
        quick,
        seconds,
        quietSeconds,
        took,
      },
      quiet: { loadBefore: before.loadAverage, othersBefore: before.othersShare, ...quiet },
      ...{ steady: load.steady ?? null, rows: load.rows, leaks },
    }
    await writeResults(file, results)
    // Beside other results there is a place for charts.
    if (isComplete && path.dirname(path.resolve(file)) === path.resolve(FOLDER)) {
      const { drawCharts } = await import('./lib/charts.mjs')
      await drawCharts({ ...results, slug }, path.join(path.dirname(path.resolve(file)), slug))
    }
    console.log(`\nwritten: ${path.relative(process.cwd(), file)}; into the docs: node soak/fill-docs.mjs`)
  }
  console.log(`\n${took} s: ${faults.length === 0 ? 'clean' : `NOT CLEAN\n${faults.join('\n')}`}`)
  return faults.length === 0 ? 0 : 1
}

async function main() {
  let flags
  try {
    flags = readFlags(process.argv.slice(2))
  } catch (error) {
    console.error(`soak: ${error.message}`)
    return 2
  }
  if (flags.help || flags.list) {
    console.log(flags.help ? HELP : NAMES.join('\n'))
    return 0
  }
  try {
    return await soak(flags)
  } catch (error) {
    console.error(`soak: ${error.message}`)
    return 1
  }
}

process.exit(await main())
