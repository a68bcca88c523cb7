import {
  AddressTable,
  readHandshakeQuotas,
  type HandshakeQuotaOptions,
  type HandshakeQuotas,
} from '../../../src/server/handshake-quotas.js'

function quotasOf(options: HandshakeQuotaOptions): HandshakeQuotas {
  const quotas = readHandshakeQuotas('handshakeQuotas', options)
  if (quotas === null) throw new Error('all quotas are off')
  return quotas
}

/** How many handshakes of an address are taken. */
function taken(quotas: HandshakeQuotas, address: string, now: number, count: number): number {
  let taken = 0
  for (let i = 0; i < count; i++) if (quotas.refusal(address, now) === null) taken++
  return taken
}

describe('the quota of one address', () => {
  it('refuses with 429, says when to come back, and lets other addresses in', () => {
    const quotas = quotasOf({ perSecondPerAddress: 0.5, burstPerAddress: 3 })
    expect(taken(quotas, '192.0.2.1', 0, 10)).toBe(3)
    expect(quotas.refusal('192.0.2.1', 500)).toMatchObject({
      code: 'HAWSER_TOO_MANY_HANDSHAKES',
      httpStatus: 429,
      retryAfterSeconds: 2,
      counted: 'handshakesOfAddress',
    })
    expect(taken(quotas, '192.0.2.2', 500, 10)).toBe(3)
    expect(taken(quotas, '192.0.2.1', 2000, 10)).toBe(1)
  })

  it('is one for IPv4 and the same mapped into IPv6, and one for 64 bits of IPv6', () => {
    const quotas = quotasOf({ perSecondPerAddress: 1, burstPerAddress: 2 })
    expect(taken(quotas, '192.0.2.1', 0, 1)).toBe(1)
    expect(taken(quotas, '::ffff:192.0.2.1', 0, 5)).toBe(1)
    for (let host = 1; host <= 5; host++) {
      expect(taken(quotas, `2001:db8::${String(host)}`, 0, 1)).toBe(host <= 2 ? 1 : 0)
    }
    expect(taken(quotas, '2001:db8:0:1::1', 0, 5)).toBe(2)
  })

  it('does not count where there is no address', () => {
    const quotas = quotasOf({ perSecondPerAddress: 1, burstPerAddress: 1 })
    expect(taken(quotas, '', 0, 100)).toBe(100)
    expect(quotas.addressCount).toBe(0)
  })
})

describe('the quota of all addresses', () => {
  it('refuses with 503, and spreads over ten seconds when the refused come back', () => {
    const quotas = quotasOf({ perSecond: 10, burst: 20 })
    expect(taken(quotas, '', 0, 100)).toBe(20)
    const seconds = new Set<number>()
    for (let i = 0; i < 500; i++) {
      const refusal = quotas.refusal(`192.0.2.${String(i % 256)}`, 0)
      expect(refusal).toMatchObject({ code: 'HAWSER_SERVER_BUSY', httpStatus: 503, counted: 'handshakes' })
      seconds.add(refusal?.retryAfterSeconds ?? 0)
    }
    expect(Math.min(...seconds)).toBe(1)
    expect(Math.max(...seconds)).toBeGreaterThanOrEqual(9)
    expect(Math.max(...seconds)).toBeLessThanOrEqual(11)
  })

  it('is left to the others by an address that is over its own', () => {
    const quotas = quotasOf({ perSecond: 1, burst: 10, perSecondPerAddress: 1, burstPerAddress: 2 })
    expect(taken(quotas, '192.0.2.1', 0, 1000)).toBe(2)
    for (let i = 2; i <= 5; i++) expect(taken(quotas, `192.0.2.${String(i)}`, 0, 1000)).toBe(2)
    expect(taken(quotas, '192.0.2.6', 0, 1000)).toBe(0)
  })

  it('takes nothing from an address that it refuses', () => {
    const quotas = quotasOf({ perSecond: 1, burst: 1, perSecondPerAddress: 1, burstPerAddress: 3 })
    expect(taken(quotas, '192.0.2.1', 0, 1)).toBe(1)
    expect(taken(quotas, '192.0.2.2', 0, 1000)).toBe(0)
    expect(quotas.addressCount).toBe(1)
  })
})

