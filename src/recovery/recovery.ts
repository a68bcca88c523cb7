import { channel } from 'node:diagnostics_channel'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { InvalidStateError, PublishError, toError } from '../errors.js'
import { showValue } from '../check.js'
import { fanOut, type Recipient } from '../socket/fan-out.js'
import { Feed, type FeedOwner } from './feed.js'
import { FeedMember, type Line, type MemberOwner, type Outcome } from './feed-member.js'
import type { FeedMessage } from './feed-message.js'
import { HistoryAccess } from './history-access.js'
import type { HistoryPage, Position } from './history.js'
import { epochsOf } from './memory-history.js'
import type { ResolvedRecovery } from './options.js'
import { publishedData } from './published-data.js'
import type { LossReason } from './wire.js'

/** What observers of a process may subscribe to: each outcome for a member. See `ServerMessages` in src/server. */
const OUTCOMES = channel('hawser:recovery')

/** Counts of a server's recoverable groups since it was made. */
export interface RecoveryStats {
  /** Recoverable groups that have members here now. */
  readonly groups: number
  /** Members with recovery in these groups now. */
  readonly members: number
  /** Messages that were published here, and that the history took. */
  readonly published: number
  /** Messages that were published here, and that the history did not take, as far as is known. */
  readonly failed: number
  /** Bytes of published messages that the history has not taken yet. */
  readonly pendingBytes: number
  /** Members that came back and got all that they missed. */
  readonly recovered: number
  /** Members that were told that they do not get all that they missed. */
  readonly lost: number
  /** Messages that members got from the history, because they had missed them. */
  readonly replayed: number
  /** How often messages of other processes were missing here and were read from the history: once for each run of them. */
  readonly gaps: number
  /** Calls of the history that failed. */
  readonly errors: number
}

/** What the recoverable groups of a server need of it. */
export interface RecoveryHost<S> {
  readonly settings: ResolvedRecovery
  /** The members of a group here: a list that is never changed. */
  membersOf(group: string): readonly S[]
  /** The connection as one with the subprotocol of recovery; null: it is not one. */
  lineOf(socket: S): RecoveryLine | null
  /** Sends a message that has a position to the other nodes. */
  share(group: string, data: string | Uint8Array, compress: boolean, position: Position): void
  onError(error: Error): void
}

/** A connection with the subprotocol of recovery: its positions, and its memberships of recoverable groups. */
export class RecoveryLine {
  readonly line: Line
  /** What the client sent, without what its groups have taken; null: it has not sent them yet. */
  positions: Map<string, Position> | null = null
  readonly members = new Map<string, FeedMember>()

  constructor(line: Line) {
    this.line = line
  }

  /** The client's first message. */
  takePositions(positions: Map<string, Position>): void {
    this.positions = positions
    for (const [group, member] of this.members) member.ask(this.take(group))
  }

  add(group: string, member: FeedMember): void {
    this.members.set(group, member)
    if (this.positions !== null) member.ask(this.take(group))
  }

  /** The client's position in a group, once. */
  private take(group: string): Position | null {
    const position = this.positions?.get(group) ?? null
    this.positions?.delete(group)
    return position
  }
}

/** A group with members here. */
interface Served<S> {
  readonly feed: Feed
  /** The members with recovery. */
  readonly members: Map<S, FeedMember>
  /** The others, of this list of all. */
  plain: readonly S[]
  all: readonly S[] | null
  /** When the history is asked next, of `performance.now()`. */
  checkAt: number
  checks: number
}

/** The first checks of a group come sooner: the other nodes may hear late that it has members here. */
const FIRST_CHECKS_MS = [100, 1_000]
/** How often it is looked which groups are due. */
const TICKS_PER_INTERVAL = 20
const MIN_TICK_MS = 10

