import { showValue } from '../limits.js'
import type { SlowConsumerPolicy } from './driver-owner.js'

/** The options that both ends have. */
export interface SharedOptions {
  /** What becomes of a peer that does not read, above `limits.maxBufferedOutputBytes`. Default `'close'`, with 1008. */
  readonly slowConsumer?: SlowConsumerPolicy
  /** Answer pings by itself. Default true. */
  readonly autoPong?: boolean
  /**
   * Read and write at the handle of a plain socket, where this Node lets it be done, instead of through its stream
   * (docs/adr/0010). The streams of others, and TLS, are used as streams in any case. Default true.
   */
  readonly directIo?: boolean
}

const POLICIES: readonly unknown[] = ['close', 'drop', 'buffer'] satisfies SlowConsumerPolicy[]

/** @throws TypeError for what is no object, and for a name that is no option */
export function checkOptionNames(what: string, options: unknown, names: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new TypeError(
      `${what} must be an object, not ${Array.isArray(options) ? 'an array' : showValue(options)}`,
    )
  }
  for (const name of Object.keys(options)) {
    if (!names.has(name)) {
      throw new TypeError(`${what} has no option ${showValue(name)}; there are ${[...names].join(', ')}`)
    }
  }
}

/**
 * Fills in and checks the options that both ends have.
 * @throws TypeError with the option's name and value
 */
export function resolveSharedOptions(
  options: SharedOptions & { readonly tls?: object | undefined },
): Required<SharedOptions> {
  const { slowConsumer = 'close', autoPong = true, directIo = true, tls } = options
  if (!POLICIES.includes(slowConsumer)) {
    throw new TypeError(`slowConsumer must be 'close', 'drop' or 'buffer', not ${showValue(slowConsumer)}`)
  }
  if (typeof autoPong !== 'boolean') {
    throw new TypeError(`autoPong must be true or false, not ${showValue(autoPong)}`)
  }
  if (typeof directIo !== 'boolean') {
    throw new TypeError(`directIo must be true or false, not ${showValue(directIo)}`)
  }
  if (tls !== undefined && (typeof tls !== 'object' || (tls as unknown) === null)) {
    throw new TypeError(`tls must be an object of node:tls options, not ${showValue(tls)}`)
  }
  return { slowConsumer, autoPong, directIo }
}
