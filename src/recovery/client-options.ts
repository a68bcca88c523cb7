import { optionalFunction, readOptions, showValue, type Check, type Checks } from '../check.js'
import {
  ClientPositions,
  type GroupPosition,
  type PublishedMessage,
  type RecoveryEvent,
} from './client-positions.js'
import { isEpoch, isOffset, MAX_POSITIONS } from './wire.js'

/** The option `recovery` of {@link connect}. */
export interface ClientRecoveryOptions {
  /** Where the client is, as `positions()` gave it to an earlier process. Default: nowhere, it begins with what is published now. */
  readonly positions?: readonly GroupPosition[] | undefined
  /**
   * Called for each group that the client comes back to, in the order of the messages: before what is published after the loss, or
   * after the last message that was missed. What it throws is reported as a handler's error.
   */
  readonly onRecovered?: ((event: RecoveryEvent) => unknown) | undefined
  /** Called with each published message, just before the application gets it as every other one. */
  readonly onPublished?: ((message: PublishedMessage) => unknown) | undefined
}

const positions: Check<readonly GroupPosition[]> = (name, value) => {
  if (value === undefined) return []
  if (!Array.isArray(value)) {
    throw new TypeError(
      `${name} must be a list of positions, as positions() gives it, not ${showValue(value)}`,
    )
  }
  if (value.length > MAX_POSITIONS) {
    throw new RangeError(
      `${name} must have at most ${String(MAX_POSITIONS)} entries, not ${String(value.length)}`,
    )
  }
  const groups = new Set<string>()
  for (const [i, entry] of (value as readonly unknown[]).entries()) {
    const { group, epoch, offset } = (entry ?? {}) as Partial<Record<keyof GroupPosition, unknown>>
    const isOne = typeof group === 'string' && group !== '' && isEpoch(epoch) && isOffset(offset)
    if (!isOne || groups.has(group)) {
      throw new TypeError(
        `${name}[${String(i)}] must be { group, epoch, offset }, each group once, not ${showValue(entry)}`,
      )
    }
    groups.add(group)
  }
  return value as readonly GroupPosition[]
}

const CHECKS = {
  positions,
  onRecovered: optionalFunction<ClientRecoveryOptions['onRecovered']>(),
  onPublished: optionalFunction<ClientRecoveryOptions['onPublished']>(),
} satisfies Checks<ClientRecoveryOptions>

/** The recovery of one client: the same for all of its connections. */
export interface ClientRecovery {
  readonly positions: ClientPositions
  readonly onRecovered: ((event: RecoveryEvent) => unknown) | undefined
  readonly onPublished: ((message: PublishedMessage) => unknown) | undefined
}

/**
 * Checks the option `recovery` of a client.
 * @returns null: it is off
 * @throws TypeError or RangeError with the option's name, value and range
 */
export function resolveClientRecovery(value: unknown): ClientRecovery | null {
  if (value === undefined || value === false) return null
  if (value !== true && (typeof value !== 'object' || value === null)) {
    throw new TypeError(`recovery must be true, false or an object, not ${showValue(value)}`)
  }
  const given = value === true ? {} : (value as ClientRecoveryOptions)
  const read = readOptions('recovery', given, CHECKS, { prefix: 'recovery.' })
  return { ...read, positions: new ClientPositions(read.positions) }
}
