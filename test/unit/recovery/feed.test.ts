import { Feed, PAGE_MESSAGES, type FeedOwner } from '../../../src/recovery/feed.js'
import type { FeedMessage } from '../../../src/recovery/feed-message.js'
import { memoryHistory } from '../../../src/recovery/memory-history.js'
import type { HistoryPage, HistoryStore, Position } from '../../../src/recovery/history.js'

const LIMITS = { maxMessages: 1000, maxAgeMs: 60_000 }

/** A feed, its history, and a log of all that it does. */
class Bench implements FeedOwner {
  readonly log: string[] = []
  history: HistoryStore = memoryHistory()
  /** Replaces the answers of the history. */
  answer: (() => HistoryPage | Promise<HistoryPage>) | null = null
  reads = 0
  readonly feed = new Feed('g', this)
  private id = 0

  append(data: string, limits = LIMITS): Position {
    return this.history.append('g', data, limits) as Position
  }

  read(group: string, after: number, max: number): HistoryPage | Promise<HistoryPage> {
    this.reads++
    if (this.answer !== null) return this.answer()
    return this.history.read(group, after, max, LIMITS)
  }

  deliver(_: Feed, { offset, data }: FeedMessage): void {
    this.log.push(`${String(offset)} ${String(data)}`)
  }

  ready(): void {
    this.log.push('ready')
  }

  moved({ offset }: Feed, reason: string): void {
    this.log.push(`${reason} ${String(offset)}`)
  }

  nextId(): number {
    return ++this.id
  }
}

