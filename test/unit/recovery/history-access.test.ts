import { HistoryAccess } from '../../../src/recovery/history-access.js'
import { PublishError } from '../../../src/errors.js'
import type { HistoryLimits, HistoryPage, HistoryStore, Position } from '../../../src/recovery/history.js'

const kept = (...offsets: readonly number[]) => offsets.map((offset) => ({ offset, data: String(offset) }))
const page = (oldest: number, newest: number, ...offsets: readonly number[]): HistoryPage => ({
  epoch: 'e',
  newest,
  oldest,
  messages: kept(...offsets),
})

const errors: string[] = []
beforeEach(() => {
  errors.length = 0
})

const accessTo = (history: HistoryStore, more: { readonly historyTimeoutMs?: number } = {}): HistoryAccess =>
  new HistoryAccess(
    { history, maxMessages: 10, maxAgeMs: 1000, historyTimeoutMs: 1000, maxConcurrentReads: 2, ...more },
    ({ message }) => errors.push(message),
  )

/** Reads after an offset from a history that answers this. */
function readAfter(after: number, maxMessages: number, answer: HistoryPage): unknown {
  const store = { append: () => ({ epoch: 'e', offset: 1 }), read: () => answer }
  return accessTo(store).read('g', after, maxMessages)
}

const REFUSED = 'the history failed: history.read gave what is not an answer'

it.each([
  ['all that is asked for', 2, 3, page(1, 5, 3, 4, 5)],
  ['fewer than are asked for', 2, 3, page(1, 5, 3)],
  ['what begins at the oldest', 0, 3, page(4, 5, 4, 5)],
  ['nothing where nothing is asked for', 0, 0, page(1, 5)],
  ['nothing where there is nothing more', 5, 3, page(1, 5)],
  ['nothing of what is behind the offset', 9, 3, page(1, 5)],
  ['nothing where all was trimmed', 0, 3, page(6, 5)],
])('a page is taken that has %s', (_, after, maxMessages, answer) => {
  expect(readAfter(after, maxMessages, answer)).toEqual(answer)
  expect(errors).toEqual([])
})

it.each([
  ['nothing, though there is more', 2, 3, page(1, 5)],
  ['a gap', 2, 3, page(1, 5, 3, 5)],
  ['what does not follow the offset', 2, 3, page(1, 5, 4, 5)],
  ['what was read before', 2, 3, page(1, 5, 2, 3)],
  ['what is doubled', 2, 3, page(1, 5, 3, 3)],
  ['an oldest one beyond the newest', 0, 3, page(7, 5)],
])('a page is refused, and reported, that has %s', (_, after, maxMessages, answer) => {
  expect(() => readAfter(after, maxMessages, answer)).toThrow(REFUSED)
  expect(errors).toEqual([REFUSED])
})

describe('an outage', () => {
  const broken = new Set<string>()
  const store = {
    append: () => ({ epoch: 'e', offset: 1 }),
    read: (group: string) => {
      if (broken.has(group)) throw new Error(`${group} is broken`)
      return page(1, 0)
    },
  }
  const make = (): HistoryAccess => accessTo(store)
  const fails = (access: HistoryAccess, group: string): void => {
    expect(() => access.read(group, 0, 1)).toThrow(`${group} is broken`)
  }
  beforeEach(() => {
    broken.clear()
  })

  it('of one group is reported once, though others work meanwhile', () => {
    const access = make()
    broken.add('bad')
    for (let i = 0; i < 5; i++) {
      fails(access, 'bad')
      expect(access.read('good', 0, 1)).toMatchObject({ newest: 0 })
    }
    expect(errors).toEqual(['the history failed: bad is broken'])
    expect(access.errors).toBe(5)
  })

  it('of all groups is reported once, and the next one after it again', () => {
    const access = make()
    for (let i = 0; i < 2; i++) {
      broken.add('a').add('b')
      fails(access, 'a')
      fails(access, 'b')
      broken.clear()
      void access.read('a', 0, 1)
    }
    expect(errors).toEqual(['the history failed: a is broken', 'the history failed: a is broken'])
  })

  it('is over after a minute without a failure, also if its group is not asked for any more', () => {
    const now = jest.spyOn(performance, 'now')
    try {
      const access = make()
      broken.add('a').add('b')
      now.mockReturnValue(1000)
      fails(access, 'a')
      now.mockReturnValue(60_999)
      fails(access, 'b')
      now.mockReturnValue(121_000)
      fails(access, 'b')
      expect(errors).toEqual(['the history failed: a is broken', 'the history failed: b is broken'])
    } finally {
      now.mockRestore()
    }
  })
})

