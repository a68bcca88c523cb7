// slow: hundreds of random histories of two connections
import fc from 'fast-check'
import { Connection, ReadyState, type ConnectionOptions } from '../../src/connection/connection.js'
import type { Closed, ConnectionEvent } from '../../src/connection/events.js'
import { createCodecFactory, resolveDeflateOptions } from '../../src/deflate/index.js'
import { LimitError, TransportError } from '../../src/errors.js'
import { ControlledCodec } from '../helpers/controlled-codec.js'
import { readFrames } from '../helpers/frame-builder.js'

/**
 * Two connections, client and server, joined in memory. What one writes lies on the wire until it is delivered, in
 * pieces of any size; either may be paused or blocked; compression, where it is on, ends when it is told to.
 */

type Side = 'client' | 'server'
const OTHER = { client: 'server', server: 'client' } as const
const SIDES = ['client', 'server'] as const

/** A connection, the bytes it wrote that did not arrive yet, and all that was pulled from it. */
class Peer {
  readonly connection: Connection
  readonly codec: ControlledCodec | null
  readonly events: ConnectionEvent[] = []
  /** All bytes that went out, for checking them as frames. */
  readonly written: Buffer[] = []
  wire = Buffer.alloc(0)
  isPaused = false
  isBlocked = false
  /** Whether it ended its side of the transport, and the other side was told so. */
  isEnded = false
  endIsTold = false
  isLost = false

  constructor(options: ConnectionOptions, codec: ControlledCodec | null) {
    this.codec = codec
    this.connection = new Connection({ ...options, codec })
  }

  pull(): void {
    if (this.isPaused) return
    for (let event = this.connection.nextEvent(); event !== null; event = this.connection.nextEvent()) {
      this.events.push(event)
    }
  }

  write(): void {
    if (this.isBlocked || this.isEnded || this.isLost) return
    for (let bytes = this.connection.takeOutput(); bytes !== null; bytes = this.connection.takeOutput()) {
      expect(readFrames(bytes).rest).toHaveLength(0)
      this.written.push(Buffer.from(bytes))
      this.wire = Buffer.concat([this.wire, bytes])
    }
    if (this.connection.transportShouldClose() === 'now') {
      expect(this.connection.bufferedBytes).toBe(0)
      this.isEnded = true
    }
  }

  get closed(): Closed[] {
    return this.events.filter((event) => event.type === 'closed')
  }
}

class Pair {
  readonly client: Peer
  readonly server: Peer

  constructor(compress: boolean) {
    const limits = { maxPendingPongs: 3, maxMessageBytes: 1 << 20 }
    const codec = (): ControlledCodec | null =>
      compress
        ? new ControlledCodec({ thresholdBytes: 20, asyncDeflateBytes: 300, asyncInflateBytes: 40 })
        : null
    this.client = new Peer({ role: 'client', limits }, codec())
    this.server = new Peer({ role: 'server', limits }, codec())
  }

  /** Moves up to `count` bytes of a side's output to the other side, then the end if that was all. */
  deliver(from: Side, count: number): boolean {
    const source = this[from]
    const target = this[OTHER[from]]
    const bytes = source.wire.subarray(0, count)
    source.wire = source.wire.subarray(bytes.length)
    if (bytes.length > 0) target.connection.receiveBytes(Buffer.from(bytes))
    const ends = source.isEnded && !source.endIsTold && source.wire.length === 0
    if (ends) {
      source.endIsTold = true
      target.connection.receiveEnd()
    }
    target.pull()
    target.write()
    return bytes.length > 0 || ends
  }

  /** Until nothing moves any more; the transport is over once both have ended their side. */
  settle(): void {
    for (const side of SIDES) {
      this[side].isPaused = false
      this[side].isBlocked = false
      this[side].connection.setBlocked(false)
    }
    for (let moved = true; moved;) {
      moved = false
      for (const side of SIDES) {
        const peer = this[side]
        peer.pull()
        peer.write()
        moved = this.deliver(side, 1_000_000) || moved
        moved = (peer.codec?.finishAll() ?? false) || moved
      }
    }
    if (this.client.isEnded || this.server.isEnded) this.lose()
  }

  lose(error?: TransportError): void {
    for (const side of SIDES) {
      const peer = this[side]
      peer.isLost = true
      peer.isPaused = false
      peer.connection.transportLost(error)
      peer.pull()
      peer.codec?.finishAll()
      peer.pull()
    }
  }
}