/** The recoverable groups of one server: their feeds and members here. */
export class Recovery<S extends Recipient> implements FeedOwner, MemberOwner {
  readonly patienceMs: number
  private readonly host: RecoveryHost<S>
  private readonly history: HistoryAccess
  private readonly served = new Map<string, Served<S>>()
  private readonly sockets = new WeakMap<FeedMember, S>()
  private readonly counts = { published: 0, failed: 0, recovered: 0, lost: 0, replayed: 0 }
  private endedGaps = 0
  private lastId = 0
  private timer: NodeJS.Timeout | null = null
  /** Whether an epoch is of the history, where that is in memory; null: it is not, or it was reported that another node has another one. */
  private isOwnEpoch: ((epoch: string) => boolean) | null
  private isClosed = false

  constructor(host: RecoveryHost<S>) {
    this.host = host
    this.patienceMs = 2 * host.settings.historyTimeoutMs
    this.isOwnEpoch = epochsOf(host.settings.history)
    this.history = new HistoryAccess(host.settings, (error) => {
      host.onError(error)
    })
  }

  get stats(): RecoveryStats {
    let members = 0
    let gaps = this.endedGaps
    for (const served of this.served.values()) {
      members += served.members.size
      gaps += served.feed.gaps
    }
    const { errors, pendingBytes } = this.history
    return { groups: this.served.size, members, ...this.counts, pendingBytes, gaps, errors }
  }

  /** Whether messages can be published to a group. @throws what the application's function throws */
  isRecoverable(group: string): boolean {
    return this.host.settings.groups(group)
  }

  /**
   * Keeps a message, and sends it to all members everywhere.
   * @throws TypeError for another group, and for anything that is neither text nor bytes
   */
  publish(group: string, data: MessageData | PreparedMessage, compress: boolean): Promise<Position> {
    if (!this.isRecoverable(group)) {
      throw new TypeError(`group must be one of recovery.groups to be published to, not ${showValue(group)}`)
    }
    const content = publishedData(data)
    if (this.isClosed) return Promise.reject(new InvalidStateError('the server is closed'))
    const { maxPendingBytes } = this.host.settings
    if (!this.history.admits(content.length, maxPendingBytes)) {
      this.counts.failed++
      return Promise.reject(
        new PublishError(
          'HAWSER_PUBLISH_QUEUE_FULL',
          `the history is slow: more than ${String(maxPendingBytes)} bytes wait for it, recovery.maxPendingBytes`,
        ),
      )
    }
    try {
      const answer = this.history.append(group, content)
      if (!(answer instanceof Promise))
        return Promise.resolve(this.published(group, content, compress, answer))
      return answer.then(
        (position) => this.published(group, content, compress, position),
        (error: unknown) => {
          this.counts.failed++
          throw toError(error)
        },
      )
    } catch (error) {
      this.counts.failed++
      return Promise.reject(toError(error))
    }
  }

  /** A connection is a member now. The other nodes' messages to the group are heard. */
  joined(socket: S, group: string): void {
    let served = this.served.get(group)
    if (served === undefined) {
      if (this.isClosed || !this.matches(group)) return
      served = {
        feed: new Feed(group, this),
        members: new Map(),
        plain: [],
        all: null,
        checkAt: 0,
        checks: 0,
      }
      this.served.set(group, served)
      served.feed.start()
      this.scheduleCheck(served, performance.now())
    }
    const line = this.host.lineOf(socket)
    if (line === null) return
    const member = new FeedMember(line.line, served.feed, this)
    served.members.set(socket, member)
    this.sockets.set(member, socket)
    line.add(group, member)
  }

  /** @param isLast whether the group has no other members here; `isOpen`: the connection stays */
  left(socket: S, group: string, isLast: boolean, isOpen: boolean): void {
    const served = this.served.get(group)
    if (served === undefined) return
    const member = served.members.get(socket)
    if (member !== undefined) {
      served.members.delete(socket)
      this.host.lineOf(socket)?.members.delete(group)
      member.leave(isOpen)
    }
    if (isLast) this.end(served)
  }

  /** A published message of another node, for which the group is recoverable; perhaps it is not so here. */
  received(group: string, data: string | Uint8Array, compress: boolean, position: Position): void {
    if (this.isOwnEpoch?.(position.epoch) === false) this.reportOtherHistory()
    const served = this.served.get(group)
    if (served !== undefined) served.feed.receive(position, data, compress)
    else fanOut(this.host.membersOf(group), data, { compress })
  }

