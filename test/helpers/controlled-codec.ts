import type {
  DecodeListener,
  DecodeResult,
  EncodeListener,
  MessageCodec,
} from '../../src/extension/message-codec.js'
import { LimitError, ProtocolError } from '../../src/errors.js'

export interface ControlledCodecOptions {
  /** Messages from this length on are worth compressing. Default 0. */
  readonly thresholdBytes?: number
  /** Messages from this length on are compressed when the test says so. Default: none. */
  readonly asyncDeflateBytes?: number
  /** Messages whose compressed form is so long are inflated when the test says so. Default: none. */
  readonly asyncInflateBytes?: number
  /** Calls its listeners also after `close`, which the port forbids. Default false. */
  readonly isRude?: boolean
}

/** All codecs write their synchronous results here, as the port allows: a caller that keeps one finds other bytes later. */
const SCRATCH = Buffer.alloc(4 * 1024 * 1024)

/**
 * A codec of the port's kind, written by hand: runs of equal bytes become a count and the byte. Before them stands
 * the number of the message, so that messages which are inflated in another order than they were deflated in do
 * not inflate, as with a kept context. Asynchronous work ends when the test says so. It throws where its caller
 * breaks the port's rules: calls of one direction that overlap, or calls after `close`.
 */
export class ControlledCodec implements MessageCodec {
  /** How often the connection gave it a message that may be compressed. */
  asked = 0
  isClosed = false
  private readonly options: Required<ControlledCodecOptions>
  private deflated = 0
  private inflated = 0
  private deflateJob: (() => void) | null = null
  private inflateJob: (() => void) | null = null

  constructor(options: ControlledCodecOptions = {}) {
    this.options = {
      thresholdBytes: 0,
      asyncDeflateBytes: Infinity,
      asyncInflateBytes: Infinity,
      isRude: false,
      ...options,
    }
  }

  get isDeflating(): boolean {
    return this.deflateJob !== null
  }

  get isInflating(): boolean {
    return this.inflateJob !== null
  }

  /** Ends the compression under way. */
  finishDeflate(): void {
    const job = this.deflateJob
    if (job === null) throw new Error('nothing is being deflated')
    this.deflateJob = null
    job()
  }

  /** Ends the inflation under way. */
  finishInflate(): void {
    const job = this.inflateJob
    if (job === null) throw new Error('nothing is being inflated')
    this.inflateJob = null
    job()
  }

  /** Ends all that is under way, and what begins by it. Returns whether there was anything. */
  finishAll(): boolean {
    let any = false
    while (this.isDeflating || this.isInflating) {
      any = true
      if (this.isDeflating) this.finishDeflate()
      if (this.isInflating) this.finishInflate()
    }
    return any
  }

  readonly reservedBits = 0x40
  readonly encodedBits = 0x40

  /** Its messages are numbered, so none of them can go to many. */
  readonly shared = {
    isWorth: (): boolean => false,
    isLarge: (): boolean => false,
    encode: (): null => {
      throw new Error('a numbered message cannot be shared')
    },
    encodeLater: (): never => {
      throw new Error('a numbered message cannot be shared')
    },
  }

  encode(
    message: string | Uint8Array,
    listener: EncodeListener,
    isLasting = false,
    mayCompress = true,
  ): Uint8Array | null | 'later' {
    this.checkOpen()
    if (!mayCompress) return null
    this.asked++
    if (message.length < this.options.thresholdBytes) return null
    if (this.deflateJob !== null) throw new Error('encode while another message is encoded')
    const bytes = typeof message === 'string' ? Buffer.from(message) : message
    if (bytes.length < this.options.asyncDeflateBytes) return share(this.deflate(bytes))
    const kept = isLasting ? bytes : Buffer.from(bytes)
    this.deflateJob = () => listener.encoded(this.deflate(kept), kept)
    return 'later'
  }

  decode(
    message: Uint8Array,
    listener: DecodeListener,
    maxBytes: number,
    isLasting = false,
  ): DecodeResult | 'later' {
    this.checkOpen()
    if (this.inflateJob !== null) throw new Error('decode while another message is decoded')
    if (message.length < this.options.asyncInflateBytes) {
      const result = this.inflate(message, maxBytes)
      return result instanceof Error ? result : (share(result) as Uint8Array)
    }
    const kept = isLasting ? message : Buffer.from(message)
    this.inflateJob = () => listener.decoded(this.inflate(kept, maxBytes))
    return 'later'
  }

  dropContext(): void {
    this.checkOpen()
  }

  close(): void {
    this.isClosed = true
    if (this.options.isRude) return
    this.deflateJob = null
    this.inflateJob = null
  }

  private checkOpen(): void {
    if (this.isClosed) throw new Error('used after close')
  }

  private deflate(message: Uint8Array): Uint8Array | null {
    const bytes = encodeRuns(message, this.deflated)
    if (bytes.length >= message.length) return null
    this.deflated++
    return bytes
  }

  /** A message back from what {@link encodeRuns} made of it, at once. */
  inflate(message: Uint8Array, maxBytes: number): DecodeResult {
    if (message.length % 2 !== 1 || message[0] !== this.inflated % 256) {
      return new ProtocolError('HAWSER_INVALID_DEFLATE')
    }
    this.inflated++
    let length = 0
    for (let i = 1; i < message.length; i += 2) length += message[i] as number
    if (length > maxBytes) return new LimitError('HAWSER_MESSAGE_TOO_BIG', maxBytes, length)
    const bytes = new Uint8Array(length)
    let at = 0
    for (let i = 1; i < message.length; i += 2) {
      bytes.fill(message[i + 1] as number, at, (at += message[i] as number))
    }
    return bytes
  }
}

/** A message as {@link ControlledCodec} compresses it. */
export function encodeRuns(message: string | Uint8Array, number = 0): Uint8Array {
  const bytes = typeof message === 'string' ? Buffer.from(message) : message
  const out = [number % 256]
  for (let i = 0; i < bytes.length;) {
    const byte = bytes[i] as number
    let count = 1
    while (count < 255 && bytes[i + count] === byte) count++
    out.push(count, byte)
    i += count
  }
  return Uint8Array.from(out)
}

function share(bytes: Uint8Array | null): Uint8Array | null {
  if (bytes === null) return null
  SCRATCH.fill(0xee, 0, 64 * 1024)
  SCRATCH.set(bytes)
  return SCRATCH.subarray(0, bytes.length)
}
