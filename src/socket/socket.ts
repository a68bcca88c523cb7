import { randomUUID } from 'node:crypto'
import { ConnectionClosedError } from '../errors.js'
import type { ConnectionOptions, ReadyState, SendOptions } from '../connection/connection.js'
import type { CloseInfo, ConnectionEvent } from '../connection/events.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { checkCloseArguments } from '../frame/close-code.js'
import { CloseInfo as EndOfConnection } from './close-info.js'
import { SocketDriver } from './socket-driver.js'
import type { DeliveryOutcome, DriverOptions, DriverOwner } from './driver-owner.js'
import type { Transport } from '../transport/transport.js'
import { checkWaitOptions, Waiters, type WaitOptions } from './waiters.js'

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

/** An open WebSocket connection: what server and client sockets share. */
export abstract class Socket<Data = unknown> implements DriverOwner {
  /** Whatever the application keeps with this connection. */
  data: Data
  /** @internal */
  readonly driver: SocketDriver
  /** @internal */
  protected abstract readonly sink: EventSink
  private readonly info: SocketInfo
  private lazyId = ''
  private closeInfo: CloseInfo | null = null
  private closeWaiters: Waiters<CloseInfo> | null = null
  private drainWaiters: Waiters<void> | null = null
  private lazyClosed: Promise<CloseInfo> | null = null
  private lazyAborter: AbortController | null = null

  constructor(
    transport: Transport,
    info: SocketInfo,
    data: Data,
    connection: ConnectionOptions,
    options: DriverOptions,
  ) {
    this.info = info
    this.data = data
    this.driver = new SocketDriver(transport, connection, options, this)
  }

  /** A random UUID, the same for the life of this connection. */
  get id(): string {
    if (this.lazyId === '') this.lazyId = randomUUID()
    return this.lazyId
  }

  get url(): string {
    return this.info.url
  }

  get protocol(): string {
    return this.info.protocol
  }

  get extensions(): string {
    return this.info.extensions
  }

  get secure(): boolean {
    return this.info.secure
  }

  get remoteAddress(): string {
    return this.info.remoteAddress
  }

  /** See `ReadyState`: 1 open, 2 closing, 3 closed. */
  get readyState(): ReadyState {
    return this.driver.connection.readyState
  }

  /** Bytes that were sent and that the system did not take yet. */
  get bufferedAmount(): number {
    return this.driver.bufferedAmount
  }

  /** The round trip of the last ping that was answered, in milliseconds; undefined before the first. */
  get rttMs(): number | undefined {
    return this.driver.connection.rttMs
  }

  /**
   * The end of the connection, as a promise: how it ended. It never rejects. Messages that were received before the end
   * may still wait for their handlers then; `onClose` comes after them, with the final count of `droppedMessages`.
   */
  get closed(): Promise<CloseInfo> {
    this.lazyClosed ??= this.whenClosed({})
    return this.lazyClosed
  }

  /**
   * Aborted when the connection ends, with a ConnectionClosedError as its reason: give it to what a handler waits for, so
   * that the handler does not outlive its connection. Made when it is first asked for.
   */
  get signal(): AbortSignal {
    if (this.lazyAborter === null) {
      this.lazyAborter = new AbortController()
      if (this.closeInfo !== null) this.lazyAborter.abort(closedError(this.closeInfo))
    }
    return this.lazyAborter.signal
  }

  /**
   * Sends a message (RFC 6455 section 6.1). What is sent while one chunk of input is handled, or in one turn of the
   * event loop, leaves in one write.
   * @param data a string is sent as text, anything else as bytes. Bytes are read until the call returns and never
   *   changed. Or a {@link PreparedMessage}, which takes its options itself
   * @returns true: go on. False: over the high-water mark (wait for `drained()` or `onDrain`), or not taken since the
   *   connection is no longer open or the peer too slow: see `slowConsumer`. While the answer to the peer's Close frame waits for
   *   handlers, messages are still taken
   * @throws TypeError for anything that is neither text nor bytes
   * @example
   * ```ts
   * for (const line of lines) {
   *   if (!socket.send(line)) await socket.drained()
   * }
   * ```
   */
  send(data: MessageData | PreparedMessage, options?: SendOptions): boolean {
    return this.driver.send(data, options)
  }

  /** @internal Sends a message that goes to many, and says what became of it here. */
  deliver(message: PreparedMessage): DeliveryOutcome {
    return this.driver.deliver(message)
  }

  /**
   * Sends a value as JSON text.
   * @throws TypeError for what JSON has no text for
   */
  sendJson(value: unknown, options?: SendOptions): boolean {
    const text = JSON.stringify(value) as string | undefined
    if (text === undefined)
      throw new TypeError(`value must be one that JSON has text for, not ${typeof value}`)
    return this.driver.send(text, options)
  }

  /**
   * Sends a ping (RFC 6455 section 5.5.2); its pong sets `rttMs`.
   * @param data at most 125 bytes
   * @returns false if the connection is no longer open
   * @throws TypeError or RangeError for data that a ping cannot carry
   */
  ping(data?: MessageData): boolean {
    return this.driver.ping(data)
  }

  /**
   * Sends a pong that nobody asked for (RFC 6455 section 5.5.3). Pings are answered without it.
   * @param data at most 125 bytes
   * @returns false if the connection is no longer open
   * @throws TypeError or RangeError for data that a pong cannot carry
   */
  pong(data?: MessageData): boolean {
    return this.driver.pong(data)
  }

