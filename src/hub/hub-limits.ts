import { numberOrOff, readOptions, showValue, type Checks } from '../check.js'

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

const COUNT = { min: 1, integer: true }

const CHECKS = {
  maxGroupsPerConnection: numberOrOff(COUNT, HUB_LIMITS.maxGroupsPerConnection),
  maxNamesPerConnection: numberOrOff(COUNT, HUB_LIMITS.maxNamesPerConnection),
  maxNameLength: numberOrOff(COUNT, HUB_LIMITS.maxNameLength),
} satisfies Checks<HubLimitOptions>

/**
 * Checks the limits of names and groups and fills in the defaults.
 * @throws TypeError or RangeError with the option's name, value and range; TypeError for an unknown name
 */
export function resolveHubLimits(options: HubLimitOptions = {}): HubLimits {
  return Object.freeze(readOptions('hubLimits', options, CHECKS, { prefix: 'hubLimits.' }))
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
