/**
 * A whole connection (RFC 6455 sections 5 to 7) in both roles. The input chooses where its bytes are cut, whose memory they come in,
 * when events are pulled and output is taken, what the application calls in between, and how much time passes.
 */
import { Connection, ReadyState, type ConnectionOptions } from '../../src/connection/connection.js'
import { MessageReceived, type ConnectionEvent } from '../../src/connection/events.js'
import { PreparedMessage } from '../../src/connection/prepared-message.js'
import {
  createCodecFactory,
  resolveDeflateOptions,
  type CodecFactory,
  type MessageCodec,
  type ResolvedDeflateOptions,
} from '../../src/deflate/index.js'
import { ControlledCodec } from '../../test/helpers/controlled-codec.js'
import { readFrames, type WireFrame } from '../../test/helpers/frame-builder.js'
import { lend } from '../../test/helpers/lane.js'
import { pullAll, showEvent } from '../../test/helpers/pull.js'
import { check, checkSame, Choices, inputOf, type Target } from './choices.js'
import { peerStreams } from './peer-frames.js'

type Role = 'client' | 'server'
type CodecKind = 'none' | 'alone' | 'context' | 'by hand'

const MAX_PENDING_PONGS = 2
/** A control frame of a client, the longest. */
const CONTROL_FRAME_BYTES = 2 + 4 + 125
const MAX_HEADER_BYTES = 14
const MAX_STEPS = 60

const factoryOf = (role: Role): CodecFactory =>
  createCodecFactory(
    resolveDeflateOptions(
      { asyncThresholdBytes: Infinity, thresholdBytes: 8 },
      role,
    ) as ResolvedDeflateOptions,
  )
const FACTORIES = { client: factoryOf('client'), server: factoryOf('server') }

function codecOf(kind: CodecKind, role: Role): MessageCodec | null {
  if (kind === 'none') return null
  if (kind === 'by hand') return new ControlledCodec({ asyncDeflateBytes: 40, asyncInflateBytes: 12 })
  const isAlone = kind === 'alone'
  return FACTORIES[role].createCodec({
    serverNoContextTakeover: isAlone,
    clientNoContextTakeover: isAlone,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 15,
  })
}

const other = (role: Role): Role => (role === 'client' ? 'server' : 'client')
const closeOf = (codec: MessageCodec | null): void => codec?.close()

/** What the peer's bytes are, whatever the application does: all of them in one chunk that the connection owns. */
function reference(options: Omit<ConnectionOptions, 'codec'>, kind: CodecKind, bytes: Buffer): string[] {
  const codec = codecOf(kind, options.role)
  const connection = new Connection({ ...options, codec, autoClose: true })
  connection.receiveBytes(Buffer.from(bytes))
  const events: ConnectionEvent[] = []
  do events.push(...pullAll(connection))
  while (codec instanceof ControlledCodec && codec.finishAll())
  closeOf(codec)
  return events.map(showEvent)
}

/** A connection, what happened to it, and what the application did. */
class Play {
  readonly events: ConnectionEvent[] = []
  readonly output: Buffer[] = []
  /** What was sent, as the peer is to see it. */
  readonly sent: string[] = []
  /** Whether the end came by another way than the peer's bytes. */
  isCutShort = false
  private sentBytes = 0
  private now = 0
  private readonly connection: Connection
  private readonly codec: MessageCodec | null
  private readonly choices: Choices
  private isBlocked = false

  constructor(connection: Connection, codec: MessageCodec | null, choices: Choices) {
    this.connection = connection
    this.codec = codec
    this.choices = choices
  }

  pull(most = Infinity): void {
    for (let i = 0; i < most; i++) {
      const event = this.connection.nextEvent()
      if (event === null) return
      this.events.push(event)
    }
  }

  receive(bytes: Buffer): void {
    const { connection, choices } = this
    const way = choices.below(4)
    if (way === 0) connection.receiveBytes(Buffer.from(bytes), this.now)
    else if (way === 1) connection.receiveBytes(new Uint8Array(bytes), this.now)
    else {
      const chunk = way === 2 ? lend(bytes) : Buffer.from(bytes)
      connection.receiveBytes(chunk, this.now, true)
      this.pull(choices.pick([Infinity, 0, 1, 3]))
      connection.keepInput()
      // It belongs to the caller again.
      chunk.fill(0x58)
    }
    this.pull(choices.pick([Infinity, 0, 1, 3]))
  }

  take(): void {
    const { connection } = this
    check(connection.mostBufferedBytes >= connection.bufferedBytes, 'at most so many bytes wait as is said')
    const ours = this.sentBytes + (MAX_PENDING_PONGS + 3) * CONTROL_FRAME_BYTES
    check(connection.bufferedBytes <= ours, 'what waits is what was sent, and a few control frames')
    const taken = connection.takeOutput()
    if (taken === null) return
    this.output.push(Buffer.from(taken))
    if (this.choices.flag) connection.recycleOutput()
    else connection.forgetOutput()
  }

