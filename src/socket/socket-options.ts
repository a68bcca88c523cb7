import { boolean, oneOf, type Checks } from '../check.js'
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

/** A check for each option that both ends have. */
export const SHARED_CHECKS = {
  slowConsumer: oneOf<SlowConsumerPolicy>(['close', 'drop', 'buffer'], 'close'),
  autoPong: boolean(true),
  directIo: boolean(true),
} satisfies Checks<SharedOptions>
