import { refusePromise, showValue } from '../check.js'
import type { ConnectionEvent } from '../connection/events.js'
import { ReadyState } from '../connection/ready-state.js'
import { Hold } from '../socket/run-loop.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'
import type { ServerSocketCore, SocketOwner } from './accepted-socket.js'
import { ConnectionMeter } from './connection-meter.js'
import { CHANNELS } from './diagnostics.js'
import type { ConnectionQuotas, QuotaAction, QuotaKind } from './quota-options.js'
import type { QuotaStats } from './quota-stats.js'
import type { ServerMessages } from './server-messages.js'

/** The owner of a connection that has quotas. */
export interface MeteredOwner extends SocketOwner {
  /** A quota of a connection was exceeded, and this is what happened. */
  quotaExceeded(what: keyof QuotaStats): void
}

/** The quotas of one connection: what it received, and what happens above them. */
export class Metering extends ConnectionMeter implements Timed {
  timerSlot = -1
  private readonly core: ServerSocketCore
  private readonly owner: MeteredOwner
  /** Part of the current message was above the quota of bytes: the message is dropped when it is whole. */
  private dropsCurrent = false

  constructor(core: ServerSocketCore, owner: MeteredOwner, quotas: ConnectionQuotas) {
    super(quotas)
    this.core = core
    this.owner = owner
  }

  /** @returns whether what was received goes on to the handlers; else it is counted as dropped */
  admits(event: ConnectionEvent): boolean {
    if (event.type === 'message') {
      if (this.admitsMessage(event.data.length)) return true
      this.owner.quotaExceeded('droppedMessages')
      this.core.dropReceived()
      return false
    }
    return (event.type !== 'ping' && event.type !== 'pong') || this.admitsControlFrame()
  }

  /** All whole messages of a chunk are handled: looks at the rest. */
  partReceived(): void {
    if (this.dropsCurrent) return
    const { receivedDataBytes, isInMessage } = this.core.driver.connection
    const now = monotonicNow()
    const quota = this.judgePart(receivedDataBytes, isInMessage, now)
    if (quota === null || this.goesOn(quota, now)) return
    if (isInMessage) this.dropsCurrent = true
    // The messages to which the bytes belong have reached their handler, and so the bytes count.
    else this.owe(now)
  }

  /** The quotas have room again. */
  timeIsUp(): void {
    this.core.driver.unhold(Hold.QUOTA)
  }

  /** The end must not wait for a quota. From here on what is above one is dropped. */
  endPause(): void {
    timerWheel.cancel(this)
    this.core.driver.unhold(Hold.QUOTA)
  }

  private admitsMessage(size: number): boolean {
    const { receivedDataBytes } = this.core.driver.connection
    if (this.dropsCurrent) {
      this.dropsCurrent = false
      this.skipMessage(size, receivedDataBytes)
      return false
    }
    const now = monotonicNow()
    const quota = this.judgeMessage(size, receivedDataBytes, now)
    return quota === null || this.goesOn(quota, now)
  }

  private admitsControlFrame(): boolean {
    const now = monotonicNow()
    const quota = this.judgeControlFrame(now)
    if (quota === null || this.goesOn(quota, now)) return true
    this.owner.quotaExceeded('droppedControlFrames')
    return false
  }

  /** Does what is to be done above a quota. @returns whether what was received goes on to the handlers */
  private goesOn(quota: QuotaKind, now: number): boolean {
    const action = this.actionFor(quota)
    const goesOn = this.act(action, quota, now)
    // A subscriber that ends the connection finds it as it is then.
    if (CHANNELS.quota.hasSubscribers) this.publish(quota, action)
    return goesOn
  }

  /** @returns as {@link goesOn} */
  private act(action: QuotaAction, quota: QuotaKind, now: number): boolean {
    const { owner } = this
    const { driver } = this.core
    if (action === 'allow') {
      owner.quotaExceeded('allowed')
      return true
    }
    if (action === 'pause') {
      owner.quotaExceeded('pauses')
      this.owe(now)
      driver.hold(Hold.QUOTA)
      timerWheel.schedule(this, this.roomAt)
      return true
    }
    if (action === 'close') {
      owner.quotaExceeded('closed')
      const error = this.errorOf(quota, now)
      driver.connection.failOverLimit(error, false)
      driver.fail(error.closeCode, error.message)
    }
    return false
  }

  /** What happens above a quota: what is chosen, as long as the connection is open; from then on what is above it is dropped. */
  private actionFor(quota: QuotaKind): QuotaAction {
    const { connection } = this.core.driver
    const chosen = this.decide(quota)
    if (chosen === 'pause' && connection.readyState !== ReadyState.OPEN) return 'drop'
    if (chosen === 'close' && !connection.isSendable) return 'drop'
    return chosen ?? 'drop'
  }

  private publish(quota: QuotaKind, action: QuotaAction): void {
    const { excesses, core, owner } = this
    CHANNELS.quota.publish({
      socket: core.socket,
      route: owner.path,
      quota,
      action,
      excesses,
    } satisfies ServerMessages['hawser:quota'])
  }

  /** @returns null: the application failed, and so has the connection */
  private decide(quota: QuotaKind): QuotaAction | null {
    const { onExceeded } = this.quotas
    if (typeof onExceeded !== 'function') return onExceeded
    try {
      const action: unknown = onExceeded(this.core.socket, this.infoOf(quota))
      refusePromise(action, "onExceeded must return 'close', 'pause', 'drop' or 'allow', not a promise")
      if (action === 'close' || action === 'pause' || action === 'drop' || action === 'allow') return action
      throw new TypeError(
        `onExceeded must return 'close', 'pause', 'drop' or 'allow', not ${showValue(action)}`,
      )
    } catch (error) {
      this.core.applicationFailed(error)
      return null
    }
  }
}
