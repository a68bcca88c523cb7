import { inspect } from 'node:util'
import { memoryHistory } from '../../../src/recovery/memory-history.js'
import type { HistoryPage, HistoryStore, Position } from '../../../src/recovery/history.js'
import { expectHistory } from '../../helpers/history-conformance.js'

const LIMITS = { maxMessages: 10, maxAgeMs: 60_000 }

const append = (store: HistoryStore, group: string, data: string | Uint8Array, limits = LIMITS): Position =>
  store.append(group, data, limits) as Position
const read = (store: HistoryStore, group: string, after = 0, max = 100, limits = LIMITS): HistoryPage =>
  store.read(group, after, max, limits) as HistoryPage

const textsOf = ({ messages }: HistoryPage): unknown[] => messages.map(({ data }) => data)

describe('memoryHistory', () => {
  it('numbers the messages of each group from 1, without gaps', () => {
    const store = memoryHistory()
    const positions = ['a', 'a', 'b', 'a'].map((group) => append(store, group, 'x'))
    expect(positions.map(({ offset }) => offset)).toEqual([1, 2, 1, 3])
    expect(positions[0]?.epoch).toBe(positions[3]?.epoch)
    expect(positions[0]?.epoch).not.toBe(positions[2]?.epoch)
  })

  it('gives pages in order, of at most what is asked for, and the rest of a page alone', () => {
    const store = memoryHistory()
    for (let i = 1; i <= 5; i++) append(store, 'a', `m${String(i)}`)
    expect(textsOf(read(store, 'a', 2))).toEqual(['m3', 'm4', 'm5'])
    expect(textsOf(read(store, 'a', 1, 2))).toEqual(['m2', 'm3'])
    expect(read(store, 'a', 5)).toMatchObject({ newest: 5, oldest: 1, messages: [] })
    expect(read(store, 'a', 0, 0)).toMatchObject({ newest: 5, oldest: 1, messages: [] })
    expect(read(store, 'a', 100)).toMatchObject({ newest: 5, messages: [] })
    expect(read(store, 'unknown')).toMatchObject({ newest: 0, oldest: 1, messages: [] })
  })

  it('keeps the newest messages, and says from where on', () => {
    const store = memoryHistory()
    for (let i = 1; i <= 25; i++) append(store, 'a', `m${String(i)}`)
    const page = read(store, 'a')
    expect([page.newest, page.oldest, page.messages.length]).toEqual([25, 16, 10])
    expect(page.messages[0]).toEqual({ offset: 16, data: 'm16' })
  })

  it('drops messages that are too old when it is read', async () => {
    const store = memoryHistory()
    const limits = { maxMessages: 10, maxAgeMs: 10 }
    append(store, 'a', 'old', limits)
    await new Promise((resolve) => setTimeout(resolve, 25))
    expect(read(store, 'a', 0, 100, limits)).toMatchObject({ newest: 1, oldest: 2, messages: [] })
  })

  it('drops old messages of groups that are quiet when others are used', async () => {
    const store = memoryHistory()
    append(store, 'quiet', 'x'.repeat(1000), { maxMessages: 10, maxAgeMs: 10 })
    await new Promise((resolve) => setTimeout(resolve, 25))
    append(store, 'busy', 'y')
    expect(inspect(store)).toMatch(/bytes: 97\b/)
  })

  it('is bounded in bytes: the oldest messages of the groups that were used least recently go first', () => {
    const store = memoryHistory({ maxBytes: 1000 })
    for (let i = 0; i < 4; i++) append(store, 'a', 'x'.repeat(100))
    for (let i = 0; i < 4; i++) append(store, 'b', 'x'.repeat(100))
    expect(read(store, 'a')).toMatchObject({ newest: 4, oldest: 4 })
    expect(read(store, 'b')).toMatchObject({ newest: 4, oldest: 1 })
    append(store, 'b', 'x'.repeat(2000))
    expect(read(store, 'a')).toMatchObject({ newest: 4, oldest: 5 })
    expect(read(store, 'b')).toMatchObject({ newest: 5, oldest: 6, messages: [] })
    expect(append(store, 'b', 'x').offset).toBe(6)
  })

  it('is bounded in groups: one that was forgotten has another epoch when it comes again', () => {
    const store = memoryHistory({ maxGroups: 2 })
    const { epoch } = append(store, 'a', 'x')
    append(store, 'b', 'x')
    read(store, 'a')
    append(store, 'c', 'x')
    expect(read(store, 'a').epoch).toBe(epoch)
    append(store, 'd', 'x')
    append(store, 'e', 'x')
    const again = append(store, 'a', 'x')
    expect(again.offset).toBe(1)
    expect(again.epoch).not.toBe(epoch)
    expect(inspect(store)).toBe('MemoryHistory { groups: 2, bytes: 194 }')
  })

  it('copies bytes', () => {
    const store = memoryHistory()
    const bytes = Uint8Array.of(1, 2, 3)
    append(store, 'a', bytes)
    bytes.fill(0)
    expect(textsOf(read(store, 'a'))).toEqual([Uint8Array.of(1, 2, 3)])
  })
})

expectHistory('memory', async () => {
  const store = memoryHistory()
  return Promise.resolve({ a: store, b: store, end: () => Promise.resolve() })
})
