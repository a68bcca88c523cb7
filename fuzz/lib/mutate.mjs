/** Changes inputs, a little at a time, as libFuzzer and AFL do. */

/** Bytes at which formats change what they mean: of WebSocket frames, of HTTP, of UTF-8. */
const TURNING_POINTS = [
  0x00, 0x01, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a, 0xc1, 0xc0, 0xc2, 0xe0, 0xed, 0xf0, 0xf4,
  0xf8, 0xfe, 0xff, 0x20, 0x09, 0x0d, 0x0a, 0x22, 0x2c, 0x3a, 0x3b, 0x3d, 0x5c, 0x30, 0x31, 0x39, 0x41, 0x61,
]

const MAX_REPEATS = 300
const MAX_CHANGES = 4

export class Mutator {
  #random
  #maxBytes
  #words

  /**
   * @param {import('./random.mjs').Random} random
   * @param {{ maxBytes: number, words: readonly Buffer[] }} options `words`: what the code compares with
   */
  constructor(random, { maxBytes, words }) {
    this.#random = random
    this.#maxBytes = maxBytes
    this.#words = words
  }

  /** @param {Buffer} input not changed @param {Buffer} other a second input, to take parts of @returns {Buffer} */
  mutate(input, other) {
    let bytes = input
    for (let changes = 1 + this.#random.below(MAX_CHANGES); changes > 0; changes--) {
      bytes = this.#change(bytes, other)
    }
    return bytes.subarray(0, this.#maxBytes)
  }

  #change(bytes, other) {
    const random = this.#random
    const at = random.below(bytes.length + 1)
    if (bytes.length === 0) return this.#insert(bytes, 0, this.#part(other))
    switch (random.below(15)) {
      case 0:
      case 1:
        return this.#overwrite(bytes, at, Buffer.of(random.below(256)))
      case 2:
        return this.#overwrite(bytes, at, Buffer.of(random.pick(TURNING_POINTS)))
      case 3:
        return this.#flip(bytes, random.below(bytes.length))
      case 4:
        return this.#erase(bytes, at, 1 + random.below(4))
      case 5:
        return this.#erase(bytes, at, 1 + random.below(bytes.length))
      case 6:
        return this.#insert(bytes, at, Buffer.of(random.pick(TURNING_POINTS)))
      case 7:
        return this.#insert(bytes, at, Buffer.alloc(1 + random.below(MAX_REPEATS), random.below(256)))
      case 8:
        return this.#insert(bytes, at, this.#part(bytes))
      case 9:
        return this.#overwrite(bytes, at, this.#part(bytes))
      case 10:
        return this.#insert(bytes, at, this.#part(other))
      case 11:
        return this.#overwrite(bytes, at, this.#part(other))
      case 12:
        return this.#add(bytes, random.below(bytes.length))
      case 13:
        return this.#changeDigit(bytes)
      default: {
        if (this.#words.length === 0) return this.#flip(bytes, random.below(bytes.length))
        const word = random.pick(this.#words)
        return random.below(2) === 0 ? this.#insert(bytes, at, word) : this.#overwrite(bytes, at, word)
      }
    }
  }

  #part(bytes) {
    if (bytes.length === 0) return Buffer.of(this.#random.below(256))
    const start = this.#random.below(bytes.length)
    return bytes.subarray(start, start + 1 + this.#random.below(Math.min(64, bytes.length - start)))
  }

  #insert(bytes, at, inserted) {
    return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)])
  }

  #overwrite(bytes, at, over) {
    return Buffer.concat([bytes.subarray(0, at), over, bytes.subarray(at + over.length)])
  }

  #erase(bytes, at, count) {
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + count)])
  }

  #flip(bytes, at) {
    const flipped = Buffer.from(bytes)
    flipped[at] ^= 1 << this.#random.below(8)
    return flipped
  }

  /** A digit becomes another. */
  #changeDigit(bytes) {
    const places = [...bytes.keys()].filter((at) => bytes[at] >= 0x30 && bytes[at] <= 0x39)
    if (places.length === 0) return this.#flip(bytes, this.#random.below(bytes.length))
    return this.#overwrite(bytes, this.#random.pick(places), Buffer.of(0x30 + this.#random.below(10)))
  }

  /** Adds a little to a number of 1 or 2 bytes. */
  #add(bytes, at) {
    const added = Buffer.from(bytes)
    const by = this.#random.below(33) - 16
    if (at + 1 < bytes.length && this.#random.below(2) === 0)
      added.writeUInt16BE((added.readUInt16BE(at) + by) & 0xffff, at)
    else added[at] += by
    return added
  }
}
