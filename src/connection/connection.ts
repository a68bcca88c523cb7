import { ProtocolError, type TransportError } from '../errors.js'
import {
  checkCloseArguments,
  checkFailArguments,
  CloseCode,
  decodeClosePayload,
  encodeClosePayload,
  type ClosePayload,
} from '../frame/close-code.js'
import type { Role } from '../frame/frame-parser.js'
import { Opcode } from '../frame/opcode.js'
import { transportShouldClose, UNTOUCHED, type ClosingView } from './closing-handshake.js'
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
import { controlPayload, viewBytes, type MessageData } from './message-data.js'
import { Pongs } from './pongs.js'
import { PreparedMessage } from './prepared-message.js'
import { ReadyState } from './ready-state.js'
import { ControlFrame, Receiver } from './receiver.js'
import { Sender } from './sender.js'

export { ReadyState, type ConnectionOptions, type SendOptions }

/**
 * One WebSocket connection after its opening handshake: RFC 6455 sections 5 to 7 without I/O, timers or a
 * clock. Bytes go in, bytes and events come out; whoever drives it moves them.
 *
 * After each call that feeds it, pull {@link nextEvent} until null, write {@link takeOutput} until null, and look at
 * {@link transportShouldClose}. No call throws on what the peer sent.
 */
export class Connection {
  readonly role: Role
  private readonly sender: Sender
  private readonly receiver: Receiver
  private readonly keepalive: Keepalive
  private readonly idle: IdleTime | null
  private readonly waker: Waker
  private readonly autoPong: boolean
  private readonly autoClose: boolean

  /** Whether every ping of the next chunk is answered: the peer reads, so `maxPendingPongs` does not count. */
  answersAllPings = false
  private readonly maxPendingPongs: number
  private pongs: Pongs | null = null
  private closing: ClosingView = UNTOUCHED
  /** Made when something of the end happens. */
  private ending: Ending | null = null
  /** What is told before anything that came. */
  private pending: ConnectionEvent | null = null

  private now: number

  /** @throws TypeError or RangeError with the option's name, value and range */
  constructor(options: ConnectionOptions) {
    const { role, limits, codec, autoPong, autoClose, now, waker } = resolveConnectionOptions(options)
    this.role = role
    this.autoPong = autoPong
    this.autoClose = autoClose
    this.waker = waker
    this.now = now
    this.receiver = new Receiver(role, limits, codec, this)
    this.sender = new Sender(role === 'client', codec, this)
    this.maxPendingPongs = limits.maxPendingPongs
    this.keepalive = new Keepalive(limits.heartbeatIntervalMs, limits.heartbeatTimeoutMs, now)
    this.idle = limits.idleTimeoutMs === Infinity ? null : new IdleTime(limits.idleTimeoutMs, now)
  }

  /** Where the connection stands; CONNECTING never, for it begins open. */
  get readyState(): ReadyState {
    return this.closing.readyState
  }

  /**
   * Whether messages are still taken: until this side's Close frame, that is, also after the peer's while the answer waits
   * (RFC 6455 section 5.5.1).
   */
  get isSendable(): boolean {
    return this.closing.isSendable
  }

  /** Whether the peer's Close frame came and is not answered yet: see {@link answerClose}. */
  get owesClose(): boolean {
    return this.closing.owesAnswer
  }

  /** Bytes of data frames that came, a header counted as two. */
  get receivedDataBytes(): number {
    return this.receiver.dataBytes
  }

  /** Of {@link bufferedBytes}, those that wait: the message that is being compressed is on its way if nothing is before it. */
  waitingBytes(hasRoom: boolean): number {
    return this.sender.waitingBytes(hasRoom)
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
    this.keepalive.alive(now)
    this.receiver.push(chunk, isBorrowed)
  }

  /** The system took bytes that had to wait: the peer made room, and so it lives. */
  peerTookBytes(now: number): void {
    this.keepalive.alive(now)
  }

  /** Copies what was not pulled of a chunk that is lent. */
  keepInput(): void {
    this.receiver.keepInput()
  }

