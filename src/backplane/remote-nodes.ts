import { outranks, type Claim, type RemoteClaim } from '../hub/remote.js'
import type { Envelope, GroupChange, NameChange } from './envelope.js'

/** What is known of another node. */
interface RemoteNode {
  /** When something of it was received last. */
  heardAt: number
  /** The number of the last of its changes that is known; -1: none is. */
  sequence: number
  /** Not to be asked again before. */
  askAgainAt: number
  names: Map<string, Claim>
  groups: Map<string, number>
  /** The snapshot of which parts were received, and not yet the last. */
  snapshot: { readonly names: Map<string, Claim>; readonly groups: Map<string, number>; parts: number } | null
}

/** How many names and groups of one node are kept at most; those above it are not known here. */
export const MAX_NODE_ENTRIES = 1_000_000
/** How many other nodes are known at most. */
export const MAX_NODES = 1000

/** A node is asked again after this part of `ttlMs`: the question or the answer may have been lost. */
const ASKS_PER_TTL = 3

/**
 * The names and groups of the other nodes, as they announced them. No I/O and no clock: the caller gives the time, in
 * milliseconds. Changes are numbered, so a gap shows that one was missed. A node of which nothing was received for `ttlMs`
 * is forgotten.
 */
export class RemoteNodes {
  private readonly nodes = new Map<string, RemoteNode>()
  private readonly ttlMs: number
  private readonly maxEntries: number

  constructor(ttlMs: number, maxEntries = MAX_NODE_ENTRIES) {
    this.ttlMs = ttlMs
    this.maxEntries = maxEntries
  }

  get size(): number {
    return this.nodes.size
  }

  /** The ids of the nodes that are known. */
  ids(): Iterable<string> {
    return this.nodes.keys()
  }

  has(node: string): boolean {
    return this.nodes.has(node)
  }

  /**
   * Takes any envelope: the node that sent it lives.
   * @param claimed called for each name that the node newly has
   * @returns whether the node is to be asked for a snapshot
   */
  handle(envelope: Envelope, now: number, claimed: (name: string, claim: RemoteClaim) => void): boolean {
    const { from } = envelope
    if (envelope.kind === 'left') {
      this.nodes.delete(from)
      return false
    }
    let node = this.nodes.get(from)
    if (node === undefined) {
      if (this.nodes.size >= MAX_NODES) return false
      node = {
        heardAt: now,
        sequence: -1,
        askAgainAt: 0,
        names: new Map(),
        groups: new Map(),
        snapshot: null,
      }
      this.nodes.set(from, node)
    }
    node.heardAt = now
    const isCurrent = this.apply(node, envelope, claimed)
    if (isCurrent || now < node.askAgainAt) return false
    node.askAgainAt = now + this.ttlMs / ASKS_PER_TTL
    return true
  }

  /** Forgets the nodes that were silent for too long. */
  expire(now: number): void {
    for (const [id, { heardAt }] of this.nodes) if (now - heardAt > this.ttlMs) this.nodes.delete(id)
  }

  /** The claim on a name that outranks all others. */
  findClaim(name: string): RemoteClaim | undefined {
    let found: RemoteClaim | undefined
    for (const [node, { names }] of this.nodes) {
      const claim = names.get(name)
      if (claim === undefined) continue
      const remote = { ...claim, node }
      if (found === undefined || outranks(remote, found)) found = remote
    }
    return found
  }

  /** How many members a group has in all other nodes. */
  groupSize(group: string): number {
    let size = 0
    for (const { groups } of this.nodes.values()) size += groups.get(group) ?? 0
    return size
  }

  /** @returns whether all that the node announced is known */
  private apply(
    node: RemoteNode,
    envelope: Envelope,
    claimed: (name: string, claim: RemoteClaim) => void,
  ): boolean {
    const { from } = envelope
    switch (envelope.kind) {
      case 'alive':
        // A node that has announced nothing has no names and no groups.
        if (node.sequence === -1 && envelope.sequence === 0) node.sequence = 0
        return envelope.sequence === node.sequence
      case 'changes':
        if (envelope.sequence !== node.sequence + 1) return false
        node.sequence++
        this.keep(node.names, node.groups, envelope.names, envelope.groups)
        for (const [name, time, closesPrevious] of envelope.names) {
          if (time !== null) claimed(name, { time, closesPrevious, node: from })
        }
        return true
      case 'snapshot': {
        if (envelope.part === 0) node.snapshot = { names: new Map(), groups: new Map(), parts: 0 }
        const { snapshot } = node
        if (snapshot?.parts !== envelope.part) {
          node.snapshot = null
          return false
        }
        snapshot.parts++
        this.keep(snapshot.names, snapshot.groups, envelope.names, envelope.groups)
        if (!envelope.isLast) return true
        node.snapshot = null
        node.sequence = envelope.sequence
        node.askAgainAt = 0
        node.names = snapshot.names
        node.groups = snapshot.groups
        for (const [name, claim] of node.names) claimed(name, { ...claim, node: from })
        return true
      }
      default:
        return node.sequence !== -1
    }
  }

  private keep(
    names: Map<string, Claim>,
    groups: Map<string, number>,
    changedNames: readonly NameChange[],
    changedGroups: readonly GroupChange[],
  ): void {
    for (const [name, time, closesPrevious] of changedNames) {
      if (time === null) names.delete(name)
      else if (names.size + groups.size < this.maxEntries || names.has(name))
        names.set(name, { time, closesPrevious })
    }
    for (const [group, size] of changedGroups) {
      if (size === 0) groups.delete(group)
      else if (names.size + groups.size < this.maxEntries || groups.has(group)) groups.set(group, size)
    }
  }
}
