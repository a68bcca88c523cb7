import {
  number,
  oneOf,
  readOptions,
  refusePromise,
  showKind,
  showValue,
  unchecked,
  type Checks,
} from '../check.js'
import { PublishError, toError } from '../errors.js'
import type { HistoryLimits, HistoryPage, KeptMessage, Position } from '../recovery/history.js'
import { answerMs } from './answer-time.js'
import { AppendQueue, type Batch } from './append-queue.js'
import {
  HISTORY_CHECKS,
  refuseBare,
  type BrokerHistory,
  type BrokerHistoryOptions,
  type ResolvedBrokerHistoryOptions,
} from './history-options.js'
import { retried } from './nats-attempts.js'
import { GroupStreams, MAX_AGE_MS, NS_PER_MS } from './nats-group-streams.js'
import { LostError, NatsLine, type NatsHistoryConnection } from './nats-line.js'
import { isUnheard, JetStreamError, NatsStreams } from './nats-stream.js'
import { subjectPrefix } from './nats-subjects.js'

/** The options of {@link jetStreamHistory}. */
export interface JetStreamHistoryOptions extends BrokerHistoryOptions {
  /** The application's connection, which connects again by itself. Others may use it too. */
  readonly connection: NatsHistoryConnection
  /** Where the streams are. `memory` is lost with its server. Default `file`. */
  readonly storage?: 'file' | 'memory' | undefined
  /** How many servers of a cluster have each stream, 1 to 5. Default 1. */
  readonly replicas?: number | undefined
}

const CHECKS = {
  ...HISTORY_CHECKS,
  prefix: subjectPrefix,
  connection: unchecked<NatsHistoryConnection>(),
  storage: oneOf(['file', 'memory'], 'file'),
  replicas: number({ min: 1, max: 5, integer: true }, 1),
} satisfies Checks<JetStreamHistoryOptions>

interface Resolved extends ResolvedBrokerHistoryOptions {
  readonly storage: 'file' | 'memory'
  readonly replicas: number
}

/**
 * Keeps histories in JetStream (NATS 2.9 or later): a stream for each group. Requests go through the application's own connection,
 * which stays open.
 * @example
 * ```ts
 * const connection = await connect({ servers: 'nats://localhost:4222' })
 * const history = jetStreamHistory({ connection })
 * const server = new WebSocketServer({ recovery: { history, groups: ['room:*'] } })
 * ```
 * @throws TypeError for anything but a connection; TypeError or RangeError for a wrong option
 */
export function jetStreamHistory(options: JetStreamHistoryOptions): BrokerHistory {
  refuseBare('jetStreamHistory', 'connection', options, isConnection)
  const { connection, ...rest } = readOptions('options', options, CHECKS)
  if (!isConnection(connection)) {
    refusePromise(connection, 'connection must be a connection to NATS, not a promise: await it')
    throw new TypeError(`connection must be a connection to NATS, not ${showKind(connection)}`)
  }
  return new JetStreamHistory(connection, rest)
}

const METHODS = ['request', 'flush', 'status', 'isClosed'] as const

const isConnection = (value: unknown): value is NatsHistoryConnection =>
  typeof value === 'object' &&
  value !== null &&
  METHODS.every((name) => typeof (value as Partial<Record<string, unknown>>)[name] === 'function')

/** So many messages are asked for at once. */
const MAX_REQUESTS = 64

class JetStreamHistory implements BrokerHistory {
  private readonly line: NatsLine
  private readonly streams: NatsStreams
  private readonly options: Resolved
  private readonly queue: AppendQueue
  private readonly groups: GroupStreams

  constructor(connection: NatsHistoryConnection, options: Resolved) {
    this.line = new NatsLine(connection)
    this.streams = new NatsStreams(this.line)
    this.groups = new GroupStreams(this.streams, this.line, options)
    this.options = options
    this.queue = new AppendQueue(options, (batch) => this.appendBatch(batch))
  }

  async append(group: string, data: string | Uint8Array, limits: HistoryLimits): Promise<Position> {
    const maxBytes = this.line.maxPayloadBytes
    const bytes = typeof data === 'string' ? Buffer.byteLength(data) : data.byteLength
    if (bytes > maxBytes) {
      throw new PublishError(
        'HAWSER_PUBLISH_TOO_BIG',
        `a message for group ${showValue(group)} has ${String(bytes)} bytes, and max_payload of the server is ${String(maxBytes)}`,
      )
    }
    return this.queue.append(group, data, limits)
  }

  async read(group: string, after: number, maxMessages: number, limits: HistoryLimits): Promise<HistoryPage> {
    const release = this.queue.hold(0)
    try {
      const timeoutMs = answerMs(this.options.timeoutMs, limits)
      const deadline = performance.now() + timeoutMs
      const what = `reading the history of group ${showValue(group)}`
      const failure = (text: string, cause: unknown): Error => new Error(text, { cause })
      return await retried(this.line, { what, deadline, timeoutMs, failure }, () =>
        this.readOnce(group, after, maxMessages, limits, deadline),
      )
    } finally {
      release()
    }
  }

  async close(): Promise<void> {
    await this.queue.close()
    this.line.close()
  }

  private async appendBatch(batch: Batch): Promise<readonly (Position | Error)[]> {
    const { group, messages, limits, deadline } = batch
    const what = `appending to the history of group ${showValue(group)}`
    const timeoutMs = answerMs(this.options.timeoutMs, limits)
    const failure = notPublished
    const results = new Map<number, Position | Error>()
    try {
      await retried(this.line, { what, deadline, timeoutMs, failure }, () =>
        this.sendMissing(batch, what, results),
      )
    } catch (error) {
      // What was taken before this stays.
      for (const i of messages.keys()) if (!results.has(i)) results.set(i, toError(error))
    }
    return messages.map((_message, i) => results.get(i) as Position | Error)
  }

