import { HistoryAccess } from '../../../src/recovery/history-access.js'
import type { HistoryPage } from '../../../src/recovery/history.js'

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

/** Reads after an offset from a history that answers this. */
function readAfter(after: number, maxMessages: number, answer: HistoryPage): unknown {
  const store = { append: () => ({ epoch: 'e', offset: 1 }), read: () => answer }
  const access = new HistoryAccess(store, { maxMessages: 10, maxAgeMs: 1000 }, 1000, ({ message }) =>
    errors.push(message),
  )
  return access.read('g', after, maxMessages)
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
  const make = (): HistoryAccess =>
    new HistoryAccess(store, { maxMessages: 10, maxAgeMs: 1000 }, 1000, ({ message }) => errors.push(message))
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
