const UNICODE = 'ASCII, ümlaut, ελληνικά, 日本語, العربية, 🪢⚓🚢'
const SENTENCE = 'A hawser is a thick rope for mooring or towing a ship. '

/** @param {number} length 0: a few scripts and symbols @returns {string} text that compresses well */
export function sampleText(length) {
  return length === 0 ? UNICODE : SENTENCE.repeat(Math.ceil(length / SENTENCE.length)).slice(0, length)
}

/** @param {number} length @returns {Uint8Array<ArrayBuffer>} bytes that do not compress */
export function sampleBytes(length) {
  const bytes = new Uint8Array(length)
  // A generator of 32 bits (xorshift) is random enough, and fast enough for megabytes.
  const words = new Uint32Array(bytes.buffer, 0, length >>> 2)
  let state = 0x2545f491
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  return bytes
}
