import { ProtocolError, type TransportError } from '../errors.js'
import {
  checkCloseArguments,
  checkFailArguments,
  decodeClosePayload,
  type ClosePayload,
} from '../frame/close-code.js'
import type { Role } from '../frame/frame-parser.js'
import { Opcode } from '../frame/opcode.js'
import type { Limits } from '../limits.js'
import { UNTOUCHED, type ClosingView } from './closing-handshake.js'
import {
  resolveConnectionOptions,
  wantsCompression,
  type ConnectionOptions,
  type SendOptions,
} from './connection-options.js'
import { MessageReceived, type CloseInfo, type ConnectionEvent, type Waker } from './events.js'
import { Ending } from './ending.js'
import { IdleTime } from './idle-time.js'
import { Keepalive } from './keepalive.js'
import { canBeHeld, controlPayload, viewBytes, type MessageData } from './message-data.js'
import { Pongs } from './pongs.js'
import { PreparedMessage } from './prepared-message.js'
import { ReadyState } from './ready-state.js'
import { InputSide } from './input-side.js'
import { ControlFrame } from './receiver.js'
import { receiversFor } from './receivers.js'
import { Sender } from './sender.js'
import { findQueuesBy } from './shared-output.js'

export { ReadyState, type ConnectionOptions, type SendOptions }

/**
 * One WebSocket connection after its opening handshake: RFC 6455 sections 5 to 7 without I/O, timers or a clock. The
 * caller, its driver, passes bytes in and takes bytes and events out.
 * After each call that passes something in, the driver calls {@link nextEvent} until null, writes {@link takeOutput} until null,
 * and checks {@link transportShouldClose}. Nothing that the peer sends makes a call throw.
 */
export class Connection extends InputSide implements Waker {
  static {
    findQueuesBy((connection) => (connection as Connection).sender.plainOutput)
  }

  /** The side that this connection is. */
  readonly role: Role
  private readonly sender: Sender
  private readonly limits: Limits
  /** Made when more is to be known than the last sign of life: until then that is {@link now}. */
  private lazyKeepalive: Keepalive | null = null
  private readonly idle: IdleTime | null
  private readonly waker: Waker
  private readonly autoPong: boolean
  private readonly autoClose: boolean
  /** Whether all pings of the next chunk are answered, without `maxPendingPongs`, because the peer reads. */
  answersAllPings = false
  private pongs: Pongs | null = null
  private closing: ClosingView = UNTOUCHED
  private ending: Ending | null = null
  /** An event to report before any received one. */
  private pending: ConnectionEvent | null = null
  private now: number

  /** @throws TypeError or RangeError with the option's name, value and range */
  constructor(options: ConnectionOptions) {
    const { role, limits, codec, autoPong, autoClose, now, waker } = resolveConnectionOptions(options)
    super(receiversFor(role, limits, codec))
    this.role = role
    this.limits = limits
    this.autoPong = autoPong
    this.autoClose = autoClose
    this.waker = waker
    this.now = now
    this.sender = new Sender(role === 'client', codec, this)
    this.idle = limits.idleTimeoutMs === Infinity ? null : new IdleTime(limits.idleTimeoutMs, now)
  }

  /** The state of the connection. It is never CONNECTING, because a connection begins open. */
  get readyState(): ReadyState {
    return this.closing.readyState
  }

  /** Whether messages can still be sent: until this side's Close frame, also while the answer to the peer's waits (5.5.1). */
  get isSendable(): boolean {
    return this.closing.isSendable
  }

  /** Whether the peer's Close frame is received and not answered yet: see {@link answerClose}. */
  get owesClose(): boolean {
    return this.closing.owesAnswer
  }

  /** The waiting part of {@link bufferedBytes}: without a message that is being compressed if nothing is before it. */
  waitingBytes(hasRoom: boolean): number {
    return this.sender.waitingBytes(hasRoom)
  }

  /** The bytes of frames that are not taken yet, and of messages that wait for compression. */
  get bufferedBytes(): number {
    return this.sender.byteLength
  }

  /** At least as many as {@link bufferedBytes}. To ask for these does not encode what waits to be encoded together. */
  get mostBufferedBytes(): number {
    return this.sender.mostBytes
  }

