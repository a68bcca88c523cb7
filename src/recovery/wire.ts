/**
 * The subprotocol of recovery (docs/recovery.md). The first character of each text, and the first byte of each binary message,
 * says what follows: `0` a message of the application; `1` a published message, after its header `ID,OFFSET,`; `2` a control
 * message, which is JSON and always text.
 */
import type { Position } from './history.js'

/** The subprotocol, where the application has none of its own; else it follows the application's name and a plus sign. */
const NAME = 'hawser.recovery'
const SUFFIX = `+${NAME}`

export const PLAIN = 0x30
export const PUBLISHED = 0x31
export const CONTROL = 0x32

/** How many positions a client sends at most. */
export const MAX_POSITIONS = 1000
/** How long a control message is at most, in UTF-16 units. */
export const MAX_CONTROL_LENGTH = 128 * 1024
export const MAX_EPOCH_LENGTH = 64
/** A client sends its positions in messages of this size at most, in bytes, or with one position each: `maxMessageBytes` of the server may be low. */
export const POSITIONS_BYTES = 250
const MAX_REASON_LENGTH = 64
/** The digits of the largest safe integer. */
const MAX_DIGITS = 16
/** By how many bytes a message is longer at most with its prefix, or its header. */
export const MAX_HEADER_BYTES = 1 + 2 * (MAX_DIGITS + 1)

const COMMA = 0x2c
const ZERO = 0x30

/** Whether a subprotocol is that of recovery, by itself or with one of the application inside. */
export const isRecoveryProtocol = (protocol: string): boolean =>
  protocol === NAME || protocol.endsWith(SUFFIX)

/** The application's subprotocol inside one of recovery; empty: it has none. */
export const innerProtocol = (protocol: string): string =>
  protocol === NAME ? '' : protocol.slice(0, -SUFFIX.length)

/** What a client offers: each of the application's subprotocols with recovery, and without; recovery alone if there is none. */
export function offerRecovery(protocols: readonly string[]): readonly string[] {
  if (protocols.length === 0) return [NAME]
  const all = protocols.flatMap((name) => (isRecoveryProtocol(name) ? [name] : [name + SUFFIX, name]))
  return [...new Set(all)]
}

/** The application's subprotocols among those that a client offers. */
export function innerProtocols(offered: readonly string[]): readonly string[] {
  if (!offered.some(isRecoveryProtocol)) return offered
  const inner = offered.map((name) => (isRecoveryProtocol(name) ? innerProtocol(name) : name))
  return [...new Set(inner)].filter((name) => name !== '')
}

/** The subprotocol with recovery around what was chosen, if the client offered it so; else what was chosen. */
export function chooseRecovery(chosen: string | undefined, offered: readonly string[]): string | undefined {
  const wanted = chosen === undefined ? NAME : chosen + SUFFIX
  return offered.includes(wanted) ? wanted : chosen
}

/** What the first character or byte of a message says; -1: the message is empty. */
export function prefixOf(message: string | Uint8Array): number {
  if (message.length === 0) return -1
  return typeof message === 'string' ? message.charCodeAt(0) : (message[0] as number)
}

/** A message of the application, as it goes over the wire. */
export function encodePlain(data: string | Uint8Array): string | Buffer {
  if (typeof data === 'string') return `0${data}`
  const bytes = Buffer.allocUnsafe(data.length + 1)
  bytes[0] = PLAIN
  bytes.set(data, 1)
  return bytes
}

/** A published message, as it goes over the wire. */
export function encodePublished(id: number, offset: number, data: string | Uint8Array): string | Buffer {
  const header = `1${String(id)},${String(offset)},`
  if (typeof data === 'string') return header + data
  const bytes = Buffer.allocUnsafe(header.length + data.length)
  bytes.write(header, 0, 'latin1')
  bytes.set(data, header.length)
  return bytes
}

/** What follows the first characters of a message. Bytes move to the front, so that they lie as those of other messages do. */
export function withoutStart(message: string | Buffer, length: number): string | Buffer {
  if (typeof message === 'string') return message.slice(length)
  message.copyWithin(0, length)
  return message.subarray(0, message.length - length)
}

