import { LimitError, ProtocolError } from '../errors.js'
import type { DecodeListener, DecodeResult, MessageCodec } from '../extension/message-codec.js'
import { messageBuffer } from '../frame/buffer-pool.js'
import type { FramePart } from '../frame/frame-event.js'
import { FrameParser, type Role } from '../frame/frame-parser.js'
import { MAX_CONTROL_PAYLOAD_BYTES } from '../frame/header.js'
import { MessageAssembler } from '../frame/message-assembler.js'
import { maskInPlace } from '../frame/masking.js'
import { isControlOpcode, Opcode } from '../frame/opcode.js'
import { asBuffer } from '../frame/as-buffer.js'
import { MessageRun, returnRun } from '../frame/message-run.js'
import { copyOwn } from '../frame/own-copy.js'
import { decodeText, isWholeText, Utf8Validator } from '../frame/utf8.js'
import type { Limits } from '../limits.js'
import { sliceLatin1, sliceUtf8 } from '../native/buffer-text.js'
import { MessageReceived, type Waker } from './events.js'

/** The shortest frame header in bytes (RFC 6455 section 5.2). */
const HEADER_BYTES = 2

/** A complete control frame. */
export class ControlFrame {
  readonly type = 'control'
  /** That of the frame: see `Opcode`. */
  readonly opcode: number
  /** The unmasked payload, which belongs to the receiver of the frame. */
  readonly payload: Buffer

  constructor(opcode: number, payload: Buffer) {
    this.opcode = opcode
    this.payload = payload
  }
}

/** What a text becomes: a string; or the bytes as they are, validated or not, which `opcode` tells from others. */
export type TextForm = 'string' | 'bytes' | 'unchecked'

/** Frames to messages: assembles and decodes them. Gives errors as values; after one it is of no more use. */
export class Receiver implements DecodeListener {
  private readonly parser: FrameParser
  private codec: MessageCodec | null
  /** Whether received frames are masked. */
  private readonly isMasked: boolean
  /** The limit of this name, in bytes. */
  readonly maxMessageBytes: number
  private waker: Waker | null
  /** The current message, if it arrives in several parts. */
  private assembler: MessageAssembler | null = null
  /** The current control frame, if it arrives in several parts. */
  private control: Buffer | null = null
  /** Whether the current chunk is lent, so that no view of it may be kept. */
  private isBorrowed = false
  /** The parsed bytes of data frames; each header counts as 2 bytes. */
  dataBytes: number
  /** The kind of the message that is decoded off the loop: nothing after it is looked at until then. Null: there is none. */
  private decoding: 'text' | 'binary' | null = null
  private readonly text: TextForm
  /** The type of the message that {@link next} gave last. */
  opcode: number = Opcode.TEXT
  /** The frames of the current message, if it arrives in several parts. */
  private fragments = 0
  /** The most frames that a message may have: no limit, unless {@link limitFragments} sets one. */
  maxFragments = Infinity
  /** What became of it, or messages that were taken together: what {@link next} gives before all else. */
  private ready: MessageReceived | ProtocolError | MessageRun | null = null

  /**
   * @param waker woken when a message came about by itself, at the end of work off the loop
   * @param text what a text becomes
   */
  constructor(
    role: Role,
    limits: Pick<Limits, 'maxMessageBytes' | 'maxFrameBytes'>,
    codec: MessageCodec | null,
    waker: Waker,
    dataBytes = 0,
    text: TextForm = 'string',
  ) {
    this.dataBytes = dataBytes
    this.text = text
    this.isMasked = role === 'server'
    this.codec = codec
    this.maxMessageBytes = limits.maxMessageBytes
    this.waker = waker
    this.parser = new FrameParser({
      role,
      reservedBits: codec === null ? 0 : codec.reservedBits,
      maxFrameBytes: limits.maxFrameBytes,
      maxMessageBytes: limits.maxMessageBytes,
    })
  }

  /** From now on it receives for this connection. @param dataBytes see {@link dataBytes} */
  serve(codec: MessageCodec | null, waker: Waker, dataBytes: number): void {
    this.codec = codec
    this.waker = waker
    this.dataBytes = dataBytes
  }

  /** It receives for nobody, and holds nothing of the connection that it served. */
  leave(): void {
    this.codec = null
    this.waker = null
  }

  /** Whether it could receive for another connection: it is between two messages, and no byte waits to be looked at. */
  get isAtRest(): boolean {
    return (
      this.assembler === null &&
      this.control === null &&
      this.decoding === null &&
      this.ready === null &&
      this.parser.isAtRest
    )
  }

  /** What the parser found in the header that it refused: see {@link FrameParser}. */
  get refusedHeader(): Pick<FrameParser, 'headerByte' | 'headerLength'> {
    return this.parser
  }

