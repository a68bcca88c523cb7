/**
 * What was seen of a connection at each step, and what docs/backpressure.md says of it: bounds, what is cut and what
 * is not, and what has to be true at the end.
 */
import { ReadyState } from '../../src/connection/connection.js'
import type { Limits } from '../../src/limits.js'
import type { WebSocketServer } from '../../src/server/websocket-server.js'
import type { Socket } from '../../src/socket/socket.js'
import { timerWheel } from '../../src/transport/timer-wheel.js'
import type { ModelApplication, WorldOptions } from './model-application.js'
import type { Line } from './model-line.js'
import type { ModelPeer } from './model-peer.js'

/** So long is one step of the clock; a timer may be late by it, and by the 16 ms of the wheel. */
export const STEP_MS = 200
const SLACK_MS = 2 * STEP_MS + 50
/** Progress by a handle, and by a stream (docs/backpressure.md). */
const HANDLE_PROGRESS_BYTES = 1024
const STREAM_PROGRESS_BYTES = 64 * 1024
/** Of a ping or a pong on the wire, at most. */
const CONTROL_FRAME_BYTES = 131
/** Of a header, at most: before it is whole it says of nothing what it belongs to. */
const HEADER_BYTES = 14

/** What the checks look at. */
export interface Observed {
  readonly options: WorldOptions
  readonly limits: Limits
  readonly line: Line
  readonly peer: ModelPeer
  readonly app: ModelApplication
  readonly server: WebSocketServer | null
  readonly socket: Socket
}

interface Sample {
  readonly at: number
  readonly taken: number
  readonly moved: number
  readonly emptied: number
  readonly isWaiting: boolean
  readonly received: number
  readonly receivedData: number
  readonly isReading: boolean
  readonly readyState: number
  readonly sentCount: number
}

export class ModelRecord {
  private readonly seen: Observed
  private readonly samples: Sample[] = []
  private closingSince = Infinity
  private endedAt = Infinity
  private isJudged = false
  private idleSeenAt = -Infinity
  private wasPausedAtEnd = false

  constructor(seen: Observed) {
    this.seen = seen
  }

  /** Whether the transport is over. */
  get isOver(): boolean {
    return this.endedAt !== Infinity
  }

  /** Looks at everything, after each step. @throws what is wrong */
  check(): void {
    const { app } = this.seen
    this.sample()
    this.checkBounds()
    this.checkEnd()
    this.checkStalled()
    this.checkIdle()
    if (app.wrongs.length > 0) throw new Error(app.wrongs.join('; '))
  }

  private sample(): void {
    const { line, peer, socket, app } = this.seen
    const { system } = line
    const { readyState } = socket
    const at = performance.now()
    if (readyState !== ReadyState.OPEN && app.isPaused) this.wasPausedAtEnd = true
    if (readyState !== ReadyState.OPEN && this.closingSince === Infinity) this.closingSince = at
    this.samples.push({
      at,
      taken: system.takenBytes,
      moved: line.movedBytes,
      emptied: line.emptiedCount,
      isWaiting: line.waitingBytes > 0,
      received: line.receivedBytes,
      receivedData: peer.deliveredDataBytes,
      isReading: line.isReading,
      readyState,
      sentCount: app.sent.length + app.pingCount,
    })
  }

  /** The samples of the last so many milliseconds, one before them included; null if there are not so many yet. */
  private window(ms: number): Sample[] | null {
    const { samples } = this
    const from = performance.now() - ms
    let first = samples.length - 1
    while (first >= 0 && (samples[first] as Sample).at > from) first--
    return first < 0 ? null : samples.slice(first)
  }

