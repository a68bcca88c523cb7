import { randomUUID } from 'node:crypto'
import { ConnectionClosedError } from '../errors.js'
import type { ConnectionOptions } from '../connection/connection.js'
import type { CloseInfo, ConnectionEvent } from '../connection/events.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { checkCloseArguments } from '../frame/close-code.js'
import type { Transport } from '../transport/transport.js'
import { EndOfConnection } from './end-of-connection.js'
import type { DriverOptions, DriverOwner } from './driver-owner.js'
import { SocketDriver } from './socket-driver.js'
import type { Socket } from './socket.js'
import { checkWaitOptions, unheard, Waiters, type WaitOptions } from './waiters.js'
import { readWriteOptions, type WriteOptions } from './write-options.js'

/** What both ends know of a connection once its handshake is done. */
export interface SocketInfo {
  /** Server: the request target; client: the URL. */
  readonly url: string
  /** The subprotocol in use, or empty. */
  readonly protocol: string
  /** The extensions in use, as the server's answer named them, or empty. */
  readonly extensions: string
  /** Whether the transport is TLS. */
  readonly secure: boolean
  /** The peer's IP address; empty for a Unix socket. */
  readonly remoteAddress: string
}

/** Receives the events of a socket. Must not throw. */
export interface EventSink {
  /** Messages that were received and that nobody got. */
  readonly droppedMessages: number
  handleEvent(event: ConnectionEvent): void
  handleDrain(): void
  /** The caller wants messages again, after `pause`. Nothing of the application is called inside this call. */
  handleResume(): void
  /** The caller gave the connection up: messages that wait are dropped. */
  handleTerminated(): void
  /** Nothing can be sent any more. Nothing of the application is called inside this call. */
  handleSendingOver(): void
  /** The connection is over; messages that were received before may still follow. Once. */
  handleEnd(info: CloseInfo): void
}

/** What an application may ask of a connection, made when it does. */
export class Asked {
  id = ''
  closeWaiters: Waiters<CloseInfo> | null = null
  closed: Promise<CloseInfo> | null = null
  aborter: AbortController | null = null
  query: URLSearchParams | null = null
  /** The client's address where it is not the peer's; else empty. */
  clientAddress = ''
}

/** The state of a socket, and what happens to it. The application gets {@link socket} alone, which holds this. */
export abstract class SocketCore<S extends Socket = Socket> implements DriverOwner, SocketInfo {
  /** The socket as the application has it. */
  abstract readonly socket: S
  readonly driver: SocketDriver
  readonly url: string
  readonly protocol: string
  readonly extensions: string
  readonly secure: boolean
  readonly remoteAddress: string
  protected abstract readonly sink: EventSink
  private closeInfo: CloseInfo | null = null
  protected lazyAsked: Asked | null = null

  constructor(transport: Transport, info: SocketInfo, connection: ConnectionOptions, options: DriverOptions) {
    // Copied: an object less for each connection.
    this.url = info.url
    this.protocol = info.protocol
    this.extensions = info.extensions
    this.secure = info.secure
    this.remoteAddress = info.remoteAddress
    this.driver = this.makeDriver(transport, connection, options)
  }

  get id(): string {
    const { asked } = this
    if (asked.id === '') asked.id = randomUUID()
    return asked.id
  }

  get closed(): Promise<CloseInfo> {
    return (this.asked.closed ??= this.whenClosed({}))
  }

  get signal(): AbortSignal {
    const { asked } = this
    if (asked.aborter === null) {
      asked.aborter = new AbortController()
      if (this.closeInfo !== null) asked.aborter.abort(closedError(this.closeInfo))
    }
    return asked.aborter.signal
  }

  async drained(options: WaitOptions): Promise<void> {
    checkWaitOptions(options)
    if (this.closeInfo !== null) throw closedError(this.closeInfo)
    const { isSendable } = this.driver.connection
    if (isSendable && this.driver.hasRoom) return
    if (isSendable) this.driver.requestDrain()
    await this.driver.flow.untilDrained(options)
  }

  write(data: MessageData | PreparedMessage, options: WriteOptions | undefined): Promise<void> {
    const { driver } = this
    const { waiting, sending } = readWriteOptions(options)
    if (waiting.signal?.aborted === true) return Promise.reject(waiting.signal.reason as Error)
    const { messagesSent } = driver.flow
    driver.send(data, sending)
    if (driver.flow.messagesSent > messagesSent) return driver.flow.untilTaken(waiting)
    const { connection, flow } = driver
    const failure = connection.isSendable
      ? flow.slowPeer()
      : closedError(this.closeInfo ?? connection.endsWith)
    return unheard(Promise.reject(failure))
  }

