import fc from 'fast-check'
import { readForwarded, readForwardedFor } from '../../../src/handshake/forwarded.js'

describe('X-Forwarded-For', () => {
  it.each([
    ['203.0.113.7', ['203.0.113.7']],
    ['203.0.113.7, 10.0.0.1', ['203.0.113.7', '10.0.0.1']],
    ['203.0.113.7,10.0.0.1,\t10.0.0.2 ', ['203.0.113.7', '10.0.0.1', '10.0.0.2']],
    ['203.0.113.7:4711', ['203.0.113.7']],
    ['[2001:db8::1]:4711, [2001:db8::2], 2001:db8::3', ['2001:db8::1', '2001:db8::2', '2001:db8::3']],
    ['', ['']],
    ['unknown, ,10.0.0.1', ['unknown', '', '10.0.0.1']],
    ['198.51.100.17:47', ['198.51.100.17']],
    ['203.0.113.7:port', ['203.0.113.7:port']],
    ['203.0.113.7:4711x', ['203.0.113.7:4711x']],
    ['x203.0.113.7:4711', ['x203.0.113.7:4711']],
    ['[2001:db8::1', ['[2001:db8::1']],
  ])('%j has the entries %j', (value, entries) => {
    expect(readForwardedFor(value)).toEqual(entries)
  })
})

describe('Forwarded (RFC 7239 section 4)', () => {
  it.each([
    ['for="_gazonk"', ['_gazonk']],
    ['For="[2001:db8:cafe::17]:4711"', ['2001:db8:cafe::17']],
    ['for=192.0.2.60;proto=http;by=203.0.113.43', ['192.0.2.60']],
    ['for=192.0.2.43, for=198.51.100.17', ['192.0.2.43', '198.51.100.17']],
    ['by=203.0.113.43;for="192.0.2.43:47"', ['192.0.2.43']],
    ['proto=https, for=192.0.2.43', ['', '192.0.2.43']],
    ['for=192.0.2.1;for=192.0.2.2', ['']],
    ['for="192.0.2.\\1"', ['192.0.2.1']],
    ['host="a,b;for=10.0.0.1";for=192.0.2.1', ['192.0.2.1']],
    [' for=192.0.2.1 ; proto=http , for=192.0.2.2 ', ['192.0.2.1', '192.0.2.2']],
    ['for=unknown', ['unknown']],
    ['', ['']],
    [';;for=192.0.2.1;', ['192.0.2.1']],
    [',for=192.0.2.1', ['', '192.0.2.1']],
  ])('%j has the addresses %j', (value, nodes) => {
    expect(readForwarded(value)).toEqual(nodes)
  })

  it.each([
    'for',
    'for=',
    'for=192.0.2.1:47',
    'for="192.0.2.1',
    'for="192.0.2.1"x',
    'for="a\\"',
    'f or=192.0.2.1',
    '=192.0.2.1',
    'for= 192.0.2.1',
    'for=192.0.2.1 for=192.0.2.2',
    'for,"',
    'for=192.0.2.1;secure',
    'for=a,"',
  ])('%j is malformed, and hides no element after it', (value) => {
    expect(readForwarded(value)).toEqual([''])
    const after = readForwarded(`${value}, for=192.0.2.60, for="[2001:db8::1]:47";by=203.0.113.43`)
    expect(after.slice(-2)).toEqual(['192.0.2.60', '2001:db8::1'])
  })

  it('is read again as it was written, whatever the quoted strings hold', () => {
    const node = fc.string({
      minLength: 1,
      maxLength: 20,
      unit: fc.constantFrom('a', '"', '\\', ',', ';', '=', ' ', '1'),
    })
    fc.assert(
      fc.property(fc.array(node, { minLength: 1, maxLength: 5 }), (nodes) => {
        const value = nodes.map((one) => `proto=http;for="${one.replace(/["\\]/g, '\\$&')}"`).join(', ')
        expect(readForwarded(value)).toEqual(nodes)
      }),
    )
  })

  const anyText = fc.string({ unit: fc.constantFrom('"', '\\', ',', ';', '=', ' ', 'f', 'for') })

  it('reads what a proxy appended, whatever the client wrote before it', () => {
    const node = fc.string({ maxLength: 8, unit: fc.constantFrom('a', '"', '\\', ',', ';', '=', '1') })
    fc.assert(
      fc.property(anyText, node, (written, appended) => {
        const element = `for="${appended.replace(/["\\]/g, '\\$&')}"`
        expect(readForwarded(`${written}, ${element}`).at(-1)).toBe(appended)
      }),
    )
  })

  it('has elements for any text', () => {
    fc.assert(
      fc.property(anyText, (value) => {
        const count = readForwarded(value).length
        expect(count).toBeGreaterThan(0)
        expect(count).toBeLessThanOrEqual(value.split(',').length)
      }),
    )
  })

  it('takes time in proportion to the text, for quotes and backslashes without end', () => {
    for (const unit of ['"', '\\', '"\\', ',"', '\\",', '";', '="\\"']) {
      // A scanner that goes back for each character would take minutes.
      const value = unit.repeat(2 ** 21 / unit.length)
      expect(readForwarded(`${value}, for=192.0.2.60`).at(-1)).toBe('192.0.2.60')
    }
  })
})
