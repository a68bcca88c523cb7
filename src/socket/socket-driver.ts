import { LimitError, TransportError } from '../errors.js'
import { Connection, ReadyState, type ConnectionOptions, type SendOptions } from '../connection/connection.js'
import type { ConnectionEvent } from '../connection/events.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import type { Limits } from '../limits.js'
import { flushSoon, type Flushable } from './outbox.js'
import { monotonicNow, timerWheel, type Timed } from './timer-wheel.js'
import type { Transport, TransportOwner } from './transport.js'

/** What becomes of a peer that does not read: see `maxBufferedOutputBytes`. */
export type SlowConsumerPolicy = 'close' | 'drop' | 'buffer'

/** Whoever is told what happens on a connection. Must not throw. */
export interface DriverOwner {
  handleEvent(event: ConnectionEvent): void
  /** What waited is below the high-water mark again. */
  handleDrain(): void
  /** The transport is over; events that are still to be pulled may follow. Called once. */
  handleGone(): void
}

/** What became of a message for one of many. */
export type DeliveryOutcome = 'sent' | 'dropped' | 'failed'

export interface DriverOptions {
  readonly limits: Limits
  readonly slowConsumer: SlowConsumerPolicy
}

/** From so much on, output is offered to the transport at once instead of behind the code that runs. */
const EAGER_FLUSH_BYTES = 64 * 1024

/** The error of the network. No code of ours or the caller's led to it: it has no stack, which costs. */
function transportError(error: Error): TransportError {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  const told = new TransportError(error.message, error)
  Error.stackTraceLimit = stackTraceLimit
  return told
}

/**
 * Moves bytes between a transport and a connection. It receives, pulls events until there are none, writes what came
 * about, and ends the transport when the connection says so.
 */
export class SocketDriver implements Flushable, Timed, TransportOwner {
  readonly connection: Connection
  /** Messages that were taken to be sent. */
  messagesSent = 0
  isQueued = false
  timerSlot = -1
  private readonly transport: Transport
  private readonly owner: DriverOwner
  private readonly options: DriverOptions
  /** The transport holds bytes that the system did not take. */
  private isBlocked = false
  private isPumping = false
  private isStarted = false
  private isPaused = false
  private isHeld = false
  private isEnded = false
  private isGone = false
  private needsDrain = false
  /** Whether a time for the end of the transport is set; it may be never. */
  private isCloseTimed = false
  private closeDeadline = Infinity

  /** @param transport from now on the driver's, reading not yet started */
  constructor(
    transport: Transport,
    connection: ConnectionOptions,
    options: DriverOptions,
    owner: DriverOwner,
  ) {
    this.transport = transport
    this.owner = owner
    this.options = options
    this.connection = new Connection({ ...connection, now: monotonicNow(), waker: this })
    transport.setOwner(this)
    timerWheel.schedule(this, this.connection.nextTickAt)
  }

  /** Bytes that were sent and that the system did not take. */
  get bufferedAmount(): number {
    return this.connection.bufferedBytes + this.transport.pendingBytes
  }

  /** What counts the bytes of the transport. */
  get counter(): object {
    return this.transport.counter
  }

  /** Whether the caller paused; see {@link pause}. */
  get isPausedByCaller(): boolean {
    return this.isPaused
  }

  /** The highest `bufferedAmount` at which `send` returns true. */
  get highWaterMarkBytes(): number {
    return this.options.limits.highWaterMarkBytes
  }

  /**
   * Begins to read.
   * @param head bytes that came with the handshake
   */
  start(head: Uint8Array): void {
    if (head.length > 0) this.connection.receiveBytes(head, monotonicNow())
    if (this.transport.isDestroyed) {
      this.transportLost()
      return
    }
    this.isStarted = true
    if (!this.isPaused) this.goOn()
  }

  /** The caller wants no more: stops pulling and reading, so that TCP tells the peer. */
  pause(): void {
    this.isPaused = true
    this.transport.pause()
  }

  resume(): void {
    if (!this.isPaused) return
    this.isPaused = false
    this.goOn()
  }

  /** The owner has no room for more: as {@link pause}, beside it. */
  hold(): void {
    this.isHeld = true
    this.transport.pause()
  }

  unhold(): void {
    if (!this.isHeld) return
    this.isHeld = false
    this.goOn()
  }

