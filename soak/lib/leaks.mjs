/** Leaks: short connections that end in all ways, in both roles; what is left after them. */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { MEASURED, MEASURING, run, scratch, startLines } from '../../benchmarks/lib/processes.mjs'
import { CLIENT_WAYS } from '../nodes/client-ways.mjs'
import { readSnapshotFile } from './heap-snapshot.mjs'
import { compilePeers } from './load.mjs'
import { writeScripts } from './script-file.mjs'
import { WAYS } from './ways.mjs'

const here = (file) => fileURLToPath(new URL(`../${file}`, import.meta.url))

/**
 * Who is measured, and its share of the connections. A handshake of TLS takes as long as twenty others, of both processes.
 * `atOnce`: so many are open at a time, most of them in ways that wait for a timeout.
 */
export const PARTS = [
  { name: 'server', title: 'server', role: 'server', kind: 'plain', share: 0.7, atOnce: 150 },
  { name: 'server-tls', title: 'server, TLS', role: 'server', kind: 'secure', share: 0.015, atOnce: 50 },
  { name: 'client', title: 'client', role: 'client', kind: 'plain', share: 0.275, atOnce: 100 },
  { name: 'client-tls', title: 'client, TLS', role: 'client', kind: 'secure', share: 0.01, atOnce: 50 },
]

/**
 * What V8 compiles, pools and tables of their full size: after so many connections they are there. As many as between two looks: after
 * a warm-up of a twentieth, the client had 1 MiB more at the first look, and little more from there on.
 */
const WARM_UP_SHARE = 0.2
const LEAST_WARM_UP = { plain: 5_000, secure: 1_500 }
/** How often what is left is counted on the way. */
const LOOKS = 5
const BATCH_MS = 3_600_000
/** So many snapshots are taken before those that count. */
const FIRST_SNAPSHOTS = 2

/** The ways of each role, as the results have them. */
const WAYS_OF = { server: WAYS, client: CLIENT_WAYS }

/** A measured process that answers lines with lines. */
function startMeasured(file, args) {
  const { nextLine, child, stop } = startLines(
    MEASURED,
    process.execPath,
    ['--expose-gc', here(file), ...args],
    { stdin: 'pipe' },
  )
  const tell = (line) => void child.stdin.write(`${line}\n`)
  const ask = async (line) => {
    tell(line)
    return JSON.parse(await nextLine())
  }
  const snapshot = path.join(scratch, 'heap.heapsnapshot')
  /** What is left, in bytes of its heap by the snapshot as well. */
  const collect = async () => {
    const { left, counts } = await ask(`collect ${snapshot}`)
    return { left: { ...left, ...readSnapshotFile(snapshot) }, counts }
  }
  return { nextLine, ask, collect, stop }
}

/** The program in C where there is a compiler, and for TLS, which it does not speak, the one in JavaScript. */
function findPeers(kind) {
  if (kind === 'secure') return null
  try {
    return compilePeers()
  } catch {
    return null
  }
}

/** The server, and peers that come and go. */
async function startServerPart({ kind, atOnce }) {
  const server = startMeasured('nodes/ended-server.mjs', [])
  const ports = JSON.parse(await server.nextLine())[kind]
  const binary = findPeers(kind)
  const file = path.join(scratch, 'ways')
  if (binary !== null) writeScripts(file, WAYS)
  const open = async (total) => {
    const inJs = JSON.stringify({ ports, isSecure: kind === 'secure', connections: atOnce, total })
    const [command, args] =
      binary === null
        ? [process.execPath, [here('nodes/script-peers.mjs'), inJs]]
        : [
            binary,
            Object.entries({ mode: 'scripts', ports, file, connections: atOnce, total }).map(
              ([name, value]) => `${name}=${value}`,
            ),
          ]
    const { scripts } = JSON.parse(await run(MEASURING, command, args, { timeoutMs: BATCH_MS }))
    return { outcomes: scripts, surprises: [] }
  }
  return {
    open,
    collect: () => server.collect(),
    stop: () => server.stop(),
    peers: binary === null ? 'JavaScript' : 'C',
  }
}

/** The client, and a server that ends its connections. */
async function startClientPart({ kind, atOnce }) {
  const peer = startLines(MEASURING, process.execPath, [here('nodes/raw-server.mjs')], { stdin: 'pipe' })
  const ports = await peer.nextLine()
  const client = startMeasured('nodes/ended-client.mjs', [ports, String(atOnce)])
  await client.nextLine()
  let before = CLIENT_WAYS.map(() => ({}))
  const open = async (total) => {
    const { outcomes, surprises } = await client.ask(`run ${kind} ${total}`)
    // They are counted since the start.
    const since = outcomes.map((one, at) => lessOf(one, before[at]))
    before = outcomes
    return { outcomes: since, surprises }
  }
  const stop = async () => {
    await client.stop()
    await peer.stop()
  }
  return { open, collect: () => client.collect(), stop, peers: 'JavaScript' }
}

const lessOf = (now, was) =>
  Object.fromEntries(Object.entries(now).map(([name, value]) => [name, value - (was[name] ?? 0)]))
const add = (sum, more) => {
  for (const [name, value] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + value
  return sum
}

/** @param progress called with a text now and then @returns a row of the results */
async function measurePart(part, connections, progress) {
  const from = performance.now()
  const warmUp = Math.max(LEAST_WARM_UP[part.kind], Math.round(connections * WARM_UP_SHARE))
  const running = await (part.role === 'server' ? startServerPart(part) : startClientPart(part))
  try {
    progress(`${part.title}: warm-up of ${warmUp.toLocaleString('en')} connections`)
    await running.open(warmUp)
    // A snapshot takes memory by itself, and V8 gives up what it need not keep for it: the first ones are part of the warm-up.
    for (let i = 0; i < FIRST_SNAPSHOTS; i++) await running.collect()
    const { left: before } = await running.collect()
    const looks = [{ connections: 0, ...bytesOf(before) }]
    const ways = WAYS_OF[part.role].map(({ kind, name }) => ({ kind, name, outcomes: {} }))
    let after = before
    let counts
    let surprises = []
    for (let look = 1, done = 0; look <= LOOKS; look++) {
      const until = Math.round((connections * look) / LOOKS)
      progress(
        `${part.title}: ${done.toLocaleString('en')} of ${connections.toLocaleString('en')} connections`,
      )
      const batch = await running.open(until - done)
      batch.outcomes.forEach((one, at) => add(ways[at].outcomes, one))
      surprises = batch.surprises
      done = until
      ;({ left: after, counts } = await running.collect())
      looks.push({ connections: done, ...bytesOf(after) })
    }
    return {
      ...{
        name: part.name,
        title: part.title,
        connections,
        warmUp,
        atOnce: part.atOnce,
        peers: running.peers,
      },
      ...{ before, after, looks, ways, ...(counts === undefined ? {} : { counts }), surprises },
      seconds: Math.round((performance.now() - from) / 1000),
    }
  } finally {
    await running.stop()
  }
}

const bytesOf = ({ objects, compiled, heapUsed, external, rss }) => ({
  objects,
  compiled,
  heapUsed,
  external,
  rss,
})

/**
 * @param connections in all
 * @param how `{ progress, report }`: called with texts, and with each row
 * @returns the rows
 */
export async function measureLeaks(connections, { progress, report }) {
  const rows = []
  for (const part of PARTS) {
    const row = await measurePart(part, Math.round(connections * part.share), progress)
    rows.push(row)
    report(row)
  }
  return rows
}
