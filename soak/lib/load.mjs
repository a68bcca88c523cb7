/** The load: 15,000 connections with steady traffic, and one flood after another beside it. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { here as inBenchmarks } from '../../benchmarks/lib/contenders.mjs'
import {
  bindMainThread,
  compileC,
  MEASURED,
  MEASURING,
  scratch,
  startLines,
} from '../../benchmarks/lib/processes.mjs'
import { floodBound } from './bounds.mjs'
import { difference, look } from './machine.mjs'
import { writeScripts } from './script-file.mjs'
import { ADDRESSES, FEED, PROBE, SERVER_OPTIONS, STEADY } from './settings.mjs'
import { OFFER, request } from './steps.mjs'

const here = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url))

/** Beside connections a process has its files, its pipes and what Node opens. */
const SPARE_FILES = 300
/** How long the server has after a flood to be rid of the attackers: longer than each of its timeouts. */
const RID_MS = 20_000

/** Compiles the peers. @returns the path of the program @throws without a C compiler */
export function compilePeers() {
  const shared = readdirSync(inBenchmarks('load')).filter((file) => file.endsWith('.c') && file !== 'main.c')
  const own = readdirSync(here('load')).filter((file) => file.endsWith('.c'))
  const sources = [
    ...shared.map((file) => inBenchmarks(`load/${file}`)),
    ...own.map((file) => here(`load/${file}`)),
  ]
  return compileC('peers', sources, ['-I', inBenchmarks('load'), '-ldl'])
}

/** @throws Error where so many connections do not fit into the files that one process may open */
export function checkFiles(steady, scenarios, limits = readFileSync('/proc/self/limits', 'latin1')) {
  const [, allowed] = /^Max open files +\d+ +(\d+)/m.exec(limits) ?? [null, Infinity]
  const needed =
    steady + PROBE.connections + Math.max(0, ...scenarios.map(({ connections }) => connections)) + SPARE_FILES
  if (Number(allowed) >= needed) return
  throw new Error(
    `${steady.toLocaleString('en')} connections beside those of the attackers need ${needed.toLocaleString('en')} open files in the ` +
      `process of the server, and its hard limit (ulimit -Hn) is ${Number(allowed).toLocaleString('en')}: raise it, or ask for fewer with --steady`,
  )
}

const toArguments = (options) => Object.entries(options).map(([name, value]) => `${name}=${value}`)

/** A process that answers each line with a line of JSON. @param core null: it is not bound */
function startAsked(core, command, args) {
  const options = { stdin: 'pipe', isPinned: core !== null }
  const { child, nextLine, stop } = startLines(core, command, args, options)
  const ask = async (line) => {
    child.stdin.write(`${line}\n`)
    return JSON.parse(await nextLine())
  }
  return { pid: child.pid, nextLine, ask, stop }
}

const startPeers = (binary, options) => startAsked(MEASURING, binary, toArguments(options))

/** What was counted between two reports of the server. */
function counted(before, after) {
  const less = (now, was = {}) =>
    Object.fromEntries(
      Object.entries(now)
        .map(([name, value]) => [
          name,
          typeof value === 'object' ? less(value, was[name]) : value - (was[name] ?? 0),
        ])
        .filter(([, value]) => (typeof value === 'object' ? Object.keys(value).length > 0 : value !== 0)),
    )
  return { ...less(after.stats, before.stats), ...less(after.counts, before.counts) }
}

const timesOf = ({ p50, p90, p99, p999, max, samples }) => ({ p50, p90, p99, p999, max, samples })

/** Well-behaved clients that are gone, got a wrong answer, or none. */
const harmOf = ({ gone, wrong, lastCode }) => ({ gone, wrong, lastCode })

/** A scene: the server, the steady clients and the probe, each in a process of its own. */
class Scene {
  started = []
  pids = {}

  async open(binary, { steady }) {
    this.binary = binary
    this.server = this.keep(
      'server',
      startAsked(null, process.execPath, ['--expose-gc', here('nodes/load-server.mjs')]),
    )
    const { port, limits } = JSON.parse(await this.server.nextLine())
    // Its threads have started: those of V8 take time of both cores, as where nobody binds a process.
    bindMainThread(MEASURED, this.server.pid)
    this.port = port
    this.limits = limits
    const file = path.join(scratch, 'request')
    writeFileSync(file, request('/', OFFER))
    const paced = { mode: 'paced', ports: this.port, head: file }
    this.empty = await this.server.ask('collect')
    this.steady = this.keep(
      'steady',
      startPeers(binary, {
        ...paced,
        ...{ source: ADDRESSES.steady, sources: Math.ceil(steady / STEADY.perAddress), connections: steady },
        ...{ interval: STEADY.intervalSeconds, per_second: STEADY.perSecond },
      }),
    )
    if ((await this.steady.nextLine()) !== 'ready') throw new Error('the steady clients did not open')
    const { connections, intervalSeconds: interval } = PROBE
    this.probe = this.keep(
      'probe',
      startPeers(binary, { ...paced, source: ADDRESSES.probe, connections, interval }),
    )
    if ((await this.probe.nextLine()) !== 'ready') throw new Error('the probe did not open')
    this.honest = steady + connections
    this.full = await this.server.ask('collect')
  }

