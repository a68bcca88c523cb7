import {
  bytesOf,
  toClampedUnsignedShort,
  toDictionary,
  toEnforcedUnsignedShort,
  toUnsignedShort,
  toUSVString,
} from '../../../src/whatwg/web-idl.js'

describe('the conversions of Web IDL', () => {
  it.each([
    [1000, 1000],
    ['1000', 1000],
    [NaN, 0],
    [undefined, 0],
    [null, 0],
    [-5, 0],
    [70_000, 65_535],
    [Infinity, 65_535],
    [999.6, 1000],
    [1000.5, 1000],
    [1001.5, 1002],
    [0.4, 0],
  ])('[Clamp] unsigned short makes %p to %p', (value, expected) => {
    expect(toClampedUnsignedShort(value)).toBe(expected)
  })

  it('unsigned short counts modulo 65536, and is 0 for what is not finite', () => {
    const values = [1000, 65_537, -1, 1.9, NaN, Infinity, '7']
    expect(values.map(toUnsignedShort)).toEqual([1000, 1, 65_535, 1, 0, 0, 7])
  })

  it('[EnforceRange] unsigned short refuses what is out of range', () => {
    const values = [0, 65_535, 65_535.9, '12', null]
    expect(values.map((value) => toEnforcedUnsignedShort('n', value))).toEqual([0, 65_535, 65_535, 12, 0])
    for (const value of [-1, 65_536, NaN, Infinity, undefined, 'x']) {
      expect(() => toEnforcedUnsignedShort('n', value)).toThrow(TypeError)
    }
    expect(() => toEnforcedUnsignedShort('n', 5n)).toThrow(TypeError)
  })

  it('USVString is the text of any value but a symbol, without lone surrogates', () => {
    const values = ['\uD800a', null, { toString: () => 'mine' }, 5n]
    expect(values.map(toUSVString)).toEqual(['\uFFFDa', 'null', 'mine', '5'])
    expect(() => toUSVString(Symbol('x'))).toThrow(TypeError)
  })

  it('a dictionary is an object; undefined and null are the empty one', () => {
    expect([undefined, null, { a: 1 }].map((value) => toDictionary('it', value))).toEqual([{}, {}, { a: 1 }])
    for (const value of [true, 5, 'x', Symbol('x')]) {
      expect(() => toDictionary('it', value)).toThrow(/it must be an object/)
    }
  })

  it('the bytes of a BufferSource are a view, and nothing else has any', () => {
    const bytes = new Uint8Array([1, 2, 3, 4])
    const found = [bytes.buffer, bytes.subarray(1, 3), new DataView(bytes.buffer, 2)].map((one) =>
      bytesOf('it', one),
    )
    expect(found).toEqual([bytes, new Uint8Array([2, 3]), new Uint8Array([3, 4])])
    found[0]?.fill(9)
    expect(bytes).toEqual(new Uint8Array([9, 9, 9, 9]))
    expect([[1, 2], 'x', {}, null, new Blob([])].map((one) => bytesOf('it', one))).toEqual(
      Array(5).fill(undefined),
    )
  })
})
