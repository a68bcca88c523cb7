/** All cases with one peer, in each of its roles. */
import { CASES, CONFIGS, configName } from './cases.mjs'
import { listenFor, runAsClient } from './hawser-end.mjs'
import { expectationOf } from './manifests.mjs'
import { Mismatch, within } from './mismatch.mjs'
import { PeerProcess } from './peer-process.mjs'
import { resultOf } from './result.mjs'
import { tap } from './tap.mjs'

/** Beside its time, for the first case of a client: a JVM on a busy machine, a browser. */
const START_TIMEOUT_MS = 45_000

/** For the report, once the connection is over at Hawser's end. */
const REPORT_TIMEOUT_MS = 10_000

/** The URL of a case: it tells the peer what to do. */
function urlOf(one, port) {
  const query = new URLSearchParams({ case: one.id, ...one.query })
  return `ws://127.0.0.1:${String(port)}${one.path ?? '/echo'}?${query.toString()}`
}

function judgeRefusal({ open, status }) {
  if (open === true) throw new Mismatch('the peer takes a 401 for an open connection')
  if (status !== undefined && status !== 401) throw new Mismatch(`the peer has the status ${String(status)}`)
}

function judge(one, report) {
  if (one.isRefused) judgeRefusal(report)
  else if (report.error !== undefined) throw new Mismatch(`the peer says: ${report.error}`)
  one.judge?.(report)
}

/** Runs with the port of a server, or of a tap in front of it where the case looks at frames. */
async function throughTap(one, port, peerRole, run) {
  if (one.judgeFrames === undefined) return run(port)
  const wire = await tap(port)
  try {
    await run(wire.port)
    const [fromPeer, fromHawser] =
      peerRole === 'server' ? [wire.fromServer, wire.fromClient] : [wire.fromClient, wire.fromServer]
    one.judgeFrames(fromPeer, fromHawser)
  } finally {
    wire.stop()
  }
}

/** The peer as the server. @param {PeerProcess} peer */
function againstServer(one, peer) {
  return throughTap(one, peer.ports.get(configName(one.peer)), 'server', async (port) => {
    await runAsClient(one, urlOf(one, port))
    if (!one.isRefused) judge(one, await peer.report(one.id, REPORT_TIMEOUT_MS))
  })
}

/** The peer as the client, which is told of the server. @param {PeerProcess} peer */
async function clientRun(one, peer, server, port) {
  const { protocols = [], peer: deflate } = one
  peer.write({ case: one.id, url: urlOf(one, port), protocols, deflate })
  const report = peer.report(one.id, one.timeoutMs)
  report.catch(() => {})
  // A client that could not connect reports, and never gets as far as the case.
  const failed = report.then(({ open, error, status }) => {
    if (open === true) return new Promise(() => {})
    throw new Mismatch(error === undefined ? `refused with ${String(status)}` : `the peer says: ${error}`)
  })
  failed.catch(() => {})
  if (one.isRefused) return judge(one, await report)
  await Promise.race([server.run(), failed])
  judge(one, await within(report, REPORT_TIMEOUT_MS, 'the report of the peer'))
}

async function againstClient(one, peer) {
  const server = await listenFor(one)
  try {
    await throughTap(one, server.port, 'client', (port) => clientRun(one, peer, server, port))
  } finally {
    server.stop()
  }
}

/** @param {PeerProcess} peer @returns {Promise<string | undefined>} what is not right */
async function attempt(one, peer, role) {
  const run = role === 'server' ? againstServer : againstClient
  try {
    await within(Promise.race([run(one, peer), peer.gone]), one.timeoutMs, 'the case')
    return undefined
  } catch (error) {
    if (error instanceof Mismatch) return error.message
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
}

/**
 * @param {import('./manifests.mjs').Peer} peer @param {string} folder @param {'client' | 'server'} role of the peer
 * @param {{ pattern: RegExp, directIo: boolean }} options `pattern` of the ids of cases; `directIo` of Hawser's end
 * @returns {Promise<import('./result.mjs').Result[]>}
 */
export async function runPeer(peer, folder, role, { pattern, directIo }) {
  const start = async () => {
    const args = role === 'server' ? ['serve', JSON.stringify(CONFIGS)] : ['client']
    const child = new PeerProcess(peer.command, folder, args)
    try {
      if (role === 'server') await child.listening(CONFIGS.length)
    } catch (error) {
      await child.stop()
      throw new Mismatch(`${error.message} ${child.complaints}`.trim())
    }
    return child
  }
  const results = []
  let child = await start()
  let isFresh = true
  try {
    for (const one of CASES.filter(({ id }) => pattern.test(id))) {
      const expected = expectationOf(peer, role, one.id)
      if (expected?.na !== undefined) {
        results.push({ id: one.id, outcome: 'n/a', note: expected.na })
        continue
      }
      const timeoutMs = one.timeoutMs + (role === 'client' && isFresh ? START_TIMEOUT_MS : 0)
      isFresh = false
      const failure = await attempt({ ...one, timeoutMs, directIo }, child, role)
      const result = resultOf(one.id, failure, expected)
      results.push(result)
      // What did not end as it should may keep the program busy.
      if (
        result.outcome === 'unexpected' ||
        (failure !== undefined && role === 'client') ||
        !child.isRunning
      ) {
        await child.stop()
        child = await start()
        isFresh = true
      }
    }
  } finally {
    await child.stop()
  }
  return results
}