  keep(name, one) {
    this.started.push(one)
    this.pids[name] = one.pid
    return one
  }

  /** All processes report, and count anew. */
  async mark() {
    const [server, steady, probe] = await Promise.all([
      this.server.ask('report'),
      this.steady.ask('report'),
      this.probe.ask('report'),
    ])
    return { server, steady, probe, machine: look(this.pids) }
  }

  /** What happens in so many seconds. */
  async watch(seconds, before) {
    await sleep(seconds * 1000)
    const after = await this.mark()
    return { after, machine: difference(before.machine, after.machine, this.pids) }
  }

  /** Waits until the server has no connections but those of the well-behaved clients. */
  async settle() {
    const from = performance.now()
    for (;;) {
      const { stats } = await this.server.ask('report')
      const passed = performance.now() - from
      if (stats.connections <= this.honest || passed > RID_MS)
        return { left: stats.connections - this.honest, ms: Math.round(passed) }
      await sleep(100)
    }
  }

  async close() {
    for (const one of this.started.reverse()) await one.stop()
  }
}

/** A scenario: the quiet, and then the flood. */
async function measureScenario(scene, scenario, { seconds, quietSeconds }) {
  const { name, connections, addresses } = scenario
  const file = path.join(scratch, `scripts-${name}`)
  writeScripts(file, scenario.scripts())
  const first = await scene.mark()
  const quiet = await scene.watch(quietSeconds, first)
  const attackers = scene.keep(
    'attackers',
    startPeers(scene.binary, {
      ...{ mode: 'scripts', ports: scene.port, file, connections, idle: 1 },
      ...{ source: ADDRESSES.attackers, sources: addresses },
    }),
  )
  let flood
  let attack
  try {
    flood = await scene.watch(seconds, quiet.after)
    attack = await attackers.ask('end')
  } finally {
    await attackers.stop()
    delete scene.pids.attackers
  }
  const settled = await scene.settle()
  const accepted = Math.min(connections, addresses * SERVER_OPTIONS.maxConnectionsPerAddress)
  const bound =
    quiet.after.server.most.rss +
    floodBound({ limits: scene.limits, largest: FEED.messageBytes, accepted, unfinished: connections })
  return {
    ...{ name, connections, addresses, seconds },
    quiet: timesOf(quiet.after.probe),
    flood: timesOf(flood.after.probe),
    memory: { quiet: quiet.after.server.most, flood: flood.after.server.most, bound },
    harm: { steady: harmOf(flood.after.steady), probe: harmOf(flood.after.probe) },
    counted: counted(quiet.after.server, flood.after.server),
    attack: { ...attack, scripts: sumOf(attack.scripts) },
    machine: { quiet: quiet.machine, flood: flood.machine },
    settled,
  }
}

/** The outcomes of all scripts. */
function sumOf(scripts) {
  const sum = {}
  for (const one of scripts)
    for (const [name, value] of Object.entries(one)) sum[name] = (sum[name] ?? 0) + value
  return sum
}

/**
 * @param flags `{ steady, seconds, quietSeconds }`
 * @param scenarios of attacks.mjs
 * @param report called with each row
 * @returns `{ steady, rows }`
 */
export async function measureLoad(flags, scenarios, report) {
  checkFiles(flags.steady, scenarios)
  const scene = new Scene()
  try {
    await scene.open(compilePeers(), flags)
    // The garbage of 15,000 handshakes, and what V8 compiles.
    await sleep(flags.quietSeconds * 500)
    const rows = []
    for (const scenario of scenarios) {
      const row = await measureScenario(scene, scenario, flags)
      rows.push(row)
      report(row)
    }
    const { empty, full, honest } = scene
    const each = (kind) => Math.round((full.now[kind] - empty.now[kind]) / honest)
    const steady = {
      connections: flags.steady,
      probes: PROBE.connections,
      intervalSeconds: STEADY.intervalSeconds,
      memory: { empty: empty.now, full: full.now, eachRss: each('rss'), eachHeap: each('heapUsed') },
    }
    return { steady, rows }
  } finally {
    await scene.close()
  }
}
