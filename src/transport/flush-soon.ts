/** What has output to write before the event loop goes on from this turn. */
export interface Flushable {
  /** Whether it waits in the outbox already. */
  isQueued: boolean
  flush(): void
}

let queue: Flushable[] = []

/**
 * Writes once for all that is sent in one go: what user code sends outside the handling of a chunk is written
 * behind the code that runs now, in one write for each connection. A microtask or a `nextTick` for each
 * message would be one closure a message; here it is one for all.
 */
export function flushSoon(item: Flushable): void {
  if (item.isQueued) return
  item.isQueued = true
  queue.push(item)
  if (queue.length === 1) process.nextTick(flushAll)
}

/** Writes at once what waits for the end of this turn: the process ends. */
export function flushNow(): void {
  flushAll()
}

function flushAll(): void {
  const items = queue
  queue = []
  let next = 0
  try {
    while (next < items.length) {
      const item = items[next++] as Flushable
      item.isQueued = false
      item.flush()
    }
  } finally {
    // A stream of the caller's own making may throw: the other connections get their turn all the same.
    if (next < items.length) {
      queue = [...items.slice(next), ...queue]
      process.nextTick(flushAll)
    }
  }
}
