import type { MessageData } from '../connection/message-data.js'

/** Whether a handler returned a promise, or what acts as one. */
export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'

/** Whether this goes out as a binary message. */
export const isBytes = (value: unknown): value is Exclude<MessageData, string> =>
  ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer

/** Whether this is a reply in parts. */
export const isStream = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as { [Symbol.asyncIterator]?: unknown })[Symbol.asyncIterator] === 'function'
