import { asBuffer } from '../../../src/frame/raw-buffer.js'

describe('asBuffer', () => {
  test('gives a Buffer back as it is', () => {
    const buffer = Buffer.from('abc')
    expect(asBuffer(buffer)).toBe(buffer)
  })

  test('gives the same bytes of a Uint8Array, without a copy, at its offset', () => {
    const bytes = Uint8Array.of(0, 1, 2, 3, 4, 5).subarray(2, 5)
    const buffer = asBuffer(bytes)
    expect(Buffer.isBuffer(buffer)).toBe(true)
    expect([...buffer]).toEqual([2, 3, 4])
    buffer[0] = 9
    expect(bytes[0]).toBe(9)
  })
})

describe('the methods that the type definitions leave out', () => {
  const text = 'a\u00e9\u20ac\u{1f600}'

  test('are there, on this version of Node, and do what their longer forms do', () => {
    const buffer = asBuffer(new Uint8Array(16))
    expect(buffer.utf8Write(text, 2)).toBe(10)
    expect(buffer.toString('utf8', 2, 12)).toBe(text)
    expect(buffer.utf8Slice(2, 12)).toBe(text)
    expect(buffer.latin1Slice(2, 5)).toBe('a\u00c3\u00a9')
  })
})
