/** Connections that open together, each with bytes that came with its handshake. */
import type { CloseInfo, ServerSocket } from '../../../src/index.js'
import { inputTurns } from '../../../src/socket/input-turns.js'
import { CALM_MS, FEWEST_BEGINNING } from '../../../src/socket/slow-start.js'
import { frame, KEY } from '../../helpers/frame-builder.js'
import { serveLine } from '../../helpers/line-server.js'
import { nextTurn, nextTurns } from '../../helpers/memory-duplex.js'
import { openLine, type LineKind } from '../../helpers/model-line.js'

const CONNECTIONS = 40
const KINDS: readonly LineKind[] = ['handle', 'stream']
const message = frame({ opcode: 0x1, payload: 'x'.repeat(100), key: KEY })
const MESSAGES = 500
/** What is kept of a peer before its upgrade is answered is a little more than this at most. */
const LARGE = Buffer.concat(Array<Buffer>(MESSAGES).fill(message))

/** No connection has opened for so long that nothing is known of the next ones. */
beforeEach(() => new Promise((resolve) => setTimeout(resolve, CALM_MS + 50)))

function openPeer(kind: LineKind, early: Buffer) {
  const line = openLine(kind, 1_000_000)
  const peer = {
    line,
    messages: 0,
    closes: [] as CloseInfo[],
    socket: undefined as ServerSocket | undefined,
    end: () => server.terminate(),
  }
  const handlers = {
    onOpen: (socket: ServerSocket) => {
      peer.socket = socket
    },
    onMessage: () => {
      peer.messages++
    },
    onClose: (_socket: ServerSocket, info: CloseInfo) => {
      peer.closes.push(info)
    },
  }
  const server = serveLine(line, () => handlers, {}, null, Buffer.from(early))
  return peer
}

type Peer = ReturnType<typeof openPeer>

const openTogether = (kind: LineKind, early: Buffer): Peer[] =>
  Array.from({ length: CONNECTIONS }, () => openPeer(kind, early))

const begun = (peers: readonly Peer[]): number => peers.filter(({ messages }) => messages > 0).length

describe.each(KINDS)('%s', (kind) => {
  it('much that came with the handshake is handled of a few connections in each turn', async () => {
    const peers = openTogether(kind, LARGE)
    const perTurn: number[] = []
    for (let turn = 0, before = 0; turn < 10 * CONNECTIONS && before < CONNECTIONS; turn++) {
      await nextTurn()
      perTurn.push(begun(peers) - before)
      before = begun(peers)
    }
    expect(begun(peers)).toBe(CONNECTIONS)
    // Where the test looks, the turns of the connections may be over twice.
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(2 * FEWEST_BEGINNING)
    expect(peers.map(({ messages }) => messages)).toEqual(peers.map(() => MESSAGES))
    for (const { end } of peers) end()
  })

  it('little that came with the handshake is handled at once', async () => {
    const peers = openTogether(kind, message)
    await nextTurn()
    expect(peers.map(({ messages }) => messages)).toEqual(peers.map(() => 1))
    for (const { end } of peers) end()
  })
})

it('one that ends while what it sent waits is told of it all, and ends once', async () => {
  const peers = openTogether('handle', LARGE)
  await nextTurn()
  const [terminated, lost, closed] = peers.slice(-3) as [Peer, Peer, Peer]
  expect([terminated, lost, closed].map(({ messages }) => messages)).toEqual([0, 0, 0])
  const waiting = inputTurns.count
  terminated.socket!.terminate()
  lost.line.reset()
  void closed.socket!.close(4000)
  await nextTurn()
  expect(inputTurns.count).toBeLessThanOrEqual(waiting - 2)
  await nextTurns(CONNECTIONS)
  expect([terminated, lost].map(({ closes }) => closes.map(({ code }) => code))).toEqual([[1006], [1006]])
  expect(closed.messages).toBe(MESSAGES)
  for (const { end } of peers) end()
  await nextTurn()
  expect(closed.closes).toHaveLength(1)
})

it('one that is paused while what it sent waits gets it when it resumes', async () => {
  const peers = openTogether('handle', LARGE)
  await nextTurn()
  const paused = peers.at(-1)!
  paused.socket!.pause()
  await nextTurns(CONNECTIONS)
  expect(begun(peers)).toBe(CONNECTIONS - 1)
  paused.socket!.resume()
  await nextTurn()
  expect(paused.messages).toBe(MESSAGES)
  for (const { end } of peers) end()
})
