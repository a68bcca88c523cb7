/**
 * Error classes. Their codes, and what belongs to each, are in the tables of `error-codes`.
 */
import {
  HANDSHAKE_ERRORS,
  LIMIT_ERRORS,
  PROTOCOL_ERRORS,
  PUBLISH_ERRORS,
  type ErrorRow,
  type HandshakeErrorCode,
  type LimitErrorCode,
  type ProtocolErrorCode,
  type PublishErrorCode,
} from './error-codes.js'

export type {
  HandshakeErrorCode,
  LimitErrorCode,
  ProtocolErrorCode,
  PublishErrorCode,
} from './error-codes.js'

/**
 * Makes an error that no code led to. It has no stack: to take one is expensive, and what a flood of peers does should not cost one
 * each. Where `Error` cannot be changed (`node --frozen-intrinsics`) it has one.
 */
export function withoutStack<E extends Error>(make: () => E): E {
  const { stackTraceLimit } = Error
  Reflect.set(Error, 'stackTraceLimit', 0)
  try {
    return make()
  } finally {
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit)
  }
}

/** The peer broke the protocol on an open connection. The engine returns this error as a value and never throws it. */
export class ProtocolError extends Error {
  override readonly name: string = 'ProtocolError'
  /** The stable code, for programs. */
  readonly code: ProtocolErrorCode | LimitErrorCode
  /** The Close code sent to the peer; 1006 if no Close frame is sent. */
  readonly closeCode: number
  /** The section that the peer violated, such as `RFC 6455 5.2`. */
  readonly rfcSection: string

  constructor(code: ProtocolErrorCode | LimitErrorCode, detail?: string) {
    const row: ErrorRow =
      code in LIMIT_ERRORS ? LIMIT_ERRORS[code as LimitErrorCode] : PROTOCOL_ERRORS[code as ProtocolErrorCode]
    super(detail === undefined ? row.message : `${row.message}: ${detail}`)
    this.code = code
    this.closeCode = row.closeCode
    this.rfcSection = row.rfcSection
  }
}

/** The peer exceeded a limit. `limit` and `actual` are in the unit of the option that the message names. */
export class LimitError extends ProtocolError {
  override readonly name: string = 'LimitError'
  /** The limit. */
  readonly limit: number
  /** The amount that exceeded it. */
  readonly actual: number

  constructor(code: LimitErrorCode, limit: number, actual: number) {
    super(code, `${String(actual)} over a limit of ${String(limit)}`)
    this.limit = limit
    this.actual = actual
  }
}

/** A validator's finding: what is wrong with a value, and where. */
export interface MessageIssue {
  /** What is wrong, in words of the schema. */
  readonly message: string
  /** Where in the value: the keys that lead there. */
  readonly path?: readonly unknown[] | undefined
}

/**
 * What is wrong with a message: it cannot be read (it is not JSON, or binary), its type has no handler in a router, its values
 * do not fit the schema, or it is binary where text is read (`receiveText`, `onTextMessage`), and the other way round.
 */
export type InvalidMessageKind = 'unreadable' | 'unknownType' | 'invalidValue' | 'type'
const KINDS: readonly InvalidMessageKind[] = ['unreadable', 'unknownType', 'invalidValue', 'type']
/** Notes which message an error is about. */
export let noteRaw: (error: InvalidMessageError, raw: string | Buffer) => void

