import { delay } from './delay.js'
import { PAGE_MESSAGES, type Feed } from './feed.js'
import type { FeedMessage } from './feed-message.js'
import type { HistoryPage, Position } from './history.js'
import type { LossReason, ServerControl } from './wire.js'

/** A connection with the subprotocol, as its memberships use it. */
export interface Line {
  /** Whether there is room for a further message without the slow-consumer policy. */
  readonly hasRoom: boolean
  /** @returns whether the message was taken; false: the peer is too slow, or the connection is not open */
  sendPublished(message: FeedMessage, id: number): boolean
  sendControl(control: ServerControl): void
  /** Resolves when there is room. @throws rejects if the connection ends before */
  whenRoom(): Promise<void>
}

/** What came of a membership: every outcome is told once. */
export type Outcome =
  | { readonly group: string; readonly recovered: true; readonly count: number }
  | { readonly group: string; readonly recovered: false; readonly reason: LossReason }

/** What a member needs of its node. */
export interface MemberOwner {
  /** Reads the history. @throws or rejects, after it was reported, where it cannot be read in time */
  readPage(group: string, after: number, maxMessages: number): HistoryPage | Promise<HistoryPage>
  told(member: FeedMember, outcome: Outcome): void
  /** An id for messages of a group and an epoch that this node has not used before. */
  nextId(): number
  /** How long it is tried to read the history for a member, in milliseconds. */
  readonly patienceMs: number
}

const MIN_RETRY_MS = 50
const MAX_RETRY_MS = 1_000

/**
 * The membership of one connection with recovery: what it missed is read from the history at its pace, and then it gets what comes
 * live. Nothing is kept for it meanwhile but its offset.
 */
export class FeedMember {
  readonly line: Line
  private readonly feed: Feed
  private readonly owner: MemberOwner
  /**
   * `waiting`: for the client's positions, or for the first position of the feed; `verifying`: whether the history has the client's
   * position; `catching`: what it gets comes from the history; `live`: what it gets comes from the feed
   */
  private state: 'waiting' | 'verifying' | 'catching' | 'live' | 'gone' = 'waiting'
  /** The position of the client; null: it has none; undefined: not known yet. */
  private asked: Position | null | undefined
  /** Where the member is: after the message with this offset. Before its positions are known: where it joined. */
  private offset = -1
  /** What the client missed goes up to here; -1: nothing is to be recovered. */
  private target = -1
  private count = 0
  /** Whether the client was told of {@link Feed.id}. */
  private toldId = -1
  /** Until when the feed's first position is waited for, by `performance.now()`; Infinity: the client was told that it is late. */
  private waitUntil = Infinity

  constructor(line: Line, feed: Feed, owner: MemberOwner) {
    this.line = line
    this.feed = feed
    this.owner = owner
    if (feed.position !== null) this.offset = feed.offset
  }

  /** The client's position is known: null if it has none for this group. */
  ask(position: Position | null): void {
    this.asked = position
    this.waitUntil = performance.now() + this.owner.patienceMs
    this.begin()
  }

  /** The feed has its first position. */
  feedIsReady(): void {
    this.offset = this.feed.offset
    this.begin()
  }

  /**
   * The feed still has no position. A client that has one is told in time that the history is unavailable, and keeps that position:
   * what follows it comes once the history answers.
   */
  feedIsLate(now: number): void {
    const { asked, owner } = this
    if (this.state !== 'waiting' || asked === undefined || asked === null || now < this.waitUntil) return
    this.waitUntil = Infinity
    const { group } = this.feed
    this.toldId = owner.nextId()
    this.line.sendControl({ group, id: this.toldId, ...asked, recovered: false, reason: 'unavailable' })
    owner.told(this, { group, recovered: false, reason: 'unavailable' })
  }

  /** The next message of the feed. */
  take(message: FeedMessage): void {
    if (this.state !== 'live') return
    if (this.line.hasRoom && this.line.sendPublished(message, this.feed.id)) {
      this.offset = message.offset
      return
    }
    // It gets it from the history, once there is room.
    this.catchUp()
  }

