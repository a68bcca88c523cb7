/** How numbers, times and bytes are written on the page. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB']

/** @param {number} bytes @returns {string} such as `1.5 KiB` */
export function formatBytes(bytes) {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || Number.isInteger(value) ? 0 : value < 10 ? 2 : 1
  return `${value.toFixed(digits)} ${UNITS[unit]}`
}

/** @param {number} ms @returns {string} such as `0.42 ms` */
export function formatMs(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`
  return `${ms.toFixed(ms < 10 ? 2 : 0)} ms`
}

const two = (number) => String(number).padStart(2, '0')

/** @param {number} at milliseconds since 1970 @returns {string} the local time of day, to the millisecond */
export function formatTime(at) {
  const date = new Date(at)
  const seconds = `${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`
  return `${two(date.getHours())}:${two(date.getMinutes())}:${seconds}`
}

/** @param {Uint8Array} bytes @returns {string} `48 65 6c` */
export function formatHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
}

/** @param {Uint8Array} bytes @returns {string} what is printable in ASCII, dots for the rest */
export function formatAscii(bytes) {
  return Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·')).join('')
}

/**
 * @param {string} digits hexadecimal, spaces between bytes or not, `0x` before them or not
 * @returns {Uint8Array<ArrayBuffer> | null} null: that is no hexadecimal
 */
export function parseHex(digits) {
  const plain = digits.replace(/0x/gi, '').replace(/[\s,]+/g, '')
  if (plain.length % 2 !== 0 || /[^0-9a-f]/i.test(plain)) return null
  const bytes = new Uint8Array(plain.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(plain.slice(i * 2, i * 2 + 2), 16)
  return bytes
}
