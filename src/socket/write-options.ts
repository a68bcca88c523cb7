import { boolean, checkOptionNames, type Advice, type Checks } from '../check.js'
import type { SendOptions } from '../connection/connection-options.js'
import { WAIT_CHECKS, type WaitOptions } from './waiters.js'

/** The options of a message whose sender waits until the system took it. */
export interface WriteOptions extends SendOptions, WaitOptions {}

const CHECKS = {
  ...WAIT_CHECKS,
  compress: boolean(undefined),
  copy: boolean(undefined),
} satisfies Checks<WriteOptions>

const ADVICE = {
  callback: 'there is no callback; the call returns a promise',
  instead: {
    binary: 'a string is sent as text, and bytes as a binary message',
  },
} satisfies Advice

const NONE: WriteOptions = Object.freeze({})

/**
 * Checks the options of `write`.
 * @returns those of the wait, and those of the message: undefined if there are none
 * @throws TypeError or RangeError with the option's name, value and range
 */
export function readWriteOptions(options: WriteOptions = NONE): {
  readonly waiting: WaitOptions
  readonly sending: SendOptions | undefined
} {
  checkOptionNames('options', options, CHECKS, ADVICE)
  const compress = CHECKS.compress('compress', options.compress)
  const copy = CHECKS.copy('copy', options.copy)
  const signal = CHECKS.signal('signal', options.signal)
  const timeoutMs = CHECKS.timeoutMs('timeoutMs', options.timeoutMs)
  const isPlain = compress === undefined && copy === undefined
  return {
    waiting: { signal, timeoutMs },
    sending: isPlain ? undefined : { compress: compress ?? true, copy: copy ?? false },
  }
}
