// slow: slow peers, whose timers must run out, by every transport and in both roles
/** docs/backpressure.md, "Situations": how fast the peer reads. */
import { ENDS, KIB, MIB, open, pause, stopAll, until } from '../helpers/liveness.js'
import { steadily } from '../helpers/steady-peer.js'

// Most of these tests wait most of the time: several at once.
afterAll(stopAll)

/** One connection's output with messages of `most` bytes: docs/backpressure.md, "The bound". */
const outputBound = (maxBufferedOutputBytes: number, most: number): number =>
  maxBufferedOutputBytes + 2 * most + 64 * KIB + 17 * 131

describe.each(ENDS)('%s, %s', (...end) => {
  it.concurrent(
    'slow but steady: a message that takes three times every timer arrives whole, and the close is clean',
    steadily(250, async () => {
      const { socket, peer, journal, ended } = await open(
        end,
        {},
        {
          // Far above what a busy machine takes away from the peer at once.
          sendTimeoutMs: 1_200,
          heartbeatIntervalMs: 600,
          heartbeatTimeoutMs: 600,
          closeTimeoutMs: 1_200,
        },
        { losesNothing: true },
      )
      peer.do({ do: 'read', bytes: 2 * KIB, everyMs: 5 })
      const startedAt = performance.now()
      socket.send(Buffer.alloc(1_900 * KIB, 'x'))
      const closed = socket.close(1000)
      const info = await ended()
      const tookMs = performance.now() - startedAt
      expect(info).toEqual({
        code: 1000,
        reason: '',
        wasClean: true,
        initiator: 'local',
        droppedMessages: 0,
        unsentBytes: 0,
      })
      expect(tookMs).toBeGreaterThan(3 * 1_200)
      expect(await closed).toEqual(info)
      expect(journal.lines).toEqual(['closed 1000 clean local'])
      expect(await peer.ended()).toMatchObject({ how: 'fin', inFrame: false })
      const found = peer.frames.filter(({ op }) => op !== 9)
      expect(found).toMatchObject([
        { op: 2, length: 1_900 * KIB },
        { op: 8, code: 1000 },
      ])
    }),
    60_000,
  )

  it.concurrent(
    'stalled: a peer that takes a byte now and then, and pings all the time, is cut within sendTimeoutMs',
    steadily(250, async () => {
      const { socket, peer, journal, ended } = await open(end, {}, { sendTimeoutMs: 300 })
      peer.do({ do: 'read', bytes: 1, everyMs: 30 })
      peer.do({ do: 'send', frames: [{ op: 9, text: 'alive' }], count: 0, everyMs: 30 })
      const startedAt = performance.now()
      socket.send(Buffer.alloc(MIB))
      const info = await ended()
      const tookMs = performance.now() - startedAt
      expect(journal.lines).toEqual(['error HAWSER_SEND_TIMEOUT', 'closed 1006 unclean engine'])
      expect(tookMs).toBeGreaterThan(280)
      // The system takes what fits into its buffers in the first moments, and TLS a record more; then it is over.
      expect(tookMs).toBeLessThan(8_000)
      expect(info.unsentBytes).toBeGreaterThan(512 * KIB)
      expect(info.unsentBytes).toBeLessThanOrEqual(MIB + 14)
      expect(socket.readyState).toBe(3)
    }),
    60_000,
  )

  it.concurrent(
    'stalled: the peer sees its connection end, and the bytes before that are whole',
    async () => {
      const { socket, peer, ended } = await open(end, {}, { sendTimeoutMs: 200 })
      socket.send('before')
      socket.send(Buffer.alloc(MIB))
      await ended()
      peer.readAll()
      expect(['fin', 'reset']).toContain((await peer.ended()).how)
      expect(peer.frames.every(({ op, text }) => op === 1 && text === 'before')).toBe(true)
    },
  )

  it.concurrent(
    'stalled: a peer that reads for a quarter of the time, and enough each time, is not cut',
    steadily(200, async () => {
      const { socket, peer, journal } = await open(end, {}, { sendTimeoutMs: 900 })
      // On a busy machine the pauses are longer, and more is read.
      socket.send(Buffer.alloc(2 * MIB))
      for (let i = 0; i < 4; i++) {
        await pause(300)
        peer.do({ do: 'read', bytes: 16 * KIB, everyMs: 3 })
        await pause(150)
        peer.do({ do: 'stall' })
      }
      expect(socket.bufferedAmount).toBeGreaterThan(128 * KIB)
      peer.readAll()
      await peer.frame(({ op }) => op === 2)
      expect(journal.lines).toEqual([])
      expect(peer.frames).toMatchObject([{ op: 2, length: 2 * MIB }])
    }),
    60_000,
  )

  it.concurrent(
    'never reads: the peer is cut within sendTimeoutMs, and its memory stays within the bound until then',
    steadily(250, async () => {
      const block = Buffer.alloc(64 * KIB)
      const { socket, journal, ended, server } = await open(
        end,
        {},
        { sendTimeoutMs: 300, slowConsumer: 'drop' },
      )
      let most = 0
      let refused = 0
      const startedAt = performance.now()
      while (socket.readyState === 1) {
        for (let i = 0; i < 8; i++) if (!socket.send(block) && socket.bufferedAmount > MIB) refused++
        most = Math.max(most, socket.bufferedAmount)
        await pause(5)
      }
      const info = await ended()
      expect(performance.now() - startedAt).toBeLessThan(8_000)
      expect(journal.lines).toEqual(['error HAWSER_SEND_TIMEOUT', 'closed 1006 unclean engine'])
      expect(refused).toBeGreaterThan(10)
      expect(most).toBeGreaterThan(MIB)
      expect(most).toBeLessThanOrEqual(outputBound(MIB, block.length))
      expect(info.unsentBytes).toBeGreaterThan(MIB / 2)
      if (server !== null) {
        await until('the connection is counted', () => server.stats().connections === 0)
        expect(server.stats()).toMatchObject({ bytesUnsent: info.unsentBytes, messagesDropped: 0 })
      }
    }),
    60_000,
  )

  it.concurrent(
    'floods and does not read the replies: replies wait, reading stops, and sendTimeoutMs cuts it',
    async () => {
      const reply = 'r'.repeat(16 * KIB)
      let handled = 0
      let most = 0
      const { peer, journal, ended } = await open(
        end,
        {
          onTextMessage: (of) => {
            handled++
            most = Math.max(most, of.bufferedAmount)
            return reply
          },
        },
        { sendTimeoutMs: 4_000 },
      )
      const flood = { op: 1, text: 'q'.repeat(KIB) }
      peer.do({ do: 'send', frames: Array.from({ length: 32 }, () => flood), count: 0 })
      await until('the first replies', () => handled > 4)
      await pause(300)
      const before = { ...(await peer.count()), handled }
      await pause(100)
      // TCP told the peer: it writes no more, and no more is handled.
      expect({ ...(await peer.count()), handled }).toEqual(before)
      await ended()
      expect(journal.lines).toEqual(['error HAWSER_SEND_TIMEOUT', 'closed 1006 unclean engine'])
      // What the system took, the mark and one on its way; no reply was made for the rest.
      expect(before.handled).toBeLessThan(40)
      expect(most).toBeLessThanOrEqual(64 * KIB + 2 * (reply.length + 14))
    },
  )

  it.concurrent(
    'floods and does not read the replies: the policy bounds replies by send, and the peer is cut all the same',
    async () => {
      const report = Buffer.alloc(32 * KIB)
      let most = 0
      const { peer, journal, ended } = await open(
        end,
        {
          onTextMessage: (of) => {
            of.send(report)
            most = Math.max(most, of.bufferedAmount)
          },
        },
        { sendTimeoutMs: 400, slowConsumer: 'drop', limits: { maxBufferedOutputBytes: 256 * KIB } },
      )
      peer.do({ do: 'send', frames: [{ op: 1, text: 'q'.repeat(100) }], count: 0 })
      await ended()
      expect(journal.lines).toEqual(['error HAWSER_SEND_TIMEOUT', 'closed 1006 unclean engine'])
      expect(most).toBeGreaterThan(256 * KIB)
      expect(most).toBeLessThanOrEqual(outputBound(256 * KIB, report.length))
    },
  )
})
