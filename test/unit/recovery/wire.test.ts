import fc from 'fast-check'
import { readGroups } from '../../../src/recovery/group-names.js'
import {
  chooseRecovery,
  encodeControl,
  encodePlain,
  encodePositions,
  encodePublished,
  innerProtocols,
  offerRecovery,
  readHeader,
  readPositions,
  readServerControl,
  withoutStart,
} from '../../../src/recovery/wire.js'
import { ClientPositions } from '../../../src/recovery/client-positions.js'

describe('the messages of the subprotocol', () => {
  it('have the bytes that docs/recovery.md says', () => {
    expect(encodePlain('ü')).toBe('0ü')
    expect(encodePlain(Uint8Array.of(7))).toEqual(Buffer.of(0x30, 7))
    expect(encodePublished(3, 12, 'text')).toBe('13,12,text')
    expect(encodePublished(3, 12, Uint8Array.of(7))).toEqual(Buffer.from('13,12,\x07'))
    expect(encodePositions([['g', { epoch: 'e', offset: 4 }]])).toBe('2{"positions":[["g","e",4]]}')
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
          readPositions(text, 256)
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

describe('the positions of a client', () => {
  it('are sent up to a number and a length, the newest first of all, and the others are named', () => {
    const positions = new ClientPositions([])
    for (let i = 0; i < 1500; i++) positions.set(`g${String(i)}`, { epoch: 'e', offset: i })
    const { text, left } = positions.opening()
    expect(left).toHaveLength(500)
    expect(left[0]).toBe('g0')
    const read = readPositions(text, 256)
    expect(read instanceof Map && read.get('g1499')).toEqual({ epoch: 'e', offset: 1499 })
    const long = new ClientPositions([])
    for (let i = 0; i < 1000; i++) long.set(`${String(i)}${'x'.repeat(250)}`, { epoch: 'e', offset: i })
    const opening = long.opening()
    expect(readPositions(opening.text, 256)).toBeInstanceOf(Map)
    expect(opening.left.length).toBeGreaterThan(300)
  })
})
