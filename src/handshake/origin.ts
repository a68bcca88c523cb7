import { isYes, showUrl, showValue } from '../check.js'

/**
 * What an Origin header may be: a string that it equals, an expression that it matches, or a function that says so.
 * A function is also asked about requests without one (`undefined`), which strings and expressions refuse.
 */
export type OriginRule = string | RegExp | ((origin: string | undefined) => boolean)

/**
 * Checks an allow-list of origins.
 * @throws TypeError with the entry's place and value
 */
export function checkOrigins(origins: readonly OriginRule[] | undefined): readonly OriginRule[] | undefined {
  if (origins === undefined) return undefined
  if (!Array.isArray(origins)) throw new TypeError(`origins must be an array, not ${showValue(origins)}`)
  for (const [index, rule] of origins.entries()) {
    if (typeof rule === 'function' || rule instanceof RegExp) continue
    if (typeof rule === 'string' && isOrigin(rule)) continue
    throw new TypeError(
      `origins[${String(index)}] must be an origin as browsers send it, such as 'https://example.com' (no path, no default port), a RegExp or a function, not ${typeof rule === 'string' ? showUrl(rule) : showValue(rule)}`,
    )
  }
  return origins.slice() as readonly OriginRule[]
}

/** Whether a browser could send this: a scheme and a host, of http and https not with their default port; or null. */
function isOrigin(rule: string): boolean {
  if (rule === 'null') return true
  if (!/^[a-z][a-z\d+.-]*:\/\/[^/?#\s]+$/i.test(rule) || !URL.canParse(rule)) return false
  const { origin } = new URL(rule)
  return origin === 'null' || origin === rule.toLowerCase()
}

const RULE = 'a function in origins must return true or false'
const INSTEAD = ': decide in onUpgrade instead, which may be async'

/**
 * Whether the browser page that a request comes from may connect (RFC 6455 section 10.2).
 * @throws what a function of the list throws, and a TypeError for one that returns a promise, or anything else that is neither
 * true nor counts as false
 */
export function isOriginAllowed(
  origin: string | undefined,
  rules: readonly OriginRule[] | undefined,
): boolean {
  if (rules === undefined) return true
  return rules.some((rule) => {
    if (typeof rule === 'function') return isYes(rule(origin), RULE, INSTEAD)
    if (origin === undefined) return false
    // Scheme and host are compared as browsers write them: in lower case. `search` ignores a RegExp's lastIndex.
    return typeof rule === 'string' ? rule.toLowerCase() === origin.toLowerCase() : origin.search(rule) >= 0
  })
}
