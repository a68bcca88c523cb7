/** What a WebSocket receives, and how its connection ends: the engine's receiver between a socket and the events. */
import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { setImmediate } from 'node:timers'
import { MessageReceived } from '../../../src/connection/events.js'
import { ControlFrame, Receiver as EngineReceiver } from '../../../src/connection/receiver.js'
import { LimitError, type ProtocolError } from '../../../src/errors.js'
import type { MessageCodec } from '../../../src/extension/message-codec.js'
import { decodeClosePayload } from '../../../src/frame/close-code.js'
import { Opcode } from '../../../src/frame/opcode.js'
import { readShared } from '../../../src/native/live-socket.js'
import { callDue } from './callbacks.js'
import { tooManyFragments, toReceivedError, type ReceivedError } from './errors.js'
import { Outgoing, type SendingFailure } from './outgoing.js'
import type { ReceiverOptions } from './receiver.js'

/**
 * What a connection reports, of which WebSocket: one object of functions for all, so that nothing is added to each. The calls
 * may throw what a handler of the application threw.
 */
export interface LinkEvents<W> {
  received(of: W, data: Buffer, isBinary: boolean): void
  pinged(of: W, data: Buffer): void
  ponged(of: W, data: Buffer): void
  /** The peer's Close frame was received. */
  concluded(of: W, code: number, reason: Buffer): void
  /** The peer broke the protocol, or a limit: nothing more is received. */
  failed(of: W, error: ReceivedError): void
  /** Nothing more can be sent: a Blob could not be read. */
  broke(of: W, error: Error): void
  /** Nothing more is sent or received: the peer ended its side, or the socket is over or broken. */
  closing(of: W): void
  /** The socket is over, and all that it received was reported. */
  gone(of: W): void
}

/** How a connection receives. */
export interface LinkOptions {
  readonly isServer: boolean
  readonly codec: MessageCodec | null
  /** 0: no limit. */
  readonly maxPayload: number
  /** 0: no limit. */
  readonly maxFragments: number
  readonly skipUTF8Validation: boolean
  readonly allowSynchronousEvents: boolean
}

/** Reasons not to look at the input. */
const PAUSED = 1
const INFLATING = 2
/** The next event is for another turn of the event loop. */
const DEFERRED = 4
const NOT_STARTED = 8
/** It is this side that paused the socket before reading began. */
const STOPPED = 16

const LINK = Symbol('hawser.link')
type LinkedSocket = Duplex & { [LINK]?: Link<unknown> | undefined }

function onData(this: LinkedSocket, chunk: Buffer): void {
  this[LINK]?.take(chunk)
}
function onEnd(this: LinkedSocket): void {
  this[LINK]?.socketEnded()
}
function onClose(this: LinkedSocket): void {
  this[LINK]?.socketClosed()
}
function onError(this: LinkedSocket): void {
  this[LINK]?.socketBroke()
}
/** Listens while the application has paused the connection. */
function onResume(this: LinkedSocket): void {
  if (this.readableFlowing === true) this[LINK]?.resume()
}

const orInfinity = (limit: number): number => (limit > 0 ? limit : Infinity)
const orNone = (limit: number): number => (limit === Infinity ? 0 : limit)

/** A connection over its socket. */
export class Link<W> implements SendingFailure {
  readonly socket: Duplex
  readonly outgoing: Outgoing
  private readonly events: LinkEvents<W>
  private readonly owner: W
  private readonly receiver: EngineReceiver
  private readonly codec: MessageCodec | null
  private readonly isSynchronous: boolean
  private readonly isLive: boolean
  private readonly checksText: boolean
  private holds = NOT_STARTED
  private isPulling = false
  /** Nothing more is received: the peer's Close frame came, or it broke the protocol. */
  private isConcluded = false
  private isClosed = false
  private isGone = false

