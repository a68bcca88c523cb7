import { ProtocolError, type TransportError } from '../errors.js'
import {
  checkCloseArguments,
  CloseCode,
  decodeClosePayload,
  encodeClosePayload,
  type ClosePayload,
} from '../frame/close-code.js'
import type { Role } from '../frame/frame-parser.js'
import { Opcode } from '../frame/opcode.js'
import { checkNumber, type Limits } from '../limits.js'
import { ClosingHandshake, transportShouldClose } from './closing-handshake.js'
import {
  resolveConnectionOptions,
  wantsCompression,
  type ConnectionOptions,
  type SendOptions,
} from './connection-options.js'
import { MessageReceived, type CloseInfo, type Closed, type ConnectionEvent, type Waker } from './events.js'
import { Keepalive } from './keepalive.js'
import { controlPayload, viewBytes, type MessageData } from './message-data.js'
import { PreparedMessage } from './prepared-message.js'
import { ControlFrame, Receiver } from './receiver.js'
import { Sender } from './sender.js'

/** RFC 6455's and the WHATWG's names for where a connection stands. */
export const ReadyState = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const
export type ReadyState = (typeof ReadyState)[keyof typeof ReadyState]

export type { ConnectionOptions, SendOptions }

/**
 * One WebSocket connection after its opening handshake: RFC 6455 sections 5 to 7 without I/O, timers or a
 * clock. Bytes go in, bytes and events come out; whoever drives it moves them.
 *
 * After each call that feeds it, pull {@link nextEvent} until null, write {@link takeOutput} until null, and look at
 * {@link transportShouldClose}. No call throws on what the peer sent.
 */
export class Connection {
  readonly role: Role
  private readonly limits: Limits
  private readonly sender: Sender
  private readonly receiver: Receiver
  private readonly keepalive: Keepalive
  private readonly waker: Waker
  private readonly autoPong: boolean

  private readonly closing = new ClosingHandshake()
  /** The transport's end, once the driver told it: acted on when all bytes before it were pulled. */
  private transportEnd: 'open' | 'end' | 'lost' = 'open'
  private lostError: ProtocolError | TransportError | null = null
  private pendingError: ProtocolError | TransportError | null = null
  private idleTimedOut = false
  private closedWasTold = false

  private now: number
  private lastMessageAt: number
  private pingCount = 0
  /** Pongs in the output that the transport did not take yet, and the newest ping above their limit. */
  private pendingPongs = 0
  private latePong: Buffer | null = null

  /** @throws TypeError or RangeError with the option's name, value and range */
  constructor(options: ConnectionOptions) {
    const { role, limits, codec, autoPong, now, waker } = resolveConnectionOptions(options)
    this.role = role
    this.limits = limits
    this.autoPong = autoPong
    this.waker = waker
    this.now = now
    this.lastMessageAt = now
    this.receiver = new Receiver(role, limits, codec, this)
    this.sender = new Sender(role === 'client', codec, this)
    this.keepalive = new Keepalive(limits.heartbeatIntervalMs, limits.heartbeatTimeoutMs, now)
  }

  /** Where the connection stands; CONNECTING never, for it begins open. */
  get readyState(): ReadyState {
    if (this.closing.state === 'ended' || this.transportEnd === 'lost') return ReadyState.CLOSED
    return this.closing.state === 'open' ? ReadyState.OPEN : ReadyState.CLOSING
  }

  /** Whether what is sent now can still reach the peer. */
  private get isOpen(): boolean {
    return this.closing.state === 'open' && this.transportEnd !== 'lost'
  }

  /** Bytes that were sent and not taken: frames, and messages that wait to be compressed. */
  get bufferedBytes(): number {
    return this.sender.byteLength
  }

  /** The round trip of the last ping that was answered, in milliseconds; undefined before the first. */
  get rttMs(): number | undefined {
    return this.keepalive.rttMs
  }

