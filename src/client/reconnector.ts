import { refusePromise, showValue } from '../check.js'
import { ConnectionClosedError, toError } from '../errors.js'
import type { CloseInfo } from '../connection/events.js'
import { ReadyState } from '../connection/ready-state.js'
import { CloseCode } from '../frame/close-code.js'
import type { Handlers } from '../service/service.js'
import { coreOf } from '../socket/base-socket.js'
import { EndOfConnection, NEVER_OPEN } from '../socket/end-of-connection.js'
import { offAbort, onAbort } from '../socket/abort-listeners.js'
import { Waiters, type WaitOptions } from '../socket/waiters.js'
import { timerWheel } from '../transport/timer-wheel.js'
import { Backoff, readRetryAfter } from './backoff.js'
import { announce, isEndHeard, report, tell, warnOfGivingUp } from './callbacks.js'
import type { ClientSocket } from './client-socket.js'
import type { Clock } from './clock.js'
import { CLIENT_CHANNELS } from './diagnostics.js'
import { withTarget, type ResolvedClientOptions, type ResolvedConnectOptions } from './connect-options.js'
import type { ResolvedReconnectOptions } from './reconnect-options.js'
import type { Urls } from './reconnect-urls.js'
import { reconnectingHandlers, type ConnectionListener } from './reconnecting-handlers.js'
import { hintOf, isOfOneServer, isRetriedByDefault, retryAfterOf, type ReconnectCause } from './retry-rule.js'
import { UnreadConnections } from './unread-connections.js'
import { WaitingOutput } from './waiting-output.js'

/** Opens one connection. */
export type Open = (options: ResolvedConnectOptions) => Promise<ClientSocket>

/**
 * - `connecting`: an attempt; `opening`: its handshake is done, and `onOpen` runs;
 * - `lost`: the connection is over, and its handlers may still run; `waiting`: for the next attempt
 */
type Phase = 'connecting' | 'opening' | 'open' | 'lost' | 'waiting' | 'ended'

/** The life of a client that reconnects: attempts, connections and the time between them, one after the other. */
export class Reconnector implements ConnectionListener {
  /** Set by the socket that the application has. */
  socket!: ClientSocket
  phase: Phase = 'connecting'
  /** The connection, or the last one. */
  connection: ClientSocket | null = null
  readonly output: WaitingOutput
  readonly options: ResolvedClientOptions
  private readonly settings: ResolvedReconnectOptions
  private readonly urls: Urls
  private readonly open: Open
  private readonly clock: Clock
  private readonly backoff: Backoff
  private readonly service: Handlers<ClientSocket>
  private readonly handlers: Handlers<ClientSocket>
  readonly unread: UnreadConnections
  /** Who waits to send. */
  private readonly openings = new Waiters<void>()
  private readonly ends = new Waiters<CloseInfo>()
  private aborter = new AbortController()
  private wake: (() => void) | null = null
  private timer: unknown
  private handlersDone: (() => void) | null = null
  private areHandlersDone: Promise<void> = Promise.resolve()
  private openFailure: { readonly error: unknown } | null = null
  private isFirst = true
  private isStopping = false
  private isPaused = false
  private lastClose: CloseInfo | null = null
  private lastError: unknown
  private endInfo: CloseInfo | null = null
  private lazyAborter: AbortController | null = null
  /** Whether the application asked for the end: by `closed`. */
  private isEndAwaited = false

  constructor(
    options: ResolvedClientOptions,
    settings: ResolvedReconnectOptions,
    urls: Urls,
    open: Open,
    clock: Clock,
  ) {
    this.options = options
    this.settings = settings
    this.urls = urls
    this.open = open
    this.clock = clock
    this.backoff = new Backoff(urls.count, settings, () => clock.random())
    this.service = options.handlers
    this.handlers = reconnectingHandlers(options.handlers, this)
    this.output = new WaitingOutput(settings.outbox, options.limits.maxBufferedOutputBytes)
    this.unread = new UnreadConnections(settings.whileReconnecting === 'fail')
    if (options.signal !== undefined) onAbort(options.signal, this.aborted)
  }

