import type { SharedEncoder } from '../extension/message-codec.js'
import { FIN_BIT, frameHeaderBytes, writeFrameHeader } from '../frame/header.js'
import { Opcode } from '../frame/opcode.js'
import { writeUtf8 } from '../native/buffer-text.js'
import { wantsCompression, type SendOptions } from './connection-options.js'
import { viewBytes, type MessageData } from './message-data.js'

/** Messages that are made for one moment lie one behind the other in here. */
const SLAB_BYTES = 64 * 1024
const LARGE_FRAME_BYTES = 16 * 1024
/** So many ways to compress are kept for one message: windows of 9 to 15 bits, and one to spare. */
const MAX_DEFLATED = 8

let slab: Buffer = Buffer.alloc(0)
let slabEnd = 0

/** Room that nobody writes in again, behind what was made last where that fits. */
function allocate(bytes: number, isTransient: boolean): { target: Buffer; start: number } {
  if (!isTransient || bytes > LARGE_FRAME_BYTES) {
    return { target: Buffer.allocUnsafeSlow(bytes), start: 0 }
  }
  if (slabEnd + bytes > slab.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    slabEnd = 0
  }
  const start = slabEnd
  slabEnd += bytes
  return { target: slab, start }
}

/** A frame as it goes out unmasked: bytes `start` to `end` of a buffer that nobody changes any more. */
export class SharedFrame {
  readonly buffer: Buffer
  readonly start: number
  readonly end: number

  constructor(firstByte: number, payload: Uint8Array | string, isTransient: boolean) {
    const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length
    const { target, start } = allocate(frameHeaderBytes(length, false) + length, isTransient)
    const at = writeFrameHeader(target, start, firstByte, length, 0)
    if (typeof payload === 'string') writeUtf8(target, payload, at)
    else target.set(payload, at)
    this.buffer = target
    this.start = start
    this.end = at + length
  }
}

/** Who waits for a {@link SharedCompression}. */
export interface CompressionWaiter {
  /** @param frame null: it does not shrink, or could not be compressed */
  compressionEnded(frame: SharedFrame | null): void
}

/** A message that goes to many is being compressed off the loop, for all codecs that compress alike. */
export class SharedCompression {
  private readonly waiters = new Set<CompressionWaiter>()
  private readonly cancel: () => void
  private isOver = false

  /**
   * @param start begins the work; what it is given is to be called later with the result, and it returns what cancels
   *   the work
   */
  constructor(start: (done: (frame: SharedFrame | null) => void) => () => void) {
    this.cancel = start((frame) => {
      this.isOver = true
      this.tellAll(frame)
    })
  }

  join(waiter: CompressionWaiter): void {
    this.waiters.add(waiter)
  }

  /** Its connection is over. When nobody waits any more the work is cancelled. */
  leave(waiter: CompressionWaiter): void {
    this.waiters.delete(waiter)
    if (this.waiters.size === 0 && !this.isOver) this.cancel()
  }

  /** What one connection's code throws does not keep the message from the others: it is thrown after them. */
  private tellAll(frame: SharedFrame | null): void {
    const failures: unknown[] = []
    for (const waiter of this.waiters) {
      this.waiters.delete(waiter)
      try {
        waiter.compressionEnded(frame)
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'what followed a compression threw')
  }
}

/** What {@link PreparedMessage.deflatedBy} made, by who made it. */
interface Deflated {
  readonly by: SharedEncoder
  /** null: it does not shrink. */
  result: SharedFrame | SharedCompression | null
}

/**
 * A message that is encoded once and sent to many, or many times: give it to `send`, `broadcast` or a group as
 * you would the text or the bytes. A server's connections share its frame; where permessage-deflate is in use it is
 * compressed once as well, by itself (RFC 7692 section 7.2.3.3 lets a sender not use its context). A client masks
 * each frame anew (RFC 6455 section 5.3), and saves the encoding of the text alone.
 */
export class PreparedMessage {
  /** @internal */
  readonly frame: SharedFrame
  /** @internal Whether it may be compressed. */
  readonly compress: boolean
  /** @internal FIN and the opcode. */
  readonly firstByte: number
  /** How many bytes the message has. */
  readonly byteLength: number
  private readonly isTransient: boolean
  private deflated: Deflated[] | null = null

  /**
   * @param data a string is sent as text, anything else as bytes; copied
   * @param options as for `send`
   * @throws TypeError for anything that is neither text nor bytes, and for wrong options
   */
  constructor(data: MessageData, options?: SendOptions)
  /** @internal `isTransient`: it lives for a moment only, and may lie beside others of its kind. */
  constructor(data: MessageData, options: SendOptions | undefined, isTransient: boolean)
  constructor(data: MessageData, options?: SendOptions, isTransient = false) {
    const payload = typeof data === 'string' ? data : viewBytes('data', data)
    this.compress = options === undefined || wantsCompression(options)
    this.firstByte = FIN_BIT | (typeof payload === 'string' ? Opcode.TEXT : Opcode.BINARY)
    this.isTransient = isTransient
    this.frame = new SharedFrame(this.firstByte, payload, isTransient)
    const { start, end } = this.frame
    const length = end - start
    // The header is one of three lengths, and tells which by the length of the whole.
    const headerBytes = length - 2 <= 125 ? 2 : length - 4 <= 0xffff ? 4 : 10
    this.byteLength = length - headerBytes
  }

  /** What a log shows: not the bytes. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `PreparedMessage ${JSON.stringify({ byteLength: this.byteLength })}`
  }

  /** @internal The message without its header. */
  get payload(): Buffer {
    const { buffer, end } = this.frame
    return buffer.subarray(end - this.byteLength, end)
  }

  /**
   * @internal The frame with the message compressed by itself: made once for all codecs that compress alike.
   * @returns null: it does not shrink; or, where it is large, the compression under way: join it
   */
  deflatedBy(by: SharedEncoder, reservedBits: number): SharedFrame | SharedCompression | null {
    this.deflated ??= []
    for (const one of this.deflated) if (one.by === by) return one.result
    const deflated: Deflated = { by, result: null }
    if (this.deflated.length === MAX_DEFLATED) this.deflated.shift()
    this.deflated.push(deflated)
    if (by.isLarge(this.byteLength)) {
      deflated.result = this.compressLater(by, reservedBits, deflated)
    } else {
      deflated.result = this.compressedFrame(by.encode(this.payload), reservedBits)
    }
    return deflated.result
  }

  private compressLater(by: SharedEncoder, reservedBits: number, deflated: Deflated): SharedCompression {
    return new SharedCompression((done) => {
      const cancel = by.encodeLater(this.payload, (bytes) => {
        const frame = this.compressedFrame(bytes, reservedBits)
        deflated.result = frame
        done(frame)
      })
      return () => {
        this.deflated = (this.deflated as Deflated[]).filter((one) => one !== deflated)
        cancel()
      }
    })
  }

  private compressedFrame(bytes: Uint8Array | null, reservedBits: number): SharedFrame | null {
    return bytes === null ? null : new SharedFrame(this.firstByte | reservedBits, bytes, this.isTransient)
  }
}
