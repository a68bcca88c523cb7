import { hostname } from 'node:os'
import { hostInUrl, isLoopbackOrigin, ownOrigins } from '../../../demo/allowed-origins.js'

test.each([
  ['http://localhost:9000', true],
  ['https://localhost', true],
  ['http://127.0.0.1:1', true],
  ['http://[::1]:9000', true],
  ['http://localhost.evil.example:9000', false],
  ['http://hawser.localhost:9000', false],
  ['http://evil.example', false],
  ['http://localhost@evil.example', false],
  ['http://localhost:9000/path', false],
  ['file://localhost', false],
  ['null', false],
  ['', false],
])('isLoopbackOrigin(%j) returns %j', (origin, isOne) => {
  expect(isLoopbackOrigin(origin)).toBe(isOne)
})

describe('the origins of the page (RFC 6455 section 10.2)', () => {
  test('have every name of this machine, and the given host', () => {
    expect(ownOrigins('localhost', 8080)).toEqual([
      'http://localhost:8080',
      'http://127.0.0.1:8080',
      'http://[::1]:8080',
    ])
    expect(ownOrigins('Dev.Example', 8080)).toContain('http://dev.example:8080')
    expect(ownOrigins('fd00::1', 8080)).toContain('http://[fd00::1]:8080')
  })

  test('leave out the default port, as browsers do', () => {
    expect(ownOrigins('localhost', 80)).toContain('http://localhost')
  })

  test("have the machine's addresses and name, and no wildcard, when the server listens on all addresses", () => {
    const origins = ownOrigins('0.0.0.0', 8080)
    expect(origins).toContain(new URL(`http://${hostname()}:8080`).origin)
    expect(origins).not.toContain('*')
    expect(origins.every((origin) => new URL(origin).port === '8080')).toBe(true)
  })

  test('leave out an address with a zone, which has no URL', () => {
    expect(ownOrigins('fe80::1%eth0', 8080)).toEqual(ownOrigins('localhost', 8080))
  })

  test('have IPv6 addresses in brackets', () => {
    expect([hostInUrl('::1'), hostInUrl('127.0.0.1'), hostInUrl('localhost')]).toEqual([
      '[::1]',
      '127.0.0.1',
      'localhost',
    ])
  })
})
