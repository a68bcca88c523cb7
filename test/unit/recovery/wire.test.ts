import fc from 'fast-check'
import { readGroups } from '../../../src/recovery/group-names.js'
import {
  chooseRecovery,
  encodeControl,
  encodePlain,
  encodePosition,
  encodePositions,
  encodePublished,
  innerProtocols,
  offerRecovery,
  readHeader,
  readServerControl,
  withoutStart,
} from '../../../src/recovery/wire.js'
import { ClientPositions } from '../../../src/recovery/client-positions.js'
import { PositionsReader, type ReadPositions } from '../../../src/recovery/positions-reader.js'

describe('the messages of the subprotocol', () => {
  it('have the bytes that docs/recovery.md says', () => {
    expect(encodePlain('ü')).toBe('0ü')
    expect(encodePlain(Uint8Array.of(7))).toEqual(Buffer.of(0x30, 7))
    expect(encodePublished(3, 12, 'text')).toBe('13,12,text')
    expect(encodePublished(3, 12, Uint8Array.of(7))).toEqual(Buffer.from('13,12,\x07'))
    const entry = encodePosition('g', { epoch: 'e', offset: 4 })
    expect(encodePositions([entry], true)).toBe('2{"positions":[["g","e",4]]}')
    expect(encodePositions([entry, entry], false)).toBe(
      '2{"positions":[["g","e",4],["g","e",4]],"more":true}',
    )
    expect(encodeControl({ left: 'g' })).toBe('2{"left":"g"}')
  })

  it('are read as they were written, whatever they hold', () => {
    const data = fc.oneof(fc.string(), fc.uint8Array())
    fc.assert(
      fc.property(
        data,
        fc.maxSafeNat(),
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        (given, id, offset) => {
          const message = encodePublished(id, offset, given)
          const header = readHeader(message)
          expect(header).toMatchObject({ id, offset })
          const rest = withoutStart(message, header?.length ?? 0)
          expect(typeof rest === 'string' ? rest : Uint8Array.from(rest)).toEqual(given)
        },
      ),
    )
  })

  it('never make a reader throw', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((text) => `2${text}`),
        ),
        (text) => {
          readHeader(text)
          readHeader(Buffer.from(text))
          readServerControl(text)
          new PositionsReader(256).read(text)
        },
      ),
    )
  })

  it('are not searched for digits without end', () => {
    expect(readHeader(`1${'1'.repeat(1_000_000)}`)).toBeNull()
    expect(readServerControl(`2${' '.repeat(200_000)}{}`)).toBeNull()
  })
})

describe('subprotocols', () => {
  it('are offered with and without recovery, each once', () => {
    expect(offerRecovery([])).toEqual(['hawser.recovery'])
    expect(offerRecovery(['a', 'b'])).toEqual(['a+hawser.recovery', 'a', 'b+hawser.recovery', 'b'])
    expect(offerRecovery(['a', 'a+hawser.recovery'])).toEqual(['a+hawser.recovery', 'a'])
  })

  it('are the application’s inside', () => {
    expect(innerProtocols(['a+hawser.recovery', 'a', 'b', 'hawser.recovery'])).toEqual(['a', 'b'])
    expect(chooseRecovery('a', ['a+hawser.recovery', 'a'])).toBe('a+hawser.recovery')
    expect(chooseRecovery('a', ['a'])).toBe('a')
    expect(chooseRecovery(undefined, ['hawser.recovery'])).toBe('hawser.recovery')
    expect(chooseRecovery(undefined, ['a'])).toBeUndefined()
  })
})

describe('the names of recoverable groups', () => {
  it.each([
    ['room:*', ['room:', 'room:1', 'room:a:b'], ['room', 'aroom:1']],
    ['*:news', [':news', 'a:news'], ['news', 'a:news:b']],
    ['a*b*c', ['abc', 'axxbyyc', 'abbc'], ['ab', 'acb', 'abcd', 'ac']],
    ['a*a', ['aa', 'aba'], ['a']],
    ['*', ['x', 'anything'], []],
    ['exact', ['exact'], ['exactly', 'inexact']],
    ['a.c', ['a.c'], ['abc']],
  ])('%s', (pattern, matches, others) => {
    const isMatch = readGroups('groups', [pattern])
    expect(matches.filter((name) => !isMatch(name))).toEqual([])
    expect(others.filter(isMatch)).toEqual([])
  })

  it('are looked for in linear time', () => {
    const isMatch = readGroups('groups', [`${'*a'.repeat(50)}b`])
    expect(isMatch('a'.repeat(100_000))).toBe(false)
  })
})

