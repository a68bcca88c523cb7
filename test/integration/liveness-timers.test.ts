// slow: timers must run out, by every transport and in both roles
/** docs/backpressure.md, "What counts as life". */
import { ENDS, gate, KIB, MIB, open, pause, stopAll, until } from '../helpers/liveness.js'
import type { SlowPeer } from '../helpers/slow-peer.js'
import { steadily } from '../helpers/steady-peer.js'

// Most of these tests wait most of the time: several at once.
afterAll(stopAll)

const PING = { op: 9, text: 'alive' }
/** The header of a message of 10,000 bytes that never ends. */
const headerOfUpload = (isClient: boolean): string => (isClient ? '82fe271000000000' : '827e2710')

describe.each(ENDS)('%s, %s', (...end) => {
  const [role] = end
  /** A byte of a message every 60 ms. */
  const upload = (peer: SlowPeer): void => {
    // The peer of a server is a client, and masks.
    peer.do({ do: 'raw', hex: headerOfUpload(role === 'server') })
    peer.do({ do: 'raw', hex: '00'.repeat(200), bytes: 1, everyMs: 60 })
  }

  it.concurrent('sendTimeoutMs: a silent peer is not cut while nothing waits for it', async () => {
    const { socket, peer, journal } = await open(end, {}, { sendTimeoutMs: 150 })
    socket.send('small')
    await pause(500)
    expect(socket.readyState).toBe(1)
    expect(journal.lines).toEqual([])
    peer.readAll()
    await peer.frame(({ text }) => text === 'small')
  })

  it.concurrent('sendTimeoutMs: false turns it off', async () => {
    const { socket, peer } = await open(end, {}, { sendTimeoutMs: false })
    socket.send(Buffer.alloc(MIB))
    await pause(400)
    expect(socket.readyState).toBe(1)
    peer.readAll()
    await peer.frame(({ length }) => length === MIB)
  })

  it.concurrent(
    'heartbeatIntervalMs: a ping is sent after the silence, and another after each further interval',
    async () => {
      for (const heartbeatTimeoutMs of [20_000, false] as const) {
        const { peer, journal } = await open(end, {}, { heartbeatIntervalMs: 100, heartbeatTimeoutMs })
        peer.do({ do: 'answer', ping: false })
        peer.readAll()
        const from = performance.now()
        const pings = (): number => peer.frames.filter(({ op }) => op === 9).length
        await until('there are three pings', () => pings() >= 3)
        // A machine that is busy takes longer, and may count later than they came; never sooner.
        const passedMs = performance.now() - from
        expect(passedMs).toBeGreaterThan(200)
        expect(pings()).toBeLessThanOrEqual(1 + Math.ceil(passedMs / 100))
        expect(journal.lines).toEqual([])
      }
    },
  )

  it.concurrent(
    'heartbeatIntervalMs: no ping is sent while the peer reads waiting output, or sends',
    steadily(200, async () => {
      const { socket, peer } = await open(end, {}, { heartbeatIntervalMs: 800, heartbeatTimeoutMs: 800 })
      socket.send(Buffer.alloc(700 * KIB))
      peer.do({ do: 'read', bytes: 16 * KIB, everyMs: 5 })
      await peer.frame(({ op }) => op === 2)
      upload(peer)
      await pause(1_200)
      expect(peer.frames).toHaveLength(1)
      expect(socket.readyState).toBe(1)
    }),
    60_000,
  )

  it.concurrent(
    'heartbeatTimeoutMs: silence for both times ends the connection',
    steadily(250, async () => {
      const { peer, journal, ended } = await open(
        end,
        {},
        { heartbeatIntervalMs: 100, heartbeatTimeoutMs: 150 },
      )
      peer.do({ do: 'answer', ping: false })
      peer.readAll()
      const startedAt = performance.now()
      expect(await ended()).toMatchObject({ code: 1006, wasClean: false, initiator: 'engine' })
      expect(performance.now() - startedAt).toBeGreaterThan(150)
      expect(performance.now() - startedAt).toBeLessThan(6_000)
      expect(journal.lines).toEqual(['error HAWSER_HEARTBEAT_TIMEOUT', 'closed 1006 unclean engine'])
      await peer.ended()
      expect(peer.frames.some(({ op }) => op === 9)).toBe(true)
    }),
    60_000,
  )

  it.concurrent(
    'heartbeatTimeoutMs: one byte of an upload now and then is not silence',
    steadily(100, async () => {
      const { socket, peer, journal } = await open(
        end,
        {},
        { heartbeatIntervalMs: 200, heartbeatTimeoutMs: 200 },
      )
      peer.do({ do: 'answer', ping: false })
      upload(peer)
      await pause(1_000)
      expect(journal.lines).toEqual([])
      expect(socket.readyState).toBe(1)
    }),
    60_000,
  )

  it.concurrent(
    'idleTimeoutMs: the bytes of an unfinished message count',
    steadily(100, async () => {
      const log: string[] = []
      const { peer, socket } = await open(
        end,
        { onIdleTimeout: () => void log.push('idle') },
        { idleTimeoutMs: 250 },
      )
      upload(peer)
      await pause(900)
      expect(log).toEqual([])
      expect(socket.readyState).toBe(1)
    }),
    60_000,
  )

  it.concurrent(
    'idleTimeoutMs: control frames do not count, nor pongs for the heartbeat, and the code is 1001',
    steadily(100, async () => {
      const { peer, journal } = await open(
        end,
        {},
        { idleTimeoutMs: 250, heartbeatIntervalMs: 40, heartbeatTimeoutMs: 5_000 },
      )
      peer.readAll()
      peer.do({ do: 'send', frames: [PING, { op: 10, text: 'unasked' }], count: 100, everyMs: 60 })
      expect(await peer.frame(({ op }) => op === 8)).toMatchObject({ code: 1001 })
      await journal.until(/^closed 1001/)
    }),
    60_000,
  )

  it.concurrent(
    'idleTimeoutMs: onIdleTimeout keeps the connection, and is called again after as long',
    async () => {
      const log: string[] = []
      const { socket } = await open(
        end,
        { onIdleTimeout: () => (log.push('idle'), 'keep' as const) },
        { idleTimeoutMs: 100 },
      )
      await until('it was called three times', () => log.length === 3)
      expect(socket.readyState).toBe(1)
    },
  )

  it.concurrent(
    'closeTimeoutMs: after our Close frame a peer that takes nothing is cut',
    steadily(250, async () => {
      const { socket, peer, journal } = await open(end, {}, { closeTimeoutMs: 250 })
      peer.do({ do: 'send', frames: [PING], count: 0, everyMs: 30 })
      socket.send(Buffer.alloc(MIB))
      await pause(60)
      const startedAt = performance.now()
      expect(await socket.close(1000)).toMatchObject({ code: 1006, wasClean: false, initiator: 'local' })
      expect(performance.now() - startedAt).toBeGreaterThan(200)
      expect(performance.now() - startedAt).toBeLessThan(6_000)
      await journal.until(/^closed 1006/)
    }),
    60_000,
  )

  it.concurrent(
    'closeTimeoutMs: after our Close frame a peer that sends 1 KiB of data in each such time is not cut',
    steadily(100, async () => {
      let received = 0
      const { socket, peer, ended } = await open(
        end,
        { onBinaryMessage: (_, bytes) => void (received += bytes.length) },
        { closeTimeoutMs: 400 },
      )
      peer.do({ do: 'answer', close: false })
      peer.readAll()
      void socket.close(1000)
      peer.do({ do: 'send', frames: [{ op: 2, size: 2 * KIB }], count: 12, everyMs: 100 })
      peer.do({ do: 'send', frames: [{ op: 8, hex: '03e8' }] })
      await peer.event('written')
      if (role === 'client') peer.do({ do: 'fin' })
      expect(await ended()).toMatchObject({ code: 1000, wasClean: true, droppedMessages: 0 })
      expect(received).toBe(12 * 2 * KIB)
    }),
    60_000,
  )

  it.concurrent(
    'closeTimeoutMs: after our Close frame a few bytes and pings in each such time are not enough',
    steadily(250, async () => {
      const { socket, peer } = await open(end, { onMessage: () => undefined }, { closeTimeoutMs: 300 })
      peer.do({ do: 'answer', close: false })
      peer.readAll()
      peer.do({ do: 'send', frames: [{ op: 2, size: 100 }, PING], count: 0, everyMs: 100 })
      const startedAt = performance.now()
      expect(await socket.close(1000)).toMatchObject({ code: 1006, wasClean: false })
      expect(performance.now() - startedAt).toBeLessThan(6_000)
    }),
    60_000,
  )

  it.concurrent(
    'closeTimeoutMs: after the peer’s Close frame it is a total, and then the answer is sent',
    steadily(100, async () => {
      const { opened, open: letGo } = gate()
      const { peer } = await open(end, { onTextMessage: () => opened }, { closeTimeoutMs: 300 })
      peer.readAll()
      peer.sendTexts('1')
      peer.sendClose(1000)
      await pause(150)
      expect(peer.frames).toEqual([])
      await peer.frame(({ op }) => op === 8)
      letGo()
    }),
    60_000,
  )

  it.concurrent(
    'closeTimeoutMs: after the end it is a total, then onClose is called and waiting messages are counted',
    steadily(250, async () => {
      const { peer, ended, socket } = await open(
        end,
        { onTextMessage: () => new Promise(() => undefined) },
        { closeTimeoutMs: 250 },
      )
      peer.sendTexts('1', '2', '3', '4')
      await pause(100)
      const startedAt = performance.now()
      peer.do({ do: 'reset' })
      expect(await socket.closed).toMatchObject({ code: 1006 })
      expect(await ended()).toMatchObject({ code: 1006, wasClean: false, droppedMessages: 3 })
      expect(performance.now() - startedAt).toBeGreaterThan(200)
      expect(performance.now() - startedAt).toBeLessThan(6_000)
    }),
    60_000,
  )

  it.concurrent(
    'close({ timeoutMs }): the time is a total from the call, also for a peer that keeps reading',
    steadily(250, async () => {
      const { socket, peer, server } = await open(end, {}, { slowConsumer: 'buffer', closeTimeoutMs: 5_000 })
      peer.do({ do: 'read', bytes: 16 * KIB, everyMs: 5 })
      socket.send(Buffer.alloc(4 * MIB))
      const startedAt = performance.now()
      if (server === null) await socket.close(1000, '', { timeoutMs: 300 })
      else await server.close({ timeoutMs: 300 })
      const tookMs = performance.now() - startedAt
      expect(tookMs).toBeGreaterThan(280)
      expect(tookMs).toBeLessThan(6_000)
      const info = await socket.closed
      expect(info).toMatchObject({ code: 1006, wasClean: false, initiator: 'local' })
      expect(info.unsentBytes).toBeGreaterThan(MIB)
    }),
    60_000,
  )

  it.concurrent(
    'A peer that is not read is not judged by its silence, though pings go out',
    steadily(150, async () => {
      const { socket, peer, journal } = await open(
        end,
        { onIdleTimeout: () => journal.add('idle') },
        { heartbeatIntervalMs: 300, heartbeatTimeoutMs: 300, idleTimeoutMs: 500 },
      )
      socket.pause()
      peer.readAll()
      await pause(1500)
      expect(journal.lines).toEqual([])
      expect(socket.readyState).toBe(1)
      expect(peer.frames.filter(({ op }) => op === 9).length).toBeGreaterThanOrEqual(2)
      socket.resume()
      await pause(20)
      expect(socket.readyState).toBe(1)
    }),
    60_000,
  )

  it.concurrent('A peer that is not read is judged by sendTimeoutMs all the same', async () => {
    const { socket, journal } = await open(end, {}, { sendTimeoutMs: 250 })
    socket.pause()
    socket.send(Buffer.alloc(MIB))
    await journal.until(/^closed/)
    expect(journal.lines).toEqual(['error HAWSER_SEND_TIMEOUT', 'closed 1006 unclean engine'])
  })
})
