import { InvalidMessageError, toError } from '../errors.js'
import { isThenable, optionalFunction, readOptions, showValue, unchecked } from '../check.js'
import type { MessageData } from '../connection/message-data.js'
import type { Codec } from '../service/codec.js'
import { isStream, type AnyIterable } from '../service/reply-values.js'
import type { ServerSocket } from '../server/server-socket.js'
import { json, parseJson } from './json-codec.js'
import { checkSchema, validate, type StandardSchema } from './schema.js'

/** What a handler gets where no schema says more: an object that has this value in its field. */
export type AnyMessage<Field extends string> = Readonly<Record<string, unknown>> & {
  readonly [Name in Field]: string
}

/** Of a union, the members with this value in their field. */
type MessageFor<Message, Field extends string, Value> = Message extends { readonly [Name in Field]: Value }
  ? Message
  : never

/** The values of a field, as the types of the messages have them. */
type ValuesOf<Message, Field extends string> = Message extends { readonly [Name in Field]: infer Value }
  ? Extract<Value, string>
  : never

/** The same type, but read only once `Message` is known: else the compiler does not type the handlers by it. */
type Once<Message, Type> = [Message] extends [never] ? never : Type

/** A handler for each value of the field. What it returns is the reply. */
export type RouterHandlers<Message, Field extends string, S = ServerSocket> = {
  readonly [Value in ValuesOf<Message, Field>]?: (
    socket: S,
    message: MessageFor<Message, Field, Value>,
  ) => unknown
}

/** The options of a router without a schema. */
export interface RouterOptions<S = ServerSocket> {
  /**
   * Gets what has no handler: another value, none, or no object at all; with a schema also what that does not allow, as it
   * came. Default: such a message is invalid (1007, or the service's `onInvalidMessage`, with the kind `'unknownType'`).
   */
  readonly onUnknown?: ((socket: S, message: unknown) => unknown) | undefined
  /**
   * Gets what a handler, or `onUnknown`, threw or rejected with, and what a reply in parts threw; the connection stays
   * open. What it returns is the reply, sync or async. What it throws ends the connection with 1011, as does what a handler
   * throws without it.
   */
  readonly onFailure?: ((socket: S, error: Error, message: unknown) => unknown) | undefined
}

/** With a schema, which checks messages and types them: best a union of objects with a literal in the field. */
export interface CheckedRouterOptions<Message, S = ServerSocket> extends RouterOptions<S> {
  /** Checks each message. */
  readonly schema: StandardSchema<Message>
}

/** A part of a service: spread it into one, or give it as it is. */
export interface RouterPart<S> {
  /** Reads and writes JSON. */
  readonly codec: Codec
  /** Calls the handler of a message. @returns its reply */
  onMessage(socket: S, message: unknown): unknown
}

type Handler = (socket: ServerSocket, message: unknown) => unknown
type FailureHandler = (socket: ServerSocket, error: Error, message: unknown) => unknown

const NO_HANDLER = 'no handler for this message'

/** The value of the field, where the message is an object that has it itself, as a string. */
function valueOf(message: unknown, field: string): string | undefined {
  if (typeof message !== 'object' || message === null || !Object.hasOwn(message, field)) return undefined
  const value = (message as Record<string, unknown>)[field]
  return typeof value === 'string' ? value : undefined
}

/**
 * Chooses the handler of a JSON message by one of its fields: `{ ...router('type', { subscribe: ... }), onClose }`.
 * The handlers are those given and no others: no name that a message has can reach anything else.
 * @param field of the message, such as `type`
 * @param handlers by value; own properties only
 * A message of a type that has no handler is told apart from one whose values the schema does not allow: by `kind` of
 * the InvalidMessageError.
 * @throws TypeError for an empty field, handlers that are not a plain object of functions, neither a handler nor
 *   `onUnknown`, unknown options, a wrong schema
 */