  get isEnded(): boolean {
    return this.phase === 'ended'
  }

  /** Whether calls that need a connection fail while there is none. */
  get failsMeanwhile(): boolean {
    return this.settings.whileReconnecting === 'fail'
  }

  /** How all of it ended, or null. */
  get closeInfo(): CloseInfo | null {
    return this.endInfo
  }

  get readyState(): ReadyState {
    if (this.phase === 'ended') return ReadyState.CLOSED
    const state = this.connection?.readyState ?? ReadyState.CLOSED
    if (this.isStopping) return state === ReadyState.CLOSED ? ReadyState.CLOSED : ReadyState.CLOSING
    return state === ReadyState.CLOSED ? ReadyState.CONNECTING : state
  }

  get signal(): AbortSignal {
    if (this.lazyAborter === null) {
      this.lazyAborter = new AbortController()
      if (this.endInfo !== null) this.lazyAborter.abort(this.closedError())
    }
    return this.lazyAborter.signal
  }

  /** Makes the first connection. @throws as {@link connect} does */
  async start(): Promise<void> {
    try {
      this.options.signal?.throwIfAborted()
      for (;;) {
        const cause = await this.attempt()
        if (cause === null) break
        const { close } = cause
        const error = close === undefined ? cause.error : this.closedErrorOf(close, cause.error)
        this.options.signal?.throwIfAborted()
        if (this.openFailure !== null) throw this.openFailure.error
        if (this.isEnd(cause)) throw error
        this.lost(cause)
        this.countEnd(cause, true)
        if (this.backoff.isRoundOver && !this.settings.retryFirst) throw error
        const isRetried = this.mayTry(cause)
        this.throwIfStopped()
        if (!isRetried) throw error
        await this.untilHandlersAreDone()
        this.throwIfStopped()
        await this.delay(cause)
        this.throwIfStopped()
      }
    } catch (error) {
      this.finish()
      throw error
    }
    this.connected()
    void this.live()
  }

  /** @throws the reason of the signal; ConnectionClosedError if the application has ended this client */
  private throwIfStopped(): void {
    this.options.signal?.throwIfAborted()
    if (this.isStopping) throw this.closedError()
  }

  /** The connection, once it is open; one that is over where calls fail meanwhile. @throws ConnectionClosedError after the end */
  async opened(within: WaitOptions): Promise<ClientSocket> {
    for (;;) {
      const { connection } = this
      if (this.isEnded || connection === null) throw this.closedError()
      const isOpen = connection.readyState === ReadyState.OPEN
      if (isOpen && this.phase === 'open') return connection
      const opens = isOpen && this.phase === 'opening'
      if (!opens && (this.failsMeanwhile || this.isStopping)) return connection
      await this.openings.wait(within)
    }
  }

  pause(): void {
    this.isPaused = true
    this.connection?.pause()
  }

  resume(): void {
    this.isPaused = false
    this.connection?.resume()
  }

  whenEnded(options: WaitOptions): Promise<CloseInfo> {
    this.isEndAwaited = true
    return this.endInfo === null ? this.ends.wait(options) : Promise.resolve(this.endInfo)
  }

  /**
   * There is to be no further connection.
   * @param end ends the one that there is
   */
  stop(end: (connection: ClientSocket) => void): void {
    if (this.isEnded) return
    this.isStopping = true
    this.output.isOver = true
    const { connection } = this
    if (connection !== null && connection.readyState !== ReadyState.CLOSED) {
      end(connection)
      return
    }
    // Between the end of a connection and this client hearing of it, it hears of it.
    if (this.phase === 'open' || this.phase === 'opening') return
    this.finish()
  }

  connectionOpens(connection: ClientSocket, onOpen: () => unknown): unknown {
    this.phase = 'opening'
    this.connection = connection
    this.areHandlersDone = new Promise((resolve) => {
      this.handlersDone = resolve
    })
    if (this.isPaused) connection.pause()
    this.unread.add(connection)
    this.output.connected(connection)
    return this.output.open(connection, onOpen, (failure) => {
      if (failure !== undefined && connection === this.connection) this.openFailure = failure
    })
  }

