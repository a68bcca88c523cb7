/** Whether a value is a promise, or acts as one. A value whose `then` throws when it is read counts as one that rejects. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== 'object' || value === null) return false
  try {
    return typeof (value as { then?: unknown }).then === 'function'
  } catch {
    return true
  }
}

/** A value that Hawser's own calls return: it is never a reply, even where a short arrow function returns it. */
export abstract class NoReply {
  /** Makes the type nominal; it does not exist at run time. */
  declare private readonly isNoReply: true
}
