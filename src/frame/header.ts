/** The bits and widths of a frame header (RFC 6455 section 5.2). */
import { checkNumber } from '../check.js'

export const FIN_BIT = 0x80
export const RSV1_BIT = 0x40
export const RSV2_BIT = 0x20
export const RSV3_BIT = 0x10
/** All that RFC 6455 section 5.2 leaves to extensions. */
export const RESERVED_BITS = RSV1_BIT | RSV2_BIT | RSV3_BIT
export const OPCODE_BITS = 0x0f
export const MASK_BIT = 0x80
export const LENGTH_BITS = 0x7f

/** Value of the length field: the next 2 bytes hold the length. */
export const PAYLOAD_LENGTH_16 = 126
/** Value of the length field: the next 8 bytes hold the length. */
export const PAYLOAD_LENGTH_64 = 127

/** The longest header: 2 bytes, 8 bytes of length, 4 bytes of masking key. */
export const MAX_HEADER_BYTES = 14
export const MASKING_KEY_BYTES = 4
/** The longest payload of a control frame (RFC 6455 section 5.5). */
export const MAX_CONTROL_PAYLOAD_BYTES = 125
/** A control payload minus the two bytes of the close code. */
export const MAX_CLOSE_REASON_BYTES = 123

/**
 * Checks which reserved bits have a meaning.
 * @returns the same
 * @throws TypeError or RangeError for anything but a sum of RSV1_BIT, RSV2_BIT and RSV3_BIT
 */
export function checkReservedBits(bits: unknown): number {
  const checked = checkNumber('reservedBits', bits, { min: 0, max: RESERVED_BITS, integer: true })
  if ((checked & ~RESERVED_BITS) === 0) return checked
  throw new RangeError(`reservedBits must be a sum of 16, 32 and 64, not ${String(checked)}`)
}

/** The length of a frame's header in bytes. */
export function frameHeaderBytes(payloadLength: number, masked: boolean): number {
  const base = payloadLength < PAYLOAD_LENGTH_16 ? 2 : payloadLength <= 0xffff ? 4 : 10
  return masked ? base + MASKING_KEY_BYTES : base
}

/**
 * Writes a frame header without its masking key, the length in the shortest form.
 * @param firstByte FIN, RSV1 to RSV3 and the opcode
 * @param maskBit {@link MASK_BIT} if the caller writes a masking key after the header, else 0
 * @returns the index after the last byte written
 */
export function writeFrameHeader(
  target: Uint8Array,
  at: number,
  firstByte: number,
  payloadLength: number,
  maskBit: number,
): number {
  target[at] = firstByte
  if (payloadLength < PAYLOAD_LENGTH_16) {
    target[at + 1] = maskBit | payloadLength
    return at + 2
  }
  if (payloadLength <= 0xffff) {
    target[at + 1] = maskBit | PAYLOAD_LENGTH_16
    target[at + 2] = payloadLength >>> 8
    target[at + 3] = payloadLength & 0xff
    return at + 4
  }
  target[at + 1] = maskBit | PAYLOAD_LENGTH_64
  const high = Math.floor(payloadLength / 0x1_0000_0000)
  target[at + 2] = 0
  target[at + 3] = high >>> 16
  target[at + 4] = (high >>> 8) & 0xff
  target[at + 5] = high & 0xff
  target[at + 6] = (payloadLength >>> 24) & 0xff
  target[at + 7] = (payloadLength >>> 16) & 0xff
  target[at + 8] = (payloadLength >>> 8) & 0xff
  target[at + 9] = payloadLength & 0xff
  return at + 10
}

/** A masking key, first octet lowest. */
export function readMaskingKey(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  )
}

/** A number of four bytes, highest first. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) * 0x100_0000 +
    (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))
  )
}