/** What should be: the messages each side sent, and whether it still may. */
interface SideModel {
  sent: (string | Buffer)[]
  pings: string[]
  isOpen: boolean
}
interface Model {
  readonly client: SideModel
  readonly server: SideModel
  /** One side gave the connection up: messages may be missing at the end. */
  isBroken: boolean
}

function same(one: string | Buffer, other: string | Buffer): boolean {
  return typeof one === 'string' || typeof other === 'string' ? one === other : one.equals(other)
}

/** What holds at any time. */
function check(model: Model, pair: Pair): void {
  for (const side of SIDES) {
    const { events } = pair[side]
    const received = events.filter((event) => event.type === 'message').map((event) => event.data)
    const sent = model[OTHER[side]].sent
    expect(received.length).toBeLessThanOrEqual(sent.length)
    if (!received.every((data, i) => same(data, sent[i]!))) throw new Error(`${side} received something else`)
    // Pongs repeat pings of ours, in order, and each at most once.
    let from = 0
    for (const event of events) {
      if (event.type !== 'pong') continue
      const at = model[side].pings.indexOf(event.data.toString(), from)
      expect(at).toBeGreaterThanOrEqual(0)
      from = at + 1
    }
    expect(events.filter((event) => event.type === 'closeReceived').length).toBeLessThanOrEqual(1)
    expect(events.filter((event) => event.type === 'error').length).toBeLessThanOrEqual(1)
    const closedAt = events.findIndex((event) => event.type === 'closed')
    if (closedAt >= 0) expect(closedAt).toBe(events.length - 1)
    if (events.some(({ type }) => type === 'closeReceived' || type === 'error' || type === 'closed')) {
      model[side].isOpen = false
    }
    // A peer that ended its side without a Close frame closes the connection, before what was sent to it has left.
    const isHalfClosed = pair[OTHER[side]].endIsTold && pair[side].connection.readyState !== ReadyState.OPEN
    if (isHalfClosed) model[side].isOpen = false
  }
}

function checkWritten(peer: Peer, masked: boolean): void {
  const { frames, rest } = readFrames(Buffer.concat(peer.written))
  expect(rest).toHaveLength(0)
  const closeAt = frames.findIndex((f) => f.opcode === 8)
  if (closeAt >= 0) expect(closeAt).toBe(frames.length - 1)
  expect(frames.every((f) => (f.key !== null) === masked && f.fin && !f.rsv2 && !f.rsv3)).toBe(true)
}

type Command = fc.Command<Model, Pair>

/** A command that does one thing on one side, then lets it pull and write. */
class OnSide implements Command {
  private readonly side: Side
  private readonly name: string
  private readonly act: (model: SideModel, peer: Peer, whole: Model, pair: Pair) => void

  constructor(
    side: Side,
    name: string,
    act: (model: SideModel, peer: Peer, whole: Model, pair: Pair) => void,
  ) {
    this.side = side
    this.name = name
    this.act = act
  }

  check(): boolean {
    return true
  }

  run(model: Model, pair: Pair): void {
    const peer = pair[this.side]
    this.act(model[this.side], peer, model, pair)
    peer.pull()
    peer.write()
    check(model, pair)
  }

  toString(): string {
    return `${this.side}.${this.name}`
  }
}

const length = fc.oneof(
  { weight: 5, arbitrary: fc.nat(60) },
  { weight: 2, arbitrary: fc.nat(2000) },
  { weight: 2, arbitrary: fc.constantFrom(41, 42, 125, 126, 127, 4096, 4097, 65_535, 65_536, 70_000) },
)
const text = fc
  .tuple(length, fc.constantFrom('a', 'ab', '\u00e9', '\u20acx', '\u{1f4a9}', 'aaaaaaaaaaaaaaaaaaaa\u00e9'))
  .map(([n, unit]) => unit.repeat(Math.ceil(n / unit.length)))
const binary = fc
  .tuple(length, fc.nat(255), fc.boolean())
  .map(([n, byte, varied]) =>
    Buffer.from(Array.from({ length: n }, (_, i) => (varied ? (byte + i * 7) % 256 : byte))),
  )
const side = fc.constantFrom(...SIDES)

let pingNumber = 0

