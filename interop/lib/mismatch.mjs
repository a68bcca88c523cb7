import { isDeepStrictEqual } from 'node:util'

/** Something else happened than what is right. */
export class Mismatch extends Error {}

const SHOWN_CHARACTERS = 60

function show(value) {
  if (Buffer.isBuffer(value)) return `${String(value.length)} bytes ${value.subarray(0, 16).toString('hex')}`
  const text = JSON.stringify(value) ?? 'undefined'
  return text.length <= SHOWN_CHARACTERS
    ? text
    : `${text.slice(0, SHOWN_CHARACTERS)}... (${String(text.length)} characters)`
}

/** @throws Mismatch */
export function expectEqual(found, expected) {
  const isEqual = Buffer.isBuffer(expected)
    ? Buffer.isBuffer(found) && found.equals(expected)
    : isDeepStrictEqual(found, expected)
  if (!isEqual) throw new Mismatch(`${show(found)} instead of ${show(expected)}`)
}

/** @template T @param {Promise<T>} promise @param {number} timeoutMs @param {string} what @returns {Promise<T>} */
export async function within(promise, timeoutMs, what) {
  let timer
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Mismatch(`${what}: nothing within ${String(timeoutMs / 1000)} s`)),
      timeoutMs,
    )
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}
