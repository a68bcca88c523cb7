import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { InputError, MAX_INPUT_BYTES, readBytes } from '../../../../demo/connect/binary-formats.js'

const bytes = (...octets: readonly number[]): Buffer => Buffer.from(octets)

describe('bytes as people write them', () => {
  test.each([
    ['hex', '00ff', bytes(0, 255)],
    ['hex', '00 FF', bytes(0, 255)],
    ['hex', '0x00, 0xff', bytes(0, 255)],
    ['hex', 'de:ad', bytes(0xde, 0xad)],
    ['hex', '', bytes()],
    ['base64', 'AP8=', bytes(0, 255)],
    ['base64', 'AP8', bytes(0, 255)],
    ['base64', '-_8=', bytes(0xfb, 0xff)],
    ['base64', '+/8=', bytes(0xfb, 0xff)],
    ['base64', '', bytes()],
    ['text', 'é', bytes(0xc3, 0xa9)],
  ] as const)('%s is read from %j', (format, text, expected) => {
    expect(readBytes(format, text)).toEqual(expected)
  })

  test.each([
    ['hex', '0', 'hex must be pairs of hexadecimal digits, such as 00 ff, not "0"'],
    ['hex', 'zz', 'hex must be pairs of hexadecimal digits, such as 00 ff, not "zz"'],
    [
      'hex',
      'z'.repeat(50),
      `hex must be pairs of hexadecimal digits, such as 00 ff, not "${'z'.repeat(40)}..."`,
    ],
    ['base64', 'A', 'base64 must be whole and canonical, such as AP8=, not "A"'],
    ['base64', 'AP9=', 'base64 must be whole and canonical, such as AP8=, not "AP9="'],
    ['base64', 'AP8==', 'base64 must be whole and canonical, such as AP8=, not "AP8=="'],
    ['base64', 'A*8=', 'base64 must be whole and canonical, such as AP8=, not "A*8="'],
  ] as const)('%s is refused that is written %j', (format, text, message) => {
    expect(() => readBytes(format, text)).toThrow(new InputError(message))
  })

  describe('of a file', () => {
    let directory: string
    beforeAll(() => (directory = mkdtempSync(path.join(tmpdir(), 'hawser-bytes-'))))
    afterAll(() => {
      rmSync(directory, { recursive: true })
    })

    test('are those of the file that the line names', async () => {
      const name = path.join(directory, 'two bytes')
      writeFileSync(name, bytes(0, 255))
      expect(await readBytes('file', `${name} `)).toEqual(bytes(0, 255))
    })

    test('are refused if there is no such file', async () => {
      const name = path.join(directory, 'none')
      await expect(async () => readBytes('file', name)).rejects.toThrow(
        new InputError(`the file cannot be read: ENOENT: no such file or directory, open '${name}'`),
      )
    })

    test('are refused if the file is larger than any message may be', async () => {
      const name = path.join(directory, 'large')
      writeFileSync(name, '')
      truncateSync(name, MAX_INPUT_BYTES + 1)
      await expect(async () => readBytes('file', name)).rejects.toThrow(
        'a file must have at most 67108864 bytes',
      )
    })
  })
})
