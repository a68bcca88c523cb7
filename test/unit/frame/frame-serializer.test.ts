import {
  frameFirstByte,
  serializeFrame,
  writeMaskingKey,
  type FrameFields,
} from '../../../src/frame/frame-serializer.js'
import { Opcode } from '../../../src/frame/opcode.js'
import { frame, hex, KEY, OP, readFrames } from '../../helpers/frame-builder.js'

/** The key of RFC 6455 5.7, first octet lowest. */
const KEY_NUMBER = 0x3d21fa37

describe('RFC 6455 5.2: a frame as bytes', () => {
  test('text and bytes are serialized without a mask', () => {
    expect(serializeFrame({ opcode: Opcode.TEXT, payload: 'Hello' })).toEqual(hex('81 05 48 65 6c 6c 6f'))
    expect(serializeFrame({ opcode: Opcode.BINARY, payload: Uint8Array.of(1, 255) })).toEqual(
      hex('82 02 01 ff'),
    )
    expect(serializeFrame({ opcode: Opcode.PING })).toEqual(hex('89 00'))
  })

  test('a frame with a masking key is masked', () => {
    expect(serializeFrame({ opcode: Opcode.TEXT, payload: 'Hello', maskingKey: KEY_NUMBER })).toEqual(
      hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'),
    )
    expect(serializeFrame({ opcode: Opcode.CLOSE, maskingKey: 0 })).toEqual(hex('88 80 00 00 00 00'))
  })

  test('a signed and an unsigned masking key give the same frame', () => {
    const [signed, unsigned] = [-1, 0xffff_ffff].map((maskingKey) =>
      serializeFrame({ opcode: Opcode.TEXT, payload: 'a', maskingKey }),
    )
    expect(signed).toEqual(hex('81 81 ff ff ff ff 9e'))
    expect(unsigned).toEqual(signed)
  })

  test('FIN and RSV1 are set as the caller asks', () => {
    expect(serializeFrame({ opcode: Opcode.TEXT, fin: false })).toEqual(hex('01 00'))
    expect(serializeFrame({ opcode: Opcode.CONTINUATION, fin: false })).toEqual(hex('00 00'))
    expect(serializeFrame({ opcode: Opcode.CONTINUATION })).toEqual(hex('80 00'))
    expect(serializeFrame({ opcode: Opcode.BINARY, rsv1: true })).toEqual(hex('c2 00'))
    expect(serializeFrame({ opcode: Opcode.TEXT, rsv1: true, fin: false })).toEqual(hex('41 00'))
  })

  test.each([0, 1, 125, 126, 127, 128, 65_535, 65_536, 70_001])(
    'a payload of %i bytes is serialized with the shortest length',
    (length) => {
      const payload = Buffer.alloc(length, 'abc\u00ff')
      expect(
        serializeFrame({ opcode: Opcode.BINARY, payload }).equals(frame({ opcode: OP.BINARY, payload })),
      ).toBe(true)
      const masked = serializeFrame({ opcode: Opcode.BINARY, payload, maskingKey: KEY_NUMBER })
      expect(masked.equals(frame({ opcode: OP.BINARY, payload, key: KEY }))).toBe(true)
    },
  )

  test.each([
    '',
    'a',
    'é',
    '€',
    '\u{1f600}',
    'a\ud800b',
    '\udc00',
    '\ufeff',
    '€'.repeat(50),
    'x'.repeat(65_536),
  ])('text is written as UTF-8, lone surrogates as U+FFFD (%#)', (payload) => {
    for (const key of [{}, { maskingKey: KEY_NUMBER }]) {
      const { frames, rest } = readFrames(serializeFrame({ opcode: Opcode.TEXT, payload, ...key }))
      expect(rest).toHaveLength(0)
      expect(frames).toHaveLength(1)
      expect(frames[0]?.payload.equals(new TextEncoder().encode(payload))).toBe(true)
    }
  })

  test("the caller's bytes are never changed, and the frame never shares them", () => {
    for (const length of [5, 300]) {
      const payload = new Uint8Array(length).fill(7)
      const bytes = serializeFrame({ opcode: Opcode.BINARY, payload, maskingKey: KEY_NUMBER })
      expect(payload).toEqual(new Uint8Array(length).fill(7))
      expect(bytes.buffer).not.toBe(payload.buffer)
    }
  })
})

