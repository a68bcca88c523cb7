/**
 * Frames as bytes, and bytes as frames, for tests. Shares nothing with src, so that no bug can hide by being on
 * both sides: written from the figure of RFC 6455 section 5.2 alone, slowly and plainly.
 *
 * ```ts
 * frame({ opcode: 0x1, payload: 'Hello' })                              // 81 05 48 65 6c 6c 6f
 * frame({ opcode: 0x1, payload: 'Hello', key: KEY })                    // masked, as a client sends it
 * frame({ opcode: 0x9, fin: false, lengthForm: 64, payload: 'x' })      // wrong in two ways
 * frame({ opcode: 0x2, announce: 2n ** 63n, key: KEY })                 // a header that lies
 * closeFrame(1000, 'bye', { key: KEY })
 * readFrames(written).frames.map((f) => [f.opcode, f.text])             // the frames that were written
 * ```
 */

/** Four octets, in the order of the wire. */
export type MaskingKey = readonly [number, number, number, number]

/** The masking key of the examples in RFC 6455 section 5.7. */
export const KEY: MaskingKey = [0x37, 0xfa, 0x21, 0x3d]

/** Opcodes by the RFC's names, as plain numbers. */
export const OP = { CONTINUATION: 0x0, TEXT: 0x1, BINARY: 0x2, CLOSE: 0x8, PING: 0x9, PONG: 0xa } as const

/** Any frame, valid or not. Members that are left out have their valid value. */
export interface FrameSpec {
  /** 0 to 15, defined or not. */
  readonly opcode: number
  /** Text is encoded as UTF-8; bytes and lists of octets are taken as they are. Default: empty. */
  readonly payload?: string | Uint8Array | readonly number[]
  /** Default true. */
  readonly fin?: boolean
  readonly rsv1?: boolean
  readonly rsv2?: boolean
  readonly rsv3?: boolean
  /** Masks the payload and sets the MASK bit. Left out: not masked. */
  readonly key?: MaskingKey
  /** The MASK bit where it should not follow from `key`: the header then lies about the key. */
  readonly maskBit?: boolean
  /** Bits of the length field that is used, whether or not it is the shortest. Default: the shortest. */
  readonly lengthForm?: 7 | 16 | 64
  /** The length to announce where it is not that of the payload; up to 2^64 - 1, as a bigint above 2^53. */
  readonly announce?: number | bigint
}

/**
 * One frame as it goes over the wire.
 * @throws RangeError for what no header can hold (an opcode of 16, 126 in the 7-bit form)
 */
export function frame(spec: FrameSpec): Buffer {
  const payload = toBytes(spec.payload ?? '')
  return Buffer.concat([frameHeader(spec), spec.key === undefined ? payload : xor(payload, spec.key)])
}

/** The header of {@link frame} alone, the masking key included: for payloads that never come. */
export function frameHeader(spec: FrameSpec): Buffer {
  if (!Number.isInteger(spec.opcode) || spec.opcode < 0 || spec.opcode > 15) {
    throw new RangeError(`an opcode has four bits, not ${String(spec.opcode)}`)
  }
  const length = BigInt(spec.announce ?? toBytes(spec.payload ?? '').length)
  const form = spec.lengthForm ?? (length <= 125n ? 7 : length <= 65535n ? 16 : 64)
  const most = { 7: 125n, 16: 65535n, 64: 2n ** 64n - 1n }[form]
  if (length < 0n || length > most) {
    throw new RangeError(`a length of ${String(length)} does not fit into ${String(form)} bits`)
  }

  const first =
    bit(spec.fin ?? true, 7) | bit(spec.rsv1, 6) | bit(spec.rsv2, 5) | bit(spec.rsv3, 4) | spec.opcode
  const maskBit = bit(spec.maskBit ?? spec.key !== undefined, 7)
  const octets = [first]
  if (form === 7) octets.push(maskBit | Number(length))
  if (form === 16) octets.push(maskBit | 126, ...bigEndian(length, 2))
  if (form === 64) octets.push(maskBit | 127, ...bigEndian(length, 8))
  if (spec.key !== undefined) octets.push(...spec.key)
  return Buffer.from(octets)
}

/** Several frames, one after the other. */
export function frames(...specs: readonly FrameSpec[]): Buffer {
  return Buffer.concat(specs.map(frame))
}

/**
 * A Close frame.
 * @param code written as it is, legal or not; undefined for an empty body
 * @param reason text, or octets that need not be UTF-8
 * @param rest anything else about the frame
 */
export function closeFrame(
  code?: number,
  reason: string | Uint8Array | readonly number[] = '',
  rest: Partial<FrameSpec> = {},
): Buffer {
  const payload = code === undefined ? [] : [(code >> 8) & 0xff, code & 0xff, ...toBytes(reason)]
  return frame({ opcode: OP.CLOSE, payload, ...rest })
}