describe('reads at once', () => {
  /** Reads that answer when the test says so. */
  class HeldReads implements HistoryStore {
    readonly asked: { readonly group: string; readonly timeoutMs: number; answer(): void }[] = []

    append(): Position {
      return { epoch: 'e', offset: 1 }
    }

    read(group: string, _after: number, _max: number, limits: HistoryLimits): Promise<HistoryPage> {
      return new Promise((resolve) => {
        this.asked.push({ group, timeoutMs: limits.timeoutMs ?? 0, answer: () => resolve(page(1, 0)) })
      })
    }
  }

  const groupsOf = ({ asked }: HeldReads): readonly string[] => asked.map(({ group }) => group)
  const turn = () => new Promise((resolve) => setImmediate(resolve))

  it('are at most maxConcurrentReads, and the others follow in the order of their calls', async () => {
    const store = new HeldReads()
    const access = accessTo(store, { historyTimeoutMs: 60_000 })
    const all = ['a', 'b', 'c', 'd', 'e'].map((group) => access.read(group, 0, 1))
    expect(groupsOf(store)).toEqual(['a', 'b'])
    store.asked[1]?.answer()
    await turn()
    expect(groupsOf(store)).toEqual(['a', 'b', 'c'])
    store.asked[0]?.answer()
    store.asked[2]?.answer()
    await turn()
    expect(groupsOf(store)).toEqual(['a', 'b', 'c', 'd', 'e'])
    for (const { answer } of store.asked) answer()
    expect(await Promise.all(all.map((one) => Promise.resolve(one)))).toHaveLength(5)
    expect(store.asked.every(({ timeoutMs }) => timeoutMs > 0 && timeoutMs <= 60_000)).toBe(true)
    expect(errors).toEqual([])
  })

  it('have all of historyTimeoutMs from their turn on, however long they waited for it', async () => {
    const store = new HeldReads()
    const access = accessTo(store, { historyTimeoutMs: 60_000 })
    const all = ['a', 'b', 'c'].map((group) => access.read(group, 0, 1))
    await new Promise((resolve) => setTimeout(resolve, 20))
    store.asked[0]?.answer()
    await turn()
    expect(store.asked.map(({ timeoutMs }) => timeoutMs)).toEqual([60_000, 60_000, 60_000])
    for (const { answer } of store.asked) answer()
    expect(await Promise.all(all.map(async (page) => page))).toHaveLength(3)
  })

  it('that fail give their turn back, at once or later', async () => {
    let calls = 0
    const access = accessTo({
      append: () => ({ epoch: 'e', offset: 1 }),
      read: () => {
        if (++calls % 2 === 0) throw new Error('at once')
        return Promise.reject(new Error('later'))
      },
    })
    for (let i = 0; i < 6; i++)
      await expect((async () => access.read('g', i, 1))()).rejects.toThrow(/later|at once/)
    expect(calls).toBe(6)
  })

  it('that get no turn within historyTimeoutMs reject, and are reported', async () => {
    const store = new HeldReads()
    const access = accessTo(store, { historyTimeoutMs: 50 })
    const all = ['a', 'b', 'c'].map(async (group) => access.read(group, 0, 1))
    const outcomes = await Promise.allSettled(all)
    expect(outcomes.map((one) => (one.status === 'rejected' ? String(one.reason) : one.status))).toEqual([
      'Error: the history failed: history.read did not answer within 50 ms',
      'Error: the history failed: history.read did not answer within 50 ms',
      expect.stringMatching(
        /had no turn within 50 ms, as 2 others are under way, recovery.maxConcurrentReads$|did not answer within/,
      ) as string,
    ])
    expect(errors).toHaveLength(1)
    // The turns are free again.
    void access.read('d', 0, 1)
    expect(groupsOf(store)).toContain('d')
    for (const { answer } of store.asked) answer()
  })
})

