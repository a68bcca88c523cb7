import { setTimeout as delay } from 'node:timers/promises'
import { showValue } from '../check.js'
import { PublishError } from '../errors.js'
import type { HistoryLimits, Position } from '../recovery/history.js'
import { answerMs } from './answer-time.js'

/** A message that waits to be appended. */
export interface WaitingMessage {
  readonly isText: boolean
  readonly bytes: Buffer
}

/** Messages of one group that are appended together. */
export interface Batch {
  readonly group: string
  readonly messages: readonly WaitingMessage[]
  readonly bytes: number
  readonly limits: HistoryLimits
  /** Until when, by `performance.now()`. */
  readonly deadline: number
}

/** What limits an {@link AppendQueue}. */
export interface AppendQueueLimits {
  readonly maxMessageBytes: number
  readonly maxQueuedBytes: number
  readonly timeoutMs: number
}

interface Entry extends WaitingMessage {
  readonly limits: HistoryLimits
  readonly deadline: number
  readonly resolve: (position: Position) => void
  readonly reject: (error: Error) => void
}

/** How long `close` waits at most. */
const CLOSE_WAIT_MS = 2000
const MAX_BATCH_MESSAGES = 128
const MAX_BATCH_BYTES = 512 * 1024
/** A batch has the deadline of its first message: one that may wait longer than that by this goes into the next. */
const MAX_BATCH_SPREAD_MS = 500
/** What a message, or a command, costs beside its bytes. */
const OVERHEAD_BYTES = 256

const sameLimits = (a: HistoryLimits, b: HistoryLimits): boolean =>
  a.maxMessages === b.maxMessages && a.maxAgeMs === b.maxAgeMs

/**
 * What waits to be appended. The messages of a group leave in the order of the calls, one batch at a time: what comes while one is
 * on its way forms the next. Groups do not wait for each other.
 */
export class AppendQueue {
  private readonly lanes = new Map<string, Entry[]>()
  private readonly running = new Set<Promise<void>>()
  private readonly limits: AppendQueueLimits
  private readonly send: (batch: Batch) => Promise<readonly (Position | Error)[]>
  private heldBytes = 0

  /** @param send appends a batch, and answers for each of its messages */
  constructor(limits: AppendQueueLimits, send: (batch: Batch) => Promise<readonly (Position | Error)[]>) {
    this.limits = limits
    this.send = send
  }

  /** Takes room for a command that is on its way. @returns gives it back @throws RangeError if there is none */
  hold(bytes: number, isAdmitted = false): () => void {
    if (!isAdmitted && !this.hasRoom(bytes)) throw new RangeError(this.fullText())
    const taken = bytes + OVERHEAD_BYTES
    this.heldBytes += taken
    return () => {
      this.heldBytes -= taken
    }
  }

  /** @throws rejects with a PublishError that says what became of the message */
  async append(group: string, data: string | Uint8Array, limits: HistoryLimits): Promise<Position> {
    // A copy: the caller may change its bytes.
    const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data)
    const { maxMessageBytes, timeoutMs } = this.limits
    if (bytes.length > maxMessageBytes) {
      throw new PublishError(
        'HAWSER_PUBLISH_TOO_BIG',
        `a message for group ${showValue(group)} has ${String(bytes.length)} bytes, and maxMessageBytes is ${String(maxMessageBytes)}`,
      )
    }
    if (!this.hasRoom(bytes.length)) throw new PublishError('HAWSER_PUBLISH_QUEUE_FULL', this.fullText())
    const release = this.hold(bytes.length)
    try {
      return await new Promise<Position>((resolve, reject) => {
        const deadline = performance.now() + answerMs(timeoutMs, limits)
        this.add(group, { isText: typeof data === 'string', bytes, limits, deadline, resolve, reject })
      })
    } finally {
      release()
    }
  }

  /** Waits for what was appended, a while. More may be appended: other servers may use the store too. */
  async close(): Promise<void> {
    const ended = new AbortController()
    const timeUp = delay(CLOSE_WAIT_MS, undefined, { signal: ended.signal }).catch(() => undefined)
    await Promise.race([timeUp, Promise.all(this.running)])
    ended.abort()
  }

  private hasRoom(bytes: number): boolean {
    return this.heldBytes + bytes + OVERHEAD_BYTES <= this.limits.maxQueuedBytes
  }

  private fullText(): string {
    const { heldBytes, limits } = this
    return `${String(heldBytes)} bytes wait for an answer already, and maxQueuedBytes is ${String(limits.maxQueuedBytes)}`
  }

  private add(group: string, entry: Entry): void {
    const lane = this.lanes.get(group)
    if (lane !== undefined) {
      lane.push(entry)
      return
    }
    const entries = [entry]
    this.lanes.set(group, entries)
    const running = this.run(group, entries).then(() => {
      this.running.delete(running)
    })
    this.running.add(running)
  }

  private async run(group: string, lane: Entry[]): Promise<void> {
    // What is appended in this turn leaves together.
    await Promise.resolve()
    for (;;) {
      rejectLate(group, lane)
      if (lane.length === 0) break
      const entries = takeBatch(lane)
      const { limits, deadline } = entries[0] as Entry
      const bytes = entries.reduce((sum, entry) => sum + entry.bytes.length, 0)
      try {
        const results = await this.send({ group, messages: entries, bytes, limits, deadline })
        entries.forEach(({ resolve, reject }, i) => {
          const result = results[i] as Position | Error
          if (result instanceof Error) reject(result)
          else resolve(result)
        })
      } catch (error) {
        for (const { reject } of entries) reject(error as Error)
      }
    }
    this.lanes.delete(group)
  }
}

/** Messages whose time is over leave alone: their batch would have none, and those behind them have some. */
function rejectLate(group: string, lane: Entry[]): void {
  const now = performance.now()
  let count = 0
  while ((lane[count]?.deadline ?? Infinity) <= now) count++
  if (count === 0) return
  const text = `appending to the history of group ${showValue(group)} failed: the time was over before its turn: it was not sent`
  for (const { reject } of lane.splice(0, count)) reject(new PublishError('HAWSER_NOT_PUBLISHED', text))
}

function takeBatch(lane: Entry[]): readonly Entry[] {
  const { limits, deadline } = lane[0] as Entry
  let count = 0
  let bytes = 0
  for (const entry of lane) {
    bytes += entry.bytes.length
    if (count === MAX_BATCH_MESSAGES || !sameLimits(entry.limits, limits)) break
    if (count > 0 && (bytes > MAX_BATCH_BYTES || entry.deadline > deadline + MAX_BATCH_SPREAD_MS)) break
    count++
  }
  return lane.splice(0, count)
}
