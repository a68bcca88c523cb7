/** What a WebSocket sends: by the engine's sender and queue, in the order of the calls, with a callback for each. */
import type { Duplex } from 'node:stream'
import { Socket as NetSocket } from 'node:net'
import { Sender as EngineSender } from '../../../src/connection/sender.js'
import { HELD_PAYLOAD_BYTES } from '../../../src/connection/held-payload.js'
import { canBeHeld } from '../../../src/connection/message-data.js'
import type { MessageCodec } from '../../../src/extension/message-codec.js'
import { FIN_BIT } from '../../../src/frame/header.js'
import { Opcode } from '../../../src/frame/opcode.js'
import { writeLive } from '../../../src/native/live-socket.js'
import { flushNow, flushSoon, type Flushable } from '../../../src/transport/flush-soon.js'
import { callLater, type SendCallback } from './callbacks.js'
import { bytesOf, isBlob } from './payload.js'
import { Sender, type MaskGenerator } from './sender.js'
import { lengthOf } from './values.js'
import { WaitingCalls, type WaitingHost } from './waiting-calls.js'

/** How a message is sent. */
export interface MessageOptions {
  readonly binary: boolean
  readonly compress: boolean
  readonly fin: boolean
}

/** From this size on output is written at once. */
const EAGER_FLUSH_BYTES = 64 * 1024

const CLOSED_COMPRESSING = 'The socket was closed while data was being compressed'
const CLOSED_SENDING = 'The socket was closed before the data was sent'

/** Who is told that a Blob could not be read: nothing more is sent. */
export interface SendingFailure {
  sendingFailed(error: Error): void
}

/** Whether a frame is masked, and by whose key. */
export interface Masking {
  readonly mask: boolean
  readonly generateMask: MaskGenerator | undefined
}

/** Who waits until so many bytes are taken. */
interface Mark {
  /** Infinity while the message waits to be a frame. */
  at: number
  readonly callback: SendCallback
}

/** Those whose chunks are received now: one, or more where a handler resumes another connection. */
const receiving: Outgoing[] = []

/** `send` and then `process.exit`: what was sent before the end is written. */
function flushAtExit(): void {
  for (const outgoing of receiving) outgoing.flush()
  flushNow()
}
let isHooked = false

/** The sending half of a connection. */
export class Outgoing implements Flushable, WaitingHost {
  isQueued = false
  /** While a chunk is received nothing is written: all that its messages cause leaves together. */
  private isHeld = false
  /** Bytes of messages that were given after the end. */
  lostBytes = 0
  /** Fills the masking key of each frame; undefined: keys are random. */
  generateMask: MaskGenerator | undefined
  readonly socket: Duplex
  private readonly owner: SendingFailure
  private readonly isLive: boolean
  private readonly sender: EngineSender
  /** Whether frames are masked, as those of a client are. */
  readonly isMasked: boolean
  private isFragmented = false
  private isOver = false
  /** Bytes that were written, and the part of them that was taken. */
  private writtenBytes = 0
  private takenBytes = 0
  /** The lengths of the writes that are under way. */
  private underWay: number[] | null = null
  private lazyOnWritten: ((error?: Error | null) => void) | null = null
  private marks: Mark[] | null = null
  /** Made when a call has to wait first. */
  private waiting: WaitingCalls | null = null
  /** Bytes of the messages of this turn that are to be compressed, as they were given; and what waited before them. */
  private turnBytes = 0
  private turnBase = 0

  /**
   * @param isLive whether the socket is one that `readShared` took
   * @param isMasked as a client's frames are
   */
  constructor(
    socket: Duplex,
    owner: SendingFailure,
    isLive: boolean,
    isMasked: boolean,
    codec: MessageCodec | null,
  ) {
    this.socket = socket
    this.owner = owner
    this.isLive = isLive
    this.isMasked = isMasked
    this.sender = new EngineSender(isMasked, codec, this)
    if (!isHooked) process.on('exit', flushAtExit)
    isHooked = true
  }

  /** Bytes that were sent and that the system has not taken. */
  get bufferedAmount(): number {
    return this.socket.writableLength + this.queuedBytes
  }

  /** The part of {@link bufferedAmount} that the stream does not have. */
  get queuedBytes(): number {
    const bytes = this.turnBytes > 0 ? this.turnBase + this.turnBytes : this.sender.byteLength
    return bytes + (this.waiting?.byteLength ?? 0) + this.lostBytes
  }

  /** Whether a message is compressed in the thread pool. */
  get isCompressing(): boolean {
    return this.sender.isCompressing
  }

