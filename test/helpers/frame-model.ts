/** The frames in some bytes, by a reader that is plain and slow: what a parser is compared with. Shares nothing with src. */
import { xor, type MaskingKey } from './frame-builder.js'

/** A frame, or the start of it, joined from any number of parts. */
export interface SeenFrame {
  readonly opcode: number
  readonly fin: boolean
  readonly rsv1: boolean
  readonly payloadLength: number
  /** The received payload as latin1. */
  payload: string
  isWhole: boolean
}

/** What the bytes hold, up to the violation. */
export interface ParserOutcome {
  readonly frames: SeenFrame[]
  violation: string | null
}

/** The options of a parser, all of them given. */
export interface ModelOptions {
  readonly role: 'client' | 'server'
  readonly allowRsv1: boolean
  readonly maxFrameBytes: number
  readonly maxMessageBytes: number
  readonly maxCompressedBytes: number
}

/**
 * The rules of RFC 6455 section 5 over bytes that are all there, in the order of the bytes, with no state but
 * the position: what the parser must find, in whatever pieces the bytes come.
 */
export function modelFrames(bytes: Buffer, options: ModelOptions): ParserOutcome {
  const outcome: ParserOutcome = { frames: [], violation: null }
  const masked = options.role === 'server'
  let at = 0
  let message: { total: bigint; limit: number } | null = null
  const fail = (code: string): ParserOutcome => ({ ...outcome, violation: `HAWSER_${code}` })
  while (at < bytes.length) {
    const left = bytes.length - at
    const first = bytes.readUInt8(at)
    const [fin, rsv1] = [first >= 128, Math.floor(first / 64) % 2 === 1]
    const opcode = first % 16
    const isControl = opcode >= 8
    const reserved = Math.floor(first / 16) % 4 !== 0
    if (reserved || (rsv1 && !options.allowRsv1)) return fail('RESERVED_BITS')
    if (![0, 1, 2, 8, 9, 10].includes(opcode)) return fail('RESERVED_OPCODE')
    if (isControl && !fin) return fail('FRAGMENTED_CONTROL')
    if (opcode === 0 && message === null) return fail('UNEXPECTED_CONTINUATION')
    if (!isControl && opcode !== 0 && message !== null) return fail('EXPECTED_CONTINUATION')
    if (rsv1 && opcode !== 1 && opcode !== 2) return fail('RESERVED_BITS')
    if (left < 2) break
    const second = bytes.readUInt8(at + 1)
    if (second >= 128 !== masked) return fail(masked ? 'EXPECTED_MASK' : 'UNEXPECTED_MASK')
    const field = second % 128
    if (isControl && field > 125) return fail('CONTROL_TOO_LONG')
    const lengthEnd = field === 126 ? 4 : field === 127 ? 10 : 2
    if (field === 127 && left > 2 && bytes.readUInt8(at + 2) >= 128) return fail('INVALID_LENGTH')
    if (left < lengthEnd) break
    const length =
      field === 126
        ? BigInt(bytes.readUInt16BE(at + 2))
        : field === 127
          ? bytes.readBigUInt64BE(at + 2)
          : BigInt(field)
    if (field === 126 && length < 126n) return fail('NON_MINIMAL_LENGTH')
    if (field === 127 && length < 65_536n) return fail('NON_MINIMAL_LENGTH')
    if (!isControl) {
      if (Number(length) > options.maxFrameBytes) return fail('FRAME_TOO_BIG')
      message ??= { total: 0n, limit: rsv1 ? options.maxCompressedBytes : options.maxMessageBytes }
      message.total += length
      if (Number(message.total) > message.limit) return fail('MESSAGE_TOO_BIG')
    }
    const headerEnd = lengthEnd + (masked ? 4 : 0)
    if (left < headerEnd) break
    const raw = bytes.subarray(at + headerEnd, at + headerEnd + Number(length))
    const key = [...bytes.subarray(at + lengthEnd, at + headerEnd)] as unknown as MaskingKey
    const payload = (masked ? xor(raw, key) : raw).toString('latin1')
    const isWhole = raw.length === Number(length)
    outcome.frames.push({ opcode, fin, rsv1, payloadLength: Number(length), payload, isWhole })
    if (!isControl && fin) message = null
    at += headerEnd + raw.length
  }
  return outcome
}