/** Reads the messages of a client one after the other. */
const readAll = (texts: readonly string[]): ReadPositions => {
  const reader = new PositionsReader(256)
  let last: ReadPositions = null
  for (const text of texts) {
    expect(last).toBeNull()
    last = reader.read(text)
  }
  return last
}

describe('the positions of a client', () => {
  it('are sent up to a number and a length, the newest first of all, and the others are named', () => {
    const positions = new ClientPositions([])
    for (let i = 0; i < 1500; i++) positions.set(`g${String(i)}`, { epoch: 'e', offset: i })
    const { texts, left } = positions.opening()
    expect(left).toHaveLength(500)
    expect(left[0]).toBe('g0')
    expect(positions.size).toBe(1000)
    const read = readAll(texts) as Map<string, unknown>
    expect(read.size).toBe(1000)
    expect(read.get('g1499')).toEqual({ epoch: 'e', offset: 1499 })
    const long = new ClientPositions([])
    for (let i = 0; i < 1000; i++) long.set(`${String(i)}${'x'.repeat(250)}`, { epoch: 'e', offset: i })
    const opening = long.opening()
    expect(readAll(opening.texts)).toBeInstanceOf(Map)
    expect(opening.left.length).toBeGreaterThan(300)
    expect(opening.texts.join('').length).toBeLessThanOrEqual(128 * 1024)
  })

  it('are sent in messages of at most 250 bytes, or with one position each, none among them', () => {
    expect(new ClientPositions([]).opening()).toEqual({ texts: ['2{"positions":[]}'], left: [] })
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 900 }), { maxLength: 60 }),
        (groups) => {
          const positions = new ClientPositions(groups.map((group) => ({ group, epoch: 'e', offset: 7 })))
          const { texts, left } = positions.opening()
          for (const text of texts) {
            const { positions: list } = JSON.parse(text.slice(1)) as { positions: unknown[] }
            expect(Buffer.byteLength(text) <= 250 || list.length === 1).toBe(true)
          }
          expect(left).toEqual([])
          const reader = new PositionsReader(10_000)
          const read = texts.map((text) => reader.read(text)).at(-1) as Map<string, unknown>
          expect([...read.keys()].sort()).toEqual([...groups].sort())
        },
      ),
    )
  })

  it.each<[string, readonly string[], ReadPositions]>([
    ['a message without an end that has no position', ['2{"positions":[],"more":true}'], 'malformed'],
    ['more that is not true', ['2{"positions":[],"more":false}'], 'malformed'],
    [
      'a group in two messages',
      ['2{"positions":[["g","e",1]],"more":true}', '2{"positions":[["g","e",2]]}'],
      'malformed',
    ],
    [
      'messages that are too long together',
      Array.from(
        { length: 5 },
        (_, i) => `2{"positions":[["g${String(i)}","e",1]],"more":true}${' '.repeat(30_000)}`,
      ),
      'over limit',
    ],
    [
      'too many positions together',
      Array.from({ length: 1001 }, (_, i) => `2{"positions":[["${String(i)}","e",1]],"more":true}`),
      'over limit',
    ],
  ])('refuses %s', (_what, texts, refusal) => {
    expect(readAll(texts)).toBe(refusal)
  })

  it('take a bounded amount of memory, whatever a server tells: a group that is known stays', () => {
    const positions = new ClientPositions([], 2000)
    const name = (i: number): string => `${String(i)}${'x'.repeat(100)}`
    const taken = Array.from({ length: 10 }, (_, i) => positions.set(name(i), { epoch: 'e', offset: 1 }))
    expect(taken).toEqual([true, true, true, true, false, false, false, false, false, false])
    expect(positions.set(name(0), { epoch: 'e', offset: 2 })).toBe(true)
    expect(positions.set(name(0), { epoch: 'e'.repeat(1000), offset: 3 })).toBe(false)
    expect(positions.get(name(0))).toEqual({ epoch: 'e', offset: 2 })
    positions.delete(name(1))
    expect(positions.set(name(5), { epoch: 'e', offset: 1 })).toBe(true)
    // What began and was not delivered is bounded too, and gives its room back.
    for (let i = 0; i < 100; i++) positions.note(`pending ${name(i)}`, { epoch: 'e', offset: 0 })
    const { texts } = positions.opening()
    expect((readAll(texts) as Map<string, unknown>).size).toBeLessThan(10)
    positions.takeAll()
    expect(positions.set(name(9), { epoch: 'e', offset: 1 })).toBe(true)
  })
})
