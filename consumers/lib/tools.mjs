/** What the programs have in common: waiting, with a limit; payloads that are the same in each run; figures. */
import { createHash } from 'node:crypto'

const WAIT_MS = 15_000

/** @returns {Promise<any>} what the promise gives. @throws Error with the name of what did not come in time */
export async function within(promise, what, limitMs = WAIT_MS) {
  let timer
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${String(limitMs)} ms`)), limitMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** The arguments of the next such event. An 'error' meanwhile is not caught here: it ends the program. */
export const once = (emitter, event, limitMs) =>
  within(new Promise((resolve) => emitter.once(event, (...args) => resolve(args))), `'${event}'`, limitMs)

/** A promise and its two ends. */
export function deferred() {
  let resolve
  let reject
  const promise = new Promise((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  return { promise, resolve, reject }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until the condition holds. @returns what it gave then */
export async function until(condition, what, limitMs = WAIT_MS) {
  const end = performance.now() + limitMs
  for (;;) {
    const value = await condition()
    if (value) return value
    if (performance.now() > end) throw new Error(`${what} did not happen within ${String(limitMs)} ms`)
    await sleep(10)
  }
}

/** @returns {Promise<number>} the port, on 127.0.0.1 */
export async function listen(server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}

export const close = (server) =>
  within(new Promise((resolve) => server.close(resolve)), 'the end of the server')

/** Text of this many characters, the same each time: not one letter over and over. */
export const textOf = (length) =>
  Array.from({ length: Math.ceil(length / 8) }, (_, index) =>
    ((index * 2_654_435_761) >>> 0).toString(16).padStart(8, '0'),
  )
    .join('')
    .slice(0, length)

export const bytesOf = (length) => Buffer.from(textOf(length), 'latin1')

/** A short name for bytes or text, for results: equal on both sides, or something was lost. */
export function digest(data) {
  const bytes = typeof data === 'string' ? Buffer.from(data) : toBuffer(data)
  return `${String(bytes.length)}:${createHash('sha1').update(bytes).digest('hex').slice(0, 10)}`
}

/** Bytes in whatever form they were delivered: Buffer, ArrayBuffer, a view, or the fragments of a message. */
export function toBuffer(data) {
  if (data === undefined) return Buffer.alloc(0)
  if (Array.isArray(data)) return Buffer.concat(data)
  if (data instanceof ArrayBuffer) return Buffer.from(data)
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

/**
 * Messages a second there and back, with some of them under way at a time.
 * @param {{ count?: number, underWay?: number, send: () => void, onAnswer: (answered: () => void) => void }} options `onAnswer`
 *   is called once: it arranges that `answered` is called for each answer
 */
export async function echoRate({ count = 10_000, underWay = 64, send, onAnswer }) {
  const all = deferred()
  let sent = 0
  let received = 0
  onAnswer(() => {
    received += 1
    if (received === count) all.resolve()
    else if (sent < count) {
      sent += 1
      send()
    }
  })
  const began = performance.now()
  while (sent < underWay) {
    sent += 1
    send()
  }
  await within(all.promise, `${String(count)} answers`, 60_000)
  return Math.round(count / ((performance.now() - began) / 1000))
}