/**
 * A message cut into fragments: the first with the opcode, the others continuations, the last with FIN.
 * @param pieces at least one; RSV1, where `rest` sets it, stands on the first alone
 */
export function fragments(
  opcode: number,
  pieces: readonly (string | Uint8Array | readonly number[])[],
  rest: Partial<FrameSpec> = {},
): Buffer {
  return Buffer.concat(
    pieces.map((payload, i) =>
      frame({
        ...rest,
        opcode: i === 0 ? opcode : OP.CONTINUATION,
        rsv1: i === 0 && (rest.rsv1 ?? false),
        fin: i === pieces.length - 1,
        payload,
      }),
    ),
  )
}

/** A frame that {@link readFrames} found. Nothing about it is checked. */
export interface WireFrame {
  readonly fin: boolean
  readonly rsv1: boolean
  readonly rsv2: boolean
  readonly rsv3: boolean
  readonly opcode: number
  /** The key that masked it; null: not masked. */
  readonly key: MaskingKey | null
  /** The bits of the length field: anything but the shortest that fits is wrong. */
  readonly lengthForm: 7 | 16 | 64
  /** Unmasked, and a copy. */
  readonly payload: Buffer
  /** The payload as text. */
  readonly text: string
  /** The payload of a Close frame: its code, or 1005 without one. It has no meaning for other frames. */
  readonly closeCode: number
  /** The payload of a Close frame: its reason. Of no meaning for other frames. */
  readonly closeReason: string
  /** From the first octet of the header to the last of the payload. */
  readonly wireLength: number
}

/**
 * Splits bytes into frames. The bytes stay as they are.
 * @returns the complete frames, and the bytes after them
 */
export function readFrames(bytes: Uint8Array): {
  readonly frames: readonly WireFrame[]
  readonly rest: Buffer
} {
  const found: WireFrame[] = []
  let rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let one = readFrame(rest); one !== null; one = readFrame(rest)) {
    found.push(one)
    rest = rest.subarray(one.wireLength)
  }
  return { frames: found, rest }
}

/** The first frame of some bytes, its payload unmasked and copied. Null: it is not whole. */
export function readFrame(bytes: Buffer): WireFrame | null {
  if (bytes.length < 2) return null
  const first = bytes.readUInt8(0)
  const second = bytes.readUInt8(1)
  const field = second % 128
  const lengthForm = field === 126 ? 16 : field === 127 ? 64 : 7
  const lengthEnd = lengthForm === 7 ? 2 : lengthForm === 16 ? 4 : 10
  const masked = second >= 128
  const headerEnd = lengthEnd + (masked ? 4 : 0)
  if (bytes.length < headerEnd) return null
  const length =
    lengthForm === 7 ? field : lengthForm === 16 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
  if (bytes.length - headerEnd < length) return null
  const key = masked ? ([...bytes.subarray(lengthEnd, headerEnd)] as unknown as MaskingKey) : null
  const raw = bytes.subarray(headerEnd, headerEnd + length)
  const payload = key === null ? Buffer.from(raw) : xor(raw, key)
  return {
    fin: hasBit(first, 7),
    rsv1: hasBit(first, 6),
    rsv2: hasBit(first, 5),
    rsv3: hasBit(first, 4),
    opcode: first % 16,
    key,
    lengthForm,
    payload,
    text: payload.toString('utf8'),
    closeCode: payload.length < 2 ? 1005 : payload.readUInt16BE(0),
    closeReason: payload.subarray(2).toString('utf8'),
    wireLength: headerEnd + length,
  }
}

/** Octets written as hexadecimal digits: `hex('81 05 48')`. */
export function hex(digits: string): Buffer {
  const packed = digits.replaceAll(/\s/g, '')
  if (packed.length % 2 !== 0 || /[^0-9a-f]/i.test(packed)) throw new RangeError(`not octets: ${digits}`)
  return Buffer.from(packed, 'hex')
}

/** RFC 6455 section 5.3, word for word: octet i is xored with octet i modulo 4 of the key. A new buffer. */
export function xor(bytes: Uint8Array, key: MaskingKey): Buffer {
  return Buffer.from(bytes.map((octet, i) => octet ^ (key[i % 4] as number)))
}

/** A new buffer, whatever is given. */
function toBytes(payload: string | Uint8Array | readonly number[]): Buffer {
  return typeof payload === 'string' ? Buffer.from(payload, 'utf8') : Buffer.from(payload)
}

function bit(set: boolean | undefined, position: number): number {
  return set === true ? 2 ** position : 0
}

function hasBit(octet: number, position: number): boolean {
  return Math.floor(octet / 2 ** position) % 2 === 1
}

function bigEndian(value: bigint, octets: number): number[] {
  return Array.from({ length: octets }, (_, i) => Number((value >> BigInt(8 * (octets - 1 - i))) & 0xffn))
}
