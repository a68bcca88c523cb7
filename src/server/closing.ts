import { readCloseOptions, type CloseOptions, type ClosePlan } from './close-options.js'
import { CHANNELS } from './diagnostics.js'
import type { ObservedServer, ServerMessages } from './server-messages.js'
import type { Listener } from './listener.js'
import type { ServerCore } from './server-core.js'
import { orderOfTurns, SpreadClose } from './spread-close.js'

/** After a spread, connections whose request has not been received yet get so much time for it, at most. */
const MAX_LAST_REQUESTS_MS = 1_000

/** The end of a server: at once, or with the closes of its connections spread over a time. */
export class Closing {
  /** Aborted when the server stops: at the call of `close`, or when a spread is over. */
  readonly stopper = new AbortController()
  private readonly server: ObservedServer
  private readonly core: ServerCore
  private readonly listener: Listener
  private plan: ClosePlan | null = null
  private isPublished = false
  private isOver = false

  /** @param server as the application has it, for observers */
  constructor(server: ObservedServer, core: ServerCore, listener: Listener) {
    this.server = server
    this.core = core
    this.listener = listener
  }

  /** See `WebSocketServer.close`. */
  async close(options: CloseOptions): Promise<void> {
    const { core } = this
    const spreading = core.spread === null ? null : this.plan
    const plan = readCloseOptions(options, spreading, core.options.limits.closeTimeoutMs)
    if (spreading !== null) {
      this.plan = { ...plan, keepPort: plan.keepPort ?? spreading.keepPort }
      core.spread?.hasten(plan.spreadMs)
      if (core.spread?.isOver === false) this.publish(plan.spreadMs)
      if (plan.keepPort === false) void this.listener.leavePort()
    } else {
      this.plan = plan
      if (plan.spreadMs > 0 && !core.isClosing) this.beginSpread(plan)
    }
    // Without a spread everything begins within the call.
    if (core.spread !== null) await core.spread.over
    await this.end(this.plan)
    this.publishClosed()
  }

  /** See `WebSocketServer.terminate`. */
  terminate(): void {
    const { core } = this
    core.spread?.stop()
    void this.stop(false)
    for (const socket of [...core.sockets, ...core.ending]) socket.terminate()
    this.cutStrays()
    this.publishEnd(0)
    // Not awaited: if the message that this node leaves is lost, the other nodes forget it after `presenceTtlMs`.
    core.recovery?.close()
    void core.node?.close()
    void core.untilFinished().then(() => {
      this.publishClosed()
    })
  }

  private beginSpread(plan: ClosePlan): void {
    const { core, listener } = this
    const { spreadMs, retryAfterMs, keepPort } = plan
    core.retryAfter = { spreadMs, retryAfterMs }
    core.spread = new SpreadClose(orderOfTurns(core.connectionsByRoute()), spreadMs, (connection) => {
      // Those of a later call, if there was one.
      const { code, reason, timeoutMs } = this.plan as ClosePlan
      connection.closeWithin(code, reason, timeoutMs)
    })
    core.whenEmpty = () => core.spread?.stop()
    core.stopAccepting()
    listener.retire()
    if (!(keepPort ?? !listener.isShared)) void listener.leavePort()
    if (!core.spread.isOver) this.publish(spreadMs)
  }

  private async end({ code, reason, timeoutMs, spreadMs }: ClosePlan): Promise<void> {
    const { core, listener } = this
    const deadline = performance.now() + timeoutMs
    const stopped = this.stop(core.spread !== null)
    const ended: Promise<unknown>[] = [...core.sockets].map((socket) =>
      socket.close(code, reason, { timeoutMs }),
    )
    this.publishEnd(spreadMs)
    if (core.spread === null) listener.closeIdle()
    ended.push(core.rejectedEnd(timeoutMs))
    await Promise.all(ended)
    if (core.spread !== null) {
      // Who waited in the queue of the port gets an answer.
      await listener.leavePort()
      await listener.lastRequests(Math.min(timeoutMs, MAX_LAST_REQUESTS_MS))
      await core.rejectedEnd(Math.max(0, deadline - performance.now()))
    }
    this.cutStrays()
    await core.handlersEnd(deadline)
    await stopped
    core.recovery?.close()
    await core.node?.close(Math.max(0, deadline - performance.now()))
  }

  /** @param isSlow the connections in the queue of the own port are accepted before it is closed */
  private stop(isSlow: boolean): Promise<void> {
    this.stopper.abort()
    this.core.stopAccepting()
    return this.listener.stop(isSlow)
  }

  /** Cuts the connections that are not WebSockets. */
  private cutStrays(): void {
    this.listener.cut()
    this.core.cutRejected()
  }

  private publish(spreadMs: number): void {
    if (!CHANNELS.closing.hasSubscribers) return
    const remaining = this.core.spread?.countWaiting() ?? 0
    CHANNELS.closing.publish({
      server: this.server,
      remaining,
      spreadMs,
    } satisfies ServerMessages['hawser:closing'])
  }

  private publishEnd(spreadMs: number): void {
    if (this.isPublished) return
    this.isPublished = true
    this.publish(spreadMs)
  }

  private publishClosed(): void {
    if (this.isOver) return
    this.isOver = true
    if (!CHANNELS.closed.hasSubscribers) return
    CHANNELS.closed.publish({ server: this.server } satisfies ServerMessages['hawser:closed'])
  }
}
