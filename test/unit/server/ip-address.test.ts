import fc from 'fast-check'
import { BlockList } from 'node:net'
import {
  addressKey,
  isInBlock,
  parseAddress,
  parseBlock,
  plainAddress,
  type AddressBlock,
} from '../../../src/server/ip-address.js'

const block = (text: string): AddressBlock => {
  const found = parseBlock(text)
  if (found === null) throw new Error(`no block: ${text}`)
  return found
}
const isIn = (address: string, of: string): boolean => {
  const groups = parseAddress(address)
  return groups !== null && isInBlock(groups, block(of))
}

describe('parseAddress', () => {
  it.each([
    ['192.0.2.1', [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201]],
    ['::ffff:192.0.2.1', [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201]],
    ['::ffff:c000:201', [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201]],
    ['255.255.255.255', [0, 0, 0, 0, 0, 0xffff, 0xffff, 0xffff]],
    ['::', [0, 0, 0, 0, 0, 0, 0, 0]],
    ['::1', [0, 0, 0, 0, 0, 0, 0, 1]],
    ['2001:DB8::8:800:200C:417A', [0x2001, 0xdb8, 0, 0, 8, 0x800, 0x200c, 0x417a]],
    ['1:2:3:4:5:6:7:8', [1, 2, 3, 4, 5, 6, 7, 8]],
    ['1:2:3:4:5:6:7::', [1, 2, 3, 4, 5, 6, 7, 0]],
    ['64:ff9b::192.0.2.1', [0x64, 0xff9b, 0, 0, 0, 0, 0xc000, 0x0201]],
  ])('reads %s', (text, groups) => {
    expect(parseAddress(text)).toEqual(groups)
  })

  it.each([
    '',
    ' ',
    'localhost',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    '1.2.3.4:80',
    '::g',
    ':::',
    'fe80::1%eth0',
  ])('refuses %j', (text) => {
    expect(parseAddress(text)).toBeNull()
  })
})

describe('addressKey', () => {
  it.each([
    ['192.0.2.1', '::ffff:192.0.2.1', 'an IPv4 address and the same one mapped into IPv6'],
    ['::ffff:c000:201', '192.0.2.1', 'a mapped address in hexadecimal and the IPv4 address'],
    ['2001:db8:1:2::1', '2001:db8:1:2:ffff:ffff:ffff:ffff', 'IPv6 addresses with the same first 64 bits'],
    ['2001:db8:1:2::1', '2001:DB8:0001:0002::99', 'IPv6 addresses in other spellings'],
  ])('is the same for %s and %s: %s', (one, other) => {
    expect(addressKey(one)).toBe(addressKey(other))
  })

  it.each([
    ['192.0.2.1', '192.0.2.2', 'two IPv4 addresses'],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', 'IPv6 addresses with other first 64 bits'],
    ['fe80::1', 'fe80::2', 'two hosts of one link'],
    ['::1', '127.0.0.1', 'loopback of both families'],
  ])('differs for %s and %s: %s', (one, other) => {
    expect(addressKey(one)).not.toBe(addressKey(other))
  })

  it('leaves a zone out, and keeps at most 64 characters of what is not an address', () => {
    expect(addressKey('fe80::1%eth0')).toBe(addressKey('fe80::1'))
    expect(addressKey('')).toBe('')
    expect(addressKey('x'.repeat(1000))).toHaveLength(64)
    expect(addressKey(':'.repeat(1000))).toHaveLength(64)
  })
})

describe('plainAddress', () => {
  it.each([
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['::ffff:0:192.0.2.1', '::ffff:0:192.0.2.1'],
    ['::ffff:', '::ffff:'],
    ['192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8::1'],
    ['', ''],
  ])('of %j is %j', (address, plain) => {
    expect(plainAddress(address)).toBe(plain)
  })
})

describe('a block of addresses', () => {
  it.each([
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['192.0.2.128/25', '192.0.2.127', false],
    ['0.0.0.0/0', '203.0.113.9', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '10.0.0.1', false],
    ['::ffff:10.0.0.0/104', '10.9.9.9', true],
    ['2001:db8::/32', '2001:db8:ffff::', true],
    ['2001:db8::/33', '2001:db8:8000::', false],
    ['fc00::/7', 'fd12::1', true],
  ])('%s, and whether %s is in it: %s', (of, address, isInIt) => {
    expect(isIn(address, of)).toBe(isInIt)
  })

  it.each([
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.1/8',
    '::1/129',
    '/8',
    '10.0.0.0/8/8',
    'a',
  ])('refuses %j', (text) => {
    expect(parseBlock(text)).toBeNull()
  })

  it('has the addresses that a BlockList of Node has', () => {
    const family = fc.constantFrom<'ipv4' | 'ipv6'>('ipv4', 'ipv6')
    const group = fc.constantFrom(0, 1, 0x00ff, 0x7fff, 0x8000, 0xffff)
    const address = fc
      .tuple(family, fc.array(group, { minLength: 8, maxLength: 8 }))
      .map(([kind, groups]) => {
        const [a = 0, b = 0] = groups
        const bytes = [a >>> 8, a & 255, b >>> 8, b & 255]
        return {
          kind,
          text: kind === 'ipv4' ? bytes.join('.') : groups.map((one) => one.toString(16)).join(':'),
        }
      })
    fc.assert(
      fc.property(address, address, fc.nat(128), ({ kind, text }, one, size) => {
        const bits = kind === 'ipv4' ? size % 33 : size
        const groups = parseAddress(text)
        if (groups === null) throw new Error(text)
        const list = new BlockList()
        list.addSubnet(text, bits, kind)
        const ours = isInBlock(parseAddress(one.text) ?? [], {
          groups,
          bits: kind === 'ipv4' ? bits + 96 : bits,
        })
        if (one.kind === kind) expect(ours).toBe(list.check(one.text, one.kind))
        else expect(ours).toBe(false)
      }),
    )
  })
})
