import type { MessageData } from '../connection/message-data.js'
import { InvalidMessageError } from '../errors.js'
import { showValue } from '../check.js'
import type { Codec } from '../service/codec.js'
import { isBytes } from '../service/reply-values.js'
import { checkSchema, validate, type StandardSchema } from './schema.js'

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

/** @throws InvalidMessageError with 1003 for bytes, and for text that is not JSON */
export function parseJson(message: string | Buffer): unknown {
  if (typeof message !== 'string')
    throw new InvalidMessageError(1003, 'a binary message where JSON is spoken')
  try {
    return JSON.parse(message)
  } catch (cause) {
    throw new InvalidMessageError(1003, 'a message that is no JSON', { cause })
  }
}

/**
 * The codec for JSON: handlers get what the text says, and what they return goes out as text; bytes go out as they
 * are. Without a schema a message may be any JSON: check it.
 * @param schema of zod, valibot, arktype or any other that follows Standard Schema; types the message
 * @throws TypeError for what is not such a schema
 */
export function json(): Codec
export function json<T>(schema: StandardSchema<T>): Codec<T>
export function json<T>(schema?: StandardSchema<T>): Codec<T> {
  if (schema !== undefined) checkSchema(schema)
  return new JsonCodec(schema)
}
