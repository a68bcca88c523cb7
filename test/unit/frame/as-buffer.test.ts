import { asBuffer } from '../../../src/frame/as-buffer.js'

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
