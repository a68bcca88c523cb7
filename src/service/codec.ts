import { InvalidMessageError } from '../errors.js'
import { showValue } from '../limits.js'
import type { MessageData } from '../connection/message-data.js'
import { PreparedMessage } from '../connection/prepared-message.js'
import { isThenable } from '../socket/no-reply.js'
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

/** A validator of any library that follows Standard Schema, version 1 (https://standardschema.dev). */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
  }
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] | undefined }[]
    }

/** The validator itself failed: nothing that the peer did wrong. */
export class SchemaFailure extends Error {
  constructor(cause: unknown) {
    super('the schema failed', { cause })
  }
}

/** The codec of {@link json}. */
class JsonCodec<T> implements Codec<T> {
  private readonly schema: StandardSchema<T> | undefined

  constructor(schema: StandardSchema<T> | undefined) {
    this.schema = schema
  }

  decode(message: string | Buffer): T | Promise<T> {
    const value = parseJson(message)
    return this.schema === undefined ? (value as T) : validate(this.schema, value)
  }

  encode(value: unknown): MessageData {
    if (isBytes(value)) return value
    const text = JSON.stringify(value) as string | undefined
    if (text === undefined) {
      throw new TypeError(`a reply must be a value that JSON has text for, not ${showValue(value)}`)
    }
    return text
  }
}

/** @throws InvalidMessageError with 1003 for bytes, and for text that is no JSON */
export function parseJson(message: string | Buffer): unknown {
  if (typeof message !== 'string')
    throw new InvalidMessageError(1003, 'a binary message where JSON is spoken')
  try {
    return JSON.parse(message)
  } catch (cause) {
    throw new InvalidMessageError(1003, 'a message that is no JSON', { cause })
  }
}

/** @throws InvalidMessageError with 1007 for what the schema does not allow; SchemaFailure. A promise rejects with them */
export function validate<T>(schema: StandardSchema<T>, value: unknown): T | Promise<T> {
  let result
  try {
    result = schema['~standard'].validate(value)
  } catch (error) {
    throw new SchemaFailure(error)
  }
  if (!isThenable(result)) return accepted(result)
  return Promise.resolve(result).then(accepted, (error: unknown) => {
    throw new SchemaFailure(error)
  })
}

function accepted<T>(result: SchemaResult<T>): T {
  if (result.issues === undefined) return result.value
  throw new InvalidMessageError(1007, 'a message that the schema does not allow', { issues: result.issues })
}

/**
 * The codec for JSON: handlers get what the text says, and what they return goes out as text; bytes go out as they
 * are. Without a schema a message may be any JSON: check it.
 * @param schema of zod, valibot, arktype or any other that follows Standard Schema; types the message
 * @throws TypeError for what is no such schema
 */
export function json(): Codec
export function json<T>(schema: StandardSchema<T>): Codec<T>
export function json<T>(schema?: StandardSchema<T>): Codec<T> {
  if (schema !== undefined) checkSchema(schema)
  return new JsonCodec(schema)
}

/** @throws TypeError for what does not follow Standard Schema, version 1 */
export function checkSchema(schema: unknown): void {
  const isHolder = (typeof schema === 'object' && schema !== null) || typeof schema === 'function'
  const standard = isHolder ? (schema as Partial<StandardSchema>)['~standard'] : undefined
  if (standard?.version !== 1 || typeof standard.validate !== 'function') {
    throw new TypeError(
      `schema must follow Standard Schema version 1 (a '~standard' with validate), not ${showValue(schema)}`,
    )
  }
}

/** @throws TypeError for what is no codec */
export function checkCodec(name: string, codec: unknown): void {
  const { decode, encode } = (typeof codec === 'object' && codec !== null ? codec : {}) as Partial<Codec>
  if (typeof decode !== 'function' || typeof encode !== 'function') {
    throw new TypeError(`${name} must be an object with decode and encode, not ${showValue(codec)}`)
  }
}

/**
 * What a codec makes of a reply.
 * @throws what `encode` throws; TypeError for anything but text and bytes: a promise, for one, which nobody waits for
 */
export function encodeWith(codec: Codec, value: unknown): MessageData {
  const data: unknown = codec.encode(value)
  if (typeof data === 'string' || isBytes(data) || data instanceof PreparedMessage) return data as MessageData
  if (!isThenable(data)) {
    throw new TypeError(`codec.encode must return text or bytes, not ${showValue(data)}`)
  }
  // What it rejects with says less than that it must not be a promise.
  Promise.resolve(data).catch(() => undefined)
  throw new TypeError('codec.encode must return text or bytes, not a promise: it must not be async')
}
