/** An hour of a client that reconnects, against a server that fails in every way; delays pass in no time. */
import { HandshakeError, type ReconnectOptions } from '../../src/index.js'
import { attempt } from '../../src/client/attempt.js'
import { readConnectOptions } from '../../src/client/connect-options.js'
import { resolveReconnectOptions } from '../../src/client/reconnect-options.js'
import { resolveUrls } from '../../src/client/reconnect-urls.js'
import { SocketOverConnections } from '../../src/client/reconnecting-socket.js'
import type { Clock } from '../../src/client/clock.js'
import { Reconnector } from '../../src/client/reconnector.js'
import {
  answers,
  closesWith,
  FaultyServer,
  halfCloses,
  lies,
  opens,
  resets,
  stalls,
  type Behaviour,
} from '../helpers/faulty-server.js'

/** A clock whose time is that of the delays alone: each passes at once. */
class SimulatedClock implements Clock {
  timers = 0
  private time = 0
  private state = 1

  now(): number {
    return this.time
  }

  wallNow(): number {
    return Date.UTC(2026, 10, 28) + this.time
  }

  /** The same in each run: a linear congruence (Numerical Recipes). */
  random(): number {
    this.state = (Math.imul(this.state, 1_664_525) + 1_013_904_223) >>> 0
    return this.state / 2 ** 32
  }

  setTimer(callback: () => void, delayMs: number): NodeJS.Immediate {
    this.timers++
    return setImmediate(() => {
      this.timers--
      this.time += delayMs
      callback()
    })
  }

  clearTimer(timer: unknown): void {
    clearImmediate(timer as NodeJS.Immediate)
  }
}

const cutsOpen = opens((socket) => setTimeout(() => socket.resetAndDestroy(), 30))
const halfClosesOpen = opens((socket) => socket.end())

/** How a server fails, and what the client is told. */
const FAILURES: readonly (readonly [behaviour: Behaviour, told: string])[] = [
  [closesWith(1012), 'close 1012'],
  [cutsOpen, 'close 1006 ECONNRESET'],
  [halfClosesOpen, 'close 1006'],
  [lies, 'HAWSER_INVALID_ACCEPT 101'],
  [stalls, 'HAWSER_HANDSHAKE_TIMEOUT undefined'],
  [answers(503), 'HAWSER_UNEXPECTED_STATUS 503'],
  [answers(503, 'Retry-After: 90'), 'HAWSER_UNEXPECTED_STATUS 503'],
  [answers(429, 'Retry-After: 86400'), 'HAWSER_UNEXPECTED_STATUS 429'],
  [resets, 'HAWSER_CONNECTION_FAILED undefined ECONNRESET'],
  [halfCloses, 'HAWSER_CONNECTION_FAILED undefined'],
]

let cleanup: (() => Promise<void>) | undefined
afterEach(() => cleanup?.())

