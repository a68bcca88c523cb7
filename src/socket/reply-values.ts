import type { MessageData } from '../connection/message-data.js'

/** Whether a handler returned a promise, or what acts as one. One whose `then` cannot even be read rejects. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== 'object' || value === null) return false
  try {
    return typeof (value as { then?: unknown }).then === 'function'
  } catch {
    return true
  }
}

/** What Hawser's own calls give: never a reply, though a handler that is a short arrow function returns it. */
export abstract class NoReply {
  /** Told apart by its class alone. */
  declare private readonly isNoReply: true
}

/** Whether this goes out as a binary message. */
export const isBytes = (value: unknown): value is Exclude<MessageData, string> =>
  ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer

/** A reply in parts. */
export type AnyIterable = AsyncIterable<unknown> | Iterable<unknown>

/**
 * Whether this is a reply in parts: an async iterable, a generator, and without a codec any other iterable that is neither
 * text nor bytes. Under a codec an array or a Set is a value.
 */
export function isStream(value: unknown, isAnyIterable: boolean): value is AnyIterable {
  if (typeof value !== 'object' || value === null || isBytes(value)) return false
  const some = value as {
    [Symbol.asyncIterator]?: unknown
    [Symbol.iterator]?: unknown
    next?: unknown
  }
  if (typeof some[Symbol.asyncIterator] === 'function') return true
  return typeof some[Symbol.iterator] === 'function' && (isAnyIterable || typeof some.next === 'function')
}
