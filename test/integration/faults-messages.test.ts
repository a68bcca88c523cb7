// slow: slow peers, by every transport
/** Faults of the past: messages and replies that were lost at a close, and `connect` with an `onOpen` that waits. */
import { connect, reject, WebSocketServer, type CloseInfo, type Socket } from '../../src/index.js'
import { SERVER_TLS } from '../helpers/certificates.js'
import { afterwards, ENDS, gate, open, pause, stopAll, until, WAYS } from '../helpers/liveness.js'
import { SlowPeer } from '../helpers/slow-peer.js'

// Most of these tests wait most of the time: several at once.
afterAll(stopAll)

const COUNT = 500
const texts = Array.from({ length: COUNT }, (_, i) => `${i}`)

/** A handler that takes its time, and what it got. */
function slowHandler(): { handled: string[]; onTextMessage(socket: Socket, text: string): Promise<void> } {
  const handled: string[] = []
  return {
    handled,
    onTextMessage: async (_, text) => {
      // In their order, and now and then for longer than a turn.
      await (handled.length % 25 === 0 ? pause(1) : new Promise(setImmediate))
      handled.push(text)
    },
  }
}

describe.each(ENDS)('%s, %s', (...end) => {
  it.concurrent('handles all of 500 messages to an async handler after a local close', async () => {
    const { handled, onTextMessage } = slowHandler()
    const { peer, socket, server, ended } = await open(end, { onTextMessage })
    peer.readAll()
    peer.sendTexts(...texts)
    await peer.event('written')
    await until('some are handled', () => handled.length > 5)
    if (server === null) await socket.close(1000)
    else await server.close()
    expect(await ended()).toMatchObject({ wasClean: true, initiator: 'local', droppedMessages: 0 })
    expect(handled).toEqual(texts)
    if (server !== null) expect(server.stats()).toMatchObject({ messagesReceived: COUNT, messagesDropped: 0 })
  })

  it.concurrent('handles all received messages when the peer is gone while the inbox is full', async () => {
    const { handled, onTextMessage } = slowHandler()
    const { opened, open: letGo } = gate()
    const { peer, ended, server } = await open(end, {
      onTextMessage: async (of, text) => {
        await opened
        await onTextMessage(of, text)
      },
    })
    peer.sendTexts(...texts)
    peer.do({ do: 'fin' })
    await peer.event('written')
    await pause(50)
    letGo()
    expect(await ended()).toMatchObject({ code: 1006, wasClean: false, droppedMessages: 0 })
    expect(handled).toEqual(texts)
    if (server !== null) expect(server.stats()).toMatchObject({ messagesReceived: COUNT, messagesDropped: 0 })
  })

  it.concurrent('handles and counts all received messages when a send notices the reset', async () => {
    const { handled, onTextMessage } = slowHandler()
    const { opened, open: letGo } = gate()
    const { peer, socket, ended, server } = await open(end, {
      onTextMessage: async (of, text) => {
        await opened
        await onTextMessage(of, text)
      },
    })
    peer.sendTexts(...texts)
    await peer.event('written')
    await pause(50)
    socket.send(Buffer.alloc(1_000_000))
    await pause(50)
    peer.do({ do: 'reset' })
    expect(await socket.closed).toMatchObject({ code: 1006, wasClean: false })
    letGo()
    expect(await ended()).toMatchObject({ code: 1006, wasClean: false, droppedMessages: 0 })
    expect(handled).toEqual(texts)
    if (server !== null) expect(server.stats()).toMatchObject({ messagesReceived: COUNT, messagesDropped: 0 })
  })

  it.concurrent('sends all replies of async handlers when the peer sends and then closes', async () => {
    const { peer, ended } = await open(end, {
      onTextMessage: async (_, text) => {
        await pause(10)
        return `reply ${text}`
      },
    })
    peer.readAll()
    peer.do({
      do: 'send',
      frames: [...['1', '2', '3', '4', '5'].map((text) => ({ op: 1, text })), { op: 8, hex: '03e8' }],
    })
    await peer.ended()
    expect(peer.frames.map(({ op, text }) => (op === 8 ? 'Close' : text))).toEqual([
      ...[1, 2, 3, 4, 5].map((i) => `reply ${i}`),
      'Close',
    ])
    expect(await ended()).toMatchObject({ code: 1000, wasClean: true, initiator: 'remote' })
  })

  it.concurrent('sends all replies of async handlers with a concurrency above 1', async () => {
    const { peer } = await open(end, {
      concurrency: 4,
      onTextMessage: async (_, text) => (await pause(20 - Number(text)), `reply ${text}`),
    })
    peer.readAll()
    peer.do({
      do: 'send',
      frames: [...['1', '2', '3', '4', '5'].map((text) => ({ op: 1, text })), { op: 8, hex: '03e8' }],
    })
    await peer.ended()
    const found = peer.frames.map(({ op, text }) => (op === 8 ? 'Close' : text))
    expect(found.slice(0, 5).sort()).toEqual([1, 2, 3, 4, 5].map((i) => `reply ${i}`))
    expect(found[5]).toBe('Close')
  })

  it.concurrent('sends all parts of async streams when the peer sends and then closes', async () => {
    const { peer, ended } = await open(end, {
      async *onTextMessage(_, text) {
        for (const part of ['a', 'b', 'c']) {
          await pause(5)
          yield text + part
        }
      },
    })
    peer.readAll()
    peer.do({
      do: 'send',
      frames: [
        { op: 1, text: '1' },
        { op: 1, text: '2' },
        { op: 8, hex: '03e8' },
      ],
    })
    await peer.ended()
    const found = peer.frames.map(({ op, text }) => (op === 8 ? 'Close' : text))
    expect(found.slice(0, -1).sort()).toEqual(['1a', '1b', '1c', '2a', '2b', '2c'])
    expect(found.at(-1)).toBe('Close')
    expect(await ended()).toMatchObject({ code: 1000, wasClean: true })
  })

  it.concurrent('sends all of 12 MB and the answer when a FIN follows the Close frame', async () => {
    const { peer, socket, ended } = await open(end, {}, { slowConsumer: 'buffer' })
    for (let i = 0; i < 12; i++) socket.send(Buffer.alloc(1_000_000, i))
    await pause(50)
    peer.sendClose(1000)
    peer.do({ do: 'fin' })
    await pause(50)
    peer.readAll()
    expect(await peer.ended()).toMatchObject({ how: 'fin', inFrame: false })
    expect(peer.frames).toHaveLength(13)
    expect(peer.frames.at(-1)).toMatchObject({ op: 8, code: 1000 })
    expect(await ended()).toMatchObject({ wasClean: true, unsentBytes: 0 })
  })

  it.concurrent('delivers no waiting message after a 1003', async () => {
    const handled: string[] = []
    const { opened, open: letGo } = gate()
    const { peer, ended } = await open(end, {
      onTextMessage: async (_, text) => {
        handled.push(text)
        await opened
      },
    })
    peer.readAll()
    peer.sendTexts('1')
    await until('the first is handled', () => handled.length === 1)
    peer.do({
      do: 'send',
      frames: [
        { op: 2, size: 5 },
        { op: 1, text: '2' },
        { op: 1, text: '3' },
      ],
    })
    await pause(50)
    letGo()
    expect(await ended()).toMatchObject({ code: 1003, droppedMessages: 2 })
    expect(handled).toEqual(['1'])
  })
})