const send = (data: fc.Arbitrary<string | Buffer>): fc.Arbitrary<Command> =>
  fc.tuple(side, data, fc.boolean()).map(
    ([of, message, compress]) =>
      new OnSide(of, `send(${typeof message} ${message.length})`, (model, { connection }) => {
        const given = typeof message === 'string' ? message : Buffer.from(message)
        expect(connection.send(given, { compress })).toBe(model.isOpen)
        // The caller's bytes are the caller's again.
        if (typeof given !== 'string') given.fill(0x21)
        if (model.isOpen) model.sent.push(message)
      }),
  )

const ordinary: fc.Arbitrary<Command>[] = [
  send(text),
  send(binary),
  side.map(
    (of) =>
      new OnSide(of, 'ping', (model, { connection }) => {
        const payload = `${of} ${pingNumber++}`
        expect(connection.ping(payload)).toBe(model.isOpen)
        if (model.isOpen) model.pings.push(payload)
      }),
  ),
  fc
    .tuple(side, fc.nat(300))
    .map(
      ([of, count]) =>
        new OnSide(of, `arrive(${count})`, (_m, _p, _w, pair) => void pair.deliver(OTHER[of], count)),
    ),
  fc
    .tuple(side, fc.boolean())
    .map(([of, on]) => new OnSide(of, `pause(${on})`, (_, peer) => void (peer.isPaused = on))),
  fc.tuple(side, fc.boolean()).map(
    ([of, on]) =>
      new OnSide(of, `block(${on})`, (_, peer) => {
        peer.isBlocked = on
        peer.connection.setBlocked(on)
      }),
  ),
  side.map(
    (of) =>
      new OnSide(of, 'finishDeflate', (_, { codec }) => {
        if (codec?.isDeflating === true) codec.finishDeflate()
      }),
  ),
  side.map(
    (of) =>
      new OnSide(of, 'finishInflate', (_, { codec }) => {
        if (codec?.isInflating === true) codec.finishInflate()
      }),
  ),
]

const close: fc.Arbitrary<Command> = fc.tuple(side, fc.constantFrom(undefined, 1000, 1001, 3000, 4999)).map(
  ([of, code]) =>
    new OnSide(of, `close(${code})`, (model, { connection }) => {
      connection.close(code, code === undefined ? undefined : 'bye')
      model.isOpen = false
    }),
)

const breaking: fc.Arbitrary<Command> = fc
  .tuple(side, fc.constantFrom('fail', 'abandon', 'lose', 'loseWithError', 'overLimit', 'overLimitDropping'))
  .map(
    ([of, how]) =>
      new OnSide(of, how, (model, { connection }, whole, pair) => {
        whole.isBroken = true
        model.isOpen = false
        if (how === 'fail') connection.fail(1011, 'broken')
        else if (how === 'abandon') connection.abandon()
        else if (how === 'overLimit' || how === 'overLimitDropping') {
          connection.failOverLimit(new LimitError('HAWSER_SLOW_CONSUMER', 1, 2), how === 'overLimitDropping')
        } else {
          whole.client.isOpen = false
          whole.server.isOpen = false
          pair.lose(how === 'lose' ? undefined : new TransportError('reset'))
        }
      }),
  )

const newModel = (): Model => ({
  client: { sent: [], pings: [], isOpen: true },
  server: { sent: [], pings: [], isOpen: true },
  isBroken: false,
})

function run(
  commands: Iterable<Command>,
  compress: boolean,
  atEnd: (model: Model, pair: Pair) => void,
): void {
  const model = newModel()
  const pair = new Pair(compress)
  fc.modelRun(() => ({ model, real: pair }), commands)
  atEnd(model, pair)
  check(model, pair)
  for (const of of SIDES) {
    const peer = pair[of]
    expect(peer.closed).toHaveLength(1)
    expect(peer.connection.nextEvent()).toBeNull()
    expect([peer.connection.bufferedBytes, peer.connection.takeOutput()]).toEqual([0, null])
    if (peer.codec !== null) expect(peer.codec.isClosed).toBe(true)
    checkWritten(peer, of === 'client')
  }
}

