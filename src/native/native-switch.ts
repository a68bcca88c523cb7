/**
 * Whether this room is in use: all of it or nothing of it. Read once, when the room is loaded, so that no check is left on
 * the paths that run for each message.
 */
import { showValue } from '../check.js'

/** Platforms on which the room was tried. Elsewhere `HAWSER_NATIVE=on` turns it on. */
const PLATFORMS: readonly string[] = ['linux']

/**
 * @param value of the environment variable `HAWSER_NATIVE`
 * @param platform as `process.platform`
 * @throws RangeError for a value other than `on`, `off` or none: a typing error must not leave the room on
 */
export function readNativeSwitch(value: string | undefined, platform: string): boolean {
  if (value === undefined || value === '') return PLATFORMS.includes(platform)
  if (value !== 'on' && value !== 'off') {
    throw new RangeError(`HAWSER_NATIVE must be on or off, not ${showValue(value)}`)
  }
  return value === 'on'
}

/** Whether the room is turned off by its variable. Of what is the same on every platform this alone decides. */
export const isNativeOff = process.env['HAWSER_NATIVE'] === 'off'

/** Whether what Node does not document may be probed and used in this process. */
export const isNativeOn = readNativeSwitch(process.env['HAWSER_NATIVE'], process.platform)
