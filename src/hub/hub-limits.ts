import { checkNumber, showValue } from '../check.js'

/** The limits of names and groups. */
export interface HubLimits {
  /** How many groups one connection may be in. Default 1000. */
  readonly maxGroupsPerConnection: number
  /** How many names one connection may have. Default 100. */
  readonly maxNamesPerConnection: number
  /** The length of the name of a group or of a connection, in UTF-16 units. Default 256. */
  readonly maxNameLength: number
}

export const HUB_LIMITS: HubLimits = Object.freeze({
  maxGroupsPerConnection: 1000,
  maxNamesPerConnection: 100,
  maxNameLength: 256,
})

/** What callers may give: any part of the limits; `false` turns one off. */
export type HubLimitOptions = { readonly [Name in keyof HubLimits]?: number | false | undefined }

/**
 * Fills in and checks the limits of names and groups.
 * @throws TypeError or RangeError with the option's name, value and range
 */
export function resolveHubLimits(options: HubLimitOptions = {}): HubLimits {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw new TypeError(`hubLimits must be an object, not ${showValue(options)}`)
  }
  const limits: Record<string, number> = { ...HUB_LIMITS }
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(HUB_LIMITS, name)) {
      throw new TypeError(
        `hubLimits has no option ${showValue(name)}; there are ${Object.keys(HUB_LIMITS).join(', ')}`,
      )
    }
    const given: unknown = options[name as keyof HubLimits]
    if (given === undefined) continue
    limits[name] =
      given === false ? Infinity : checkNumber(`hubLimits.${name}`, given, { min: 1, integer: true })
  }
  return Object.freeze(limits) as unknown as HubLimits
}

/** @throws TypeError for what is not a string, RangeError for one that is empty or too long */
export function checkName(what: string, name: unknown, maxLength: number): asserts name is string {
  if (typeof name !== 'string') throw new TypeError(`${what} must be a string, not ${showValue(name)}`)
  if (name.length === 0 || name.length > maxLength) {
    throw new RangeError(
      `${what} must have 1 to ${String(maxLength)} characters (hubLimits.maxNameLength), not ` +
        `${String(name.length)}: ${showValue(name)}`,
    )
  }
}