export function router<const Field extends string, Message, S = ServerSocket>(
  field: Field,
  handlers: Once<Message, RouterHandlers<Message, Field, S>>,
  options: CheckedRouterOptions<Message, S>,
): RouterPart<S>
export function router<const Field extends string, S = ServerSocket>(
  field: Field,
  handlers: Readonly<Record<string, (socket: S, message: AnyMessage<Field>) => unknown>>,
  options?: RouterOptions<S>,
): RouterPart<S>
export function router(
  field: string,
  handlers: unknown,
  options: Partial<CheckedRouterOptions<unknown>> = {},
): RouterPart<ServerSocket> {
  if (typeof field !== 'string' || field === '') {
    throw new TypeError(`field must be the name of a property, not ${showValue(field)}`)
  }
  const table = readTable(handlers)
  const { schema, onUnknown, onFailure } = readOptions('options', options, {
    schema: unchecked<StandardSchema | undefined>(),
    onUnknown: optionalFunction<RouterOptions['onUnknown']>(),
    onFailure: optionalFunction<RouterOptions['onFailure']>(),
  })
  if (schema !== undefined) checkSchema(schema)
  if (table.size === 0 && onUnknown === undefined) {
    throw new TypeError('handlers must have at least one function, or options an onUnknown')
  }
  const codec = json()
  const handlerOf = (message: unknown): Handler | undefined => {
    const value = valueOf(message, field)
    return value === undefined ? undefined : table.get(value)
  }
  const known = (message: unknown): unknown => {
    if (onUnknown !== undefined || handlerOf(message) !== undefined) return message
    throw new InvalidMessageError(1007, NO_HANDLER, { kind: 'unknownType' })
  }
  // What the schema does not allow may be of a type that nobody handles: then this is what is wrong with it.
  const refused = (message: unknown, error: unknown): unknown => {
    if (error instanceof InvalidMessageError && handlerOf(message) === undefined) {
      if (onUnknown !== undefined) return new Unknown(message)
      throw new InvalidMessageError(1007, NO_HANDLER, { kind: 'unknownType', issues: error.issues })
    }
    throw error
  }
  const call = (socket: ServerSocket, message: unknown): unknown =>
    message instanceof Unknown
      ? onUnknown?.(socket, message.message)
      : (handlerOf(message) ?? onUnknown)?.(socket, message)
  return {
    codec: {
      decode(text: string | Buffer): unknown {
        const message = parseJson(text)
        if (schema === undefined) return known(message)
        let value
        try {
          value = validate(schema, message)
        } catch (error) {
          return refused(message, error)
        }
        if (!isThenable(value)) return known(value)
        return value.then(known, (error: unknown) => refused(message, error))
      },
      encode: (value: unknown): MessageData => codec.encode(value),
    },
    onMessage: onFailure === undefined ? call : guarded(call, onFailure),
  }
}

/** A message that the schema does not allow, and whose type has no handler. */
class Unknown {
  readonly message: unknown

  constructor(message: unknown) {
    this.message = message
  }
}

/** The same handler; `onFailure` answers for what it throws, now, later or between the parts of a reply. */
function guarded(call: Handler, onFailure: FailureHandler): Handler {
  return (socket, given) => {
    const message = given instanceof Unknown ? given.message : given
    const failed = (error: unknown): unknown => onFailure(socket, toError(error), message)
    const watched = (reply: unknown): unknown => (isStream(reply, false) ? parts(reply, failed) : reply)
    let result: unknown
    try {
      result = call(socket, given)
    } catch (error) {
      return failed(error)
    }
    return isThenable(result) ? Promise.resolve(result).then(watched, failed) : watched(result)
  }
}

async function* parts(
  reply: AnyIterable,
  failed: (error: unknown) => unknown,
): AsyncGenerator<unknown, void, undefined> {
  try {
    yield* reply
  } catch (error) {
    const last = await failed(error)
    if (last !== undefined) yield last
  }
}

function readTable(handlers: unknown): ReadonlyMap<string, Handler> {
  if (typeof handlers !== 'object' || handlers === null) {
    throw new TypeError(`handlers must be an object with functions, not ${showValue(handlers)}`)
  }
  // Only own properties count: the methods of a class would reach nothing.
  const parent: unknown = Object.getPrototypeOf(handlers)
  if (parent !== null && Object.getPrototypeOf(parent) !== null) {
    throw new TypeError(
      `handlers must be a plain object with functions, not ${Array.isArray(handlers) ? 'an array' : 'one of a class'}`,
    )
  }
  const table = new Map<string, Handler>()
  for (const [value, handler] of Object.entries(handlers)) {
    if (handler === undefined) continue
    if (typeof handler !== 'function') {
      throw new TypeError(`handlers.${value} must be a function, not ${showValue(handler)}`)
    }
    table.set(value, handler as Handler)
  }
  return table
}
