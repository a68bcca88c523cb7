/** The target of a handshake's request (RFC 9112 section 3.2). */

import { equalsIgnoringCase, isHost } from './tokens.js'

/** A target in origin-form, whole and in its two parts. Nothing is decoded. */
export interface RequestTarget {
  /** Path and query, as in `/chat?room=1`. */
  readonly target: string
  readonly path: string
  /** The query with its question mark, or empty. */
  readonly search: string
}

const SCHEMES = ['http', 'https', 'ws', 'wss'] as const

/**
 * Whether this is a path with or without a query (origin-form): printable ASCII that starts with a slash and has no
 * fragment.
 */
export function isOriginForm(target: string): boolean {
  if (!target.startsWith('/')) return false
  for (let i = 1; i < target.length; i++) {
    const code = target.charCodeAt(i)
    if (code <= 0x20 || code >= 0x7f || code === 0x23) return false
  }
  return true
}

/**
 * Reduces a target to path and query. The authority of an absolute-form (`http`, `https`, `ws` or `wss`) must be well
 * formed and is then ignored: only the Host header names the server, so a proxy that checked the Host header has
 * checked what the application sees.
 * @returns null for authority-form, asterisk-form, another scheme, user information or a fragment
 */
export function parseTarget(target: string): RequestTarget | null {
  const origin = target.startsWith('/') ? target : reduceAbsoluteForm(target)
  if (origin === null || !isOriginForm(origin)) return null
  const question = origin.indexOf('?')
  if (question === -1) return { target: origin, path: origin, search: '' }
  return { target: origin, path: origin.slice(0, question), search: origin.slice(question) }
}

/** The path and query of an absolute-form, or null if the target is not in absolute-form. */
function reduceAbsoluteForm(target: string): string | null {
  const colon = target.indexOf('://')
  if (!SCHEMES.some((scheme) => equalsIgnoringCase(target.slice(0, Math.max(colon, 0)), scheme))) return null
  const start = colon + 3
  let end = start
  while (end < target.length && target[end] !== '/' && target[end] !== '?') end++
  if (!isHost(target.slice(start, end))) return null
  return target[end] === '/' ? target.slice(end) : `/${target.slice(end)}`
}
