import { ProtocolError, type TransportError } from '../errors.js'
import type { MessageCodec } from '../deflate/codec.js'
import {
  checkCloseArguments,
  CloseCode,
  decodeClosePayload,
  encodeClosePayload,
  type ClosePayload,
} from '../frame/close-code.js'
import type { Role } from '../frame/frame-parser.js'
import { MAX_CONTROL_PAYLOAD_BYTES } from '../frame/header.js'
import { Opcode } from '../frame/opcode.js'
import { CLIENT_LIMITS, resolveLimits, SERVER_LIMITS, type LimitOptions, type Limits } from '../limits.js'
import {
  CLOSING_TABLE,
  transportShouldClose,
  type CloseFrameToSend,
  type CloseOutcome,
  type ClosingInput,
  type ClosingState,
} from './closing-handshake.js'
import type { CloseInitiator, CloseInfo, Closed, ConnectionEvent, Waker } from './events.js'
import { Keepalive } from './keepalive.js'
import { viewBytes, type MessageData } from './message-data.js'
import { Receiver, type ControlFrame } from './receiver.js'
import { Sender } from './sender.js'

/** RFC 6455's and the WHATWG's names for where a connection stands. */
export const ReadyState = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const
export type ReadyState = (typeof ReadyState)[keyof typeof ReadyState]

export interface ConnectionOptions {
  readonly role: Role
  /** The bounds: any part of them, or those of `resolveLimits`. Defaults by role. */
  readonly limits?: LimitOptions
  /** permessage-deflate, where it was agreed. The connection closes it. Default: none. */
  readonly codec?: MessageCodec | null
  /** Answer pings by itself (RFC 6455 section 5.5.2). Default true. */
  readonly autoPong?: boolean
  /** The time of the start, in milliseconds of a monotonic clock: whatever clock the later times are of. */
  readonly now?: number
  /** Told when a compression or an inflation off the loop ended, and there is something new to pull. */
  readonly waker?: Waker
}

export interface SendOptions {
  /** Compress this message, where permessage-deflate was agreed and it pays. Default true. */
  readonly compress?: boolean
}

/** Who began the end, for what can end an open connection; the rest says nothing new. */
const INITIATORS: { readonly [I in ClosingInput]?: CloseInitiator } = {
  localClose: 'local',
  remoteClose: 'remote',
  violation: 'engine',
}

