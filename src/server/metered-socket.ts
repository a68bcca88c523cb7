import { refusePromise, showValue } from '../check.js'
import type { ConnectionOptions } from '../connection/connection.js'
import type { ConnectionEvent } from '../connection/events.js'
import { ReadyState } from '../connection/ready-state.js'
import type { Handlers } from '../service/service.js'
import type { DriverOptions } from '../socket/driver-owner.js'
import { Hold } from '../socket/run-loop.js'
import { SocketDriver } from '../socket/socket-driver.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'
import type { Transport } from '../transport/transport.js'
import { ServerSocketCore, type Opening, type SocketOwner } from './accepted-socket.js'
import { ConnectionMeter } from './connection-meter.js'
import type { ConnectionQuotas, QuotaAction, QuotaKind } from './quota-options.js'
import type { QuotaStats } from './quota-stats.js'
import type { ServerSocket } from './server-socket.js'

/** The owner of a connection that has quotas. */
export interface MeteredOwner extends SocketOwner {
  /** A quota of a connection was exceeded, and this is what happened. */
  quotaExceeded(what: keyof QuotaStats): void
}

/** Looks, after each chunk, at what is not a whole message. */
class MeteredDriver extends SocketDriver {
  override receive(chunk: Buffer): void {
    super.receive(chunk)
    // A loop that is held has messages left that account for these bytes.
    if (this.isPulling && this.owner instanceof MeteredSocketCore) this.owner.partReceived()
  }
}

/**
 * A connection with quotas. A class of its own, so that a connection without quotas has no field for them, and a message of it
 * meets no branch (docs/adr/0023).
 */
export class MeteredSocketCore extends ServerSocketCore implements Timed {
  timerSlot = -1
  private readonly meter: ConnectionMeter
  private readonly onExceeded: ConnectionQuotas['onExceeded']
  private readonly meteredOwner: MeteredOwner
  /** Part of the current message was above the quota of bytes: the message is dropped when it is whole. */
  private dropsCurrent = false

  constructor(
    transport: Transport,
    opening: Opening,
    connection: ConnectionOptions,
    options: DriverOptions,
    handlers: Handlers<ServerSocket>,
    owner: MeteredOwner,
    quotas: ConnectionQuotas,
  ) {
    super(transport, opening, connection, options, handlers, owner)
    this.meter = new ConnectionMeter(quotas)
    this.onExceeded = quotas.onExceeded
    this.meteredOwner = owner
  }

  override handleEvent(event: ConnectionEvent): void {
    if (event.type === 'message') {
      if (!this.admitsMessage(event.data.length)) {
        this.dropMessage()
        return
      }
    } else if ((event.type === 'ping' || event.type === 'pong') && !this.admitsControlFrame()) {
      return
    }
    super.handleEvent(event)
  }

  /** All whole messages of a chunk are handled: looks at the rest. */
  partReceived(): void {
    if (this.dropsCurrent) return
    const { connection } = this.driver
    const now = monotonicNow()
    const { isInMessage } = connection
    const quota = this.meter.judgePart(connection.receivedDataBytes, isInMessage, now)
    if (quota === null || this.goesOn(quota, now)) return
    if (isInMessage) this.dropsCurrent = true
    // The messages to which the bytes belong have reached their handler, and so the bytes count.
    else this.meter.owe(now)
  }

  /** The quotas have room again. */
  timeIsUp(): void {
    this.driver.unhold(Hold.QUOTA)
  }

  protected override makeDriver(
    transport: Transport,
    connection: ConnectionOptions,
    options: DriverOptions,
  ): SocketDriver {
    return new MeteredDriver(transport, connection, options, this)
  }

  protected override beginClosing(): void {
    super.beginClosing()
    // The end must not wait for a quota. From here on what is above one is dropped.
    timerWheel.cancel(this)
    this.driver.unhold(Hold.QUOTA)
  }

  private admitsMessage(size: number): boolean {
    const { receivedDataBytes } = this.driver.connection
    if (this.dropsCurrent) {
      this.dropsCurrent = false
      this.meter.skipMessage(size, receivedDataBytes)
      return false
    }
    const now = monotonicNow()
    const quota = this.meter.judgeMessage(size, receivedDataBytes, now)
    return quota === null || this.goesOn(quota, now)
  }

  private admitsControlFrame(): boolean {
    const now = monotonicNow()
    const quota = this.meter.judgeControlFrame(now)
    if (quota === null || this.goesOn(quota, now)) return true
    this.meteredOwner.quotaExceeded('droppedControlFrames')
    return false
  }

  /** Does what is to be done above a quota. @returns whether what was received goes on to the handlers */
  private goesOn(quota: QuotaKind, now: number): boolean {
    const action = this.decide(quota)
    const { connection } = this.driver
    if (action === 'allow') {
      this.meteredOwner.quotaExceeded('allowed')
      return true
    }
    if (action === 'pause' && connection.readyState === ReadyState.OPEN) {
      this.meteredOwner.quotaExceeded('pauses')
      this.meter.owe(now)
      this.driver.hold(Hold.QUOTA)
      timerWheel.schedule(this, this.meter.roomAt)
      return true
    }
    if (action === 'close' && connection.isSendable) {
      this.meteredOwner.quotaExceeded('closed')
      const error = this.meter.errorOf(quota, now)
      connection.failOverLimit(error, false)
      this.driver.fail(error.closeCode, error.message)
    }
    return false
  }

  /** @returns null: the application failed, and so has the connection */
  private decide(quota: QuotaKind): QuotaAction | null {
    const { onExceeded } = this
    if (typeof onExceeded !== 'function') return onExceeded
    try {
      const action: unknown = onExceeded(this.socket, this.meter.infoOf(quota))
      refusePromise(action, "onExceeded must return 'close', 'pause', 'drop' or 'allow', not a promise")
      if (action === 'close' || action === 'pause' || action === 'drop' || action === 'allow') return action
      throw new TypeError(
        `onExceeded must return 'close', 'pause', 'drop' or 'allow', not ${showValue(action)}`,
      )
    } catch (error) {
      this.sink.handlerFailed(error)
      return null
    }
  }

  private dropMessage(): void {
    if (this.isOver) this.owner.received()
    this.messagesReceived++
    this.meteredOwner.quotaExceeded('droppedMessages')
    this.sink.drop(1)
  }
}