  /** Whether a message is being inflated off the loop: feed no more until the waker is called. */
  get isInflating(): boolean {
    return this.closing.isReceiving && this.receiver.isInflating
  }

  /**
   * Bytes came.
   * @param chunk from now on the connection's: payloads are unmasked in place, and messages may be views of it
   * @param isBorrowed the chunk is lent: pull what you want of it, then call {@link keepInput}, and from then on its
   *   memory is the caller's again. Messages are no views of it
   */
  receiveBytes(chunk: Uint8Array, now = this.now, isBorrowed = false): void {
    if (!this.closing.isReceiving) return
    this.now = now
    this.keepalive.heard(now)
    this.receiver.push(chunk, isBorrowed)
  }

  /** Copies what was not pulled of a chunk that is lent. */
  keepInput(): void {
    this.receiver.keepInput()
  }

  /**
   * The peer ended its side of the transport (a FIN). What came before it is still there to be pulled. If a Close
   * frame of ours is on its way by then, `closed` is told once it was taken.
   */
  receiveEnd(): void {
    if (this.transportEnd === 'open') this.transportEnd = 'end'
  }

  /**
   * The transport is gone, both ways. What came before is still there to be pulled.
   * @param error why, if it was an error; told by an `error` event unless the connection was closed already
   */
  transportLost(error?: ProtocolError | TransportError): void {
    if (this.transportEnd === 'lost') return
    this.transportEnd = 'lost'
    this.lostError = error ?? null
  }

  /**
   * What happened, one thing at a time and in order. Between two calls nothing is lost and nothing runs: not
   * to call is to pause.
   */
  nextEvent(): ConnectionEvent | null {
    if (this.pendingError !== null) {
      const error = this.pendingError
      this.pendingError = null
      return { type: 'error', error }
    }
    if (this.idleTimedOut) {
      this.idleTimedOut = false
      return { type: 'idleTimeout' }
    }
    if (this.closing.isReceiving) {
      const received = this.receiver.next()
      if (received !== null) {
        if (received instanceof MessageReceived) {
          this.lastMessageAt = this.now
          return received
        }
        return received instanceof ControlFrame ? this.receiveControl(received) : this.violate(received)
      }
      if (this.receiver.isInflating) return null
    }
    if (this.transportEnd === 'open') return null
    // The peer that only ended its side still reads: our Close frame, and what is before it, go out first.
    if (this.transportEnd === 'end' && this.closing.isOver && this.bufferedBytes > 0) return null
    return this.endEvent(this.transportEnd)
  }

  /**
   * Queues a message.
   * @param data text, or bytes; read during the call only and never changed
   * @returns false if the connection is not open: nothing was taken
   * @throws TypeError for what is neither text nor bytes
   */
  send(data: MessageData | PreparedMessage, options?: SendOptions): boolean {
    if (data instanceof PreparedMessage) {
      if (options !== undefined) throw new TypeError('send options belong to the PreparedMessage itself')
      return this.sendPrepared(data)
    }
    const compress = options === undefined || wantsCompression(options)
    if (typeof data === 'string') {
      if (!this.isOpen) return false
      this.sender.sendText(data, compress)
      return true
    }
    const bytes = viewBytes('data', data)
    if (!this.isOpen) return false
    this.sender.sendBytes(bytes, compress)
    return true
  }

  /** As {@link send}, for a message that goes to many. */
  sendPrepared(message: PreparedMessage): boolean {
    if (!this.isOpen) return false
    this.sender.sendPrepared(message)
    return true
  }

  /**
   * Queues a ping (RFC 6455 section 5.5.2).
   * @param data at most 125 bytes
   * @returns false if the connection is not open
   * @throws TypeError for what is neither text nor bytes, RangeError for more than 125 bytes
   */
  ping(data: MessageData = '', now = this.now): boolean {
    const payload = controlPayload('ping data', data)
    if (!this.isOpen) return false
    this.keepalive.pingSent(payload, now)
    this.sender.sendControl(Opcode.PING, payload)
    return true
  }

