import { createHash, randomBytes } from 'node:crypto'
import { readOptions, showKind, showValue, unchecked, type Checks } from '../check.js'
import { PublishError } from '../errors.js'
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
import { redisCommands, refuseSentinel, type Argument, type RedisCommands } from './redis-commands.js'
import { APPEND, READ } from './redis-history-scripts.js'
import { makeScript, ScriptRunner } from './redis-script-runner.js'
import { SeenPositions } from './seen-positions.js'

/** A client of `redis` (4 or later) or `ioredis` (5 or later), or of a cluster of either. */
export interface RedisHistoryClient {
  /** Makes another client with the same settings. Not used: it tells a client from what is none. */
  duplicate(...args: never[]): unknown
}

/** The options of {@link redisHistory}. */
export interface RedisHistoryOptions extends BrokerHistoryOptions {
  /** The application's client, which connects, and connects again, by itself. Other commands may go through it too. */
  readonly client: RedisHistoryClient
}

const CHECKS = {
  ...HISTORY_CHECKS,
  client: unchecked<RedisHistoryClient>(),
} satisfies Checks<RedisHistoryOptions>

/**
 * Keeps histories in Redis (6.2 or later) or Valkey: a stream for each group. Commands go through the application's own client,
 * which stays open.
 * @example
 * ```ts
 * const client = await createClient({ url: 'redis://localhost:6379' }).connect()
 * const server = new WebSocketServer({ recovery: { history: redisHistory({ client }), groups: ['room:*'] } })
 * ```
 * @throws TypeError for what is not such a client; TypeError or RangeError for a wrong option
 */
export function redisHistory(options: RedisHistoryOptions): BrokerHistory {
  refuseBare('redisHistory', 'client', options, (given) => redisCommands(given) !== null)
  const { client, ...rest } = readOptions('options', options, CHECKS)
  refuseSentinel(client)
  const commands = redisCommands(client)
  if (commands === null) {
    throw new TypeError(
      `client must be a client of redis (4 or later) or ioredis (5 or later), not ${showKind(client)}`,
    )
  }
  return new RedisHistory(commands, rest)
}

/** A group's last offset and epoch are kept for so long after its last use, or for four times `maxAgeMs`. */
const MIN_LIFE_MS = 3_600_000
/** What Infinity is to Redis: ten years. */
const MAX_MS = 315_360_000_000
const MAX_COUNT = 0x7fff_ffff

