import type { MessageData } from '../connection/message-data.js'

/** Whether a value is sent as a binary message. */
export const isBytes = (value: unknown): value is Exclude<MessageData, string> =>
  ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer

/** Whether a reply is a Blob. What throws when it is looked at is none. */
export function isBlob(value: unknown): value is Blob {
  if (typeof value !== 'object') return false
  try {
    return value instanceof Blob
  } catch {
    return false
  }
}

/** The bytes of a Blob. What it throws, a class of the application's own perhaps, is a rejection. */
export const bytesOf = async (blob: Blob): Promise<ArrayBuffer> => blob.arrayBuffer()

/** A reply that consists of parts. */
export type AnyIterable = AsyncIterable<unknown> | Iterable<unknown>

/**
 * Whether a value is a reply in parts: an async iterable or a generator, and without a codec any other iterable that is
 * neither text nor bytes. With a codec an array or a Set is a value.
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
