import { isThenable } from '../check.js'
import { EarlyMessages } from './early-messages.js'
import { FeedMessage } from './feed-message.js'
import type { HistoryPage, KeptMessage, Position } from './history.js'
import { MessageMarks } from './message-marks.js'
import type { LossReason } from './wire.js'

/** How many messages are read from the history at a time. */
export const PAGE_MESSAGES = 100
/** The newest messages are kept for those who catch up, up to this. */
const MAX_TAIL_MESSAGES = 1000
const MAX_TAIL_BYTES = 1024 * 1024
/** How many messages of the history are kept encoded for others who read them at the same time. */
const MAX_REREAD = 200
/** How long a missing message is waited for: those of other nodes may overtake each other. */
const GAP_MS = 20
const MIN_RETRY_MS = 50
const MAX_RETRY_MS = 5_000
/** So often the history is read for a message that it does not have. */
const MAX_STUCK = 8
/** So often it is read again at once, while no message comes of it. */
const MAX_AT_ONCE = 3

/** What a feed needs of its node. */
export interface FeedOwner {
  /**
   * Reads the history of the group.
   * @throws or rejects, after it was reported, where it cannot be read in time
   */
  read(group: string, after: number, maxMessages: number): HistoryPage | Promise<HistoryPage>
  /** The next message. */
  deliver(feed: Feed, message: FeedMessage): void
  /** The feed has its first position. */
  ready(feed: Feed): void
  /** What follows is not what came before: members are told. */
  moved(feed: Feed, reason: LossReason): void
  /** An id for messages of a group and an epoch that this node has not used before. */
  nextId(): number
}

/**
 * The published messages of one group on this node, in their order and without gaps, from whatever order and loss the other nodes'
 * messages have. What is missing is read from the history.
 */
export class Feed {
  readonly group: string
  /** Of the messages of the present epoch, until the history loses its newest messages. */
  id = -1
  /** The last message that was delivered; null: not known yet. */
  position: Position | null = null
  /** Whether the history has not answered yet. */
  isUnread = true
  /** How often something was missing and read from the history: once for each run of what was missing. */
  gaps = 0
  private isInGap = false
  private readonly owner: FeedOwner
  private readonly early = new EarlyMessages()
  /** The epoch of {@link early} while there is no position. */
  private earlyEpoch = ''
  /** Something that was published is not delivered yet, and not among {@link early}. */
  private isBehind = false
  private isReading = false
  /** The history is read after the time of {@link wait} in any case. */
  private isDue = false
  private readings: (() => void)[] = []
  private timer: NodeJS.Timeout | null = null
  private failures = 0
  /** How often the history was read in vain for what comes before {@link early}. */
  private stuck = 0
  private isOver = false
  /** Members that catch up, and the newest messages for them. */
  private catchers = 0
  private tail: FeedMessage[] = []
  private tailBytes = 0
  private readonly reread = new Map<number, FeedMessage>()
  /** What the last messages were, by their offsets. */
  private readonly marks = new MessageMarks()

  constructor(group: string, owner: FeedOwner) {
    this.group = group
    this.owner = owner
  }

  /** The offset of the last message that was delivered. There is a position. */
  get offset(): number {
    return this.position?.offset ?? 0
  }

  get epoch(): string {
    return this.position?.epoch ?? ''
  }

  /** Asks the history where it is. To be called when the messages of other nodes are heard. */
  start(): void {
    this.refresh()
  }

  stop(): void {
    this.isOver = true
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    this.early.clear()
    this.tail = []
    this.wakeReaders()
  }

  /** A message of this node or of another one, in any order, perhaps twice. */
  receive({ epoch, offset }: Position, data: string | Uint8Array, compress: boolean): void {
    if (this.isOver) return
    const { position } = this
    if (position === null) {
      if (this.earlyEpoch === '') this.earlyEpoch = epoch
      if (epoch === this.earlyEpoch) this.keepEarly(offset, data, compress)
      return
    }
    if (epoch !== position.epoch) {
      // Which of the two is over only the history knows.
      this.refresh()
      return
    }
    if (offset <= position.offset) {
      this.receiveAgain(offset, data, compress)
      return
    }
    if (offset === position.offset + 1) {
      this.deliver(new FeedMessage(offset, data, compress))
      if (this.early.size > 0) this.deliverEarly()
      return
    }
    this.keepEarly(offset, data, compress)
    this.wait(GAP_MS)
  }

