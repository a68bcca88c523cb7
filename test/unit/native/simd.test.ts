import { spawnSync } from 'node:child_process'
import path from 'node:path'
import type * as Simd from '../../../src/native/simd.js'
import {
  framesWorks,
  joinWorks,
  maskWorks,
  openLane,
  READ_BYTES,
  utf16Works,
  walkWorks,
  type LaneExports,
} from '../../../src/native/simd-probe.js'
import { frames, KEY, xor } from '../../helpers/frame-builder.js'
import { loadNative } from '../../helpers/load-native.js'

const root = path.join(__dirname, '../../..')
/** The key of RFC 6455 5.7, first octet lowest. */
const KEY_NUMBER = 0x3d21fa37

const assembly = (globalThis as unknown as { WebAssembly: Record<'Module' | 'Instance', unknown> })
  .WebAssembly

describe('the WebAssembly of src/native', () => {
  test('is what its source gives', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/assemble.mjs', '--check'], {
      cwd: root,
      encoding: 'utf8',
    })
    expect([status, stderr]).toEqual([0, ''])
  })

  test('opens here', () => {
    expect(openLane()).not.toBeNull()
  })

  test('has a memory that cannot grow, so that views of it stay valid', () => {
    const { memory } = openLane() as unknown as { memory: { grow(pages: number): number } }
    expect(() => memory.grow(1)).toThrow(RangeError)
  })

  test.each<[string, unknown]>([
    ['there is no WebAssembly', undefined],
    [
      'a policy forbids to compile',
      {
        ...assembly,
        Module: class {
          constructor() {
            throw new Error('Wasm code generation disallowed by embedder')
          }
        },
      },
    ],
    [
      'there is no memory for an instance',
      {
        Module: assembly.Module,
        Instance: class {
          constructor() {
            throw new RangeError('could not allocate memory')
          }
        },
      },
    ],
    ['the exports are others', { Module: assembly.Module, Instance: class {} }],
  ])('does not open where %s', (_name, given) => {
    expect(openLane(given ?? null)).toBeNull()
  })
})

describe('the probe of masking', () => {
  type Mask = LaneExports['mask']
  test.each<[string, (mask: Mask, bytes: Buffer) => Mask]>([
    ['writes nothing', () => () => 0],
    ['finds no byte above 0x7f', (mask) => (to, at, end, key) => mask(to, at, end, key) & 0],
    ['finds one where there is none', (mask) => (to, at, end, key) => mask(to, at, end, key) | 1],
    ['leaves the last byte out', (mask) => (to, at, end, key) => mask(to, at, end - 1, key)],
    ['masks one byte too many', (mask) => (to, at, end, key) => mask(to, at, end + 1, key)],
    ['turns the key', (mask) => (to, at, end, key) => mask(to, at, end, (key >>> 8) | (key << 24))],
    ['only masks in place', (mask) => (_to, at, end, key) => mask(at, at, end, key)],
    [
      'writes before its range',
      (mask, bytes) => (to, at, end, key) => {
        bytes[to - 1] = 0x41
        return mask(to, at, end, key)
      },
    ],
  ])('fails where it %s', (_name, change) => {
    const found = openLane() as LaneExports
    expect(maskWorks({ ...found, mask: change(found.mask, Buffer.from(found.memory.buffer)) })).toBe(false)
    expect(maskWorks(found)).toBe(true)
  })
})

describe('the probe of joining fragments', () => {
  type Join = LaneExports['join']
  test.each<[string, (join: Join, results: Int32Array, bytes: Buffer) => Join]>([
    ['takes nothing', () => () => 0],
    ['takes too many bytes', (join) => (at, end, maskBit, frame) => join(at, end, maskBit, frame, 1000)],
    [
      'takes what is cut',
      (join) =>
        (at, _end, ...rest) =>
          join(at, 61440 + 26, ...rest),
    ],
    [
      'does not tell the last',
      (join, results) =>
        (...given) => {
          const frames = join(...given)
          results[2] = 0
          return frames
        },
    ],
    [
      'finds only ASCII',
      (join, results) =>
        (...given) => {
          const frames = join(...given)
          results[3] = 0
          return frames
        },
    ],
    [
      'leaves the bytes masked',
      (join, _results, bytes) =>
        (at, ...given) => {
          const before = Buffer.from(bytes.subarray(at, at + 30))
          const frames = join(at, ...given)
          before.copy(bytes, at)
          return frames
        },
    ],
  ])('fails where it %s', (_name, change) => {
    const found = openLane() as LaneExports
    const { buffer } = found.memory
    const join = change(found.join, new Int32Array(buffer, 0, 4), Buffer.from(buffer))
    expect(joinWorks({ ...found, join })).toBe(false)
    expect(joinWorks(found)).toBe(true)
  })
})