  /** What the feed gives from now on is not what follows. */
  feedMoved(reason: LossReason): void {
    const { feed } = this
    if (this.state === 'waiting') this.offset = feed.offset
    else if (this.state === 'live') this.skip(reason)
    // One that catches up sees for itself what is trimmed. Of what was lost it has missed the end at least.
    else if (this.state === 'catching' && reason === 'epoch') this.skip(reason)
    else if (this.state === 'catching' && reason === 'ahead') {
      this.skip(reason, Math.min(this.offset, feed.offset))
    }
  }

  /** The connection is not a member any more. @param isOpen whether the client is to know */
  leave(isOpen: boolean): void {
    this.state = 'gone'
    if (isOpen && this.toldId >= 0) this.line.sendControl({ left: this.feed.group })
  }

  private get isGone(): boolean {
    return this.state === 'gone'
  }

  /** Whether the client was told that the feed is late, and is not live since. */
  private get hasOutcome(): boolean {
    return this.waitUntil === Infinity
  }

  private begin(): void {
    const { asked, feed } = this
    if (this.state !== 'waiting' || asked === undefined || feed.position === null) return
    this.asked = undefined
    if (asked === null) {
      this.tellPosition({})
      this.goOn()
    } else if (
      this.hasOutcome &&
      feed.isUnread &&
      !(asked.epoch === feed.epoch && asked.offset >= feed.offset)
    ) {
      // It knows that something is missing, and the history still does not answer: it begins as a new member does.
      this.line.sendControl({ left: feed.group })
      this.tellPosition({})
      this.goOn()
    } else if (asked.epoch !== feed.epoch) {
      this.skip('epoch', this.offset)
      this.goOn()
    } else if (asked.offset > feed.offset) {
      this.state = 'verifying'
      void this.verify(asked)
    } else {
      this.recover(asked)
    }
  }

  private recover(asked: Position): void {
    const { feed } = this
    this.count = feed.offset - asked.offset
    this.offset = asked.offset
    if (this.hasOutcome) {
      this.tellPosition({})
    } else if (this.count === 0) {
      this.tellPosition({ recovered: true, count: 0 })
    } else {
      this.target = feed.offset
    }
    this.goOn()
  }

  /** The client is ahead of this node: the node may be late, or the history lost something. */
  private async verify(asked: Position): Promise<void> {
    // What is live meanwhile need not be read, if the history cannot be.
    this.feed.beginCatchUp()
    try {
      await this.runVerify(asked)
    } finally {
      this.feed.endCatchUp()
    }
  }

  private async runVerify(asked: Position): Promise<void> {
    const { feed } = this
    const joinedAt = this.offset
    const until = performance.now() + this.owner.patienceMs
    let retryMs = MIN_RETRY_MS
    for (;;) {
      const verdict = await this.judge(asked)
      if (this.isGone) return
      if (verdict === 'there') {
        this.recover(asked)
        return
      }
      if (verdict !== 'late' || performance.now() >= until) {
        const from = Math.min(joinedAt, feed.offset)
        if (verdict !== 'late') {
          this.skip(verdict, from)
        } else if (feed.epoch === asked.epoch && feed.offset >= asked.offset) {
          // What the client has came live meanwhile.
          this.recover(asked)
          return
        } else {
          this.skipUnread(asked.offset, Math.max(from, feed.tailStart))
        }
        this.goOn()
        return
      }
      await delay(retryMs)
      if (this.isGone) return
      retryMs = Math.min(2 * retryMs, MAX_RETRY_MS)
    }
  }

  private async judge(asked: Position): Promise<'there' | 'late' | 'epoch' | 'ahead'> {
    const { feed } = this
    let page
    try {
      page = await this.owner.readPage(feed.group, asked.offset, 0)
    } catch {
      return 'late'
    }
    if (page.epoch !== asked.epoch) return 'epoch'
    if (page.newest < asked.offset) return 'ahead'
    await feed.refreshed()
    if (feed.epoch !== asked.epoch) return 'epoch'
    return feed.offset >= asked.offset ? 'there' : 'late'
  }

  /** To the feed, if nothing is between; else to the history. */
  private goOn(): void {
    if (this.offset === this.feed.offset) this.goLive()
    else this.catchUp()
  }

