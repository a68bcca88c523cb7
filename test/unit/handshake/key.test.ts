import type * as Crypto from 'node:crypto'
import type * as Key from '../../../src/handshake/key.js'
import { computeAccept, createKey, isValidKey } from '../../../src/handshake/key.js'

describe('RFC 6455 4.1: Sec-WebSocket-Key', () => {
  it('is 16 bytes in base64, and new each time', () => {
    const keys = new Set<string>()
    for (let i = 0; i < 1000; i++) keys.add(createKey())
    expect(keys.size).toBe(1000)
    for (const key of keys) {
      expect(isValidKey(key)).toBe(true)
      expect(Buffer.from(key, 'base64')).toHaveLength(16)
    }
  })

  it.each(['dGhlIHNhbXBsZSBub25jZQ==', 'AQIDBAUGBwgJCgsMDQ4PEC==', '+/+/+/+/+/+/+/+/+/+/+A=='])(
    'accepts %s',
    (key) => {
      expect(isValidKey(key)).toBe(true)
    },
  )

  it.each([
    '',
    'dGhlIHNhbXBsZSBub25jZQ=',
    'dGhlIHNhbXBsZSBub25jZQ===',
    'dGhlIHNhbXBsZSBub25jZQ',
    'dGhlIHNhbXBsZSBub25jZQAA',
    'dGhlIHNhbXBsZSBub25jZQA=',
    'dGhlIHNhbXBsZSBub25jZ===',
    'dGhlIHNhbXBsZSBub25jZ-==',
    'dGhlIHNhbXBsZSBub25jZ_==',
    'dGhlIHNhbXBsZSBub25j\u0130Q==',
    ' GhlIHNhbXBsZSBub25jZQ==',
    'dGhlIHNhbXBsZSBub25jZQ==\n',
    'dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==',
  ])('refuses %j', (key) => {
    expect(isValidKey(key)).toBe(false)
  })
})

describe('RFC 6455 4.2.2: Sec-WebSocket-Accept', () => {
  it('is 20 bytes in base64', () => {
    expect(computeAccept('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    expect(Buffer.from(computeAccept(createKey()), 'base64')).toHaveLength(20)
  })
})

describe.each(['createHash', 'hash'])('the digest by crypto.%s', (name) => {
  it("gives the accept value of the RFC's example", () => {
    jest.isolateModules(() => {
      const crypto = jest.requireActual<typeof Crypto>('node:crypto')
      // With crypto.hash, which Node has from 20.12 on, or without it.
      const hash = (algorithm: string, data: string, encoding: 'base64'): string =>
        crypto.createHash(algorithm).update(data).digest(encoding)
      jest.doMock('node:crypto', () => ({ ...crypto, hash: name === 'hash' ? hash : undefined }))
      const key = jest.requireActual<typeof Key>('../../../src/handshake/key.js')
      expect(key.computeAccept('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
      jest.dontMock('node:crypto')
    })
  })
})