  /**
   * Queues a pong that nobody asked for, or the answer where `autoPong` is off (RFC 6455 section 5.5.3). Of those
   * that the transport does not take, only `maxPendingPongs` and one more are kept.
   * @param data at most 125 bytes
   * @returns false if the connection is not open
   * @throws TypeError for what is neither text nor bytes, RangeError for more than 125 bytes
   */
  pong(data: MessageData = ''): boolean {
    const payload = controlPayload('pong data', data)
    if (!this.isOpen) return false
    this.sendPong(payload, !this.autoPong)
    return true
  }

  /**
   * Starts the closing handshake (RFC 6455 section 7.1.2). Messages that were sent before still go out, and those
   * that the peer sends until its Close frame still come in. A second call does nothing.
   * @throws TypeError or RangeError for a code that must not be sent, or a reason without a code
   */
  close(code?: number, reason?: string): void {
    checkCloseArguments(code, reason)
    if (!this.isOpen) return
    this.closing.step('localClose')
    this.sender.sendClose(encodeClosePayload(code, reason))
  }

  /**
   * Fails the connection (RFC 6455 section 7.1.7): a Close frame if none was sent, and nothing that comes from now
   * on is looked at. No `error` event: the caller knows why.
   * @throws TypeError or RangeError for a code that must not be sent
   */
  fail(closeCode: number, reason = ''): void {
    // Not left out, as with `close`: there is something to say.
    checkNumber('close code', closeCode, { min: 0, max: 65_535, integer: true })
    checkCloseArguments(closeCode, reason)
    this.failWith(closeCode, reason)
  }

  /**
   * Fails the connection over a limit of this side, with an `error` event.
   * @param dropOutput whether what waits to be sent is dropped: it always ends between two frames
   */
  failOverLimit(error: ProtocolError, dropOutput: boolean): void {
    if (this.closing.state !== 'open') return
    if (dropOutput) this.sender.clear()
    this.pendingError = error
    this.failWith(error.closeCode, error.message)
  }

  /**
   * Bytes to write now: call again until null.
   * @returns bytes that nobody changes any more
   */
  takeOutput(): Buffer | null {
    this.pendingPongs = 0
    if (this.latePong !== null) {
      const payload = this.latePong
      this.latePong = null
      if (this.isOpen) this.sendPong(payload, true)
    }
    return this.sender.output.take()
  }

  /**
   * What {@link takeOutput} gave last was written, and its memory is free: to be called only where that is so before
   * anything else is called. Not to call it is always right.
   */
  recycleOutput(): void {
    this.sender.output.recycle()
  }

  /** Whether the transport takes bytes: while it does not, output is kept in memory of this connection alone. */
  setBlocked(isBlocked: boolean): void {
    this.sender.output.isBlocked = isBlocked
  }

  /**
   * Whether this side should end the transport once {@link takeOutput} gave its last: `soon`, when the peer
   * should, and a timer has to see that it does; else `now` or `no`.
   */
  transportShouldClose(): 'no' | 'soon' | 'now' {
    const answer = transportShouldClose(this.closing.state, this.role)
    // The peer has ended its side: there is nothing to wait for.
    const isDue = answer === 'now' || (this.transportEnd === 'end' && this.closing.isOver)
    if (!isDue) return answer
    return this.sender.isCompressing ? 'soon' : 'now'
  }

  /** When {@link tick} has something to do, if nothing comes until then; Infinity for never. */
  get nextTickAt(): number {
    if (this.closing.state !== 'open' || this.transportEnd !== 'open') return Infinity
    return Math.min(this.keepalive.deadline, this.lastMessageAt + this.limits.idleTimeoutMs)
  }