  private goLive(): void {
    this.state = 'live'
    // An outage from now on is another one.
    this.waitUntil = 0
  }

  /** Goes on after another message than the one that the client had last. */
  private skip(reason: LossReason, offset = this.feed.offset): void {
    this.offset = offset
    this.target = -1
    this.tellPosition({ recovered: false, reason })
    this.owner.told(this, { group: this.feed.group, recovered: false, reason })
  }

  /** The history cannot be read: a client that was told so is not told again. @param after the last message that it has */
  private skipUnread(after: number, offset: number): void {
    if (!this.hasOutcome) {
      this.skip('unavailable', offset)
      return
    }
    this.offset = offset
    this.target = -1
    if (offset > after) this.line.sendControl({ left: this.feed.group })
    this.tellPosition({})
  }

  private tellPosition(
    outcome: { recovered?: true; count?: number } | { recovered: false; reason: LossReason },
  ): void {
    const { group, id, epoch } = this.feed
    this.toldId = id
    this.line.sendControl({ group, id, epoch, offset: this.offset, ...outcome })
    if (outcome.recovered === true) this.owner.told(this, { group, recovered: true, count: 0 })
  }

  private catchUp(): void {
    this.state = 'catching'
    this.feed.beginCatchUp()
    void this.runCatchUp().finally(() => {
      this.feed.endCatchUp()
    })
  }

  private async runCatchUp(): Promise<void> {
    const { feed, line } = this
    let failures = 0
    let until = Infinity
    for (;;) {
      if (this.isGone) return
      if (this.offset >= feed.offset) {
        this.goLive()
        return
      }
      if (!line.hasRoom) {
        try {
          await line.whenRoom()
        } catch {
          return
        }
        continue
      }
      const next = feed.following(this.offset)
      if (next !== undefined) {
        if (!this.send(next)) await delay(MIN_RETRY_MS)
        continue
      }
      if (until === Infinity) until = performance.now() + this.owner.patienceMs
      const { id } = feed
      const { offset } = this
      let page: HistoryPage | null = null
      try {
        page = await this.owner.readPage(feed.group, offset, PAGE_MESSAGES)
      } catch {
        // It is tried again below.
      }
      if (page !== null) {
        if (this.isGone) return
        // The feed has moved meanwhile: the member was told, and goes on from there.
        if (feed.id !== id || this.offset !== offset) {
          until = Infinity
          continue
        }
        if (await this.takePage(page)) {
          until = Infinity
          failures = 0
          continue
        }
      }
      if (performance.now() < until) await delay(Math.min(MIN_RETRY_MS * 2 ** failures++, MAX_RETRY_MS))
      // What came live meanwhile is kept here, and not lost.
      else if (!this.isGone) this.skipUnread(this.offset, Math.max(this.offset, feed.tailStart))
    }
  }

  /** @returns false: the page helps nothing, and is to be read again later */
  private async takePage({ epoch, newest, oldest, messages }: HistoryPage): Promise<boolean> {
    const { feed } = this
    if (epoch !== feed.epoch || newest <= this.offset) {
      // The history lost something: the feed finds out, and tells its members.
      await feed.refreshed()
      return false
    }
    if (oldest > this.offset + 1) {
      this.skip('trimmed')
      return true
    }
    const { id } = feed
    const before = this.offset
    for (const message of messages) {
      if (message.offset !== this.offset + 1) continue
      while (!this.line.hasRoom) {
        try {
          await this.line.whenRoom()
        } catch {
          return false
        }
      }
      if (this.isGone || feed.id !== id || message.offset !== this.offset + 1) return true
      if (!this.send(feed.messageOf(message))) return false
    }
    return this.offset > before
  }

  /** @returns false: the connection did not take it */
  private send(message: FeedMessage): boolean {
    const { feed } = this
    if (this.toldId !== feed.id) this.tellPosition({})
    if (!this.line.sendPublished(message, feed.id)) return false
    this.offset = message.offset
    if (this.offset !== this.target) return true
    this.target = -1
    this.line.sendControl({ id: feed.id, recovered: true, count: this.count })
    this.owner.told(this, { group: feed.group, recovered: true, count: this.count })
    return true
  }
}