const NOBODY: Waker = { wake: () => undefined }
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

  private state: ClosingState = 'open'
  private outcome: CloseOutcome = 'none'
  private initiator: CloseInitiator = 'remote'
  private closeCode: number = CloseCode.ABNORMAL_CLOSURE
  private closeReason = ''

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
    const { role, codec = null, autoPong = true, now = 0, waker = NOBODY } = options
    this.role = role
    this.limits = resolveLimits(options.limits, role === 'client' ? CLIENT_LIMITS : SERVER_LIMITS)
    this.autoPong = autoPong
    this.waker = waker
    this.now = now
    this.lastMessageAt = now
    this.receiver = new Receiver(role, this.limits, codec, this)
    this.sender = new Sender(role === 'client', codec, this)
    this.keepalive = new Keepalive(this.limits.heartbeatIntervalMs, this.limits.heartbeatTimeoutMs, now)
  }
  /** Where the connection stands; CONNECTING never, for it begins open. */
  get readyState(): ReadyState {
    if (this.state === 'ended' || this.transportEnd === 'lost') return ReadyState.CLOSED
    return this.state === 'open' ? ReadyState.OPEN : ReadyState.CLOSING
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
    return this.receiver.isInflating
  }

  /**
   * Bytes came.
   * @param chunk from now on the connection's: payloads are unmasked in place, and messages may be views of it
   */
  receiveBytes(chunk: Uint8Array, now = this.now): void {
    if (this.state !== 'open' && this.state !== 'closeSent') return
    this.now = now
    this.keepalive.heard(now)
    this.receiver.push(chunk)
  }

  /** The peer ended its side of the transport (a FIN). What came before it is still there to be pulled. */
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
    if (this.state === 'open' || this.state === 'closeSent') {
      const received = this.receiver.next()
      if (received !== null) {
        if (received instanceof ProtocolError) return this.violate(received)
        if (received.type === 'control') return this.receiveControl(received)
        this.lastMessageAt = this.now
        return received
      }
      if (this.receiver.isInflating) return null
    }
    return this.transportEnd === 'open' ? null : this.endEvent(this.transportEnd)
  }

  /**
   * Queues a message.
   * @param data text, or bytes; read during the call only and never changed
   * @returns false if the connection is not open: nothing was taken
   * @throws TypeError for what is neither text nor bytes
   */
  send(data: MessageData, options?: SendOptions): boolean {
    const compress = options?.compress !== false
    if (typeof data === 'string') {
      if (this.state !== 'open') return false
      this.sender.sendText(data, compress)
      return true
    }
    const bytes = viewBytes('data', data)
    if (this.state !== 'open') return false
    this.sender.sendBytes(bytes, compress)
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
    if (this.state !== 'open') return false
    this.keepalive.pingSent(payload, now)
    this.sender.sendControl(Opcode.PING, payload)
    return true
  }

  /**
   * Queues a pong that nobody asked for, or the answer where `autoPong` is off (RFC 6455 section 5.5.3).
   * @param data at most 125 bytes
   * @returns false if the connection is not open
   * @throws TypeError for what is neither text nor bytes, RangeError for more than 125 bytes
   */
  pong(data: MessageData = ''): boolean {
    const payload = controlPayload('pong data', data)
    if (this.state !== 'open') return false
    this.sendPong(payload)
    return true
  }

  /**
   * Starts the closing handshake (RFC 6455 section 7.1.2). Messages that were sent before still go out, and those
   * that the peer sends until its Close frame still come in. A second call does nothing.
   * @throws TypeError or RangeError for a code that must not be sent, or a reason without a code
   */
  close(code?: number, reason?: string): void {
    checkCloseArguments(code, reason)
    if (this.step('localClose') === 'own') this.sender.sendClose(encodeClosePayload(code, reason))
  }

  /**
   * Fails the connection (RFC 6455 section 7.1.7): a Close frame if none was sent, and nothing that comes from now
   * on is looked at. No `error` event: the caller knows why.
   * @throws TypeError or RangeError for a code that must not be sent
   */
  fail(closeCode: number, reason = ''): void {
    checkCloseArguments(closeCode, reason)
    this.failWith(closeCode, reason)
  }

  /**
   * Fails the connection over a limit of this side, with an `error` event.
   * @param dropOutput whether what waits to be sent is dropped: it always ends between two frames
   */
  failOverLimit(error: ProtocolError, dropOutput: boolean): void {
    if (this.state !== 'open') return
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
      if (this.state === 'open') this.sendPong(payload)
    }
    return this.sender.output.take()
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
    const answer = transportShouldClose(this.state, this.role)
    return answer === 'now' && this.sender.isCompressing ? 'soon' : answer
  }

  /** When {@link tick} has something to do, if nothing comes until then; Infinity for never. */
  get nextTickAt(): number {
    if (this.state !== 'open' || this.transportEnd !== 'open') return Infinity
    return Math.min(this.keepalive.deadline, this.lastMessageAt + this.limits.idleTimeoutMs)
  }

  /** Time went by: pings after silence, finds the dead, notices idleness. Then pull and write as after bytes. */
  tick(now: number): void {
    this.now = now
    if (this.state !== 'open' || this.transportEnd !== 'open') return
    const verdict = this.keepalive.check(now)
    if (verdict === 'ping') {
      const payload = Buffer.allocUnsafe(4)
      payload.writeUInt32BE(this.pingCount, 0)
      this.pingCount = (this.pingCount + 1) >>> 0
      this.ping(payload, now)
    } else if (verdict === 'dead') {
      this.initiator = 'engine'
      this.transportLost(new ProtocolError('HAWSER_HEARTBEAT_TIMEOUT'))
      return
    }
    if (now - this.lastMessageAt >= this.limits.idleTimeoutMs) {
      this.lastMessageAt = now
      this.idleTimedOut = true
    }
  }

  /** While this side does not read, the peer's silence says nothing. */
  readingIsPaused(now: number): void {
    this.keepalive.heard(now)
    this.lastMessageAt = now
  }

  /** The caller gives the connection up: what came and was not pulled is dropped, `closed` is all that is left. */
  abandon(): void {
    if (this.state === 'ended') return
    if (this.state === 'open') this.initiator = 'local'
    this.transportEnd = 'lost'
    this.pendingError = null
    this.idleTimedOut = false
    this.step('lost')
    this.sender.clear()
  }

  /** How the connection ended, or would end if the transport were lost now. */
  get closeInfo(): CloseInfo {
    const { closeCode: code, closeReason: reason, initiator } = this
    return { code, reason, wasClean: this.outcome === 'clean', initiator }
  }

  /** A compression or an inflation off the loop ended. */
  wake(): void {
    this.waker.wake()
  }

  private receiveControl(frame: ControlFrame): ConnectionEvent {
    const { opcode, payload } = frame
    if (opcode === Opcode.PING) {
      if (this.autoPong && this.state === 'open') this.sendPong(payload)
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
    const send = this.step('remoteClose')
    this.closeCode = close.code
    this.closeReason = close.reason
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
    if (this.state !== 'open' && this.state !== 'closeSent') return
    const send = this.step('violation')
    this.closeCode = closeCode
    this.closeReason = reason
    if (send === 'violation') this.sender.sendClose(encodeClosePayload(closeCode, reason))
  }

  /** Pongs that the transport does not take are few: above their limit only the newest ping is answered. */
  private sendPong(payload: Buffer): void {
    if (this.pendingPongs >= this.limits.maxPendingPongs) {
      this.latePong = payload
      return
    }
    this.pendingPongs++
    this.sender.sendControl(Opcode.PONG, payload)
  }

  private endEvent(end: 'end' | 'lost'): ConnectionEvent | null {
    if (this.state !== 'ended') {
      const error = this.state === 'open' || this.state === 'closeSent' ? this.lostError : null
      this.step(end)
      this.sender.clear()
      if (error !== null) return { type: 'error', error }
    }
    if (this.closedWasTold) return null
    this.closedWasTold = true
    const closed: Closed = { type: 'closed', ...this.closeInfo }
    return closed
  }

  /** One step of the table; tells which Close frame goes out. */
  private step(input: ClosingInput): CloseFrameToSend {
    const { next, send, outcome } = CLOSING_TABLE[this.state][input]
    if (this.state === 'open') this.initiator = INITIATORS[input] ?? this.initiator
    if (this.outcome === 'none') this.outcome = outcome
    this.state = next
    return send
  }
}

/** A control payload of this connection's own: it may stay in memory after the call. */
function controlPayload(name: string, data: MessageData): Buffer {
  const payload = typeof data === 'string' ? Buffer.from(data) : Buffer.from(viewBytes(name, data))
  if (payload.length > MAX_CONTROL_PAYLOAD_BYTES) {
    throw new RangeError(`${name} must have 0 to 125 bytes (RFC 6455 5.5), not ${String(payload.length)}`)
  }
  return payload
}
