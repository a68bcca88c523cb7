/** What every store of histories does, whatever it is made of: one suite for all of them. */
import { setTimeout as delay } from 'node:timers/promises'
import type { HistoryLimits, HistoryPage, HistoryStore, KeptMessage } from '../../src/recovery/history.js'

export const LIMITS: HistoryLimits = { maxMessages: 1000, maxAgeMs: 600_000 }

/** Reads all after an offset, by pages. */
export async function readAll(
  store: HistoryStore,
  group: string,
  after = 0,
  limits: HistoryLimits = LIMITS,
): Promise<HistoryPage> {
  const messages: KeptMessage[] = []
  for (;;) {
    const last = messages.at(-1)?.offset ?? after
    const page = await store.read(group, last, 256, limits)
    messages.push(...page.messages)
    if (page.messages.length === 0) return { ...page, messages }
  }
}

/** The stores of one test: two nodes, which share the history. */
export interface HistoryNodes {
  readonly a: HistoryStore
  readonly b: HistoryStore
  end(): Promise<void>
}

let groups = 0
/** A group that no other test uses. */
export const newGroup = (): string => `group ${String(process.pid)} ${String(groups++)}`

const texts = ({ messages }: HistoryPage): readonly unknown[] => messages.map(({ data }) => data)
const offsets = ({ messages }: HistoryPage): readonly number[] => messages.map(({ offset }) => offset)
const upTo = (count: number, from = 1): readonly number[] => Array.from({ length: count }, (_, i) => from + i)