  /** @param socket nobody else reads it; reading begins with {@link start} */
  constructor(socket: Duplex, owner: W, events: LinkEvents<W>, options: LinkOptions) {
    const { isServer, codec, maxPayload, maxFragments, skipUTF8Validation } = options
    this.socket = socket
    this.owner = owner
    this.events = events
    this.codec = codec
    this.isSynchronous = options.allowSynchronousEvents
    const limits = { maxMessageBytes: orInfinity(maxPayload), maxFrameBytes: Infinity }
    const text = skipUTF8Validation ? 'unchecked' : 'bytes'
    this.checksText = !skipUTF8Validation
    this.receiver = new EngineReceiver(isServer ? 'server' : 'client', limits, codec, this, 0, text)
    if (maxFragments > 0) this.receiver.limitFragments(maxFragments)
    ;(socket as LinkedSocket)[LINK] = this
    this.isLive = readShared(socket, this)
    this.outgoing = new Outgoing(socket, this, this.isLive, !isServer, codec)
    socket.on('close', onClose)
    socket.on('end', onEnd)
    socket.on('error', onError)
    // Of EventEmitter: that of a stream begins to read.
    EventEmitter.prototype.on.call(socket, 'data', onData)
  }

  /** How it receives, by the names of the class Receiver. */
  get receives(): Pick<
    ReceiverOptions,
    'allowSynchronousEvents' | 'maxFragments' | 'maxPayload' | 'skipUTF8Validation'
  > {
    const { maxMessageBytes, maxFragments } = this.receiver
    return {
      allowSynchronousEvents: this.isSynchronous,
      maxFragments: orNone(maxFragments),
      maxPayload: orNone(maxMessageBytes),
      skipUTF8Validation: !this.checksText,
    }
  }

  /**
   * Begins to read, after the code that runs now. A stream that flows already is read at once: who gives it has read the
   * handshake in this turn, and what follows may be on its way to the listeners of now.
   * @param head bytes received together with the handshake
   */
  start(head: Uint8Array): void {
    const { socket } = this
    const isFlowing = socket.readableFlowing === true
    if (isFlowing && !this.isLive && head.length === 0) {
      this.begin()
      return
    }
    // Whatever reads it may stop: what comes until reading begins stays in the stream.
    if (isFlowing) {
      socket.pause()
      this.holds |= STOPPED
    }
    if (head.length > 0) this.receive(Buffer.from(head))
    setImmediate(() => {
      this.begin()
    })
  }

  /** The caller pauses. After the end of the socket it is too late: what was received is reported before 'close'. */
  pause(): void {
    if (this.isClosed) return
    // As `ws`: who resumes the socket resumes the connection.
    if ((this.holds & PAUSED) === 0) this.socket.on('resume', onResume)
    this.hold(PAUSED)
  }

  resume(): void {
    this.socket.removeListener('resume', onResume)
    this.release(PAUSED)
  }

  /** The socket read bytes. @param chunk valid during the call only */
  receive(chunk: Buffer): void {
    const { socket } = this
    // Others listen as well, before or after: they get bytes of their own. Or the application took this listener away.
    const isOurs = socket.listenerCount('data') === 1 && socket.listenerCount('data', onData) === 1
    if (this.isLive && !isOurs) socket.emit('data', Buffer.from(chunk))
    else this.take(chunk)
  }

  /** @param chunk valid during the call only; it is unmasked in place */
  take(chunk: Buffer): void {
    if (this.isConcluded) return
    this.receiver.push(chunk, true)
    this.pull()
  }

  sendingFailed(error: Error): void {
    if (!this.isClosed) this.events.broke(this.owner, error)
  }

  /** A message was decompressed in the thread pool. */
  wake(): void {
    this.release(INFLATING)
    if (this.isClosed) this.finish()
  }

  /** Reads what follows, to see the end of the socket. */
  drain(): void {
    this.isConcluded = true
    process.nextTick(() => {
      if (!this.isClosed) this.socket.resume()
    })
  }

  socketEnded(): void {
    this.events.closing(this.owner)
    this.socket.end()
  }

  socketBroke(): void {
    this.events.closing(this.owner)
    this.socket.destroy()
  }

  socketClosed(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.events.closing(this.owner)
    // What was received before is reported, even if the caller paused.
    this.holds &= INFLATING | DEFERRED
    this.takeRest()
    this.pull()
    this.finish()
  }