  /**
   * The peer ended its side of the transport (a FIN). What came before it is still there to be pulled, and what was sent
   * before it still leaves: `closed` comes once it was taken.
   */
  receiveEnd(): void {
    this.end.half()
  }

  /**
   * The transport is gone, both ways. What came before is still there to be pulled.
   * @param error why, if it was an error; an `error` event reports it unless the connection was closed already
   * @param unsentBytes what was taken from {@link takeOutput} and did not leave
   * @param initiator who is to blame, if the connection was open: left out, the peer
   */
  transportLost(error?: ProtocolError | TransportError, unsentBytes = 0, initiator?: 'engine'): void {
    if (initiator !== undefined && this.closing.state === 'open') this.end.closing.initiator = initiator
    this.end.lose(error ?? null, unsentBytes)
  }

  /**
   * What happened, one thing at a time and in order. To pause, stop calling it: nothing is lost.
   */
  nextEvent(): ConnectionEvent | null {
    if (this.pending !== null) {
      const event = this.pending
      this.pending = null
      return event
    }
    if (this.closing.isReceiving) {
      const received = this.receiver.next()
      this.idle?.received(this.receiver.dataBytes, this.now)
      if (received !== null) {
        if (received instanceof MessageReceived) return received
        return received instanceof ControlFrame ? this.receiveControl(received) : this.violate(received)
      }
      if (this.receiver.isInflating) return null
    }
    return this.ending === null ? null : this.ending.next()
  }

  /**
   * Queues a message.
   * @param data text, or bytes; read during the call only and never changed
   * @returns false after this side's Close frame, and at the end: nothing was taken
   * @throws TypeError for what is neither text nor bytes
   */
  send(data: MessageData | PreparedMessage, options?: SendOptions): boolean {
    if (data instanceof PreparedMessage) {
      if (options !== undefined) throw new TypeError('send options belong to the PreparedMessage itself')
      return this.sendPrepared(data)
    }
    const compress = options === undefined || wantsCompression(options)
    if (typeof data === 'string') {
      if (!this.isSendable) return false
      this.sender.sendText(data, compress)
      return true
    }
    const bytes = viewBytes('data', data)
    if (!this.isSendable) return false
    this.sender.sendBytes(bytes, compress)
    return true
  }

  /** As {@link send}, for a message that goes to many. */
  sendPrepared(message: PreparedMessage): boolean {
    if (!this.isSendable) return false
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
    if (!this.isSendable) return false
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
    if (!this.isSendable) return false
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
    if (!this.isSendable) return
    this.end.closing.step('localClose')
    this.sender.sendClose(encodeClosePayload(code, reason))
  }

  /** Sends the answer to the peer's Close frame, where `autoClose` is off (RFC 6455 section 5.5.1). Else does nothing. */
  answerClose(): void {
    if (!this.owesClose) return
    const { code } = this.closing.info
    this.end.closing.step('answer')
    // The answer repeats the code.
    this.sender.sendClose(encodeClosePayload(code === CloseCode.NO_STATUS_RECEIVED ? undefined : code))
  }

  /**
   * Fails the connection (RFC 6455 section 7.1.7): a Close frame if none was sent, and nothing that comes from now
   * on is looked at. No `error` event: the caller knows why.
   * @throws TypeError or RangeError for a code that must not be sent
   */
  fail(closeCode: number, reason = ''): void {
    checkFailArguments(closeCode, reason)
    this.failWith(closeCode, reason)
  }

  /**
   * Fails the connection over a limit of this side, with an `error` event.
   * @param dropOutput whether what waits to be sent is dropped: it always ends between two frames
   */
  failOverLimit(error: ProtocolError, dropOutput: boolean): void {
    if (!this.isSendable) return
    if (dropOutput) this.end.drop()
    this.pending = { type: 'error', error }
    this.failWith(error.closeCode, error.message)
  }

  /**
   * Bytes to write now: call again until null.
   * @returns bytes that nobody changes any more
   */
  takeOutput(): Buffer | null {
    this.pongs?.taken(this.isSendable)
    return this.sender.output.take()
  }