  private checkBounds(): void {
    const { socket, app, line, options, limits, peer, server } = this.seen
    if (server !== null && socket.readyState !== ReadyState.OPEN && server.group('all').size > 0) {
      app.wrong('a closing connection is in a group')
    }
    if (socket.readyState !== ReadyState.OPEN) return
    if (options.slowConsumer !== 'buffer') {
      const bound =
        limits.maxBufferedOutputBytes +
        2 * app.largestFrameBytes +
        132 * 1024 +
        (limits.maxPendingPongs + 1 + app.pingCount) * CONTROL_FRAME_BYTES
      const kept = options.isCompressing ? 0 : app.sentFrameBytes - line.system.takenBytes
      if (socket.bufferedAmount > bound)
        app.wrong(`bufferedAmount is ${socket.bufferedAmount}, above ${bound}`)
      if (kept > bound) app.wrong(`${kept} bytes of output are kept, above ${bound}`)
      if (kept > socket.bufferedAmount) {
        app.wrong(`${kept} bytes of output are kept, and bufferedAmount is ${socket.bufferedAmount}`)
      }
    }
    const started = peer.sent[app.startedCount - 1]?.endOffset ?? 0
    const waiting = line.receivedBytes - started
    const inputBound = limits.maxQueuedBytes + 2 * limits.maxMessageBytes + 260 * 1024
    if (waiting > inputBound) app.wrong(`${waiting} bytes of input are kept, above ${inputBound}`)
    const replies = app.returnedReplies.length - app.takenReplies.size
    if (replies > options.concurrency) app.wrong(`${replies} replies wait, above ${options.concurrency}`)
    if (app.openStreams > limits.maxQueuedMessages) app.wrong(`${app.openStreams} reply streams are open`)
  }

  /** The moment at which the transport ended: whether it was allowed to. Then whether onClose comes in time. */
  private checkEnd(): void {
    const { line, app, limits } = this.seen
    const at = performance.now()
    if (line.isDestroyed && !this.isJudged) {
      this.isJudged = true
      this.endedAt = at
      if (!this.mayEnd(at))
        app.wrong(
          `a connection was cut that was alive: ${app.errors.map(String).join()}; ${JSON.stringify(this.samples.slice(-3))} closing since ${this.closingSince}, now ${at}`,
        )
    }
    if (app.closeInfo === null && at > this.endedAt + limits.closeTimeoutMs + SLACK_MS && !this.isUnread()) {
      app.wrong('onClose did not come within closeTimeoutMs after the end')
    }
    if (app.closeInfo !== null && line.isDestroyed && timerWheel.size > 0) {
      app.wrong(`${timerWheel.size} wait in the timer wheel after onClose`)
    }
    if (!line.isDestroyed && at > app.closeDeadline + SLACK_MS) app.wrong('close({ timeoutMs }) did not cut')
  }

  /** A client without handlers is told of the end when it reads it. */
  private isUnread(): boolean {
    return (
      this.seen.options.role === 'reader' && this.seen.app.startedCount < this.seen.peer.deliveredMessages
    )
  }

  /** Whether the system took all that was sent. */
  private get isAllTaken(): boolean {
    const { app, line, options } = this.seen
    if (line.waitingBytes > 0) return false
    return options.isCompressing || this.isFailed || app.sentFrameBytes <= line.system.takenBytes
  }

  private mayEnd(at: number): boolean {
    const { line, peer, app, limits, options } = this.seen
    if (peer.isReset || app.isTerminated) return true
    if (peer.hasSentEnd && (line.system.isEnded || this.isAllTaken)) return true
    if (at >= app.closeDeadline - SLACK_MS) return true
    const need = options.line === 'handle' ? HANDLE_PROGRESS_BYTES : STREAM_PROGRESS_BYTES
    const stalled = this.window(limits.sendTimeoutMs - SLACK_MS)
    if (stalled !== null && stalled.every(({ isWaiting }) => isWaiting) && grown(stalled, 'taken') < need)
      return true
    const silent = this.window(limits.heartbeatIntervalMs + limits.heartbeatTimeoutMs - SLACK_MS)
    // Of a peer that is not read nobody knows whether it is silent.
    const isHeard = silent?.slice(0, -1).some(({ isReading }) => isReading) === true
    if (silent !== null && isHeard && grown(silent, 'received') === 0 && grown(silent, 'moved') < need)
      return true
    if (at < this.closingSince + limits.closeTimeoutMs - SLACK_MS) return false
    const closing = this.window(limits.closeTimeoutMs - SLACK_MS)
    return (
      closing !== null &&
      grown(closing, 'taken') < need &&
      (this.isFailed || grown(closing, 'receivedData') < 2 * HANDLE_PROGRESS_BYTES)
    )
  }

