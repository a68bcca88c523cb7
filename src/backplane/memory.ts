import type { Backplane } from '../hub/backplane.js'
import type { BackplaneOptions } from './pipe-backplane.js'
import { BackplaneRelay } from './relay.js'

/**
 * A backplane for one of several servers of this process.
 * @param relay the same for all of them
 */
export function memoryBackplane(relay: BackplaneRelay, options: BackplaneOptions = {}): Backplane {
  if (!(relay instanceof BackplaneRelay)) throw new TypeError('relay must be a BackplaneRelay')
  return relay.backplane(options)
}
