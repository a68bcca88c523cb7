import { asBuffer } from '../../../src/frame/raw-buffer.js'

describe('asBuffer', () => {
  test('returns a Buffer unchanged', () => {
    const buffer = Buffer.from('abc')
    expect(asBuffer(buffer)).toBe(buffer)
  })

  test('views the bytes of a Uint8Array at its offset, without a copy', () => {
    const bytes = Uint8Array.of(0, 1, 2, 3, 4, 5).subarray(2, 5)
    const buffer = asBuffer(bytes)
    expect(Buffer.isBuffer(buffer)).toBe(true)
    expect([...buffer]).toEqual([2, 3, 4])
    buffer[0] = 9
    expect(bytes[0]).toBe(9)
  })
})

describe('the Buffer methods that the type definitions omit', () => {
  const text = 'a\u00e9\u20ac\u{1f600}'

  test('exist on this version of Node and do the same as the documented ones', () => {
    const buffer = asBuffer(new Uint8Array(16))
    expect(buffer.utf8Write(text, 2)).toBe(10)
    expect(buffer.toString('utf8', 2, 12)).toBe(text)
    expect(buffer.utf8Slice(2, 12)).toBe(text)
    expect(buffer.latin1Slice(2, 5)).toBe('a\u00c3\u00a9')
  })
})
