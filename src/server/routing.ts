import { showValue } from '../limits.js'
import { parsePattern, type PathPattern } from './path-pattern.js'

/** The parameters of a request, decoded. */
export type Params = Readonly<Record<string, string>>

export const NO_PARAMS: Params = Object.freeze({})

/** What a path leads to. */
export interface Match<Target> {
  readonly target: Target
  /** Null: a parameter is not percent-encoded as it should be. */
  readonly params: Params | null
}

interface Leaf<Target> {
  readonly pattern: PathPattern
  readonly target: Target
}

/** A place in a path, and what may follow. */
class Node<Target> {
  readonly exact = new Map<string, Node<Target>>()
  any: Node<Target> | null = null
  rest: Leaf<Target> | null = null
  leaf: Leaf<Target> | null = null
}

/**
 * Which target a path belongs to: paths without parameters in a Map, the others in a tree of segments, where what is
 * equal goes before a parameter and a parameter before a rest. Each node of the tree is looked at once at most.
 */
export class Routes<Target> {
  private readonly paths = new Map<string, Target>()
  private readonly exact = new Map<string, Match<Target>>()
  private root = new Node<Target>()
  private readonly leaves = new Map<string, Leaf<Target>>()

  /** @throws TypeError for what is no path, or one that has a target already, whatever its parameters are called */
  add(path: string, target: Target): void {
    const pattern = parsePattern(path)
    if (pattern.names.length === 0) {
      if (this.exact.has(path)) {
        throw new TypeError(`path ${showValue(path)} has a service already: unroute it first`)
      }
      this.exact.set(path, { target, params: NO_PARAMS })
      this.paths.set(path, target)
      return
    }
    const leaf = { pattern, target }
    this.insert(leaf)
    this.leaves.set(path, leaf)
    this.paths.set(path, target)
  }

  /** @returns whether there was one */
  delete(path: string): boolean {
    if (!this.paths.delete(path)) return false
    if (this.exact.delete(path)) return true
    this.leaves.delete(path)
    this.root = new Node()
    for (const leaf of this.leaves.values()) this.insert(leaf)
    return true
  }

  /** All targets, in the order of {@link add}. */
  targets(): Target[] {
    return [...this.paths.values()]
  }

  /** @param path as sent, without its query */
  find(path: string): Match<Target> | undefined {
    const exact = this.exact.get(path)
    if (exact !== undefined || this.leaves.size === 0) return exact
    const segments = path.slice(1).split('/')
    const leaf = search(this.root, segments, 0)
    if (leaf === null) return undefined
    return { target: leaf.target, params: readParams(leaf.pattern, segments) }
  }

  private insert(leaf: Leaf<Target>): void {
    const { path, segments, hasRest } = leaf.pattern
    let node = this.root
    for (const segment of hasRest ? segments.slice(0, -1) : segments) {
      if (segment === null) {
        node.any ??= new Node()
        node = node.any
      } else {
        let next = node.exact.get(segment)
        if (next === undefined) node.exact.set(segment, (next = new Node()))
        node = next
      }
    }
    const there = hasRest ? node.rest : node.leaf
    if (there !== null) {
      throw new TypeError(
        there.pattern.path === path
          ? `path ${showValue(path)} has a service already: unroute it first`
          : `path ${showValue(path)} takes the same requests as ${showValue(there.pattern.path)}, which has a service`,
      )
    }
    if (hasRest) node.rest = leaf
    else node.leaf = leaf
  }
}

function search<Target>(node: Node<Target>, segments: readonly string[], depth: number): Leaf<Target> | null {
  const segment = segments[depth]
  if (segment === undefined) return node.leaf
  const next = node.exact.get(segment)
  if (next !== undefined) {
    const found = search(next, segments, depth + 1)
    if (found !== null) return found
  }
  // A parameter is never empty: a slash at the end is another path.
  if (node.any !== null && segment !== '') {
    const found = search(node.any, segments, depth + 1)
    if (found !== null) return found
  }
  // A rest may be empty: it begins after a slash, which is there.
  return node.rest
}

function readParams(pattern: PathPattern, segments: readonly string[]): Params | null {
  const params: Record<string, string> = {}
  let count = 0
  try {
    for (const [index, segment] of pattern.segments.entries()) {
      if (segment !== null) continue
      const isRest = pattern.hasRest && index === pattern.segments.length - 1
      const raw = isRest ? segments.slice(index).join('/') : (segments[index] as string)
      params[pattern.names[count++] as string] = decodeURIComponent(raw)
    }
  } catch {
    return null
  }
  return params
}