  /** A message with a number that was delivered: the same once more, or another one, if the history lost its newest messages. */
  private receiveAgain(offset: number, data: string | Uint8Array, compress: boolean): void {
    const isSame = this.marks.has(offset, data)
    if (isSame === true) return
    if (isSame === null) {
      // Too long ago to be told: the history says whether it is behind.
      if (this.marks.isFull) this.refresh()
      return
    }
    this.moveTo(this.epoch, offset - 1, 'ahead')
    this.deliver(new FeedMessage(offset, data, compress))
    this.refresh()
  }

  /** Looks whether something was published that did not come. */
  refresh(): void {
    if (this.isOver) return
    this.isBehind = true
    if (this.isReading) return
    this.isReading = true
    this.readOn()
  }

  /** Reads until nothing is behind. What a history gives at once is taken in a loop: a call for each page would fill the stack. */
  private readOn(): void {
    while (this.isBehind && !this.isOver) {
      this.isBehind = this.isDue = false
      const since = this.position
      const take = (page: HistoryPage): void => {
        this.failures = 0
        this.isUnread = false
        if (!this.isOver) this.take(page, since)
      }
      let page
      try {
        page =
          since === null
            ? this.owner.read(this.group, 0, 0)
            : this.owner.read(this.group, since.offset, PAGE_MESSAGES)
      } catch {
        this.failed()
        continue
      }
      if (!isThenable(page)) {
        take(page)
        continue
      }
      void page
        .then(take, () => {
          this.failed()
        })
        .finally(() => {
          this.readOn()
        })
      return
    }
    this.isReading = false
    this.wakeReaders()
  }

  private failed(): void {
    this.failures++
    if (this.isOver) return
    if (this.position === null) this.startWithout()
    this.wait(this.retryMs)
  }

  /** Resolves when the history was asked once more, whatever came of it; what it has is delivered then. */
  async refreshed(): Promise<void> {
    if (this.isOver) return
    // One that runs may have begun before what is looked for was published.
    if (this.isReading) await this.read()
    if (this.isOver) return
    const read = this.read()
    this.refresh()
    await read
  }

  /** A member catches up: until {@link endCatchUp} the newest messages are kept. */
  beginCatchUp(): void {
    this.catchers++
  }

  endCatchUp(): void {
    this.catchers--
    if (this.catchers > 0) return
    this.tail = []
    this.tailBytes = 0
    this.reread.clear()
  }

  /** The message after an offset, if it is among the newest that are kept. */
  following(offset: number): FeedMessage | undefined {
    const [first] = this.tail
    return first === undefined ? undefined : this.tail[offset + 1 - first.offset]
  }

  /** The offset before the newest messages that are kept; that of the last message where none are. */
  get tailStart(): number {
    return this.offset - this.tail.length
  }

  /** A message that a member read from the history: the same for all that read it at a time. */
  messageOf({ offset, data }: KeptMessage): FeedMessage {
    let message = this.reread.get(offset)
    if (message === undefined) {
      if (this.reread.size >= MAX_REREAD) this.reread.clear()
      message = new FeedMessage(offset, data, true)
      this.reread.set(offset, message)
    }
    return message
  }

  private get retryMs(): number {
    const most = Math.min(MIN_RETRY_MS * 2 ** Math.min(this.failures + this.stuck, 20), MAX_RETRY_MS)
    return most * (0.5 + Math.random() / 2)
  }

  private read(): Promise<void> {
    return new Promise((resolve) => {
      this.readings.push(resolve)
    })
  }

  private wakeReaders(): void {
    const { readings } = this
    this.readings = []
    for (const wake of readings) wake()
  }

