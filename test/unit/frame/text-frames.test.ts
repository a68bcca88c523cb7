/** Short texts as frames in one go, and a long one masked as it is encoded. */
import * as textFrames from '../../../src/frame/text-frames.js'
import { lane } from '../../../src/native/simd.js'
import { KEY, readFrames, xor } from '../../helpers/frame-builder.js'
import { loadNative } from '../../helpers/load-native.js'

const { masksText, writeMaskedText, writeTextFrames } = textFrames

const KEY_NUMBER = 0x3d21fa37
const TEXTS = ['one', '', 'x'.repeat(125), 'last']
const TOGETHER = TEXTS.join('')
const LENGTHS = TEXTS.map((text) => text.length)

test('masksText says whether WebAssembly is there', () => {
  expect(masksText()).toBe(lane.isOpen)
})

describe('RFC 6455 5.2: a frame for each of several short texts', () => {
  test.each([false, true])('has FIN, the opcode of text and its payload; masked: %p', (isMasked) => {
    const bytes = TEXTS.reduce((sum, { length }) => sum + 2 + (isMasked ? 4 : 0) + length, 0)
    const target = Buffer.alloc(bytes + 6, 0xee)
    expect(writeTextFrames(TOGETHER, LENGTHS, TEXTS.length, isMasked, target, 3)).toBe(lane.isOpen)
    expect([...target.subarray(0, 3), ...target.subarray(-3)]).toEqual(Array.from({ length: 6 }, () => 0xee))
    if (!lane.isOpen) return
    const { frames, rest } = readFrames(target.subarray(3, -3))
    expect(rest).toHaveLength(0)
    expect(frames.map(({ fin, opcode, key, text }) => [fin, opcode, key !== null, text])).toEqual(
      TEXTS.map((text) => [true, 1, isMasked, text]),
    )
  })

  test('is masked with a key of its own (section 5.3)', () => {
    if (!lane.isOpen) return
    const target = Buffer.alloc(64 * 7)
    expect(writeTextFrames('a'.repeat(64), new Array<number>(64).fill(1), 64, true, target, 0)).toBe(true)
    const keys = new Set(Array.from({ length: 64 }, (_, i) => target.readUInt32BE(7 * i + 2)))
    expect(keys.size).toBeGreaterThan(60)
    // No key is used twice (section 10.3).
    expect(writeTextFrames('a'.repeat(64), new Array<number>(64).fill(1), 64, true, target, 0)).toBe(true)
    const again = Array.from({ length: 64 }, (_, i) => target.readUInt32BE(7 * i + 2))
    expect(again.filter((key) => keys.has(key)).length).toBeLessThan(4)
  })

  test('is not written where one is not ASCII', () => {
    const target = Buffer.alloc(20, 0xee)
    expect(writeTextFrames('a\u00e9', [1, 1], 2, false, target, 0)).toBe(false)
    expect(target).toEqual(Buffer.alloc(20, 0xee))
  })
})

test('without WebAssembly nothing is written, and the caller is told', () => {
  const off = loadNative<typeof textFrames>('off', '../frame/text-frames')
  const target = Buffer.alloc(20, 0xee)
  expect(off.masksText()).toBe(false)
  expect(off.writeTextFrames('ab', [1, 1], 2, true, target, 0)).toBe(false)
  expect(off.writeTextFrames('', [0, 0], 2, false, target, 0)).toBe(false)
  expect(target).toEqual(Buffer.alloc(20, 0xee))
})

describe('RFC 6455 5.3: a long text', () => {
  test('is masked as it is encoded, where it is ASCII', () => {
    if (!lane.isOpen) return
    const text = 'Hello, '.repeat(10_000)
    const target = Buffer.alloc(text.length + 4, 0xee)
    expect(writeMaskedText(text, target, 2, KEY_NUMBER)).toBe(true)
    expect(target.subarray(2, -2).equals(xor(Buffer.from(text), KEY))).toBe(true)
    expect([...target.subarray(0, 2), ...target.subarray(-2)]).toEqual([0xee, 0xee, 0xee, 0xee])
    expect(writeMaskedText(`${text}\u00e9`, Buffer.alloc(text.length + 2), 0, KEY_NUMBER)).toBe(false)
  })
})