  /** Wants to be told when `bufferedAmount` is at or below the high-water mark. */
  requestDrain(): void {
    this.needsDrain = true
    flushSoon(this)
  }

  /**
   * Sends a message by the slow-consumer policy.
   * @returns false: over the high-water mark, or not taken
   */
  send(data: MessageData | PreparedMessage, options?: SendOptions): boolean {
    const { limits, slowConsumer } = this.options
    // Takes nothing, and says what is wrong with the arguments.
    if (this.connection.readyState !== ReadyState.OPEN) return this.connection.send(data, options)
    if (this.bufferedAmount > limits.maxBufferedOutputBytes && slowConsumer !== 'buffer') {
      if (this.isBlocked || !this.flushNow()) {
        this.refuse(slowConsumer)
        return false
      }
    }
    return this.connection.send(data, options) && this.sent()
  }

  /** A message was queued. @returns whether there is room for more */
  private sent(): boolean {
    this.messagesSent++
    if (this.connection.bufferedBytes > EAGER_FLUSH_BYTES && !this.isBlocked) this.flushNow()
    else if (!this.isPumping) flushSoon(this)
    if (this.bufferedAmount <= this.options.limits.highWaterMarkBytes) return true
    this.needsDrain = true
    return false
  }

  /**
   * Sends a message that goes to many, as {@link send}.
   * @returns `'dropped'`: the slow-consumer policy did not let it through; `'failed'`: the connection is not open
   */
  deliver(message: PreparedMessage): DeliveryOutcome {
    const { limits, slowConsumer } = this.options
    if (this.connection.readyState !== ReadyState.OPEN) return 'failed'
    if (this.bufferedAmount > limits.maxBufferedOutputBytes && slowConsumer !== 'buffer') {
      if (this.isBlocked || !this.flushNow()) {
        this.refuse(slowConsumer)
        return 'dropped'
      }
    }
    this.connection.sendPrepared(message)
    this.sent()
    return 'sent'
  }

  ping(data: MessageData | undefined): boolean {
    const sent = this.connection.ping(data, monotonicNow())
    this.touch()
    return sent
  }

  pong(data: MessageData | undefined): boolean {
    const sent = this.connection.pong(data)
    this.touch()
    return sent
  }

  close(code: number | undefined, reason: string | undefined, timeoutMs: number | undefined): void {
    this.connection.close(code, reason)
    this.armCloseTimer(timeoutMs)
    this.touch()
    // The peer's Close frame stands behind what was not read yet.
    this.resume()
  }

  /** Fails the connection, without an `error` event: the caller knows why. */
  fail(code: number, reason: string): void {
    this.connection.fail(code, reason)
    this.touch()
  }

  /** Ends everything now. */
  terminate(): void {
    this.connection.abandon()
    this.isStarted = true
    this.isPaused = false
    this.isHeld = false
    this.pump()
  }

  receive(chunk: Buffer, isBorrowed: boolean): void {
    const { connection } = this
    connection.receiveBytes(chunk, monotonicNow(), isBorrowed)
    this.pump()
    if (isBorrowed) connection.keepInput()
    if (connection.isInflating) this.transport.pause()
  }

  receiveEnd(): void {
    this.connection.receiveEnd()
    this.isPaused = false
    this.pump()
  }

  transportLost(error?: Error): void {
    this.connection.transportLost(error === undefined ? undefined : transportError(error))
    // Nothing more will come: what is there is told even to who paused, and then the end.
    this.isStarted = true
    this.isPaused = false
    this.pump()
  }

  /** Work off the loop ended: there is something to pull or to write. */
  wake(): void {
    this.goOn()
  }

  /** The transport took all that it had. */
  unblock(): void {
    if (!this.isBlocked) return
    this.isBlocked = false
    this.connection.setBlocked(false)
    this.flush()
  }

  flush(): void {
    this.flushNow()
    this.tellDrain()
    this.settle()
  }

  timeIsUp(now: number): void {
    if (now >= this.closeDeadline) {
      this.transportLost(new Error('the peer did not end the connection within closeTimeoutMs'))
      return
    }
    if (!this.mayRead) this.connection.readingIsPaused(now)
    this.connection.tick(now)
    this.pump()
    if (this.timerSlot < 0 && !this.isGone) {
      timerWheel.schedule(this, Math.min(this.connection.nextTickAt, this.closeDeadline))
    }
  }