/** Adds the tests. @param open called before the first of them */
export function expectHistory(name: string, open: () => Promise<HistoryNodes>): void {
  describe(`the history of ${name}`, () => {
    let nodes: HistoryNodes
    let group: string
    beforeAll(async () => {
      nodes = await open()
    })
    afterAll(() => nodes.end())
    beforeEach(() => {
      group = newGroup()
    })

    it('says of a group without messages that none was appended, in an epoch in which the first one gets 1', async () => {
      const { a, b } = nodes
      const page = await a.read(group, 0, 10, LIMITS)
      expect(page).toEqual({ epoch: expect.any(String) as string, newest: 0, oldest: 1, messages: [] })
      expect(page.epoch).toMatch(/^.{1,64}$/)
      expect(await b.read(group, 0, 0, LIMITS)).toEqual(page)
      expect(await b.append(group, 'first', LIMITS)).toEqual({ epoch: page.epoch, offset: 1 })
      expect(await a.read(group, 0, 10, LIMITS)).toEqual({
        epoch: page.epoch,
        newest: 1,
        oldest: 1,
        messages: [{ offset: 1, data: 'first' }],
      })
    })

    it('begins with the first append where nothing was read before', async () => {
      const { epoch, offset } = await nodes.a.append(group, 'first', LIMITS)
      expect(offset).toBe(1)
      expect(await nodes.b.append(group, 'second', LIMITS)).toEqual({ epoch, offset: 2 })
    })

    it('has another epoch for each group', async () => {
      const { epoch } = await nodes.a.append(group, 'x', LIMITS)
      const other = await nodes.a.append(newGroup(), 'x', LIMITS)
      expect(other.offset).toBe(1)
      expect(other.epoch).not.toBe(epoch)
    })

    it('gives what is kept after an offset, no more than is asked for, and nothing after the newest', async () => {
      const { a, b } = nodes
      for (const text of ['1', '2', '3', '4', '5']) await a.append(group, text, LIMITS)
      expect(texts(await b.read(group, 2, 100, LIMITS))).toEqual(['3', '4', '5'])
      expect(texts(await b.read(group, 1, 2, LIMITS))).toEqual(['2', '3'])
      expect(await b.read(group, 1, 0, LIMITS)).toMatchObject({ newest: 5, oldest: 1, messages: [] })
      expect(await b.read(group, 5, 100, LIMITS)).toMatchObject({ newest: 5, oldest: 1, messages: [] })
      expect(await b.read(group, 1_000_000, 100, LIMITS)).toMatchObject({
        newest: 5,
        oldest: 1,
        messages: [],
      })
    })

    it('keeps text and bytes apart, every byte and every character, and bytes as they were at the call', async () => {
      const { a, b } = nodes
      const every = Uint8Array.from({ length: 256 }, (_, i) => i)
      const part = new Uint8Array(Buffer.from('..part..').buffer.slice(0)).subarray(0, 0)
      const changed = new Uint8Array([1, 2, 3])
      const data = [
        '',
        'häß 😀 \0 \r\n',
        'text',
        Buffer.from('text'),
        every,
        part,
        changed,
        '0',
        Buffer.alloc(0),
      ]
      const appended = data.map(async (each) => a.append(group, each, LIMITS))
      changed.fill(9)
      await Promise.all(appended)
      const { messages } = await readAll(b, group)
      expect(messages.map(({ data: got }) => (typeof got === 'string' ? got : Buffer.from(got)))).toEqual([
        '',
        'häß 😀 \0 \r\n',
        'text',
        Buffer.from('text'),
        Buffer.from(every),
        Buffer.alloc(0),
        Buffer.from([1, 2, 3]),
        '0',
        Buffer.alloc(0),
      ])
    })

    it('keeps groups of any name apart', async () => {
      const { a, b } = nodes
      const names = [
        '',
        '{',
        '}',
        '{}',
        '{a}b',
        'a}b',
        '#',
        '*',
        '>',
        '.',
        'a.b',
        'a.*',
        'a b',
        'A B',
        'a%20b',
        'a:b',
        'ä',
        'a\u0308',
        '😀',
        '\ud800',
        '\udc00',
        '\0',
        '\r\nFLUSHALL\r\n',
        '__proto__',
        'x'.repeat(199),
        'x'.repeat(10_000),
        `${'x'.repeat(9_999)}y`,
      ]
      const unique = `${newGroup()} `
      // Some of these names mean something at their beginning, or as a whole.
      const all = [...names.map((each) => unique + each), ...names.slice(1).map((each) => each + unique)]
      await Promise.all(all.map(async (each, i) => a.append(each, String(i), LIMITS)))
      for (const [i, each] of all.entries()) {
        expect(await b.read(each, 0, 10, LIMITS)).toMatchObject({
          newest: 1,
          messages: [{ offset: 1, data: String(i) }],
        })
      }
    })

    it('keeps maxMessages at most, and says which is the oldest', async () => {
      const { a, b } = nodes
      const limits = { ...LIMITS, maxMessages: 3 }
      for (let i = 1; i <= 450; i += 50) {
        await Promise.all(upTo(50, i).map(async (n) => a.append(group, String(n), limits)))
        const page = await b.read(group, 0, 100, limits)
        expect(page).toMatchObject({ newest: i + 49, oldest: i + 47 })
        expect(offsets(page)).toEqual([i + 47, i + 48, i + 49])
      }
      expect(offsets(await b.read(group, 449, 100, limits))).toEqual([450])
      expect(offsets(await b.read(group, 450, 100, limits))).toEqual([])
    })

    it('gives nothing that is older than maxAgeMs, and says so, when all is, and when a part is', async () => {
      const { a, b } = nodes
      await a.append(group, 'old', LIMITS)
      await a.append(group, 'old too', LIMITS)
      await delay(1500)
      const appended = performance.now()
      await a.append(group, 'new', LIMITS)
      const page = await b.read(group, 0, 10, { ...LIMITS, maxAgeMs: performance.now() - appended + 700 })
      expect(page).toMatchObject({ newest: 3, oldest: 3, messages: [{ offset: 3, data: 'new' }] })
      const short = { ...LIMITS, maxAgeMs: 1 }
      while ((await b.read(group, 0, 10, short)).messages.length > 0);
      expect(await b.read(group, 0, 10, short)).toMatchObject({ newest: 3, oldest: 4, messages: [] })
    })

    it('goes on counting after all was too old', async () => {
      const { a, b } = nodes
      const limits = { ...LIMITS, maxAgeMs: 20 }
      const { epoch } = await a.append(group, 'old', limits)
      while ((await b.read(group, 0, 10, limits)).oldest === 1) await delay(5)
      expect(await b.read(group, 0, 10, limits)).toEqual({ epoch, newest: 1, oldest: 2, messages: [] })
      expect(await a.append(group, 'new', LIMITS)).toEqual({ epoch, offset: 2 })
      const page = await readAll(b, group)
      expect(page).toMatchObject({ epoch, newest: 2 })
      expect(page.messages.at(-1)).toEqual({ offset: 2, data: 'new' })
    })

    it('appends in the order of the calls', async () => {
      const positions = await Promise.all(
        upTo(700).map(async (n) => nodes.a.append(group, String(n), LIMITS)),
      )
      expect(positions.map(({ offset }) => offset)).toEqual(upTo(700))
      expect(texts(await readAll(nodes.b, group))).toEqual(upTo(700).map(String))
    })

    it('never gives a position twice, though two nodes append at once, and keeps the order of each', async () => {
      const { a, b } = nodes
      const appended = await Promise.all(
        upTo(600).map(async (n) =>
          n % 2 === 0 ? a.append(group, `a${String(n)}`, LIMITS) : b.append(group, `b${String(n)}`, LIMITS),
        ),
      )
      expect(new Set(appended.map(({ epoch }) => epoch)).size).toBe(1)
      expect(appended.map(({ offset }) => offset).sort((x, y) => x - y)).toEqual(upTo(600))
      const page = await readAll(a, group)
      expect(offsets(page)).toEqual(upTo(600))
      for (const node of ['a', 'b']) {
        const own = texts(page).filter((text) => String(text).startsWith(node))
        expect(own).toEqual(
          upTo(600)
            .filter((n) => (n % 2 === 0) === (node === 'a'))
            .map((n) => node + String(n)),
        )
      }
    })

    it('gives large messages, in as many pages as it takes', async () => {
      const { a, b } = nodes
      const large = upTo(6).map((n) => Buffer.alloc(400_000, n))
      await Promise.all(large.map(async (bytes) => a.append(group, bytes, LIMITS)))
      const { messages } = await readAll(b, group)
      expect(
        messages.map(({ data }) => Buffer.from(data as Uint8Array).equals(large.shift() as Buffer)),
      ).toEqual(upTo(6).map(() => true))
    })
  })
}
