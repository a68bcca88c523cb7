import * as header from '../../../src/frame/header.js'
import { hex } from '../../helpers/frame-builder.js'

const { frameHeaderBytes, MASK_BIT, writeFrameHeader } = header

describe('RFC 6455 5.2: the bits and widths of a header', () => {
  test('the constants are those of the figure in the RFC', () => {
    expect(header).toMatchObject({
      FIN_BIT: 0b1000_0000,
      RSV1_BIT: 0b0100_0000,
      RSV2_BIT: 0b0010_0000,
      RSV3_BIT: 0b0001_0000,
      OPCODE_BITS: 0b0000_1111,
      MASK_BIT: 0b1000_0000,
      LENGTH_BITS: 0b0111_1111,
      PAYLOAD_LENGTH_16: 126,
      PAYLOAD_LENGTH_64: 127,
      MASKING_KEY_BYTES: 4,
      MAX_HEADER_BYTES: 2 + 8 + 4,
      MAX_CONTROL_PAYLOAD_BYTES: 125,
      MAX_CLOSE_REASON_BYTES: 125 - 2,
    })
  })

  test.each([
    [0, 2],
    [125, 2],
    [126, 4],
    [65_535, 4],
    [65_536, 10],
    [2 ** 53 - 1, 10],
  ])('a payload of %i bytes has a header of %i bytes, and of 4 more with a mask', (length, size) => {
    expect(frameHeaderBytes(length, false)).toBe(size)
    expect(frameHeaderBytes(length, true)).toBe(size + 4)
  })
})

describe('RFC 6455 5.2: the length is written in its shortest form', () => {
  test.each([
    [0, '82 00'],
    [1, '82 01'],
    [125, '82 7d'],
    [126, '82 7e 00 7e'],
    [256, '82 7e 01 00'],
    [65_535, '82 7e ff ff'],
    [65_536, '82 7f 00 00 00 00 00 01 00 00'],
    [0x7fff_ffff, '82 7f 00 00 00 00 7f ff ff ff'],
    [0x8000_0000, '82 7f 00 00 00 00 80 00 00 00'],
    [0x1_0000_0000, '82 7f 00 00 00 01 00 00 00 00'],
    [0x12_3456_789a_bcde, '82 7f 00 12 34 56 78 9a bc de'],
    [2 ** 53 - 1, '82 7f 00 1f ff ff ff ff ff ff'],
  ])('a payload of %i bytes has the header %s', (length, digits) => {
    const expected = hex(digits)
    for (const at of [0, 3]) {
      const target = Buffer.alloc(20, 0xee)
      expect(writeFrameHeader(target, at, 0x82, length, 0)).toBe(at + expected.length)
      expect(target.subarray(at, at + expected.length).toString('hex')).toBe(expected.toString('hex'))
      // No other byte is written, not even zeros.
      expect(Buffer.concat([target.subarray(0, at), target.subarray(at + expected.length)])).toEqual(
        Buffer.alloc(20 - expected.length, 0xee),
      )
    }
  })

  test.each([125, 65_535, 65_536])(
    'the header for a payload of %i bytes has the MASK bit if the caller asks for it',
    (length) => {
      const [plain, masked] = [Buffer.alloc(14), Buffer.alloc(14)]
      writeFrameHeader(plain, 0, 0x81, length, 0)
      writeFrameHeader(masked, 0, 0x81, length, MASK_BIT)
      plain[1] = (plain[1] as number) + 128
      expect(masked).toEqual(plain)
    },
  )

  test('the first byte is written as given', () => {
    for (let firstByte = 0; firstByte < 256; firstByte++) {
      const target = new Uint8Array(2)
      writeFrameHeader(target, 0, firstByte, 0, 0)
      expect(target[0]).toBe(firstByte)
    }
  })
})
