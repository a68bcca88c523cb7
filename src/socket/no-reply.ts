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