  /** Everything stalled is cut in time. */
  private checkStalled(): void {
    const { line, app, limits } = this.seen
    if (line.isDestroyed) return
    const stalled = this.window(1.25 * limits.sendTimeoutMs + SLACK_MS)
    if (
      stalled !== null &&
      stalled.every(({ isWaiting }) => isWaiting) &&
      grown(stalled, 'taken') < HANDLE_PROGRESS_BYTES &&
      grown(stalled, 'emptied') === 0
    ) {
      app.wrong('a peer that took less than 1 KiB within sendTimeoutMs was not cut')
    }
    const silent = this.window(limits.heartbeatIntervalMs + limits.heartbeatTimeoutMs + SLACK_MS)
    if (
      silent !== null &&
      silent.every((one) => one.isReading && !one.isWaiting && one.readyState === ReadyState.OPEN) &&
      grown(silent, 'received') === 0 &&
      grown(silent, 'sentCount') === 0
    ) {
      app.wrong('a peer that was silent was not cut')
    }
    if (performance.now() < this.closingSince + limits.closeTimeoutMs) return
    // What moves in one such time may be seen at its end.
    const closing = this.window(2 * limits.closeTimeoutMs + SLACK_MS)
    if (
      closing !== null &&
      closing.every((one) => one.readyState !== ReadyState.OPEN) &&
      grown(closing, 'taken') === 0 &&
      grown(closing, 'receivedData') === 0 &&
      performance.now() > this.closingSince + 2 * limits.closeTimeoutMs + SLACK_MS
    ) {
      app.wrong('a connection that closes and does not move was not cut')
    }
  }

  /** Bytes of a data frame put the idle time off, also inside an unfinished message. */
  private checkIdle(): void {
    const { app, limits } = this.seen
    if (app.lastIdleAt === this.idleSeenAt) return
    this.idleSeenAt = app.lastIdleAt
    // What came in this step may have come after it.
    const idle = this.window(limits.idleTimeoutMs - SLACK_MS)?.slice(0, -1) ?? null
    if (idle === null || grown(idle, 'receivedData') > HEADER_BYTES)
      app.wrong('onIdleTimeout came while data came')
  }

  /** Whether something that the application or the peer did keeps messages or replies from being done in time. */
  private get isHeldUp(): boolean {
    const { app, peer, limits } = this.seen
    const closeMs = Math.min(limits.closeTimeoutMs, app.shortestTimeoutMs)
    return app.isHeldUp || app.waitMs > closeMs / 2 || peer.wasSlowAtEnd || this.wasPausedAtEnd
  }

  /** What has to be true when everything is over. @throws what is not */
  checkOver(isGenerous: boolean): void {
    const { app, peer, line, socket, server, options } = this.seen
    const info = app.closeInfo
    if (info === null) throw new Error('onClose was never called')
    this.checkReceived(isGenerous)
    this.checkSent()
    if (app.pendingPromises.length > 0) app.wrong(`not settled: ${app.pendingPromises.join()}`)
    if (!socket.signal.aborted) app.wrong('socket.signal is not aborted')
    if (socket.readyState !== ReadyState.CLOSED) app.wrong(`readyState is ${socket.readyState}`)
    if (socket.send('late')) app.wrong('send takes something after the end')
    if (!line.isDestroyed) app.wrong('the transport is not destroyed')
    if (socket.bufferedAmount > 0) app.wrong(`bufferedAmount is ${socket.bufferedAmount} after the end`)
    if (server !== null && server.connectionCount > 0) app.wrong('the server counts it after the end')
    if (server !== null && server.group('all').size > 0) app.wrong('the group has it after the end')
    if (timerWheel.size > 0) app.wrong(`${timerWheel.size} wait in the timer wheel`)
    const { keepers } = timerWheel as unknown as { keepers: number }
    if (keepers !== 0) app.wrong(`${keepers} keep the process alive`)
    if (
      info.wasClean &&
      !(peer.closeCode !== null && peer.hasSentClose) &&
      !peer.isReset &&
      options.role === 'server'
    ) {
      if (line.system.heldBytes === 0 && info.unsentBytes === 0) app.wrong('clean, without two Close frames')
    }
    if (app.wrongs.length > 0) throw new Error(app.wrongs.join('; '))
  }

