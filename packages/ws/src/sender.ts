/** The class Sender of `ws`: it writes frames to the socket of a connection. */
import { frameFirstByte, writeMaskingKey } from '../../../src/frame/frame-serializer.js'
import {
  frameHeaderBytes,
  MASK_BIT,
  MASKING_KEY_BYTES,
  MAX_CONTROL_PAYLOAD_BYTES,
  readMaskingKey,
  writeFrameHeader,
} from '../../../src/frame/header.js'
import { createMaskingKey, maskCopy, maskInPlace } from '../../../src/frame/masking.js'
import { Opcode } from '../../../src/frame/opcode.js'
import { isBlob, toPayload, type BlobLike, type Payload } from './payload.js'
import { PerMessageDeflate, type DeflateCallback } from './permessage-deflate.js'
import { closePayload } from './values.js'

/** What a sender needs of a socket. */
export interface SenderSocket {
  readonly destroyed?: boolean
  cork(): void
  uncork(): void
  write(data: string | Uint8Array, callback?: SendCallback): unknown
}

/** Called when the bytes are written, or with the error. */
export type SendCallback = (error?: Error | null) => void

/** Fills the four bytes of a masking key. */
export type MaskGenerator = (mask: Buffer) => void

/** The frame to make. */
export interface FrameOptions {
  /** Whether it is the last of its message. Default false. */
  fin?: boolean | undefined
  /** Default: the sender's, or random. */
  generateMask?: MaskGenerator | undefined
  /** Whether to mask the payload. Default false. */
  mask?: boolean | undefined
  /** Where the masking key is put. */
  maskBuffer?: Buffer | undefined
  opcode?: number | undefined
  /** Whether the payload must not change: it is masked in a copy. Default false. */
  readOnly?: boolean | undefined
  /** Whether the payload is compressed. Default false. */
  rsv1?: boolean | undefined
}

/** How a message is sent. */
export interface SendOptions {
  /** Whether it is binary. Default false. */
  binary?: boolean | undefined
  /** Whether to compress it, where permessage-deflate is in use. Default false. */
  compress?: boolean | undefined
  /** Whether this is the last fragment of a message. Default false. */
  fin?: boolean | undefined
  /** Whether to mask it. Default false. */
  mask?: boolean | undefined
}

/** What a sender needs of permessage-deflate. */
interface Compressor {
  readonly params: Record<string, unknown> | null
  readonly _isServer: boolean
  readonly _threshold: number
  compress(data: string | Buffer, fin: boolean, callback: DeflateCallback): void
}

/** A call that waits for those before it. */
interface Waiting {
  readonly byteLength: number
  readonly callback: SendCallback | undefined
  run(): void
}

const EMPTY: Buffer = Buffer.alloc(0)
const SCRATCH_MASK = Buffer.alloc(MASKING_KEY_BYTES)

const SOCKET_CLOSED_COMPRESSING = 'The socket was closed while data was being compressed'
const SOCKET_CLOSED_READING = 'The socket was closed while the blob was being read'

/** The masking key of a frame, first octet lowest. */
function maskingKey({ generateMask, maskBuffer = SCRATCH_MASK }: FrameOptions): number {
  if (generateMask === undefined) writeMaskingKey(maskBuffer, 0, createMaskingKey())
  else generateMask(maskBuffer)
  return readMaskingKey(maskBuffer, 0)
}

/**
 * Makes a frame.
 * @returns the header, and the payload if it is not empty; or one Buffer of both where the payload is masked in a copy
 */
function makeFrame(data: string | Buffer, byteLength: number, options: FrameOptions): (string | Buffer)[] {
  const { fin = false, mask = false, opcode = 0, readOnly = false, rsv1 = false } = options
  const key = mask ? maskingKey(options) : 0
  const headerBytes = frameHeaderBytes(byteLength, mask)
  // A key of four zeros changes nothing.
  const isCopied = key !== 0 && readOnly && byteLength > 0
  const target = Buffer.allocUnsafe(isCopied ? headerBytes + byteLength : headerBytes)
  let at = writeFrameHeader(target, 0, frameFirstByte(opcode, fin, rsv1), byteLength, mask ? MASK_BIT : 0)
  if (mask) at = writeMaskingKey(target, at, key)
  if (byteLength === 0) return [target]
  if (key === 0) return [target, data]
  const bytes = typeof data === 'string' ? Buffer.from(data) : data
  if (isCopied) {
    maskCopy(bytes, 0, byteLength, target, at, key, 0)
    return [target]
  }
  maskInPlace(bytes, 0, byteLength, key)
  return [target, bytes]
}

