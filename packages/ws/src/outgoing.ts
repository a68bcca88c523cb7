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
import { isBlob, toPayload, type BlobLike } from './payload.js'
import { Sender } from './sender.js'

/** Called once, after the call: with null when the system or the stream took the message, else with the error. */
export type SendCallback = (error?: Error | null) => void

/** How a message is sent. */
export interface MessageOptions {
  readonly binary: boolean
  readonly compress: boolean
  readonly fin: boolean
}

/** From this size on output is written at once. */
const EAGER_FLUSH_BYTES = 64 * 1024
const EMPTY = Buffer.alloc(0)

const CLOSED_READING = 'The socket was closed while the blob was being read'
const CLOSED_SENDING = 'The socket was closed before the data was sent'

/** Who waits until so many bytes are taken. */
interface Mark {
  /** Infinity while the message waits to be a frame. */
  at: number
  readonly callback: SendCallback
}

/** Callbacks that are due, of all connections: one `nextTick` for all. */
let due: { readonly callback: SendCallback; readonly error: Error | null }[] = []

function callDue(): void {
  const calls = due
  due = []
  let next = 0
  try {
    for (const { callback, error } of calls) {
      next++
      callback(error)
    }
  } finally {
    // One of them threw: it is heard, and the others are called all the same.
    for (const { callback, error } of calls.slice(next)) callLater(callback, error)
  }
}