  connectionEnded(connection: ClientSocket): void {
    if (connection === this.connection) this.handlersDone?.()
  }

  /**
   * Whether a loop over the messages just ends after this error: the application closed, or the server did for good. Every
   * other end is one that this client did not want.
   */
  endedQuietly({ closeCode, cause }: ConnectionClosedError): boolean {
    if (this.isStopping) return true
    if (cause !== undefined || !(this.isEnded || this.failsMeanwhile)) return false
    return closeCode === CloseCode.NORMAL_CLOSURE || closeCode === CloseCode.NO_STATUS_RECEIVED
  }

  /** The error of calls that wait for a connection. */
  closedError(): ConnectionClosedError {
    return this.closedErrorOf(this.endInfo ?? this.lastClose)
  }

  /** Connections, one after the other, until the end. */
  private async live(): Promise<void> {
    for (;;) {
      const connection = this.connection as ClientSocket
      const openedAt = this.clock.now()
      let cause = await endOf(connection)
      const isStable = this.clock.now() - openedAt >= this.settings.stableAfterMs
      if (isStable) this.backoff.reset()
      this.countEnd(cause, !isStable)
      for (;;) {
        this.lost(cause)
        if (this.isEnd(cause)) {
          const { signal } = this.options
          this.finish(this.isStopping ? undefined : signal?.reason)
          return
        }
        const isRetried = this.mayTry(cause)
        if (this.isEnded) return
        if (!isRetried) {
          this.giveUp(cause)
          return
        }
        await this.untilHandlersAreDone()
        if (!this.isEnded) await this.delay(cause)
        if (this.isEnded) return
        const failure = await this.attempt()
        if (this.isEnded) return
        if (failure === null) break
        cause = failure
        this.countEnd(cause, true)
        if (this.openFailure !== null) report(this.service, this.socket, this.openFailure.error)
        if (this.isEnded) return
      }
      this.connected()
    }
  }

  /** One attempt. @returns null: the connection is open */
  private async attempt(): Promise<ReconnectCause | null> {
    this.phase = 'connecting'
    this.openFailure = null
    this.aborter = new AbortController()
    const { signal } = this.aborter
    const before = this.connection
    try {
      const { handshakeTimeoutMs } = this.options.limits
      const target = await this.urls.at(this.backoff.urlIndex, handshakeTimeoutMs, signal)
      signal.throwIfAborted()
      await this.open({ ...withTarget(this.options, target), signal, handlers: this.handlers })
      return null
    } catch (error) {
      const { connection } = this
      if (connection === null || connection === before) return { error: toError(error) }
      return await endOf(connection)
    }
  }

  private connected(): void {
    const { connection, isFirst } = this
    if (connection === null) return
    this.isFirst = false
    if (!isFirst) {
      const { onReconnected } = this.settings
      const event = { attempt: this.backoff.attempts, url: connection.url }
      this.output.announce(() => {
        announce(CLIENT_CHANNELS.reconnected, this.service, this.socket, event, onReconnected)
      })
    }
    this.phase = 'open'
    this.output.flush()
    this.openings.resolveAll()
  }

  private lost(cause: ReconnectCause): void {
    this.phase = 'lost'
    this.lastError = cause.error
    if (cause.close === undefined) return
    this.lastClose = cause.close
    this.output.lost(cause.close.unsentBytes)
    if (this.failsMeanwhile) this.openings.resolveAll()
  }

  /** Whether this side ended it. */
  private isEnd({ close }: ReconnectCause): boolean {
    return this.isStopping || this.options.signal?.aborted === true || close?.initiator === 'local'
  }

