import { isThenable } from '../check.js'
import { toError } from '../errors.js'
import type { HistoryLimits, HistoryPage, HistoryStore, KeptMessage, Position } from './history.js'
import { isEpoch, isOffset } from './wire.js'

/** What a message that waits costs in memory beside its data, roughly, in bytes. */
const PENDING_BYTES = 256

/** An outage that has caused no failure for this time, in milliseconds, is over, also if its group is not asked for any more. */
const OUTAGE_MS = 60_000

interface Outage {
  readonly group: string
  failedAt: number
}

/** The history, as a server uses it: what it answers is checked, waited for within a time, and its failures are reported. */
export class HistoryAccess {
  /** Calls that failed. */
  errors = 0
  /** Bytes of messages that it has not taken yet. */
  pendingBytes = 0
  /** How many these messages are. */
  private pending = 0
  private readonly store: HistoryStore
  private readonly limits: HistoryLimits
  private readonly timeoutMs: number
  private readonly report: (error: Error) => void
  /** The outages, by method: each is reported once, and lasts until the group that failed first works again. */
  private readonly down = new Map<string, Outage>()
  /** Reads that are under way: who asks the same meanwhile gets the same answer. */
  private readonly reads = new Map<string, Promise<HistoryPage>>()

  constructor(store: HistoryStore, limits: HistoryLimits, timeoutMs: number, report: (error: Error) => void) {
    this.store = store
    this.limits = limits
    this.timeoutMs = timeoutMs
    this.report = report
  }

  /** @throws or rejects with what the history failed with, after it was reported */
  append(group: string, data: string | Uint8Array): Position | Promise<Position> {
    const bytes = data.length
    const answer = this.call('append', group, () => this.store.append(group, data, this.limits), readPosition)
    if (!(answer instanceof Promise)) return answer
    this.pendingBytes += bytes
    this.pending++
    return answer.finally(() => {
      this.pendingBytes -= bytes
      this.pending--
    })
  }

  /** Whether a message of this size may wait for the history too. One alone always may. */
  admits(bytes: number, maxPendingBytes: number): boolean {
    const { pending, pendingBytes } = this
    return pending === 0 || pendingBytes + bytes + pending * PENDING_BYTES <= maxPendingBytes
  }

  /** @throws or rejects with what the history failed with, after it was reported */
  read(group: string, after: number, maxMessages: number): HistoryPage | Promise<HistoryPage> {
    const key = `${String(after)} ${String(maxMessages)} ${group}`
    const running = this.reads.get(key)
    if (running !== undefined) return running
    const answer = this.call(
      'read',
      group,
      () => this.store.read(group, after, maxMessages, this.limits),
      (page) => readPage(page, after, maxMessages),
    )
    if (!(answer instanceof Promise)) return answer
    this.reads.set(key, answer)
    const end = (): void => {
      this.reads.delete(key)
    }
    answer.then(end, end)
    return answer
  }

  close(): void {
    try {
      const closed: unknown = this.store.close?.()
      if (!isThenable(closed)) return
      Promise.resolve(closed).catch((error: unknown) => {
        this.fail('close', '', error)
      })
    } catch (error) {
      this.fail('close', '', error)
    }
  }

  private call<T>(
    method: string,
    group: string,
    call: () => unknown,
    check: (answer: unknown) => T | null,
  ): T | Promise<T> {
    const read = (answer: unknown): T => {
      const value = check(answer)
      if (value === null) throw new TypeError(`history.${method} gave what is not an answer`)
      if (this.down.get(method)?.group === group) this.down.delete(method)
      return value
    }
    try {
      const answer = call()
      if (!isThenable(answer)) return read(answer)
      const failed = (thrown: unknown): never => {
        throw this.fail(method, group, thrown)
      }
      return this.within(method, answer).then(read).catch(failed)
    } catch (error) {
      throw this.fail(method, group, error)
    }
  }

  private within(method: string, answer: PromiseLike<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`history.${method} did not answer within ${String(this.timeoutMs)} ms`))
      }, this.timeoutMs)
      timer.unref()
      Promise.resolve(answer)
        .then(resolve, reject)
        .finally(() => {
          clearTimeout(timer)
        })
    })
  }

  private fail(method: string, group: string, thrown: unknown): Error {
    const error = new Error(`the history failed: ${toError(thrown).message}`, { cause: thrown })
    this.errors++
    const failedAt = performance.now()
    const outage = this.down.get(method)
    if (outage !== undefined && failedAt - outage.failedAt < OUTAGE_MS) {
      outage.failedAt = failedAt
      return error
    }
    this.down.set(method, { group, failedAt })
    this.report(error)
    return error
  }
}

function readPosition(answer: unknown): Position | null {
  const { epoch, offset } = (answer ?? {}) as Partial<Record<keyof Position, unknown>>
  return isEpoch(epoch) && isOffset(offset) && offset > 0 ? { epoch, offset } : null
}

function readPage(answer: unknown, after: number, maxMessages: number): HistoryPage | null {
  const { epoch, newest, oldest, messages } = (answer ?? {}) as Partial<Record<keyof HistoryPage, unknown>>
  if (!isEpoch(epoch) || !isOffset(newest) || !isOffset(oldest) || !Array.isArray(messages)) return null
  if (oldest < 1 || oldest > newest + 1) return null
  const first = Math.max(after + 1, oldest)
  // The reader asks for what follows: an empty page, where there is something, would be read again at once, for ever.
  if (messages.length === 0 && maxMessages > 0 && first <= newest) return null
  const isWhole = messages.every((message, i) => isKept(message) && message.offset === first + i)
  return isWhole ? { epoch, newest, oldest, messages: messages as KeptMessage[] } : null
}

function isKept(value: unknown): value is KeptMessage {
  const { offset, data } = (value ?? {}) as Partial<Record<keyof KeptMessage, unknown>>
  return isOffset(offset) && (typeof data === 'string' || data instanceof Uint8Array)
}
