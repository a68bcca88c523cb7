/** The class Receiver of `ws`: a Writable that takes the bytes of a connection and emits what the peer sent. */
import { Writable } from 'node:stream'
import { isValidCloseCode } from '../../../src/frame/close-code.js'
import {
  FIN_BIT,
  LENGTH_BITS,
  MASK_BIT,
  MASKING_KEY_BYTES,
  MAX_CONTROL_PAYLOAD_BYTES,
  OPCODE_BITS,
  PAYLOAD_LENGTH_16,
  readMaskingKey,
  readUint32,
  RSV1_BIT,
  RSV2_BIT,
  RSV3_BIT,
} from '../../../src/frame/header.js'
import { maskInPlace } from '../../../src/frame/masking.js'
import { isControlOpcode, isDefinedOpcode, Opcode } from '../../../src/frame/opcode.js'
import { Utf8Validator } from '../../../src/frame/utf8.js'
import { ChunkQueue } from './chunk-queue.js'
import { frameError, type FrameErrorCode } from './frame-errors.js'
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

/** What the receiver waits for. */
const State = { HEADER: 0, LENGTH: 1, MASK: 2, PAYLOAD: 3, OTHERS: 4, OVER: 5 } as const
type State = (typeof State)[keyof typeof State]

const EMPTY: Buffer = Buffer.alloc(0)

