/** The class Receiver of `ws`: a Writable that takes the bytes of a connection and emits what the peer sent. */
import { Writable } from 'node:stream'
import { CloseCode, isValidCloseCode } from '../../../src/frame/close-code.js'
import type { FramePart } from '../../../src/frame/frame-event.js'
import { FrameParser } from '../../../src/frame/frame-parser.js'
import { FIN_BIT } from '../../../src/frame/header.js'
import { isControlOpcode, Opcode } from '../../../src/frame/opcode.js'
import { Utf8Validator } from '../../../src/frame/utf8.js'
import { ProtocolError } from '../../../src/errors.js'
import { isNotOff, toLimit } from './coerce.js'
import { toReceivedError, tooManyChunks, tooManyFragments } from './errors.js'
import { messageTooBig } from './flushed-stream.js'
import { PerMessageDeflate } from './permessage-deflate.js'

/** How a binary message is given to listeners. */
export type BinaryType = 'nodebuffer' | 'arraybuffer' | 'blob' | 'fragments'

/** What a receiver needs of permessage-deflate. */
interface Decompressor {
  decompress(data: Buffer, fin: boolean, callback: (error: Error | null, data?: Buffer) => void): void
}

/** The options of a {@link Receiver}. */
export interface ReceiverOptions {
  /**
   * Whether several events may be emitted in one turn of the event loop. Default true; with false each of them has a turn of
   * its own.
   */
  allowSynchronousEvents?: boolean | undefined
  /** Default 'nodebuffer'. */
  binaryType?: BinaryType | undefined
  /** The extensions in use, by name. */
  extensions?: Record<string, unknown> | undefined
  /** Whether the peer is a client, whose frames are masked. Default false. */
  isServer?: boolean | undefined
  /** The most chunks that wait for the end of a frame. Default 0: no limit. */
  maxBufferedChunks?: number | undefined
  /** The most frames of a message. Default 0: no limit. */
  maxFragments?: number | undefined
  /** The most bytes of a message. Default 0: no limit. */
  maxPayload?: number | undefined
  /** Whether text and the reasons of Close frames are taken as they are. Default false. */
  skipUTF8Validation?: boolean | undefined
}

type Callback = (error?: Error | null) => void

/** Whether frames are read; or whether others are waited for, who inflate or have a turn before; or whether all is over. */
type State = 'reading' | 'waiting' | 'over'

const EMPTY: Buffer = Buffer.alloc(0)
/** The first byte of a Close frame. */
const CLOSE = FIN_BIT | Opcode.CLOSE

/**
 * Emits `message` (data, isBinary), `ping` (data), `pong` (data) and `conclude` (code, reason). What the peer does wrong is the
 * error of the stream, with a code of `ws`. A callback of `write` is called when its bytes are used or wait for more.
 */
export class Receiver extends Writable {
  readonly _allowSynchronousEvents: boolean
  _binaryType: BinaryType
  readonly _extensions: Record<string, unknown>
  readonly _isServer: boolean
  readonly _maxBufferedChunks: number
  readonly _maxFragments: number
  readonly _maxPayload: number
  readonly _skipUTF8Validation: boolean

  readonly #parser: FrameParser
  #state: State = 'reading'
  /** Of the `write` under way. */
  #callback: Callback | null = null
  /** Whether the loop of {@link #run} is under way. */
  #isRunning = false

  /** The payload so far of the frame that is not complete. */
  #parts: Buffer[] = []
  /** The message under way: of its first frame, then the payloads of all. */
  #isText = false
  #isCompressed = false
  #frames = 0
  #fragments: Buffer[] = []
  /** The payload lengths of its frames in bytes, as they are announced. */
  _totalPayloadLength = 0
  /** Its bytes so far, inflated. */
  _messageLength = 0