  /** Whether messages of this turn are to be compressed: they count as they were given, until they are written. */
  get compresses(): boolean {
    return this.turnBytes > 0
  }

  /**
   * Sends a message, or a fragment of one.
   * @throws TypeError for data that no bytes can be made of
   */
  send(data: unknown, options: MessageOptions, callback: SendCallback | undefined): void {
    // For each message: most are a string or a Buffer, which need not be looked at further.
    const isPlain = typeof data === 'string' || data instanceof Uint8Array
    if (this.waiting?.isWaiting === true || (!isPlain && isBlob(data))) {
      this.later.addData(data, (ready) => this.send(ready, options, callback), callback)
      return
    }
    const { sender } = this
    const opcode = options.binary ? Opcode.BINARY : Opcode.TEXT
    if (sender.codec !== null && options.compress) {
      if (this.turnBytes === 0) this.turnBase = sender.byteLength
      this.turnBytes += isPlain && typeof data !== 'string' ? data.byteLength : lengthOf(data)
    }
    if (this.isFragmented || !options.fin) {
      const firstByte = (options.fin ? FIN_BIT : 0) | (this.isFragmented ? Opcode.CONTINUATION : opcode)
      sender.sendFrame(firstByte, bytesOf(data))
      this.isFragmented = !options.fin
    } else if (typeof data === 'string' && opcode === Opcode.TEXT) {
      sender.sendText(data, options.compress)
    } else {
      const bytes = data instanceof Uint8Array ? data : bytesOf(data)
      const mayHold = !this.isMasked && canBeHeld(bytes)
      sender.sendAs(opcode, bytes, options.compress, mayHold)
    }
    this.sent(callback)
  }

  /** As {@link send}, never compressed, masked as the caller says. */
  sendMasked(
    data: unknown,
    options: MessageOptions,
    masking: Masking,
    callback: SendCallback | undefined,
  ): void {
    if (this.waiting?.isWaiting === true || isBlob(data)) {
      this.later.addData(data, (ready) => this.sendMasked(ready, options, masking, callback), callback)
      return
    }
    const { fin, binary } = options
    const first = binary ? Opcode.BINARY : Opcode.TEXT
    const opcode = this.isFragmented ? Opcode.CONTINUATION : first
    this.isFragmented = !fin
    const frame = Sender.frame(bytesOf(data), { ...masking, fin, opcode, readOnly: true, rsv1: false })
    this.sendFrame(frame, callback)
  }

  /** As {@link control}, masked as the caller says. */
  controlMasked(
    opcode: typeof Opcode.PING | typeof Opcode.PONG,
    data: unknown,
    masking: Masking,
    callback: SendCallback | undefined,
  ): void {
    if (this.waiting?.isWaiting === true || isBlob(data)) {
      this.later.addData(data, (ready) => this.controlMasked(opcode, ready, masking, callback), callback)
      return
    }
    this.sendFrame(Sender.frame(bytesOf(data), { ...masking, fin: true, opcode, readOnly: true }), callback)
  }

  /** Sends a ping or a pong. @param data of at most 125 bytes */
  control(
    opcode: typeof Opcode.PING | typeof Opcode.PONG,
    data: unknown,
    callback: SendCallback | undefined,
  ): void {
    if (this.waiting?.isWaiting === true || isBlob(data)) {
      this.later.addData(data, (ready) => this.control(opcode, ready, callback), callback)
      return
    }
    this.sender.sendControl(opcode, bytesOf(data))
    this.sent(callback)
    // A server of `ws` ends a connection that sends more than 60 in one piece: each leaves by itself, as with `ws`.
    if (opcode === Opcode.PING && !this.isHeld) this.flush()
  }

  /** Sends the Close frame, after all that was sent before. */
  close(payload: Buffer, callback: SendCallback | undefined): void {
    if (this.waiting?.isWaiting === true) {
      this.waiting.add(() => this.close(payload, callback), callback)
      return
    }
    const { generateMask } = this
    if (generateMask !== undefined && this.isMasked) {
      const options = { mask: true, generateMask, fin: true, opcode: Opcode.CLOSE, readOnly: true }
      this.sendFrame(Sender.frame(payload, options), callback)
    } else {
      this.sender.sendClose(payload)
      this.sent(callback)
    }
    this.flush()
  }

  /** Writes frames that the caller made, after all that was sent before. @param list nobody changes it any more */
  sendFrame(list: readonly (string | Uint8Array)[], callback: SendCallback | undefined): void {
    if (this.waiting?.isWaiting === true || this.sender.isCompressing) {
      this.later.add(() => this.sendFrame(list, callback), callback)
      return
    }
    for (const piece of list) {
      const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece
      const { buffer, byteOffset, byteLength } = bytes
      const shared = Buffer.from(buffer, byteOffset, byteLength)
      if (byteLength > 0) this.sender.output.appendShared(shared, 0, byteLength)
    }
    this.sent(callback)
  }