  private begin(): void {
    const { socket, holds } = this
    this.holds &= ~(NOT_STARTED | STOPPED)
    if (this.isClosed) return
    this.pull()
    if (this.holds !== 0) socket.pause()
    // As `ws`: a socket that its user paused stays so.
    else if ((holds & STOPPED) !== 0 || !socket.isPaused()) socket.resume()
  }

  /** What a stream read, and nobody took, before it closed. */
  private takeRest(): void {
    if (this.isLive) return
    const chunk = this.socket.read() as unknown
    if (Buffer.isBuffer(chunk)) this.take(chunk)
  }

  private hold(reason: number): void {
    this.holds |= (this.holds & NOT_STARTED) === 0 ? reason : reason | STOPPED
    this.socket.pause()
  }

  private release(reason: number): void {
    if ((this.holds & reason) === 0) return
    this.holds &= ~reason
    this.pull()
    if (this.holds === 0 && !this.isClosed) this.socket.resume()
  }

  /** Reports what was received, until there is nothing more or something holds it. */
  private pull(): void {
    if (this.isPulling) return
    const { receiver, outgoing } = this
    this.isPulling = true
    outgoing.hold()
    let isDone = false
    try {
      while (this.holds === 0 && !this.isConcluded) {
        const event = receiver.next()
        if (event === null) {
          if (receiver.isInflating && !this.isClosed) this.hold(INFLATING)
          else if (receiver.isInflating) this.holds |= INFLATING
          break
        }
        if (event instanceof MessageReceived) {
          this.events.received(this.owner, event.data as Buffer, receiver.opcode === Opcode.BINARY)
        } else if (event instanceof ControlFrame) {
          this.control(event.opcode, event.payload)
        } else {
          this.fail(event)
        }
        if (!this.isSynchronous) this.defer()
      }
      isDone = true
    } finally {
      this.isPulling = false
      receiver.keepInput()
      outgoing.unhold()
      // A handler threw: the error is heard, and what follows is reported all the same.
      if (!isDone) setImmediate(() => this.goOn())
    }
  }

  private goOn(): void {
    this.pull()
    if (this.isClosed) this.finish()
  }

  private defer(): void {
    if (this.isClosed) this.holds |= DEFERRED
    else this.hold(DEFERRED)
    setImmediate(() => {
      this.release(DEFERRED)
      if (this.isClosed) this.finish()
    })
  }

  private control(opcode: number, payload: Buffer): void {
    if (opcode === Opcode.PING) {
      this.events.pinged(this.owner, payload)
    } else if (opcode === Opcode.PONG) {
      this.events.ponged(this.owner, payload)
    } else {
      const close = decodeClosePayload(payload)
      if (!(close instanceof Error)) {
        this.conclude(close.code, payload.subarray(2))
      } else if (close.code === 'HAWSER_INVALID_UTF8' && !this.checksText) {
        this.conclude(payload.readUInt16BE(0), payload.subarray(2))
      } else {
        this.fail(close)
      }
    }
  }

  private conclude(code: number, reason: Buffer): void {
    this.drain()
    this.events.concluded(this.owner, code, reason)
  }

  private fail(error: ProtocolError): void {
    const { receiver } = this
    this.drain()
    const isCount = error instanceof LimitError && receiver.hasTooManyFragments
    const received = isCount ? tooManyFragments() : toReceivedError(error, receiver.refusedHeader)
    this.events.failed(this.owner, received)
  }

  /** Reports the end, once nothing is left to report before it. */
  private finish(): void {
    if (this.isGone || this.holds !== 0 || this.isPulling) return
    this.isGone = true
    ;(this.socket as LinkedSocket)[LINK] = undefined
    this.socket.removeListener('close', onClose)
    this.socket.removeListener('end', onEnd)
    this.socket.removeListener('data', onData)
    this.socket.removeListener('resume', onResume)
    this.codec?.close()
    this.outgoing.end()
    // Before 'close' they are called, and it is emitted also if one of them throws.
    try {
      callDue()
    } finally {
      this.events.gone(this.owner)
    }
  }
}