describe.each(WAYS)('server.close that gives up, %s', (way) => {
  it.concurrent(
    "counts in the CloseInfo all dropped messages, those in the network's buffer too",
    async () => {
      const { server, socket, peer, ended } = await open(
        ['server', way],
        { onOpen: () => new Promise<void>(() => undefined), onMessage: () => undefined },
        { limits: { maxQueuedMessages: 1 } },
      )
      peer.sendTexts('1', '2', '3', '4', '5', '6', '7', '8')
      await peer.count()
      await pause(100)
      await server!.close({ timeoutMs: 200 })
      expect(await ended()).toMatchObject({ code: 1006, droppedMessages: 8 })
      expect(socket.readyState).toBe(3)
    },
  )
})

describe.each(WAYS)('a large rejection, %s', (way) => {
  it.concurrent('arrives whole when the peer is slow and has ended its side', async () => {
    const body = 'no '.repeat(200_000)
    const tls = way === 'over TLS'
    const server = new WebSocketServer({
      directIo: way !== 'by the stream',
      ...(tls ? { tls: SERVER_TLS } : {}),
    })
    afterwards(() => server.terminate())
    server.route('/', { onUpgrade: () => reject(403, body) })
    const { port } = await server.listen(0, '127.0.0.1')
    const response = await SlowPeer.ask(port, { tls })
    expect(response.startLine).toBe('HTTP/1.1 403 Forbidden')
    expect(response.bodyLength).toBe(body.length)
  })
})

describe('connect with an onOpen that waits', () => {
  const never = (): Promise<void> => new Promise(() => undefined)

  it.concurrent('rejects within handshakeTimeoutMs', async () => {
    const peer = await SlowPeer.listen()
    const startedAt = performance.now()
    await expect(
      connect(`ws://127.0.0.1:${peer.port}/`, { handlers: { onOpen: never }, handshakeTimeoutMs: 200 }),
    ).rejects.toMatchObject({ code: 'HAWSER_HANDSHAKE_TIMEOUT' })
    expect(performance.now() - startedAt).toBeLessThan(8_000)
  })

  it.concurrent('rejects with the reason of its signal', async () => {
    const peer = await SlowPeer.listen()
    const reason = new Error('enough')
    const controller = new AbortController()
    const connecting = connect(`ws://127.0.0.1:${peer.port}/`, {
      handlers: { onOpen: () => (setTimeout(() => controller.abort(reason), 50), never()) },
      signal: controller.signal,
    })
    await expect(connecting).rejects.toBe(reason)
  })

  it.concurrent('rejects when the peer is gone', async () => {
    const peer = await SlowPeer.listen()
    const ends: CloseInfo[] = []
    const connecting = connect(`ws://127.0.0.1:${peer.port}/`, {
      handlers: {
        onOpen: () => (peer.do({ do: 'reset' }), never()),
        onClose: (_, info) => void ends.push(info),
      },
      closeTimeoutMs: 200,
    })
    const outcome = await Promise.race([connecting.catch((error: unknown) => error), pause(3_000)])
    expect(outcome).toBeInstanceOf(Object)
    await until('onClose', () => ends.length === 1)
    expect(ends[0]).toMatchObject({ code: 1006 })
  })

  it.concurrent('rejects with what onOpen throws, sync and async', async () => {
    for (const onOpen of [
      (): never => {
        throw new Error('not today')
      },
      () => Promise.reject(new Error('not today')),
    ]) {
      const peer = await SlowPeer.listen()
      peer.readAll()
      await expect(
        connect(`ws://127.0.0.1:${peer.port}/`, { handlers: { onOpen, onError: () => undefined } }),
      ).rejects.toThrow('not today')
      expect(await peer.frame(({ op }) => op === 8)).toMatchObject({ code: 1011 })
    }
  })
})
