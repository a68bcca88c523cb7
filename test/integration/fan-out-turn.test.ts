/**
 * Messages to all that are put off to the end of a turn (src/socket/fan-out-turn.ts): nobody can see it. Random turns against a
 * model that queues each message at once, over real sockets; and each case in which a message must not be put off.
 */
import fc from 'fast-check'
import { WebSocketServer, type ServerOptions, type ServerSocket } from '../../src/index.js'
import { blocked } from '../../src/socket/output-flow.js'
import { OP } from '../helpers/frame-builder.js'
import { openRaw, requestHead, type RawPeer } from '../helpers/raw-peer.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const OFFER = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }

interface Pair {
  readonly socket: ServerSocket
  readonly peer: RawPeer
}

async function serve(
  count: number,
  options: ServerOptions = {},
): Promise<{ server: WebSocketServer; pairs: Pair[] }> {
  const server = new WebSocketServer(options)
  let opened: (socket: ServerSocket) => void = () => undefined
  server.route('/', {
    onOpen: (socket) => {
      socket.join('all')
      opened(socket)
    },
    onMessage: () => undefined,
  })
  cleanups.push(() => server.terminate())
  const { port } = await server.listen(0, '127.0.0.1')
  const pairs: Pair[] = []
  for (let i = 0; i < count; i++) {
    const open = new Promise<ServerSocket>((resolve) => (opened = resolve))
    const peer = await openRaw(port)
    cleanups.push(() => peer.socket.destroy())
    peer.write(requestHead('/', options.perMessageDeflate === true ? OFFER : {}))
    await peer.readHead()
    pairs.push({ socket: await open, peer })
  }
  return { server, pairs }
}

/** What a turn does. `of` chooses a connection. */
type Step =
  | { readonly kind: 'all' | 'group' | 'stats' | 'twice'; readonly of?: undefined }
  | {
      readonly kind: 'except' | 'send' | 'ping' | 'close' | 'terminate' | 'buffered' | 'write'
      readonly of: number
    }

const CONNECTIONS = 4
const of = fc.nat({ max: CONNECTIONS - 1 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constantFrom('all', 'group', 'twice' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stats' as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom('except', 'send', 'ping', 'buffered', 'write' as const),
      of,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('close', 'terminate' as const), of }) },
)

/** A connection as it should be. */
class Expected {
  isOpen = true
  /** Cut: the last turn may be lost. */
  isCut = false
  readonly frames: string[] = []
  turnBytes = 0

  queue(text: string): void {
    if (!this.isOpen) return
    this.frames.push(text)
    this.turnBytes += 2 + text.length
  }
}

const runs = Number(process.env['HAWSER_RUNS'] ?? 1) * 25

describe.each([
  ['by the handle', {}],
  ['by the stream', { directIo: false }],
  ['with a mark of 1 byte', { limits: { highWaterMarkBytes: 1 } }],
  ['with permessage-deflate in use', { perMessageDeflate: true }],
] satisfies (readonly [string, ServerOptions])[])('random turns, %s', (_, options) => {
  test('each connection receives what was sent to it, in its order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { maxLength: 8 }), { minLength: 2, maxLength: 8 }),
        async (turns) => {
          const { server, pairs } = await serve(CONNECTIONS, options)
          const expected = pairs.map(() => new Expected())
          let number = 0
          let sent = 0
          const toAll = (
            send: (text: string) => { sent: number; dropped: number; failed: number },
            except?: number,
          ) => {
            const text = `m${String(number++)}`
            const open = expected.filter((one, i) => one.isOpen && i !== except)
            expect({ ...send(text) }).toEqual({ sent: open.length, dropped: 0, failed: 0 })
            sent += open.length
            for (const one of open) one.queue(text)
          }
          const perform = (one: Step): void => {
            if (one.kind === 'all') toAll((text) => server.broadcast(text))
            else if (one.kind === 'group') toAll((text) => server.group('all').send(text))
            else if (one.kind === 'stats') expect(server.stats().messagesSent).toBe(sent)
            else if (one.kind === 'twice') for (let i = 0; i < 2; i++) toAll((text) => server.broadcast(text))
            else {
              const { socket } = pairs[one.of ?? 0] as Pair
              const model = expected[one.of ?? 0] as Expected
              if (one.kind === 'except') {
                toAll((text) => server.broadcast(text, { except: socket }), one.of)
              } else if (one.kind === 'send' || one.kind === 'write') {
                const text = `s${String(number++)}`
                if (one.kind === 'send') socket.send(text)
                else void socket.write(text).catch(() => undefined)
                if (model.isOpen) sent++
                model.queue(text)
              } else if (one.kind === 'ping') {
                const text = `p${String(number++)}`
                socket.ping(text)
                model.queue(text)
              } else if (one.kind === 'buffered') {
                if (model.isOpen) expect(socket.bufferedAmount).toBe(model.turnBytes)
              } else if (one.kind === 'close') {
                void socket.close(1000)
                model.isOpen = false
              } else {
                socket.terminate()
                model.isOpen = false
                model.isCut = true
              }
            }
          }
          for (const turn of turns) {
            for (const one of turn) perform(one)
            for (const model of expected) model.turnBytes = 0
            await new Promise((resolve) => setImmediate(resolve))
          }
          for (const [i, model] of expected.entries()) {
            const { peer } = pairs[i] as Pair
            if (model.isCut) continue
            for (const text of model.frames) expect((await peer.readFrame()).text).toBe(text)
            if (!model.isOpen) expect((await peer.readFrame()).opcode).toBe(OP.CLOSE)
          }
          server.terminate()
          for (const { peer } of pairs) peer.socket.destroy()
        },
      ),
      { numRuns: runs },
    )
    expect(blocked.count).toBe(0)
  })
})

