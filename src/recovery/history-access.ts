import { isThenable } from '../check.js'
import { PublishError, toError } from '../errors.js'
import type { HistoryLimits, HistoryPage, HistoryStore, KeptMessage, Position } from './history.js'
import type { ResolvedRecovery } from './options.js'
import { ReadTurns } from './read-turns.js'
import { isEpoch, isOffset } from './wire.js'

/** What a message that waits costs in memory beside its data, roughly, in bytes. */
const PENDING_BYTES = 256

/** An outage that has caused no failure for this time, in milliseconds, is over, also if its group is not asked for any more. */
const OUTAGE_MS = 60_000

/** What a store refuses of itself, however well it works. */
const REFUSALS: ReadonlySet<string> = new Set(['HAWSER_PUBLISH_TOO_BIG', 'HAWSER_PUBLISH_QUEUE_FULL'])

interface Outage {
  readonly group: string
  failedAt: number
}

/** How many servers of this process use a store: it is closed with the last of them. */
const users = new WeakMap<HistoryStore, number>()

/** What the history of a server is, and how it is used. */
export type HistorySettings = Pick<
  ResolvedRecovery,
  'history' | 'maxMessages' | 'maxAgeMs' | 'historyTimeoutMs' | 'maxConcurrentReads'
>

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
  private readonly turns: ReadTurns
  private isClosed = false
  private readonly report: (error: Error) => void
  /** The outages, by method: each is reported once, and lasts until the group that failed first works again. */
  private readonly down = new Map<string, Outage>()
  /** Reads that are under way: who asks the same meanwhile gets the same answer. */
  private readonly reads = new Map<string, Promise<HistoryPage>>()

  constructor(settings: HistorySettings, report: (error: Error) => void) {
    const { history, maxMessages, maxAgeMs, historyTimeoutMs, maxConcurrentReads } = settings
    this.store = history
    this.limits = { maxMessages, maxAgeMs, timeoutMs: historyTimeoutMs }
    this.timeoutMs = historyTimeoutMs
    this.turns = new ReadTurns(maxConcurrentReads)
    this.report = report
    users.set(history, (users.get(history) ?? 0) + 1)
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
    const answer = this.turns.isFull
      ? this.readInTurn(group, after, maxMessages)
      : this.readNow(group, after, maxMessages)
    if (!(answer instanceof Promise)) return answer
    this.reads.set(key, answer)
    const end = (): void => {
      this.reads.delete(key)
    }
    answer.then(end, end)
    return answer
  }

  /** Closes the store, if no other server of this process uses it. */
  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    const others = (users.get(this.store) ?? 1) - 1
    users.set(this.store, others)
    if (others > 0) return
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

  /** A turn is free. */
  private readNow(group: string, after: number, maxMessages: number): HistoryPage | Promise<HistoryPage> {
    this.turns.begin()
    return this.readOnce(group, after, maxMessages)
  }

  private async readInTurn(group: string, after: number, maxMessages: number): Promise<HistoryPage> {
    if (!(await this.turns.wait(this.timeoutMs))) {
      throw this.fail(
        'read',
        group,
        new Error(
          `history.read had no turn within ${String(this.timeoutMs)} ms, as ${String(this.turns.max)} others are under way, recovery.maxConcurrentReads`,
        ),
      )
    }
    // With what is left of the wait, a healthy store would be given up after a few milliseconds, and read again for nothing.
    return this.readOnce(group, after, maxMessages)
  }

  /** The turn has begun. It ends with the answer, or with the time for it. */
  private readOnce(group: string, after: number, maxMessages: number): HistoryPage | Promise<HistoryPage> {
    const end = (): void => {
      this.turns.end()
    }
    let answer
    try {
      answer = this.call(
        'read',
        group,
        () => this.store.read(group, after, maxMessages, this.limits),
        (page) => readPage(page, after, maxMessages),
      )
    } catch (error) {
      end()
      throw error
    }
    if (answer instanceof Promise) return answer.finally(end)
    end()
    return answer
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
    const message = `the history failed: ${toError(thrown).message}`
    const error = method === 'append' ? publishError(message, thrown) : new Error(message, { cause: thrown })
    this.errors++
    if (error instanceof PublishError && REFUSALS.has(error.code)) return error
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

/** What became of a message is what the store says; what else it fails with says nothing of that. */
function publishError(message: string, thrown: unknown): PublishError {
  return new PublishError(
    thrown instanceof PublishError ? thrown.code : 'HAWSER_MAYBE_PUBLISHED',
    message,
    thrown,
  )
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
