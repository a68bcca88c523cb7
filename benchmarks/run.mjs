/**
 * Hawser against other servers and clients, in one run. Each contender runs in fresh processes, the order alternates,
 * medians count, and ratios come first. See benchmarks/README.md.
 */
import { cpus } from 'node:os'
import { FLOORS } from './floors.mjs'
import { findContender } from './lib/contenders.mjs'
import { HELP, readFlags, selectRows } from './lib/flags.mjs'
import { buildIfOld, installContenders } from './lib/prepare.mjs'
import { formatRow, HEAD, progress } from './lib/report.mjs'
import { summarize } from './lib/statistics.mjs'
import { judge } from './lib/verdict.mjs'
import { WORKLOADS } from './workloads.mjs'

const WARMUP_SECONDS = 1

/**
 * Runs every contender of a row, the order turned round by round. One that fails is asked no more, and says why.
 * @returns {Promise<Map<string, object>>} by row (a micro benchmark gives several): contenders and their summaries
 */
async function measureRow(workload, names, rounds, measureOne) {
  const figures = new Map()
  const failures = new Map()
  for (const name of names) {
    const { absent } = findContender(name)
    if (absent !== null) failures.set(name, { error: `absent: ${absent}`, isAbsent: true })
  }
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? names : [...names].reverse()
    for (const name of order) {
      if (failures.has(name)) continue
      progress(`${workload.name}: round ${round + 1} of ${rounds}, ${name}`)
      try {
        for (const [row, one] of Object.entries(await measureOne(name))) {
          if (!figures.has(row)) figures.set(row, new Map())
          const byContender = figures.get(row)
          byContender.set(name, [...(byContender.get(name) ?? []), one])
        }
      } catch (error) {
        failures.set(name, { error: error.message, ...(error.isAbsent ? { isAbsent: true } : {}) })
      }
    }
  }
  progress('')
  if (figures.size === 0) figures.set(workload.name, new Map())
  const rows = new Map()
  for (const [row, byContender] of figures) {
    const summaries = names
      .map((name) => [
        name,
        failures.get(name) ?? (byContender.has(name) && summarize(byContender.get(name))),
      ])
      .filter(([, summary]) => summary)
    rows.set(row, Object.fromEntries(summaries))
  }
  return rows
}

/** Measures all rows that were asked for, and prints each. @returns the rows, judged */
async function measureAll(workloads, flags, how) {
  const { measure } = await import('./lib/measure.mjs')
  const done = []
  console.log(HEAD)
  for (const workload of workloads) {
    const { unit, lowerIsBetter = false, kind } = workload
    const names = workload.contenders.filter(
      (name) =>
        flags.contenders.includes(name) ||
        workload.always?.includes(name) ||
        // Of clients there are few, and each is what somebody uses.
        kind === 'client',
    )
    const rounds = kind === 'autobahn' ? 1 : flags.rounds
    const measured = await measureRow(workload, names, rounds, (name) => measure(name, workload, how))
    for (const [name, contenders] of measured) {
      const row = { name, kind, unit, lowerIsBetter, contenders }
      const verdict = judge(row, FLOORS[name])
      done.push({ ...row, floor: FLOORS[name], verdict })
      console.log(formatRow(row, FLOORS[name], verdict))
    }
  }
  return done
}

/** What is below its floor or could not be compared, in words. @returns whether all is well */
function printSum(rows) {
  const judged = rows.filter(({ verdict }) => verdict.status !== 'no floor' && verdict.status !== 'not here')
  const bad = judged.filter(({ verdict }) => verdict.status !== 'ok')
  console.log(
    `\n${judged.length - bad.length} of ${judged.length} rows with a floor are where they have to be`,
  )
  for (const { name, verdict } of bad) console.log(`${verdict.status}: ${name}: ${verdict.why.join('; ')}`)
  return bad.length === 0
}

async function bench(flags) {
  const rows = selectRows(WORKLOADS, flags.only)
  if (flags.list) {
    console.log(rows.map(({ name }) => name).join('\n'))
    return 0
  }
  installContenders()
  buildIfOld()
  const { findLoader } = await import('./lib/processes.mjs')
  const { describeRun, LATEST, writeResults } = await import('./lib/results.mjs')
  const loader = findLoader()
  const { seconds, quick } = flags
  const how = { loader, seconds, warmup: quick ? 0.2 : WARMUP_SECONDS, quick }
  console.log(
    `node ${process.version}, ${cpus().length} x ${cpus()[0].model.trim()}, load generator in ${loader.name}`,
  )
  if (flags.soak !== undefined) return (await import('./lib/soak.mjs')).soak(flags.soak, how)

  const workloads = rows.filter(({ kind }) => kind !== 'autobahn' || flags.autobahn)
  if (workloads.length < rows.length)
    console.log('Left out: Autobahn 12 and 13; --autobahn runs them, for some minutes')
  const done = await measureAll(workloads, flags, how)
  const isWell = printSum(done)

  const run = describeRun(flags, loader, [...new Set(done.flatMap((row) => Object.keys(row.contenders)))])
  // Part of the rows, or rows of half a second, are nothing to publish.
  const file = flags.json ?? (flags.only.length === 0 && !quick ? LATEST : undefined)
  if (file !== undefined) {
    await writeResults(file, { ...run, rows: done })
    console.log(`\nwritten: ${file}`)
    if (flags.charts && file === LATEST) {
      const { drawCharts } = await import('./lib/charts.mjs')
      for (const chart of await drawCharts({ ...run, rows: done })) console.log(`drawn: ${chart}`)
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