  /** The round trip of the last answered ping, in milliseconds; undefined before the first. */
  get rttMs(): number | undefined {
    return this.lazyKeepalive?.rttMs
  }

  /** Whether a message is being inflated on the thread pool. Pass in no more bytes until the waker is called. */
  get isInflating(): boolean {
    return this.receiver !== null && this.closing.isReceiving && this.receiver.isInflating
  }

  /**
   * @param chunk received bytes, owned by the connection from now on: payloads are unmasked in place, and messages may be views of it
   * @param isBorrowed whether the chunk is only lent. The caller then pulls events, calls {@link keepInput}, and owns
   *   the memory again. Messages are never views of a lent chunk
   */
  receiveBytes(chunk: Uint8Array, now = this.now, isBorrowed = false): void {
    if (!this.closing.isReceiving) return
    this.now = now
    if (this.lazyKeepalive !== null) this.lazyKeepalive.alive(now)
    // Both in this function: 3 % fewer instructions for a short message.
    this.receiver ??= this.receivers.lend(this.sender.codec, this, this.earlierBytes)
    this.receiver.push(chunk, isBorrowed)
  }

  /** Reports that the system took bytes that had to wait: the peer made room for them, which is a sign of life. */
  peerTookBytes(now: number): void {
    if (this.lazyKeepalive === null) this.now = now
    else this.lazyKeepalive.alive(now)
  }

  /** Whether no more input follows: the peer ended its side, or the transport is lost. */
  get hasInputEnded(): boolean {
    return this.ending !== null && this.ending.closing.transport !== 'open'
  }

  /** Reports the peer's FIN. Earlier events can still be pulled, and queued output leaves: `closed` follows once it is taken. */
  receiveEnd(): void {
    this.end.half()
  }

  /**
   * Reports that the transport is lost in both directions. Events received before it can still be pulled.
   * @param error the cause, if there is one. An `error` event reports it unless the connection was already closed
   * @param unsentBytes bytes from {@link takeOutput} that the transport did not send
   * @param initiator the initiator to report if the connection was open. Default: `'remote'`, the peer
   */
  transportLost(error?: ProtocolError | TransportError, unsentBytes = 0, initiator?: 'engine'): void {
    this.end.lose(error ?? null, unsentBytes, initiator)
  }

  /** Returns the next event, or null. To pause, stop calling `nextEvent()`: no event is lost. */
  nextEvent(): ConnectionEvent | null {
    if (this.pending !== null) {
      const event = this.pending
      this.pending = null
      return event
    }
    const { receiver } = this
    if (receiver !== null && this.closing.isReceiving) {
      const received = receiver.next()
      this.idle?.received(receiver.dataBytes, this.now)
      if (received instanceof MessageReceived) return received
      if (received instanceof ControlFrame) return this.receiveControl(received)
      if (received !== null) return this.violate(received)
      if (receiver.isInflating) return null
    }
    if (this.ending === null) return null
    const event = this.ending.next()
    // The peer ended its side, or the transport is lost: no frame and no message is completed any more.
    if (!this.closing.isReceiving) this.dropInput()
    return event
  }

  /**
   * Queues a message.
   * @param data text or bytes, never changed, and read during the call only
   * @param mayHold a server's bytes of 16 KiB or more are not copied if they leave next: see {@link takeHeld}
   * @returns false if nothing was queued: after this side's Close frame, and after the end
   * @throws TypeError if `data` is neither text nor bytes, or an option is wrong
   */
  send(data: MessageData | PreparedMessage, options?: SendOptions, mayHold = false): boolean {
    if (typeof data === 'object' && data instanceof PreparedMessage) {
      if (options === undefined) return this.sendPrepared(data)
      throw new TypeError('send options belong to the PreparedMessage itself')
    }
    const compress = options === undefined || wantsCompression(options)
    const body = typeof data === 'string' ? data : viewBytes('data', data)
    if (!this.isSendable) return false
    if (typeof body === 'string') this.sender.sendText(body, compress)
    else this.sender.sendBytes(body, compress, mayHold && options?.copy !== true && canBeHeld(body))
    return true
  }