describe('RFC 6455 5 to 7: two connections joined in memory', () => {
  for (const compress of [false, true]) {
    const kind = compress ? 'compressed, work off the loop ending at any time' : 'not compressed'

    test(`${kind}: if both sides close, every message arrives once and in order, and each side emits closed once`, () => {
      fc.assert(
        fc.property(
          fc.commands([...ordinary, ...ordinary, close], { maxCommands: 60, size: 'max' }),
          (commands) =>
            run(commands, compress, (model, pair) => {
              pair.settle()
              pair.client.connection.close(1000)
              model.client.isOpen = false
              pair.settle()
              for (const of of SIDES) {
                const received = pair[of].events.filter((event) => event.type === 'message')
                expect(received).toHaveLength(model[OTHER[of]].sent.length)
                expect(pair[of].events.filter((event) => event.type === 'error')).toEqual([])
                expect(pair[of].closed[0]!.wasClean).toBe(true)
              }
            }),
        ),
        { numRuns: 120 },
      )
    })

    test(`${kind}: if the transport breaks, the messages that arrive are the first that were sent, and each side emits closed once`, () => {
      fc.assert(
        fc.property(
          fc.commands([...ordinary, ...ordinary, close, breaking], { maxCommands: 60, size: 'max' }),
          (commands) =>
            run(commands, compress, (model, pair) => {
              pair.settle()
              model.client.isOpen = false
              pair.lose()
            }),
        ),
        { numRuns: 120 },
      )
    })
  }

  test('the newest ping is always answered', () => {
    const pair = new Pair(false)
    for (let i = 0; i < 50; i++) pair.client.connection.ping(`p${i}`)
    pair.server.isBlocked = true
    pair.client.write()
    pair.deliver('client', 1_000_000)
    pair.settle()
    expect(
      pair.client.events.map((event) => (event.type === 'pong' ? event.data.toString() : event.type)),
    ).toEqual(['p0', 'p1', 'p2', 'p49'])
  })
})

describe('two connections with the codecs of zlib on the thread pool', () => {
  test('every message arrives in order, and both sides close cleanly', async () => {
    const agreed = {
      serverNoContextTakeover: false,
      clientNoContextTakeover: false,
      serverMaxWindowBits: 15,
      clientMaxWindowBits: 15,
    }
    const make = (role: Side, waker: { wake(): void }): Connection => {
      const config = resolveDeflateOptions({ thresholdBytes: 10, asyncThresholdBytes: 100 }, role)!
      return new Connection({ role, codec: createCodecFactory(config).createCodec(agreed), waker })
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(side, fc.oneof(text, binary)), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 5000 }),
        async (messages, step) => {
          const received: Record<Side, (string | Buffer)[]> = { client: [], server: [] }
          const lines: Record<Side, string[]> = { client: [], server: [] }
          const done = new Promise<void>((resolve) => {
            let open = 2
            const pump = (): void => {
              for (let moved = true; moved;) {
                moved = false
                for (const of of SIDES) {
                  const connection = ends[of]
                  const peer = ends[OTHER[of]]
                  for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) {
                    if (event.type === 'message') received[of].push(event.data)
                    else lines[of].push(event.type === 'closed' ? `closed ${event.wasClean}` : event.type)
                    if (event.type === 'closed' && --open === 0) resolve()
                  }
                  for (let bytes = connection.takeOutput(); bytes !== null; bytes = connection.takeOutput()) {
                    moved = true
                    for (let at = 0; at < bytes.length; at += step) {
                      peer.receiveBytes(Buffer.from(bytes.subarray(at, at + step)))
                    }
                  }
                }
              }
              if (
                SIDES.some((of) => ends[of].transportShouldClose() === 'now' && ends[of].bufferedBytes === 0)
              ) {
                for (const of of SIDES) ends[of].transportLost()
              }
              if (SIDES.every((of) => ends[of].readyState === 3) && open > 0) setImmediate(pump)
            }
            const waker = { wake: () => void setImmediate(pump) }
            const ends = { client: make('client', waker), server: make('server', waker) }
            for (const [of, data] of messages) expect(ends[of].send(data)).toBe(true)
            ends.client.close(1000)
            pump()
          })
          await done
          for (const of of SIDES) {
            const sent = messages.filter(([from]) => from === OTHER[of]).map(([, data]) => data)
            expect(received[of].map((data, i) => same(data, sent[i]!))).toEqual(sent.map(() => true))
            expect(lines[of]).toEqual(['closeReceived', 'closed true'])
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})