  /** The server is closed. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    for (const served of [...this.served.values()]) this.end(served)
    if (this.timer !== null) clearInterval(this.timer)
    this.history.close()
  }

  read(group: string, after: number, maxMessages: number): HistoryPage | Promise<HistoryPage> {
    return this.history.read(group, after, maxMessages)
  }

  readPage(group: string, after: number, maxMessages: number): HistoryPage | Promise<HistoryPage> {
    return this.history.read(group, after, maxMessages)
  }

  nextId(): number {
    return ++this.lastId
  }

  deliver(feed: Feed, message: FeedMessage): void {
    const served = this.served.get(feed.group)
    if (served?.feed !== feed) return
    const all = this.host.membersOf(feed.group)
    if (served.members.size === 0) {
      if (all.length > 0) fanOut(all, message.asPlain)
      return
    }
    if (served.all !== all) {
      served.all = all
      served.plain = all.filter((socket) => !served.members.has(socket))
    }
    if (served.plain.length > 0) fanOut(served.plain, message.asPlain)
    for (const member of [...served.members.values()]) member.take(message)
  }

  ready(feed: Feed): void {
    for (const member of this.membersOf(feed)) member.feedIsReady()
  }

  moved(feed: Feed, reason: LossReason): void {
    for (const member of this.membersOf(feed)) member.feedMoved(reason)
  }

  told(member: FeedMember, outcome: Outcome): void {
    if (outcome.recovered) {
      this.counts.recovered++
      this.counts.replayed += outcome.count
    } else {
      this.counts.lost++
    }
    if (OUTCOMES.hasSubscribers) OUTCOMES.publish({ socket: this.sockets.get(member), ...outcome })
  }

  private published(
    group: string,
    data: string | Uint8Array,
    compress: boolean,
    position: Position,
  ): Position {
    this.counts.published++
    this.host.share(group, data, compress, position)
    this.served.get(group)?.feed.receive(position, data, compress)
    return position
  }

  /** Each node has a history of its own: what is missed on one of them is not in that of another. */
  private reportOtherHistory(): void {
    this.isOwnEpoch = null
    this.host.onError(
      new TypeError(
        'another node publishes to a history that is not this one: recovery.history must be one object for all servers of a process, or a store that all processes share, such as redisHistory or jetStreamHistory',
      ),
    )
  }

  private membersOf(feed: Feed): FeedMember[] {
    const served = this.served.get(feed.group)
    // While a feed starts it is not served yet, and has no members.
    return served?.feed === feed ? [...served.members.values()] : []
  }

  private matches(group: string): boolean {
    try {
      return this.isRecoverable(group)
    } catch (error) {
      this.host.onError(toError(error))
      return false
    }
  }

  private end({ feed }: Served<S>): void {
    this.served.delete(feed.group)
    this.endedGaps += feed.gaps
    feed.stop()
  }

  private scheduleCheck(served: Served<S>, now: number): void {
    const { checkIntervalMs } = this.host.settings
    const most = Math.min(FIRST_CHECKS_MS[served.checks] ?? Infinity, checkIntervalMs)
    served.checks++
    // Spread, so that the groups of a node do not all ask at once.
    served.checkAt = now + most * (0.75 + Math.random() / 2)
    if (this.timer !== null) return
    const tickMs = Math.max(MIN_TICK_MS, Math.min(checkIntervalMs, 2_000) / TICKS_PER_INTERVAL)
    this.timer = setInterval(() => {
      this.checkDue(performance.now())
    }, tickMs).unref()
  }

  private checkDue(now: number): void {
    if (this.served.size === 0 && this.timer !== null) {
      clearInterval(this.timer)
      this.timer = null
    }
    for (const served of this.served.values()) {
      if (served.feed.position === null) for (const member of served.members.values()) member.feedIsLate(now)
      if (served.checkAt > now) continue
      this.scheduleCheck(served, now)
      served.feed.refresh()
    }
  }
}