/** The connection is known to the server, and has been sent to: from then on its list may be put off. */
async function warm(server: WebSocketServer, pairs: readonly Pair[]): Promise<void> {
  for (let i = 0; i < 3; i++) {
    server.broadcast('warm')
    for (const { peer } of pairs) await peer.readFrame()
  }
}

describe('messages that are put off', () => {
  test('leave in one write for each connection, together with its other output', async () => {
    const { server, pairs } = await serve(3)
    await warm(server, pairs)
    for (const { peer } of pairs) peer.chunks.length = 0
    pairs[0]?.socket.send('own')
    for (const text of ['a', 'b', 'c']) server.broadcast(text)
    pairs[1]?.socket.send('after')
    server.broadcast('d')
    for (const { peer } of pairs) for (let i = 0; i < 4; i++) await peer.readFrame()
    const texts = pairs.map(({ peer }) => peer.chunks.map((chunk) => chunk.toString('latin1')))
    expect(texts).toEqual([
      ['\x81\x03own\x81\x01a\x81\x01b\x81\x01c\x81\x01d'],
      ['\x81\x01a\x81\x01b\x81\x01c\x81\x05after\x81\x01d'],
      ['\x81\x01a\x81\x01b\x81\x01c\x81\x01d'],
    ])
  })

  test('go by the policy for slow connections as soon as one is slow, and again around it when that is gone', async () => {
    const limits = { maxBufferedOutputBytes: 64 * 1024 }
    const { server, pairs } = await serve(3, { limits, slowConsumer: 'drop' })
    await warm(server, pairs)
    const slow = pairs[0] as Pair
    slow.peer.pause()
    const text = 'x'.repeat(15_000)
    let sent = 0
    let dropped = 0
    while (dropped === 0) {
      const delivery = server.broadcast(text)
      expect(delivery.sent + delivery.dropped).toBe(3)
      dropped = delivery.dropped
      sent++
      for (const { peer } of pairs.slice(1)) await peer.readFrame()
    }
    expect(dropped).toBe(1)
    expect(blocked.count).toBe(1)
    // Whatever was taken arrives, and only that.
    slow.peer.resume()
    for (let i = 0; i < sent - 1; i++) expect((await slow.peer.readFrame()).text).toBe(text)
    server.broadcast('last')
    expect((await slow.peer.readFrame()).text).toBe('last')
    expect(blocked.count).toBe(0)
  })

  test('go around no longer while a connection is slow, also if that is cut', async () => {
    const { server, pairs } = await serve(2)
    await warm(server, pairs)
    const slow = pairs[0] as Pair
    slow.peer.pause()
    while (blocked.count === 0) {
      server.broadcast('x'.repeat(15_000))
      await pairs[1]?.peer.readFrame()
    }
    slow.socket.terminate()
    await slow.socket.closed
    expect(blocked.count).toBe(0)
    expect({ ...server.broadcast('more') }).toEqual({ sent: 1, dropped: 0, failed: 0 })
    expect((await pairs[1]?.peer.readFrame())?.text).toBe('more')
  })

  test('beyond 16 KiB of a turn go to the queues, in their order', async () => {
    const { server, pairs } = await serve(2)
    await warm(server, pairs)
    const texts = Array.from({ length: 40 }, (_, i) => `${String(i)} ${'y'.repeat(i * 60)}`)
    for (const text of texts) server.broadcast(text)
    server.broadcast('z'.repeat(20_000))
    for (const { peer } of pairs) {
      for (const text of texts) expect((await peer.readFrame()).text).toBe(text)
      expect((await peer.readFrame()).text).toBe('z'.repeat(20_000))
    }
  })
})