describe('an append that fails', () => {
  const failsWith = async (thrown: unknown): Promise<unknown> => {
    const access = accessTo({
      append: () => {
        throw thrown
      },
      read: () => page(1, 0),
    })
    return (async () => access.append('g', 'x'))().catch((error: unknown) => error)
  }

  it('is a PublishError with what the store says became of the message', async () => {
    const said = new PublishError('HAWSER_NOT_PUBLISHED', 'no connection')
    const error = await failsWith(said)
    expect(error).toBeInstanceOf(PublishError)
    expect(error).toMatchObject({
      code: 'HAWSER_NOT_PUBLISHED',
      message: 'the history failed: no connection',
      cause: said,
    })
  })

  it('is no outage where the store refuses the message: one that follows is reported', async () => {
    let thrown: Error = new Error('oh')
    const access = accessTo({ append: () => Promise.reject(thrown), read: () => page(1, 0) })
    for (const code of ['HAWSER_PUBLISH_TOO_BIG', 'HAWSER_PUBLISH_QUEUE_FULL'] as const) {
      thrown = new PublishError(code, 'no room')
      await expect(access.append('g', 'x')).rejects.toMatchObject({ code })
    }
    expect(errors).toEqual([])
    expect(access.errors).toBe(2)
    thrown = new PublishError('HAWSER_NOT_PUBLISHED', 'no connection')
    await expect(access.append('other', 'x')).rejects.toMatchObject({ code: 'HAWSER_NOT_PUBLISHED' })
    expect(errors).toEqual(['the history failed: no connection'])
  })

  it('may be kept where the store does not say, gives what is not an answer, or none in time', async () => {
    expect(await failsWith(new Error('oh'))).toMatchObject({ code: 'HAWSER_MAYBE_PUBLISHED' })
    const give = (answer: unknown) => {
      const store = { append: () => answer as Position, read: () => page(1, 0) }
      const access = accessTo(store, { historyTimeoutMs: 20 })
      return (async () => access.append('g', 'x'))()
    }
    await expect(give(5)).rejects.toMatchObject({ code: 'HAWSER_MAYBE_PUBLISHED' })
    await expect(give(new Promise(() => undefined))).rejects.toMatchObject({
      code: 'HAWSER_MAYBE_PUBLISHED',
      message: 'the history failed: history.append did not answer within 20 ms',
    })
  })
})

it('a store is told how long the server waits for it', () => {
  const seen: unknown[] = []
  const store: HistoryStore = {
    append: (_group, _data, limits) => {
      seen.push(limits)
      return { epoch: 'e', offset: 1 }
    },
    read: (_group, _after, _max, limits) => {
      seen.push(limits)
      return page(1, 0)
    },
  }
  const access = accessTo(store, { historyTimeoutMs: 1234 })
  void access.append('g', 'x')
  void access.read('g', 0, 1)
  const limits = { maxMessages: 10, maxAgeMs: 1000, timeoutMs: 1234 }
  expect(seen).toEqual([limits, limits])
})

it('a store that several servers share is closed once, with the last of them', () => {
  let closed = 0
  const store: HistoryStore = {
    append: () => ({ epoch: 'e', offset: 1 }),
    read: () => page(1, 0),
    close: () => {
      closed++
    },
  }
  const [first, second] = [accessTo(store), accessTo(store)]
  first.close()
  first.close()
  expect(closed).toBe(0)
  expect(second.append('g', 'x')).toEqual({ epoch: 'e', offset: 1 })
  second.close()
  second.close()
  expect(closed).toBe(1)
})