  /** Whether the last error is that a message has more frames than {@link limitFragments} allows. */
  get hasTooManyFragments(): boolean {
    return this.fragments > this.maxFragments
  }

  /**
   * Limits the frames of one message, whose memory follows its bytes and not their number: for callers who want it.
   * @param frames the most that a message may have
   */
  limitFragments(frames: number): void {
    this.maxFragments = frames
  }

  /** Whether the current chunk is lent: {@link keepInput} lets go of it. */
  get isLent(): boolean {
    return this.isBorrowed
  }

  /** Whether a message is decoded off the loop: feeding more only fills memory. */
  get isInflating(): boolean {
    return this.decoding !== null
  }

  /** Whether part of a message was received. */
  get isInMessage(): boolean {
    return this.assembler !== null || this.isInflating
  }

  /** @param chunk owned by the receiver from now on, or until {@link keepInput} if it is lent */
  push(chunk: Uint8Array, isBorrowed = false): void {
    if (isBorrowed && this.parser.bufferedBytes > 0) {
      // Other chunks wait before it, so it will not be consumed before keepInput.
      this.parser.push(Buffer.from(chunk))
      return
    }
    this.isBorrowed = isBorrowed
    this.parser.push(chunk)
  }

  /** Copies the unconsumed rest of a lent chunk. Its memory then belongs to the caller again. */
  keepInput(): void {
    if (!this.isBorrowed) return
    this.isBorrowed = false
    this.parser.keepInput()
  }

  /** The next message or control frame, or what the peer did wrong. Null: more bytes, or time, are needed. */
  next(): MessageReceived | ControlFrame | ProtocolError | null {
    if (this.decoding !== null) return null
    if (this.ready !== null) return this.takeReady(this.ready)
    const run = this.parser.takeRun(this.text !== 'string')
    if (run !== null) return this.receiveRun(run)
    const opcode = this.parser.takeWhole()
    if (opcode !== 0) return this.receiveShort(opcode)
    for (;;) {
      if (this.assembler !== null) {
        const message = this.receiveFragments(this.assembler)
        if (message !== null) return message
        if (this.isInflating) return null
      }
      const event = this.parser.next()
      if (event === null) return null
      if (event.type === 'violation') return event.error
      const result = isControlOpcode(event.opcode) ? this.receiveControl(event) : this.receiveData(event)
      if (result !== null) return result
      if (this.isInflating) return null
    }
  }

  private takeReady(ready: MessageReceived | ProtocolError | MessageRun): MessageReceived | ProtocolError {
    if (ready instanceof MessageRun) return this.takeOne(ready)
    this.ready = null
    return ready
  }

  private receiveRun(run: MessageRun): MessageReceived {
    this.dataBytes += run.byteLength + run.count * HEADER_BYTES
    this.opcode = run.opcode
    this.ready = run
    return this.takeOne(run)
  }

  private takeOne(run: MessageRun): MessageReceived {
    const message = new MessageReceived(run.shift())
    if (run.isOver) {
      this.ready = null
      returnRun(run)
    }
    return message
  }

  private receiveData(part: FramePart): MessageReceived | ProtocolError | null {
    this.dataBytes += part.end - part.start + HEADER_BYTES
    // The fast path does not copy a message of one frame that lies whole in the chunk.
    if (this.assembler === null && part.isLast && part.fin) return this.receiveWhole(part)
    if (this.assembler === null) {
      this.assembler = new MessageAssembler(part, this.text !== 'unchecked')
      this.fragments = 0
    }
    const { assembler } = this
    if (part.isFirst && ++this.fragments > this.maxFragments) return this.tooManyFragments()
    const error = assembler.append(part)
    if (error !== null) return error
    return part.isLast && part.fin ? this.receiveAssembled(assembler) : null
  }

  /** Appends the continuation frames that lie whole in the chunk, up to one that the parser must look at. */
  private receiveFragments(assembler: MessageAssembler): MessageReceived | ProtocolError | null {
    const { parser } = this
    for (let frames = parser.takeFragments(); frames > 0; frames = parser.takeFragments()) {
      this.dataBytes += parser.wholeEnd - parser.wholeStart + frames * HEADER_BYTES
      this.fragments += frames
      if (this.fragments > this.maxFragments) return this.tooManyFragments()
      const error = assembler.appendTaken(parser)
      if (error !== null) return error
      if (parser.tookLast) return this.receiveAssembled(assembler)
    }
    return null
  }

  private tooManyFragments(): LimitError {
    return new LimitError('HAWSER_MESSAGE_TOO_BIG', this.maxFragments, this.fragments)
  }

