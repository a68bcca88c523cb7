/** Connections that open together begin to be read a few at a time, for each of them may begin with much. */
import type { ServerSocket } from '../../../src/index.js'
import { inputTurns } from '../../../src/socket/input-turns.js'
import { CALM_MS, FEWEST_BEGINNING } from '../../../src/socket/slow-start.js'
import { frame, KEY } from '../../helpers/frame-builder.js'
import { serveLine } from '../../helpers/line-server.js'
import { endOfTurn, nextTurn, nextTurns } from '../../helpers/memory-duplex.js'
import { openLine, type LineKind } from '../../helpers/model-line.js'

const CONNECTIONS = 40
/** What a line of TLS gives at once is more than a record has: real ones never count as large. */
const KINDS: readonly LineKind[] = ['handle', 'stream']
const MESSAGES = 500
/** What a plain socket and a stream read at once. */
const LARGE = Buffer.concat(
  Array<Buffer>(MESSAGES).fill(frame({ opcode: 0x1, payload: 'x'.repeat(100), key: KEY })),
)
const PINGS = Buffer.concat(Array<Buffer>(10_000).fill(frame({ opcode: 0x9, payload: '', key: KEY })))
const SMALL = frame({ opcode: 0x1, payload: 'x', key: KEY })

/** No connection has opened for so long that nothing is known of the next ones. */
const calm = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, CALM_MS + 50))

type Peer = ReturnType<typeof openPeer>

function openPeer(kind: LineKind) {
  const line = openLine(kind, 1_000_000)
  const peer = {
    line,
    messages: 0,
    hasSent: false,
    socket: undefined as ServerSocket | undefined,
    end: () => server.terminate(),
  }
  const server = serveLine(line, () => ({
    onOpen: (socket) => {
      peer.socket = socket
    },
    onMessage: () => {
      peer.messages++
    },
  }))
  return peer
}

const openTogether = (kind: LineKind, count = CONNECTIONS): Peer[] =>
  Array.from({ length: count }, () => openPeer(kind))

/** Each peer sends as soon as it is read. @returns how many began to be read in each turn, until all were */
async function floodWith(peers: readonly Peer[], bytes: Buffer): Promise<number[]> {
  const perTurn: number[] = []
  await endOfTurn()
  for (let turn = 0; turn < 10 * CONNECTIONS && peers.some(({ hasSent }) => !hasSent); turn++) {
    const fresh = peers.filter(({ line, hasSent }) => line.isReading && !hasSent)
    perTurn.push(fresh.length)
    for (const peer of fresh) {
      peer.hasSent = true
      peer.line.deliver(Buffer.from(bytes))
    }
    await nextTurn()
  }
  return perTurn
}

const readingOf = (peers: readonly Peer[]): number => peers.filter(({ line }) => line.isReading).length

describe.each(KINDS)('%s', (kind) => {
  it('lets a few connections begin in each turn where they begin with large chunks', async () => {
    await calm()
    const peers = openTogether(kind)
    const perTurn = await floodWith(peers, LARGE)
    expect(perTurn.reduce((sum, began) => sum + began, 0)).toBe(CONNECTIONS)
    // Twice as many in one turn, while nothing is known yet: a stream begins in a turn after the one in which it is told to.
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(2 * FEWEST_BEGINNING)
    expect(perTurn.length).toBeGreaterThanOrEqual(CONNECTIONS / FEWEST_BEGINNING - 1)
    await nextTurns(CONNECTIONS)
    expect(peers.map(({ messages }) => messages)).toEqual(peers.map(() => MESSAGES))
    for (const { end } of peers) end()
  })

  it('lets more and more connections begin where they begin with little', async () => {
    const peers = openTogether(kind, 100)
    const perTurn = await floodWith(peers, SMALL)
    expect(peers.map(({ messages }) => messages)).toEqual(peers.map(() => 1))
    // As few as at first in each: 25 turns. A busy machine may use up the time of a turn with fewer.
    expect(perTurn.filter((began) => began > 0).length).toBeLessThanOrEqual(20)
    for (const { end } of peers) end()
  })
})

it('lets more and more connections begin while old ones send large chunks of pings', async () => {
  const old = openTogether('handle', FEWEST_BEGINNING * 2)
  await floodWith(old, SMALL)
  const peers = openTogether('handle', 100)
  await endOfTurn()
  let turns = 0
  for (; readingOf(peers) < peers.length && turns < 100; turns++) {
    for (const { line } of old) if (line.isReading) line.deliver(Buffer.from(PINGS))
    await nextTurn()
  }
  expect(turns).toBeLessThanOrEqual(20)
  for (const { end } of [...old, ...peers]) end()
})

it('one that is over before it began is forgotten', async () => {
  await calm()
  const before = inputTurns.count
  const peers = openTogether('handle')
  const waiting = inputTurns.count
  expect(waiting - before).toBe(CONNECTIONS - FEWEST_BEGINNING)
  peers.at(-1)!.end()
  await endOfTurn()
  expect(inputTurns.count).toBe(waiting - 1)
  for (const { end } of peers) end()
})

it('one that is paused while it waits to begin is not read, and one that is closed is', async () => {
  await calm()
  const peers = openTogether('handle')
  await endOfTurn()
  const [paused, closed] = peers.slice(-2) as [Peer, Peer]
  paused.socket!.pause()
  void closed.socket!.close(4000)
  await endOfTurn()
  expect([paused.line.isReading, closed.line.isReading]).toEqual([false, false])
  await nextTurns(CONNECTIONS)
  expect([paused.line.isReading, closed.line.isReading]).toEqual([false, true])
  paused.socket!.resume()
  await endOfTurn()
  expect(paused.line.isReading).toBe(true)
  for (const { end } of peers) end()
})

it('one that opens alone is read at once', async () => {
  await calm()
  const peer = openPeer('handle')
  await endOfTurn()
  expect(peer.line.isReading).toBe(true)
  peer.end()
})
