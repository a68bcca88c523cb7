import type { Backplane, BackplaneEvents, BackplaneLinkStats, NameStore } from '../backplane/backplane.js'
import type { Envelope } from '../backplane/envelope.js'
import { toError } from '../errors.js'
import { BATCH_HEADER_BYTES, decodeBatch, encodeRecord } from './batch.js'
import type { Broker, BrokerNames } from './broker.js'
import { BrokerLink } from './broker-link.js'
import type { ResolvedBrokerOptions } from './broker-options.js'
import { OutgoingBatches, type OutgoingMessage } from './outgoing-batches.js'

/** How long `close` waits at most for what was published. */
const CLOSE_WAIT_MS = 2000

/** So many names are renewed before the answers are waited for. */
const RENEWED_AT_ONCE = 500

const NO_EVENTS: BackplaneEvents = {
  failed: () => undefined,
  lost: () => undefined,
  malformed: () => undefined,
}

/** Others must not hear of members whose group this node is not subscribed to. */
const PRESENCE: ReadonlySet<Envelope['kind']> = new Set(['changes', 'alive', 'snapshot'])
/** What these do concerns messages on other channels: none of those may overtake them, or be overtaken. */
const BARRIERS: ReadonlySet<Envelope['kind']> = new Set([
  'broadcast',
  'deleteGroup',
  'closeGroup',
  'deleteNamed',
  'closeNamed',
  'left',
])

/**
 * The backplane of a node over a broker. A node subscribes to a channel for all, one of its own, and one for each group that
 * has members here; so a node hears of a group only while it has members of it. What is published in one turn of the event loop
 * leaves together, as one message for each channel. While there is no connection, what is published is lost at once.
 */
export class BrokerBackplane implements Backplane {
  readonly names: NameStore | undefined
  readonly reachesOtherProcesses = true
  private readonly broker: Broker
  private readonly options: ResolvedBrokerOptions
  private link: BrokerLink | null = null
  private isClosed = false
  private receiveEnvelope: (envelope: unknown) => void = () => undefined
  private events = NO_EVENTS
  private readonly outgoing = new OutgoingBatches()
  private willFlush = false
  private queuedBytes = 0
  private messagesSent = 0
  private messagesReceived = 0
  /** Messages, and names that were given back, that the broker has not yet confirmed. */
  private readonly unconfirmed = new Set<Promise<void>>()
  /** Groups to be watched (true) or no longer, from the next flush on. */
  private readonly changes = new Map<string, boolean>()
  /** Settles when the last requested change of channels has taken effect. */
  private changed: Promise<void> | null = null

  constructor(broker: Broker, options: ResolvedBrokerOptions) {
    this.broker = broker
    this.options = options
    this.names = broker.hasNames ? this.nameStore() : undefined
  }

  start(
    node: string,
    receive: (envelope: unknown) => void,
    rejoined: () => void = () => undefined,
    events: BackplaneEvents = NO_EVENTS,
  ): void {
    if (this.link !== null) throw new TypeError('a backplane belongs to one server: make another one')
    this.receiveEnvelope = receive
    this.events = events
    const { broker } = this
    const { stallTimeoutMs } = this.options
    const ownChannel = this.channelOf('node', node)
    const link = new BrokerLink(
      { broker, node, ownChannel, stallTimeoutMs },
      {
        message: (message) => {
          this.receive(message)
        },
        connected: rejoined,
        failed: (error) => {
          events.failed(error)
        },
      },
    )
    link.channels.add(this.channelOf('all'))
    this.link = link
    link.start()
  }

  publish(envelope: Envelope): boolean {
    const session = this.link?.session ?? null
    if (this.isClosed || session === null) return false
    const record = encodeRecord(envelope)
    const maxBytes = Math.min(this.options.maxMessageBytes, session.maxMessageBytes)
    if (record.length + BATCH_HEADER_BYTES > maxBytes) {
      this.events.failed(
        new RangeError(
          `an envelope of ${String(record.length)} bytes is larger than a message may be, which is ${String(maxBytes)} bytes`,
        ),
      )
      return false
    }
    if (this.queuedBytes + record.length > this.options.maxQueuedBytes) return false
    this.queuedBytes += record.length
    if (PRESENCE.has(envelope.kind)) {
      this.changeChannels()
      if (this.changed !== null) {
        void this.changed.then(() => {
          this.add(envelope, record, maxBytes)
        })
        return true
      }
    }
    this.add(envelope, record, maxBytes)
    return true
  }

  watch(group: string): void {
    this.setWatched(group, true)
  }

