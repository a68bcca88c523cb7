import { randomUUID } from 'node:crypto'
import { firstByteOf, payloadOf, type PreparedMessage } from '../connection/prepared-message.js'
import { toError } from '../errors.js'
import type {
  Change,
  Claim,
  Local,
  NamedMessage,
  OutgoingAction,
  Remote,
  RemoteClaim,
  RemoteOutcome,
} from '../hub/remote.js'
import { checkNumber, showValue } from '../check.js'
import type { Backplane, BackplaneEvents, BackplaneStats } from './backplane.js'
import { BackplaneCalls } from './backplane-calls.js'
import { parseEnvelope, type EnvelopeBody, type Payload } from './envelope.js'
import { ClaimedNames } from './claimed-names.js'
import { DeliveryRequests } from './delivery-requests.js'
import { nameChanges, splitEntries } from './presence-entries.js'
import { RemoteNodes } from './remote-nodes.js'

export interface LocalNodeOptions {
  /** Another node of which nothing was received for this long is forgotten, with its names and groups. Default 15 s. */
  readonly presenceTtlMs?: number | undefined
  /** Called for each failure of the backplane. Default: a warning of the process, once a minute. */
  readonly onError?: ((error: Error) => unknown) | undefined
}

const PRESENCE_TTL_MS = 15_000
const MAX_TIMER_MS = 0x7fff_ffff
/** Changes that lie no further apart than this are announced together. */
const ANNOUNCE_DELAY_MS = 10
/** How often a node says that it lives in the time after which it would be forgotten. */
const HEARTBEATS_PER_TTL = 3

const OPCODE_BITS = 0x0f
const TEXT = 1

/** The methods that a backplane has. */
const METHODS = ['start', 'publish', 'watch', 'unwatch', 'close'] satisfies (keyof Backplane)[]

/**
 * Makes the node of a server.
 * @param backplane undefined: the server is alone
 * @throws TypeError or RangeError with the option's name, value and range, with and without a backplane
 */
export function createLocalNode(
  backplane: Backplane | undefined,
  options: LocalNodeOptions = {},
): LocalNode | null {
  const { presenceTtlMs = PRESENCE_TTL_MS, onError } = options
  checkNumber('presenceTtlMs', presenceTtlMs, { min: 10, max: MAX_TIMER_MS, integer: false })
  if (backplane === undefined) return null
  if (
    typeof backplane !== 'object' ||
    (backplane as unknown) === null ||
    METHODS.some((name) => typeof backplane[name] !== 'function')
  ) {
    throw new TypeError(
      `backplane must be one of hawser/backplane or an object with ${METHODS.join(', ')}, not ${showValue(backplane)}`,
    )
  }
  return new LocalNode(backplane, presenceTtlMs, onError)
}

/**
 * This process as a node: it announces over the backplane what the hub has here, keeps what the other nodes announced, has
 * them do what the hub asks for, and has the hub do what they ask for.
 */
export class LocalNode implements Remote {
  /** Made anew for each server that starts. */
  readonly id = randomUUID()
  private readonly backplane: Backplane
  private readonly ttlMs: number
  private readonly calls: BackplaneCalls
  private readonly remoteNodes: RemoteNodes
  /** The hub of this process; null before {@link start} and after {@link close}: then nothing is sent or received. */
  private local: Local | null = null
  private wasStarted = false
  /** What is not announced yet: the last change of each name and group. */
  private readonly changedNames = new Map<string, Claim | null>()
  private readonly changedGroups = new Map<string, number>()
  private announceTimer: NodeJS.Timeout | null = null
  private heartbeatTimer: NodeJS.Timeout | undefined
  private sequence = 0
  private readonly requests = new DeliveryRequests()
  /** null: the backplane has no store of names. */
  private readonly names: ClaimedNames | null

  constructor(backplane: Backplane, ttlMs: number, onError?: (error: Error) => unknown) {
    this.backplane = backplane
    this.ttlMs = ttlMs
    this.calls = new BackplaneCalls(backplane, this.id, onError)
    this.remoteNodes = new RemoteNodes(ttlMs)
    const { names } = backplane
    const attempt = this.calls.attempt.bind(this.calls)
    this.names = names === undefined ? null : new ClaimedNames(names, this.id, ttlMs, attempt)
  }

