import { boolean, oneOf, readOptions, showValue } from '../check.js'
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

const SHARED = {
  slowConsumer: oneOf<SlowConsumerPolicy>(['close', 'drop', 'buffer'], 'close'),
  autoPong: boolean(true),
  directIo: boolean(true),
}

/**
 * Fills in and checks the options that both ends have.
 * @throws TypeError with the option's name and value
 */
export function resolveSharedOptions(
  options: SharedOptions & { readonly tls?: object | undefined },
): Required<SharedOptions> {
  const { slowConsumer, autoPong, directIo, tls } = options
  if (tls !== undefined && (typeof tls !== 'object' || (tls as unknown) === null)) {
    throw new TypeError(`tls must be an object of node:tls options, not ${showValue(tls)}`)
  }
  return readOptions('options', { slowConsumer, autoPong, directIo } as SharedOptions, SHARED)
}