  /**
   * What {@link takeOutput} gave last was written, and its memory is free: to be called only where that is so before
   * anything else is called. Not to call it is always right.
   */
  recycleOutput(): void {
    this.sender.output.recycle()
  }

  /** What {@link takeOutput} gave last is in the hands of the transport for a while: nothing of it is held here. */
  forgetOutput(): void {
    this.sender.output.forget()
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
    const isDue = answer === 'now' || (this.closing.transport !== 'open' && this.closing.isOver)
    if (!isDue) return answer
    return this.sender.isCompressing ? 'soon' : 'now'
  }

  /** When {@link tick} has something to do, if nothing comes until then; Infinity for never. */
  get nextTickAt(): number {
    if (!this.closing.isUntouched) return Infinity
    return Math.min(this.keepalive.deadline, this.idle?.deadline ?? Infinity)
  }

  private get end(): Ending {
    if (this.ending === null) {
      this.ending = new Ending(this.sender)
      this.closing = this.ending.closing
    }
    return this.ending
  }

  /**
   * Time went by: pings after silence, finds the dead, notices idleness. Then pull and write as after bytes.
   * @param unsentBytes as for {@link transportLost}
   */
  tick(now: number, unsentBytes = 0): void {
    this.now = now
    if (!this.closing.isUntouched) return
    const verdict = this.keepalive.check(now)
    if (verdict === 'dead') {
      this.transportLost(new ProtocolError('HAWSER_HEARTBEAT_TIMEOUT'), unsentBytes, 'engine')
      return
    }
    if (verdict === 'ping') this.ping(this.keepalive.nextPing(), now)
    if (this.idle?.isOver(now) === true) this.pending = { type: 'idleTimeout' }
  }

  /** While this side does not read, the peer's silence says nothing: pings are sent, and nobody is given up. */
  readingIsPaused(now: number): void {
    this.now = now
    this.keepalive.suspend()
    this.idle?.restart(now)
  }

  /**
   * The caller gives the connection up: what came and was not pulled is dropped, `closed` is all that is left.
   * @param unsentBytes as for {@link transportLost}
   */
  abandon(unsentBytes = 0): void {
    this.pending = null
    this.end.abandon(unsentBytes)
  }

  /** How the connection ended, or would end if the transport were lost now. */
  get closeInfo(): CloseInfo {
    return this.end.info
  }

  /** A compression or an inflation off the loop ended. */
  wake(): void {
    this.waker.wake()
  }

  private receiveControl(frame: ControlFrame): ConnectionEvent {
    const { opcode, payload } = frame
    if (opcode === Opcode.PING) {
      if (this.autoPong && this.isSendable) this.sendPong(payload, true)
      return { type: 'ping', data: payload }
    }
    if (opcode === Opcode.PONG) {
      this.keepalive.pongReceived(payload, this.now)
      return { type: 'pong', data: payload }
    }
    const close = decodeClosePayload(payload)
    return close instanceof ProtocolError ? this.violate(close) : this.receiveClose(close)
  }

  private sendPong(payload: Buffer, isAnswer: boolean): void {
    this.pongs ??= new Pongs(this.sender, this.maxPendingPongs)
    this.pongs.send(payload, isAnswer, !this.answersAllPings)
  }

  private receiveClose(close: ClosePayload): ConnectionEvent {
    this.end.closing.step('remoteClose', close.code, close.reason)
    if (this.autoClose) this.answerClose()
    return { type: 'closeReceived', code: close.code, reason: close.reason }
  }

  private violate(error: ProtocolError): ConnectionEvent {
    this.failWith(error.closeCode, error.message)
    return { type: 'error', error }
  }

  private failWith(closeCode: number, reason: string): void {
    if (this.owesClose) {
      // The peer's Close frame says how it ends; ours says what went wrong here.
      this.end.closing.step('violation')
      this.sender.sendClose(encodeClosePayload(closeCode, reason))
      return
    }
    if (!this.closing.isReceiving) return
    const send = this.end.closing.step('violation', closeCode, reason)
    if (send === 'violation') this.sender.sendClose(encodeClosePayload(closeCode, reason))
  }
}
