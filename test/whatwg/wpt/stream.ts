/** The cases on WebSocketStream. */
import { ReadableStream, WritableStream } from 'node:stream/web'
import { WebSocketError, WebSocketStream, type WebSocketStreamOptions } from '../../../src/whatwg/index.js'
import { nameOfRejection, nameOfThrown, sleep, type WptCase, type World } from './world.js'

const STREAM = 'stream/tentative'
const LONG_REASON = '.'.repeat(124)

const thrownFor = (url: unknown, options?: unknown): string =>
  nameOfThrown(() => new WebSocketStream(url as string, options as WebSocketStreamOptions))

async function openStream(world: World, path = 'echo', options?: WebSocketStreamOptions) {
  const stream = world.stream(path, options)
  return { stream, ...(await stream.opened) }
}

/** Both promises reject with a WebSocketError. */
async function expectNeverOpened(stream: WebSocketStream): Promise<void> {
  const errors = await Promise.all(
    [stream.opened, stream.closed].map((one) => one.catch((error: unknown) => error)),
  )
  for (const error of errors) expect(error).toBeInstanceOf(WebSocketError)
}

export const STREAMS: readonly WptCase[] = [
  {
    files: [`${STREAM}/constructor`],
    secure: true,
    title:
      'the constructor checks URL and options, the attributes have the right types, a failure rejects both promises',
    run: async (world) => {
      expect(nameOfThrown(() => new (WebSocketStream as unknown as new () => unknown)())).toBe('TypeError')
      expect(thrownFor('invalid:')).toBe('SyntaxError')
      expect(thrownFor('ws://a.invalid/#x')).toBe('SyntaxError')
      for (const options of [true, { protocols: 'hi' }, { protocols: 1 }, { signal: {} }]) {
        expect(thrownFor('ws://a.invalid/', options)).toBe('TypeError')
      }
      expect(thrownFor('ws://a.invalid/', { protocols: ['a', 'a'] })).toBe('SyntaxError')
      const { stream, readable, writable, protocol, extensions } = await openStream(world, 'say-protocol', {
        protocols: ['alpha', 'beta'],
      })
      expect([stream.url, protocol, extensions]).toEqual([world.at('say-protocol'), 'alpha', ''])
      expect(readable).toBeInstanceOf(ReadableStream)
      expect(writable).toBeInstanceOf(WritableStream)
      expect(await readable.getReader().read()).toEqual({ value: 'alpha', done: false })
      await expectNeverOpened(world.stream('not-found'))
    },
  },
  {
    files: [`${STREAM}/abort`],
    title:
      'the signal prevents or ends the attempt, with its reason, and does nothing once the connection is open',
    run: async (world) => {
      const before = world.server.count
      const early = world.stream('echo', { signal: AbortSignal.abort() })
      expect(await Promise.all([early.opened, early.closed].map(nameOfRejection))).toEqual([
        'AbortError',
        'AbortError',
      ])
      await sleep(20)
      expect(world.server.count).toBe(before)

      const controller = new AbortController()
      const { signal } = controller
      const during = world.stream('silent', { signal })
      const open = await openStream(world, 'echo', { signal })
      await sleep(20)
      const reason = new Error('mine')
      controller.abort(reason)
      await expect(during.opened).rejects.toBe(reason)
      await expect(during.closed).rejects.toBe(reason)
      await open.writable.getWriter().write('connected')
      expect((await open.readable.getReader().read()).value).toBe('connected')
    },
  },
  {
    files: [`${STREAM}/close`],
    secure: true,
    title: 'close() sends code and reason, checks both, and gives up an attempt',
    run: async (world) => {
      for (const [given, closeCode, reason] of [
        [{ closeCode: 3456, reason: 'pizza' }, 3456, 'pizza'],
        [undefined, 1005, ''],
        [{}, 1005, ''],
        [{ reason: '' }, 1005, ''],
        [{ reason: 'non-empty' }, 1000, 'non-empty'],
      ] as const) {
        const { stream } = await openStream(world)
        stream.close(given)
        expect(await stream.closed).toEqual({ closeCode, reason })
      }
      const { stream } = await openStream(world)
      for (const [given, name] of [
        ...([
          [true, 'TypeError'],
          [{ closeCode: 65_536 }, 'TypeError'],
          [{ reason: LONG_REASON }, 'SyntaxError'],
        ] as const),
        ...[999, 1001, 2999, 5000].map((closeCode) => [{ closeCode }, 'InvalidAccessError'] as const),
      ]) {
        expect(nameOfThrown(() => stream.close(given as object))).toBe(name)
      }
      for (const path of ['silent', 'echo']) {
        const connecting = world.stream(path)
        connecting.close()
        await expectNeverOpened(connecting)
      }
    },
  },
  {
    files: [`${STREAM}/close`],
    title: 'closing the writable closes clean, and its promise waits for the end of the handshake',
    run: async (world) => {
      const { stream, writable } = await openStream(world, 'slow-close?100')
      const at = performance.now()
      await writable.getWriter().close()
      expect(performance.now() - at).toBeGreaterThan(90)
      expect(await stream.closed).toEqual({ closeCode: 1005, reason: '' })
      const lost = await openStream(world, 'fin-after-close')
      expect(await nameOfRejection(lost.writable.getWriter().close())).toBe('WebSocketError')
    },
  },
  {
    files: [`${STREAM}/close`],
    title:
      'aborting the writable and cancelling the readable close with what a WebSocketError says, else without a code',
    run: async (world) => {
      const rows: [unknown, number, string][] = [
        [undefined, 1005, ''],
        [{ closeCode: 3456, reason: 'set' }, 1005, ''],
        [new DOMException('x', 'DataCloneError'), 1005, ''],
        [new WebSocketError('', { closeCode: 3333 }), 3333, ''],
        [new WebSocketError('', { closeCode: 3333, reason: 'pizza' }), 3333, 'pizza'],
        [new WebSocketError('', { reason: 'pizza' }), 1000, 'pizza'],
      ]
      for (const [reason, closeCode, text] of rows) {
        for (const act of ['abort', 'cancel'] as const) {
          const { stream, readable, writable } = await openStream(world)
          void (act === 'abort' ? writable.abort(reason) : readable.cancel(reason))
          expect(await stream.closed).toEqual({ closeCode, reason: text })
        }
      }
    },
  },
  {
    files: [`${STREAM}/remote-close`],
    secure: true,
    title:
      'a close of the server closes the readable and errors the writable; a lost connection errors both and rejects closed',
    run: async (world) => {
      for (const [query, closeCode, reason] of [
        ['', 1005, ''],
        ['1000', 1000, ''],
        ['4000', 4000, ''],
        ['4999,exit', 4999, 'exit'],
      ] as const) {
        const { stream, readable, writable } = await openStream(world, `close?${query}`)
        expect(await stream.closed).toEqual({ closeCode, reason })
        expect(await readable.getReader().read()).toEqual({ value: undefined, done: true })
        expect(await nameOfRejection(writable.getWriter().write('late'))).toBe('InvalidStateError')
      }
      const { stream, readable, writable } = await openStream(world, 'fin')
      const error = await stream.closed.catch((one: unknown) => one as WebSocketError)
      expect(error).toMatchObject({ name: 'WebSocketError', closeCode: 1006, reason: '' })
      await expect(readable.getReader().read()).rejects.toBe(error)
      await expect(writable.getWriter().write('late')).rejects.toBe(error)
    },
  },
  {
    files: [`${STREAM}/write`],
    title: 'a chunk is sent as bytes or as its text, and shared or resizable memory is a TypeError',
    run: async (world) => {
      const { readable, writable } = await openStream(world)
      const [writer, reader] = [writable.getWriter(), readable.getReader()]
      for (const [chunk, expected] of [
        ['text', 'text'],
        [null, 'null'],
        [5, '5'],
        [new Uint8Array([1, 2, 3]).subarray(1), new Uint8Array([2, 3])],
        [new Uint8Array([1, 2]).buffer, new Uint8Array([1, 2])],
        ['', ''],
        [new Uint8Array(), new Uint8Array()],
      ]) {
        await writer.write(chunk as string)
        const { value } = await reader.read()
        expect(value).toEqual(expected)
        expect(Buffer.isBuffer(value)).toBe(false)
      }
      const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer
      for (const chunk of [new SharedArrayBuffer(8), new Resizable(8, { maxByteLength: 16 }), Symbol('x')]) {
        const other = await openStream(world)
        expect(await nameOfRejection(other.writable.getWriter().write(chunk as ArrayBuffer))).toBe(
          'TypeError',
        )
      }
    },
  },
  {
    files: [`${STREAM}/websocket-error`],
    title: 'a WebSocketError has a close code and a reason, checked as those of close() are',
    run: () => {
      expect(new WebSocketError()).toMatchObject({
        name: 'WebSocketError',
        code: 0,
        message: '',
        closeCode: null,
        reason: '',
      })
      const made = new WebSocketError('message', { closeCode: 3456, reason: 'reason' })
      expect(made).toMatchObject({ message: 'message', closeCode: 3456, reason: 'reason' })
      expect(made).toBeInstanceOf(DOMException)
      expect(new WebSocketError('', { closeCode: 3333 })).toMatchObject({ closeCode: 3333, reason: '' })
      expect(new WebSocketError('', { reason: 'x' })).toMatchObject({ closeCode: 1000, reason: 'x' })
      const thrown = (init: object): string => nameOfThrown(() => new WebSocketError('', init))
      expect([999, 1001, 2999, 5000].map((closeCode) => thrown({ closeCode }))).toEqual(
        Array(4).fill('InvalidAccessError'),
      )
      expect([LONG_REASON, '🔌'.repeat(32)].map((reason) => thrown({ closeCode: 1000, reason }))).toEqual(
        Array(2).fill('SyntaxError'),
      )
    },
  },
  {
    files: [`${STREAM}/backpressure-send`],
    secure: true,
    title: 'a write of 16 MiB to a server that reads late is done when the transport has taken it',
    run: async (world) => {
      const { writable } = await openStream(world, 'stall?300', { perMessageDeflate: false })
      const at = performance.now()
      await writable.getWriter().write(new Uint8Array(16 * 1024 * 1024))
      expect(performance.now() - at).toBeGreaterThan(250)
    },
  },
  {
    files: [`${STREAM}/backpressure-receive`],
    secure: true,
    title: 'a server that sends much is held back while nobody reads, and goes on when somebody does',
    run: async (world) => {
      const { stream, readable } = await openStream(world, 'flood?24')
      await sleep(600)
      const reader = readable.getReader()
      const blocked: number[] = []
      for (;;) {
        const { value, done } = await reader.read()
        if (done) break
        // After each MiB the server says how long it had to wait for room.
        if (typeof value === 'string') blocked.push(Number(value))
      }
      expect(blocked.length).toBe(24)
      expect(Math.max(...blocked)).toBeGreaterThan(200)
      expect(await stream.closed).toMatchObject({ closeCode: 1000 })
    },
  },
]
