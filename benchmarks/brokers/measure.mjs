/** One run: a broker, nodes and the load in fresh processes; what was delivered, and what it took. */
import { readFileSync } from 'node:fs'
import { compileC, run as runToEnd, startLines } from '../lib/processes.mjs'
import { here } from '../lib/contenders.mjs'
import { cpuOf } from '../lib/processor-time.mjs'
import { startNats } from './nats.mjs'
import { CONTENDERS } from './plan.mjs'
import { startRedis } from './redis.mjs'

const BROKERS = { redis: startRedis, nats: startNats }
const FREE = { isPinned: false }

/** Compiles the load program. @returns its path @throws without a C compiler */
export const compileLoad = () => compileC('brokers-load', [here('brokers/load.c')])

/** What a process has read so far, from sockets too, in bytes. */
const bytesReadBy = (pid) => Number(/^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))[1])

async function startNode({ node, adapter }, broker) {
  const args = [here(`brokers/nodes/${node}.mjs`)]
  if (broker !== null) args.push(`broker=${broker.url}`, ...(adapter ? [`adapter=${adapter}`] : []))
  const { child, nextLine, stop } = startLines(0, process.execPath, args, FREE)
  try {
    const { port } = JSON.parse(await nextLine())
    return { port, pid: child.pid, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const toArguments = (options) => Object.entries(options).map(([name, value]) => `${name}=${value}`)

/** Everything that is counted outside of the load program, at one moment. */
async function look(nodes, third, broker) {
  return {
    nodeCpu: nodes.reduce((sum, { pid }) => sum + cpuOf(pid), 0),
    ...(broker === null ? {} : { brokerCpu: cpuOf(broker.pid), counted: await broker.count() }),
    ...(third === null ? {} : { thirdCpu: cpuOf(third.pid), thirdRead: bytesReadBy(third.pid) }),
  }
}

/** What the broker did between two looks, for each message. */
function brokerFigures(before, after, messages) {
  const { counted: from, brokerCpu } = before
  const { counted: to } = after
  const commands = {}
  for (const [name, calls] of Object.entries(to.commands)) {
    const made = calls - (from.commands[name] ?? 0)
    if (made > 0) commands[name] = made
  }
  const sum = Object.values(commands).reduce((all, made) => all + made, 0)
  return {
    commandsPerMessage: sum / messages,
    // The two calls of the second look that came before its own count.
    bytesInPerMessage: Math.max(0, to.bytesIn - from.bytesIn - 3 * to.ownIn) / messages,
    bytesOutPerMessage: Math.max(0, to.bytesOut - from.bytesOut - 3 * to.ownOut) / messages,
    brokerCpuMicros: ((after.brokerCpu - brokerCpu) * 1e6) / messages,
    commands,
  }
}

/** @returns the figures of one run */
function figuresOf(result, before, after, third) {
  const { messages, deliveries, seconds, loadCpuSeconds, last, local, remote, added } = result
  const points = { last, local, remote, added }
  const latencies = Object.entries(points).flatMap(([name, value]) =>
    value === undefined
      ? []
      : [
          [`${name}P50`, value.p50],
          [`${name}P99`, value.p99],
        ],
  )
  return {
    value: deliveries / seconds,
    cpuMicros: ((after.nodeCpu - before.nodeCpu) * 1e6) / deliveries,
    loadShare: loadCpuSeconds / seconds,
    messagesPerSecond: messages / seconds,
    ...Object.fromEntries(latencies),
    ...(before.counted === undefined ? {} : brokerFigures(before, after, messages)),
    ...(third === 'listens'
      ? {
          thirdReadPerMessage: (after.thirdRead - before.thirdRead) / messages,
          thirdCpuMicros: ((after.thirdCpu - before.thirdCpu) * 1e6) / messages,
        }
      : {}),
  }
}

/**
 * @param run of `runsOf`
 * @param load of the row
 * @param how `{ binary, seconds, warmup }`
 * @returns figures: `value` (deliveries a second), processor time, latencies in microseconds, what the broker did
 */
export async function measure({ contender, setup }, load, how) {
  const kind = CONTENDERS[contender]
  const started = []
  const keep = (one) => {
    started.push(one)
    return one
  }
  try {
    const isAlone = setup.processes === 1 && setup.third === null
    const broker = isAlone ? null : keep(await BROKERS[kind.broker]())
    const nodes = []
    const count = setup.processes + (setup.third === null ? 0 : 1)
    for (let i = 0; i < count; i++) nodes.push(keep(await startNode(kind, broker)))
    const third = setup.third === null ? null : nodes.at(-1)
    const ports = nodes.slice(0, setup.processes).map(({ port }) => port)
    const { seconds, warmup, binary } = how
    const publisher = setup.third === 'publishes' ? third.port : ports[0]
    const options = { protocol: kind.protocol, ports, publisher, ...load, seconds, warmup }
    const loader = keep(startLines(1, binary, toArguments(options), { ...FREE, stdin: 'pipe' }))
    if ((await loader.nextLine()) !== 'ready') throw new Error('the load did not begin')
    const before = await look(nodes, third, broker)
    loader.child.stdin.write('go\n')
    const result = JSON.parse(await loader.nextLine())
    const after = await look(nodes, third, broker)
    loader.child.stdin.end('end\n')
    return figuresOf(result, before, after, setup.third)
  } finally {
    for (const one of started.reverse()) await one.stop()
  }
}

/** What many connections cost beside their own memory (memory.mjs), in bytes for each. */
export async function measureMemory(count) {
  const args = ['--expose-gc', here('brokers/memory.mjs'), String(count)]
  return JSON.parse(await runToEnd(0, process.execPath, args, { ...FREE, timeoutMs: 120_000 }))
}