const isUtf8 = (bytes: Buffer): boolean => {
  const validator = new Utf8Validator()
  return validator.push(bytes) && validator.isComplete
}

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

  readonly #input = new ChunkQueue()
  #state: State = State.HEADER
  /** Of the `write` under way. */
  #callback: Callback | null = null
  /** Whether the loop of {@link #run} is under way. */
  #isRunning = false

  /** The frame whose header was read last. */
  #fin = false
  #opcode = 0
  #isMasked = false
  #maskingKey = 0
  #payloadLength = 0

  /** The opcode of the first frame of the message that is under way; 0 outside of messages. */
  #messageOpcode = 0
  #isCompressed = false
  #frames = 0
  /** The announced payload lengths of the message under way, in bytes. */
  _totalPayloadLength = 0
  /** The bytes of the message under way, inflated. */
  _messageLength = 0
  #fragments: Buffer[] = []

  constructor(options: ReceiverOptions = {}) {
    super()
    this._allowSynchronousEvents = options.allowSynchronousEvents ?? true
    this._binaryType = options.binaryType ?? 'nodebuffer'
    this._extensions = options.extensions ?? {}
    this._isServer = Boolean(options.isServer)
    this._maxBufferedChunks = options.maxBufferedChunks ?? 0
    this._maxFragments = options.maxFragments ?? 0
    this._maxPayload = options.maxPayload ?? 0
    this._skipUTF8Validation = Boolean(options.skipUTF8Validation)
  }

  override _write(chunk: Buffer, _encoding: string, callback: Callback): void {
    if (this.#state === State.OVER) {
      callback()
      return
    }
    if (this._maxBufferedChunks > 0 && this.#input.count >= this._maxBufferedChunks) {
      callback(frameError('WS_ERR_TOO_MANY_BUFFERED_PARTS', 'buffered chunks'))
      return
    }
    this.#input.push(chunk)
    this.#callback = callback
    this.#run()
  }

  /** Reads frames until more bytes are needed, an event is to have a turn of its own, or something is inflated. */
  #run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    let isWhole = false
    try {
      while (this.#step());
      isWhole = true
    } finally {
      this.#isRunning = false
      // A listener threw. The frames after that of its event are read in a turn of their own.
      if (!isWhole) setImmediate(() => this.#run())
    }
    if (this.#state !== State.OTHERS) this.#settle()
  }

  /** Calls the callback of the write under way. */
  #settle(error?: Error): void {
    const callback = this.#callback
    this.#callback = null
    callback?.(error)
  }

  /** Goes on after a wait, in the same turn. */
  #resume(): void {
    if (this.destroyed) return
    this.#run()
  }

  /** @returns whether there is more to read: false as well after an error */
  #step(): boolean {
    switch (this.#state) {
      case State.HEADER:
        return this.#input.bytes >= 2 && this.#readHeader(this.#input.take(2))
      case State.LENGTH:
        return this.#readLength(this.#payloadLength === PAYLOAD_LENGTH_16 ? 2 : 8)
      case State.MASK: {
        if (this.#input.bytes < MASKING_KEY_BYTES) return false
        this.#maskingKey = readMaskingKey(this.#input.take(MASKING_KEY_BYTES), 0)
        this.#state = State.PAYLOAD
        return true
      }
      case State.PAYLOAD:
        return this.#input.bytes >= this.#payloadLength && this.#readPayload()
      default:
        return false
    }
  }

  #mayReadOn(): boolean {
    return this.#state === State.HEADER
  }

  #fail(code: FrameErrorCode, detail?: number | string): false {
    return this.#failWith(frameError(code, detail))
  }

  #failWith(error: Error): false {
    this.#state = State.OVER
    this.#settle(error)
    return false
  }

  #readHeader(bytes: Buffer): boolean {
    const firstByte = bytes[0] as number
    const secondByte = bytes[1] as number
    const opcode = firstByte & OPCODE_BITS
    const length = secondByte & LENGTH_BITS
    if ((firstByte & (RSV2_BIT | RSV3_BIT)) !== 0) return this.#fail('WS_ERR_UNEXPECTED_RSV_2_3')
    const rsv1 = (firstByte & RSV1_BIT) !== 0
    if (rsv1 && !Object.hasOwn(this._extensions, PerMessageDeflate.extensionName)) {
      return this.#fail('WS_ERR_UNEXPECTED_RSV_1')
    }
    this.#fin = (firstByte & FIN_BIT) !== 0
    this.#opcode = opcode
    if (!isDefinedOpcode(opcode)) return this.#fail('WS_ERR_INVALID_OPCODE', opcode)
    if (isControlOpcode(opcode)) {
      if (!this.#fin) return this.#fail('WS_ERR_EXPECTED_FIN')
      if (rsv1) return this.#fail('WS_ERR_UNEXPECTED_RSV_1')
      if (length > MAX_CONTROL_PAYLOAD_BYTES || (opcode === Opcode.CLOSE && length === 1)) {
        return this.#fail('WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH', length)
      }
    } else if (opcode === Opcode.CONTINUATION) {
      if (rsv1) return this.#fail('WS_ERR_UNEXPECTED_RSV_1')
      if (this.#messageOpcode === 0) return this.#fail('WS_ERR_INVALID_OPCODE', opcode)
    } else {
      if (this.#messageOpcode !== 0) return this.#fail('WS_ERR_INVALID_OPCODE', opcode)
      this.#messageOpcode = opcode
      this.#isCompressed = rsv1
    }
    this.#isMasked = (secondByte & MASK_BIT) !== 0
    if (this.#isMasked !== this._isServer) {
      return this.#fail(this._isServer ? 'WS_ERR_EXPECTED_MASK' : 'WS_ERR_UNEXPECTED_MASK')
    }
    this.#payloadLength = length
    if (length < PAYLOAD_LENGTH_16) return this.#headerRead()
    this.#state = State.LENGTH
    return true
  }

  #readLength(bytes: 2 | 8): boolean {
    if (this.#input.bytes < bytes) return false
    const field = this.#input.take(bytes)
    const length =
      bytes === 2 ? field.readUInt16BE(0) : readUint32(field, 0) * 0x1_0000_0000 + readUint32(field, 4)
    if (length > Number.MAX_SAFE_INTEGER) return this.#fail('WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH')
    this.#payloadLength = length
    return this.#headerRead()
  }

  /** Checks the length of a data frame against the limits, before any byte of its payload waits here. */
  #headerRead(): boolean {
    if (!isControlOpcode(this.#opcode)) {
      this._totalPayloadLength += this.#payloadLength
      if (this._maxPayload > 0 && this._totalPayloadLength > this._maxPayload) {
        return this.#fail('WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
      }
      if (++this.#frames > this._maxFragments && this._maxFragments > 0) {
        return this.#fail('WS_ERR_TOO_MANY_BUFFERED_PARTS', 'message fragments')
      }
    }
    this.#state = this.#isMasked ? State.MASK : State.PAYLOAD
    return true
  }

  #readPayload(): boolean {
    const payload = this.#input.take(this.#payloadLength)
    if (this.#isMasked) maskInPlace(payload, 0, payload.length, this.#maskingKey)
    this.#state = State.HEADER
    if (isControlOpcode(this.#opcode)) return this.#receiveControl(payload)
    if (this.#isCompressed) return this.#inflate(payload)
    if (payload.length > 0) {
      this._messageLength += payload.length
      this.#fragments.push(payload)
    }
    return !this.#fin || this.#receiveMessage(false)
  }

  /** @returns whether to read on at once: only where the codec called back at once */
  #inflate(payload: Buffer): boolean {
    const codec = this._extensions[PerMessageDeflate.extensionName] as Decompressor
    const fin = this.#fin
    this.#state = State.OTHERS
    codec.decompress(payload, fin, (error, data = EMPTY) => {
      if (this.destroyed) return
      this.#state = State.HEADER
      if (error !== null) {
        this.#failWith(error)
        return
      }
      this._messageLength += data.length
      if (this._maxPayload > 0 && this._messageLength > this._maxPayload) {
        this.#fail('WS_ERR_UNSUPPORTED_MESSAGE_LENGTH')
        return
      }
      if (data.length > 0) this.#fragments.push(data)
      let goesOn = true
      try {
        // Inflated on the thread pool: this is a turn of its own.
        if (fin) goesOn = this.#receiveMessage(true)
      } finally {
        if (goesOn) this.#resume()
      }
    })
    return this.#mayReadOn()
  }

  /** @param isAlone whether nothing else was emitted in this turn of the event loop */
  #receiveMessage(isAlone: boolean): boolean {
    const isText = this.#messageOpcode === Opcode.TEXT
    const fragments = this.#fragments
    const bytes = this._messageLength
    this.#messageOpcode = 0
    this.#fragments = []
    this.#frames = 0
    this._totalPayloadLength = 0
    this._messageLength = 0
    if (!isText) return this.#emitSoon(isAlone, 'message', this.#toBinary(fragments, bytes), true)
    const text = joinFragments(fragments, bytes)
    if (!this._skipUTF8Validation && !isUtf8(text)) return this.#fail('WS_ERR_INVALID_UTF8')
    return this.#emitSoon(isAlone, 'message', text, false)
  }

  #toBinary(fragments: Buffer[], bytes: number): Buffer | ArrayBuffer | Blob | Buffer[] {
    switch (this._binaryType) {
      case 'arraybuffer':
        return toArrayBuffer(joinFragments(fragments, bytes))
      case 'blob':
        return new Blob(fragments)
      case 'fragments':
        return fragments
      default:
        return joinFragments(fragments, bytes)
    }
  }

  #receiveControl(payload: Buffer): boolean {
    switch (this.#opcode) {
      case Opcode.PING:
        return this.#emitSoon(false, 'ping', payload)
      case Opcode.PONG:
        return this.#emitSoon(false, 'pong', payload)
      default:
        return this.#conclude(payload)
    }
  }

  #conclude(payload: Buffer): false {
    const hasCode = payload.length > 0
    const code = hasCode ? payload.readUInt16BE(0) : 1005
    const reason = hasCode ? payload.subarray(2) : EMPTY
    if (hasCode && !isValidCloseCode(code)) return this.#fail('WS_ERR_INVALID_CLOSE_CODE', code)
    if (!this._skipUTF8Validation && !isUtf8(reason)) return this.#fail('WS_ERR_INVALID_UTF8')
    this.#state = State.OVER
    try {
      this.emit('conclude', code, reason)
    } finally {
      this.end()
    }
    return false
  }

  /** Emits an event now, or in a turn of its own. @returns whether to read on at once */
  #emitSoon(isAlone: boolean, event: string, data: unknown, isBinary?: boolean): boolean {
    const values = isBinary === undefined ? [data] : [data, isBinary]
    if (this._allowSynchronousEvents || isAlone) {
      this.emit(event, ...values)
      return true
    }
    this.#state = State.OTHERS
    setImmediate(() => {
      if (this.destroyed) return
      this.#state = State.HEADER
      try {
        this.emit(event, ...values)
      } finally {
        this.#resume()
      }
    })
    return false
  }
}

function joinFragments(fragments: readonly Buffer[], bytes: number): Buffer {
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