  /** Writes nothing until {@link unhold}. */
  hold(): void {
    receiving.push(this)
    this.isHeld = true
  }

  sendingFailed(error: Error): void {
    this.owner.sendingFailed(error)
  }

  /** Writes all that the messages of a chunk caused. */
  unhold(): void {
    this.isHeld = false
    receiving.pop()
    this.flush()
  }

  /** Compression in the thread pool ended. */
  wake(): void {
    this.waiting?.goOn()
    this.flush()
  }

  /** Writes what waits. */
  flush(): void {
    const { socket } = this
    const { output } = this.sender
    this.turnBytes = 0
    while (output.byteLength > 0) {
      const bytes = output.take()
      if (bytes === null) break
      const held = output.takeHeld()
      const length = held === null ? bytes.length : bytes.length + held.length
      this.writtenBytes += length
      if (this.isLive && writeLive(socket, bytes, held, this)) {
        output.recycle()
        this.takenBytes += length
        continue
      }
      output.forget(false)
      // While the stream has bytes, frames are kept in memory of this connection's own.
      output.isBlocked = true
      ;(this.underWay ??= []).push(length)
      if (!this.isLive) this.writeStream(bytes, held)
    }
    if (this.marks !== null) this.settle(null)
  }

  /** The socket is cut: messages of this turn that were to be compressed are dropped, and the others are written. */
  cut(): void {
    if (this.turnBytes > 0) this.drop(new Error(CLOSED_COMPRESSING))
    else this.flush()
  }

  /** The socket is over. The callbacks of all that was not written are due. */
  end(): void {
    if (this.isOver) return
    this.isOver = true
    this.drop(new Error(this.sender.isCompressing ? CLOSED_COMPRESSING : CLOSED_SENDING))
  }

  private drop(error: Error): void {
    this.turnBytes = 0
    this.sender.clear()
    this.settle(error)
    this.waiting?.drop(error)
  }

  private sent(callback: SendCallback | undefined): void {
    if (callback !== undefined) this.mark(callback)
    const { output } = this.sender
    // To ask for the exact length encodes texts that wait for others.
    if (
      output.mostBytes > HELD_PAYLOAD_BYTES &&
      output.byteLength > HELD_PAYLOAD_BYTES &&
      (output.isHolding || output.byteLength > EAGER_FLUSH_BYTES)
    ) {
      this.flush()
    } else if (!this.isHeld && output.mostBytes > 0) {
      flushSoon(this)
    }
  }

  private mark(callback: SendCallback): void {
    const mark: Mark = { at: Infinity, callback }
    this.marks ??= []
    this.marks.push(mark)
    this.sender.whenFramed((outputBytes) => {
      mark.at = this.writtenBytes + outputBytes
    })
  }

  /** @param error all that wait are told of it; null: those whose bytes are taken */
  private settle(error: Error | null): void {
    const { marks } = this
    if (marks === null) return
    let count = 0
    for (; count < marks.length; count++) {
      const { at, callback } = marks[count] as Mark
      if (error === null && at > this.takenBytes) break
      callLater(callback, at > this.takenBytes ? error : null)
    }
    this.marks = count === marks.length ? null : marks.slice(count)
  }

  /** The callback of writes that the system did not take at once: most connections never have one. */
  get onWritten(): (error?: Error | null) => void {
    return (this.lazyOnWritten ??= (error) => this.written(error))
  }

  private written(error?: Error | null): void {
    const length = this.underWay?.shift() ?? 0
    if (error === null || error === undefined) this.takenBytes += length
    this.sender.output.isBlocked = this.socket.writableLength > 0
    if (error === null || error === undefined) this.settle(null)
    else this.settle(error)
  }

  private writeStream(bytes: Buffer, held: Uint8Array | null): void {
    const { socket } = this
    if (held === null) {
      socket.write(bytes, this.onWritten)
      return
    }
    const payload = Buffer.from(held.buffer, held.byteOffset, held.byteLength)
    if (socket instanceof NetSocket) {
      socket.cork()
      socket.write(bytes)
      socket.write(payload, this.onWritten)
      socket.uncork()
    } else {
      socket.write(Buffer.concat([bytes, payload]), this.onWritten)
    }
  }

  /** Makes a call in its turn, after those that wait. */
  private get later(): WaitingCalls {
    return (this.waiting ??= new WaitingCalls(this))
  }
}