  /** Queues a prepared message, as {@link send} does. */
  sendPrepared(message: PreparedMessage): boolean {
    if (!this.isSendable) return false
    this.sender.sendPrepared(message)
    return true
  }

  /** Reports when the last message is a frame, with the bytes of {@link takeOutput} up to its end; never if it is dropped. */
  whenFramed(framed: (outputBytes: number) => void): void {
    this.sender.whenFramed(framed)
  }

  /**
   * Queues a ping (RFC 6455 section 5.5.2).
   * @param data at most 125 bytes
   * @returns false if nothing was queued, as for {@link send}
   * @throws TypeError if `data` is neither text nor bytes, RangeError if it has more than 125 bytes
   */
  ping(data: MessageData = '', now = this.now): boolean {
    const payload = controlPayload('ping data', data)
    if (!this.isSendable) return false
    this.keepalive.pingSent(payload, now)
    this.sender.sendControl(Opcode.PING, payload)
    return true
  }

  /**
   * Queues a pong: an unsolicited one, or the answer to a ping if `autoPong` is off (RFC 6455 section 5.5.3). Of the
   * pongs that the transport does not take, the connection keeps at most `maxPendingPongs` and one more. Data, result and
   * errors are those of {@link ping}.
   */
  pong(data: MessageData = ''): boolean {
    const payload = controlPayload('pong data', data)
    if (!this.isSendable) return false
    this.sendPong(payload, !this.autoPong)
    return true
  }

  /**
   * Starts the closing handshake (RFC 6455 section 7.1.2). Messages queued before it still leave, and those that the peer
   * sends before its Close frame still arrive. A second call does nothing.
   * @throws TypeError or RangeError for a code that must not be sent, or a reason without a code
   */
  close(code?: number, reason?: string): void {
    checkCloseArguments(code, reason)
    if (!this.isSendable) return
    this.end.close(code, reason)
  }

  /** Queues the answer to the peer's Close frame, with its code, if `autoClose` is off (RFC 6455 section 5.5.1). */
  answerClose(): void {
    if (this.owesClose) this.end.answer()
  }

  /**
   * Fails the connection (RFC 6455 section 7.1.7): queues a Close frame if none was sent, and ignores all further input.
   * There is no `error` event, because the caller knows the reason.
   * @throws TypeError or RangeError for a code that must not be sent
   */
  fail(closeCode: number, reason = ''): void {
    checkFailArguments(closeCode, reason)
    this.failWith(closeCode, reason)
  }

  /** Fails the connection for a limit of this side, with an `error` event. @param dropOutput what waits, between two frames */
  failOverLimit(error: ProtocolError, dropOutput: boolean): void {
    if (!this.isSendable) return
    if (dropOutput) this.end.drop()
    this.pending = { type: 'error', error }
    this.failWith(error.closeCode, error.message)
  }

  /** Returns the bytes to write next, which do not change at least until {@link recycleOutput}; null if none wait. */
  takeOutput(): Buffer | null {
    this.pongs?.taken(this.isSendable)
    return this.sender.output.take()
  }

  /** Whether the last message is not copied yet: the next frame that is queued, and {@link setBlocked}, copy it. */
  get isHolding(): boolean {
    return this.sender.output.isHolding
  }

  /**
   * Returns the message that is not copied, to be written in one go with the result of the last {@link takeOutput}; null if
   * there is none, or not next. Without this call the next {@link takeOutput} returns it.
   */
  takeHeld(): Uint8Array | null {
    return this.sender.output.takeHeld()
  }

  /** Reports, directly after a write or not at all, that the last result of {@link takeOutput} may be reused. */
  recycleOutput(): void {
    this.sender.output.recycle()
  }

  /** Reports that the transport keeps the last result of {@link takeOutput}. @param isLent until it is no longer blocked */
  forgetOutput(isLent = false): void {
    this.sender.output.forget(isLent)
  }

  /** Reports whether the transport is blocked. While it is, output is kept in memory that only this connection uses. */
  setBlocked(isBlocked: boolean): void {
    this.sender.output.setBlocked(isBlocked)
  }

