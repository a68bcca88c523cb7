/** Connections that open together, each with bytes that came with its handshake. */
import type { CloseInfo, ServerSocket } from '../../../src/index.js'
import { inputTurns, LARGE_CHUNK_BYTES } from '../../../src/socket/input-turns.js'
import { CALM_MS, FEWEST_BEGINNING } from '../../../src/socket/slow-start.js'
import { frame, KEY } from '../../helpers/frame-builder.js'
import { serveLine } from '../../helpers/line-server.js'
import { endOfTurn, nextTurn, nextTurns } from '../../helpers/memory-duplex.js'
import { openLine, type LineKind } from '../../helpers/model-line.js'

const CONNECTIONS = 40
const KINDS: readonly LineKind[] = ['handle', 'stream']
const message = frame({ opcode: 0x1, payload: 'x'.repeat(100), key: KEY })
const MESSAGES = 500
/** Some 53 KB; of a peer whose upgrade is not answered at least 64 KiB are kept. */
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

it('is a large chunk from 32 KiB on', async () => {
  const padded = (length: number): Buffer =>
    Buffer.concat([
      message,
      frame({ opcode: 0x2, payload: Buffer.alloc(length - message.length - 8), key: KEY }),
    ])
  expect(padded(LARGE_CHUNK_BYTES)).toHaveLength(LARGE_CHUNK_BYTES)
  const peers = openTogether('handle', padded(LARGE_CHUNK_BYTES - 1))
  const large = openPeer('handle', padded(LARGE_CHUNK_BYTES))
  await endOfTurn()
  expect([begun(peers), large.messages]).toEqual([CONNECTIONS, 0])
  await nextTurns(CONNECTIONS)
  expect(large.messages).toBe(2)
  for (const { end } of [...peers, large]) end()
})

describe('while what it sent with its handshake waits,', () => {
  async function openWaiting(): Promise<{ peer: Peer; end: () => void }> {
    const peers = openTogether('handle', LARGE)
    await nextTurn()
    const peer = peers.at(-1)!
    expect([peer.messages, peer.line.isReading]).toEqual([0, false])
    return {
      peer,
      end: () => {
        for (const { end } of peers) end()
      },
    }
  }

  it('a connection that is terminated is forgotten, and gets nothing of it', async () => {
    const { peer, end } = await openWaiting()
    const waiting = inputTurns.count
    peer.socket!.terminate()
    await endOfTurn()
    expect(inputTurns.count).toBe(waiting - 1)
    await nextTurns(CONNECTIONS)
    expect([peer.messages, peer.closes.map(({ code }) => code)]).toEqual([0, [1006]])
    end()
  })

  it.each([
    ['lost', (peer: Peer) => peer.line.reset()],
    ['ended by its peer', (peer: Peer) => peer.line.deliverEnd()],
  ])('a connection that is %s gets it all in its turn, and ends after it', async (_how, act) => {
    const { peer, end } = await openWaiting()
    act(peer)
    await nextTurn()
    expect([peer.messages, peer.closes]).toEqual([0, []])
    await nextTurns(CONNECTIONS)
    expect([peer.messages, peer.closes.map(({ code }) => code)]).toEqual([MESSAGES, [1006]])
    end()
  })

  it('a connection that is lost and then terminated ends once', async () => {
    const { peer, end } = await openWaiting()
    peer.line.reset()
    await nextTurn()
    peer.socket!.terminate()
    await nextTurns(CONNECTIONS)
    expect([peer.messages, peer.closes.map(({ code }) => code)]).toEqual([0, [1006]])
    end()
  })

  it('a connection that is paused after its peer ended still ends', async () => {
    const { peer, end } = await openWaiting()
    peer.line.deliverEnd()
    peer.socket!.pause()
    await nextTurns(CONNECTIONS)
    expect([peer.messages, peer.closes.map(({ code }) => code)]).toEqual([MESSAGES, [1006]])
    end()
  })

  it('a connection whose close has a deadline is cut by it', async () => {
    const { peer, end } = await openWaiting()
    void peer.socket!.close(4000, '', { timeoutMs: 1 })
    await new Promise((resolve) => setTimeout(resolve, 300))
    await nextTurns(CONNECTIONS)
    expect(peer.closes.map(({ code }) => code)).toEqual([1006])
    end()
  })

  it('a connection that is closed gets it all, and ends when its peer answers', async () => {
    const { peer, end } = await openWaiting()
    void peer.socket!.close(4000)
    await nextTurns(CONNECTIONS)
    expect([peer.messages, peer.closes]).toEqual([MESSAGES, []])
    peer.line.deliver(Buffer.from(frame({ opcode: 0x8, payload: Buffer.from([0x0f, 0xa0]), key: KEY })))
    peer.line.deliverEnd()
    await nextTurns(3)
    expect(peer.closes.map(({ code }) => code)).toEqual([4000])
    end()
  })
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

it('the Close frame of a peer that is gone, behind much that came with the handshake, says how the connection ended', async () => {
  const code = Buffer.from([0x0f, 0xa1])
  const closing = Buffer.concat([LARGE, frame({ opcode: 0x8, payload: code, key: KEY })])
  const peers = openTogether('handle', closing)
  const last = peers.at(-1)!
  await nextTurn()
  last.line.reset()
  await nextTurns(CONNECTIONS)
  expect([last.messages, last.closes.map((info) => info.code)]).toEqual([MESSAGES, [4001]])
  for (const { end } of peers) end()
})