  /** @param since the position when the page was asked for: what it says of earlier messages holds */
  private take(page: HistoryPage, since: Position | null): void {
    const { epoch, newest, oldest, messages } = page
    const { position } = this
    if (position === null) {
      this.startAt(epoch, newest)
      return
    }
    if (epoch !== position.epoch) {
      // All that the new history has is new here.
      this.moveTo(epoch, oldest - 1, 'epoch')
      this.goOn()
      return
    }
    if (since !== null && since.epoch === epoch && newest < since.offset) {
      this.moveTo(epoch, newest, 'ahead')
      this.goOn()
      return
    }
    if (newest <= position.offset) {
      this.settle()
      return
    }
    if (oldest > position.offset + 1) this.moveTo(epoch, oldest - 1, 'trimmed')
    else if (!this.isInGap) {
      this.isInGap = true
      this.gaps++
    }
    for (const { offset, data } of messages) {
      if (offset === this.offset + 1) this.deliver(new FeedMessage(offset, data, true))
    }
    this.early.dropUpTo(this.offset)
    this.deliverEarly()
    if (newest > this.offset && (messages.length > 0 || oldest <= newest)) this.goOn()
    else this.settle()
  }

  /** There is more in the history. One that never gives it is asked ever more rarely. */
  private goOn(): void {
    if (this.stuck++ < MAX_AT_ONCE) {
      this.refresh()
      return
    }
    this.isDue = true
    this.wait(this.retryMs)
  }

  /** The history has nothing more now. What is early may be published after it was read; or the history lost it. */
  private settle(): void {
    if (this.early.size > 0 && this.stuck++ < MAX_STUCK) {
      this.wait(this.retryMs)
      return
    }
    this.isInGap = false
    this.early.clear()
    this.stuck = 0
  }

  private startAt(epoch: string, newest: number): void {
    if (this.earlyEpoch !== epoch) this.early.clear()
    // What was published here since the first member joined is for that one.
    this.begin({ epoch, offset: Math.min(newest, this.early.first - 1) })
    if (newest > this.offset) this.refresh()
  }

  /** The history cannot be read: what comes live is delivered all the same. */
  private startWithout(): void {
    if (this.early.size === 0) return
    this.begin({ epoch: this.earlyEpoch, offset: this.early.first - 1 })
  }

  private begin(position: Position): void {
    this.id = this.owner.nextId()
    this.position = position
    this.owner.ready(this)
    this.deliverEarly()
    if (this.early.size > 0) this.wait(GAP_MS)
  }

  private moveTo(epoch: string, offset: number, reason: LossReason): void {
    this.isInGap = false
    if (reason !== 'trimmed') {
      // What was read of the life that is over is not sent any more.
      this.id = this.owner.nextId()
      this.early.clear()
      this.marks.clear()
    }
    this.position = { epoch, offset }
    this.tail = []
    this.tailBytes = 0
    this.reread.clear()
    this.owner.moved(this, reason)
  }

  private deliver(message: FeedMessage): void {
    this.stuck = 0
    this.marks.set(message)
    this.position = { epoch: this.epoch, offset: message.offset }
    if (this.catchers > 0) this.keepTail(message)
    this.owner.deliver(this, message)
  }

  private keepTail(message: FeedMessage): void {
    this.tail.push(message)
    this.tailBytes += message.size
    if (this.tail.length <= MAX_TAIL_MESSAGES && this.tailBytes <= MAX_TAIL_BYTES) return
    // Half at a time, so that it costs little.
    this.tail = this.tail.slice(Math.ceil(this.tail.length / 2))
    this.tailBytes = this.tail.reduce((sum, { size }) => sum + size, 0)
  }

  private keepEarly(offset: number, data: string | Uint8Array, compress: boolean): void {
    if (this.early.keep(offset, data, compress)) return
    // It is in the history.
    this.isBehind = this.isReading
    this.isDue = true
  }

  private deliverEarly(): void {
    for (;;) {
      const offset = this.offset + 1
      const early = this.early.take(offset)
      if (early === undefined) break
      this.deliver(new FeedMessage(offset, early.data, early.compress))
    }
  }

  /** Looks at the history after this time, unless what is missing comes before. */
  private wait(ms: number): void {
    if (this.isOver || this.timer !== null) return
    this.timer = setTimeout(() => {
      this.timer = null
      const isMissing = this.position === null || this.early.size > 0 || this.failures > 0
      if (isMissing || this.isDue) this.refresh()
    }, ms).unref()
  }
}
