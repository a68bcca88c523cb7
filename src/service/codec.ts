import { refusePromise, showValue } from '../check.js'
import { InvalidMessageError, noteRaw, toError } from '../errors.js'
import type { MessageData } from '../connection/message-data.js'
import { PreparedMessage } from '../connection/prepared-message.js'
import { isBytes } from './reply-values.js'

/** What stands between the messages on the wire and the values that handlers get and return. */
export interface Codec<T = unknown> {
  /**
   * Reads a message; may be async.
   * @throws InvalidMessageError, or anything, which then counts as a message that does not parse (1003)
   */
  decode(message: string | Buffer): T | Promise<T>
  /** Writes what a handler returned; never async. What it throws is the handler's failure: 1011. */
  encode(value: unknown): MessageData
}

/** What the handlers of a service get: what its codec reads, or without one the message itself. */
export type MessageOf<C> = [C] extends [Codec<infer T>] ? T : string | Buffer

/** The validator itself failed: nothing that the peer did wrong. */
export class SchemaFailure extends Error {
  constructor(cause: unknown) {
    super('the schema failed', { cause })
  }
}

/**
 * The error of a message that its codec did not read.
 * @param error what the codec threw
 * @throws what the schema itself threw: nothing is wrong with the message then
 */
export function refusalOf(error: unknown, raw: string | Buffer): InvalidMessageError {
  if (error instanceof SchemaFailure) throw toError(error.cause)
  const invalid =
    error instanceof InvalidMessageError
      ? error
      : new InvalidMessageError(1003, 'a message that the codec cannot read', { cause: error })
  noteRaw(invalid, raw)
  return invalid
}

/** Reads a message by a codec. @throws InvalidMessageError; what the schema throws */
export async function decodeWith<T>(codec: Codec<T>, raw: string | Buffer): Promise<T> {
  try {
    return await codec.decode(raw)
  } catch (error) {
    throw refusalOf(error, raw)
  }
}

/** @throws TypeError for what is not a codec */
export function checkCodec(name: string, codec: unknown): void {
  const isHolder = (typeof codec === 'object' && codec !== null) || typeof codec === 'function'
  // A schema of zod has the two functions as well: they are for values, not for messages.
  if (isHolder && '~standard' in codec) {
    throw new TypeError(`${name} must be a codec, not a schema: json(schema) of hawser/json makes one of it`)
  }
  const given = (typeof codec === 'object' && codec !== null ? codec : {}) as Partial<Codec>
  const missing = (['decode', 'encode'] as const).filter((member) => typeof given[member] !== 'function')
  if (missing.length === 0) return
  const without = typeof codec === 'object' && codec !== null ? ` without ${missing.join(' and ')}` : ''
  const advice = codec === JSON ? '; use json() of hawser/json' : ''
  throw new TypeError(
    `${name} must be an object with decode and encode, not ${showValue(codec)}${without}${advice}`,
  )
}

/**
 * What a codec makes of a reply.
 * @throws what `encode` throws; TypeError for anything but text and bytes: a promise, for one, which nobody waits for
 */
export function encodeWith(codec: Codec, value: unknown): MessageData {
  const data: unknown = codec.encode(value)
  if (typeof data === 'string' || isBytes(data) || data instanceof PreparedMessage) return data as MessageData
  refusePromise(data, 'codec.encode must return text or bytes, not a promise: it must not be async')
  throw new TypeError(`codec.encode must return text or bytes, not ${showValue(data)}`)
}
