import type { Envelope, GroupChange, NameChange } from './backplane.js'
import type { Claim, RemoteClaim } from './elsewhere.js'

/** What is known of another node. */
interface Node {
  /** When it was heard last. */
  heardAt: number
  /** The last of its changes that is known; -1: nothing is. */
  sequence: number
  /** Not to be asked again before. */
  askAgainAt: number
  names: Map<string, Claim>
  groups: Map<string, number>
  /** The snapshot that comes in parts. */
  building: { readonly names: Map<string, Claim>; readonly groups: Map<string, number>; parts: number } | null
}

/** What a node told, of names and groups, is kept up to so many entries; what is over it is not known here. */
export const MAX_NODE_ENTRIES = 1_000_000
/** So many other nodes are known at most. */
export const MAX_NODES = 1000

/** Which of two claims holds: the later one, and of two at once that of the greater node id. */
const isLater = (a: RemoteClaim, b: RemoteClaim): boolean =>
  a.time > b.time || (a.time === b.time && a.node > b.node)

/**
 * Who is where, by what the other nodes announced. No I/O and no clock: time comes in. Changes are numbered, so a node
 * that missed one asks for all. A node that was silent for `ttlMs` is forgotten.
 */
export class Presence {
  private readonly nodes = new Map<string, Node>()
  private readonly ttlMs: number
  private readonly maxEntries: number

  constructor(ttlMs: number, maxEntries = MAX_NODE_ENTRIES) {
    this.ttlMs = ttlMs
    this.maxEntries = maxEntries
  }

  get size(): number {
    return this.nodes.size
  }

  has(node: string): boolean {
    return this.nodes.has(node)
  }

  /**
   * Takes any envelope: its sender lives.
   * @param claimed is told of each name that the sender has as of now
   * @returns whether the sender is to be asked for everything
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
        building: null,
      }
      this.nodes.set(from, node)
    }
    node.heardAt = now
    const isCurrent = this.apply(node, envelope, claimed)
    if (isCurrent || now < node.askAgainAt) return false
    // A lost question, or a lost answer: once more, after a while.
    node.askAgainAt = now + this.ttlMs / 3
    return true
  }

  /** Forgets the nodes that were silent for too long. */
  expire(now: number): void {
    for (const [id, { heardAt }] of this.nodes) if (now - heardAt > this.ttlMs) this.nodes.delete(id)
  }

  find(name: string): RemoteClaim | undefined {
    let found: RemoteClaim | undefined
    for (const [node, { names }] of this.nodes) {
      const claim = names.get(name)
      if (claim === undefined) continue
      const remote = { ...claim, node }
      if (found === undefined || isLater(remote, found)) found = remote
    }
    return found
  }

  groupSize(group: string): number {
    let size = 0
    for (const { groups } of this.nodes.values()) size += groups.get(group) ?? 0
    return size
  }

  /** @returns whether all that the node told is known */
  private apply(
    node: Node,
    envelope: Envelope,
    claimed: (name: string, claim: RemoteClaim) => void,
  ): boolean {
    const { from } = envelope
    switch (envelope.kind) {
      case 'alive':
        // A node that has told nothing has nothing.
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
        if (envelope.part === 0) node.building = { names: new Map(), groups: new Map(), parts: 0 }
        const { building } = node
        if (building?.parts !== envelope.part) {
          node.building = null
          return false
        }
        building.parts++
        this.keep(building.names, building.groups, envelope.names, envelope.groups)
        if (!envelope.isLast) return true
        node.building = null
        node.sequence = envelope.sequence
        node.askAgainAt = 0
        node.names = building.names
        node.groups = building.groups
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
