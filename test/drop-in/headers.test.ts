import fc from 'fast-check'
import { IMPLEMENTATIONS, type Implementation } from './implementations.js'

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe.each(IMPLEMENTATIONS)('extension of %s', (_name, { extension }) => {
  it.each([
    ['foo', { foo: [{}] }],
    ['foo, bar', { foo: [{}], bar: [{}] }],
    ['foo, foo;x=1', { foo: [{}, { x: ['1'] }] }],
    ['foo; a; b=1; b="2"', { foo: [{ a: [true], b: ['1', '2'] }] }],
    ['foo;a="\\1\\2"', { foo: [{ a: ['12'] }] }],
    ['foo ;\ta = b', null],
    ['__proto__; x', JSON.parse('{"__proto__":[{"x":[true]}]}')],
  ])('parses %j', (header, expected) => {
    if (expected === null) expect(() => extension.parse(header)).toThrow(SyntaxError)
    else expect(plain(extension.parse(header))).toEqual(expected)
  })

  it('gives objects without a prototype, whose members are the names of the header alone', () => {
    const offers = extension.parse('foo; a')
    expect(Object.getPrototypeOf(offers)).toBeNull()
    expect(Object.getPrototypeOf(offers['foo']![0])).toBeNull()
  })

  it.each([
    ['', 'Unexpected end of input'],
    ['foo;', 'Unexpected end of input'],
    ['foo,', 'Unexpected end of input'],
    ['foo ', 'Unexpected end of input'],
    ['foo;a=', 'Unexpected end of input'],
    ['foo;a="b', 'Unexpected end of input'],
    [',foo', 'Unexpected character at index 0'],
    [' foo', 'Unexpected character at index 0'],
    ['foo,,bar', 'Unexpected character at index 4'],
    ['foo bar', 'Unexpected character at index 4'],
    ['foo;a b', 'Unexpected character at index 6'],
    ['foo;a=""', 'Unexpected character at index 7'],
    ['foo;a="b c"', 'Unexpected character at index 8'],
    ['foo;a="b"c', 'Unexpected character at index 9'],
    ['é', 'Unexpected character at index 0'],
  ])('refuses %j: %s', (header, message) => {
    expect(() => extension.parse(header)).toThrow(new SyntaxError(message))
  })

  it.each([
    [{}, ''],
    [{ foo: {} }, 'foo'],
    [{ foo: [{}, { x: [true] }] }, 'foo, foo; x'],
    [{ foo: { a: 1, b: true } }, 'foo; a=1; b'],
    [{ foo: [{ a: [true, '1'] }], bar: [{}] }, 'foo; a; a=1, bar'],
  ] as const)('formats %j', (offers, expected) => {
    expect(extension.format(offers as Parameters<typeof extension.format>[0])).toBe(expected)
  })
})

describe.each(IMPLEMENTATIONS)('subprotocol of %s', (_name, { subprotocol }) => {
  it.each([
    ['foo', ['foo']],
    ['foo, bar,baz', ['foo', 'bar', 'baz']],
    ['foo\t,\t bar', ['foo', 'bar']],
  ])('parses %j', (header, names) => {
    expect(subprotocol.parse(header)).toEqual(new Set(names))
  })

  it.each([
    ['', 'Unexpected end of input'],
    ['foo,', 'Unexpected end of input'],
    ['foo ', 'Unexpected end of input'],
    [' foo', 'Unexpected character at index 0'],
    ['foo bar', 'Unexpected character at index 4'],
    ['foo,,bar', 'Unexpected character at index 4'],
    ['foo,foo', 'The "foo" subprotocol is duplicated'],
    ['foo,foo bar', 'Unexpected character at index 8'],
  ])('refuses %j: %s', (header, message) => {
    expect(() => subprotocol.parse(header)).toThrow(new SyntaxError(message))
  })
})

describe('The headers of the drop-in', () => {
  const [[, ofWs], [, ofDropIn]] = IMPLEMENTATIONS as unknown as [
    [string, Implementation],
    [string, Implementation],
  ]
  const outcome = (parse: (header: string) => unknown, header: string): unknown => {
    try {
      const parsed = parse(header)
      return parsed instanceof Set ? [...(parsed as Set<string>)] : plain(parsed)
    } catch (error) {
      return String(error)
    }
  }
  const header = fc
    .tuple(
      fc.constantFrom('', 'a', 'a;b', 'a,b', 'a;b="'),
      fc.array(fc.constantFrom('a', 'b', ' ', '\t', ',', ';', '=', '"', '\\', 'é'), { maxLength: 10 }),
    )
    .map(([start, rest]) => start + rest.join(''))

  it('are read as ws reads them, whatever they hold', () => {
    fc.assert(
      fc.property(header, (value) => {
        expect(outcome(ofDropIn.extension.parse, value)).toEqual(outcome(ofWs.extension.parse, value))
        expect(outcome(ofDropIn.subprotocol.parse, value)).toEqual(outcome(ofWs.subprotocol.parse, value))
      }),
      { numRuns: 2000 },
    )
  })
})
