import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { HistoryLimits } from '../recovery/history.js'
import { ForeignError } from './nats-attempts.js'
import type { NatsLine } from './nats-line.js'
import type { NatsStreams, StreamConfig, StreamInfo } from './nats-stream.js'
import { SeenPositions } from './seen-positions.js'

export const NS_PER_MS = 1_000_000
/** JetStream takes no shorter one. */
const MIN_AGE_MS = 100
/** A longer age is none. */
export const MAX_AGE_MS = 315_360_000_000
const MAX_DUPLICATES_MS = 120_000
/** So often a stream must say that it lost its end, so long one after the other, before it is given up. */
const LOOKS = 3
const LOOK_AGAIN_MS = 200
/** What is shown of a group in the description of its stream. */
const SHOWN_CHARACTERS = 100
/** Of so many groups the epoch is remembered. */
const MAX_KNOWN = 20_000

const EPOCH = /^[\w-]{1,64}$/

export interface GroupStreamsSettings {
  readonly prefix: string
  readonly storage: 'file' | 'memory'
  readonly replicas: number
  readonly timeoutMs: number
}

/** A stream that was found, or made. */
export interface Life {
  readonly epoch: string
  readonly info: StreamInfo
}

/** What is remembered of a group. */
interface Known {
  readonly epoch: string
  readonly limits: HistoryLimits
  readonly losses: number
  /** Whether the server knew the stream by its name after something was appended to it. */
  isSure: boolean
}

/**
 * The stream of each group. Its epoch is a part of its subjects: what is sent in an epoch that is over reaches no stream, but for
 * one case. A server before 2.10.2 may make two streams of one name, where two nodes ask for one at once; both take messages, and only
 * the second can be read. So who makes one asks which it is, and who appends for the first time asks once more when that is done.
 */
export class GroupStreams {
  /** The highest positions that were told. */
  readonly seen = new SeenPositions()
  private readonly streams: NatsStreams
  private readonly line: NatsLine
  private readonly options: GroupStreamsSettings
  /** Epochs of groups that are over, since the stream gave a sequence twice: until the stream is seen to be another one. */
  private readonly over = new Map<string, string>()
  /**
   * The epoch of groups, and the limits that their streams have: asked for once, until nothing listens in it, another one is seen, or
   * the connection is lost: the server may have been started again with less than it had.
   */
  private readonly known = new Map<string, Known>()

  constructor(streams: NatsStreams, line: NatsLine, options: GroupStreamsSettings) {
    this.streams = streams
    this.line = line
    this.options = options
  }

  nameOf(group: string): { readonly name: string; readonly subject: string } {
    const { prefix } = this.options
    const hash = createHash('sha256').update(`${prefix}\0`).update(group, 'utf16le').digest('base64url')
    return { name: `${prefix.replaceAll('.', '_')}-history-${hash}`, subject: `${prefix}.history.${hash}` }
  }

  /** For how long one request waits that may be made again, perhaps to another server. */
  attemptMs(deadline: number): number {
    return Math.min(deadline - performance.now(), this.options.timeoutMs / 4)
  }

  /** @returns the stream of a group as the server says it now, made if there is none */
  async look(group: string, limits: HistoryLimits, deadline: number): Promise<Life> {
    const { name, subject } = this.nameOf(group)
    const seen = this.seen.get(group)
    let looks = 0
    for (;;) {
      const leftMs = this.attemptMs(deadline)
      const info = await this.streams.info(name, leftMs)
      if (info === null) {
        const epoch = randomBytes(12).toString('base64url')
        await this.streams.create(this.configOf(group, `${subject}.${epoch}.*`, limits), leftMs)
        continue
      }
      const [pattern = ''] = info.config.subjects ?? []
      const epoch = pattern.slice(subject.length + 1, -2)
      if (pattern !== `${subject}.${epoch}.*` || !EPOCH.test(epoch)) {
        throw new ForeignError(`the stream ${name} is not one that Hawser made`)
      }
      if (this.over.get(group) === epoch) {
        await this.streams.delete(name, leftMs)
        continue
      }
      this.over.delete(group)
      if (seen?.epoch === epoch && info.state.last_seq < seen.offset) {
        // It has lost its end, unless a server answered that leads the stream no longer. What was there cannot be told apart from what
        // is to come.
        if (++looks < LOOKS) {
          await delay(LOOK_AGAIN_MS)
          continue
        }
        looks = 0
        await this.streams.delete(name, leftMs)
        continue
      }
      this.seen.see(group, epoch, info.state.last_seq)
      if (this.known.get(group)?.epoch !== epoch) this.known.delete(group)
      return { epoch, info }
    }
  }

