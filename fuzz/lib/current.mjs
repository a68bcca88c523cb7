/**
 * The input that runs now, in a file: it is there also where the process ends without a word, or never comes back. The file
 * begins with the number of the execution and the length of the input, 4 bytes each.
 */
import { existsSync, openSync, readFileSync, writeSync } from 'node:fs'

const HEADER_BYTES = 8

export class CurrentInput {
  #descriptor
  #bytes
  #number = 0

  /** @param {string} file @param {number} maxBytes of an input */
  constructor(file, maxBytes) {
    this.#descriptor = openSync(file, 'w')
    this.#bytes = Buffer.alloc(HEADER_BYTES + maxBytes)
  }

  /** @param {Buffer} input */
  write(input) {
    this.#number = (this.#number + 1) >>> 0
    this.#bytes.writeUInt32LE(this.#number, 0)
    this.#bytes.writeUInt32LE(input.length, 4)
    this.#bytes.set(input, HEADER_BYTES)
    writeSync(this.#descriptor, this.#bytes, 0, HEADER_BYTES + input.length, 0)
  }
}

/** @param {string} file @returns {{ number: number, input: Buffer }} number 0: none has run */
export function readCurrent(file) {
  const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0)
  if (bytes.length < HEADER_BYTES) return { number: 0, input: Buffer.alloc(0) }
  const length = bytes.readUInt32LE(4)
  return { number: bytes.readUInt32LE(0), input: bytes.subarray(HEADER_BYTES, HEADER_BYTES + length) }
}