/** A codec refused a message, or it is not of the type that a client reads or that handlers take. */
export class InvalidMessageError extends Error {
  static {
    noteRaw = (error, raw) => void (error.#raw = raw)
  }

  override readonly name: string = 'InvalidMessageError'
  /** The stable code, for programs. */
  readonly code = 'HAWSER_INVALID_MESSAGE'
  /** The Close code that answers the message: 1003 if it does not parse, 1007 if it does not validate. */
  readonly closeCode: number
  /** What is wrong with the message. */
  readonly kind: InvalidMessageKind
  /** The findings of the schema, in its own words. They may quote the message. */
  readonly issues: readonly MessageIssue[]
  #raw: string | Buffer | undefined

  /**
   * @param closeCode 1003, 1007, 1008, or 4000 to 4999
   * @param options the default of `kind` is `'unreadable'` for 1003, else `'invalidValue'`
   * @throws RangeError for any other code, TypeError for any other kind
   */
  constructor(
    closeCode: number,
    message: string,
    options: {
      /** The error that led to this one. */
      readonly cause?: unknown
      /** The findings of the schema. Default: none. */
      readonly issues?: readonly MessageIssue[]
      /** What is wrong with the message. */
      readonly kind?: InvalidMessageKind
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    if (![1003, 1007, 1008].includes(closeCode) && !(closeCode >= 4000 && closeCode <= 4999)) {
      throw new RangeError(`closeCode must be 1003, 1007, 1008 or 4000 to 4999, not ${String(closeCode)}`)
    }
    const { kind = closeCode === 1003 ? 'unreadable' : 'invalidValue', issues = [] } = options
    if (!KINDS.includes(kind)) {
      throw new TypeError(`kind must be ${KINDS.map((one) => `'${one}'`).join(', ')}, not ${kind}`)
    }
    this.closeCode = closeCode
    this.kind = kind
    this.issues = issues
  }

  /** The message, as it was received; undefined while the error met none. A log does not show it. */
  get raw(): string | Buffer | undefined {
    return this.#raw
  }
}

/** The response that the server, or its proxy, sent instead of a valid 101. */
export interface HandshakeResponse {
  /** The HTTP status. */
  readonly status: number
  /** The reason phrase, often empty. */
  readonly statusText: string
  /** Names (as sent) and values, in the order received. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The start of the body: the bytes received so far. */
  readonly body: Uint8Array
}

/** The details of a {@link HandshakeError}, beside its code. */
export interface HandshakeErrorOptions {
  /** Follows the message of the code. */
  readonly detail?: string | undefined
  /** The response that was not a valid 101. */
  readonly response?: HandshakeResponse | undefined
  /** The error that led to this one. */
  readonly cause?: unknown
  /** null if this side gave up, so that there is no response. Default: the status in the row of the code. */
  readonly httpStatus?: null | undefined
  /** Client only: the URL, without credentials and query. The message ends in it. */
  readonly url?: string | undefined
}

/** The part of its message that follows the message of the code. */
export let detailOf: (error: HandshakeError) => string | undefined

/** The opening handshake failed (RFC 6455 section 4). */
export class HandshakeError extends Error {
  static {
    detailOf = (error) => error.#detail
  }

  override readonly name: string = 'HandshakeError'
  /** The stable code, for programs. */
  readonly code: HandshakeErrorCode
  /** The HTTP status that a server answers or a client received; undefined if the server did not answer. */
  readonly httpStatus: number | undefined
  /** Client only: the response of the server, or of its proxy, if there was one. */
  readonly response: HandshakeResponse | undefined
  /** Client only: the URL, without credentials and query; after redirects the last one, and where they began. */
  readonly url: string | undefined
  readonly #detail: string | undefined

  constructor(code: HandshakeErrorCode, options: HandshakeErrorOptions = {}) {
    const row = HANDSHAKE_ERRORS[code]
    const { detail, response, cause, httpStatus, url } = options
    super(
      `${row.message}${detail === undefined ? '' : `: ${detail}`}${url === undefined ? '' : ` (${url})`}`,
      cause === undefined ? undefined : { cause },
    )
    this.code = code
    this.httpStatus = response?.status ?? (httpStatus === null ? undefined : row.httpStatus)
    this.response = response
    this.url = url
    this.#detail = detail
  }
}

/** The call is not allowed in the current state of the object. */
export class InvalidStateError extends Error {
  override readonly name: string = 'InvalidStateError'
  /** The stable code, for programs. */
  readonly code = 'HAWSER_INVALID_STATE'
}

/** The network failed while the connection was open. `cause` is the system's error, if there is one. */
export class TransportError extends Error {
  override readonly name: string = 'TransportError'
  /** The stable code, for programs. */
  readonly code = 'HAWSER_TRANSPORT'

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
  }
}

/** The connection ended during a read or a wait. The error carries the close code and the reason. */
export class ConnectionClosedError extends Error {
  override readonly name: string = 'ConnectionClosedError'
  /** The stable code, for programs. */
  readonly code = 'HAWSER_CONNECTION_CLOSED'
  /** The Close code with which the connection ended, such as 1006. */
  readonly closeCode: number
  /** The reason with which the connection ended, or empty. */
  readonly reason: string