/** Writes frames in the order of the calls, also where some of their messages are compressed or read first. */
export class Sender {
  readonly _socket: SenderSocket
  readonly _extensions: Record<string, unknown>
  readonly _generateMask: MaskGenerator | undefined
  /** The bytes of the messages that wait here, as they were given. */
  _bufferedBytes = 0
  /** Called with the error of a Blob that cannot be read. */
  onerror: (error: Error) => void = () => undefined

  /** Whether the next fragment begins a message, and whether the message under way is compressed. */
  #isFirstFragment = true
  #compresses = false
  /** Whether a message is compressed, or a Blob read: all calls after it wait. */
  #isBusy = false
  #queue: Waiting[] = []
  #next = 0

  /**
   * @param socket of the connection
   * @param extensions in use, by name
   * @param generateMask fills the masking key of each masked frame. Default: random keys
   */
  constructor(socket: SenderSocket, extensions?: Record<string, unknown>, generateMask?: MaskGenerator) {
    this._socket = socket
    this._extensions = extensions ?? {}
    this._generateMask = generateMask
  }

  /**
   * Makes a frame (RFC 6455 section 5.2).
   * @param data the payload; masked in place, unless it is `readOnly`
   * @returns what is to be written, in this order
   */
  static frame(data: Buffer | string, options: FrameOptions): Buffer[] {
    if (typeof data !== 'string') return makeFrame(data, data.length, options) as Buffer[]
    const bytes = Buffer.from(data)
    return makeFrame(bytes, bytes.length, { ...options, readOnly: false }) as Buffer[]
  }

  /**
   * Sends a Close frame.
   * @throws TypeError for a code that must not be sent; RangeError for a reason of more than 123 bytes
   */
  close(code?: number, data?: string | Uint8Array, mask?: boolean, callback?: SendCallback): void {
    const payload = closePayload(code, data)
    const isReadOnly = false
    this.#sendControl(Opcode.CLOSE, { data: payload, byteLength: payload.length, isReadOnly }, mask, callback)
  }

  /** Sends a ping. @throws RangeError for more than 125 bytes */
  ping(data: unknown, mask?: boolean, callback?: SendCallback): void {
    this.#pingOrPong(Opcode.PING, data, mask, callback)
  }

  /** Sends a pong. @throws RangeError for more than 125 bytes */
  pong(data: unknown, mask?: boolean, callback?: SendCallback): void {
    this.#pingOrPong(Opcode.PONG, data, mask, callback)
  }

