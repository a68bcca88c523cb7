import { createHash } from 'node:crypto'
import { encodeToken } from '../../../src/brokers/nats-subjects.js'

describe('a token of a subject', () => {
  it.each([
    ['dogs', 'dogs'],
    ['Dogs_and-cats-2', 'Dogs_and-cats-2'],
    ['a.b', 'a=2Eb'],
    ['*', '=2A'],
    ['>', '=3E'],
    ['a b\r\n\t', 'a=20b=0D=0A=09'],
    ['=2A', '=3D2A'],
    ['$SYS', '=24SYS'],
    ['ä', '=C3=A4'],
    ['🐕', '=F0=9F=90=95'],
    ['\0', '=00'],
    ['', ''],
  ])('%j is %s', (text, token) => {
    expect(encodeToken(text)).toBe(token)
  })

  it('of texts that differ only in what is no UTF-8 are different', () => {
    const tokens = ['x\ud800', 'x\ud801', 'x\ufffd'].map(encodeToken)
    expect(new Set(tokens).size).toBe(3)
    expect(tokens[2]).toBe('x=EF=BF=BD')
  })

  it('of up to 200 characters stands as it is, and of more as its hash', () => {
    const hashed = (text: string): string =>
      `=H${createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('base64url')}`
    expect(encodeToken('x'.repeat(200))).toBe('x'.repeat(200))
    expect(encodeToken('x'.repeat(201))).toBe(hashed('x'.repeat(201)))
    expect(encodeToken('.'.repeat(66))).toBe('=2E'.repeat(66))
    expect(encodeToken('.'.repeat(67))).toBe(hashed('.'.repeat(67)))
    expect(encodeToken('x'.repeat(100_000))).toHaveLength(45)
    expect(encodeToken('x'.repeat(100_000))).toMatch(/^=H[\w-]{43}$/)
  })
})
