import { showValue } from '../check.js'

/** The name of the parameter that a segment of a path is. */
type NameOf<Segment extends string> = Segment extends `:${infer Name}`
  ? Name
  : Segment extends `*${infer Name}`
    ? Name
    : never

/** The names of the parameters of a path. */
type NamesOf<Path extends string> = Path extends `${infer Head}/${infer Rest}`
  ? NameOf<Head> | NamesOf<Rest>
  : NameOf<Path>

/** The parameters of a path, from its literal type: `PathParams<'/chat/:room'>` is `{ readonly room: string }`. */
export type PathParams<Path extends string> = string extends Path
  ? Readonly<Record<string, string>>
  : { readonly [Name in NamesOf<Path>]: string }

/** A path of a route, read: segments that are equal to those of the request, `:name`, and `*name` as the last. */
export interface PathPattern {
  readonly path: string
  /** Null stands for a parameter. */
  readonly segments: readonly (string | null)[]
  readonly names: readonly string[]
  /** Whether the last parameter takes the rest of the path, slashes included. */
  readonly hasRest: boolean
}

/**
 * Reads the path of a route.
 * @throws TypeError for a string that is not such a path, and for a value that is not a string
 */
export function parsePattern(path: string): PathPattern {
  if (typeof path !== 'string' || !path.startsWith('/') || !/^[!-~]*$/.test(path) || /[?#]/.test(path)) {
    throw new TypeError(
      `path must start with a slash, be percent-encoded ASCII and have no query, fragment or space, not ${showValue(path)}`,
    )
  }
  const names: string[] = []
  let hasRest = false
  const parts = path.slice(1).split('/')
  const segments = parts.map((part, index) => {
    if (!part.startsWith(':') && !part.startsWith('*')) return part
    const name = part.slice(1)
    if (!/^[A-Za-z_]\w*$/.test(name) || name === '__proto__') {
      throw new TypeError(
        `path ${showValue(path)} has a parameter whose name is not an identifier: ${showValue(part)}`,
      )
    }
    if (names.includes(name)) {
      throw new TypeError(`path ${showValue(path)} has two parameters named ${showValue(name)}`)
    }
    names.push(name)
    if (part.startsWith('*')) {
      hasRest = true
      if (index !== parts.length - 1) {
        throw new TypeError(
          `path ${showValue(path)} has a segment after ${showValue(part)}, which takes the rest`,
        )
      }
    }
    return null
  })
  return { path, segments, names, hasRest }
}

/** The parameters of a request, decoded. */
export type Params = Readonly<Record<string, string>>

export const NO_PARAMS: Params = Object.freeze({})

/** What a path leads to. */
export interface Match<Route> {
  readonly route: Route
  /** Null: a parameter is not percent-encoded as it should be. */
  readonly params: Params | null
}

interface Leaf<Route> {
  readonly pattern: PathPattern
  readonly route: Route
}

/** A place in a path, and what may follow. */
class PathNode<Route> {
  readonly exact = new Map<string, PathNode<Route>>()
  any: PathNode<Route> | null = null
  rest: Leaf<Route> | null = null
  leaf: Leaf<Route> | null = null
}

/**
 * Which route a path belongs to: paths without parameters in a Map, the others in a tree of segments, where what is
 * equal goes before a parameter and a parameter before a rest. Each node of the tree is looked at once at most.
 */
export class RouteTable<Route> {
  private readonly paths = new Map<string, Route>()
  private readonly exact = new Map<string, Match<Route>>()
  private root = new PathNode<Route>()
  private readonly leaves = new Map<string, Leaf<Route>>()

  /** @throws TypeError for a wrong path, and for one that matches the same requests as a path that was added before */
  add(path: string, route: Route): void {
    const pattern = parsePattern(path)
    if (pattern.names.length === 0) {
      if (this.exact.has(path)) {
        throw new TypeError(`path ${showValue(path)} has a service already: unroute it first`)
      }
      this.exact.set(path, { route, params: NO_PARAMS })
      this.paths.set(path, route)
      return
    }
    const leaf = { pattern, route }
    this.insert(leaf)
    this.leaves.set(path, leaf)
    this.paths.set(path, route)
  }

  /** @returns whether there was one */
  delete(path: string): boolean {
    if (!this.paths.delete(path)) return false
    if (this.exact.delete(path)) return true
    this.leaves.delete(path)
    this.root = new PathNode()
    for (const leaf of this.leaves.values()) this.insert(leaf)
    return true
  }

  /** All routes, in the order of {@link add}. */
  all(): Route[] {
    return [...this.paths.values()]
  }

  /** @param path as sent, without its query */
  find(path: string): Match<Route> | undefined {
    const exact = this.exact.get(path)
    if (exact !== undefined || this.leaves.size === 0) return exact
    const segments = path.slice(1).split('/')
    const leaf = search(this.root, segments, 0)
    if (leaf === null) return undefined
    return { route: leaf.route, params: readParams(leaf.pattern, segments) }
  }

  private insert(leaf: Leaf<Route>): void {
    const { path, segments, hasRest } = leaf.pattern
    let node = this.root
    for (const segment of hasRest ? segments.slice(0, -1) : segments) {
      if (segment === null) {
        node.any ??= new PathNode()
        node = node.any
      } else {
        let next = node.exact.get(segment)
        if (next === undefined) node.exact.set(segment, (next = new PathNode()))
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

function search<Route>(
  node: PathNode<Route>,
  segments: readonly string[],
  depth: number,
): Leaf<Route> | null {
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
