/**
 * Hawser against other servers and clients, in one run. Each contender runs in fresh processes, the order alternates,
 * medians count, and ratios come first. See benchmarks/README.md.
 */
import { HELP, readFlags, selectRows } from './lib/flags.mjs'
import { buildIfOld, installContenders } from './lib/prepare.mjs'
import { HEAD, printSum } from './lib/report.mjs'
import { WORKLOADS } from './workloads.mjs'

const WARMUP_SECONDS = 0.6

/** The Nodes that are there, of those that were asked for. @throws where there is none */
function findNodes(nodes, NODES) {
  const there = nodes.filter((name) => NODES[name].absent === null)
  const { absent } = NODES.newest
  if (there.length === 0) throw new Error(`the newest Node cannot be measured: ${absent}`)
  if (there.length < nodes.length) console.log(`One Node is measured, not two: ${absent}`)
  return there
}

async function bench(flags) {
  const rows = selectRows(WORKLOADS, flags.only)
  if (flags.list) {
    console.log(rows.map(({ name }) => name).join('\n'))
    return 0
  }
  installContenders()
  buildIfOld()
  const { NODES } = await import('./lib/nodes.mjs')
  const { findLoader } = await import('./lib/processes.mjs')
  const { lookBefore, percent, quietness } = await import('./lib/quiet.mjs')
  const { describeRun, fileOf, readProcessor, readTree, slugOf, writeResults } =
    await import('./lib/results.mjs')
  const { makePlan, secondsOf } = await import('./lib/plan.mjs')

  const loader = findLoader()
  const { seconds, quick } = flags
  const how = { loader, seconds, warmup: quick ? 0.2 : WARMUP_SECONDS, quick }
  if (flags.soak !== undefined) return (await import('./lib/soak.mjs')).soak(flags.soak, how)

  const nodes = findNodes(flags.nodes, NODES)
  const workloads = rows.filter(({ kind }) => kind !== 'autobahn' || flags.autobahn)
  if (workloads.length < rows.length)
    console.log('Left out: Autobahn 12 and 13; --autobahn runs them, for 40 minutes')
  const plan = makePlan(workloads, { ...flags, nodes })
  const before = { ...(await lookBefore()), tree: readTree() }
  const processor = readProcessor()
  console.log(
    [
      `node ${nodes.map((name) => NODES[name].version).join(' and ')}, ${processor.cores} x ${processor.cpu}, kernel ${processor.kernel}, load generator in ${loader.name}`,
      before.text,
      `about ${Math.ceil(secondsOf(plan, how) / 60)} minutes`,
      '',
      HEAD,
    ].join('\n'),
  )

  const { measureAll } = await import('./lib/rows.mjs')
  const done = await measureAll(plan, how)
  const isWell = printSum(done, Object.fromEntries(nodes.map((name) => [name, NODES[name].version])))
  const during = quietness(done)
  if (during !== null && during.noisyRows.length > 0) {
    console.log(
      `\nTHIS MACHINE WAS NOT QUIET: in ${during.noisyRows.length} rows other processes took up to ${percent(during.worstShare)} of a core: ${during.noisyRows.join('; ')}`,
    )
  }

  const run = describeRun(flags, { loader, nodes, rows: done, before, during })
  // Part of the rows, one Node, or rows of half a second, are nothing to publish.
  const isWhole = flags.only.length === 0 && !quick && nodes.length > 1
  const slug = slugOf(processor)
  const file = flags.json ?? (isWhole ? fileOf(slug) : undefined)
  if (file !== undefined) {
    await writeResults(file, { ...run, rows: done })
    console.log(`\nwritten: ${file}`)
    if (flags.charts && file === fileOf(slug)) {
      const { drawCharts } = await import('./lib/charts.mjs')
      for (const chart of await drawCharts({ ...run, rows: done, slug })) console.log(`drawn: ${chart}`)
    }
  }
  return flags.check && !isWell ? 1 : 0
}

async function main() {
  let flags
  try {
    flags = readFlags(process.argv.slice(2))
    selectRows(WORKLOADS, flags.only)
  } catch (error) {
    console.error(`bench: ${error.message}`)
    return 2
  }
  if (flags.help) {
    console.log(HELP)
    return 0
  }
  try {
    return await bench(flags)
  } catch (error) {
    console.error(`bench: ${error.message}`)
    return 1
  }
}

process.exit(await main())
