import { LimitError, ProtocolError, type ProtocolErrorCode } from '../errors.js'
import { checkOptionNames, showValue } from '../check.js'
import { FramePart, FrameViolation, type FrameEvent } from './frame-event.js'
import {
  FIN_BIT,
  LENGTH_BITS,
  MASKING_KEY_BYTES,
  MASK_BIT,
  MAX_CONTROL_PAYLOAD_BYTES,
  MAX_HEADER_BYTES,
  OPCODE_BITS,
  PAYLOAD_LENGTH_16,
  PAYLOAD_LENGTH_64,
  RESERVED_BITS,
  readMaskingKey,
  readUint32,
  RSV1_BIT,
} from './header.js'
import { isControlOpcode, isDefinedOpcode, Opcode } from './opcode.js'
import { FrameInput } from './frame-input.js'
import { takeRun, type MessageRun } from './message-run.js'
import { lane } from '../native/simd.js'
import { CHECKS, type FrameParserOptions, type Role } from './frame-parser-options.js'

export type { FrameParserOptions, Role }

/** The first byte of a message in one frame. */
const TEXT = FIN_BIT | Opcode.TEXT
const BINARY = FIN_BIT | Opcode.BINARY

/**
 * Parses bytes into frames (RFC 6455 section 5). It is synchronous, the caller pulls, and nothing that a peer sends makes it
 * throw. It checks every header as soon as its bytes are there, before it reads any byte of the payload. A chunk that is
 * consumed leaves nothing but the start of a header that it cut: memory follows neither announced lengths nor chunks.
 */
export class FrameParser extends FrameInput {
  private readonly expectMask: boolean
  private readonly forbiddenBits: number
  private readonly maxFrameBytes: number
  private readonly maxMessageBytes: number
  private readonly maxCompressedBytes: number

  /** The start of a header that a chunk cut, and its length so far in bytes. */
  private scratch: Buffer | null = null
  private scratchLength = 0

  /** The current frame, while its payload is not complete: `remaining` counts the bytes still to be received. */
  private remaining = 0
  private firstByte = 0
  private payloadLength = 0
  private maskingKey = 0

  /** Whether the parser is between the first and the last frame of a message. */
  private inMessage = false
  private messageBytes = 0
  private messageLimit = 0

  private violation: FrameViolation | null = null
  /** The first byte of the header that was read last by {@link next}: of a violation, what it is about. */
  headerByte = 0
  /** The length in the second byte of that header, as far as it was read: 0 to 127. */
  headerLength = 0

  /** @throws TypeError or RangeError with the option's name, value and range */
  constructor(options: FrameParserOptions) {
    super()
    // Once for each connection: the checks are called as they are, and no object is made between.
    checkOptionNames('FrameParserOptions', options, CHECKS)
    this.expectMask = CHECKS.role('role', options.role) === 'server'
    const allowRsv1 = CHECKS.allowRsv1('allowRsv1', options.allowRsv1)
    const { reservedBits = allowRsv1 ? RSV1_BIT : 0 } = options
    this.forbiddenBits = RESERVED_BITS & ~CHECKS.reservedBits('reservedBits', reservedBits)
    this.maxFrameBytes = CHECKS.maxFrameBytes('maxFrameBytes', options.maxFrameBytes)
    const maxMessageBytes = CHECKS.maxMessageBytes('maxMessageBytes', options.maxMessageBytes)
    const { maxCompressedBytes = maxMessageBytes + Math.ceil(maxMessageBytes / 8) + 1024 } = options
    CHECKS.maxCompressedBytes('maxCompressedBytes', maxCompressedBytes)
    // Above 2^53 - 1 a double skips integers, so a length up there could not be counted down.
    this.maxMessageBytes = Math.min(maxMessageBytes, Number.MAX_SAFE_INTEGER)
    this.maxCompressedBytes = Math.min(maxCompressedBytes, Number.MAX_SAFE_INTEGER)
  }

  /** The peer's violation, or null. After a violation `next` returns nothing else. */
  get error(): ProtocolError | null {
    return this.violation === null ? null : this.violation.error
  }

  /** Whether it is between two messages, and all bytes are consumed: nothing of the stream is known but that. */
  get isAtRest(): boolean {
    return (
      this.remaining === 0 &&
      !this.inMessage &&
      this.scratch === null &&
      this.violation === null &&
      this.bufferedBytes === 0
    )
  }

