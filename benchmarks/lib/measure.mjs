/** One measurement of one contender: a fresh process, load on it, one figure and what goes with it. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AbsentError, findContender, here } from './contenders.mjs'
import { checkReply, loopOf, writeBatches } from './frames.mjs'
import { measureInstructions } from './instructions.mjs'
import { MEASURED, MEASURING, run, scratch, startLines, startServer } from './processes.mjs'

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

/** What the client of a compressed row offers: it keeps no context, and says so; or it keeps its own. */
const offerOf = ({ deflate, clientContext }) =>
  !deflate
    ? undefined
    : clientContext
      ? 'permessage-deflate; client_max_window_bits'
      : 'permessage-deflate; client_no_context_takeover; client_max_window_bits'

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
  const generator = workload.tls ? loader.forTls : loader
  if (workload.kind === 'once' && loader.name !== 'C') throw new AbsentError('it needs a C compiler')
  const file = path.join(scratch, 'batches')
  const dump = path.join(scratch, 'reply')
  const payloads = writeBatches(file, workload)
  return withServer(contender, workload, MEASURED, async ({ port, pid, uses }) => {
    const [command, args] = loadWith(generator, {
      mode: workload.kind === 'cores' ? 'echo' : workload.kind,
      port,
      // Of several processes no one stands for all.
      pid: workload.kind === 'cores' ? undefined : pid,
      connections: workload.connections,
      concurrency: workload.concurrency,
      file,
      dump,
      reply: workload.deflate ? -1 : workload.bytes,
      raw: contender.isRaw ? 1 : undefined,
      tls: workload.tls ? 1 : undefined,
      loop: loopOf(workload),
      offer: offerOf(workload),
      seconds,
      warmup,
    })
    const text = await run(MEASURING, command, args, { isPinned: workload.isPinned })
    checkReply(readFileSync(dump), payloads, {
      masked: contender.isRaw,
      fragmentBytes: workload.fragmentBytes,
    })
    return { ...readFigures(text, workload), ...(uses === undefined ? {} : { uses }) }
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

let opening = Promise.resolve()

/** One after another: contenders are idle at the same time, but open their connections by turns. */
function inTurn(open) {
  const opened = opening.then(open)
  opening = opened.catch(() => undefined)
  return opened
}

/**
 * Resident memory for each connection that is open and silent, and (`uncollected`) as it was before the garbage of the
 * handshakes was collected. Code is compiled by some that went before. Several may be measured at the same time.
 */
async function measureIdle(contender, workload, { loader, quick }) {
  const connections = quick ? Math.min(workload.connections, 500) : workload.connections
  const raw = contender.isRaw ? 1 : undefined
  const tls = workload.tls ? 1 : undefined
  return withServer(contender, workload, MEASURED, async ({ port, rss, collect }) => {
    const hold = async (count, look) => {
      const options = { mode: 'idle', port, connections: count, raw, tls }
      const [command, args] = loadWith(workload.tls ? loader.forTls : loader, options)
      const { child, stop } = await inTurn(async () => {
        const lines = startLines(MEASURING, command, args, { stdin: 'pipe' })
        if ((await lines.nextLine()) !== 'ready') throw new Error('the connections did not open')
        await sleep(300)
        return lines
      })
      try {
        return await look()
      } finally {
        child.stdin.end()
        await child.ended
        await stop()
      }
    }
    // Idle is what lasts: V8 shrinks what opening so many took at a collection after about ten seconds of silence. A new V8
    // (that of Node 26) then keeps the pages in a pool for eight seconds more: 23 MB after 9000 handshakes, however many are
    // open. Until then that room is most of what is resident, with every contender. Some of it stays for two collections more
    // (4.2 to 4.5 KB in place of 2.2 to 3 for Hawser in some runs), but pings, which the generator does not answer, come after 30 s.
    const settle = async () => {
      await collect()
      await sleep(quick ? 300 : 10_000)
      await collect()
      await sleep(quick ? 300 : 10_000)
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
    const { perSecond, cpuMicros } = JSON.parse(text)
    return { value: perSecond, cpuMicros }
  })
}

/** No garbage is collected while allocations are counted. */
const GC_FLAGS = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64']

/** What runs inside one process. Gives several rows. */
async function measureMicro(contender, { module }, { quick }) {
  const file = here(`micro/${module}.mjs`)
  const env = quick ? { HAWSER_BENCH_QUICK: '1' } : {}
  return JSON.parse(await run(MEASURED, contender.command, [...GC_FLAGS, file, contender.name], { env }))
}

/** How long the suite takes for two of its groups (autobahn/run.mjs); most of it is the suite's own work. */
async function measureAutobahn(contender, _workload, { quick }) {
  const judge = (cases) => {
    const flags = ['--contender', contender.name, '--role', 'server', '--cases', cases]
    const options = { timeoutMs: 3_600_000, isPinned: false }
    return run(MEASURED, process.execPath, [here('../autobahn/run.mjs'), ...flags], options)
  }
  // The first run may have to install the suite.
  await judge('12.1.1')
  const from = performance.now()
  await judge(quick ? '12.1.2,13.1.1' : '12.*,13.*')
  return { value: (performance.now() - from) / 1000 }
}

const KINDS = {
  echo: measureMessages,
  fanout: measureMessages,
  once: measureMessages,
  handshakes: measureHandshakes,
  idle: measureIdle,
  cores: measureMessages,
  client: measureClient,
  instructions: measureInstructions,
  autobahn: measureAutobahn,
}

/**
 * @param node which of NODES runs it
 * @param how `{ loader, seconds, warmup, quick }`
 * @returns figures by row: `{ [row]: { value, latency?, cpuMicros?, compressedShare?, ... } }`
 */
export async function measure(name, node, workload, how) {
  const contender = findContender(name, node)
  if (workload.kind === 'micro') return measureMicro(contender, workload, how)
  return { [workload.name]: await KINDS[workload.kind](contender, workload, how) }
}