describe('the probe of walking messages', () => {
  type Walk = LaneExports['walk']
  test.each<[string, (walk: Walk, numbers: Int32Array, bytes: Buffer) => Walk]>([
    ['takes nothing', () => () => 0],
    [
      'takes what is too long',
      (walk) => (at, end, firstByte, maskBit) => walk(at, end, firstByte, maskBit, 125),
    ],
    [
      'takes what is cut',
      (walk) =>
        (at, _end, ...rest) =>
          walk(at, 61440 + 34, ...rest),
    ],
    [
      'only takes text',
      (walk) =>
        (at, end, _firstByte, ...rest) =>
          walk(at, end, 0x81, ...rest),
    ],
    [
      'does not tell where it stopped',
      (walk, numbers) =>
        (...given) => {
          const count = walk(...given)
          numbers[0] = 0
          return count
        },
    ],
    [
      'does not tell where the messages are',
      (walk, numbers) =>
        (...given) => {
          const count = walk(...given)
          numbers.fill(0, 256, 260)
          return count
        },
    ],
    [
      'leaves text that is not ASCII unmasked',
      (walk, _numbers, bytes) =>
        (...given) => {
          const count = walk(...given)
          bytes.set([0xc3, 0xa9], 61440 + 24)
          return count
        },
    ],
  ])('fails where it %s', (_name, change) => {
    const found = openLane() as LaneExports
    const { buffer } = found.memory
    const walk = change(found.walk, new Int32Array(buffer, 0, 512), Buffer.from(buffer))
    expect(walkWorks({ ...found, walk })).toBe(false)
    expect(walkWorks(found)).toBe(true)
  })
})

describe('the probe of making frames', () => {
  type Frames = LaneExports['frames']
  test.each<[string, (frames: Frames) => Frames]>([
    ['writes nothing', () => (_from, _count, _maskBit, to) => to],
    ['masks nothing', (frames) => (from, count, _maskBit, to) => frames(from, count, 0, to)],
    ['masks everything', (frames) => (from, count, _maskBit, to) => frames(from, count, 0x80, to)],
    [
      'leaves the last out',
      (frames) =>
        (from, count, ...rest) =>
          frames(from, count - 1, ...rest),
    ],
  ])('fails where it %s', (_name, change) => {
    const found = openLane() as LaneExports
    expect(framesWorks({ ...found, frames: change(found.frames) })).toBe(false)
    expect(framesWorks(found)).toBe(true)
  })
})

describe('the probe of decoding', () => {
  test.each<[string, (found: LaneExports, results: Int32Array) => Partial<LaneExports>]>([
    ['writes nothing', () => ({ utf16: () => 2 })],
    ['takes everything for text', ({ utf16 }) => ({ utf16: (...given) => Math.max(utf16(...given), 0) })],
    ['takes nothing for text', () => ({ utf16: () => -1 })],
    [
      'takes all text for Latin-1',
      ({ utf16 }, results) => ({
        utf16: (...given) => {
          const units = utf16(...given)
          results[4] = 0
          return units
        },
      }),
    ],
    ['narrows nothing', () => ({ narrow: () => undefined })],
  ])('fails where it %s', (_name, change) => {
    const found = openLane() as LaneExports
    const changed = { ...found, ...change(found, new Int32Array(found.memory.buffer, 0, 5)) }
    expect(utf16Works(changed)).toBe(false)
    expect(utf16Works(found)).toBe(true)
  })
})

