import fc from 'fast-check'
import { MAX_HINT_MS, readRetryHint, withRetryHint } from '../../../src/socket/retry-hint.js'

describe('withRetryHint', () => {
  it('is the hint alone, or follows the reason of the application', () => {
    expect(withRetryHint('', 0)).toBe('retry-after-ms=0')
    expect(withRetryHint('', 86_400_000)).toBe('retry-after-ms=86400000')
    expect(withRetryHint('new version', 1_500)).toBe('new version; retry-after-ms=1500')
  })

  it('rounds up, so that no client comes back too soon', () => {
    expect(withRetryHint('', 0.2)).toBe('retry-after-ms=1')
  })

  it('fills the 123 bytes of a reason, and refuses a reason that would not stay whole', () => {
    const most = 'ü'.repeat(49)
    expect(Buffer.byteLength(withRetryHint(most, MAX_HINT_MS))).toBe(123)
    expect(() => withRetryHint(`${most}x`, MAX_HINT_MS)).toThrow(
      new RangeError(
        'reason must be at most 98 bytes of UTF-8 with spreadMs, not 99: the time when to come back follows it',
      ),
    )
  })
})

describe('readRetryHint', () => {
  it('reads what withRetryHint wrote, after any reason that fits', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 20 }),
        fc.integer({ min: 0, max: MAX_HINT_MS }),
        (reason, ms) => {
          expect(readRetryHint(withRetryHint(reason, ms))).toBe(ms)
        },
      ),
    )
  })

  it.each([
    ['retry-after-ms=0', 0],
    ['retry-after-ms=7', 7],
    ['new version; retry-after-ms=1500', 1500],
    ['; retry-after-ms=10', 10],
    ['retry-after-ms=5; retry-after-ms=12345678', 12_345_678],
    ['retry-after-ms=86400000', 86_400_000],
  ])('finds the time in %p', (reason, ms) => {
    expect(readRetryHint(reason)).toBe(ms)
  })

  it.each([
    '',
    'new version',
    'retry-after-ms=',
    'retry-after-ms=-1',
    'retry-after-ms=+1',
    'retry-after-ms=01',
    'retry-after-ms=1.5',
    'retry-after-ms=1e3',
    'retry-after-ms=0x10',
    'retry-after-ms=１',
    'retry-after-ms=86400001',
    'retry-after-ms=100000000',
    'retry-after-ms=99999999999999999999',
    'Retry-After-Ms=5',
    'retry-after-ms=5 ',
    'retry-after-ms=5\n',
    ' retry-after-ms=5',
    'a retry-after-ms=5',
    'a;retry-after-ms=5',
    'retry-after-ms=5; and more',
    'retry-after-ms =5',
    'retry-after=5',
  ])('finds nothing in %p', (reason) => {
    expect(readRetryHint(reason)).toBeUndefined()
  })

  it('finds nothing, or a time within a day, in any text', () => {
    const parts = fc.constantFrom('retry-after-ms=', '; ', '0', '9', '-', '\n', 'x', '\u{1f600}')
    fc.assert(
      fc.property(fc.array(parts), (text) => {
        const found = readRetryHint(text.join('')) ?? 0
        expect(found).toBeGreaterThanOrEqual(0)
        expect(found).toBeLessThanOrEqual(MAX_HINT_MS)
      }),
    )
  })
})