  /**
   * Waits until `bufferedAmount` is at or below the high-water mark: at once if it is.
   * @throws ConnectionClosedError if the connection ends before, or is closing already: then at its end, since
   *   nothing more can be sent; the signal's reason; a `TimeoutError`
   * @example
   * ```ts
   * if (!socket.send(report)) await socket.drained({ timeoutMs: 10_000 })
   * ```
   */
  async drained(options: WaitOptions = {}): Promise<void> {
    checkWaitOptions(options)
    if (this.closeInfo !== null) throw closedError(this.closeInfo)
    const { isSendable } = this.driver.connection
    if (isSendable && this.driver.hasRoom) return
    this.drainWaiters ??= new Waiters()
    if (isSendable) this.driver.requestDrain()
    await this.drainWaiters.wait(options)
  }

  /** Stops reading, from this message on: what the peer sends stays in the network, and TCP tells it. */
  pause(): void {
    this.driver.pause()
  }

  resume(): void {
    this.driver.resume()
    this.sink.handleResume()
  }

  /**
   * Starts the closing handshake (RFC 6455 section 7) and waits for the end of the connection. What was sent before
   * goes out first. A second call only waits.
   * @param code 1000 to 1003, 1007 to 1014, 3000 to 4999; default: none
   * @param reason at most 123 bytes of UTF-8; what is longer is cut at a character
   * @param options `timeoutMs`: the whole time that the end may take, then the connection is cut; default: none, see
   *   `closeTimeoutMs`. `signal` ends the wait, not the closing
   * @returns how the connection ended
   * @throws TypeError or RangeError for a code that must not be sent: at once. The promise rejects with the reason of
   *   the signal alone
   * @example
   * ```ts
   * const { code, wasClean } = await socket.close(1000, 'done')
   * ```
   */
  close(code?: number, reason?: string, options: WaitOptions = {}): Promise<CloseInfo> {
    checkCloseArguments(code, reason)
    checkWaitOptions(options)
    const { timeoutMs, signal } = options
    const ended = this.whenClosed({ signal })
    if (this.closeInfo === null) this.driver.close(code, reason, timeoutMs)
    return ended
  }

  /** Cuts the connection at once: no Close frame, code 1006. `onClose` comes after the code that runs now. */
  terminate(): void {
    this.driver.terminate()
    this.sink.handleTerminated()
  }

  /** `await using`: closes with 1000 and waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(1000)
  }

  /** What a log shows: not the engine inside. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const { url, protocol, remoteAddress, readyState } = this
    return `${this.constructor.name} ${JSON.stringify({ url, protocol, remoteAddress, readyState })}`
  }

  /** @internal */
  handleEvent(event: ConnectionEvent): void {
    if (event.type !== 'closed') {
      this.sink.handleEvent(event)
      return
    }
    if (this.closeInfo === null) this.end(event)
    // One end, the same for all.
    this.sink.handleEvent({ ...event, ...this.closeInfo })
  }

  /** @internal */
  handleDrain(): void {
    this.drainWaiters?.resolveAll()
    this.sink.handleDrain()
  }

  /** @internal */
  handleGone(): void {
    // Handlers may still have messages to work through; who waits for the end of the connection need not.
    if (this.closeInfo === null) this.end(this.driver.connection.closeInfo)
  }

  /** @internal The final count, for `onClose`. */
  finalInfo(info: CloseInfo): CloseInfo {
    return new EndOfConnection(info, this.sink.droppedMessages)
  }

  /** @internal Handlers had their time after the end: nobody waits for messages any more. */
  handleTimeUp(): void {
    // Where messages are read one by one, their reader has had its time as well.
  }

  /** @internal */
  handleClosing(): void {
    this.beginClosing()
  }

  /** @internal */
  handleSendingOver(): void {
    this.sink.handleSendingOver()
  }

  /** @internal So many messages were received and reach nobody. */
  handleDropped(_count: number): void {
    // A server sums them.
  }

  /** @internal A handler failed, or a message was invalid; `isHeard`: the service has an `onError`. */
  handleFailure(_error: Error, _isHeard: boolean): void {
    // Who serves many connections counts them.
  }

  /** @internal `onClose` is done, and so is all else that ran for this connection. */
  handleDone(): void {
    // Who waits for the handlers of many connections counts them.
  }

  /** The connection begins to close: it is in no group and has no name any more. Once, before {@link detach}. */
  protected beginClosing(): void {
    // A client is in none.
  }

  /** Takes the connection out of whatever keeps it: before `onClose`, once. */
  protected abstract detach(info: CloseInfo): void

  private whenClosed(options: WaitOptions): Promise<CloseInfo> {
    if (this.closeInfo !== null) return Promise.resolve(this.closeInfo)
    this.closeWaiters ??= new Waiters()
    return this.closeWaiters.wait(options)
  }

  private end(ended: CloseInfo): void {
    const info = new EndOfConnection(ended, this.sink.droppedMessages)
    this.closeInfo = info
    this.detach(info)
    this.sink.handleEnd(info)
    this.closeWaiters?.resolveAll(info)
    this.drainWaiters?.rejectAll(closedError(info))
    this.lazyAborter?.abort(closedError(info))
  }
}

const closedError = (info: CloseInfo): ConnectionClosedError =>
  new ConnectionClosedError(info.code, info.reason)
