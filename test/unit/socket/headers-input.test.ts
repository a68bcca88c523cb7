/** The forms in which callers write headers, and the pairs that become of them. */
import { optionalHeaders, toHeaderPairs, type HeadersInput } from '../../../src/socket/headers-input.js'

describe('optionalHeaders', () => {
  it('returns what is an object, or undefined, as it is', () => {
    for (const value of [undefined, {}, [], new Map(), new Headers()]) {
      expect(optionalHeaders('headers', value)).toBe(value)
    }
  })

  it.each<[unknown, string]>([
    [null, 'null'],
    [5, 'a number'],
    ['A: b', 'a string'],
    [() => undefined, 'a function'],
  ])('refuses %p, and does not show it: it may be a secret', (value, shown) => {
    expect(() => optionalHeaders('headers', value)).toThrow(
      new TypeError(`headers must be an object, or pairs of name and value, not ${shown}`),
    )
  })
})

describe('toHeaderPairs', () => {
  it('is undefined for none', () => {
    expect(toHeaderPairs(undefined)).toBeUndefined()
  })

  it.each<[string, HeadersInput]>([
    ['an object', { A: 'one', B: 'two' }],
    [
      'a Map',
      new Map([
        ['A', 'one'],
        ['B', 'two'],
      ]),
    ],
    [
      'pairs',
      [
        ['A', 'one'],
        ['B', 'two'],
      ],
    ],
  ])('keeps names, values and order of %s', (_, input) => {
    expect(toHeaderPairs(input)).toEqual([
      ['A', 'one'],
      ['B', 'two'],
    ])
  })

  it('takes the lower-case names of Headers', () => {
    expect(toHeaderPairs(new Headers({ 'X-Name': 'value' }))).toEqual([['x-name', 'value']])
  })

  it('makes a field of each value of a list, and none of an empty list', () => {
    const input = { 'Set-Cookie': ['a=1', 'b=2'], None: [], Cookie: [], Last: 'x' }
    expect(toHeaderPairs(input)).toEqual([
      ['Set-Cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
      ['Last', 'x'],
    ])
  })

  it.each(['Cookie', 'cookie', 'COOKIE'])('RFC 6265 5.4: joins the values of %s', (name) => {
    expect(toHeaderPairs([[name, ['a=1', 'b=2']]])).toEqual([[name, 'a=1; b=2']])
  })

  it('leaves what is no pair to the check of the names and values', () => {
    for (const pair of [['A'], ['A', ['b'], 'c'], ['A', 'b', 'c'], 'Ab', 5]) {
      const pairs = toHeaderPairs([pair] as unknown as HeadersInput)
      expect(pairs).toHaveLength(1)
      expect([...(pairs ?? [])][0]).toBe(pair)
    }
  })

  it.each<[unknown, string]>([
    [null, 'null'],
    ['A: b', 'a string'],
    [5, 'a number'],
  ])('refuses %p', (value, shown) => {
    expect(() => toHeaderPairs(value as HeadersInput)).toThrow(
      new TypeError(`headers must be an object or pairs of name and value, not ${shown}`),
    )
  })

  it('refuses a list with a value that is not a string, and names its header alone', () => {
    expect(() => toHeaderPairs({ 'Set-Cookie': ['a=1', 5 as unknown as string] })).toThrow(
      new TypeError('the values of the header "Set-Cookie" must be strings, not a number'),
    )
  })
})