/** Calls back after the code that runs now. */
export function callLater(callback: SendCallback, error: Error | null): void {
  due.push({ callback, error })
  if (due.length === 1) process.nextTick(callDue)
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
export class Outgoing implements Flushable {
  isQueued = false
  /** While a chunk is received nothing is written: all that its messages cause leaves together. */
  private isHeld = false
  /** Bytes of messages that were given after the end. */
  lostBytes = 0
  private readonly socket: Duplex
  private readonly isLive: boolean
  private readonly sender: EngineSender
  private readonly isMasked: boolean
  private isFragmented = false
  private isOver = false
  /** Bytes that were written, and the part of them that was taken. */
  private writtenBytes = 0
  private takenBytes = 0
  /** The lengths of the writes that are under way. */
  private readonly underWay: number[] = []
  private marks: Mark[] | null = null
  /** Calls that wait for a Blob, or for a compression. */
  private waiting: (() => void)[] | null = null
  private waitingBytes = 0
  private isReadingBlob = false

  /**
   * @param isLive whether the socket is one that `readShared` took
   * @param isMasked as a client's frames are
   */
  constructor(socket: Duplex, isLive: boolean, isMasked: boolean, codec: MessageCodec | null) {
    this.socket = socket
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
    return this.sender.byteLength + this.waitingBytes + this.lostBytes
  }

  /**
   * Sends a message, or a fragment of one.
   * @throws TypeError for data that no bytes can be made of
   */
  send(data: unknown, options: MessageOptions, callback: SendCallback | undefined): void {
    // For each message: most are a string or a Buffer, which need not be looked at further.
    const isPlain = typeof data === 'string' || data instanceof Uint8Array
    if (this.waiting !== null || (!isPlain && isBlob(data))) {
      this.sendLater(data, (ready) => this.send(ready, options, callback), callback)
      return
    }
    const { sender } = this
    const opcode = options.binary ? Opcode.BINARY : Opcode.TEXT
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
    masking: { readonly mask: boolean; readonly generateMask: ((mask: Buffer) => void) | undefined },
    callback: SendCallback | undefined,
  ): void {
    if (this.waiting !== null || isBlob(data)) {
      this.sendLater(data, (ready) => this.sendMasked(ready, options, masking, callback), callback)
      return
    }
    const { fin, binary } = options
    const first = binary ? Opcode.BINARY : Opcode.TEXT
    const opcode = this.isFragmented ? Opcode.CONTINUATION : first
    this.isFragmented = !fin
    const frame = Sender.frame(bytesOf(data), { ...masking, fin, opcode, readOnly: true, rsv1: false })
    this.sendFrame(frame, callback)
  }

  /** Sends a ping or a pong. @param data of at most 125 bytes */
  control(
    opcode: typeof Opcode.PING | typeof Opcode.PONG,
    data: unknown,
    callback: SendCallback | undefined,
  ): void {
    if (this.waiting !== null || isBlob(data)) {
      this.sendLater(data, (ready) => this.control(opcode, ready, callback), callback)
      return
    }
    this.sender.sendControl(opcode, bytesOf(data))
    this.sent(callback)
  }

  /** Sends the Close frame, after all that was sent before. */
  close(payload: Buffer, callback: SendCallback): void {
    if (this.waiting !== null) {
      this.waiting.push(() => this.close(payload, callback))
      return
    }
    this.sender.sendClose(payload)
    this.sent(callback)
    this.flush()
  }

  /** Writes frames that the caller made, after all that was sent before. @param list nobody changes it any more */
  sendFrame(list: readonly (string | Uint8Array)[], callback: SendCallback | undefined): void {
    if (this.waiting !== null) {
      this.waiting.push(() => this.sendFrame(list, callback))
      return
    }
    if (this.sender.isCompressing) {
      this.waiting = [() => this.sendFrame(list, callback)]
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

  /** Writes all that the messages of a chunk caused. */
  unhold(): void {
    this.isHeld = false
    receiving.pop()
    this.flush()
  }

  /** Compression in the thread pool ended. */
  wake(): void {
    this.goOn()
    this.flush()
  }

  /** Writes what waits. */
  flush(): void {
    const { socket } = this
    const { output } = this.sender
    while (output.byteLength > 0) {
      const bytes = output.take()
      if (bytes === null) break
      const held = output.takeHeld()
      const length = held === null ? bytes.length : bytes.length + held.length
      this.writtenBytes += length
      if (this.isLive && writeLive(socket, bytes, held, this.onWritten)) {
        output.recycle()
        this.takenBytes += length
        continue
      }
      output.forget(false)
      // While the stream has bytes, frames are kept in memory of this connection's own.
      output.isBlocked = true
      this.underWay.push(length)
      if (!this.isLive) this.writeStream(bytes, held)
    }
    if (this.marks !== null) this.settle(null)
  }

  /** The socket is over. */
  end(): void {
    if (this.isOver) return
    this.isOver = true
    const { waiting } = this
    this.waiting = null
    this.sender.clear()
    this.settle(new Error(CLOSED_SENDING))
    if (waiting !== null) for (const call of waiting) call()
    this.settle(new Error(CLOSED_SENDING))
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

  private readonly onWritten = (error?: Error | null): void => {
    const length = this.underWay.shift() ?? 0
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

  /** Waits for its turn, and for the bytes of a Blob. */
  private sendLater(data: unknown, send: (ready: unknown) => void, callback: SendCallback | undefined): void {
    const byteLength = isBlob(data) ? data.size : toPayload(data).byteLength
    const kept = isBlob(data) || typeof data === 'string' ? data : bytesOf(data)
    this.waitingBytes += byteLength
    this.waiting ??= []
    this.waiting.push(() => {
      this.waitingBytes -= byteLength
      if (isBlob(kept) && !this.isOver) this.readBlob(kept, byteLength, send, callback)
      else if (!this.isOver) send(kept)
      else if (callback !== undefined)
        callLater(callback, new Error(isBlob(kept) ? CLOSED_READING : CLOSED_SENDING))
    })
    if (this.waiting.length === 1) this.goOn()
  }

  private readBlob(
    blob: BlobLike,
    byteLength: number,
    send: (ready: unknown) => void,
    callback: SendCallback | undefined,
  ): void {
    this.isReadingBlob = true
    this.waitingBytes += byteLength
    const settled = (bytes: ArrayBuffer | null, error: Error | null): void => {
      this.isReadingBlob = false
      this.waitingBytes -= byteLength
      if (this.isOver || bytes === null) {
        if (callback !== undefined) callLater(callback, error ?? new Error(CLOSED_READING))
        if (!this.isOver) this.socket.destroy(error ?? undefined)
      } else {
        this.takeTurn(() => send(bytes))
      }
      this.goOn()
      this.flush()
    }
    blob.arrayBuffer().then(
      (bytes) => settled(bytes, null),
      (error: unknown) => settled(null, error as Error),
    )
  }

  /** Makes the calls that wait, up to the next one that has to. */
  private goOn(): void {
    while (this.waiting !== null && !this.isReadingBlob && !this.sender.isCompressing) {
      const call = this.waiting.shift()
      if (call === undefined) {
        this.waiting = null
        return
      }
      this.takeTurn(call)
    }
  }

  /** Makes a call as if no other waited. */
  private takeTurn(call: () => void): void {
    const { waiting } = this
    this.waiting = null
    call()
    if (waiting === null) return
    const others = this.waiting as (() => void)[] | null
    this.waiting = others === null ? waiting : [...others, ...waiting]
  }
}

function bytesOf(data: unknown): Buffer {
  if (data === undefined || data === null || data === '') return EMPTY
  const payload = toPayload(data).data
  return typeof payload === 'string' ? Buffer.from(payload) : payload
}
