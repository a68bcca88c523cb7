// slow: timers must run out, by every transport and in both roles
/** docs/backpressure.md, "Situations": handlers that wait. */
import { ConnectionClosedError } from '../../src/index.js'
import { ENDS, gate, join, KIB, open, pause, stopAll, until } from '../helpers/liveness.js'
import { steadily } from '../helpers/steady-peer.js'

// Most of these tests wait most of the time: several at once.
afterAll(stopAll)

const never = (): Promise<void> => new Promise(() => undefined)

describe.each(ENDS)('%s, %s', (...end) => {
  const [role] = end

  it.concurrent(
    'a handler that never returns: messages wait, pings are answered, and its signal is aborted at the end',
    async () => {
      const handled: string[] = []
      let signal: AbortSignal | undefined
      const { socket, peer, journal, ended } = await open(
        end,
        {
          onTextMessage: (of, text) => {
            handled.push(text)
            signal = of.signal
            return never()
          },
        },
        { closeTimeoutMs: 200 },
      )
      peer.readAll()
      peer.sendTexts('1', '2', '3')
      peer.do({ do: 'send', frames: [{ op: 9, text: 'there?' }] })
      await peer.frame(({ op, text }) => op === 10 && text === 'there?')
      expect(handled).toEqual(['1'])
      expect(signal).toBeInstanceOf(AbortSignal)
      expect(signal).toBe(socket.signal)
      expect(signal!.aborted).toBe(false)
      peer.sendClose(1000)
      const closeFrame = await peer.frame(({ op }) => op === 8)
      expect(closeFrame.code).toBe(1000)
      const info = await ended()
      expect(signal!.aborted).toBe(true)
      expect(signal!.reason).toBeInstanceOf(ConnectionClosedError)
      expect(signal!.reason).toMatchObject({ closeCode: 1000 })
      expect(info).toMatchObject({ code: 1000, wasClean: true, initiator: 'remote', droppedMessages: 2 })
      expect(handled).toEqual(['1'])
      expect(journal.lines).toEqual(['closed 1000 clean remote'])
    },
  )

  it.concurrent(
    'a handler that never returns: the inbox stays within its bounds, and TCP slows the peer down',
    steadily(250, async () => {
      let handled = 0
      const { socket, peer, ended } = await open(
        end,
        { onTextMessage: () => (handled++, never()) },
        { closeTimeoutMs: 150, limits: { maxQueuedMessages: 10 } },
      )
      const flood = { op: 1, text: 'q'.repeat(10 * KIB) }
      peer.do({ do: 'send', frames: [flood], count: 0 })
      await until('the first message', () => handled > 0)
      await pause(400)
      const { written } = await peer.count()
      await pause(100)
      expect((await peer.count()).written).toBe(written)
      expect(handled).toBe(1)
      const startedAt = performance.now()
      void socket.close(1000)
      const info = await ended()
      expect(performance.now() - startedAt).toBeLessThan(8_000)
      // Ten that waited, and what one read of the transport held.
      expect(info.droppedMessages).toBeGreaterThanOrEqual(10)
      expect(info.droppedMessages).toBeLessThanOrEqual(10 + 256 / 10 + 1)
      expect(handled).toBe(1)
    }),
    60_000,
  )

  it.concurrent(
    'a handler that never returns: an operation that gets its signal never outlives the connection',
    steadily(250, async () => {
      const log: string[] = []
      const { peer, ended } = await open(end, {
        onTextMessage: async ({ signal }) => {
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
          log.push('handler is done')
        },
        onClose: () => log.push('onClose'),
      })
      peer.sendTexts('1')
      await pause(50)
      const startedAt = performance.now()
      peer.do({ do: 'reset' })
      await ended()
      expect(performance.now() - startedAt).toBeLessThan(8_000)
      expect(log).toEqual(['handler is done', 'onClose'])
    }),
    60_000,
  )

  it.concurrent(
    '`onOpen` that waits: pongs do not wait for it; messages, onPing and onPong do, in order',
    async () => {
      const log: string[] = []
      const { opened, open: letGo } = gate()
      const { socket, peer } = await open(end, {
        onOpen: async () => {
          await opened
          log.push('onOpen is done')
        },
        onPing: (_, data) => log.push(`ping ${data.toString()}`),
        onPong: (_, data) => log.push(`pong ${data.toString()}`),
        onTextMessage: (_, text) => void log.push(`text ${text}`),
      })
      peer.readAll()
      socket.ping('ours')
      await peer.frame(({ op }) => op === 9)
      peer.sendTexts('1')
      peer.do({
        do: 'send',
        frames: [
          { op: 9, text: 'theirs' },
          { op: 1, text: '2' },
        ],
      })
      await peer.frame(({ op, text }) => op === 10 && text === 'theirs')
      await pause(50)
      expect(log).toEqual([])
      letGo()
      await until('all were called', () => log.length === 5)
      expect(log[0]).toBe('onOpen is done')
      expect([...log].sort()).toEqual(['onOpen is done', 'ping theirs', 'pong ours', 'text 1', 'text 2'])
      expect(log.filter((line) => line.startsWith('text'))).toEqual(['text 1', 'text 2'])
    },
  )

  it.concurrent('`onOpen` that waits: the Close frame is answered, and the end is reported', async () => {
    const { peer, socket, ended } = await open(end, { onOpen: never }, { closeTimeoutMs: 300 })
    peer.readAll()
    peer.sendClose(1000)
    expect(await peer.frame(({ op }) => op === 8)).toMatchObject({ code: 1000 })
    const info = await ended()
    expect(info).toMatchObject({ code: 1000, wasClean: true, initiator: 'remote' })
    expect(socket.readyState).toBe(3)
    expect(socket.signal.aborted).toBe(true)
    expect(await socket.closed).toEqual(info)
  })

  it.concurrent(
    '`onOpen` that waits: a close that it awaits itself is done at once',
    steadily(250, async () => {
      const { opened: closed, open: tell } = gate<unknown>()
      const startedAt = performance.now()
      const { peer, ended } = await open(end, {
        onOpen: async (socket) => tell(await socket.close(1000)),
      })
      peer.readAll()
      expect(await closed).toMatchObject({ code: 1000, wasClean: true, initiator: 'local' })
      await ended()
      expect(performance.now() - startedAt).toBeLessThan(5_000)
    }),
    60_000,
  )

  it.concurrent(
    '`onOpen` that waits: a peer that is gone is noticed, by a reset and by its silence',
    async () => {
      for (const how of ['reset', 'silence'] as const) {
        const members: number[] = []
        const { socket, peer, journal, server } = await open(
          end,
          {
            onOpen: (of) => {
              if (role === 'server') join(of, 'room')
              return never()
            },
          },
          { heartbeatIntervalMs: 150, heartbeatTimeoutMs: 150, closeTimeoutMs: 200 },
        )
        members.push(server?.group('room').size ?? 1)
        if (how === 'reset') peer.do({ do: 'reset' })
        await socket.closed
        members.push(server?.group('room').size ?? 0)
        expect(members).toEqual([1, 0])
        expect(server?.connectionCount ?? 0).toBe(0)
        await journal.until(/^closed 1006/)
        if (how === 'silence') expect(journal.lines[0]).toBe('error HAWSER_HEARTBEAT_TIMEOUT')
      }
    },
  )

  it.concurrent('`onOpen` that waits: limits hold', async () => {
    const { peer, journal } = await open(
      end,
      { onOpen: never, onMessage: () => undefined },
      { limits: { maxMessageBytes: 100 }, closeTimeoutMs: 200 },
    )
    peer.readAll()
    peer.do({ do: 'send', frames: [{ op: 1, text: 'q'.repeat(101) }] })
    expect(await peer.frame(({ op }) => op === 8)).toMatchObject({ code: 1009 })
    await journal.until(/^closed 1009/)
    expect(journal.lines[0]).toBe('error HAWSER_MESSAGE_TOO_BIG')
  })

  it.concurrent('`onOpen` that waits: reading goes on until the inbox is full, and no further', async () => {
    let handled = 0
    const { opened, open: letGo } = gate()
    const { peer } = await open(
      end,
      { onOpen: () => opened, onMessage: () => handled++ },
      { limits: { maxQueuedMessages: 10 } },
    )
    peer.do({ do: 'send', frames: [{ op: 1, text: 'q'.repeat(10 * KIB) }], count: 400 })
    await pause(400)
    const { written } = await peer.count()
    await pause(100)
    expect((await peer.count()).written).toBe(written)
    expect(written).toBeLessThan(400 * 10 * KIB)
    expect(handled).toBe(0)
    letGo()
    await until('all are handled', () => handled === 400)
  })
})