  /** Pulls until there is nothing, or who is told wants no more. */
  private pump(): void {
    // Called out of a handler: the loop that called the handler goes on by itself.
    if (this.isPumping) return
    this.isPumping = true
    let owesPong = false
    while (this.isStarted && !this.isPaused && !this.isHeld) {
      const event = this.connection.nextEvent()
      if (event === null) break
      // What the engine owes the peer (pongs, a Close) goes out before user code runs for however long.
      if (event.type === 'ping') {
        owesPong = true
      } else if (owesPong || event.type !== 'message') {
        owesPong = false
        this.flushNow()
      }
      this.owner.handleEvent(event)
    }
    this.isPumping = false
    this.flush()
  }

  private get mayRead(): boolean {
    return this.isStarted && !this.isPaused && !this.isHeld && !this.connection.isInflating
  }

  private goOn(): void {
    this.pump()
    if (this.mayRead && !this.isGone) this.transport.resume()
  }

  /** Something was queued outside {@link send}. */
  private touch(): void {
    if (!this.isPumping) flushSoon(this)
  }

  /**
   * Writes what waits, unless the transport still holds what was written before: then it waits here, where it is
   * counted and can be dropped.
   * @returns whether the transport can take more
   */
  private flushNow(): boolean {
    const { connection, transport } = this
    if (this.isBlocked || transport.isDestroyed) return false
    const first = connection.takeOutput()
    if (first === null) return true
    const second = connection.takeOutput()
    if (second === null) {
      if (transport.write(first)) {
        if (transport.freesAtOnce) connection.recycleOutput()
        return true
      }
    } else {
      const pieces = [first]
      for (let bytes: Buffer | null = second; bytes !== null; bytes = connection.takeOutput())
        pieces.push(bytes)
      if (transport.writeMany(pieces)) return true
    }
    this.isBlocked = true
    connection.setBlocked(true)
    return false
  }

  private tellDrain(): void {
    if (!this.needsDrain || this.bufferedAmount > this.options.limits.highWaterMarkBytes) return
    // Room on a connection that takes nothing any more is no room.
    if (this.connection.readyState !== ReadyState.OPEN) return
    this.needsDrain = false
    this.owner.handleDrain()
  }

  private refuse(policy: 'close' | 'drop'): void {
    this.needsDrain = true
    if (policy === 'drop') return
    const { maxBufferedOutputBytes } = this.options.limits
    const error = new LimitError('HAWSER_SLOW_CONSUMER', maxBufferedOutputBytes, this.bufferedAmount)
    this.connection.failOverLimit(error, true)
    this.pumpSoon()
  }

  /** The error is told behind the code that sends now, not inside its call. */
  private pumpSoon(): void {
    process.nextTick(() => {
      this.pump()
    })
  }

  /** Ends the transport if it is time, and sees that the end comes. */
  private settle(): void {
    if (this.connection.readyState === ReadyState.CLOSED) {
      this.gone()
      return
    }
    const due = this.connection.transportShouldClose()
    if (due === 'no') return
    this.armCloseTimer(undefined)
    if (due === 'now' && !this.isEnded && this.connection.bufferedBytes === 0) {
      this.isEnded = true
      this.transport.end()
      // What still comes is discarded: a reset must not overtake our Close frame.
      this.isPaused = false
      this.transport.resume()
    }
  }

  /** @param timeoutMs what a caller asks for: of several, the least patient counts. Default: `closeTimeoutMs`, once */
  private armCloseTimer(timeoutMs: number | undefined): void {
    if (this.isGone || (this.isCloseTimed && timeoutMs === undefined)) return
    const deadline = monotonicNow() + (timeoutMs ?? this.options.limits.closeTimeoutMs)
    if (this.isCloseTimed && deadline >= this.closeDeadline) return
    if (!this.isCloseTimed) timerWheel.keepAlive()
    this.isCloseTimed = true
    this.closeDeadline = deadline
    timerWheel.schedule(this, deadline)
  }

  private gone(): void {
    if (this.isGone) return
    this.isGone = true
    timerWheel.cancel(this)
    if (this.isCloseTimed) timerWheel.letGo()
    this.transport.destroy()
    this.owner.handleGone()
  }
}
