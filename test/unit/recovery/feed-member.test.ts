import { ClientPositions, type RecoveryEvent } from '../../../src/recovery/client-positions.js'
import { ClientStream } from '../../../src/recovery/client-stream.js'
import { Feed, type FeedOwner } from '../../../src/recovery/feed.js'
import { FeedMember, type Line, type MemberOwner } from '../../../src/recovery/feed-member.js'
import type { FeedMessage } from '../../../src/recovery/feed-message.js'
import type { HistoryPage } from '../../../src/recovery/history.js'
import { memoryHistory } from '../../../src/recovery/memory-history.js'
import { encodeControl, encodePublished, type ServerControl } from '../../../src/recovery/wire.js'
import { until } from '../../helpers/recovery-world.js'

const LIMITS = { maxMessages: 1000, maxAgeMs: 60_000 }
const AWAY = new Error('the history is away')

/** A node with one client, which has this position of the group. */
class Bench implements FeedOwner, MemberOwner, Line {
  readonly patienceMs = 150
  hasRoom = true
  isAway = false
  readonly log: (string | RecoveryEvent)[] = []
  readonly history = memoryHistory()
  readonly feed = new Feed('g', this)
  member: FeedMember | null = null
  private readonly positions = new ClientPositions([])
  private readonly stream = new ClientStream(this.positions, {
    recovered: (event) => this.log.push(event),
    published: () => undefined,
    refuse: (detail) => this.log.push(detail),
  })
  private lastId = 0

  join(epoch: string, offset: number): void {
    this.positions.set('g', { epoch, offset })
    this.member = new FeedMember(this, this.feed, this)
    this.member.ask({ epoch, offset })
  }

  /** Appends messages, which do not reach the node. @returns the epoch */
  append(...texts: readonly string[]): string {
    const all = texts.map((text) => this.history.append('g', text, LIMITS) as { epoch: string })
    return all.at(-1)?.epoch ?? ''
  }

  live(epoch: string, ...offsets: readonly number[]): void {
    for (const offset of offsets) this.feed.receive({ epoch, offset }, `m${String(offset)}`, true)
  }

  read(group: string, after: number, max: number): HistoryPage | Promise<HistoryPage> {
    if (this.isAway) return Promise.reject(AWAY)
    return this.history.read(group, after, max, LIMITS)
  }

  readPage(group: string, after: number, max: number): HistoryPage | Promise<HistoryPage> {
    return this.read(group, after, max)
  }

  deliver(_: Feed, message: FeedMessage): void {
    this.member?.take(message)
  }

  ready(): void {
    this.member?.feedIsReady()
  }

  moved(_: Feed, reason: 'epoch' | 'trimmed' | 'ahead'): void {
    this.member?.feedMoved(reason)
  }

  told(): void {
    // The client's stream logs what it is told.
  }

  nextId(): number {
    return ++this.lastId
  }

  sendPublished({ offset, data }: FeedMessage, id: number): boolean {
    this.receive(encodePublished(id, offset, data))
    return true
  }

  sendControl(control: ServerControl): void {
    this.receive(encodeControl(control))
  }

  async whenRoom(): Promise<void> {
    await until(() => this.hasRoom, 'room')
  }

  private receive(message: string | Buffer): void {
    this.stream.received(message)
    const data = this.stream.take(message)
    if (data !== null) this.log.push(String(data))
  }
}

const UNAVAILABLE = { group: 'g', recovered: false, reason: 'unavailable' }
const texts = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => `m${String(from + i)}`)

describe('a client that comes back while the history is away', () => {
  let bench: Bench
  beforeEach(() => {
    bench = new Bench()
  })
  afterEach(() => {
    bench.member?.leave(false)
    bench.feed.stop()
  })

  it.each([
    ['what it has', 10, 0, ['m11', 'm12']],
    ['what it has, and more', 11, 1, ['m11', 'm12']],
  ])('to a node that is behind gets nothing twice, if %s comes live', async (_, last, count, got) => {
    const epoch = bench.append(...texts(1, 8))
    bench.feed.start()
    bench.isAway = true
    bench.join(epoch, 10)
    for (let offset = 9; offset <= last; offset++) bench.live(epoch, offset)
    expect(bench.log).toEqual([])
    await until(() => bench.log.length > 0, 'the outcome')
    await until(() => bench.log.some((one) => typeof one === 'object'), 'the outcome')
    for (let offset = last + 1; offset <= 12; offset++) bench.live(epoch, offset)
    expect(bench.log.filter((one) => typeof one === 'string')).toEqual(got)
    expect(bench.log.filter((one) => typeof one === 'object')).toEqual([
      { group: 'g', recovered: true, count },
    ])
  })

  it('and was told so, to a node that is behind, is not told so again, and gets nothing twice', async () => {
    const epoch = bench.append(...texts(1, 8))
    bench.isAway = true
    bench.feed.start()
    bench.join(epoch, 10)
    bench.member?.feedIsLate(Infinity)
    expect(bench.log).toEqual([UNAVAILABLE])
    bench.live(epoch, 9)
    await until(() => bench.feed.position !== null, 'the feed')
    await new Promise((resolve) => setTimeout(resolve, 3 * bench.patienceMs))
    bench.live(epoch, 10, 11)
    await until(() => bench.log.length > 1, 'the next message')
    expect(bench.log).toEqual([UNAVAILABLE, 'm11'])
  })

  it('is told so of the next outage once it has caught up', async () => {
    const epoch = bench.append(...texts(1, 10))
    bench.isAway = true
    bench.feed.start()
    bench.join(epoch, 10)
    bench.member?.feedIsLate(Infinity)
    bench.live(epoch, 11)
    await until(() => bench.log.length > 1, 'the next message')
    expect(bench.log).toEqual([UNAVAILABLE, 'm11'])
    // It reads too slowly, so that more is missed than is kept for it.
    bench.hasRoom = false
    for (let offset = 12; offset <= 3000; offset++) bench.live(epoch, offset)
    bench.hasRoom = true
    await until(() => bench.log.filter((one) => typeof one === 'object').length > 1, 'the next outcome')
    expect(bench.log.filter((one) => typeof one === 'object')).toEqual([UNAVAILABLE, UNAVAILABLE])
  })
})