  /**
   * Takes the next bytes of the stream.
   * @param chunk owned by the parser from now on: payloads are unmasked in place, and parts are views of it
   * @throws TypeError for anything but a Uint8Array
   */
  push(chunk: Uint8Array): void {
    if (!(chunk instanceof Uint8Array)) {
      throw new TypeError(`chunk must be a Uint8Array, not ${showValue(chunk)}`)
    }
    if (this.violation !== null || chunk.length === 0) return
    this.accept(chunk)
  }

  /** Returns the next part of a frame, or the violation that ends the stream, or null if it needs more bytes. */
  next(): FrameEvent | null {
    for (;;) {
      if (this.violation !== null) return this.violation
      if (this.position === this.chunk.length) {
        if (!this.advance()) return null
      } else if (this.remaining > 0) {
        return this.continueFrame()
      } else {
        const event = this.scratch === null ? this.startFrame() : this.resumeHeader(this.scratch)
        if (event !== null) return event
      }
    }
  }

  /** The index in `wholeSource` of the first byte of the payload that was taken. */
  wholeStart = 0
  /** The index after its last byte. */
  wholeEnd = 0
  /** Its masking key, first octet lowest; 0 if it is not masked. */
  wholeKey = 0

  /**
   * Takes the next frame if it is a whole, uncompressed message of at most 125 bytes that lies in the current chunk,
   * as nearly all frames do. It allocates no object, and each check of the header is one comparison (an echo of 32
   * bytes, without sockets, takes 0.8 of the time, Node 20, 2026-11). Any other frame is left to {@link next}.
   * @returns the opcode, TEXT or BINARY; 0 for any other frame, or if no frame is there
   */
  takeWhole(): number {
    const { chunk, position } = this
    const available = chunk.length - position
    if (available < 2 || this.remaining > 0 || this.scratch !== null || this.inMessage) return 0
    const firstByte = chunk[position] as number
    if (firstByte !== TEXT && firstByte !== BINARY) return 0
    // One subtraction removes a mask bit that must be there; a wrong mask bit makes the length negative or too large. Written
    // out here and below: as a method it costs 5 % of the call (Node 20, 2026-11).
    const length = this.expectMask
      ? (chunk[position + 1] as number) - MASK_BIT
      : (chunk[position + 1] as number)
    if (length < 0 || length >= PAYLOAD_LENGTH_16) return 0
    const start = position + (this.expectMask ? 2 + MASKING_KEY_BYTES : 2)
    const end = start + length
    if (end > chunk.length || length > this.maxFrameBytes || length > this.maxMessageBytes) return 0
    this.wholeKey = this.expectMask ? readMaskingKey(chunk, position + 2) : 0
    this.wholeSource = chunk
    this.wholeStart = start
    this.wholeEnd = end
    this.position = end
    return firstByte & OPCODE_BITS
  }

  /**
   * Takes short messages of one type that lie one after the other in the current chunk, if the next two frames are such messages.
   * Text must be ASCII.
   * @param textAsBytes whether text is given as bytes too
   * @returns null if they are not: then {@link takeWhole} looks at the next frame
   */
  takeRun(textAsBytes = false): MessageRun | null {
    const { chunk, position } = this
    if (position === chunk.length || this.inMessage || this.remaining > 0 || this.scratch !== null)
      return null
    const most = Math.min(this.maxFrameBytes, this.maxMessageBytes)
    const run = takeRun(chunk, position, this.expectMask, most, textAsBytes)
    if (run !== null) this.position = position + run.chunkBytes
    return run
  }

  /**
   * Takes the next frame if it is a whole continuation frame of at most 125 bytes that lies in the current chunk; of a chunk
   * that a handle read, all such frames one after the other, also longer ones, as one payload that is no longer masked. It
   * allocates no object.
   * Any other frame is left to {@link next}.
   * @returns the number of frames taken
   */
  takeFragments(): number {
    const { chunk, position } = this
    const available = chunk.length - position
    if (available < 2 || !this.inMessage || this.remaining > 0 || this.scratch !== null) return 0
    const firstByte = chunk[position] as number
    if ((firstByte & ~FIN_BIT) !== Opcode.CONTINUATION) return 0
    if (chunk === lane.chunk) return this.takeJoined()
    const length = this.expectMask
      ? (chunk[position + 1] as number) - MASK_BIT
      : (chunk[position + 1] as number)
    if (length < 0 || length >= PAYLOAD_LENGTH_16) return 0
    const start = position + (this.expectMask ? 2 + MASKING_KEY_BYTES : 2)
    const end = start + length
    const total = this.messageBytes + length
    if (end > chunk.length || length > this.maxFrameBytes || total > this.messageLimit) return 0
    this.wholeKey = this.expectMask ? readMaskingKey(chunk, position + 2) : 0
    this.takenTo(start, end, end, firstByte !== 0)
    return 1
  }