  /** @returns the epoch to append in, of a stream that has these limits; whether {@link confirm} is to be asked after it */
  async open(
    group: string,
    limits: HistoryLimits,
    deadline: number,
  ): Promise<{ readonly epoch: string; readonly isSure: boolean }> {
    const known = this.known.get(group)
    const { losses } = this.line
    const isSame =
      known?.limits.maxMessages === limits.maxMessages && known.limits.maxAgeMs === limits.maxAgeMs
    if (isSame && known.losses === losses) return known
    const { epoch, info } = await this.look(group, limits, deadline)
    const wanted = limitsOf(limits)
    const { max_msgs: count, max_age: age } = info.config
    if (count !== wanted.max_msgs || age !== wanted.max_age) {
      await this.streams.update({ ...info.config, ...wanted }, deadline - performance.now())
    }
    if (this.known.size >= MAX_KNOWN) this.known.clear()
    const now: Known = { epoch, limits, losses, isSure: false }
    this.known.set(group, now)
    return now
  }

  /**
   * Asks whether what was appended lies in the stream that can be read.
   * @returns false where it does not; true also where no answer comes: then it is asked again after the next append
   */
  async confirm(group: string, epoch: string, limits: HistoryLimits, deadline: number): Promise<boolean> {
    try {
      if ((await this.look(group, limits, deadline)).epoch !== epoch) return false
    } catch {
      return true
    }
    const known = this.known.get(group)
    if (known?.epoch === epoch) known.isSure = true
    return true
  }

  /** Nothing listens in the epoch of a group. */
  forget(group: string): void {
    this.known.delete(group)
  }

  /** The stream has lost its end, and was written to again: what has an offset now may have that of another message. */
  async endEpoch(group: string, epoch: string, limits: HistoryLimits, deadline: number): Promise<void> {
    if (this.over.size >= MAX_KNOWN) this.over.clear()
    this.over.set(group, epoch)
    this.known.delete(group)
    // The next call tries it again, if this fails.
    await this.look(group, limits, deadline).catch(() => undefined)
  }

  private configOf(group: string, subject: string, limits: HistoryLimits): StreamConfig {
    const { storage, replicas } = this.options
    const shown = group.slice(0, SHOWN_CHARACTERS)
    return {
      name: this.nameOf(group).name,
      description: `Messages of the group ${JSON.stringify(shown)}${shown === group ? '' : '...'}, for Hawser`,
      subjects: [subject],
      ...limitsOf(limits),
      storage,
      num_replicas: replicas,
      retention: 'limits',
      discard: 'old',
      allow_direct: true,
    }
  }
}

function limitsOf({
  maxMessages,
  maxAgeMs,
}: HistoryLimits): Pick<StreamConfig, 'max_msgs' | 'max_age' | 'duplicate_window'> {
  const ageMs = maxAgeMs > MAX_AGE_MS ? 0 : Math.max(MIN_AGE_MS, Math.ceil(maxAgeMs))
  return {
    max_msgs: maxMessages === Infinity ? -1 : maxMessages,
    max_age: ageMs * NS_PER_MS,
    duplicate_window: Math.min(ageMs === 0 ? Infinity : ageMs, MAX_DUPLICATES_MS) * NS_PER_MS,
  }
}