describe('a wrong field throws at once', () => {
  test.each([
    [{ opcode: 3 }, RangeError, 'opcode must be 0, 1, 2, 8, 9 or 10, not 3'],
    [{ opcode: 11 }, RangeError, 'opcode must be 0, 1, 2, 8, 9 or 10, not 11'],
    [{ opcode: 16 }, RangeError, 'opcode must be 0, 1, 2, 8, 9 or 10, not 16'],
    [{ opcode: -1 }, RangeError, 'opcode must be 0, 1, 2, 8, 9 or 10, not -1'],
    [{ opcode: '1' }, TypeError, 'opcode must be 0, 1, 2, 8, 9 or 10, not "1"'],
    [{}, TypeError, 'opcode must be 0, 1, 2, 8, 9 or 10, not undefined'],
    [{ opcode: 1, payload: 5 }, TypeError, 'payload must be a string or a Uint8Array, not 5'],
    [{ opcode: 1, payload: null }, TypeError, 'payload must be a string or a Uint8Array, not null'],
    [
      { opcode: 2, payload: new Float64Array(2) },
      TypeError,
      'payload must be a string or a Uint8Array, not an object',
    ],
    [
      { opcode: 9, fin: false },
      TypeError,
      'fin must be true: a control frame is never fragmented (RFC 6455 5.5)',
    ],
    [
      { opcode: 10, payload: 'x'.repeat(126) },
      RangeError,
      'payload of a control frame must have 0 to 125 bytes, not 126',
    ],
    [
      { opcode: 8, payload: '€'.repeat(42) },
      RangeError,
      'payload of a control frame must have 0 to 125 bytes, not 126',
    ],
    [
      { opcode: 0, rsv1: true },
      TypeError,
      'rsv1 must be false: it belongs to the first frame of a message (RFC 7692 6.1)',
    ],
    [
      { opcode: 9, rsv1: true },
      TypeError,
      'rsv1 must be false: it belongs to the first frame of a message (RFC 7692 6.1)',
    ],
    [
      { opcode: 1, maskingKey: 2 ** 32 },
      RangeError,
      'maskingKey must be an integer from -2147483648 to 4294967295, not 4294967296',
    ],
    [
      { opcode: 1, maskingKey: 0.5 },
      RangeError,
      'maskingKey must be an integer from -2147483648 to 4294967295, not 0.5',
    ],
    [
      { opcode: 1, maskingKey: null },
      TypeError,
      'maskingKey must be an integer from -2147483648 to 4294967295, not null',
    ],
  ])('serializeFrame(%j) throws', (fields, type, message) => {
    const run = (): Buffer => serializeFrame(fields as unknown as FrameFields)
    expect(run).toThrow(type)
    expect(run).toThrow(message)
  })

  test('a control frame may have 125 bytes of payload', () => {
    expect(serializeFrame({ opcode: Opcode.PING, payload: 'x'.repeat(125) })).toHaveLength(127)
  })
})

describe('the parts of a header', () => {
  test('writeMaskingKey puts the lowest octet first', () => {
    const target = Buffer.alloc(8, 0xee)
    expect(writeMaskingKey(target, 2, KEY_NUMBER)).toBe(6)
    expect(target).toEqual(hex('ee ee 37 fa 21 3d ee ee'))
    writeMaskingKey(target, 0, -2)
    expect(target).toEqual(hex('fe ff ff ff 21 3d ee ee'))
  })

  test('frameFirstByte combines FIN, RSV1 and the opcode', () => {
    expect(frameFirstByte(1, false, false)).toBe(0x01)
    expect(frameFirstByte(1, true, false)).toBe(0x81)
    expect(frameFirstByte(2, false, true)).toBe(0x42)
    expect(frameFirstByte(2, true, true)).toBe(0xc2)
  })
})