describe('the table of addresses', () => {
  it('stays within its bound in a flood from a million addresses, and still holds those that go on', () => {
    const quotas = quotasOf({ perSecondPerAddress: 0.01, burstPerAddress: 1, maxAddresses: 1000 })
    let refused = 0
    let wrong = 0
    let most = 0
    for (let i = 0; i < 1_000_000; i++) {
      const address = `10.${String(i >>> 16)}.${String((i >>> 8) & 255)}.${String(i & 255)}`
      if (quotas.refusal(address, i / 1000) !== null) wrong++
      // One that tries all the time, among fewer others than half of the table holds.
      if (i % 100 === 0 && quotas.refusal('192.0.2.1', i / 1000) !== null) refused++
      most = Math.max(most, quotas.addressCount)
    }
    expect(most).toBeLessThanOrEqual(1000)
    expect(wrong).toBe(0)
    // Forgotten with those that were seen as long ago as it was let in, and let in again: never more than once in 500 others.
    expect(refused).toBeGreaterThanOrEqual(10_000 * (1 - 100 / 500))
  })

  it('forgets the addresses whose quota is full again, and no other', () => {
    const table = new AddressTable(1000, 100)
    for (let i = 0; i < 50; i++) table.set(`a${String(i)}`, 50, 0)
    table.set('b', 150, 99)
    expect(table.get('a0')).toBe(50)
    table.set('c', 200, 100)
    table.set('d', 250, 150)
    expect([table.get('a0'), table.get('b'), table.get('c')]).toEqual([50, 150, 200])
    table.set('e', 300, 200)
    expect([table.get('a0'), table.get('b'), table.get('c'), table.get('d')]).toEqual([
      -Infinity,
      -Infinity,
      200,
      250,
    ])
    expect(table.size).toBe(3)
  })
})

describe('handshakeQuotas refuses what it does not know, with name, value and range', () => {
  it.each<[object | number, ErrorConstructor, string]>([
    [5, TypeError, 'handshakeQuotas must be an object, not 5'],
    [
      { perSecond: 0 },
      RangeError,
      'handshakeQuotas.perSecond must be a number from 0.001 to Infinity, not 0',
    ],
    [
      { perSecond: '5' },
      TypeError,
      'handshakeQuotas.perSecond must be a number from 0.001 to Infinity, not "5"',
    ],
    [{ burst: 5 }, TypeError, 'handshakeQuotas.burst needs handshakeQuotas.perSecond, which is off'],
    [
      { perSecond: 1, burst: 0 },
      RangeError,
      'handshakeQuotas.burst must be an integer from 1 to 9007199254740991, not 0',
    ],
    [
      { perSecond: 1, burstPerAddress: 5 },
      TypeError,
      'handshakeQuotas.burstPerAddress needs handshakeQuotas.perSecondPerAddress, which is off',
    ],
    [
      { maxAddresses: 1 },
      RangeError,
      'handshakeQuotas.maxAddresses must be an integer from 2 to 16777216, not 1',
    ],
    [
      { perSecond: 1, maxAddresses: 100 },
      TypeError,
      'handshakeQuotas.maxAddresses needs handshakeQuotas.perSecondPerAddress, which is off',
    ],
    [{ perMinute: 1 }, TypeError, 'handshakeQuotas has no option "perMinute"'],
  ])('%j', (options, kind, message) => {
    expect(() => readHandshakeQuotas('handshakeQuotas', options)).toThrow(kind)
    expect(() => readHandshakeQuotas('handshakeQuotas', options)).toThrow(message)
  })

  it.each([undefined, false, {}, { perSecond: false }, { perSecondPerAddress: Infinity }])(
    '%j is off',
    (options) => {
      expect(readHandshakeQuotas('handshakeQuotas', options)).toBeNull()
    },
  )
})