  private receiveAssembled(assembler: MessageAssembler): MessageReceived | ProtocolError | null {
    this.assembler = null
    const bytes = assembler.finish()
    if (bytes instanceof ProtocolError) return bytes
    const isText = assembler.opcode === Opcode.TEXT
    this.opcode = assembler.opcode
    const { reservedBits } = assembler
    if (reservedBits !== 0) return this.decode(assembler.keep(bytes), isText, true, reservedBits)
    if (!isText || this.text !== 'string') return new MessageReceived(assembler.keep(bytes))
    // The assembler has validated it.
    const end = bytes.length
    const text = assembler.isAscii ? sliceLatin1(bytes, 0, end) : sliceUtf8(bytes, 0, end)
    assembler.release()
    return new MessageReceived(text)
  }

  private receiveWhole(part: FramePart): MessageReceived | ProtocolError | null {
    this.opcode = part.opcode
    if (part.reservedBits !== 0) {
      return this.decode(part.payload, part.opcode === Opcode.TEXT, !this.isBorrowed, part.reservedBits)
    }
    if (part.opcode === Opcode.BINARY)
      return new MessageReceived(this.isBorrowed ? part.copy() : part.payload)
    const { source, start, end } = part
    const isAscii = part.unmask()
    if (this.text !== 'string' && this.isValid(source, start, end, isAscii)) {
      return new MessageReceived(this.ownOf(source, start, end))
    }
    if (isAscii) return new MessageReceived(sliceLatin1(source, start, end))
    return toText(source, start, end)
  }

  /** Reads a message of one short frame: see {@link FrameParser.takeWhole}. */
  private receiveShort(opcode: number): MessageReceived | ProtocolError {
    const { wholeSource: source, wholeStart: start, wholeEnd: end, wholeKey: key } = this.parser
    this.dataBytes += end - start + HEADER_BYTES
    const isAscii = this.isMasked && maskInPlace(source, start, end, key)
    this.opcode = opcode
    if (opcode === Opcode.TEXT && (this.text === 'string' || !this.isValid(source, start, end, isAscii))) {
      return isAscii ? new MessageReceived(sliceLatin1(source, start, end)) : toText(source, start, end)
    }
    return new MessageReceived(this.ownOf(source, start, end))
  }

  /** Bytes of the chunk as the receiver of the message may keep them. */
  private ownOf(source: Buffer, start: number, end: number): Buffer {
    return this.isBorrowed ? copyOwn(source, start, end) : source.subarray(start, end)
  }

  /** The message that was decoded off the loop is there. */
  decoded(result: DecodeResult): void {
    const isText = this.decoding === 'text'
    this.decoding = null
    this.ready = this.finishDecode(result, isText, true)
    ;(this.waker as Waker).wake()
  }

  /** @param isLasting whether the bytes are ours to keep */
  private decode(
    bytes: Buffer,
    isText: boolean,
    isLasting: boolean,
    reservedBits: number,
  ): MessageReceived | ProtocolError | null {
    const codec = this.codec as MessageCodec
    const result = codec.decode(bytes, this, this.maxMessageBytes, isLasting, reservedBits)
    if (result !== 'later') return this.finishDecode(result, isText, false)
    this.decoding = isText ? 'text' : 'binary'
    return null
  }

  /** @param isOwned whether the bytes are ours: the codec may write in others with its next call */
  private finishDecode(
    result: DecodeResult,
    isText: boolean,
    isOwned: boolean,
  ): MessageReceived | ProtocolError {
    if (result instanceof ProtocolError) return result
    const bytes = asBuffer(result)
    if (isText && (this.text === 'string' || !this.isValid(bytes, 0, bytes.length, false))) {
      return toText(bytes, 0, bytes.length)
    }
    if (isOwned) return new MessageReceived(bytes)
    const own = messageBuffer(bytes.length)
    own.set(bytes)
    return new MessageReceived(own)
  }

  /** Whether a complete text may be given as bytes: {@link toText} has the error of one that may not. */
  private isValid(bytes: Buffer, start: number, end: number, isAscii: boolean): boolean {
    return isAscii || this.text === 'unchecked' || isWholeText(bytes, start, end)
  }

  private receiveControl(part: FramePart): ControlFrame | null {
    if (part.isFirst && part.isLast) {
      return new ControlFrame(part.opcode, this.isBorrowed ? part.copy() : part.payload)
    }
    this.control ??= Buffer.allocUnsafe(MAX_CONTROL_PAYLOAD_BYTES)
    part.copyTo(this.control, part.offset)
    if (!part.isLast) return null
    const payload = this.control.subarray(0, part.payloadLength)
    this.control = null
    return new ControlFrame(part.opcode, payload)
  }
}

/** Decodes a complete text. The error is the same as for a text that arrives in parts. */
function toText(bytes: Buffer, start: number, end: number): MessageReceived | ProtocolError {
  const text = decodeText(bytes, start, end)
  if (text !== null) return new MessageReceived(text)
  const isCut = new Utf8Validator().push(bytes, start, end)
  return new ProtocolError('HAWSER_INVALID_UTF8', isCut ? 'the text ends inside a character' : undefined)
}
