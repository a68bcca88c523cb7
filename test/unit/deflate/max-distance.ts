/**
 * The furthest that a raw DEFLATE stream looks back, and what it inflates to: a plain inflater after RFC 1951 that
 * shares nothing with zlib, which does not hold a compressor to its window.
 */

const LENGTH_BASE = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195,
  227, 258,
]
const LENGTH_EXTRA = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0]
const DISTANCE_BASE = [
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097,
  6145, 8193, 12289, 16385, 24577,
]
const DISTANCE_EXTRA = [
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]
const CODE_LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]

type Code = Map<string, number>

/** RFC 1951 section 3.2.2: canonical codes from their lengths; the key is the code's bits. */
function huffman(lengths: readonly number[]): Code {
  const code: Code = new Map()
  let next = 0
  for (let bits = 1; bits <= 15; bits++) {
    lengths.forEach((length, symbol) => {
      if (length === bits) code.set((next++).toString(2).padStart(bits, '0'), symbol)
    })
    next *= 2
  }
  return code
}

const FIXED_LITERALS = huffman(
  Array.from({ length: 288 }, (_, i) => (i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8)),
)
const FIXED_DISTANCES = huffman(Array.from({ length: 30 }, () => 5))

/** @param stream blocks up to the end of the last byte; ends at a block's end, final or not */
export function inflatePlainly(stream: Uint8Array): { output: Buffer; maxDistance: number } {
  let position = 0
  const output: number[] = []
  let maxDistance = 0

  const bit = (): number => {
    const byte = stream[position >> 3]
    if (byte === undefined) throw new Error('the stream breaks off')
    return (byte >> (position++ & 7)) & 1
  }
  const bits = (count: number): number => {
    let value = 0
    for (let i = 0; i < count; i++) value |= bit() << i
    return value
  }
  const symbol = (code: Code): number => {
    for (let key = ''; key.length < 16;) {
      key += String(bit())
      const found = code.get(key)
      if (found !== undefined) return found
    }
    throw new Error('no such code')
  }
  const dynamic = (): [Code, Code] => {
    const literalCount = bits(5) + 257
    const distanceCount = bits(5) + 1
    const codeLengths = new Array<number>(19).fill(0)
    const count = bits(4) + 4
    for (let i = 0; i < count; i++) codeLengths[CODE_LENGTH_ORDER[i]!] = bits(3)
    const code = huffman(codeLengths)
    const lengths: number[] = []
    while (lengths.length < literalCount + distanceCount) {
      const value = symbol(code)
      if (value < 16) lengths.push(value)
      else if (value === 16) lengths.push(...new Array<number>(bits(2) + 3).fill(lengths.at(-1)!))
      else lengths.push(...new Array<number>(value === 17 ? bits(3) + 3 : bits(7) + 11).fill(0))
    }
    return [huffman(lengths.slice(0, literalCount)), huffman(lengths.slice(literalCount))]
  }

  while (position < stream.length * 8) {
    const isFinal = bit() === 1
    const type = bits(2)
    if (type === 0) {
      position = (position + 7) & ~7
      const length = bits(16)
      if (bits(16) !== (length ^ 0xffff)) throw new Error('the lengths of a stored block differ')
      for (let i = 0; i < length; i++) output.push(bits(8))
      continue
    }
    const [literals, distances] = type === 1 ? [FIXED_LITERALS, FIXED_DISTANCES] : dynamic()
    for (;;) {
      const value = symbol(literals)
      if (value === 256) break
      if (value < 256) {
        output.push(value)
        continue
      }
      const length = LENGTH_BASE[value - 257]! + bits(LENGTH_EXTRA[value - 257]!)
      const distanceCode = symbol(distances)
      const distance = DISTANCE_BASE[distanceCode]! + bits(DISTANCE_EXTRA[distanceCode]!)
      if (distance > output.length) throw new Error('a distance before the beginning')
      maxDistance = Math.max(maxDistance, distance)
      for (let i = 0; i < length; i++) output.push(output[output.length - distance]!)
    }
    if (isFinal) position = (position + 7) & ~7
  }
  return { output: Buffer.from(output), maxDistance }
}
