/**
 * The port through which names, groups and broadcasts reach other processes. Types only: the hub speaks through it, the
 * backplanes of `hawser/backplane` carry what it says, and others (Redis, NATS) can be written against it.
 *
 * What a backplane promises, and what not:
 * - At most once: an envelope may be lost (a full queue, a lost connection), and is never delivered twice.
 * - Order: what one node publishes reaches another one in that order, or not at all. Between nodes there is none.
 * - Nobody waits: `publish` returns at once, and where it returns a promise, that is only looked at for what became of it.
 *
 * What a backplane throws, and what its promises reject with, is told to the server's `onError`, counted, and harms nobody.
 */

/** The version of the envelopes. Those of another version are dropped, and counted. */
export const BACKPLANE_VERSION = 1

/** Text, or bytes that nobody changes any more and that have a buffer of their own. */
export type Payload = string | Uint8Array

/** A name, when it was claimed (null: it is free again), and whether whoever loses it is closed. */
export type NameChange = readonly [name: string, time: number | null, closesPrevious: boolean]

/** A group, and how many members the node has of it. */
export type GroupChange = readonly [group: string, size: number]

/** What an envelope carries. */
export type EnvelopeBody =
  /** To the members of a group. */
  | { readonly kind: 'group'; readonly group: string; readonly payload: Payload; readonly compress: boolean }
  /** To the connections of a route, or for null of the whole server. */
  | {
      readonly kind: 'broadcast'
      readonly path: string | null
      readonly payload: Payload
      readonly compress: boolean
    }
  /** To a named connection. */
  | { readonly kind: 'named'; readonly name: string; readonly payload: Payload; readonly compress: boolean }
  | { readonly kind: 'deleteGroup'; readonly group: string }
  | {
      readonly kind: 'closeGroup'
      readonly group: string
      readonly code: number | null
      readonly reason: string
    }
  | { readonly kind: 'deleteNamed'; readonly name: string }
  | {
      readonly kind: 'closeNamed'
      readonly name: string
      readonly code: number | null
      readonly reason: string
    }
  /** Presence: what changed at a node. Numbered without gaps, so that whoever misses one knows. */
  | {
      readonly kind: 'changes'
      readonly sequence: number
      readonly names: readonly NameChange[]
      readonly groups: readonly GroupChange[]
    }
  /** Presence: the node lives, and has told so many changes. */
  | { readonly kind: 'alive'; readonly sequence: number }
  /** Presence: whoever gets it is to tell everything. */
  | { readonly kind: 'ask' }
  /** Presence: everything, in parts. */
  | {
      readonly kind: 'snapshot'
      readonly sequence: number
      readonly part: number
      readonly isLast: boolean
      readonly names: readonly NameChange[]
      readonly groups: readonly GroupChange[]
    }
  /** Presence: the node is gone. A backplane that sees a node die may say it in its name. */
  | { readonly kind: 'left' }

/** What goes over a backplane: plain data, that JSON can carry but for the bytes of a payload. */
export type Envelope = EnvelopeBody & {
  readonly version: typeof BACKPLANE_VERSION
  /** The node that published it. */
  readonly from: string
  /** The one node that is to get it; null: all others. */
  readonly to: string | null
}

/** One node's way to the others. Of one hub alone. Where a method returns a promise, what that rejects with is told. */
export interface Backplane {
  /**
   * Joins. Called once. What it throws is thrown by whoever started the hub: `listen`, `attach`.
   * @param node the id of this node
   * @param receive takes what other nodes publish; never throws, whatever it is given
   * @param rejoined to be called when the way to the others is there again, or there at last, and what was published
   *   before is lost: this node then says that it lives, and others ask it for what they missed
   */
  start(node: string, receive: (envelope: unknown) => void, rejoined?: () => void): unknown
  /**
   * Sends an envelope to the node that it is for, to those that watch its group (kind `group`), or to all others.
   * @returns false: it was not taken, and is lost
   */
  publish(envelope: Envelope): boolean | Promise<boolean>
  /** Messages to this group are wanted from now on. */
  watch(group: string): unknown
  /** And no longer. */
  unwatch(group: string): unknown
  /** Leaves. What was published before is still sent, where that is possible without waiting for others. */
  close(): unknown
}

/** What became of what was published and received. */
export interface BackplaneStats {
  /** The other nodes that are known. */
  readonly nodes: number
  readonly published: number
  /** Not taken by the backplane, and lost. */
  readonly lost: number
  readonly received: number
  /** Received, and dropped for being no envelope of this version. */
  readonly malformed: number
  /** What the backplane threw, and its promises rejected with. */
  readonly errors: number
}