  /** {@link takeFragments} where WebAssembly joins the payloads, unmasked, in the chunk, over what is consumed. */
  private takeJoined(): number {
    const { chunk, position } = this
    const budget = this.messageLimit - this.messageBytes
    const frames = lane.join(
      position,
      chunk.length,
      this.expectMask ? MASK_BIT : 0,
      this.maxFrameBytes,
      budget,
    )
    if (frames === 0) return 0
    this.wholeKey = 0
    this.takenTo(position, lane.joinedEnd, lane.joinedTo, lane.joinedIsLast)
    return frames
  }

  /** Notes a payload that was taken, up to `position` of the chunk. */
  private takenTo(start: number, end: number, position: number, isLast: boolean): void {
    this.wholeSource = this.chunk
    this.wholeStart = start
    this.wholeEnd = end
    this.messageBytes += end - start
    this.inMessage = !isLast
    this.position = position
  }

  /** Whether {@link takeFragments} took the last frame of the message. */
  get tookLast(): boolean {
    return !this.inMessage
  }

  /** Whether all bytes that {@link takeFragments} took are known to be ASCII, although they are not masked. */
  get tookAscii(): boolean {
    return this.wholeSource === lane.chunk && lane.joinedIsAscii
  }

  /** Reads the header at the position straight from the chunk. Null: the chunk cuts it, and its start is put aside. */
  private startFrame(): FrameEvent | null {
    const headerLength = this.readHeader(this.chunk, this.position, this.chunk.length)
    if (headerLength < 0) return this.violation
    if (headerLength === 0) {
      this.scratch = Buffer.allocUnsafe(MAX_HEADER_BYTES)
      this.scratchLength = this.chunk.copy(this.scratch, 0, this.position)
      this.position = this.chunk.length
      return null
    }
    this.position += headerLength
    return this.firstPart()
  }

  /** Reads the rest of a cut header byte by byte: at most 13 bytes. */
  private resumeHeader(scratch: Buffer): FrameEvent | null {
    while (this.position < this.chunk.length) {
      scratch[this.scratchLength++] = this.chunk[this.position++] as number
      const headerLength = this.readHeader(scratch, 0, this.scratchLength)
      if (headerLength < 0) return this.violation
      if (headerLength > 0) {
        this.scratch = null
        return this.firstPart()
      }
    }
    return null
  }

  /**
   * Reads and checks as much of a header as is there, in the order of its bytes.
   * @returns its length in bytes; 0 if it is cut; -1 for a violation
   */
  private readHeader(bytes: Uint8Array, start: number, end: number): number {
    const firstByte = bytes[start] as number
    const opcode = firstByte & OPCODE_BITS
    this.headerByte = firstByte
    if ((firstByte & this.forbiddenBits) !== 0) return this.fail('HAWSER_RESERVED_BITS')
    if (!isDefinedOpcode(opcode)) return this.fail('HAWSER_RESERVED_OPCODE', String(opcode))
    const isControl = isControlOpcode(opcode)
    if (isControl) {
      if ((firstByte & FIN_BIT) === 0) return this.fail('HAWSER_FRAGMENTED_CONTROL')
    } else if (opcode === Opcode.CONTINUATION) {
      if (!this.inMessage) return this.fail('HAWSER_UNEXPECTED_CONTINUATION')
    } else if (this.inMessage) {
      return this.fail('HAWSER_EXPECTED_CONTINUATION')
    }
    // Only the first frame of a message may have them (RFC 7692 section 6.1).
    if ((firstByte & RESERVED_BITS) !== 0 && (isControl || opcode === Opcode.CONTINUATION)) {
      return this.fail('HAWSER_RESERVED_BITS')
    }
    if (end - start < 2) return 0

    const secondByte = bytes[start + 1] as number
    let length = secondByte & LENGTH_BITS
    this.headerLength = length
    if (((secondByte & MASK_BIT) !== 0) !== this.expectMask) {
      return this.fail(this.expectMask ? 'HAWSER_EXPECTED_MASK' : 'HAWSER_UNEXPECTED_MASK')
    }
    if (isControl && length > MAX_CONTROL_PAYLOAD_BYTES) return this.fail('HAWSER_CONTROL_TOO_LONG')
    let at = start + 2
    if (length === PAYLOAD_LENGTH_16) {
      if (end - at < 2) return 0
      length = ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
      if (length < PAYLOAD_LENGTH_16) return this.fail('HAWSER_NON_MINIMAL_LENGTH')
      at += 2
    } else if (length === PAYLOAD_LENGTH_64) {
      if (end > at && (bytes[at] as number) >= 0x80) return this.fail('HAWSER_INVALID_LENGTH')
      if (end - at < 8) return 0
      length = readUint32(bytes, at) * 0x1_0000_0000 + readUint32(bytes, at + 4)
      if (length <= 0xffff) return this.fail('HAWSER_NON_MINIMAL_LENGTH')
      at += 8
    }
    if (!isControl && !this.admit(firstByte, length)) return -1
    if (this.expectMask) {
      if (end - at < MASKING_KEY_BYTES) return 0
      this.maskingKey = readMaskingKey(bytes, at)
      at += MASKING_KEY_BYTES
    }
    this.firstByte = firstByte
    this.payloadLength = length
    return at - start
  }