  resume(): void {
    this.driver.resume()
    this.sink.handleResume()
  }

  close(code: number | undefined, reason: string | undefined, options: WaitOptions = {}): Promise<CloseInfo> {
    checkCloseArguments(code, reason)
    checkWaitOptions(options)
    const { timeoutMs, signal } = options
    const ended = this.whenClosed({ signal })
    if (this.closeInfo === null) this.driver.close(code, reason, timeoutMs)
    return ended
  }

  terminate(): void {
    this.driver.terminate()
    this.sink.handleTerminated()
  }

  handleEvent(event: ConnectionEvent): void {
    if (event.type !== 'closed') {
      this.sink.handleEvent(event)
      return
    }
    // One end, the same for all.
    const { code, reason, wasClean, initiator, droppedMessages, unsentBytes } =
      this.closeInfo ?? this.end(event)
    this.sink.handleEvent({ type: 'closed', code, reason, wasClean, initiator, droppedMessages, unsentBytes })
  }

  handleDrain(): void {
    this.driver.flow.drained()
    this.sink.handleDrain()
  }

  handleGone(): void {
    // Handlers may still have messages to work through; who waits for the end of the connection need not.
    if (this.closeInfo === null) this.end(this.driver.connection.closeInfo)
  }

  handleClosing(): void {
    this.beginClosing()
  }

  handleSendingOver(): void {
    this.sink.handleSendingOver()
  }

  /** The final count, for `onClose`. */
  finalInfo(info: CloseInfo): CloseInfo {
    return new EndOfConnection(info, this.sink.droppedMessages)
  }

  /** Handlers had their time after the end: nobody waits for messages any more. */
  handleTimeUp(): void {
    // Where messages are read one by one, their reader has had its time as well.
  }

  /** This many messages were received and reach nobody. */
  handleDropped(_count: number): void {
    // A server sums them.
  }

  /** The peer broke a rule, or the network failed: before `onError`. */
  handleConnectionError(_error: Error): void {
    // A server counts it when it gets the event.
  }

  /** A handler failed, or a message was invalid; `isHeard`: the service has an `onError`. */
  handleFailure(_error: Error, _isHeard: boolean): void {
    // Who serves many connections counts them.
  }

  /** `onClose` is done, and so is all else that ran for this connection. */
  handleDone(): void {
    // Who waits for the handlers of many connections counts them.
  }

  /** Whether the connection is over: {@link detach} was called. */
  protected get isOver(): boolean {
    return this.closeInfo !== null
  }

  /** The connection begins to close: it is in no group and has no name any more. Once, before {@link detach}. */
  protected beginClosing(): void {
    // A client is in none.
  }

  /** Called by the constructor, before a subclass has fields. */
  protected makeDriver(
    transport: Transport,
    connection: ConnectionOptions,
    options: DriverOptions,
  ): SocketDriver {
    return new SocketDriver(transport, connection, options, this)
  }

  /** Takes the connection out of whatever keeps it: before `onClose`, once. */
  protected abstract detach(info: CloseInfo): void

  private whenClosed(options: WaitOptions): Promise<CloseInfo> {
    if (this.closeInfo !== null) return Promise.resolve(this.closeInfo)
    this.asked.closeWaiters ??= new Waiters()
    return this.asked.closeWaiters.wait(options)
  }

  protected get asked(): Asked {
    return (this.lazyAsked ??= new Asked())
  }

  private end(ended: CloseInfo): CloseInfo {
    const info = new EndOfConnection(ended, this.sink.droppedMessages)
    this.closeInfo = info
    this.detach(info)
    this.sink.handleEnd(info)
    this.lazyAsked?.closeWaiters?.resolveAll(info)
    const { flow } = this.driver
    // An error costs a stack: none is made where nobody waits for it.
    if (flow.isWaitedFor) flow.failWaiters(closedError(info))
    this.lazyAsked?.aborter?.abort(closedError(info))
    return info
  }
}

const closedError = ({ code, reason }: Pick<CloseInfo, 'code' | 'reason'>): ConnectionClosedError =>
  new ConnectionClosedError(code, reason)
