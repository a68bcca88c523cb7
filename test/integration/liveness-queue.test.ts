// slow: slow peers, by every transport and in both roles
/**
 * docs/backpressure.md, "What counts as life": peers that read steadily, and so slowly that the system, whose buffer of
 * megabytes is full, takes nothing for longer than every timer. Linux tells what such a peer acknowledged.
 */
import { existsSync } from 'node:fs'
import { ENDS, KIB, MIB, open, pause, stopAll, until } from '../helpers/liveness.js'
import { steadily } from '../helpers/steady-peer.js'

afterAll(stopAll)

/** 256 KiB a second: the system frees a third of its buffer in some four seconds. */
const STEADILY = { do: 'read', bytes: 16 * KIB, everyMs: 62 } as const
const SYSTEM_TELLS = existsSync('/proc/net/tcp')
const CUT = ['error HAWSER_SEND_TIMEOUT', 'closed 1006 unclean engine']

describe.each(ENDS)('%s, %s', (...end) => {
  it.concurrent(
    "slow but steady: a reader is not cut while the system's buffer is full, and is cut when it stops",
    steadily(200, async () => {
      const { socket, peer, journal, ended } = await open(
        end,
        {},
        { sendTimeoutMs: 800 },
        { largeBuffers: true },
      )
      peer.do(STEADILY)
      socket.send(Buffer.alloc(16 * MIB))
      await pause(3_000)
      // Elsewhere it depends on the steps in which the system frees its buffer.
      const isOver = !SYSTEM_TELLS && socket.readyState !== 1
      expect(journal.lines).toEqual(isOver ? CUT : [])
      expect((await peer.count()).read).toBeGreaterThan(256 * KIB)
      peer.do({ do: 'stall' })
      const stoppedAt = performance.now()
      await ended()
      expect(performance.now() - stoppedAt).toBeLessThan(8_000)
      expect(journal.lines).toEqual(CUT)
    }),
    60_000,
  )

  it.concurrent(
    "slow but steady: a close waits for the peer to read the bytes in the system's buffer",
    steadily(250, async () => {
      const { socket, peer, ended } = await open(end, {}, { closeTimeoutMs: 1_000 }, { largeBuffers: true })
      socket.send(Buffer.alloc(1_536 * KIB))
      await until('the system took it', () => socket.bufferedAmount === 0)
      peer.do({ ...STEADILY, bytes: 32 * KIB })
      const closed = await socket.close(1000)
      const isOver = !SYSTEM_TELLS && !closed.wasClean
      expect(await ended()).toMatchObject(isOver ? { code: 1006 } : { code: 1000, wasClean: true })
      if (!isOver)
        expect(peer.frames).toMatchObject([
          { op: 2, length: 1_536 * KIB },
          { op: 8, code: 1000 },
        ])
    }),
    60_000,
  )

  it.concurrent(
    "stalled: a close does not wait for a peer that leaves megabytes in the system's buffer",
    steadily(250, async () => {
      const { socket, journal, ended } = await open(end, {}, { closeTimeoutMs: 500 }, { largeBuffers: true })
      socket.send(Buffer.alloc(1_536 * KIB))
      await until('the system took it', () => socket.bufferedAmount === 0)
      const startedAt = performance.now()
      void socket.close(1000)
      await ended()
      expect(performance.now() - startedAt).toBeLessThan(6_000)
      expect(journal.lines.at(-1)).toBe('closed 1006 unclean local')
    }),
    60_000,
  )
})
