import { randomUUID } from 'node:crypto'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { toError } from '../errors.js'
import {
  BACKPLANE_VERSION,
  type Backplane,
  type BackplaneStats,
  type Envelope,
  type EnvelopeBody,
  type GroupChange,
  type NameChange,
  type Payload,
} from './backplane.js'
import type { Claim, Elsewhere, Notice, Order, RemoteClaim } from './elsewhere.js'
import { MAX_ENTRIES, parseEnvelope } from './envelope.js'
import { Presence } from './presence.js'

/** Changes of this long are told together. */
const ANNOUNCE_DELAY_MS = 10
/** A node says that it lives so often, before it is forgotten. */
const BEATS_PER_TTL = 3

const OPCODE_BITS = 0x0f
const TEXT = 1

/** What the link asks of this process, and tells it. */
export interface Local {
  claims(): Iterable<[name: string, claim: Claim]>
  groups(): Iterable<[group: string, size: number]>
  /** Another node claims a name. */
  claimed(name: string, claim: RemoteClaim): void
  /** A message or an order of another node. */
  handle(envelope: Envelope): void
  /** The backplane failed. */
  failed(error: Error): void
}

/** This process's end of the backplane: tells others what is here, knows what is there, passes on what is sent. */
export class Link implements Elsewhere {
  /** The id of this process, for as long as it is up. */
  readonly node = randomUUID()
  private readonly backplane: Backplane
  private readonly local: Local
  private readonly maxNameLength: number
  private readonly ttlMs: number
  private readonly presence: Presence
  private readonly changedNames = new Map<string, Claim | null>()
  private readonly changedGroups = new Map<string, number>()
  private state: 'new' | 'running' | 'closed' = 'new'
  private sequence = 0
  private announceTimer: NodeJS.Timeout | null = null
  private beatTimer: NodeJS.Timeout | null = null
  private published = 0
  private lost = 0
  private received = 0
  private malformed = 0
  private errors = 0

  constructor(backplane: Backplane, local: Local, maxNameLength: number, ttlMs: number) {
    this.backplane = backplane
    this.local = local
    this.maxNameLength = maxNameLength
    this.ttlMs = ttlMs
    this.presence = new Presence(ttlMs)
  }

  get stats(): BackplaneStats {
    const { published, lost, received, malformed, errors } = this
    return { nodes: this.presence.size, published, lost, received, malformed, errors }
  }

  /**
   * Joins, and tells what is here. A second call does nothing.
   * @throws what the backplane throws: then this process stays alone
   */
  start(): void {
    if (this.state !== 'new') return
    this.state = 'closed'
    const receive = (envelope: unknown): void => {
      this.receive(envelope)
    }
    const rejoined = (): void => {
      this.publishBody({ kind: 'alive', sequence: this.sequence })
    }
    try {
      this.observe(this.backplane.start(this.node, receive, rejoined))
    } catch (error) {
      this.errors++
      throw error
    }
    this.state = 'running'
    for (const [group, size] of this.local.groups()) {
      this.groupAppeared(group)
      this.groupChanged(group, size)
    }
    for (const [name, claim] of this.local.claims()) this.nameChanged(name, claim)
    this.publishBody({ kind: 'alive', sequence: this.sequence })
    this.beatTimer = setInterval(() => {
      this.beat()
    }, this.ttlMs / BEATS_PER_TTL).unref()
  }

  /** Leaves. Never rejects. */
  async close(): Promise<void> {
    if (this.state !== 'running') return
    this.publishBody({ kind: 'left' })
    this.state = 'closed'
    if (this.announceTimer !== null) clearTimeout(this.announceTimer)
    if (this.beatTimer !== null) clearInterval(this.beatTimer)
    this.changedNames.clear()
    this.changedGroups.clear()
    try {
      await this.backplane.close()
    } catch (error) {
      this.failed(error)
    }
  }

  groupAppeared(group: string): void {
    if (this.state === 'running') this.attempt(() => this.backplane.watch(group))
  }

  groupVanished(group: string): void {
    if (this.state === 'running') this.attempt(() => this.backplane.unwatch(group))
  }

  groupChanged(group: string, size: number): void {
    if (this.state !== 'running') return
    this.changedGroups.set(group, size)
    this.announceSoon()
  }

  nameChanged(name: string, claim: Claim | null): void {
    if (this.state !== 'running') return
    this.changedNames.set(name, claim)
    this.announceSoon()
  }

  publish(notice: Notice, data: MessageData | PreparedMessage, message: PreparedMessage): void {
    if (this.state !== 'running' || this.presence.size === 0) return
    const payload = payloadOf(data, message)
    const { compress } = message
    if (notice.kind !== 'named') this.publishBody({ ...notice, payload, compress })
    else this.publishBody({ kind: 'named', name: notice.name, payload, compress }, notice.to)
  }