  private countEnd(cause: ReconnectCause, isFailure: boolean): void {
    const now = this.clock.now()
    this.backoff.defer(now, hintOf(cause))
    if (!isFailure) return
    const asked = retryAfterOf(cause)
    this.backoff.failed(now, asked === undefined ? undefined : readRetryAfter(asked, this.clock.wallNow()))
  }

  private mayTry(cause: ReconnectCause): boolean {
    if (this.backoff.attempts >= this.settings.maxAttempts) return false
    const { shouldReconnect } = this.settings
    let answer: unknown
    tell(this.service, this.socket, () => {
      answer = shouldReconnect?.(cause)
      if (answer === undefined || typeof answer === 'boolean') return
      const given = answer
      answer = undefined
      const message = `shouldReconnect must return true, false or undefined, not`
      refusePromise(given, `${message} a promise`)
      throw new TypeError(`${message} ${showValue(given)}`)
    })
    if (typeof answer === 'boolean') return answer
    return isRetriedByDefault(cause) || (isOfOneServer(cause) && this.backoff.excludeLast())
  }

  private delay(cause: ReconnectCause): Promise<void> {
    const { attempt, delayMs } = this.backoff.next(this.clock.now())
    const { onReconnecting } = this.settings
    this.phase = 'waiting'
    const event = { attempt, delayMs, cause }
    announce(CLIENT_CHANNELS.reconnecting, this.service, this.socket, event, onReconnecting)
    if (this.isEnded) return Promise.resolve()
    return new Promise((resolve) => {
      this.wake = resolve
      this.timer = this.clock.setTimer(resolve, delayMs)
    })
  }

  /** No attempt before `onClose` of the last connection: handlers see one connection after the other. */
  private async untilHandlersAreDone(): Promise<void> {
    timerWheel.keepAlive()
    try {
      await this.areHandlersDone
    } finally {
      timerWheel.letGo()
    }
  }

  private giveUp(cause: ReconnectCause): void {
    const { attempts } = this.backoff
    const { onGivenUp } = this.settings
    // It may abort the signal, which is not why.
    if (this.options.signal !== undefined) offAbort(this.options.signal, this.aborted)
    announce(CLIENT_CHANNELS.givenUp, this.service, this.socket, { cause, attempts }, onGivenUp)
    this.finish()
    if (this.isEndAwaited || this.lazyAborter !== null) return
    if (isEndHeard(this.options, this.settings, cause, attempts)) return
    warnOfGivingUp(this.service, cause.error ?? this.closedError())
  }

  /** @param error why there is no connection, and no further one */
  private finish(error = this.lastError): void {
    if (this.isEnded) return
    this.phase = 'ended'
    this.lastError = error
    if (this.options.signal !== undefined) offAbort(this.options.signal, this.aborted)
    this.clock.clearTimer(this.timer)
    this.aborter.abort()
    this.output.end()
    const info = this.lastClose ?? NEVER_OPEN
    this.endInfo = new EndOfConnection(info, info.droppedMessages + this.unread.droppedMessages)
    this.unread.end(this.closedError())
    this.openings.rejectAll(this.closedError())
    this.ends.resolveAll(this.endInfo)
    this.lazyAborter?.abort(this.closedError())
    this.wake?.()
  }

  private readonly aborted = (): void => {
    const { signal } = this.options
    if (this.phase === 'connecting' || this.phase === 'opening') this.aborter.abort(signal?.reason)
    if (this.phase === 'open' || this.phase === 'opening') return
    // The first attempt rejects by itself.
    if (this.isFirst && this.phase === 'connecting') return
    this.finish(signal?.reason)
  }

  private closedErrorOf(info: CloseInfo | null, cause = this.lastError): ConnectionClosedError {
    const { code, reason } = info ?? NEVER_OPEN
    return new ConnectionClosedError(code, reason, cause)
  }
}

async function endOf(connection: ClientSocket): Promise<ReconnectCause> {
  const close = await connection.closed
  if (close.code !== CloseCode.ABNORMAL_CLOSURE) return { close }
  const error = coreOf(connection)?.driver.connection.lossError ?? null
  return error === null ? { close } : { close, error }
}
