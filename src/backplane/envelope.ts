import { checkCloseArguments, CloseCode } from '../frame/close-code.js'
import type { Action, NamedOutcome } from '../hub/remote.js'

/** The version of the envelopes. Those of another version are dropped, and counted. */
export const BACKPLANE_VERSION = 1

/** Text, or bytes that are not changed any more and have a buffer of their own. */
export type Payload = string | Uint8Array

/** A name, the time of its claim (see {@link isClaimTime}; null: it is free again), and whether the connection that loses it is closed. */
export type NameChange = readonly [name: string, time: number | null, closesPrevious: boolean]

/** A group, and how many members the node has of it. */
export type GroupChange = readonly [group: string, size: number]

/** What an envelope carries: an action, or news of the node that sends it. */
export type EnvelopeBody =
  | Action<Payload>
  /** Send to a named connection, and say what became of it. */
  | {
      readonly kind: 'deliver'
      /** The number of this request at the node that asks. */
      readonly request: number
      /** The name of the connection. */
      readonly name: string
      /** The message. */
      readonly payload: Payload
      /** Whether the message may be compressed. */
      readonly compress: boolean
    }
  /** What became of it. */
  | {
      readonly kind: 'delivered'
      /** The number of the request. */
      readonly request: number
      /** The outcome at the node that answers. */
      readonly outcome: NamedOutcome
    }
  /** What changed at a node. Numbered without gaps, so that a node that missed one notices. */
  | {
      readonly kind: 'changes'
      /** The number of the last change that is included. */
      readonly sequence: number
      /** The names, at most 1000. */
      readonly names: readonly NameChange[]
      /** The groups, at most 1000. */
      readonly groups: readonly GroupChange[]
    }
  /** The node lives, and the last of its changes has this number. */
  | {
      readonly kind: 'alive'
      /** The number of the last change. */
      readonly sequence: number
    }
  /** The node that receives this is to send a snapshot. */
  | { readonly kind: 'ask' }
  /** All names and groups of a node, in parts. */
  | {
      readonly kind: 'snapshot'
      /** The number of the last change that is included. */
      readonly sequence: number
      /** The number of this part, from 0. */
      readonly part: number
      /** Whether this is the last part. */
      readonly isLast: boolean
      /** The names, at most 1000. */
      readonly names: readonly NameChange[]
      /** The groups, at most 1000. */
      readonly groups: readonly GroupChange[]
    }
  /** The node is gone. A backplane that sees a node die may publish this in its name. */
  | { readonly kind: 'left' }

/** What goes over a backplane: plain data that JSON can carry, except for the bytes of a payload. */
export type Envelope = EnvelopeBody & {
  /** {@link BACKPLANE_VERSION} */
  readonly version: typeof BACKPLANE_VERSION
  /** The node that published it. */
  readonly from: string
  /** The one node that is to get it; null: all others. */
  readonly to: string | null
}

/**
 * A claim may lie this far in the future, by the clock of the node that hears of it: clocks differ. A later one would make all
 * claims after it later still, or impossible.
 */
export const MAX_CLOCK_SKEW_MS = 24 * 60 * 60 * 1000

/** Whether a claim can have been made at this time. */
export const isClaimTime = (time: unknown): time is number =>
  isCount(time) && (time as number) <= Date.now() + MAX_CLOCK_SKEW_MS

/** How many names and groups one envelope has at most. */
export const MAX_ENTRIES = 1000

/** Longer than any id that a node gives itself. */
const MAX_NODE_LENGTH = 100
const MAX_PATH_LENGTH = 64 * 1024
const MAX_EPOCH_LENGTH = 64

const isText = (value: unknown, max: number): boolean =>
  typeof value === 'string' && value.length > 0 && value.length <= max
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0

/**
 * Reads what a backplane received. Its types and sizes are checked, since another version or another program may be at
 * the other end.
 * @param maxNameLength of names and groups, in UTF-16 units
 * @returns null: it is not an envelope of this version
 */
export function parseEnvelope(value: unknown, maxNameLength: number): Envelope | null {
  if (typeof value !== 'object' || value === null) return null
  const envelope = value as Readonly<Record<string, unknown>>
  const { version, from, to, kind } = envelope
  if (version !== BACKPLANE_VERSION || !isText(from, MAX_NODE_LENGTH)) return null
  if (to !== null && !isText(to, MAX_NODE_LENGTH)) return null
  const check =
    typeof kind === 'string' && Object.hasOwn(CHECKS, kind) ? CHECKS[kind as Envelope['kind']] : null
  return check?.(envelope, maxNameLength) === true ? (value as Envelope) : null
}

type Check = (envelope: Readonly<Record<string, unknown>>, maxNameLength: number) => boolean

const hasGroup: Check = ({ group }, max) => isText(group, max)
const hasName: Check = ({ name }, max) => isText(name, max)
const OUTCOMES: readonly NamedOutcome[] = ['sent', 'dropped', 'unknown']
const hasRequest: Check = ({ request }) => isCount(request)
const hasSequence: Check = ({ sequence }) => isCount(sequence)
const hasPayload: Check = ({ payload, compress }) =>
  (typeof payload === 'string' || payload instanceof Uint8Array) && typeof compress === 'boolean'

/** A published message has a position, and any other none. */
const hasPosition: Check = ({ position }) => {
  if (position === undefined) return true
  if (typeof position !== 'object' || position === null) return false
  const { epoch, offset } = position as Partial<Record<string, unknown>>
  return isText(epoch, MAX_EPOCH_LENGTH) && isCount(offset) && offset !== 0
}

const hasClose: Check = ({ code, reason }) => {
  if (typeof reason !== 'string' || (code !== null && typeof code !== 'number')) return false
  // No code is null, and nothing else.
  if (code === CloseCode.NO_STATUS_RECEIVED) return false
  try {
    checkCloseArguments(code ?? undefined, code === null ? undefined : reason)
    return true
  } catch {
    return false
  }
}

const hasEntries: Check = ({ names, groups }, max) =>
  Array.isArray(names) &&
  Array.isArray(groups) &&
  names.length + groups.length <= MAX_ENTRIES &&
  names.every(
    (entry: unknown) =>
      Array.isArray(entry) &&
      isText(entry[0], max) &&
      (entry[1] === null || isClaimTime(entry[1])) &&
      typeof entry[2] === 'boolean',
  ) &&
  groups.every((entry: unknown) => Array.isArray(entry) && isText(entry[0], max) && isCount(entry[1]))

const all =
  (...checks: readonly Check[]): Check =>
  (envelope, max) =>
    checks.every((check) => check(envelope, max))

const CHECKS: { readonly [Kind in Envelope['kind']]: Check } = {
  group: all(hasGroup, hasPayload, hasPosition),
  broadcast: all(
    ({ path }) => path === null || (typeof path === 'string' && path.length <= MAX_PATH_LENGTH),
    hasPayload,
  ),
  named: all(hasName, hasPayload),
  deleteGroup: hasGroup,
  closeGroup: all(hasGroup, hasClose),
  deleteNamed: hasName,
  closeNamed: all(hasName, hasClose),
  deliver: all(hasName, hasPayload, hasRequest),
  delivered: all(hasRequest, ({ outcome }) => OUTCOMES.includes(outcome as NamedOutcome)),
  changes: all(hasSequence, hasEntries),
  alive: hasSequence,
  ask: () => true,
  snapshot: all(hasSequence, hasEntries, ({ part, isLast }) => isCount(part) && typeof isLast === 'boolean'),
  left: () => true,
}