it('keeps trying for an hour within its bounds, leaks nothing and tells each failure apart by its events', async () => {
  // More attempts than an hour has room for, and all kinds of failures in turn.
  const order = Array.from(
    { length: 2_000 },
    (_, index) => FAILURES[index % FAILURES.length] as (typeof FAILURES)[0],
  )
  const server = new FaultyServer(closesWith(1012), ...order.map(([behaviour]) => behaviour))
  const url = await server.listen()
  const clock = new SimulatedClock()
  const told: string[] = []
  const delays: number[] = []
  let mostSockets = 0
  const settings: ReconnectOptions = {
    outbox: { maxMessages: 3 },
    onReconnecting: ({ delayMs, cause: { close, error } }) => {
      const what =
        error instanceof HandshakeError
          ? `${error.code} ${String(error.httpStatus)}`
          : `close ${String(close?.code)}`
      const { code = '' } = (error?.cause ?? {}) as NodeJS.ErrnoException
      told.push(`${what} ${code}`.trimEnd())
      delays.push(delayMs)
      mostSockets = Math.max(mostSockets, server.sockets.size)
      socket.send('still here')
    },
  }
  const reconnector = new Reconnector(
    readConnectOptions({ perMessageDeflate: false }),
    resolveReconnectOptions(settings) as never,
    resolveUrls(url),
    (options) => {
      // Short only where it has to pass.
      const isStalled = order[server.heads.length - 1]?.[0] === stalls
      return attempt({
        ...options,
        limits: { ...options.limits, handshakeTimeoutMs: isStalled ? 200 : 10_000 },
      })
    },
    clock,
  )
  const socket = new SocketOverConnections(reconnector, undefined)
  let unsettled = 0
  cleanup = async () => {
    socket.terminate()
    await server.die()
  }
  await reconnector.start()
  const before = process.getActiveResourcesInfo().length
  while (clock.now() < 3_600_000 && !reconnector.isEnded) {
    unsettled++
    // A reader that gives up leaves nothing.
    await socket.receive({ timeoutMs: 20 }).catch((error: unknown) => {
      expect(error).toMatchObject({ name: 'TimeoutError' })
      unsettled--
    })
  }
  expect(reconnector.isEnded).toBe(false)
  expect(unsettled).toBe(0)
  expect(told.length).toBeGreaterThan(60)
  const expected = ['close 1012', ...order.map(([, line]) => line)]
  expect(told).toEqual(expected.slice(0, told.length))
  // The bounds: maxDelayMs, or Retry-After up to its own.
  for (const [index, delay] of delays.entries()) {
    const asked = index === 0 ? '' : String(FAILURES.indexOf(order[index - 1] as (typeof FAILURES)[0]))
    if (asked === '6') expect(delay).toBe(90_000)
    else if (asked === '7') expect(delay).toBe(300_000)
    else expect(delay).toBeLessThanOrEqual(30_000)
  }
  expect(socket.bufferedAmount).toBeLessThanOrEqual(3 * 'still here'.length)
  expect(socket.droppedMessages).toBeGreaterThan(0)
  expect(mostSockets).toBeLessThan(10)
  expect(process.getActiveResourcesInfo().length).toBeLessThan(before + 10)
  // It comes back, sends what waited, and ends cleanly.
  const got: Buffer[] = []
  server.become(opens((one) => one.on('data', (chunk: Buffer) => got.push(chunk))))
  while (socket.readyState !== 1) await new Promise((resolve) => setTimeout(resolve, 5))
  await socket.drained()
  socket.terminate()
  expect((await socket.closed).code).toBe(1006)
  expect(clock.timers).toBe(0)
})

it('keeps trying for an hour while nothing listens any more, and is told that each attempt was refused', async () => {
  const server = new FaultyServer(opens((socket) => setTimeout(() => socket.end(), 10)))
  const url = await server.listen()
  const clock = new SimulatedClock()
  const told: string[] = []
  const delays: number[] = []
  const settings: ReconnectOptions = {
    onReconnecting: ({ delayMs, cause: { close, error } }) => {
      const { code = '' } = (error?.cause ?? {}) as NodeJS.ErrnoException
      told.push(close === undefined ? code : `close ${String(close.code)}`)
      delays.push(delayMs)
    },
  }
  const reconnector = new Reconnector(
    readConnectOptions({ perMessageDeflate: false }),
    resolveReconnectOptions(settings) as never,
    resolveUrls(url),
    (options) => attempt(options),
    clock,
  )
  const socket = new SocketOverConnections(reconnector, undefined)
  cleanup = () => {
    socket.terminate()
    return Promise.resolve()
  }
  await reconnector.start()
  await server.die()
  while (clock.now() < 3_600_000 && !reconnector.isEnded)
    await new Promise((resolve) => setTimeout(resolve, 5))
  expect(reconnector.isEnded).toBe(false)
  expect(told.length).toBeGreaterThan(100)
  expect(told[0]).toBe('close 1006')
  expect(new Set(told.slice(1))).toEqual(new Set(['ECONNREFUSED']))
  expect(Math.max(...delays)).toBeLessThanOrEqual(30_000)
  socket.terminate()
  await socket.closed
  expect(clock.timers).toBe(0)
})