/** The header of a published message. */
export interface PublishedHeader {
  readonly id: number
  readonly offset: number
  /** How many characters or bytes of the message it takes, its prefix among them. */
  readonly length: number
}

/** @returns null: the header is malformed */
export function readHeader(message: string | Buffer): PublishedHeader | null {
  const codeAt = (at: number): number | undefined =>
    typeof message === 'string' ? message.charCodeAt(at) : message[at]
  const numbers: number[] = []
  let at = 1
  while (numbers.length < 2) {
    const start = at
    let value = 0
    for (;;) {
      const digit = (codeAt(at) ?? NaN) - ZERO
      if (!(digit >= 0 && digit <= 9) || at - start === MAX_DIGITS) break
      value = value * 10 + digit
      at++
    }
    if (at === start || codeAt(at) !== COMMA || !Number.isSafeInteger(value)) return null
    numbers.push(value)
    at++
  }
  const [id, offset] = numbers as [number, number]
  return offset === 0 ? null : { id, offset, length: at }
}

const isText = (value: unknown, max: number): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= max

export const isOffset = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0

export const isEpoch = (value: unknown): value is string => isText(value, MAX_EPOCH_LENGTH)

/** The JSON of a control message; null: it is not an object. */
export function readControl(message: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(message.slice(1))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

/** One position, as the messages of {@link encodePositions} have it. */
export const encodePosition = (group: string, { epoch, offset }: Position): string =>
  JSON.stringify([group, epoch, offset])

/**
 * One of the first messages of a client.
 * @param entries of {@link encodePosition}
 * @param isLast whether no more follow
 */
export const encodePositions = (entries: readonly string[], isLast: boolean): string =>
  `2{"positions":[${entries.join(',')}]${isLast ? '' : ',"more":true'}}`

/** Why a member does not get what it missed. */
export type LossReason =
  /** The history began anew: what it had before is gone. */
  | 'epoch'
  /** What was missed is no longer kept, or not all of it. */
  | 'trimmed'
  /** The position is after the newest message: the history lost its newest messages, or the position is of another one. */
  | 'ahead'
  /** The history could not be read in time. */
  | 'unavailable'

/** A control message of a server, as it is sent. */
export type ServerControl =
  /** Messages with this id are of this group and epoch, and those after this offset follow; perhaps with an outcome. */
  | {
      readonly group: string
      readonly id: number
      readonly epoch: string
      readonly offset: number
      readonly recovered?: boolean
      readonly count?: number
      readonly reason?: string
    }
  /** All that was missed was sent. */
  | { readonly id: number; readonly recovered: true; readonly count: number }
  /** The connection is not a member any more. */
  | { readonly left: string }

export const encodeControl = (control: ServerControl): string => `2${JSON.stringify(control)}`

/**
 * Reads the control message of a server. Whatever it is given.
 * @returns null: it is malformed
 */
export function readServerControl(message: string): ServerControl | null {
  if (message.length > MAX_CONTROL_LENGTH) return null
  const control = readControl(message)
  if (control === null) return null
  const { group, id, epoch, offset, recovered, count, reason, left } = control
  if (left !== undefined) return isText(left, MAX_CONTROL_LENGTH) ? { left } : null
  if (!isOffset(id)) return null
  if (recovered === true ? !isOffset(count) : recovered === false && !isText(reason, MAX_REASON_LENGTH)) {
    return null
  }
  if (recovered !== undefined && typeof recovered !== 'boolean') return null
  if (group === undefined) return recovered === true ? { id, recovered, count: count as number } : null
  if (!isText(group, MAX_CONTROL_LENGTH) || !isEpoch(epoch) || !isOffset(offset)) return null
  const begin = { group, id, epoch, offset }
  if (recovered === undefined) return begin
  return recovered
    ? { ...begin, recovered, count: count as number }
    : { ...begin, recovered, reason: reason as string }
}