  /** @param cause the error that ended the connection, if there is one */
  constructor(closeCode: number, reason: string, cause?: unknown) {
    super(
      `the connection is closed (${String(closeCode)}${reason === '' ? '' : `, ${reason}`})`,
      cause === undefined ? undefined : { cause },
    )
    this.closeCode = closeCode
    this.reason = reason
  }
}

/** No connection has this name. */
export class UnknownConnectionError extends Error {
  override readonly name: string = 'UnknownConnectionError'
  /** The stable code, for programs. */
  readonly code = 'HAWSER_UNKNOWN_CONNECTION'
  /** The name. */
  readonly connectionName: string

  constructor(connectionName: string) {
    super(`no connection has the name ${JSON.stringify(connectionName)}`)
    this.connectionName = connectionName
  }
}

/** Another open connection has this name and keeps it. */
export class NameTakenError extends Error {
  override readonly name: string = 'NameTakenError'
  /** The stable code, for programs. */
  readonly code = 'HAWSER_NAME_TAKEN'
  /** The name. */
  readonly connectionName: string

  constructor(connectionName: string) {
    super(`another connection has the name ${JSON.stringify(connectionName)}`)
    this.connectionName = connectionName
  }
}

/**
 * `publish` of a group failed. A store of one's own throws it, or rejects with it, to say what became of a message; whatever else it
 * throws is `HAWSER_MAYBE_PUBLISHED`.
 */
export class PublishError extends Error {
  override readonly name: string = 'PublishError'
  /** The stable code, for programs. */
  readonly code: PublishErrorCode

  /**
   * @param code whether the message is kept, as far as is known
   * @param message what went wrong
   * @param cause the error that led to this one, if there is one
   * @throws TypeError for any other code
   */
  constructor(code: PublishErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    if (!Object.hasOwn(PUBLISH_ERRORS, code)) {
      throw new TypeError(`code must be ${Object.keys(PUBLISH_ERRORS).join(', ')}, not ${code}`)
    }
    this.code = code
  }
}

const UNREADABLE = 'something was thrown that is no error and has no text'

/** A property of an error; null if it is not text, or cannot be read: what an application throws may have getters that throw. */
function textOf(error: Error, name: 'message' | 'stack'): string | null {
  try {
    const value: unknown = error[name]
    return typeof value === 'string' ? value : null
  } catch {
    return null
  }
}

/** The message of any error. Never throws. */
export const messageOf = (error: Error): string => textOf(error, 'message') ?? UNREADABLE

/** The stack of any error, or an empty string. Never throws. */
export const stackOf = (error: Error): string => textOf(error, 'stack') ?? ''

/** By tag, so of any realm, such as a context of node:vm. */
const isError = (value: unknown): value is Error =>
  value instanceof Error ||
  (/^\[object (Error|DOMException)\]$/.test(Object.prototype.toString.call(value)) &&
    typeof (value as Partial<Error>).message === 'string')

/** Converts any thrown value to an Error. One of another realm is one already. */
export function toError(value: unknown): Error {
  try {
    return isError(value) ? value : new Error(String(value), { cause: value })
  } catch {
    return new Error(UNREADABLE, { cause: value })
  }
}
