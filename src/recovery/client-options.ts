import {
  checkNumber,
  number,
  optionalFunction,
  readOptions,
  showValue,
  type Check,
  type Checks,
} from '../check.js'
import {
  ClientPositions,
  MAX_POSITIONS_BYTES,
  type GroupPosition,
  type PublishedMessage,
  type RecoveryEvent,
} from './client-positions.js'
import { isEpoch, MAX_EPOCH_LENGTH, MAX_POSITIONS } from './wire.js'

/** The option `recovery` of {@link connect}. */
export interface ClientRecoveryOptions {
  /** Where the client is, as `positions()` gave it to an earlier process. Default: nowhere, it begins with what is published now. */
  readonly positions?: readonly GroupPosition[] | undefined
  /**
   * How much the names and epochs of all groups may take, in bytes: 2 for each UTF-16 unit, and 256 for each group. A server that tells more
   * ends the connection. Default 4 MiB.
   */
  readonly maxPositionsBytes?: number | undefined
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
  const indexes = new Map<unknown, number>()
  for (const [i, entry] of (value as readonly unknown[]).entries()) {
    const { group } = readPosition(`${name}[${String(i)}]`, entry)
    const before = indexes.get(group)
    if (before !== undefined) {
      throw new TypeError(
        `${name}[${String(i)}].group must be in the list once, not ${showValue(group)} as in ${name}[${String(before)}]`,
      )
    }
    indexes.set(group, i)
  }
  return value as readonly GroupPosition[]
}

function readPosition(name: string, entry: unknown): GroupPosition {
  if (typeof entry !== 'object' || entry === null) {
    throw new TypeError(
      `${name} must be { group, epoch, offset }, as positions() gives it, not ${showValue(entry)}`,
    )
  }
  const { group, epoch, offset } = entry as Partial<Record<keyof GroupPosition, unknown>>
  if (typeof group !== 'string' || group === '') {
    throw new TypeError(`${name}.group must be the name of a group, not ${showValue(group)}`)
  }
  if (!isEpoch(epoch)) {
    throw new TypeError(
      `${name}.epoch must be text of 1 to ${String(MAX_EPOCH_LENGTH)} characters, not ${showValue(epoch)}`,
    )
  }
  checkNumber(`${name}.offset`, offset, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true })
  return { group, epoch, offset: offset as number }
}

const CHECKS = {
  positions,
  maxPositionsBytes: number({ min: 1024, integer: true }, MAX_POSITIONS_BYTES),
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
  const {
    positions: list,
    maxPositionsBytes,
    ...callbacks
  } = readOptions('recovery', given, CHECKS, {
    prefix: 'recovery.',
  })
  const kept = new ClientPositions(list, maxPositionsBytes)
  if (kept.size === list.length) return { ...callbacks, positions: kept }
  throw new RangeError(
    `recovery.positions must take at most ${String(maxPositionsBytes)} bytes, recovery.maxPositionsBytes, and ${String(list.length)} take more`,
  )
}
