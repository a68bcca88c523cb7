import { isYes, showValue } from '../check.js'

/** Which groups are recoverable: names, and patterns in which `*` stands for any text; or a function that says so. */
export type RecoverableGroups = readonly string[] | ((group: string) => boolean)

/** @returns whether a group is recoverable @throws what a function of the application throws; TypeError for a promise */
export type GroupMatcher = (group: string) => boolean

/** Whether a name fits a pattern that was split at its stars. Linear: each part is looked for once, from where the last one ended. */
function fits(name: string, parts: readonly string[]): boolean {
  const first = parts[0] as string
  const last = parts[parts.length - 1] as string
  if (!name.startsWith(first)) return false
  let at = first.length
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return name.length - last.length >= at && name.endsWith(last)
}

/**
 * Checks which groups are recoverable.
 * @throws TypeError with the option's name and value
 */
export function readGroups(name: string, value: unknown): GroupMatcher {
  if (typeof value === 'function') {
    const matcher = value as (group: string) => unknown
    return (group) => isYes(matcher(group), `${name} must return true or false`, ': it must not be async')
  }
  if (!Array.isArray(value) || value.length === 0) {
    const shown = Array.isArray(value)
      ? 'an empty list, with which no group is recoverable'
      : showValue(value)
    throw new TypeError(
      `${name} must be a list of one or more names and patterns such as 'room:*', or a function, not ${shown}`,
    )
  }
  const names = new Set<string>()
  const patterns: string[][] = []
  for (const [i, one] of (value as readonly unknown[]).entries()) {
    if (typeof one !== 'string' || one === '') {
      throw new TypeError(`${name}[${String(i)}] must be a name or a pattern, not ${showValue(one)}`)
    }
    if (one.includes('*')) patterns.push(one.split('*'))
    else names.add(one)
  }
  return (group) => names.has(group) || patterns.some((parts) => fits(group, parts))
}