  /**
   * Whether this side should end the transport once {@link takeOutput} returns null: `'no'`, `'now'`, or `'soon'` if
   * the peer should end it and a timer must make sure that it ends.
   */
  transportShouldClose(): 'no' | 'soon' | 'now' {
    return this.ending === null ? 'no' : this.ending.transportShouldClose(this.role)
  }

  /** When {@link tick} has something to do if nothing is received until then, in milliseconds; Infinity for never. */
  get nextTickAt(): number {
    if (!this.closing.isUntouched) return Infinity
    const pingAt = this.lazyKeepalive?.deadline ?? this.now + this.limits.heartbeatIntervalMs
    return Math.min(pingAt, this.idle?.deadline ?? Infinity)
  }

  private get keepalive(): Keepalive {
    const { heartbeatIntervalMs: intervalMs, heartbeatTimeoutMs: timeoutMs } = this.limits
    return (this.lazyKeepalive ??= new Keepalive(intervalMs, timeoutMs, this.now))
  }

  private get end(): Ending {
    this.ending ??= new Ending(this.sender)
    this.closing = this.ending.closing
    return this.ending
  }

  /** Pings a silent peer, gives a dead one up, reports idleness. Then pull and write. `unsentBytes`: see {@link transportLost}. */
  tick(now: number, unsentBytes = 0): void {
    const { keepalive } = this
    this.now = now
    if (!this.closing.isUntouched) return
    const verdict = keepalive.check(now)
    if (verdict === 'dead') {
      this.transportLost(new ProtocolError('HAWSER_HEARTBEAT_TIMEOUT'), unsentBytes, 'engine')
      return
    }
    if (verdict === 'ping') this.ping(keepalive.nextPing(), now)
    if (this.idle?.isOver(now) === true) this.pending = { type: 'idleTimeout' }
  }

  /** Reports that this side does not read. Silence then proves nothing: pings are sent, but no peer is given up. */
  readingIsPaused(now: number): void {
    this.keepalive.suspend()
    this.now = now
    this.idle?.restart(now)
  }

  /** Gives the connection up: events that were not pulled are dropped, and only `closed` follows. See {@link transportLost}. */
  abandon(unsentBytes = 0): void {
    this.pending = null
    this.end.abandon(unsentBytes)
    if (!this.closing.isReceiving) this.dropInput()
  }

  /** How the connection ended, or would end if the transport were lost now. */
  get closeInfo(): CloseInfo {
    return this.end.info
  }

  /** The error with which the transport was lost; null without one, or before. */
  get lossError(): ProtocolError | TransportError | null {
    return this.ending === null ? null : this.ending.lossError
  }

  /** The code and reason of the end that has begun: while this side closes, those of its own Close frame. */
  get endsWith(): Readonly<ClosePayload> {
    return this.closing.endsWith
  }

  /** Reports that a compression or an inflation on the thread pool has ended. */
  wake(): void {
    this.waker.wake()
  }

  private receiveControl({ opcode, payload }: ControlFrame): ConnectionEvent {
    if (opcode === Opcode.PING) {
      if (this.autoPong && this.isSendable) this.sendPong(payload, true)
      return { type: 'ping', data: payload }
    }
    if (opcode === Opcode.PONG) {
      this.lazyKeepalive?.pongReceived(payload, this.now)
      return { type: 'pong', data: payload }
    }
    const close = decodeClosePayload(payload)
    if (close instanceof ProtocolError) return this.violate(close)
    const event = this.end.closeReceived(close)
    this.finishInput()
    if (this.autoClose) this.answerClose()
    return event
  }

  private sendPong(payload: Buffer, isAnswer: boolean): void {
    this.pongs ??= new Pongs(this.sender, this.limits.maxPendingPongs)
    this.pongs.send(payload, isAnswer, !this.answersAllPings)
  }

  private violate(error: ProtocolError): ConnectionEvent {
    this.failWith(error.closeCode, error.message)
    return { type: 'error', error }
  }

  private failWith(closeCode: number, reason: string): void {
    this.end.fail(closeCode, reason)
    this.dropInput()
  }
}
