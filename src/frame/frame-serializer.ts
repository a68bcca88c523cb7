import { checkNumber, showValue } from '../check.js'
import {
  FIN_BIT,
  frameHeaderBytes,
  MASK_BIT,
  MASKING_KEY_BYTES,
  MAX_CONTROL_PAYLOAD_BYTES,
  RSV1_BIT,
  writeFrameHeader,
} from './header.js'
import { maskInPlace } from './masking.js'
import { isControlOpcode, isDefinedOpcode, Opcode } from './opcode.js'

/** A frame to be written. */
export interface FrameFields {
  /** The opcode. */
  readonly opcode: Opcode
  /** The payload, or text to be encoded as UTF-8. Read during the call, never changed. Default: empty. */
  readonly payload?: Uint8Array | string
  /** Default true. */
  readonly fin?: boolean
  /** Whether the message is compressed (RFC 7692 section 6): only on its first frame. Default false. */
  readonly rsv1?: boolean
  /** 32 bits, first octet lowest, from `createMaskingKey`. Without a key the frame is not masked. */
  readonly maskingKey?: number
}

/**
 * Writes a masking key, the last field of a header (RFC 6455 section 5.2).
 * @returns the index after it
 */
export function writeMaskingKey(target: Uint8Array, at: number, key: number): number {
  target[at] = key
  target[at + 1] = key >>> 8
  target[at + 2] = key >>> 16
  target[at + 3] = key >>> 24
  return at + MASKING_KEY_BYTES
}

/** Combines FIN, RSV1 and the opcode into the first byte of a frame. */
export function frameFirstByte(opcode: number, fin: boolean, rsv1: boolean): number {
  return (fin ? FIN_BIT : 0) | (rsv1 ? RSV1_BIT : 0) | opcode
}

/**
 * Serializes one frame (RFC 6455 section 5.2), its length in the shortest form.
 * @returns the frame, owned by the caller; every byte derives from the fields
 * @throws TypeError or RangeError for a field that no frame may have
 */
export function serializeFrame(fields: FrameFields): Buffer {
  const { opcode, payload = '', fin = true, rsv1 = false, maskingKey } = fields
  if (typeof opcode !== 'number' || !isDefinedOpcode(opcode)) {
    const type = typeof opcode === 'number' ? RangeError : TypeError
    throw new type(`opcode must be 0, 1, 2, 8, 9 or 10, not ${showValue(opcode)}`)
  }
  if (typeof payload !== 'string' && !(payload instanceof Uint8Array)) {
    throw new TypeError(`payload must be a string or a Uint8Array, not ${showValue(payload)}`)
  }
  const length = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength
  if (isControlOpcode(opcode)) {
    if (!fin) throw new TypeError('fin must be true: a control frame is never fragmented (RFC 6455 5.5)')
    if (length > MAX_CONTROL_PAYLOAD_BYTES) {
      throw new RangeError(`payload of a control frame must have 0 to 125 bytes, not ${String(length)}`)
    }
  }
  if (rsv1 && opcode !== Opcode.TEXT && opcode !== Opcode.BINARY) {
    throw new TypeError('rsv1 must be false: it belongs to the first frame of a message (RFC 7692 6.1)')
  }
  const isMasked = maskingKey !== undefined
  const frame = Buffer.allocUnsafe(frameHeaderBytes(length, isMasked) + length)
  let at = writeFrameHeader(frame, 0, frameFirstByte(opcode, fin, rsv1), length, isMasked ? MASK_BIT : 0)
  if (isMasked) {
    checkNumber('maskingKey', maskingKey, { min: -0x8000_0000, max: 0xffff_ffff, integer: true })
    at = writeMaskingKey(frame, at, maskingKey)
  }
  if (typeof payload === 'string') frame.write(payload, at, 'utf8')
  else frame.set(payload, at)
  if (isMasked) maskInPlace(frame, at, frame.length, maskingKey)
  return frame
}