  /** Checks the announced length against the limits. It counts only once the header is complete: see countFrame. */
  private admit(firstByte: number, length: number): boolean {
    if (length > this.maxFrameBytes) {
      this.failLimit('HAWSER_FRAME_TOO_BIG', this.maxFrameBytes, length)
      return false
    }
    const limit = this.inMessage
      ? this.messageLimit
      : (firstByte & RESERVED_BITS) !== 0
        ? this.maxCompressedBytes
        : this.maxMessageBytes
    const total = this.inMessage ? this.messageBytes + length : length
    if (total > limit) {
      this.failLimit('HAWSER_MESSAGE_TOO_BIG', limit, total)
      return false
    }
    return true
  }

  /** Makes the first part of a frame whose header is complete and valid, with the payload bytes that the chunk has. */
  private firstPart(): FramePart {
    const { firstByte, payloadLength } = this
    const opcode = (firstByte & OPCODE_BITS) as Opcode
    if (!isControlOpcode(opcode)) this.countFrame(firstByte, payloadLength)
    const start = this.position
    const available = this.chunk.length - start
    const taken = available < payloadLength ? available : payloadLength
    this.position = start + taken
    this.remaining = payloadLength - taken
    return new FramePart(
      firstByte,
      opcode,
      payloadLength,
      this.chunk,
      start,
      start + taken,
      this.expectMask,
      this.maskingKey,
      0,
      true,
      this.remaining === 0,
    )
  }

  private countFrame(firstByte: number, payloadLength: number): void {
    if (this.inMessage) {
      this.messageBytes += payloadLength
    } else {
      this.messageBytes = payloadLength
      this.messageLimit = (firstByte & RESERVED_BITS) !== 0 ? this.maxCompressedBytes : this.maxMessageBytes
    }
    this.inMessage = (firstByte & FIN_BIT) === 0
  }

  private continueFrame(): FramePart {
    const start = this.position
    const available = this.chunk.length - start
    const taken = available < this.remaining ? available : this.remaining
    const offset = this.payloadLength - this.remaining
    this.position = start + taken
    this.remaining -= taken
    return new FramePart(
      this.firstByte,
      (this.firstByte & OPCODE_BITS) as Opcode,
      this.payloadLength,
      this.chunk,
      start,
      start + taken,
      this.expectMask,
      this.maskingKey,
      offset,
      false,
      this.remaining === 0,
    )
  }

  private fail(code: ProtocolErrorCode, detail?: string): -1 {
    this.end(new ProtocolError(code, detail))
    return -1
  }

  private failLimit(
    code: 'HAWSER_FRAME_TOO_BIG' | 'HAWSER_MESSAGE_TOO_BIG',
    limit: number,
    actual: number,
  ): void {
    this.end(new LimitError(code, limit, actual))
  }

  /** A violation is final: bytes after it are never parsed. */
  private end(error: ProtocolError): void {
    this.violation = new FrameViolation(error)
    this.dropInput()
    this.scratch = null
  }
}