  /** Time went by: pings after silence, finds the dead, notices idleness. Then pull and write as after bytes. */
  tick(now: number): void {
    this.now = now
    if (this.closing.state !== 'open' || this.transportEnd !== 'open') return
    const verdict = this.keepalive.check(now)
    if (verdict === 'ping') {
      const payload = Buffer.allocUnsafe(4)
      payload.writeUInt32BE(this.pingCount, 0)
      this.pingCount = (this.pingCount + 1) >>> 0
      this.ping(payload, now)
    } else if (verdict === 'dead') {
      this.closing.initiator = 'engine'
      this.transportLost(new ProtocolError('HAWSER_HEARTBEAT_TIMEOUT'))
      return
    }
    // The sum that nextTickAt tells: a difference can be rounded to below the timeout at that very time.
    if (now >= this.lastMessageAt + this.limits.idleTimeoutMs) {
      this.lastMessageAt = now
      this.idleTimedOut = true
    }
  }

  /** While this side does not read, the peer's silence says nothing. */
  readingIsPaused(now: number): void {
    this.now = now
    this.keepalive.heard(now)
    this.lastMessageAt = now
  }

  /** The caller gives the connection up: what came and was not pulled is dropped, `closed` is all that is left. */
  abandon(): void {
    if (this.closing.state === 'open') this.closing.initiator = 'local'
    this.transportEnd = 'lost'
    this.pendingError = null
    this.idleTimedOut = false
    this.closing.step('lost')
    this.sender.clear()
  }

  /** How the connection ended, or would end if the transport were lost now. */
  get closeInfo(): CloseInfo {
    return this.closing.info
  }

  /** A compression or an inflation off the loop ended. */
  wake(): void {
    this.waker.wake()
  }

  private receiveControl(frame: ControlFrame): ConnectionEvent {
    const { opcode, payload } = frame
    if (opcode === Opcode.PING) {
      if (this.autoPong && this.isOpen) this.sendPong(payload, true)
      return { type: 'ping', data: payload }
    }
    if (opcode === Opcode.PONG) {
      this.keepalive.pongReceived(payload, this.now)
      return { type: 'pong', data: payload }
    }
    const close = decodeClosePayload(payload)
    return close instanceof ProtocolError ? this.violate(close) : this.receiveClose(close)
  }

  private receiveClose(close: ClosePayload): ConnectionEvent {
    const send = this.closing.step('remoteClose', close.code, close.reason)
    // The answer repeats the code (RFC 6455 section 5.5.1).
    if (send === 'echo') {
      const code = close.code === CloseCode.NO_STATUS_RECEIVED ? undefined : close.code
      this.sender.sendClose(encodeClosePayload(code))
    }
    return { type: 'closeReceived', code: close.code, reason: close.reason }
  }

  private violate(error: ProtocolError): ConnectionEvent {
    this.failWith(error.closeCode, error.message)
    return { type: 'error', error }
  }

  private failWith(closeCode: number, reason: string): void {
    if (!this.closing.isReceiving) return
    const send = this.closing.step('violation', closeCode, reason)
    if (send === 'violation') this.sender.sendClose(encodeClosePayload(closeCode, reason))
  }

  /**
   * Pongs that the transport does not take are few: above their limit only the newest ping is answered.
   * @param payload the same memory may be in the hands of who pulled the ping
   * @param isAnswer what nobody asked for does not take the place of an answer
   */
  private sendPong(payload: Buffer, isAnswer: boolean): void {
    if (this.pendingPongs >= this.limits.maxPendingPongs) {
      if (isAnswer || this.latePong === null) this.latePong = Buffer.from(payload)
      return
    }
    this.pendingPongs++
    this.sender.sendControl(Opcode.PONG, payload)
  }

  private endEvent(end: 'end' | 'lost'): ConnectionEvent | null {
    if (this.closing.state !== 'ended') {
      const error = this.closing.isReceiving ? this.lostError : null
      this.closing.step(end)
      this.sender.clear()
      if (error !== null) return { type: 'error', error }
    }
    if (this.closedWasTold) return null
    this.closedWasTold = true
    const closed: Closed = { type: 'closed', ...this.closeInfo }
    return closed
  }
}
