import { isMeasured } from '../../../src/connection/text-measure.js'

const MANY = 1024 * 1024
const EURO = '\u20ac'

describe('a longer string', () => {
  test('is measured where it begins with 256 units of ASCII, whatever follows', () => {
    expect(isMeasured('a'.repeat(5000))).toBe(true)
    expect(isMeasured('a'.repeat(256) + EURO.repeat(5000))).toBe(true)
  })

  test('is not measured where something else is among its first 256 units', () => {
    expect(isMeasured('a'.repeat(255) + EURO + 'a'.repeat(5000))).toBe(false)
    expect(isMeasured(EURO.repeat(5000))).toBe(false)
    expect(isMeasured(EURO.repeat(MANY))).toBe(false)
  })

  test('is measured all the same where it has more than a million units', () => {
    expect(isMeasured(EURO.repeat(MANY + 1))).toBe(true)
  })
})
