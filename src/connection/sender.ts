import type { MessageCodec } from '../deflate/codec.js'
import { FIN_BIT, RSV1_BIT } from '../frame/header.js'
import { Opcode } from '../frame/opcode.js'
import type { Waker } from './events.js'
import { WriteQueue } from './write-queue.js'
import { PreparedMessage, SharedCompression } from './prepared-message.js'
import type { CompressionWaiter, SharedFrame } from './prepared-message.js'
import { TO_COMPRESS_BIT, CompressionQueue } from './compression-queue.js'

const TEXT = FIN_BIT | Opcode.TEXT
const BINARY = FIN_BIT | Opcode.BINARY
const CLOSE = FIN_BIT | Opcode.CLOSE

/**
 * Turns messages into frames: decides which are compressed, and keeps their order while a large message is compressed
 * on the thread pool. Pings and pongs may pass messages that wait, Close may not (RFC 6455 sections 5.4 and 5.5.1).
 */
export class Sender implements CompressionWaiter {
  readonly output: WriteQueue
  private readonly isMasked: boolean
  private readonly codec: MessageCodec | null
  private readonly waker: Waker
  /** A compression is under way off the loop; of so many bytes. */
  private compressing = false
  private compressingBytes = 0
  /** The compression that is waited for if it is that of a prepared message, and that message. */
  private shared: SharedCompression | null = null
  private sharedMessage: PreparedMessage | null = null
  /** What was sent behind it; made when it is needed first. */
  private waiting: CompressionQueue | null = null

  /** @param waker woken when output came about by itself, at the end of a compression off the loop */
  constructor(masked: boolean, codec: MessageCodec | null, waker: Waker) {
    this.isMasked = masked
    this.output = new WriteQueue(masked)
    this.codec = codec
    this.waker = waker
  }

  /** The bytes of frames that are not taken, and of messages that wait to be compressed or for a compression. */
  get byteLength(): number {
    return this.output.byteLength + this.compressingBytes + (this.waiting?.byteLength ?? 0)
  }

  /**
   * The part of {@link byteLength} that counts as waiting: without a message that is being compressed if nothing is
   * before it.
   * @param hasRoom whether the transport takes a further write
   */
  waitingBytes(hasRoom: boolean): number {
    const isFirst = hasRoom && this.output.byteLength === 0
    return this.byteLength - (isFirst ? this.compressingBytes : 0)
  }

  /** Whether a compression is running, so that later messages wait for it. */
  get isCompressing(): boolean {
    return this.compressing
  }

  /** @param text encoded as UTF-8; lone surrogates become U+FFFD */
  sendText(text: string, compress: boolean): void {
    if (this.compressing) {
      this.behind().appendText(compress ? TEXT | TO_COMPRESS_BIT : TEXT, text)
    } else if (compress && this.codec?.worthDeflating(text.length) === true) {
      this.sendCompressed(TEXT, Buffer.from(text), this.codec, true)
    } else {
      this.output.appendText(TEXT, text)
    }
  }

  /** @param bytes read during the call only */
  sendBytes(bytes: Uint8Array, compress: boolean): void {
    if (this.compressing) {
      this.behind().appendBytes(compress ? BINARY | TO_COMPRESS_BIT : BINARY, bytes)
    } else {
      this.sendMessage(BINARY, bytes, compress, false)
    }
  }

  /** Queues a prepared message. Connections share its frame, unless it must be masked. */
  sendPrepared(message: PreparedMessage): void {
    const { codec } = this
    if (this.compressing) {
      this.behind().appendPrepared(message)
    } else if (this.isMasked) {
      this.sendMessage(message.firstByte, message.payload, message.compress, true)
    } else if (codec !== null && message.compress && codec.worthSharing(message.byteLength)) {
      const deflated = message.deflatedBy(codec)
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
    if (this.compressing) this.behind().appendBytes(CLOSE, payload)
    else this.output.appendBytes(CLOSE, payload)
  }

  /** The prepared message that this connection waits for is compressed. */
  compressionEnded(frame: SharedFrame | null): void {
    const message = this.sharedMessage as PreparedMessage
    this.shared = null
    this.sharedMessage = null
    this.compressing = false
    this.compressingBytes = 0
    this.appendPrepared(message, frame)
    this.sendWaiting()
    this.waker.wake()
  }

  /** Drops all output and all waiting messages. No message can be sent after that. */
  clear(): void {
    this.output.clear()
    this.compressing = false
    this.compressingBytes = 0
    this.waiting = null
    this.shared?.leave(this)
    this.shared = null
    this.sharedMessage = null
    this.codec?.close()
  }

  private waitFor(compression: SharedCompression, message: PreparedMessage): void {
    this.compressing = true
    this.compressingBytes = message.byteLength
    this.shared = compression
    this.sharedMessage = message
    compression.join(this)
  }

  private appendPrepared(message: PreparedMessage, deflated: SharedFrame | null): void {
    // The message enters the context of the peer's inflater, but not that of this side's compressor.
    if (deflated !== null) this.codec?.dropDeflateContext()
    const { buffer, start, end } = deflated ?? message.frame
    this.output.appendShared(buffer, start, end)
  }

  private sendMessage(firstByte: number, payload: Uint8Array, compress: boolean, isOwned: boolean): void {
    if (compress && this.codec?.worthDeflating(payload.length) === true) {
      this.sendCompressed(firstByte, payload, this.codec, isOwned)
    } else {
      this.output.appendBytes(firstByte, payload)
    }
  }

  private sendCompressed(
    firstByte: number,
    payload: Uint8Array,
    codec: MessageCodec,
    isOwned: boolean,
  ): void {
    if (!codec.prefersAsyncDeflate(payload.length)) {
      this.appendDeflated(firstByte, payload, codec.deflate(payload))
      return
    }
    // The work goes on after the call: the caller's bytes may change by then.
    const kept = isOwned ? payload : Buffer.from(payload)
    this.compressing = true
    this.compressingBytes = kept.length
    codec.deflateAsync(kept, (deflated) => {
      // Dropped in the meantime, when the connection failed.
      if (!this.compressing) return
      this.compressing = false
      this.compressingBytes = 0
      this.appendDeflated(firstByte, kept, deflated)
      this.sendWaiting()
      this.waker.wake()
    })
  }

  private behind(): CompressionQueue {
    this.waiting ??= new CompressionQueue()
    return this.waiting
  }

  /** Sends the waiting messages, up to the next one that is compressed on the thread pool. */
  private sendWaiting(): void {
    if (this.waiting === null) return
    do {
      const frame = this.waiting.next()
      if (frame === null) {
        this.waiting = null
        return
      }
      if (frame instanceof PreparedMessage) {
        this.sendPrepared(frame)
      } else {
        const compress = (frame.firstByte & TO_COMPRESS_BIT) !== 0
        this.sendMessage(frame.firstByte & ~TO_COMPRESS_BIT, frame.payload, compress, true)
      }
    } while (!this.compressing)
  }

  private appendDeflated(firstByte: number, payload: Uint8Array, deflated: Uint8Array | null): void {
    if (deflated === null) this.output.appendBytes(firstByte, payload)
    else this.output.appendBytes(firstByte | RSV1_BIT, deflated)
  }
}