  /** Takes all, as a transport that is not blocked. */
  takeAll(): void {
    this.unblock()
    for (let taken = this.connection.takeOutput(); taken !== null; taken = this.connection.takeOutput()) {
      this.output.push(Buffer.from(taken))
      this.connection.recycleOutput()
    }
  }

  private unblock(): void {
    this.isBlocked = false
    this.connection.setBlocked(false)
  }

  private send(): void {
    const { choices, connection } = this
    const text = 'κa𝄞b'.repeat(choices.byte())
    const bytes = Buffer.alloc(choices.byte() * 5, choices.byte())
    const data = choices.pick<string | Buffer | PreparedMessage>([
      text,
      bytes,
      new PreparedMessage(text),
      'hello',
      bytes.subarray(1),
    ])
    const isSent =
      data instanceof PreparedMessage
        ? connection.send(data)
        : connection.send(data, { compress: choices.flag })
    check(isSent === connection.isSendable, 'a message is sent until our Close frame')
    if (!isSent) return
    const seen = data instanceof PreparedMessage ? text : data
    this.sent.push(showEvent(new MessageReceived(seen)))
    this.sentBytes += Buffer.byteLength(seen) + MAX_HEADER_BYTES
  }

  private control(): void {
    const { choices, connection } = this
    const payload = Buffer.alloc(choices.byte() % 126, choices.byte())
    const isPing = choices.flag
    if (!(isPing ? connection.ping(payload, this.now) : connection.pong(payload))) return
    this.sentBytes += CONTROL_FRAME_BYTES
    if (isPing) this.sent.push(showEvent({ type: 'ping', data: payload }))
  }

  private end(): void {
    const { choices, connection } = this
    this.isCutShort = true
    switch (choices.below(4)) {
      case 0:
        connection.fail(choices.pick([1011, 1008, 3000]), 'x'.repeat(choices.byte()))
        return
      case 1:
        connection.receiveEnd()
        return
      case 2:
        connection.transportLost()
        return
      default:
        connection.abandon()
        return
    }
  }

  /** One step of the application, the clock or the transport. */
  step(): void {
    const { choices, connection } = this
    switch (choices.below(12)) {
      case 0:
      case 1:
        this.send()
        return
      case 2:
        this.control()
        return
      case 3:
        connection.close(
          ...choices.pick<[number?, string?]>([[], [1000, 'bye'], [4999, 'κ'.repeat(99)], [1005]]),
        )
        return
      case 4:
        if (choices.byte() % 4 === 1) this.end()
        return
      case 5: {
        this.now += choices.byte() * 100
        const before = connection.readyState
        connection.tick(this.now)
        if (before !== ReadyState.CLOSED && connection.readyState === ReadyState.CLOSED)
          this.isCutShort = true
        // A ping that the connection sends by itself.
        this.sentBytes += CONTROL_FRAME_BYTES
        return
      }
      case 6:
        this.isBlocked = !this.isBlocked
        connection.setBlocked(this.isBlocked)
        return
      case 7:
        connection.readingIsPaused(this.now)
        connection.peerTookBytes(this.now)
        return
      case 8:
        connection.answerClose()
        return
      case 9:
        if (this.codec instanceof ControlledCodec) this.codec.finishAll()
        return
      default:
        this.take()
        return
    }
  }

  /** All that is under way comes to its end. */
  finish(): void {
    do {
      this.pull()
      this.takeAll()
    } while (this.codec instanceof ControlledCodec && this.codec.finishAll())
    this.connection.answerClose()
    this.pull()
    this.takeAll()
    this.connection.transportLost()
    this.pull()
    check(this.connection.nextEvent() === null, 'nothing comes after the end')
    check(this.connection.takeOutput() === null, 'nothing goes out after the end')
    check(this.connection.readyState === ReadyState.CLOSED, 'a connection that has ended is closed')
    closeOf(this.codec)
  }
}

/** The events of any connection keep their order, whatever it received. */
function checkEvents(events: readonly ConnectionEvent[]): void {
  const types = events.map(({ type }) => type)
  check(types.filter((type) => type === 'closed').length === 1, 'a connection is closed once')
  check(types.at(-1) === 'closed', 'closed is the last event')
  const errorAt = types.indexOf('error')
  check(errorAt < 0 || errorAt === types.length - 2, 'after an error comes closed, and nothing else')
  const closeAt = types.indexOf('closeReceived')
  const after = closeAt < 0 ? [] : types.slice(closeAt + 1)
  check(
    after.every((type) => type === 'closed' || type === 'error'),
    'after the Close frame of the peer nothing is received',
  )
}

const LEGAL_CODE = (code: number): boolean =>
  (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999)

