/** What a process holds, for the processes whose leaks are looked for. They run with `--expose-gc`. */
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeHeapSnapshot } from 'node:v8'

const { timerWheel } = createRequire(import.meta.url)('../../dist/cjs/transport/timer-wheel.js')

/** Longer than each timeout of these processes, so that the last connections are over. */
const OVER_MS = 15_000
const LOOK_MS = 50
/** Tables of the system's connections are kept for a second or so. */
const KEPT_MS = 1_500
const COLLECTIONS = 8
/** V8 gives the pages of a young heap that it has emptied back to the system some seconds later: 31 MiB, or none, in a single look. */
const SETTLING_COLLECTIONS = 7
const SETTLING_MS = 1_000

/** What keeps the event loop alive, by kind: `{ TCPServerWrap: 5, ... }`. */
function countHandles() {
  const kinds = {}
  for (const kind of process.getActiveResourcesInfo()) kinds[kind] = (kinds[kind] ?? 0) + 1
  return kinds
}

const countFiles = () => readdirSync('/proc/self/fd').length

/** @returns the least that is resident until V8 has given back what it does not use */
async function settledRss() {
  let least = Infinity
  for (let i = 0; i < SETTLING_COLLECTIONS; i++) {
    await sleep(SETTLING_MS)
    globalThis.gc()
    least = Math.min(least, process.memoryUsage().rss)
  }
  return least
}

/**
 * Waits until the connections are over, and collects what they left.
 * @param countConnections how many there are
 * @param file where a snapshot of the heap goes
 * @returns bytes of `heapUsed`, `external`, `arrayBuffers` and `rss`; `handles` by kind, `files`, and `timers`: the connections that
 *   wait for a time
 */
export async function countLeft(countConnections, file) {
  for (let waited = 0; waited < OVER_MS && (countConnections() > 0 || timerWheel.size > 0); waited += LOOK_MS)
    await sleep(LOOK_MS)
  await sleep(KEPT_MS)
  // What has a finalizer goes with a later collection, and streams end in turns of the event loop.
  for (let i = 0; i < COLLECTIONS; i++) {
    globalThis.gc()
    await sleep(20)
  }
  globalThis.gc()
  const rss = await settledRss()
  const { heapUsed, external, arrayBuffers } = process.memoryUsage()
  writeHeapSnapshot(file)
  return {
    ...{ heapUsed, external, arrayBuffers, rss },
    ...{
      handles: countHandles(),
      files: countFiles(),
      timers: timerWheel.size,
      connections: countConnections(),
    },
  }
}