  constructor(options: ReceiverOptions = {}) {
    super()
    this._allowSynchronousEvents = isNotOff(options.allowSynchronousEvents)
    this._binaryType = options.binaryType ?? 'nodebuffer'
    this._extensions = options.extensions ?? {}
    this._isServer = Boolean(options.isServer)
    this._maxBufferedChunks = toLimit(options.maxBufferedChunks)
    this._maxFragments = toLimit(options.maxFragments)
    this._maxPayload = toLimit(options.maxPayload)
    this._skipUTF8Validation = Boolean(options.skipUTF8Validation)
    const maxMessageBytes = this._maxPayload > 0 ? this._maxPayload : Infinity
    this.#parser = new FrameParser({
      role: this._isServer ? 'server' : 'client',
      allowRsv1: Object.hasOwn(this._extensions, PerMessageDeflate.extensionName),
      maxMessageBytes,
      maxCompressedBytes: maxMessageBytes,
    })
  }

  override _write(chunk: Buffer, _encoding: string, callback: Callback): void {
    if (this.#state === 'over') {
      callback()
      return
    }
    if (this._maxBufferedChunks > 0 && this.#parts.length >= this._maxBufferedChunks) {
      callback(tooManyChunks())
      return
    }
    this.#parser.push(chunk)
    this.#callback = callback
    this.#run()
  }

  /** Reads frames until more bytes are needed, an event is to have a turn of its own, or something is inflated. */
  #run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    let isWhole = false
    try {
      while (this.#state === 'reading') {
        const event = this.#parser.next()
        if (event === null) {
          this.#refuseEarly()
          break
        }
        if (event.type === 'violation') this.#fail(event.error)
        else if (isControlOpcode(event.opcode)) this.#receiveControlPart(event)
        else this.#receiveDataPart(event)
      }
      isWhole = true
    } finally {
      this.#isRunning = false
      // A listener threw. The frames after that of its event are read in a turn of their own.
      if (!isWhole) setImmediate(() => this.#run())
    }
    if (this.#state !== 'waiting') this.#settle()
  }

  /** A Close frame of one byte is wrong before its masking key is there. */
  #refuseEarly(): void {
    const { headerByte, headerLength } = this.#parser
    if (headerByte === CLOSE && headerLength === 1)
      this.#fail(new ProtocolError('HAWSER_INVALID_CLOSE_PAYLOAD'))
  }

  /** Calls the callback of the write under way. */
  #settle(error?: Error): void {
    const callback = this.#callback
    this.#callback = null
    callback?.(error)
  }

  /** @param error the engine's, or one of `ws` */
  #fail(error: Error): void {
    this.#state = 'over'
    this.#settle(error instanceof ProtocolError ? toReceivedError(error, this.#parser) : error)
  }

  /** @returns the payload of the frame, if the part is its last; else null */
  #addPart(part: FramePart): Buffer | null {
    if (part.byteLength > 0) this.#parts.push(part.payload)
    if (!part.isLast) return null
    const parts = this.#parts
    if (parts.length > 0) this.#parts = []
    return join(parts, part.payloadLength)
  }

  #receiveDataPart(part: FramePart): void {
    if (part.isFirst) {
      if (part.opcode !== Opcode.CONTINUATION) {
        this.#isText = part.opcode === Opcode.TEXT
        this.#isCompressed = part.rsv1
      }
      this._totalPayloadLength += part.payloadLength
      if (++this.#frames > this._maxFragments && this._maxFragments > 0) {
        this.#fail(tooManyFragments())
        return
      }
    }
    const payload = this.#addPart(part)
    if (payload === null) return
    if (this.#isCompressed) {
      this.#inflate(payload, part.fin)
      return
    }
    this.#addFragment(payload)
    if (part.fin) this.#receiveMessage(false)
  }

  #addFragment(bytes: Buffer): void {
    if (bytes.length === 0) return
    this._messageLength += bytes.length
    this.#fragments.push(bytes)
  }

  #inflate(payload: Buffer, fin: boolean): void {
    const codec = this._extensions[PerMessageDeflate.extensionName] as Decompressor
    this.#state = 'waiting'
    codec.decompress(payload, fin, (error, data = EMPTY) => {
      if (this.destroyed) return
      this.#state = 'reading'
      if (error !== null) {
        this.#fail(error)
        return
      }
      this.#addFragment(data)
      if (this._maxPayload > 0 && this._messageLength > this._maxPayload) {
        this.#fail(messageTooBig())
        return
      }
      try {
        // Inflated on the thread pool: this is a turn of its own.
        if (fin) this.#receiveMessage(true)
      } finally {
        this.#run()
      }
    })
  }

  /** @param isAlone whether nothing else was emitted in this turn of the event loop */
  #receiveMessage(isAlone: boolean): void {
    const fragments = this.#fragments
    const bytes = this._messageLength
    this.#fragments = []
    this.#frames = 0
    this._totalPayloadLength = 0
    this._messageLength = 0
    if (!this.#isText) {
      this.#emitSoon(isAlone, 'message', this.#toBinary(fragments, bytes), true)
      return
    }
    const text = join(fragments, bytes)
    if (this.#isValidText(text)) this.#emitSoon(isAlone, 'message', text, false)
    else this.#fail(new ProtocolError('HAWSER_INVALID_UTF8'))
  }

  #isValidText(bytes: Buffer): boolean {
    if (this._skipUTF8Validation) return true
    const validator = new Utf8Validator()
    return validator.push(bytes) && validator.isComplete
  }

  #toBinary(fragments: Buffer[], bytes: number): Buffer | ArrayBuffer | Blob | Buffer[] {
    switch (this._binaryType) {
      case 'arraybuffer':
        return toArrayBuffer(join(fragments, bytes))
      case 'blob':
        return new Blob(fragments)
      case 'fragments':
        return fragments
      default:
        return join(fragments, bytes)
    }
  }

  #receiveControlPart(part: FramePart): void {
    if (part.opcode === Opcode.CLOSE && part.payloadLength === 1) {
      this.#fail(new ProtocolError('HAWSER_INVALID_CLOSE_PAYLOAD'))
      return
    }
    const payload = this.#addPart(part)
    if (payload === null) return
    if (part.opcode === Opcode.CLOSE) this.#conclude(payload)
    else this.#emitSoon(false, part.opcode === Opcode.PING ? 'ping' : 'pong', payload)
  }

  #conclude(payload: Buffer): void {
    const hasCode = payload.length > 0
    const code = hasCode ? payload.readUInt16BE(0) : CloseCode.NO_STATUS_RECEIVED
    const reason = hasCode ? payload.subarray(2) : EMPTY
    if (hasCode && !isValidCloseCode(code)) {
      this.#fail(new ProtocolError('HAWSER_INVALID_CLOSE_CODE', String(code)))
      return
    }
    if (!this.#isValidText(reason)) {
      this.#fail(new ProtocolError('HAWSER_INVALID_UTF8'))
      return
    }
    this.#state = 'over'
    try {
      this.emit('conclude', code, reason)
    } finally {
      this.end()
    }
  }

  /** Emits an event now, or in a turn of its own, before which no more is read. */
  #emitSoon(isAlone: boolean, event: string, data: unknown, isBinary?: boolean): void {
    const values = isBinary === undefined ? [data] : [data, isBinary]
    if (this._allowSynchronousEvents || isAlone) {
      this.emit(event, ...values)
      return
    }
    this.#state = 'waiting'
    setImmediate(() => {
      if (this.destroyed) return
      this.#state = 'reading'
      try {
        this.emit(event, ...values)
      } finally {
        this.#run()
      }
    })
  }
}

/** @returns the one buffer as it is, or a copy of several */
function join(fragments: readonly Buffer[], bytes: number): Buffer {
  if (fragments.length === 0) return EMPTY
  return fragments.length === 1 ? (fragments[0] as Buffer) : Buffer.concat(fragments, bytes)
}

/** @returns the memory of the bytes where they are all of it, else a copy */
function toArrayBuffer(bytes: Buffer): ArrayBuffer {
  const { buffer, byteOffset, byteLength } = bytes
  return byteLength === buffer.byteLength
    ? (buffer as ArrayBuffer)
    : (buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer)
}