/** What goes out keeps RFC 6455 section 5, whatever came in. */
function checkFrame(
  { opcode, key, fin, rsv1, rsv2, rsv3, lengthForm, payload, closeCode }: WireFrame,
  role: Role,
  hasCodec: boolean,
): void {
  check((key !== null) === (role === 'client'), 'a client masks, and a server does not')
  check(!rsv2 && !rsv3 && (!rsv1 || (hasCodec && opcode < 8)), 'no bit is set that nothing gave a meaning')
  check([1, 2, 8, 9, 10].includes(opcode) && fin, 'a message goes out in one frame')
  const shortest = payload.length <= 125 ? 7 : payload.length <= 65_535 ? 16 : 64
  check(lengthForm === shortest, 'a length has its shortest form')
  check(opcode < 8 || payload.length <= 125, 'a control frame has at most 125 bytes')
  if (opcode === 8) check(payload.length === 0 || LEGAL_CODE(closeCode), 'a Close frame has a legal code')
}

/** The peer reads what goes out, as it was sent. */
function checkOutput(play: Play, role: Role, kind: CodecKind, choices: Choices): void {
  const output = Buffer.concat(play.output)
  const { frames, rest } = readFrames(output)
  check(rest.length === 0, 'what goes out is whole frames')
  for (const frame of frames) checkFrame(frame, role, kind !== 'none')
  const closeAt = frames.findIndex(({ opcode }) => opcode === 8)
  check(closeAt < 0 || closeAt === frames.length - 1, 'nothing goes out after a Close frame')
  if (kind === 'by hand') return
  const codec = codecOf(kind, other(role))
  const peer = new Connection({ role: other(role), codec, limits: { heartbeatIntervalMs: false } })
  for (const chunk of choices.chunks(output)) {
    peer.receiveBytes(chunk)
  }
  const heard = pullAll(peer).map(showEvent)
  check(!heard.some((line) => line.startsWith('error')), 'the peer finds no fault in what goes out', () =>
    heard.join('\n'),
  )
  const isSent = (line: string): boolean => play.sent.includes(line)
  const sent = heard.filter((line) => /^(text|binary)/.test(line))
  const expected = play.sent.filter((line) => /^(text|binary)/.test(line))
  checkSame(sent, expected.slice(0, sent.length), 'messages go out as they were sent, in order')
  check(
    heard
      .filter((line) => line.startsWith('ping'))
      .every((line) => isSent(line) || line.length <= 'ping '.length + 8),
    'pings go out as they were sent',
  )
  closeOf(codec)
}

const LIMITS = [
  { maxMessageBytes: 1000, maxFrameBytes: Infinity },
  { maxMessageBytes: 100_000, maxFrameBytes: 300 },
  { maxMessageBytes: 5, maxFrameBytes: 4 },
] as const

function run(input: Buffer): void {
  const choices = new Choices(input)
  const { bytes } = choices
  const role: Role = choices.flag ? 'client' : 'server'
  const kind = choices.pick<CodecKind>(['none', 'alone', 'context', 'by hand'])
  const limits = {
    ...choices.pick(LIMITS),
    maxPendingPongs: MAX_PENDING_PONGS,
    idleTimeoutMs: choices.flag ? 5000 : false,
    heartbeatIntervalMs: choices.flag ? 3000 : false,
  } as const
  const codec = codecOf(kind, role)
  const connection = new Connection({ role, limits, codec, autoPong: choices.flag, autoClose: choices.flag })
  const play = new Play(connection, codec, choices)
  let at = 0
  for (let steps = 0; steps < MAX_STEPS && choices.hasMore; steps++) {
    if (at < bytes.length && choices.flag) {
      const end = at + choices.size()
      play.receive(bytes.subarray(at, end))
      at = end
    } else {
      play.step()
    }
  }
  if (at < bytes.length) connection.receiveBytes(Buffer.from(bytes.subarray(at)))
  play.finish()
  checkEvents(play.events)
  checkOutput(play, role, kind, choices)

  const isReceived = ({ type }: ConnectionEvent): boolean => type !== 'closed' && type !== 'idleTimeout'
  const received = play.events.filter(isReceived).map(showEvent)
  const expected = reference({ role, limits }, kind, bytes)
  const compared = play.isCutShort ? received.filter((line) => !line.startsWith('error')) : received
  checkSame(
    compared,
    play.isCutShort ? expected.slice(0, compared.length) : expected,
    'the same bytes give the same events, whatever the application does',
  )
}

export const target: Target = {
  title: 'a whole connection, with an application, a clock and a transport that the input plays',
  lanes: ['native', 'no-wasm', 'off'],
  maxBytes: 1000,
  seeds: () =>
    (['client', 'server'] as const).flatMap((sender) =>
      peerStreams(sender).flatMap((bytes, i) => [
        inputOf(bytes, sender === 'client' ? 0 : 1, i),
        inputOf(
          bytes,
          sender === 'client' ? 0 : 1,
          i,
          0,
          1,
          1,
          1,
          1,
          1,
          3,
          2,
          i,
          0,
          1,
          20,
          2,
          0,
          0,
          0,
          0,
          3,
          1,
          9,
          0,
          10,
          1,
          5,
          1,
          2,
          0,
          3,
          1,
          0,
          5,
          40,
          1,
          30,
          2,
          0,
          10,
        ),
      ]),
    ),
  run,
}