const EPOCH = /^[\w-]{1,64}$/
const ID = /^(\d{1,15})-\d+$/
/** Names that stand in a key as they are. A name with a brace would end the hash tag. */
const PLAIN = /^[^#{}\p{Cc}\p{Cs}][^{}\p{Cc}\p{Cs}]{0,199}$/u

const APPEND_SCRIPT = makeScript(APPEND)
const READ_SCRIPT = makeScript(READ)

/** The two keys of a group. In a cluster both are in the slot of what is in braces. */
function keysOf(prefix: string, group: string): readonly [string, string] {
  const name = PLAIN.test(group)
    ? group
    : `#${createHash('sha256').update(Buffer.from(group, 'utf16le')).digest('base64url')}`
  const stream = `${prefix}:history:{${name}}`
  return [`${stream}:state`, stream]
}

const textOf = (value: unknown): string =>
  Buffer.isBuffer(value) ? value.toString('latin1') : typeof value === 'string' ? value : ''

class RedisHistory implements BrokerHistory {
  private readonly runner: ScriptRunner
  private readonly options: ResolvedBrokerHistoryOptions
  private readonly queue: AppendQueue
  private readonly seen = new SeenPositions()
  /** Of this store alone: begins its epochs, and tells its calls from those of others. */
  private readonly id = randomBytes(6).toString('base64url')
  private calls = 0

  constructor(commands: RedisCommands, options: ResolvedBrokerHistoryOptions) {
    this.options = options
    this.queue = new AppendQueue(options, (batch) => this.appendBatch(batch))
    this.runner = new ScriptRunner(commands, (bytes) => this.queue.hold(bytes, true))
  }

  append(group: string, data: string | Uint8Array, limits: HistoryLimits): Promise<Position> {
    return this.queue.append(group, data, limits)
  }

  async read(group: string, after: number, maxMessages: number, limits: HistoryLimits): Promise<HistoryPage> {
    const release = this.queue.hold(0)
    try {
      const { prefix, maxPageBytes } = this.options
      const timeoutMs = answerMs(this.options.timeoutMs, limits)
      const args = [
        ...this.headOf(group, limits, ''),
        String(after),
        String(Math.min(maxMessages, MAX_COUNT)),
        String(maxPageBytes),
      ]
      const reply = await this.runner.run({
        script: READ_SCRIPT,
        keys: keysOf(prefix, group),
        args,
        bytes: 0,
        deadline: performance.now() + timeoutMs,
        timeoutMs,
        failure: (text, _mayHaveRun, cause) =>
          errorOf(`reading the history of group ${showValue(group)} ${text}`, cause),
      })
      const page = pageOf(reply, after, maxMessages)
      if (page === null) throw unexpected(group)
      this.seen.see(group, page.epoch, page.newest)
      return page
    } finally {
      release()
    }
  }

  /** Waits for what was appended, a while. Other servers may go on to use the store. */
  async close(): Promise<void> {
    await this.queue.close()
  }

  /** The arguments that both scripts begin with. */
  private headOf(group: string, { maxMessages, maxAgeMs }: HistoryLimits, field: string): readonly string[] {
    const { epoch, offset } = this.seen.get(group) ?? { epoch: '', offset: 0 }
    const ageMs = Math.min(Math.ceil(maxAgeMs), MAX_MS)
    const lifeMs = Math.min(Math.max(4 * ageMs, MIN_LIFE_MS), MAX_MS)
    const count = Math.min(maxMessages, MAX_COUNT)
    return [this.id, String(count), String(ageMs), String(lifeMs), epoch, String(offset), field]
  }

  private async appendBatch({
    group,
    messages,
    bytes,
    limits,
    deadline,
  }: Batch): Promise<readonly Position[]> {
    const args: Argument[] = [
      ...this.headOf(group, limits, `w:${this.id}`),
      String(++this.calls),
      String(Math.max(1, Math.min(Math.ceil(limits.maxAgeMs), MAX_MS))),
    ]
    for (const message of messages) args.push(message.isText ? 't' : 'b', message.bytes)
    const reply = await this.runner.run({
      script: APPEND_SCRIPT,
      keys: keysOf(this.options.prefix, group),
      args,
      bytes,
      deadline,
      timeoutMs: answerMs(this.options.timeoutMs, limits),
      failure: (text, mayHaveRun, cause) => {
        const all = `appending to the history of group ${showValue(group)} ${text}`
        return mayHaveRun
          ? new PublishError(
              'HAWSER_MAYBE_PUBLISHED',
              `${all}: what was to be appended may be kept nevertheless`,
              cause,
            )
          : new PublishError('HAWSER_NOT_PUBLISHED', all, cause)
      },
    })
    const [epoch, first] = Array.isArray(reply) ? reply.map(textOf) : []
    const offset = Number(first)
    if (epoch === undefined || !EPOCH.test(epoch) || !(Number.isSafeInteger(offset) && offset > 0)) {
      throw unexpected(group)
    }
    this.seen.see(group, epoch, offset + messages.length - 1)
    return messages.map((_message, i) => ({ epoch, offset: offset + i }))
  }
}

const errorOf = (text: string, cause: unknown): Error =>
  new Error(text, cause === undefined ? undefined : { cause })

const unexpected = (group: string): Error =>
  new Error(`the history of group ${showValue(group)} in Redis holds something that Hawser did not write`)

/** @returns null: that is not a page */
function pageOf(reply: unknown, after: number, maxMessages: number): HistoryPage | null {
  if (!Array.isArray(reply)) return null
  const epoch = textOf(reply[0])
  const newest = Number(textOf(reply[1]) || NaN)
  const oldest = Number(textOf(reply[2]) || NaN)
  if (!EPOCH.test(epoch) || !Number.isSafeInteger(newest) || !Number.isSafeInteger(oldest)) return null
  if (oldest < 1 || oldest > newest + 1 || reply.length % 3 !== 0) return null
  const messages: KeptMessage[] = []
  let next = Math.max(after + 1, oldest)
  for (let i = 3; i < reply.length; i += 3) {
    const offset = Number(ID.exec(textOf(reply[i]))?.[1] ?? NaN)
    const kind = textOf(reply[i + 1])
    const data: unknown = reply[i + 2]
    if (offset !== next++ || (kind !== 't' && kind !== 'b') || !Buffer.isBuffer(data)) return null
    messages.push({ offset, data: kind === 't' ? data.toString() : data })
  }
  // There is more, and none of it came.
  if (messages.length === 0 && maxMessages > 0 && next <= newest) return null
  return { epoch, newest, oldest, messages }
}
