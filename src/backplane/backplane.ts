/**
 * The interface that every backplane implements: how names, groups and broadcasts reach other nodes. A node is a process
 * or a thread with a server that takes part. This room has backplanes for the nodes of one machine; one over Redis, NATS
 * or anything else is one more implementation of {@link Backplane}, here or in an application.
 *
 * What a backplane promises, and what not:
 * - At most once: an envelope may be lost (a full queue, a lost connection), and is never delivered twice.
 * - Order: what one node publishes reaches another one in that order, or not at all. Between nodes there is none.
 * - Nothing waits: `publish` returns at once; where it returns a promise, Hawser only counts what becomes of it.
 *
 * What a backplane throws, and what its promises reject with, is reported to the server's `onError`, counted, and has no
 * other effect.
 */
import type { Envelope } from './envelope.js'

/**
 * One node's connection to the others, for one server. All methods may be async: what they throw and what their promises
 * reject with is reported.
 */
export interface Backplane {
  /**
   * Joins. Called once. What it throws at once is thrown by the call that starts the server: `listen`, `attach`.
   * @param node the id of this node
   * @param receive takes an envelope that another node published, in the form that `publish` got; never throws, whatever
   *   it is given
   * @param rejoined to be called when the connection to the others is established again, or late, and what was published
   *   before is lost: this node then says that it lives, and the others ask it for what they missed
   * @param events for what becomes known later than by a result or an exception
   */
  start(
    node: string,
    receive: (envelope: unknown) => void,
    rejoined?: () => void,
    events?: BackplaneEvents,
  ): unknown
  /**
   * Sends an envelope: to the node `envelope.to`; where that is null, an envelope of kind `group` to the nodes that watch
   * its group, and any other to all other nodes. An envelope that reaches a node without need does no harm.
   * @returns false: it was not taken, and is lost
   */
  publish(envelope: Envelope): boolean | Promise<boolean>
  /**
   * From now on this node wants the messages to this group. Other nodes hear that the group has members here when this has
   * taken effect, if `publish` keeps the envelopes of the kinds `changes`, `alive` and `snapshot` until then.
   */
  watch(group: string): unknown
  /** From now on it does not. */
  unwatch(group: string): unknown
  /** Leaves. What was published before is still sent, where that is possible without waiting for other nodes. */
  close(): unknown
  /** Where names are claimed atomically. Without it, what was announced decides. */
  readonly names?: NameStore | undefined
  /**
   * Whether nodes of other processes or threads take part, which share no memory with this one: `memoryHistory()` is then refused. Undefined: it
   * is not known.
   */
  readonly reachesOtherProcesses?: boolean | undefined
  /**
   * The state of the connection to the others, for the statistics of the server, and to know when nothing is sent. Answers at
   * once. If it throws or answers anything else, that is reported once, until it answers again, and the state is not known.
   */
  linkStats?(): BackplaneLinkStats
}

/** A claim on a name, in a store that all nodes share. */
export interface StoredClaim {
  /** The node whose connection has the name. */
  readonly node: string
  /** Milliseconds since 1970, but always later than the claim before it. */
  readonly time: number
}

/** The names of all nodes, in one place: each call is atomic. All may reject. A claim that is not renewed expires. */
export interface NameStore {
  /**
   * Claims a name.
   * @param mayReplace whether a claim that stands is replaced, by one that is later
   * @returns the time of the claim; null: another one stands. Any other answer is an error, and nobody is given the name
   */
  claim(name: string, claim: StoredClaim, mayReplace: boolean, ttlMs: number): Promise<number | null>
  /** Ends this claim, if it stands. */
  release(name: string, claim: StoredClaim): unknown
  /** Puts the expiry of claims off, and makes those again that are gone. Claims of others stand. */
  renew(claims: readonly (readonly [name: string, claim: StoredClaim])[], ttlMs: number): unknown
}

/** What a backplane reports of its own accord. None of it throws. */
export interface BackplaneEvents {
  /** Something failed: counted as an error, and reported as what a method throws is. */
  failed(error: Error): void
  /** Envelopes that `publish` took were lost, or may be. */
  lost(envelopes: number): void
  /** Something was received and dropped that is not an envelope of this version. */
  malformed(): void
}

/** The connection of a backplane to a broker. */
export interface BackplaneLinkStats {
  /** What the other end is, such as `redis`. */
  readonly broker: string
  /** Whether messages are sent and received at present. */
  readonly isConnected: boolean
  /** How often it was connected. */
  readonly connects: number
  /** Messages that the broker took. One carries the envelopes for one channel of one turn of the event loop. */
  readonly messagesSent: number
  /** Messages that the broker sent, this node's own among them. */
  readonly messagesReceived: number
  /** Bytes that were published and that the broker has not yet confirmed. */
  readonly queuedBytes: number
  /** Channels that are subscribed to, or are to be. */
  readonly channels: number
}

/** What became of the envelopes that were published and received. */
export interface BackplaneStats {
  /** The other nodes that are known. */
  readonly nodes: number
  /** Envelopes that the backplane took. */
  readonly published: number
  /** Not taken by the backplane, and lost. */
  readonly lost: number
  /** Envelopes that were received. */
  readonly received: number
  /** Received, and dropped because it is not an envelope of this version. */
  readonly malformed: number
  /** What the backplane threw and reported, and what its promises rejected with. */
  readonly errors: number
  /** The connection to the broker; null for a backplane without one. */
  readonly link: BackplaneLinkStats | null
}
