/** One measurement of one contender: a fresh process, load on it, one figure and what goes with it. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AbsentError, findContender, here } from './contenders.mjs'
import { checkReply, writeBatches } from './frames.mjs'
import { measureInstructions } from './instructions.mjs'
import { jsLoader, MEASURED, MEASURING, run, scratch, startLines, startServer } from './processes.mjs'

const withServer = async (contender, workload, core, use) => {
  const server = await startServer(contender, workload, core)
  try {
    return await use(server)
  } finally {
    await server.stop()
  }
}

const toArguments = (options) =>
  Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`)

const loadWith = (loader, options) => [loader.command, [...loader.args, ...toArguments(options)]]

/** What the load generator printed, as figures of the contender. */
function readFigures(text, { deflate }) {
  const { perSecond, p50, p90, p99, p999, cpuMicros, compressed, count, replyBytes, extensions } =
    JSON.parse(text)
  return {
    value: perSecond,
    ...(p50 === undefined ? {} : { latency: { p50, p90, p99, p999 } }),
    ...(cpuMicros === undefined ? {} : { cpuMicros }),
    ...(deflate
      ? {
          compressedShare: count === 0 ? 0 : compressed / count,
          bytesPerReply: replyBytes / count,
          extensions,
        }
      : {}),
  }
}

/** Echo, fan-out, and connections of one message each: messages are sent, and the first reply is compared. */
async function measureMessages(contender, workload, { loader, seconds, warmup }) {
  const generator = workload.tls ? jsLoader : loader
  if (workload.kind === 'once' && loader.name !== 'C') throw new AbsentError('it needs a C compiler')
  const file = path.join(scratch, 'batches')
  const dump = path.join(scratch, 'reply')
  const payloads = writeBatches(file, workload)
  return withServer(contender, workload, MEASURED, async ({ port, pid }) => {
    const text = await run(
      MEASURING,
      ...loadWith(generator, {
        mode: workload.kind,
        port,
        pid,
        connections: workload.connections,
        concurrency: workload.concurrency,
        file,
        dump,
        reply: workload.deflate ? -1 : workload.bytes,
        raw: contender.isRaw ? 1 : undefined,
        tls: workload.tls ? 1 : undefined,
        seconds,
        warmup,
      }),
    )
    checkReply(readFileSync(dump), payloads, {
      masked: contender.isRaw,
      fragmentBytes: workload.fragmentBytes,
    })
    return readFigures(text, workload)
  })
}

async function measureHandshakes(contender, workload, { loader, seconds, warmup }) {
  const raw = contender.isRaw ? 1 : undefined
  return withServer(contender, workload, MEASURED, async ({ port, pid }) => {
    const { concurrency } = workload
    const options = { mode: 'handshakes', port, pid, concurrency, raw, seconds, warmup }
    return readFigures(await run(MEASURING, ...loadWith(loader, options)), workload)
  })
}

/**
 * Resident memory for each connection that is open and silent, and (`uncollected`) as it was before the garbage of the
 * handshakes was collected. Code is compiled by some that went before.
 */
async function measureIdle(contender, workload, { loader, quick }) {
  const connections = quick ? Math.min(workload.connections, 1000) : workload.connections
  const raw = contender.isRaw ? 1 : undefined
  return withServer(contender, workload, MEASURED, async ({ port, rss, collect }) => {
    const hold = async (count, look) => {
      const options = { mode: 'idle', port, connections: count, raw }
      const [command, args] = loadWith(loader, options)
      const { child, nextLine, stop } = startLines(MEASURING, command, args, { stdin: 'pipe' })
      try {
        if ((await nextLine()) !== 'ready') throw new Error('the connections did not open')
        await sleep(300)
        return await look()
      } finally {
        child.stdin.end()
        await child.ended
        await stop()
      }
    }
    // Idle is what lasts: V8 gives back the room that opening so many took after about ten seconds of silence, and
    // until then that room is most of what is resident, with every contender.
    const settle = async () => {
      await collect()
      await sleep(quick ? 300 : 15_000)
      await collect()
      return rss()
    }
    await hold(200, () => undefined)
    await sleep(300)
    const before = await settle()
    let uncollected = 0
    const after = await hold(connections, () => {
      uncollected = rss()
      return settle()
    })
    return { value: (after - before) / connections, uncollected: (uncollected - before) / connections }
  })
}

/** A client of the contender, on the measured core, against Bun's echo server on the other. */
async function measureClient(contender, workload, { seconds, warmup }) {
  const peer = findContender('bun')
  if (peer.absent !== null) throw new AbsentError('no Bun to talk to')
  return withServer(peer, workload, MEASURING, async ({ port }) => {
    const file = here(`contenders/clients/${contender.client}.mjs`)
    const { command, args, env } = contender
    const { connections, inFlight, bytes } = workload
    const numbers = toArguments({ port, connections, inFlight, bytes, seconds, warmup })
    const text = await run(MEASURED, command, [...args, file, ...numbers], { env })
    return { value: JSON.parse(text).perSecond }
  })
}

/** No garbage is collected while allocations are counted. */
const GC_FLAGS = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64']

/** What runs inside one process. Gives several rows. */
async function measureMicro(contender, { module }) {
  const file = here(`micro/${module}.mjs`)
  return JSON.parse(await run(MEASURED, process.execPath, [...GC_FLAGS, file, contender.name]))
}

/** How long the suite takes for two of its groups (autobahn/run.mjs); most of it is the suite's own work. */
async function measureAutobahn(contender) {
  const judge = (cases) => {
    const flags = ['--contender', contender.name, '--role', 'server', '--cases', cases]
    const options = { timeoutMs: 3_600_000, isPinned: false }
    return run(MEASURED, process.execPath, [here('../autobahn/run.mjs'), ...flags], options)
  }
  // The first run may have to install the suite.
  await judge('12.1.1')
  const from = performance.now()
  await judge('12.*,13.*')
  return { value: (performance.now() - from) / 1000 }
}

const KINDS = {
  echo: measureMessages,
  fanout: measureMessages,
  once: measureMessages,
  handshakes: measureHandshakes,
  idle: measureIdle,
  client: measureClient,
  instructions: measureInstructions,
  autobahn: measureAutobahn,
}

/**
 * @param how `{ loader, seconds, warmup, quick }`
 * @returns figures by row: `{ [row]: { value, latency?, cpuMicros?, compressedShare?, ... } }`
 */
export async function measure(name, workload, how) {
  const contender = findContender(name)
  if (workload.kind === 'micro') return measureMicro(contender, workload)
  return { [workload.name]: await KINDS[workload.kind](contender, workload, how) }
}
