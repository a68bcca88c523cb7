/** Hawser alone for as long as one likes, under load that changes: what it holds must not grow. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findContender } from './contenders.mjs'
import { checkReply, writeBatches } from './frames.mjs'
import { MEASURING, run, scratch, startServer } from './processes.mjs'
import { median } from './statistics.mjs'

const PHASES = [
  { name: 'echo', mode: 'echo', connections: 64, inFlight: 16, bytes: 32, type: 'text', deflate: true },
  { name: 'uncompressed', mode: 'echo', connections: 64, inFlight: 4, bytes: 1024, type: 'text' },
  { name: 'large', mode: 'echo', connections: 4, inFlight: 1, bytes: 1 << 20, type: 'binary' },
  {
    name: 'fragments',
    mode: 'echo',
    connections: 16,
    inFlight: 1,
    bytes: 4096,
    type: 'binary',
    fragmentBytes: 16,
  },
  { name: 'handshakes', mode: 'handshakes' },
  { name: 'many', mode: 'once', connections: 2000, inFlight: 1, bytes: 128, type: 'text' },
]

/** What the growth may be between the middle and the last third of the run: noise of the allocator. */
const MAX_GROWTH = 0.1
const MAX_GROWTH_BYTES = 8 * 1024 * 1024

async function runPhase(phase, server, loader, seconds) {
  const { mode, connections = 1 } = phase
  const options = { mode, port: server.port, pid: server.pid, connections, seconds, warmup: 0 }
  let payloads = null
  const dump = path.join(scratch, 'reply')
  if (mode !== 'handshakes') {
    const file = path.join(scratch, 'batches')
    payloads = writeBatches(file, phase)
    // The server compresses what it likes to: lengths are not known.
    Object.assign(options, { file, dump, reply: -1 })
  }
  const args = Object.entries(options).map(([name, value]) => `${name}=${value}`)
  const { count } = JSON.parse(await run(MEASURING, loader.command, [...loader.args, ...args]))
  if (payloads !== null) checkReply(readFileSync(dump), payloads, {})
  return count
}

const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`

/** @returns whether the last third holds no more than the one before */
export function isSteady(samples) {
  const third = Math.floor(samples.length / 3)
  if (third === 0) return true
  const before = median(samples.slice(third, 2 * third))
  const after = median(samples.slice(2 * third))
  return after <= before * (1 + MAX_GROWTH) + MAX_GROWTH_BYTES
}

/** @returns the exit code */
export async function soak(seconds, { loader }) {
  const server = await startServer(findContender('hawser'), { deflate: true })
  const openFiles = () => readdirSync(`/proc/${server.pid}/fd`).length
  try {
    const until = performance.now() + seconds * 1000
    const phaseSeconds = Math.min(5, seconds / 12)
    const filesBefore = openFiles()
    const samples = []
    let count = 0
    do {
      for (const phase of PHASES) count += await runPhase(phase, server, loader, phaseSeconds)
      await sleep(500)
      await server.collect()
      samples.push(server.rss())
      console.log(
        `cycle ${samples.length}: ${mebibytes(samples.at(-1))} resident, ${count} messages and handshakes so far`,
      )
    } while (performance.now() < until)
    await sleep(1000)
    const leaked = openFiles() - filesBefore
    if (leaked > 0) console.log(`BELOW: ${leaked} files are still open`)
    const steady = isSteady(samples)
    console.log(steady ? 'steady' : 'BELOW: memory grows')
    return steady && leaked <= 0 ? 0 : 1
  } finally {
    await server.stop()
  }
}
