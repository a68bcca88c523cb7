import type { EncodeListener, MessageCodec } from '../extension/message-codec.js'
import { FIN_BIT } from '../frame/header.js'
import { Opcode } from '../frame/opcode.js'
import type { Waker } from './events.js'
import { WriteQueue } from './write-queue.js'
import {
  deflatedBy,
  firstByteOf,
  frameOf,
  payloadOf,
  PreparedMessage,
  SharedCompression,
} from './prepared-message.js'
import type { CompressionWaiter, SharedFrame } from './prepared-message.js'
import { TO_COMPRESS_BIT, CompressionQueue } from './compression-queue.js'

const TEXT = FIN_BIT | Opcode.TEXT
const CLOSE = FIN_BIT | Opcode.CLOSE

/** A message that is encoded off the loop, and what was sent behind it. */
class Encoding {
  /** The first byte of its frame. */
  readonly firstByte: number
  readonly byteLength: number
  /** Where the message goes to many: the message, and who compresses it. */
  readonly message: PreparedMessage | null
  readonly shared: SharedCompression | null
  /** Made when it is needed first. */
  waiting: CompressionQueue | null = null

  constructor(
    firstByte: number,
    byteLength: number,
    message: PreparedMessage | null = null,
    shared: SharedCompression | null = null,
  ) {
    this.firstByte = firstByte
    this.byteLength = byteLength
    this.message = message
    this.shared = shared
  }

  /** The bytes of the message, and of those behind it. */
  get totalBytes(): number {
    return this.byteLength + (this.waiting === null ? 0 : this.waiting.byteLength)
  }
}

/**
 * Turns messages into frames: decides which are compressed, and keeps their order while a large message is compressed
 * on the thread pool. Pings and pongs may pass messages that wait, Close may not (RFC 6455 sections 5.4 and 5.5.1).
 */
export class Sender implements CompressionWaiter, EncodeListener {
  readonly output: WriteQueue
  private readonly isMasked: boolean
  readonly codec: MessageCodec | null
  private readonly waker: Waker
  /** Most connections never have any: one field in place of five. */
  private encoding: Encoding | null = null

  /** @param waker woken when output came about by itself, at the end of a compression off the loop */
  constructor(masked: boolean, codec: MessageCodec | null, waker: Waker) {
    this.isMasked = masked
    this.output = new WriteQueue(masked)
    this.codec = codec
    this.waker = waker
  }

  /** The output, where a prepared message is appended to it as it is: see {@link sendPrepared}. */
  get plainOutput(): WriteQueue | null {
    return this.isMasked || this.codec !== null ? null : this.output
  }

  /** The bytes of frames that are not taken, and of messages that wait to be compressed or for a compression. */
  get byteLength(): number {
    return this.output.byteLength + (this.encoding === null ? 0 : this.encoding.totalBytes)
  }

  /** At least as many as {@link byteLength}, at no cost. */
  get mostBytes(): number {
    return this.output.mostBytes + (this.encoding === null ? 0 : this.encoding.totalBytes)
  }

  /**
   * The part of {@link byteLength} that counts as waiting: without a message that is being compressed if nothing is
   * before it.
   * @param hasRoom whether the transport takes a further write
   */
  waitingBytes(hasRoom: boolean): number {
    const isFirst = hasRoom && this.output.byteLength === 0
    return this.byteLength - (isFirst && this.encoding !== null ? this.encoding.byteLength : 0)
  }

  /** Whether a compression is running, so that later messages wait for it. */
  get isCompressing(): boolean {
    return this.encoding !== null
  }

  /**
   * Reports once the last message is a frame of the output: at once, unless it waits for a compression. Never if it is dropped.
   * @param framed gets the number of bytes in the output up to the end of that frame
   */
  whenFramed(framed: (outputBytes: number) => void): void {
    const { output } = this
    if (this.isCompressing) {
      this.behind().mark(() => {
        framed(output.byteLength)
      })
    } else {
      framed(output.byteLength)
    }
  }

  /** @param text encoded as UTF-8; lone surrogates become U+FFFD */
  sendText(text: string, compress: boolean): void {
    if (this.isCompressing) {
      this.behind().appendText(compress ? TEXT | TO_COMPRESS_BIT : TEXT, text)
    } else if (this.codec === null || !this.encode(TEXT, text, this.codec, true, compress)) {
      this.output.appendText(TEXT, text)
    }
  }

  /**
   * @param bytes read during the call only, or held until they are written
   * @param mayHold whether nobody changes the bytes until then
   */
  sendBytes(bytes: Uint8Array, compress: boolean, mayHold = false): void {
    this.sendAs(Opcode.BINARY, bytes, compress, mayHold)
  }

  /**
   * Sends bytes as a message of a type that the caller names: text that is encoded already.
   * @param bytes read during the call only, or held as for {@link sendBytes}
   */
  sendAs(
    opcode: typeof Opcode.TEXT | typeof Opcode.BINARY,
    bytes: Uint8Array,
    compress: boolean,
    mayHold = false,
  ): void {
    const firstByte = FIN_BIT | opcode
    if (this.isCompressing) {
      this.behind().appendBytes(compress ? firstByte | TO_COMPRESS_BIT : firstByte, bytes)
    } else if (this.codec === null || !this.encode(firstByte, bytes, this.codec, false, compress)) {
      if (mayHold) this.output.appendHeld(firstByte, bytes)
      else this.output.appendBytes(firstByte, bytes)
    }
  }