  /** Sends those that have no result. Rejects if some are certainly in no stream, and may be sent again in their order. */
  private async sendMissing(
    batch: Batch,
    what: string,
    results: Map<number, Position | Error>,
  ): Promise<void> {
    const { group, messages, limits, deadline } = batch
    const { groups } = this
    const { subject } = groups.nameOf(group)
    const { epoch, isSure } = await groups.open(group, limits, deadline)
    if (!this.line.wasReached()) throw new LostError()
    const unheard = new Map<number, unknown>()
    const before = groups.seen.get(group)
    let isOver = false
    const send = async (i: number): Promise<void> => {
      const { isText, bytes } = messages[i] as Batch['messages'][number]
      try {
        const to = `${subject}.${epoch}.${isText ? 't' : 'b'}`
        const offset = await this.streams.publish(to, bytes, deadline - performance.now())
        results.set(i, { epoch, offset })
        if (before?.epoch === epoch && offset <= before.offset) isOver = true
        else groups.seen.see(group, epoch, offset)
      } catch (error) {
        const text = `${what} failed: ${toError(error).message}`
        const isRefused = error instanceof JetStreamError
        if (isUnheard(error) || (isRefused && error.isPassing)) {
          unheard.set(i, error)
        } else if (isRefused) {
          results.set(i, notPublished(text, error))
        } else {
          this.holdLate(bytes.length)
          const kept = `${text}: it may be kept nevertheless`
          results.set(i, new PublishError('HAWSER_MAYBE_PUBLISHED', kept, error))
        }
      }
    }
    const missing = [...messages.keys()].filter((i) => !results.has(i))
    await Promise.all(missing.map(send))
    if (!isSure && !(await groups.confirm(group, epoch, limits, deadline))) {
      // They lie in a stream that nobody can read: they are sent again.
      for (const i of missing) if (!(results.get(i) instanceof Error)) results.delete(i)
      await this.sendMissing(batch, what, results)
      return
    }
    if (isOver) {
      const text = `${what} failed: the stream has lost its end, and begins anew: it may be kept nevertheless`
      for (const i of missing) {
        const result = results.get(i)
        if (result === undefined || result instanceof Error) continue
        results.set(i, new PublishError('HAWSER_MAYBE_PUBLISHED', text))
      }
      await groups.endEpoch(group, epoch, limits, deadline)
    }
    // The order stays: what was not heard before something that was is not sent again.
    const last = Math.max(...results.keys(), -1)
    for (const [i, error] of unheard) {
      if (i > last) {
        // The stream is gone, and so is the epoch.
        groups.forget(group)
        throw toError(error)
      }
      results.set(i, notPublished(`${what} failed: ${toError(error).message}`, error))
    }
  }

  private async readOnce(
    group: string,
    after: number,
    maxMessages: number,
    limits: HistoryLimits,
    deadline: number,
  ): Promise<HistoryPage> {
    const { groups } = this
    const { name, subject } = groups.nameOf(group)
    const { epoch, info } = await groups.look(group, limits, deadline)
    const { state, config } = info
    const get = async (offset: number) => {
      const message = await this.streams.message(name, offset, groups.attemptMs(deadline))
      if (message === null) return null
      const kind = message.subject.slice(subject.length + epoch.length + 2)
      if (message.subject !== `${subject}.${epoch}.${kind}`)
        throw new Error('the stream was made anew meanwhile')
      return { ...message, isText: kind === 't' }
    }
    const newest = state.last_seq
    let oldest =
      state.messages === 0 ? newest + 1 : Math.max(1, state.first_seq, newest - limits.maxMessages + 1)
    const ageMs = Math.min(limits.maxAgeMs, MAX_AGE_MS)
    const keptMs = (config.max_age ?? 0) / NS_PER_MS
    // The server lets go by itself what is older than the stream's own limit.
    if (keptMs === 0 || keptMs > ageMs) {
      const since = Date.now() - ageMs
      let high = newest
      while (oldest <= high) {
        const middle = Math.floor((oldest + high) / 2)
        const message = await get(middle)
        if (message !== null && message.timeMs >= since) high = middle - 1
        else oldest = middle + 1
      }
    }
    let messages: KeptMessage[] = []
    let next = Math.max(after + 1, oldest)
    const averageBytes = Math.max(1, state.bytes / Math.max(1, state.messages))
    const atOnce = Math.max(1, Math.min(MAX_REQUESTS, Math.floor(this.options.maxPageBytes / averageBytes)))
    let bytes = 0
    while (next <= newest && messages.length < maxMessages && bytes < this.options.maxPageBytes) {
      const count = Math.min(atOnce, newest - next + 1, maxMessages - messages.length)
      const found = await Promise.all(Array.from({ length: count }, (_each, i) => get(next + i)))
      for (const message of found) {
        const offset = next++
        if (message === null) {
          // It was trimmed meanwhile, and so was all before it.
          messages = []
          bytes = 0
          oldest = offset + 1
          continue
        }
        bytes += message.data.length
        const { isText, data } = message
        messages.push({ offset, data: isText ? Buffer.from(data).toString() : data })
      }
    }
    return { epoch, newest, oldest, messages }
  }

  /** Counts bytes that nobody waits for any more, until the client has sent them or lost them. */
  private holdLate(bytes: number): void {
    const release = this.queue.hold(bytes, true)
    this.line.flush().then(release, release)
  }
}

const notPublished = (text: string, cause: unknown): PublishError =>
  new PublishError('HAWSER_NOT_PUBLISHED', text, cause)