  get stats(): BackplaneStats {
    // First: that it fails is counted.
    const link = this.calls.linkStats
    return { nodes: this.remoteNodes.size, ...this.calls.counts, link }
  }

  /**
   * Joins the backplane, and announces what is here. What was sent before stayed in this process. A second call does
   * nothing.
   * @throws what the backplane throws at once, such as the TypeError of one that belongs to another server; then, and at
   *   every later call, this process stays alone
   */
  start(local: Local): void {
    if (this.wasStarted) return
    this.wasStarted = true
    const receive = (envelope: unknown): void => {
      this.receive(envelope)
    }
    const rejoined = (): void => {
      this.sayAlive()
      this.names?.renew()
    }
    try {
      this.calls.observe(this.backplane.start(this.id, receive, rejoined, this.events()))
    } catch (error) {
      this.calls.counts.errors++
      throw error
    }
    this.local = local
    for (const [group, size] of local.groupSizes()) {
      this.announce({ kind: 'group', group, before: 0, after: size })
    }
    for (const [name, claim] of local.claims()) this.announce({ kind: 'name', name, claim })
    this.sayAlive()
    this.heartbeatTimer = setInterval(() => {
      this.remoteNodes.expire(performance.now())
      this.sayAlive()
      this.names?.renew()
    }, this.ttlMs / HEARTBEATS_PER_TTL).unref()
  }

  /** The same in a listener, where an exception would end the process: it is reported. */
  startOrReport(local: Local): void {
    try {
      this.start(local)
    } catch (error) {
      this.calls.report(toError(error))
    }
  }