describe.each(['on', 'off'] as const)('the lane, HAWSER_NATIVE=%s', (value) => {
  const { lane } = loadNative<typeof Simd>(value, 'simd')
  const isOn = value === 'on'

  test('is open where src/native is on', () => {
    expect(lane.isOpen).toBe(isOn)
  })

  test('decodes text where it is open and Node is slow at it: before 24', () => {
    const isSlow = Number.parseInt(process.versions.node, 10) < 24
    expect(lane.maxTextBytes).toBe(isOn && isSlow ? 65536 : 0)
    const bytes = Buffer.from('a\u00e9\u20ac')
    if (isOn) expect(lane.decode(bytes, 0, bytes.length)).toBe('a\u00e9\u20ac')
    else expect(() => lane.decode(bytes, 0, 0)).toThrow('the lane is not open')
  })

  test('encodes text that is ASCII, masked, where it is open', () => {
    if (!isOn) {
      expect(lane.writeMasked('a', Buffer.alloc(1), 0, 0)).toBe(false)
      return
    }
    // Around the length of a part, which is a multiple of the key's.
    for (const length of [1, 16_383, 16_384, 16_385, 40_001]) {
      const text = 'abcdefghijk'.repeat(4000).slice(0, length)
      const target = Buffer.alloc(length + 2, 0xee)
      expect(lane.writeMasked(text, target, 1, KEY_NUMBER)).toBe(true)
      expect([target[0], target[length + 1]]).toEqual([0xee, 0xee])
      const key = Buffer.alloc(4)
      key.writeInt32LE(KEY_NUMBER)
      const plain = target.subarray(1, length + 1).map((byte, i) => byte ^ key[i & 3]!)
      expect(Buffer.from(plain).toString('latin1')).toBe(text)
      for (const odd of ['\u00e9', '\u20ac', '\ud83d']) {
        expect(lane.writeMasked(text.slice(1) + odd, target, 1, KEY_NUMBER)).toBe(false)
      }
    }
    // As many bytes as a part has, in fewer units than it has.
    expect(lane.writeMasked('\u00e9'.repeat(16_384), Buffer.alloc(16_384), 0, KEY_NUMBER)).toBe(false)
  })

  test('gives one buffer of 260 KiB, and of it what was read', () => {
    const { readBuffer } = lane
    expect(Buffer.isBuffer(readBuffer)).toBe(true)
    expect(readBuffer.length).toBe(READ_BYTES)
    expect(lane.readBuffer).toBe(readBuffer)
    readBuffer.write('Hello')
    const chunk = lane.lend(5)
    expect(chunk.toString()).toBe('Hello')
    expect(lane.chunk).toBe(isOn ? chunk : null)
  })

  test('masks the chunk in place only where it is open', () => {
    lane.readBuffer.write('xHello')
    lane.lend(6)
    if (isOn) {
      expect(lane.maskChunk(1, 6, KEY_NUMBER)).toBe(false)
      expect(lane.readBuffer.subarray(0, 6)).toEqual(
        Buffer.concat([Buffer.from('x'), xor(Buffer.from('Hello'), KEY)]),
      )
      expect(lane.maskChunk(1, 6, KEY_NUMBER)).toBe(true)
    } else {
      expect(() => lane.maskChunk(1, 6, KEY_NUMBER)).toThrow('the lane is not open')
    }
  })

  test('walks messages of the chunk in place, and of any other in a copy, only where it is open', () => {
    const sent = frames(
      { opcode: 1, payload: 'ab', key: KEY },
      { opcode: 1, payload: Buffer.alloc(200, 'c'), key: KEY },
      { opcode: 9, key: KEY },
    )
    lane.readBuffer.set(sent)
    const chunk = lane.lend(sent.length)
    const bounds: number[] = []
    const other = Buffer.from(sent)
    const walk = (given: Buffer, start: number): number =>
      lane.walk(given, start, sent.length, 0x81, 0x80, 512, bounds)
    if (!isOn) {
      expect(() => walk(other, 0)).toThrow('the lane is not open')
      return
    }
    expect(walk(other, 8)).toBe(1)
    expect(other).toEqual(sent)
    expect(bounds).toEqual([8, 208])
    expect(lane.walkedIn.toString('latin1', 8, 208)).toBe('c'.repeat(200))
    expect(walk(chunk, 0)).toBe(2)
    expect(lane.walkedIn).toBe(chunk)
    expect(bounds).toEqual([6, 8, 16, 216])
    expect(chunk.toString('latin1', 6, 8)).toBe('ab')
  })

  test('makes frames of text that is ASCII only where it is open', () => {
    const target = Buffer.alloc(20)
    const make = (text: string): boolean => lane.frames(text, [3, 2], [KEY_NUMBER, 0], 2, 0x80, target, 1)
    expect(make('abcd\u00e9')).toBe(false)
    expect(make('abcde')).toBe(isOn)
    if (!isOn) {
      expect(target).toEqual(Buffer.alloc(20))
      return
    }
    const expected = frames(
      { opcode: 1, payload: 'abc', key: KEY },
      { opcode: 1, payload: 'de', key: [0, 0, 0, 0] },
    )
    expect(target.subarray(1, 18)).toEqual(expected)
    expect([target[0], target[18]]).toEqual([0, 0])
  })

  test('joins fragments of the chunk only where it is open', () => {
    const sent = frames(
      { opcode: 0, fin: false, payload: 'ab', key: KEY },
      { opcode: 0, payload: Buffer.alloc(200, 'c'), key: KEY },
      { opcode: 9, key: KEY },
    )
    lane.readBuffer.set(sent)
    const chunk = lane.lend(sent.length)
    const join = (): number => lane.join(0, sent.length, 0x80, Infinity, 2 ** 53)
    if (isOn) {
      expect(join()).toBe(2)
      expect([lane.joinedTo, lane.joinedEnd]).toEqual([sent.length - 6, 202])
      expect([lane.joinedIsLast, lane.joinedIsAscii]).toEqual([true, true])
      expect(chunk.toString('latin1', 0, 202)).toBe(`ab${'c'.repeat(200)}`)
    } else {
      expect(join).toThrow('the lane is not open')
    }
  })
})
