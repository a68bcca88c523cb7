import type { MessageCodec } from '../deflate/codec.js'
import { FIN_BIT, RSV1_BIT } from '../frame/header.js'
import { Opcode } from '../frame/opcode.js'
import type { Waker } from './events.js'
import { OutputQueue } from './output-queue.js'

const TEXT = FIN_BIT | Opcode.TEXT
const BINARY = FIN_BIT | Opcode.BINARY

/** A frame that waits for the compression of a message before it. */
interface WaitingFrame {
  readonly firstByte: number
  readonly payload: Buffer
  readonly compress: boolean
}

/**
 * Messages to frames: decides what is compressed, and keeps the order where a large message is compressed off
 * the loop. Control frames may pass messages that wait, except Close (RFC 6455 sections 5.4 and 5.5.1).
 */
export class Sender {
  readonly output: OutputQueue
  private readonly codec: MessageCodec | null
  private readonly waker: Waker
  /** Not null while a compression is under way: what was sent behind it. */
  private waiting: WaitingFrame[] | null = null
  private waitingBytes = 0

  /** @param waker woken when output came about by itself, at the end of a compression off the loop */
  constructor(masked: boolean, codec: MessageCodec | null, waker: Waker) {
    this.output = new OutputQueue(masked)
    this.codec = codec
    this.waker = waker
  }

  /** Bytes that wait to be taken, and those that wait to be compressed. */
  get byteLength(): number {
    return this.output.byteLength + this.waitingBytes
  }

  /** Whether frames wait for a compression. */
  get isCompressing(): boolean {
    return this.waiting !== null
  }

  /** @param text encoded as UTF-8; lone surrogates become U+FFFD */
  sendText(text: string, compress: boolean): void {
    if (this.waiting !== null) {
      this.wait(TEXT, Buffer.from(text), compress)
    } else if (compress && this.codec?.worthDeflating(text.length) === true) {
      this.sendCompressed(TEXT, Buffer.from(text), this.codec, true)
    } else {
      this.output.appendText(TEXT, text)
    }
  }

  /** @param bytes read during the call only */
  sendBytes(bytes: Uint8Array, compress: boolean): void {
    if (this.waiting !== null) {
      this.wait(BINARY, Buffer.from(bytes), compress)
    } else if (compress && this.codec?.worthDeflating(bytes.length) === true) {
      this.sendCompressed(BINARY, bytes, this.codec, false)
    } else {
      this.output.appendBytes(BINARY, bytes)
    }
  }

  /** A ping or a pong: passes messages that wait. */
  sendControl(opcode: typeof Opcode.PING | typeof Opcode.PONG, payload: Uint8Array): void {
    this.output.appendBytes(FIN_BIT | opcode, payload)
  }

  /** The Close frame: behind all that was sent before. */
  sendClose(payload: Buffer): void {
    if (this.waiting !== null) this.wait(FIN_BIT | Opcode.CLOSE, payload, false)
    else this.output.appendBytes(FIN_BIT | Opcode.CLOSE, payload)
  }

  /** Drops what was not taken, and what waits for a compression. */
  clear(): void {
    this.output.clear()
    this.waiting = null
    this.waitingBytes = 0
    this.codec?.close()
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
    this.waiting = []
    this.waitingBytes = kept.length
    codec.deflateAsync(kept, (deflated) => {
      // Dropped in the meantime, when the connection failed.
      if (this.waiting === null) return
      const behind = this.waiting
      this.waiting = null
      this.waitingBytes = 0
      this.appendDeflated(firstByte, kept, deflated)
      for (const frame of behind) this.resend(frame)
      this.waker.wake()
    })
  }

  private resend(frame: WaitingFrame): void {
    const { firstByte, payload, compress } = frame
    if (this.waiting !== null) {
      this.wait(firstByte, payload, compress)
    } else if (compress && this.codec?.worthDeflating(payload.length) === true) {
      this.sendCompressed(firstByte, payload, this.codec, true)
    } else {
      this.output.appendBytes(firstByte, payload)
    }
  }

  private appendDeflated(firstByte: number, payload: Uint8Array, deflated: Uint8Array | null): void {
    if (deflated === null) this.output.appendBytes(firstByte, payload)
    else this.output.appendBytes(firstByte | RSV1_BIT, deflated)
  }

  private wait(firstByte: number, payload: Buffer, compress: boolean): void {
    this.waiting?.push({ firstByte, payload, compress })
    this.waitingBytes += payload.length
  }
}