  /**
   * Sends a message, or a fragment of one.
   * @param data text, bytes in any form, or a Blob; not to be changed before the callback
   * @param callback called when it is written, or with the error
   * @throws TypeError for anything else
   */
  send(data: unknown, options: SendOptions, callback?: SendCallback): void {
    const content = isBlob(data) ? data : toPayload(data)
    const byteLength = isBlob(content) ? content.size : content.byteLength
    const isFirst = this.#isFirstFragment
    if (isFirst) this.#compresses = options.compress === true && this.#isWorthCompressing(byteLength)
    this.#isFirstFragment = Boolean(options.fin)
    const compresses = this.#compresses
    const frame: FrameOptions = {
      fin: options.fin,
      generateMask: this._generateMask,
      mask: options.mask,
      opcode: isFirst ? (options.binary ? Opcode.BINARY : Opcode.TEXT) : Opcode.CONTINUATION,
      readOnly: !isBlob(content) && content.isReadOnly,
      rsv1: isFirst && compresses,
    }
    this.#inOrder(byteLength, callback, () => {
      if (isBlob(content)) this.#readBlob(content, compresses, frame, callback)
      else if (compresses) this.#compress(content, frame, callback)
      else this.#write(content, frame, callback)
    })
  }

  /** Writes a frame to the socket at once, before all that waits. */
  sendFrame(list: readonly (string | Uint8Array)[], callback?: SendCallback): void {
    const socket = this._socket
    const [first = EMPTY, second] = list
    if (second === undefined) {
      socket.write(first, callback)
      return
    }
    socket.cork()
    socket.write(first)
    socket.write(second, callback)
    socket.uncork()
  }

  /** Where each message is compressed by itself, a short one is not. */
  #isWorthCompressing(byteLength: number): boolean {
    const codec = this.#compressor
    if (codec === undefined) return false
    const role = codec._isServer ? 'server' : 'client'
    return codec.params?.[`${role}_no_context_takeover`] !== true || byteLength >= codec._threshold
  }

  get #compressor(): Compressor | undefined {
    return this._extensions[PerMessageDeflate.extensionName] as Compressor | undefined
  }

  #pingOrPong(opcode: Opcode, data: unknown, mask?: boolean, callback?: SendCallback): void {
    const content = isBlob(data) ? data : toPayload(data)
    if ((isBlob(content) ? content.size : content.byteLength) > MAX_CONTROL_PAYLOAD_BYTES) {
      throw new RangeError('The data size must not be greater than 125 bytes')
    }
    this.#sendControl(opcode, content, mask, callback)
  }

  #sendControl(
    opcode: Opcode,
    content: Payload | BlobLike,
    mask: boolean | undefined,
    callback: SendCallback | undefined,
  ): void {
    const frame: FrameOptions = {
      fin: true,
      generateMask: this._generateMask,
      mask: Boolean(mask),
      opcode,
      readOnly: !isBlob(content) && content.isReadOnly,
    }
    const byteLength = isBlob(content) ? content.size : content.byteLength
    this.#inOrder(byteLength, callback, () => {
      if (isBlob(content)) this.#readBlob(content, false, frame, callback)
      else this.#write(content, frame, callback)
    })
  }

  /** Runs a call, or puts it after those that wait. */
  #inOrder(byteLength: number, callback: SendCallback | undefined, run: () => void): void {
    if (!this.#isBusy) {
      run()
      return
    }
    this._bufferedBytes += byteLength
    this.#queue.push({ byteLength, callback, run })
  }

  #write(payload: Payload, frame: FrameOptions, callback: SendCallback | undefined): void {
    this.sendFrame(makeFrame(payload.data, payload.byteLength, frame), callback)
  }

  #compress(payload: Payload, frame: FrameOptions, callback: SendCallback | undefined): void {
    const { data, byteLength } = payload
    this._bufferedBytes += byteLength
    this.#isBusy = true
    const codec = this.#compressor as Compressor
    codec.compress(data, frame.fin === true, (error, bytes = EMPTY) => {
      if (error !== null || this._socket.destroyed === true) {
        this.#abandon(new Error(SOCKET_CLOSED_COMPRESSING), callback)
        return
      }
      this._bufferedBytes -= byteLength
      this.#isBusy = false
      // The compressed bytes are ours.
      this.#write(
        { data: bytes, byteLength: bytes.length, isReadOnly: false },
        { ...frame, readOnly: false },
        callback,
      )
      this.#runWaiting()
    })
  }

  #readBlob(
    blob: BlobLike,
    compresses: boolean,
    frame: FrameOptions,
    callback: SendCallback | undefined,
  ): void {
    const { size } = blob
    this._bufferedBytes += size
    this.#isBusy = true
    const read = (buffer: ArrayBuffer): void => {
      if (this._socket.destroyed === true) {
        this.#abandon(new Error(SOCKET_CLOSED_READING), callback)
        return
      }
      this._bufferedBytes -= size
      const data = Buffer.from(buffer)
      const payload = { data, byteLength: data.length, isReadOnly: false }
      if (compresses) {
        this.#compress(payload, frame, callback)
        return
      }
      this.#isBusy = false
      this.#write(payload, frame, callback)
      this.#runWaiting()
    }
    const fail = (error: Error): void => {
      this.#abandon(error, callback)
      this.onerror(error)
    }
    // Out of the promise: what a callback throws is an exception, not a rejection.
    blob.arrayBuffer().then(
      (buffer) => process.nextTick(read, buffer),
      (error: unknown) => process.nextTick(fail, error),
    )
  }

  /** Runs the calls that wait, up to one that makes others wait. */
  #runWaiting(): void {
    while (!this.#isBusy && this.#next < this.#queue.length) {
      const waiting = this.#queue[this.#next++] as Waiting
      if (this.#next === this.#queue.length) {
        this.#queue = []
        this.#next = 0
      }
      this._bufferedBytes -= waiting.byteLength
      waiting.run()
    }
  }

  /** Nothing can be sent any more: the callbacks of all that waits get the error. */
  #abandon(error: Error, callback: SendCallback | undefined): void {
    const waiting = this.#queue.slice(this.#next)
    this.#queue = []
    this.#next = 0
    callback?.(error)
    for (const call of waiting) call.callback?.(error)
  }
}