  /** Queues one frame as it is, a part of a message that the caller fragments, after all earlier messages. */
  sendFrame(firstByte: number, payload: Uint8Array): void {
    if (this.isCompressing) this.behind().appendBytes(firstByte, payload)
    else this.output.appendBytes(firstByte, payload)
  }

  /** Queues a prepared message. Connections share its frame, unless it must be masked, or encoded for each. */
  sendPrepared(message: PreparedMessage): void {
    const { codec } = this
    if (this.isCompressing) {
      this.behind().appendPrepared(message)
    } else if (this.isMasked || (codec !== null && codec.shared === null)) {
      this.sendMessage(firstByteOf(message), payloadOf(message), message.compress)
    } else if (codec !== null && message.compress && codec.shared?.isWorth(message.byteLength) === true) {
      const deflated = deflatedBy(message, codec.shared, codec.reservedBits)
      if (deflated instanceof SharedCompression) this.waitFor(deflated, message)
      else this.appendPrepared(message, deflated)
    } else {
      this.appendPrepared(message, null)
    }
  }

  /** Queues a ping or a pong, which passes waiting messages. */
  sendControl(opcode: typeof Opcode.PING | typeof Opcode.PONG, payload: Uint8Array): void {
    this.output.appendBytes(FIN_BIT | opcode, payload)
  }

  /** Queues the Close frame, which leaves after all earlier messages. */
  sendClose(payload: Buffer): void {
    if (this.isCompressing) this.behind().appendBytes(CLOSE, payload)
    else this.output.appendBytes(CLOSE, payload)
  }

  /** The prepared message that this connection waits for is compressed. */
  compressionEnded(frame: SharedFrame | null): void {
    const { message, waiting } = this.encoding as Encoding
    this.encoding = null
    this.appendPrepared(message as PreparedMessage, frame)
    if (waiting !== null) this.sendWaiting(waiting)
    this.waker.wake()
  }

  /** The message that was encoded off the loop goes out. */
  encoded(payload: Uint8Array | null, message: Uint8Array): void {
    // Dropped in the meantime, when the connection failed.
    if (this.encoding === null) return
    const { firstByte, waiting } = this.encoding
    this.encoding = null
    if (payload === null) this.output.appendBytes(firstByte, message)
    else this.output.appendBytes(firstByte | (this.codec as MessageCodec).encodedBits, payload)
    if (waiting !== null) this.sendWaiting(waiting)
    this.waker.wake()
  }

  /** Drops what was not taken, and what waits for a compression. Of no more use for messages then. */
  clear(): void {
    this.output.clear()
    this.encoding?.shared?.leave(this)
    this.encoding = null
    this.codec?.close()
  }

  private waitFor(compression: SharedCompression, message: PreparedMessage): void {
    this.encoding = new Encoding(firstByteOf(message), message.byteLength, message, compression)
    compression.join(this)
  }

  private appendPrepared(message: PreparedMessage, deflated: SharedFrame | null): void {
    // The message enters the context of the peer's inflater, but not that of this side's compressor.
    if (deflated !== null) this.codec?.dropContext()
    const { buffer, start, end } = deflated ?? frameOf(message)
    this.output.appendShared(buffer, start, end)
  }

  /** @param payload nobody changes it any more */
  private sendMessage(firstByte: number, payload: Uint8Array, compress: boolean): void {
    if (this.codec === null || !this.encode(firstByte, payload, this.codec, true, compress)) {
      this.output.appendBytes(firstByte, payload)
    }
  }

  /** @returns whether the message is out, or will be; false: it is to go out as it is */
  private encode(
    firstByte: number,
    message: string | Uint8Array,
    codec: MessageCodec,
    isLasting: boolean,
    compress: boolean,
  ): boolean {
    const payload = codec.encode(message, this, isLasting, compress)
    if (payload === null) return false
    if (payload === 'later') {
      const byteLength = typeof message === 'string' ? Buffer.byteLength(message) : message.length
      this.encoding = new Encoding(firstByte, byteLength)
    } else {
      this.output.appendBytes(firstByte | codec.encodedBits, payload)
    }
    return true
  }

  /** What is sent behind the message that is encoded. */
  private behind(): CompressionQueue {
    const encoding = this.encoding as Encoding
    encoding.waiting ??= new CompressionQueue()
    return encoding.waiting
  }

  /** Sends the waiting messages, up to the next one that is compressed on the thread pool: the rest waits for that. */
  private sendWaiting(waiting: CompressionQueue): void {
    do {
      waiting.reachMarks()
      const frame = waiting.next()
      if (frame === null) return
      if (frame instanceof PreparedMessage) {
        this.sendPrepared(frame)
      } else {
        const compress = (frame.firstByte & TO_COMPRESS_BIT) !== 0
        this.sendMessage(frame.firstByte & ~TO_COMPRESS_BIT, frame.payload, compress)
      }
    } while (this.encoding === null)
    this.encoding.waiting = waiting
  }
}
