import { ProtocolError } from '../../../src/errors.js'
import { FramePart, FrameViolation } from '../../../src/frame/frame-event.js'
import { FrameParser } from '../../../src/frame/frame-parser.js'
import { asBuffer } from '../../../src/frame/as-buffer.js'
import { frame, KEY, OP, xor } from '../../helpers/frame-builder.js'

const KEY_NUMBER = 0x3d21fa37

/** Bytes 3 to 8 of a chunk, the sixth to the tenth of a payload of 20. */
function part(text: string, offset: number, masked = true): FramePart {
  const before = Buffer.alloc(offset)
  const plain = Buffer.concat([before, Buffer.from(text)])
  const wire = masked ? xor(plain, KEY).subarray(offset) : plain.subarray(offset)
  const source = asBuffer(Buffer.concat([Buffer.from('***'), wire, Buffer.from('***')]))
  return new FramePart(
    0x01,
    1,
    20,
    source,
    3,
    3 + wire.length,
    masked,
    masked ? KEY_NUMBER : 0,
    offset,
    offset === 0,
    offset + wire.length === 20,
  )
}

describe('RFC 6455 5.2: a part of a frame', () => {
  test.each([
    [0x01, false, false],
    [0x81, true, false],
    [0x41, false, true],
    [0xc1, true, true],
  ])('reads FIN and RSV1 from the first byte %i', (firstByte, fin, rsv1) => {
    const event = new FramePart(firstByte, 1, 0, asBuffer(Buffer.alloc(0)), 0, 0, false, 0, 0, true, true)
    expect(event).toMatchObject({ type: 'part', fin, rsv1, opcode: 1, byteLength: 0 })
  })
})

describe('RFC 6455 5.3: unmasking a part', () => {
  test.each([0, 1, 2, 3, 4, 5])(
    'payload unmasks the chunk once and in place, in the phase of offset %i',
    (offset) => {
      const event = part('Hello', offset)
      expect(event.byteLength).toBe(5)
      expect(event.isMasked).toBe(true)
      expect(event.payload.toString()).toBe('Hello')
      expect(event.isMasked).toBe(false)
      expect(event.payload.toString()).toBe('Hello')
      expect(event.source.toString()).toBe('***Hello***')
      expect(event.payload.buffer).toBe(event.source.buffer)
    },
  )

  test('unmask returns whether all bytes are ASCII', () => {
    expect(part('Hello', 2).unmask()).toBe(true)
    expect(part('Hellö', 2).unmask()).toBe(false)
  })

  test('unmask returns false if it did not check the bytes', () => {
    const event = part('Hello', 0)
    event.unmask()
    expect(event.unmask()).toBe(false)
    expect(part('Hello', 0, false).unmask()).toBe(false)
  })

  test('copyTo changes neither the chunk nor the bytes around the target', () => {
    for (const [text, ascii] of [
      ['Hello', true],
      ['Hé!!', false],
    ] as const) {
      const event = part(text, 3)
      const before = Buffer.from(event.source)
      const target = Buffer.alloc(12, '-')
      expect(event.copyTo(target, 4)).toBe(ascii)
      expect(target.toString()).toBe(`----${text}---`)
      expect(event.source.equals(before)).toBe(true)
      expect(event.isMasked).toBe(true)
    }
  })

  test('copyTo copies unchanged bytes after unmask, and for a part that was not masked', () => {
    for (const event of [part('Hello', 1), part('Hello', 0, false)]) {
      event.unmask()
      const target = Buffer.alloc(5)
      expect(event.copyTo(target, 0)).toBe(false)
      expect(target.toString()).toBe('Hello')
    }
  })
})

describe('copy of a part', () => {
  test('is unmasked and has memory of its own, and the chunk does not change', () => {
    const parser = new FrameParser({ role: 'server' })
    const chunk = frame({ opcode: OP.BINARY, payload: 'Hello', key: KEY })
    const before = Buffer.from(chunk)
    parser.push(chunk)
    const part = parser.next() as FramePart
    const copy = part.copy()
    expect(chunk).toEqual(before)
    chunk.fill(0xaa)
    expect(copy.toString()).toBe('Hello')
  })
})

describe('RFC 6455 7.1.7: a violation', () => {
  test('FrameViolation carries its error', () => {
    const error = new ProtocolError('HAWSER_RESERVED_BITS')
    expect(new FrameViolation(error)).toMatchObject({ type: 'violation', error })
  })
})
