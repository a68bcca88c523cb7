import { HeaderFields } from '../../../src/handshake/header-fields.js'
import {
  checkTrustedProxies,
  clientAddressOf,
  type ForwardedHeader,
} from '../../../src/server/trusted-proxies.js'

/** The address of the client of a request from a peer. */
function clientOf(
  trusted: unknown,
  peer: string,
  headers: readonly (readonly [name: string, value: string])[],
  header: ForwardedHeader = 'X-Forwarded-For',
  isLocal = peer === '',
): string {
  return clientAddressOf(
    { remoteAddress: peer, isLocal: () => isLocal },
    HeaderFields.fromRawHeaders(headers.flat()),
    checkTrustedProxies('trustedProxies', trusted),
    header,
  )
}
const forwardedFor = (value: string): [string, string][] => [['X-Forwarded-For', value]]

describe('the address of the client', () => {
  it.each<[string, unknown, string, string, string]>([
    ['no proxy is trusted', undefined, '192.0.2.1', '203.0.113.7', '192.0.2.1'],
    ['the list of trusted proxies is empty', [], '192.0.2.1', '203.0.113.7', '192.0.2.1'],
    ['the number of trusted proxies is 0', 0, '192.0.2.1', '203.0.113.7', '192.0.2.1'],
    ['the peer is not trusted', ['10.0.0.0/8'], '192.0.2.1', '203.0.113.7', '192.0.2.1'],
    ['the peer is trusted', ['10.0.0.0/8'], '10.0.0.1', '203.0.113.7', '203.0.113.7'],
    [
      'the peer is trusted, mapped into IPv6',
      ['10.0.0.0/8'],
      '::ffff:10.0.0.1',
      '203.0.113.7',
      '203.0.113.7',
    ],
    ['the client lies about itself', ['10.0.0.1'], '10.0.0.1', '127.0.0.1, 203.0.113.7', '203.0.113.7'],
    [
      'the client claims to be a trusted proxy',
      ['10.0.0.1'],
      '10.0.0.1',
      '1.2.3.4, 10.0.0.1, 203.0.113.7',
      '203.0.113.7',
    ],
    ['two proxies are trusted', ['10.0.0.0/8'], '10.0.0.1', '1.2.3.4, 203.0.113.7, 10.0.0.2', '203.0.113.7'],
    ['all entries are trusted', ['10.0.0.0/8'], '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['the entry is malformed', ['10.0.0.1'], '10.0.0.1', '203.0.113.7, unknown', '10.0.0.1'],
    ['the entry after a trusted one is malformed', ['10.0.0.0/8'], '10.0.0.1', '_x, 10.0.0.2', '10.0.0.2'],
    [
      'an entry that no trusted proxy wrote is malformed',
      ['10.0.0.0/8'],
      '10.0.0.1',
      '_x, 1.2.3.4',
      '1.2.3.4',
    ],
    ['the client writes what is malformed', ['10.0.0.1'], '10.0.0.1', '"\\, 203.0.113.7', '203.0.113.7'],
    ['the header is empty', ['10.0.0.1'], '10.0.0.1', '', '10.0.0.1'],
    ['the entry has a port', ['10.0.0.1'], '10.0.0.1', '203.0.113.7:4711', '203.0.113.7'],
    ['the entry is IPv6', ['::1'], '::1', '[2001:db8::1]:4711', '2001:db8::1'],
    ['the entry is mapped into IPv6', ['::1'], '::1', '::ffff:203.0.113.7', '203.0.113.7'],
    ['the entry has a zone', ['::1'], '::1', 'fe80::1%eth0', '::1'],
    ['loopback is trusted', ['loopback'], '127.0.0.9', '203.0.113.7', '203.0.113.7'],
    ['private networks are trusted', ['private'], '172.31.0.1', '203.0.113.7, fd00::1', '203.0.113.7'],
    ['one proxy is counted', 1, '192.0.2.1', '1.2.3.4, 203.0.113.7', '203.0.113.7'],
    ['two proxies are counted', 2, '192.0.2.1', '1.2.3.4, 203.0.113.7, 192.0.2.2', '203.0.113.7'],
    ['more proxies are counted than there are', 3, '192.0.2.1', '203.0.113.7', '203.0.113.7'],
    ['the peer is a Unix socket and trusted', ['unix'], '', '203.0.113.7', '203.0.113.7'],
    ['the peer is a Unix socket and not trusted', ['10.0.0.0/8', 'loopback'], '', '203.0.113.7', ''],
    ['the peer is a Unix socket and is counted', 1, '', '203.0.113.7', '203.0.113.7'],
  ])('is right where %s', (_what, trusted, peer, value, client) => {
    expect(clientOf(trusted, peer, forwardedFor(value))).toBe(client)
  })

  it('is that of nobody where the connection was reset, so that its header proves nothing', () => {
    for (const trusted of [['unix'], 1, () => true]) {
      expect(clientOf(trusted, '', forwardedFor('203.0.113.7'), 'X-Forwarded-For', false)).toBe('')
    }
  })

  it('comes from all fields of the name together, of which the last entry is the nearest', () => {
    const headers = [
      ...forwardedFor('1.2.3.4'),
      ...forwardedFor('203.0.113.7'),
      ['X-Forwarded-for', '10.0.0.2'],
    ] as const
    expect(clientOf(['10.0.0.0/8'], '10.0.0.1', headers)).toBe('203.0.113.7')
  })

  it('comes from Forwarded where that is set, and from no other header', () => {
    const headers = [
      ...forwardedFor('1.2.3.4'),
      ['Forwarded', 'for=9.9.9.9, for="203.0.113.7:1";proto=https'],
    ] as const
    expect(clientOf(['10.0.0.1'], '10.0.0.1', headers, 'Forwarded')).toBe('203.0.113.7')
    expect(clientOf(['10.0.0.1'], '10.0.0.1', headers)).toBe('1.2.3.4')
    expect(clientOf(['10.0.0.1'], '10.0.0.1', [['Forwarded', 'for="203.0.113.7']], 'Forwarded')).toBe(
      '10.0.0.1',
    )
  })

  it.each(['for="', 'for="1.2.3.4', 'for="1.2.3.4\\', 'for=1.2.3.4 for=1.2.3.5', '=', '\\"', ';;;', ','])(
    'is what the proxy appended to a Forwarded of the client that is malformed: %j',
    (written) => {
      const fields = [['Forwarded', `${written}, for=203.0.113.7;proto=https`]] as const
      expect(clientOf(['10.0.0.1'], '10.0.0.1', fields, 'Forwarded')).toBe('203.0.113.7')
      const two = [...[['Forwarded', written]], ['Forwarded', 'for=203.0.113.7']] as [string, string][]
      expect(clientOf(['10.0.0.1'], '10.0.0.1', two, 'Forwarded')).toBe('203.0.113.7')
    },
  )

  it('is that of the proxy that wrote an element without an address', () => {
    for (const element of ['for=unknown', 'for=_hidden', 'proto=https', 'for=1.2.3.4;for=1.2.3.5', 'for']) {
      const fields = [['Forwarded', `for=1.2.3.4, ${element}, for=10.0.0.2`]] as const
      expect(clientOf(['10.0.0.0/8'], '10.0.0.1', fields, 'Forwarded')).toBe('10.0.0.2')
    }
  })

  it('asks a function with the address and its distance, and only true is trust, what counts as false is not, and the rest is an error', () => {
    const asked: [string, number][] = []
    const trust = (address: string, hop: number): boolean => {
      asked.push([address, hop])
      return hop < 2
    }
    expect(clientOf(trust, '::ffff:10.0.0.1', forwardedFor('1.1.1.1, 2.2.2.2, 3.3.3.3'))).toBe('2.2.2.2')
    expect(asked).toEqual([
      ['10.0.0.1', 0],
      ['3.3.3.3', 1],
      ['2.2.2.2', 2],
    ])
    expect(clientOf(() => undefined, '10.0.0.1', forwardedFor('1.1.1.1'))).toBe('10.0.0.1')
    expect(() => clientOf(() => 'yes', '10.0.0.1', forwardedFor('1.1.1.1'))).toThrow(
      new TypeError('trustedProxies must return true or false, not "yes"'),
    )
    expect(() => clientOf(() => Promise.resolve(true), '10.0.0.1', [])).toThrow(
      new TypeError('trustedProxies must return true or false, not a promise: it must not be async'),
    )
  })
})

describe('trustedProxies refuses what it does not know, with name and value', () => {
  const legal = "must be an IP address, a block such as 10.0.0.0/8, 'loopback', 'private' or 'unix'"
  it.each<[unknown, ErrorConstructor, string]>([
    [
      true,
      TypeError,
      'trustedProxies must be an array of addresses, a number of proxies or a function, not true',
    ],
    [
      'loopback',
      TypeError,
      'trustedProxies must be an array of addresses, a number of proxies or a function, not "loopback"',
    ],
    [-1, RangeError, 'trustedProxies must be an integer from 0 to 32, not -1'],
    [1.5, RangeError, 'trustedProxies must be an integer from 0 to 32, not 1.5'],
    [['10.0.0.0/33'], TypeError, `trustedProxies[0] ${legal}, not "10.0.0.0/33"`],
    [
      ['unix', '10.0.0.1/8'],
      TypeError,
      `trustedProxies[1] ${legal}, not "10.0.0.1/8": the bits after the prefix must be 0`,
    ],
    [
      ['fe80::1/64'],
      TypeError,
      `trustedProxies[0] ${legal}, not "fe80::1/64": the bits after the prefix must be 0`,
    ],
    [['constructor'], TypeError, `trustedProxies[0] ${legal}, not "constructor"`],
    [[5], TypeError, `trustedProxies[0] ${legal}, not 5`],
  ])('%j', (value, kind, message) => {
    expect(() => checkTrustedProxies('trustedProxies', value)).toThrow(new kind(message))
  })
})