  unwatch(group: string): void {
    this.setWatched(group, false)
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.flush()
    this.isClosed = true
    let timer: NodeJS.Timeout | undefined
    const timeUp = new Promise((resolve) => {
      timer = setTimeout(resolve, Math.min(CLOSE_WAIT_MS, this.options.stallTimeoutMs))
    })
    await Promise.race([timeUp, Promise.all(this.unconfirmed)])
    clearTimeout(timer)
    this.link?.close()
  }

  linkStats(): BackplaneLinkStats {
    const { link, messagesSent, messagesReceived, queuedBytes } = this
    return {
      broker: this.broker.name,
      isConnected: link !== null && link.session !== null,
      connects: link?.connects ?? 0,
      messagesSent,
      messagesReceived,
      queuedBytes,
      channels: link?.channels.size ?? 0,
    }
  }

  private nameStore(): NameStore {
    const keyOf = (name: string): string => this.broker.nameOf(this.options.prefix, 'name', name)
    const reachable = (): BrokerNames => {
      const found = this.link?.session?.names
      if (found === undefined) throw new Error(`there is no connection to ${this.broker.name}`)
      return found
    }
    return {
      claim: async (name, claim, mayReplace, ttlMs) =>
        reachable().claim(keyOf(name), claim, mayReplace, ttlMs),
      // Without a connection a claim expires, and is renewed when there is one again.
      release: (name, claim) => {
        const released = this.link?.session?.names?.release(keyOf(name), claim)
        if (released !== undefined) this.waitFor(released)
        return released
      },
      renew: async (claims, ttlMs) => {
        const session = this.link?.session
        const names = session?.names
        if (names === undefined) return
        for (let i = 0; i < claims.length; i += RENEWED_AT_ONCE) {
          const part = claims.slice(i, i + RENEWED_AT_ONCE)
          await Promise.all(part.map(([name, claim]) => names.renew(keyOf(name), claim, ttlMs)))
          if (session !== this.link?.session) return
        }
      },
    }
  }

  /** {@link close} waits for this. What it rejects with is reported by the caller. */
  private waitFor(released: Promise<unknown>): void {
    const settled = released
      .catch(() => undefined)
      .then(() => {
        this.unconfirmed.delete(settled)
      })
    this.unconfirmed.add(settled)
  }

  private channelOf(kind: 'all' | 'node' | 'group', name = ''): string {
    return this.broker.nameOf(this.options.prefix, kind, name)
  }

  private receive(message: Buffer): void {
    this.messagesReceived++
    const envelopes = message.length <= this.options.maxMessageBytes ? decodeBatch(message) : null
    if (envelopes === null) {
      this.events.malformed()
      return
    }
    for (const envelope of envelopes) this.receiveEnvelope(envelope)
  }

  private setWatched(group: string, isWanted: boolean): void {
    if (this.isClosed) return
    this.changes.set(this.channelOf('group', group), isWanted)
    this.flushSoon()
  }

  private changeChannels(): void {
    const { link } = this
    if (this.changes.size === 0 || link === null) return
    const wanted: string[] = []
    const unwanted: string[] = []
    for (const [name, isWanted] of this.changes) {
      if (link.channels.has(name) === isWanted) continue
      if (isWanted) wanted.push(name)
      else unwanted.push(name)
    }
    this.changes.clear()
    if (wanted.length + unwanted.length === 0) return
    const changed = link.change(wanted, unwanted).then(() => {
      if (this.changed === changed) this.changed = null
    })
    this.changed = changed
  }

  private add(envelope: Envelope, record: Buffer, maxBytes: number): void {
    const { to, kind } = envelope
    const channel =
      to !== null
        ? this.channelOf('node', to)
        : kind === 'group'
          ? this.channelOf('group', envelope.group)
          : this.channelOf('all')
    this.outgoing.add(channel, record, BARRIERS.has(kind), maxBytes)
    this.flushSoon()
  }

  private flushSoon(): void {
    if (this.willFlush) return
    this.willFlush = true
    setImmediate(() => {
      this.willFlush = false
      this.flush()
    })
  }

  private flush(): void {
    this.changeChannels()
    if (this.outgoing.isEmpty) return
    for (const message of this.outgoing.take()) this.send(message)
  }

  private send({ channel, message, envelopes, bytes }: OutgoingMessage): void {
    const session = this.link?.session ?? null
    if (session === null || this.isClosed) {
      this.queuedBytes -= bytes
      this.events.lost(envelopes)
      return
    }
    const confirmed = session
      .publish(channel, message)
      .then(
        () => {
          this.messagesSent++
        },
        (error: unknown) => {
          this.events.lost(envelopes)
          // The end of a session is reported once, not for each message.
          if (this.link?.session === session) this.events.failed(toError(error))
        },
      )
      .then(() => {
        this.queuedBytes -= bytes
        this.unconfirmed.delete(confirmed)
      })
    this.unconfirmed.add(confirmed)
  }
}