  /**
   * Leaves the backplane, for good. Never rejects: a failure is reported as all others are.
   * @param timeoutMs how long the backplane is waited for. Default: for ever
   */
  async close(timeoutMs = Infinity): Promise<void> {
    const left = this.leave()
    if (timeoutMs === Infinity) {
      await left
      return
    }
    let timer: NodeJS.Timeout | undefined
    const timeUp = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, Math.min(timeoutMs, MAX_TIMER_MS), true)
    })
    if ((await Promise.race([left, timeUp])) === true) {
      this.calls.report(new Error(`the backplane did not close within ${String(timeoutMs)} ms`))
    }
    clearTimeout(timer)
  }

  announce(change: Change): void {
    if (this.local === null) return
    if (change.kind === 'name') {
      this.names?.changed(change.name, change.claim?.time ?? null)
      this.changedNames.set(change.name, change.claim)
    } else {
      const { group, before, after } = change
      if (before === 0) this.calls.attempt(() => this.backplane.watch(group))
      else if (after === 0) this.calls.attempt(() => this.backplane.unwatch(group))
      this.changedGroups.set(group, after)
    }
    this.announceTimer ??= setTimeout(() => {
      this.announceTimer = null
      this.publishChanges()
    }, ANNOUNCE_DELAY_MS).unref()
  }

  send(action: OutgoingAction, node: string | null): void {
    if (this.local === null) return
    if (!('payload' in action)) {
      this.publish(action, node)
    } else if (this.remoteNodes.size > 0) {
      this.publish({ ...action, payload: toPayload(action.payload) }, node)
    }
  }

  async deliver(
    { name, payload, compress }: NamedMessage<string | PreparedMessage>,
    timeoutMs: number,
  ): Promise<RemoteOutcome> {
    if (this.local === null) return 'unknown'
    if (this.calls.isCutOff) return 'unanswered'
    const deadline = performance.now() + timeoutMs
    const message = { kind: 'deliver', name, payload: toPayload(payload), compress } as const
    const ask = (nodes: Iterable<string>, to: string | null): Promise<RemoteOutcome> =>
      this.requests.ask(nodes, Math.max(0, deadline - performance.now()), (request) => {
        this.publish({ ...message, request }, to, () => {
          this.requests.giveUp(request)
        })
      })
    const claim = this.findClaim(name)
    if (claim !== undefined) {
      const outcome = await ask([claim.node], claim.node)
      if (outcome !== 'unknown') return outcome
    }
    // The name has just moved, or is so new that it was not announced: all are asked.
    return ask(this.remoteNodes.ids(), null)
  }

  claim(name: string, time: number, mayReplace: boolean): Promise<number | null | undefined> {
    const { names, local } = this
    return local === null || names === null ? Promise.resolve(undefined) : names.claim(name, time, mayReplace)
  }

  hasClaim(name: string): boolean {
    return this.names?.has(name) === true
  }

  keepClaim(name: string, time: number): void {
    this.names?.keep(name, time)
  }

  unclaim(name: string, time: number): void {
    this.names?.release(name, time)
  }

  findClaim(name: string): RemoteClaim | undefined {
    return this.remoteNodes.findClaim(name)
  }

  groupSize(group: string): number {
    return this.remoteNodes.groupSize(group)
  }

  /** What the backplane may report: an envelope that is lost later was counted as published. */
  private events(): BackplaneEvents {
    return {
      failed: (error) => {
        this.calls.fail(error)
      },
      lost: (envelopes) => {
        this.calls.counts.published -= envelopes
        this.calls.counts.lost += envelopes
        // Those that are lost with their connection may be questions, and what the others answer does not arrive either.
        if (this.calls.isCutOff) this.requests.giveUpAll()
      },
      malformed: () => {
        this.calls.counts.malformed++
      },
    }
  }

  /** Never rejects. */
  private async leave(): Promise<void> {
    if (this.local === null) return
    this.publish({ kind: 'left' })
    this.local = null
    if (this.announceTimer !== null) clearTimeout(this.announceTimer)
    clearInterval(this.heartbeatTimer)
    this.requests.giveUpAll()
    this.names?.close()
    this.changedNames.clear()
    this.changedGroups.clear()
    try {
      await this.backplane.close()
    } catch (error) {
      this.calls.fail(error)
    }
  }

  /** @param lost called if the backplane does not take it */
  private publish(body: EnvelopeBody, to: string | null = null, lost?: () => void): void {
    if (this.local !== null) this.calls.publish(body, to, lost)
  }

  private receive(value: unknown): void {
    const { local } = this
    if (local === null) return
    const envelope = parseEnvelope(value, local.maxNameLength)
    if (envelope === null) {
      this.calls.counts.malformed++
      return
    }
    const { from, to } = envelope
    if (from === this.id || (to !== null && to !== this.id)) return
    this.calls.counts.received++
    const wasKnown = this.remoteNodes.has(from)
    const isToAsk = this.remoteNodes.handle(envelope, performance.now(), (name, claim) => {
      local.handleClaim(name, claim, this.id)
    })
    // A node that is new here does not know this one either.
    if (!wasKnown && this.remoteNodes.has(from)) this.sayAlive(from)
    if (isToAsk) this.publish({ kind: 'ask' }, from)
    switch (envelope.kind) {
      case 'ask':
        this.publishSnapshot(local, from)
        return
      case 'deliver':
        this.publish({ kind: 'delivered', request: envelope.request, outcome: local.deliver(envelope) }, from)
        return
      case 'delivered':
        this.requests.answer(from, envelope.request, envelope.outcome)
        return
      case 'alive':
      case 'changes':
      case 'snapshot':
      case 'left':
        return
      default:
        local.perform(envelope)
    }
  }

  private sayAlive(to: string | null = null): void {
    this.publish({ kind: 'alive', sequence: this.sequence }, to)
  }

  private publishChanges(): void {
    const parts = splitEntries(nameChanges(this.changedNames), [...this.changedGroups])
    this.changedNames.clear()
    this.changedGroups.clear()
    for (const part of parts) this.publish({ kind: 'changes', sequence: ++this.sequence, ...part })
  }

  /** Sends all names and groups to a node: in one go, so that no change comes between the parts. */
  private publishSnapshot(local: Local, to: string): void {
    const parts = splitEntries(nameChanges(local.claims()), [...local.groupSizes()])
    if (parts.length === 0) parts.push({ names: [], groups: [] })
    for (const [part, entries] of parts.entries()) {
      const isLast = part === parts.length - 1
      this.publish({ kind: 'snapshot', sequence: this.sequence, part, isLast, ...entries }, to)
    }
  }
}

/** The payload of an envelope: text where the message is text, else bytes in a buffer of their own. */
function toPayload(message: string | PreparedMessage): Payload {
  if (typeof message === 'string') return message
  const payload = payloadOf(message)
  return (firstByteOf(message) & OPCODE_BITS) === TEXT ? payload.toString() : new Uint8Array(payload)
}