  /** Nothing that was received is lost. */
  private checkReceived(isGenerous: boolean): void {
    const { app, peer } = this.seen
    const { droppedMessages } = app.closeInfo as NonNullable<ModelApplication['closeInfo']>
    const delivered = peer.deliveredMessages
    const lost = delivered - app.startedCount
    if (lost < 0) app.wrong(`${app.startedCount} messages were handled of ${delivered}`)
    const isFailed = app.isTerminated || this.isFailed
    if (isFailed) {
      if (droppedMessages > lost) app.wrong(`${droppedMessages} dropped messages are told of ${lost}`)
      return
    }
    if (droppedMessages !== lost) app.wrong(`${lost} messages were lost, and ${droppedMessages} are told of`)
    if (lost > 0 && isGenerous && !this.isHeldUp)
      app.wrong(`${lost} messages were lost, and nothing held them up`)
    if (app.hasClosed || this.isHeldUp || app.closeInfo?.wasClean !== true) return
    const missing = app.returnedReplies.filter((id) => !app.takenReplies.has(id))
    if (missing.length > 0) app.wrong(`replies that were not sent: ${missing.join()}`)
  }

  /** A violation, a limit, or a handler that threw (RFC 6455 section 7.1.7). */
  get isFailed(): boolean {
    const { app, peer } = this.seen
    return app.hasFailed || peer.hasSentRubbish
  }

  /** What was taken arrives, in order and whole; the rest is accounted for. */
  private checkSent(): void {
    const { app, peer, line, options } = this.seen
    const { unsentBytes, wasClean } = app.closeInfo as NonNullable<ModelApplication['closeInfo']>
    peer.messages.forEach((bytes, i) => {
      if (app.sent[i]?.bytes.equals(bytes) !== true) app.wrong(`the peer got something else as message ${i}`)
    })
    const { takenBytes, heldBytes } = line.system
    const missing = app.sent.length - peer.messages.length
    if (missing > 0 && heldBytes === 0 && unsentBytes === 0) {
      app.wrong(`${missing} of ${app.sent.length} messages did not reach the peer, and unsentBytes is 0`)
    }
    if (wasClean && missing > 0 && !this.isFailed && peer.closeCode !== null) {
      app.wrong(`${missing} messages are missing before the Close frame`)
    }
    if (options.isCompressing) return
    // Control frames are among the bytes that were taken, and among those that were not.
    const controls = (peer.pongs.length + peer.pingCount + app.pingCount + 200) * CONTROL_FRAME_BYTES
    const unsent = app.sentFrameBytes - takenBytes
    if (unsentBytes < unsent) app.wrong(`unsentBytes is ${unsentBytes}, and ${unsent} bytes were not taken`)
    const slices = options.line === 'handle' ? 0 : 2 * STREAM_PROGRESS_BYTES + app.largestFrameBytes
    if (unsentBytes > Math.max(0, unsent) + controls + slices) {
      app.wrong(`unsentBytes is ${unsentBytes}, and only ${unsent} bytes were not taken`)
    }
  }
}

const grown = (
  window: readonly Sample[],
  of: 'taken' | 'moved' | 'emptied' | 'received' | 'receivedData' | 'sentCount',
): number => (window[window.length - 1] as Sample)[of] - (window[0] as Sample)[of]