  order(order: Order): void {
    if ('to' in order) {
      const { to, ...body } = order
      this.publishBody(body, to)
    } else {
      this.publishBody(order)
    }
  }

  find(name: string): RemoteClaim | undefined {
    return this.presence.find(name)
  }

  groupSize(group: string): number {
    return this.presence.groupSize(group)
  }

  private publishBody(body: EnvelopeBody, to: string | null = null): void {
    if (this.state !== 'running') return
    let result
    try {
      result = this.backplane.publish({ version: BACKPLANE_VERSION, from: this.node, to, ...body })
    } catch (error) {
      this.lost++
      this.failed(error)
      return
    }
    if (typeof result === 'boolean') {
      this.count(result)
      return
    }
    Promise.resolve(result).then(
      (isTaken) => {
        this.count(isTaken)
      },
      (error: unknown) => {
        this.lost++
        this.failed(error)
      },
    )
  }

  private count(isTaken: boolean): void {
    if (isTaken) this.published++
    else this.lost++
  }

  /** Calls the backplane: what it throws, now or later, is told and harms nobody. */
  private attempt(call: () => unknown): void {
    try {
      this.observe(call())
    } catch (error) {
      this.failed(error)
    }
  }

  private observe(result: unknown): void {
    if (typeof result !== 'object' || result === null) return
    Promise.resolve(result).catch((error: unknown) => {
      this.failed(error)
    })
  }

  private failed(error: unknown): void {
    this.errors++
    this.local.failed(toError(error))
  }

  private receive(value: unknown): void {
    if (this.state !== 'running') return
    const envelope = parseEnvelope(value, this.maxNameLength)
    if (envelope === null) {
      this.malformed++
      return
    }
    const { from, to } = envelope
    if (from === this.node || (to !== null && to !== this.node)) return
    this.received++
    const wasKnown = this.presence.has(from)
    const isToAsk = this.presence.handle(envelope, performance.now(), (name, claim) => {
      this.local.claimed(name, claim)
    })
    // Whoever is new here does not know us either.
    if (!wasKnown && this.presence.has(from))
      this.publishBody({ kind: 'alive', sequence: this.sequence }, from)
    if (isToAsk) this.publishBody({ kind: 'ask' }, from)
    if (envelope.kind === 'ask') this.tellAll(from)
    else this.local.handle(envelope)
  }

  private beat(): void {
    this.presence.expire(performance.now())
    this.publishBody({ kind: 'alive', sequence: this.sequence })
  }

  private announceSoon(): void {
    this.announceTimer ??= setTimeout(() => {
      this.announceTimer = null
      this.announce()
    }, ANNOUNCE_DELAY_MS).unref()
  }

  private announce(): void {
    const changes = inParts(
      [...this.changedNames].map(([name, claim]) => nameChange(name, claim)),
      [...this.changedGroups],
    )
    this.changedNames.clear()
    this.changedGroups.clear()
    for (const part of changes) this.publishBody({ kind: 'changes', sequence: ++this.sequence, ...part })
  }

  /** Tells a node everything. In one go, so that no change comes between the parts. */
  private tellAll(to: string): void {
    const names = [...this.local.claims()].map(([name, claim]) => nameChange(name, claim))
    const parts = inParts(names, [...this.local.groups()])
    if (parts.length === 0) parts.push({ names: [], groups: [] })
    for (const [part, entries] of parts.entries()) {
      const isLast = part === parts.length - 1
      this.publishBody({ kind: 'snapshot', sequence: this.sequence, part, isLast, ...entries }, to)
    }
  }
}

const nameChange = (name: string, claim: Claim | null): NameChange => [
  name,
  claim?.time ?? null,
  claim?.closesPrevious ?? false,
]

/** The bytes of a message, as text where it is text, in a buffer of their own. */
function payloadOf(data: MessageData | PreparedMessage, message: PreparedMessage): Payload {
  if (typeof data === 'string') return data
  const { payload } = message
  return (message.firstByte & OPCODE_BITS) === TEXT ? payload.toString() : new Uint8Array(payload)
}

function inParts(
  names: readonly NameChange[],
  groups: readonly GroupChange[],
): { names: readonly NameChange[]; groups: readonly GroupChange[] }[] {
  const parts = []
  for (let i = 0; i < names.length; i += MAX_ENTRIES) {
    parts.push({ names: names.slice(i, i + MAX_ENTRIES), groups: [] as readonly GroupChange[] })
  }
  for (let i = 0; i < groups.length; i += MAX_ENTRIES) {
    parts.push({ names: [] as readonly NameChange[], groups: groups.slice(i, i + MAX_ENTRIES) })
  }
  return parts
}