const ahead = (position: Position, offset: number): Position => ({ ...position, offset })
const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe('a feed', () => {
  let bench: Bench
  beforeEach(() => {
    bench = new Bench()
  })
  afterEach(() => {
    bench.feed.stop()
  })

  it('begins after the newest message, and delivers what comes', () => {
    bench.append('old')
    bench.feed.start()
    bench.feed.receive(bench.append('new'), 'new', true)
    expect(bench.log).toEqual(['ready', '2 new'])
    expect(bench.feed.id).toBe(1)
  })

  it('begins before messages that came before the history answered', async () => {
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    bench.answer = async () => {
      await released
      return bench.history.read('g', 0, 0, LIMITS)
    }
    bench.append('old')
    bench.feed.start()
    bench.feed.receive(bench.append('a'), 'a', true)
    bench.feed.receive(bench.append('b'), 'b', true)
    release()
    await bench.feed.refreshed()
    expect(bench.log).toEqual(['ready', '2 a', '3 b'])
  })

  it('reads more than one page where more is missing', () => {
    bench.feed.start()
    const texts = Array.from({ length: 2 * PAGE_MESSAGES + 50 }, (_, i) => `m${String(i)}`)
    for (const text of texts) bench.append(text)
    bench.feed.refresh()
    expect(bench.log).toEqual(['ready', ...texts.map((text, i) => `${String(i + 1)} ${text}`)])
  })

  it('drops what it has had, and holds what is early', () => {
    bench.feed.start()
    const [a, b, c] = ['a', 'b', 'c'].map((text) => bench.append(text)) as [Position, Position, Position]
    bench.feed.receive(c, 'c', true)
    bench.feed.receive(b, 'b', true)
    expect(bench.log).toEqual(['ready'])
    for (const [position, text] of [
      [a, 'a'],
      [a, 'a'],
      [c, 'c'],
      [b, 'b'],
    ] as const) {
      bench.feed.receive(position, text, true)
    }
    expect(bench.log).toEqual(['ready', '1 a', '2 b', '3 c'])
    expect(bench.reads).toBe(1)
  })

  it('reads what stays missing, and counts it', async () => {
    bench.feed.start()
    bench.append('a')
    bench.feed.receive(bench.append('b'), 'b', true)
    await later(60)
    expect(bench.log).toEqual(['ready', '1 a', '2 b'])
    expect(bench.feed.gaps).toBe(1)
  })

  it('counts a run of what was missing once, however many pages it takes, and the next one again', async () => {
    bench.feed.start()
    for (let round = 1; round <= 2; round++) {
      for (let i = 0; i < 3 * PAGE_MESSAGES; i++) bench.append(String(i))
      bench.feed.receive(bench.append('last'), 'last', true)
      await later(60)
      expect(bench.log).toHaveLength(1 + round * (3 * PAGE_MESSAGES + 1))
      expect(bench.feed.gaps).toBe(round)
    }
  })

  it('tells what was trimmed, and delivers all that is left', () => {
    bench.feed.start()
    for (const text of ['a', 'b', 'c', 'd']) bench.append(text, { maxMessages: 2, maxAgeMs: 60_000 })
    bench.feed.refresh()
    expect(bench.log).toEqual(['ready', 'trimmed 2', '3 c', '4 d'])
  })

  it('tells a new epoch, and delivers all of it', () => {
    bench.append('old')
    bench.feed.start()
    bench.history = memoryHistory()
    bench.append('a')
    bench.feed.receive(bench.append('b'), 'b', true)
    expect(bench.log).toEqual(['ready', 'epoch 0', '1 a', '2 b'])
    expect(bench.feed.id).toBe(2)
  })

  it('drops late messages of an old epoch', () => {
    const old = bench.append('old')
    bench.feed.start()
    bench.history = memoryHistory()
    bench.append('a')
    bench.feed.refresh()
    bench.feed.receive(ahead(old, 2), 'late', true)
    expect(bench.log).toEqual(['ready', 'epoch 0', '1 a'])
  })

  it('tells that the history lost its newest messages, and goes on there', () => {
    for (const text of ['a', 'b', 'c']) bench.append(text)
    bench.feed.start()
    const { epoch } = bench.feed
    const page = { epoch, newest: 1, oldest: 1, messages: [{ offset: 1, data: 'a' }] }
    bench.answer = () => page
    bench.feed.refresh()
    bench.feed.receive({ epoch, offset: 2 }, 'other', true)
    expect(bench.log).toEqual(['ready', 'ahead 1', '2 other'])
  })

  it('tells that the history lost its newest messages by other messages with their numbers, and delivers those', () => {
    for (const text of ['a', 'b', 'c']) {
      if (text === 'a') bench.feed.start()
      bench.feed.receive(bench.append(text), text, true)
    }
    const { epoch } = bench.feed
    bench.feed.receive({ epoch, offset: 2 }, 'b', true)
    expect(bench.log.splice(0)).toEqual(['ready', '1 a', '2 b', '3 c'])
    // The store went back to its first message, and two others have been published since.
    const kept = ['a', 'x', 'y', 'z'].map((data, i) => ({ offset: i + 1, data }))
    bench.answer = () => ({ epoch, newest: 4, oldest: 1, messages: kept.slice(bench.feed.offset) })
    bench.feed.receive({ epoch, offset: 2 }, 'x', true)
    expect(bench.log).toEqual(['ahead 1', '2 x', '3 y', '4 z'])
  })

  it('asks the history when a message comes whose number it has had long ago', () => {
    bench.feed.start()
    const texts = Array.from({ length: 300 }, (_, i) => `m${String(i)}`)
    for (const text of texts) bench.feed.receive(bench.append(text), text, true)
    const { reads } = bench
    bench.feed.receive({ epoch: bench.feed.epoch, offset: 1 }, 'other', true)
    expect(bench.reads).toBe(reads + 1)
    bench.feed.receive({ epoch: bench.feed.epoch, offset: 300 }, 'm299', true)
    expect(bench.reads).toBe(reads + 1)
  })

  it('is not misled by a page that is older than what came live', async () => {
    bench.feed.start()
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const page = bench.history.read('g', 0, 10, LIMITS) as HistoryPage
    bench.answer = async () => {
      await released
      return page
    }
    bench.feed.refresh()
    bench.feed.receive(bench.append('a'), 'a', true)
    release()
    await later(5)
    expect(bench.log).toEqual(['ready', '1 a'])
  })

  it('goes on without the history with what comes live, and catches up when it answers', async () => {
    const answers = (): Promise<HistoryPage> => Promise.reject(new Error('down'))
    bench.answer = answers
    bench.feed.start()
    const first = bench.append('a')
    bench.feed.receive(ahead(first, 1), 'a', true)
    await later(5)
    expect(bench.log).toEqual(['ready', '1 a'])
    bench.append('b')
    bench.answer = null
    await bench.feed.refreshed()
    expect(bench.log).toEqual(['ready', '1 a', '2 b'])
  })

  it('holds early messages up to a bound, and gets the others from the history', () => {
    bench.feed.start()
    const texts = Array.from({ length: 900 }, (_, i) => `${String(i)} ${'x'.repeat(2000)}`)
    const positions = texts.map((text) => bench.append(text))
    for (let i = texts.length - 1; i > 0; i--)
      bench.feed.receive(positions[i] as Position, texts[i] as string, true)
    expect(bench.log).toEqual(['ready'])
    bench.feed.refresh()
    expect(bench.log).toHaveLength(901)
    expect(bench.log[900]).toMatch(/^900 899 /)
  })

  it('gives up on early messages that the history does not have', async () => {
    jest.useFakeTimers()
    try {
      bench.feed.start()
      const { epoch } = bench.append('a')
      bench.feed.receive({ epoch, offset: 1 }, 'a', true)
      bench.feed.receive({ epoch, offset: 10 }, 'invented', true)
      await jest.advanceTimersByTimeAsync(120_000)
      const { reads } = bench
      expect(reads).toBeLessThan(15)
      await jest.advanceTimersByTimeAsync(120_000)
      expect(bench.reads).toBe(reads)
      expect(bench.log).toEqual(['ready', '1 a'])
    } finally {
      jest.useRealTimers()
    }
  })

  it.each([
    [
      'an epoch of its own for each answer',
      (i: number) => ({ epoch: `e${String(i)}`, newest: 5, oldest: 1, messages: [] }),
    ],
    ['none of the messages that it says to have', () => ({ epoch: 'e', newest: 5, oldest: 1, messages: [] })],
    [
      'other messages than were asked for',
      () => ({ epoch: 'e', newest: 5, oldest: 1, messages: [{ offset: 9, data: 'x' }] }),
    ],
  ])('asks a history ever more rarely that gives %s, at once or later', async (_what, answer) => {
    const owns = { epoch: 'e', newest: 0, oldest: 1, messages: [] }
    jest.useFakeTimers()
    try {
      for (const isLater of [false, true]) {
        const mine = new Bench()
        mine.answer = () => {
          const page = mine.reads === 1 ? owns : answer(mine.reads)
          return isLater ? Promise.resolve(page) : page
        }
        mine.feed.start()
        await jest.advanceTimersByTimeAsync(0)
        mine.feed.refresh()
        await jest.advanceTimersByTimeAsync(60_000)
        expect(mine.reads).toBeLessThan(40)
        expect(mine.reads).toBeGreaterThan(5)
        mine.answer = () => ({ ...owns, newest: 1, messages: [{ offset: 1, data: 'a' }] })
        await jest.advanceTimersByTimeAsync(10_000)
        expect(mine.log.at(-1)).toBe('1 a')
        mine.feed.stop()
      }
    } finally {
      jest.useRealTimers()
    }
  })

  it('reads any number of pages that are given at once', () => {
    bench.feed.start()
    const { epoch } = bench.feed
    const count = 2_000_000
    bench.answer = () => {
      const offset = bench.feed.offset + 1
      return { epoch, newest: count, oldest: 1, messages: offset > 20_000 ? [] : [{ offset, data: 'x' }] }
    }
    bench.feed.refresh()
    expect(bench.log).toHaveLength(20_001)
  })

  it('asks for what is missing at once, also before a message that is too large to be kept', async () => {
    bench.feed.start()
    bench.append('a')
    const large = 'x'.repeat(2 * 1024 * 1024)
    bench.feed.receive(bench.append(large), large, true)
    await later(60)
    expect(bench.feed.offset).toBe(2)
  })

  it('keeps the newest messages only while a member catches up, and within a bound', () => {
    bench.feed.start()
    const give = (): Position => {
      const position = bench.append('x'.repeat(10_000))
      bench.feed.receive(position, 'x'.repeat(10_000), true)
      return position
    }
    give()
    expect(bench.feed.following(0)).toBeUndefined()
    bench.feed.beginCatchUp()
    for (let i = 0; i < 500; i++) give()
    let kept = 0
    for (let offset = 0; offset <= bench.feed.offset; offset++) {
      if (bench.feed.following(offset) !== undefined) kept++
    }
    expect(kept).toBeGreaterThan(20)
    expect(kept).toBeLessThan(120)
    expect(bench.feed.following(bench.feed.offset - 1)?.offset).toBe(bench.feed.offset)
    bench.feed.endCatchUp()
    expect(bench.feed.following(bench.feed.offset - 1)).toBeUndefined()
  })

  it('reads on where a page holds fewer messages than were asked for although there are more', async () => {
    bench.feed.start()
    const texts = Array.from(
      { length: 250 },
      (_, i) => `${String(i)} ${'x'.repeat(i % 7 === 0 ? 5_000 : 400)}`,
    )
    for (const text of texts) bench.append(text)
    let after = 0
    bench.answer = () => {
      after = bench.feed.offset
      const page = bench.history.read('g', after, PAGE_MESSAGES, LIMITS) as HistoryPage
      // As stores do whose pages are limited by bytes: at least one message, and not much more than 2,000 bytes.
      let bytes = 0
      const messages = page.messages.filter(
        ({ data }) => (bytes += data.length) <= 2_000 || bytes === data.length,
      )
      return Promise.resolve({ ...page, messages })
    }
    await bench.feed.refreshed()
    expect(bench.log).toEqual(['ready', ...texts.map((text, i) => `${String(i + 1)} ${text}`)])
  })
})
