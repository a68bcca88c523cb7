import { showValue } from '../limits.js'

type NameOf<Segment extends string> = Segment extends `:${infer Name}`
  ? Name
  : Segment extends `*${infer Name}`
    ? Name
    : never

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
  /** The last parameter is what is left of the path, slashes included. */
  readonly hasRest: boolean
}

/**
 * Reads the path of a route.
 * @throws TypeError for what is no such path
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
      throw new TypeError(`path ${showValue(path)} has a parameter that is no name: ${showValue(part)}`)
    }
    if (names.includes(name)) {
      throw new TypeError(`path ${showValue(path)} has two parameters named ${showValue(name)}`)
    }
    names.push(name)
    if (part.startsWith('*')) {
      hasRest = true
      if (index !== parts.length - 1) {
        throw new TypeError(
          `path ${showValue(path)} has something behind ${showValue(part)}, which takes all`,
        )
      }
    }
    return null
  })
  return { path, segments, names, hasRest }
}
