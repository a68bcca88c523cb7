/**
 * Groups over several processes and a broker: Hawser beside Socket.IO, in one run. Fresh processes for each figure, the order
 * alternates, medians count. See benchmarks/README.md.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import path from 'node:path'
import { HELP, readFlags } from './brokers/flags.mjs'
import { CONTENDERS, quickly, runsOf } from './brokers/plan.mjs'
import { here } from './lib/contenders.mjs'
import { buildIfOld, installContenders } from './lib/prepare.mjs'
import { compare, look, lookBefore, percent, quietness } from './lib/quiet.mjs'
import { readProcessor, readTree, slugOf, writeResults } from './lib/results.mjs'
import { summarize } from './lib/statistics.mjs'

const WARMUP_SECONDS = 0.4
/** The client of each broker that Hawser is given. */
const CLIENTS = { redis: 'redis', nats: '@nats-io/transport-node' }

/** A package of the benchmarks, or of the project. */
function versionOf(name) {
  const folder = ['.', '..'].map((at) => here(`${at}/node_modules/${name}`)).find((one) => existsSync(one))
  return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')).version
}
const versionOfProgram = (program) => {
  const { stdout, status } = spawnSync(program, ['--version'], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} is not installed (Debian: apt-get install ${program})`)
  return /\d+(?:\.\d+)+/.exec(stdout)[0]
}

function versionsOf(contenders) {
  const packages = contenders.some((name) => CONTENDERS[name].node === 'socketio')
    ? ['socket.io', '@socket.io/redis-adapter', 'bufferutil']
    : []
  const brokers = [...new Set(contenders.map((name) => CONTENDERS[name].broker))]
  const names = [...brokers.map((name) => CLIENTS[name]), ...packages]
  const programs = brokers.map((name) => `${name}-server`)
  return Object.fromEntries([
    ...names.map((name) => [name, versionOf(name)]),
    ...programs.map((program) => [program, versionOfProgram(program)]),
  ])
}

const short = (value) => (value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3))

function lineOf(key, one) {
  if (one.error) return `  ${key.padEnd(26)} FAILED: ${one.error}`
  const parts = [
    `${short(one.median)} deliveries/s`,
    `± ${percent(one.spread)}`,
    `${short(one.cpuMicros)} us of CPU each`,
    ...(one.commandsPerMessage === undefined
      ? []
      : [
          `${one.commandsPerMessage.toFixed(2)} commands`,
          `${short(one.bytesInPerMessage)} B in, ${short(one.bytesOutPerMessage)} B out a message`,
        ]),
    ...(one.addedP50 === undefined ? [] : [`added ${short(one.addedP50)} us, p99 ${short(one.addedP99)}`]),
    ...(one.thirdReadPerMessage === undefined
      ? []
      : [`the third reads ${short(one.thirdReadPerMessage)} B a message`]),
  ]
  return `  ${key.padEnd(26)} ${parts.join(' · ')}`
}

const progress = (text) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`)
}

/** Every contender in every setup of a row, the order turned round by round. One that fails is asked no more. */
async function measureRow(row, contenders, how, measure) {
  const runs = runsOf(row, contenders)
  const load = how.quick ? quickly(row.load) : row.load
  const figures = new Map(runs.map(({ key }) => [key, []]))
  const failed = new Map()
  for (let round = 0; round < how.rounds; round++) {
    for (const run of round % 2 === 0 ? runs : [...runs].reverse()) {
      if (failed.has(run.key)) continue
      progress(`${row.name}: round ${round + 1} of ${how.rounds}, ${run.key}`)
      const before = look()
      try {
        const one = await measure(run, load, how)
        const othersShare = compare(before, look())?.share
        figures.get(run.key).push({ ...one, ...(othersShare === undefined ? {} : { othersShare }) })
      } catch (error) {
        failed.set(run.key, { error: error.message })
      }
    }
  }
  progress('')
  return {
    ...{ name: row.name, load },
    contenders: Object.fromEntries(
      runs.map(({ key }) => [key, failed.get(key) ?? summarize(figures.get(key))]),
    ),
  }
}

async function bench(flags) {
  const { quick, rounds, seconds, contenders } = flags
  installContenders()
  buildIfOld()
  const versions = versionsOf(contenders)
  const { compileLoad, measure } = await import('./brokers/measure.mjs')
  const how = { quick, rounds, seconds, warmup: quick ? 0.1 : WARMUP_SECONDS, binary: compileLoad() }
  const before = { ...(await lookBefore()), tree: readTree() }
  const processor = readProcessor()
  console.log(
    `node ${process.version}, ${processor.cores} x ${processor.cpu}, kernel ${processor.kernel}\n${before.text}\n`,
  )

  const rows = []
  for (const row of flags.rows) {
    const done = await measureRow(row, contenders, how, measure)
    rows.push(done)
    console.log(
      [done.name, ...Object.entries(done.contenders).map(([key, one]) => lineOf(key, one))].join('\n'),
    )
  }
  progress('memory of the kernel and of presence')
  const { measureMemory } = await import('./brokers/measure.mjs')
  const memory = await measureMemory(quick ? 10_000 : 100_000)
  progress('')
  console.log(
    `A socket takes ${short(memory.kernelSocketBytes)} B of the kernel's memory; what another node says ${short(memory.remoteNameBytes)} B for a name, ${short(memory.remoteGroupBytes)} B for a group`,
  )
  const during = quietness(rows)
  if (during !== null && during.noisyRows.length > 0) {
    console.log(
      `\nTHIS MACHINE WAS NOT QUIET: in ${during.noisyRows.length} rows other processes took up to ${percent(during.worstShare)} of a core: ${during.noisyRows.join('; ')}`,
    )
  }
  const after = readTree()
  const { kernel: system, ...machine } = processor
  const file = flags.json ?? (flags.isWhole ? here(`results/brokers/${slugOf(processor)}.json`) : undefined)
  if (file !== undefined) {
    await writeResults(file, {
      date: new Date().toISOString().slice(0, 10),
      commit: before.tree.commit,
      changed: before.tree.changed || after.changed || after.commit !== before.tree.commit,
      node: process.version,
      ...{ ...machine, memoryGiB: Math.round(totalmem() / 2 ** 30), system, rounds, seconds, quick },
      quiet: {
        ...{ loadBefore: before.loadAverage, othersBefore: before.othersShare },
        ...(during ?? { noisyRows: null, worstShare: null }),
      },
      ...{ versions, memory, rows },
    })
    console.log(
      `\nwritten: ${path.relative(process.cwd(), file)}; into the docs: node benchmarks/fill-docs.mjs`,
    )
  }
  return rows.some((row) => Object.values(row.contenders).some(({ error }) => error)) ? 1 : 0
}

async function main() {
  let flags
  try {
    flags = readFlags(process.argv.slice(2))
  } catch (error) {
    console.error(`bench:brokers: ${error.message}`)
    return 2
  }
  if (flags.help || flags.list) {
    console.log(flags.help ? HELP : flags.rows.map(({ name }) => name).join('\n'))
    return 0
  }
  try {
    return await bench(flags)
  } catch (error) {
    console.error(`bench:brokers: ${error.message}`)
    return 1
  }
}

process.exit(await main())
