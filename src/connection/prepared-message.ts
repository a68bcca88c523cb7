import type { MessageCodec, SharedDeflate } from '../deflate/codec.js'
import { FIN_BIT, frameHeaderBytes, RSV1_BIT, writeFrameHeader } from '../frame/header.js'
import { Opcode } from '../frame/opcode.js'
import { asBuffer, type RawBuffer } from '../frame/raw-buffer.js'
import { wantsCompression, type SendOptions } from './connection-options.js'
import { viewBytes, type MessageData } from './message-data.js'

/** Messages that are made for one moment lie one behind the other in here. */
const SLAB_BYTES = 64 * 1024
const LARGE_FRAME_BYTES = 16 * 1024
/** So many ways to compress are kept for one message: windows of 9 to 15 bits, and one to spare. */
const MAX_DEFLATED = 8

let slab = asBuffer(Buffer.alloc(0))
let slabEnd = 0

/** Room that nobody writes in again, behind what was made last where that fits. */
function allocate(bytes: number, isTransient: boolean): { target: RawBuffer; start: number } {
  if (!isTransient || bytes > LARGE_FRAME_BYTES) {
    return { target: asBuffer(Buffer.allocUnsafeSlow(bytes)), start: 0 }
  }
  if (slabEnd + bytes > slab.length) {
    slab = asBuffer(Buffer.allocUnsafeSlow(SLAB_BYTES))
    slabEnd = 0
  }
  const start = slabEnd
  slabEnd += bytes
  return { target: slab, start }
}

/** A frame as it goes out unmasked: bytes `start` to `end` of a buffer that nobody changes any more. */
export class SharedFrame {
  readonly buffer: RawBuffer
  readonly start: number
  readonly end: number

  constructor(firstByte: number, payload: Uint8Array | string, isTransient: boolean) {
    const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length
    const { target, start } = allocate(frameHeaderBytes(length, false) + length, isTransient)
    const at = writeFrameHeader(target, start, firstByte, length, 0)
    if (typeof payload === 'string') target.utf8Write(payload, at)
    else target.set(payload, at)
    this.buffer = target
    this.start = start
    this.end = at + length
  }
}

/** What {@link PreparedMessage.deflatedBy} made, by who made it. */
interface Deflated {
  readonly by: SharedDeflate
  /** null: it does not shrink. */
  readonly frame: SharedFrame | null
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

  /** @internal The message without its header. */
  get payload(): Buffer {
    const { buffer, end } = this.frame
    return buffer.subarray(end - this.byteLength, end)
  }

  /**
   * @internal The frame with the message compressed by itself: made once for all codecs that compress alike.
   * @returns null: it does not shrink
   */
  deflatedBy(codec: MessageCodec): SharedFrame | null {
    const by = codec.sharedDeflate
    this.deflated ??= []
    for (const one of this.deflated) if (one.by === by) return one.frame
    const bytes = by.deflate(this.payload, false)
    const frame = bytes === null ? null : new SharedFrame(this.firstByte | RSV1_BIT, bytes, this.isTransient)
    if (this.deflated.length === MAX_DEFLATED) this.deflated.shift()
    this.deflated.push({ by, frame })
    return frame
  }
}
