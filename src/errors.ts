/**
 * Error classes and their stable codes. A table has a row for each violation by a peer: Close code, RFC section, message.
 */

/** One row: the Close code that answers a violation, the RFC section, and the message. */
export interface ErrorRow {
  /** The Close code sent to the peer (RFC 6455 section 7.4.1). */
  readonly closeCode: number
  readonly rfcSection: string
  readonly message: string
}

/** Everything that a peer can do wrong once the connection is open. The codes are stable. */
export const PROTOCOL_ERRORS = {
  HAWSER_RESERVED_BITS: {
    closeCode: 1002,
    rfcSection: 'RFC 6455 5.2',
    message: 'a reserved bit is set that no extension gave a meaning',
  },
  HAWSER_RESERVED_OPCODE: { closeCode: 1002, rfcSection: 'RFC 6455 5.2', message: 'a reserved opcode' },
  HAWSER_NON_MINIMAL_LENGTH: {
    closeCode: 1002,
    rfcSection: 'RFC 6455 5.2',
    message: 'a payload length that is not in its shortest form',
  },
  HAWSER_INVALID_LENGTH: {
    closeCode: 1002,
    rfcSection: 'RFC 6455 5.2',
    message: 'a 64-bit payload length with its top bit set',
  },
  HAWSER_EXPECTED_MASK: {
    closeCode: 1002,
    rfcSection: 'RFC 6455 5.1',
    message: 'a frame from a client must be masked',
  },
  HAWSER_UNEXPECTED_MASK: {
    closeCode: 1002,
    rfcSection: 'RFC 6455 5.1',
    message: 'a frame from a server must not be masked',
  },
  HAWSER_FRAGMENTED_CONTROL: {
    closeCode: 1002,
    rfcSection: 'RFC 6455 5.5',
    message: 'a control frame must not be fragmented',
  },
  HAWSER_CONTROL_TOO_LONG: {
    closeCode: 1002,
    rfcSection: 'RFC 6455 5.5',
    message: 'a control frame carries at most 125 bytes',
  },
  HAWSER_UNEXPECTED_CONTINUATION: {
    closeCode: 1002,
    rfcSection: 'RFC 6455 5.4',
    message: 'a continuation frame with no message to continue',
  },
  HAWSER_EXPECTED_CONTINUATION: {
    closeCode: 1002,
    rfcSection: 'RFC 6455 5.4',
    message: 'a new message before the one under way was finished',
  },
  HAWSER_INVALID_CLOSE_PAYLOAD: {
    closeCode: 1002,
    rfcSection: 'RFC 6455 5.5.1',
    message: 'a Close frame with a body of one byte',
  },
  HAWSER_INVALID_CLOSE_CODE: {
    closeCode: 1002,
    rfcSection: 'RFC 6455 7.4',
    message: 'a Close frame with a code that must not be sent',
  },
  HAWSER_INVALID_UTF8: {
    closeCode: 1007,
    rfcSection: 'RFC 6455 8.1',
    message: 'text that is not valid UTF-8',
  },
  HAWSER_INVALID_DEFLATE: {
    closeCode: 1007,
    rfcSection: 'RFC 7692 7.2.2',
    message: 'a compressed message that does not inflate',
  },
  HAWSER_HEARTBEAT_TIMEOUT: {
    closeCode: 1006,
    rfcSection: 'RFC 6455 5.5.2',
    message: 'the peer was silent for too long and did not answer a ping',
  },
  HAWSER_SEND_TIMEOUT: {
    closeCode: 1006,
    rfcSection: 'RFC 6455 7.1.7',
    message: 'the peer took too little of what waits for it within sendTimeoutMs',
  },
} as const satisfies Record<string, ErrorRow>

const POLICY = { closeCode: 1008, rfcSection: 'RFC 6455 7.4.1' } as const

/** The limits that a peer can exceed. The Close code is 1009 for sizes and 1008 for behaviour. */
export const LIMIT_ERRORS = {
  HAWSER_MESSAGE_TOO_BIG: {
    closeCode: 1009,
    rfcSection: 'RFC 6455 7.4.1',
    message: 'a message larger than maxMessageBytes',
  },
  HAWSER_FRAME_TOO_BIG: {
    closeCode: 1009,
    rfcSection: 'RFC 6455 10.4',
    message: 'a frame larger than maxFrameBytes',
  },
  HAWSER_SLOW_CONSUMER: {
    ...POLICY,
    message: 'the peer reads too slowly: more than maxBufferedOutputBytes wait for it',
  },
  HAWSER_TOO_MANY_MESSAGES: { ...POLICY, message: 'more messages than messagesPerSecond allows' },
  HAWSER_TOO_MANY_BYTES: { ...POLICY, message: 'more bytes than bytesPerSecond allows' },
  HAWSER_TOO_MANY_CONTROL_FRAMES: { ...POLICY, message: 'more than controlFramesPerSecond allows' },
} as const satisfies Record<string, ErrorRow>

/** Everything that can go wrong before the connection is open. `httpStatus` is undefined for errors of a client only. */
export const HANDSHAKE_ERRORS = {
  HAWSER_MALFORMED_HEAD: { httpStatus: 400, message: 'a malformed HTTP head' },
  HAWSER_HEAD_TOO_LARGE: { httpStatus: 431, message: 'an HTTP head larger than maxHeaderBytes' },
  HAWSER_METHOD_NOT_ALLOWED: { httpStatus: 405, message: 'a WebSocket handshake must be a GET' },
  HAWSER_HTTP_VERSION: { httpStatus: 505, message: 'a WebSocket handshake needs HTTP/1.1' },
  HAWSER_INVALID_TARGET: { httpStatus: 400, message: 'a request target that is not a path' },
  HAWSER_INVALID_HOST: { httpStatus: 400, message: 'the Host header is missing or doubled' },
  HAWSER_UPGRADE_REQUIRED: {
    httpStatus: 426,
    message: 'this is a WebSocket endpoint: "Upgrade: websocket" and "Connection: Upgrade" are required',
  },
  HAWSER_UNSUPPORTED_VERSION: { httpStatus: 426, message: 'Sec-WebSocket-Version must be 13' },
  HAWSER_INVALID_VERSION_HEADER: { httpStatus: 400, message: 'Sec-WebSocket-Version must come exactly once' },
  HAWSER_INVALID_KEY: { httpStatus: 400, message: 'Sec-WebSocket-Key must be 16 bytes in base64' },
  HAWSER_INVALID_PROTOCOL_HEADER: { httpStatus: 400, message: 'a malformed Sec-WebSocket-Protocol header' },
  HAWSER_INVALID_EXTENSION_HEADER: {
    httpStatus: 400,
    message: 'a malformed Sec-WebSocket-Extensions header',
  },
  HAWSER_INVALID_ORIGIN_HEADER: { httpStatus: 400, message: 'the Origin header is doubled' },
  HAWSER_UNEXPECTED_BODY: { httpStatus: 400, message: 'a WebSocket handshake has no body' },
  HAWSER_NOT_FOUND: { httpStatus: 404, message: 'no route for this path' },
  HAWSER_FORBIDDEN_ORIGIN: { httpStatus: 403, message: 'this Origin is not allowed' },
  HAWSER_UPGRADE_FAILED: { httpStatus: 500, message: 'the upgrade failed' },
  HAWSER_TOO_MANY_CONNECTIONS: { httpStatus: 503, message: 'too many connections' },
  HAWSER_TOO_MANY_HANDSHAKES: { httpStatus: 429, message: 'too many handshakes from this address' },
  HAWSER_SERVER_BUSY: { httpStatus: 503, message: 'too many handshakes' },
  HAWSER_SERVER_CLOSING: { httpStatus: 503, message: 'the server is closing' },
  HAWSER_HANDSHAKE_TIMEOUT: { httpStatus: 408, message: 'the handshake took longer than handshakeTimeoutMs' },
  HAWSER_UNEXPECTED_STATUS: { httpStatus: undefined, message: 'the server did not answer 101' },
  HAWSER_MALFORMED_RESPONSE: { httpStatus: undefined, message: 'a malformed HTTP response' },
  HAWSER_RESPONSE_TOO_LARGE: {
    httpStatus: undefined,
    message: 'an HTTP response head larger than maxHeaderBytes',
  },
  HAWSER_INVALID_UPGRADE_RESPONSE: {
    httpStatus: undefined,
    message: 'the response lacks "Upgrade: websocket" or "Connection: Upgrade"',
  },
  HAWSER_INVALID_ACCEPT: { httpStatus: undefined, message: 'Sec-WebSocket-Accept is missing or wrong' },
  HAWSER_UNEXPECTED_PROTOCOL: {
    httpStatus: undefined,
    message: 'the server chose a subprotocol that was not offered',
  },
  HAWSER_UNEXPECTED_EXTENSION: {
    httpStatus: undefined,
    message: 'the server chose an extension, or parameters, that were not offered',
  },
  HAWSER_CONNECTION_FAILED: { httpStatus: undefined, message: 'could not connect' },
  HAWSER_PROXY_REFUSED: { httpStatus: undefined, message: 'the proxy opened no tunnel to the server' },
  HAWSER_REDIRECT_REFUSED: { httpStatus: undefined, message: 'a redirect that must not be followed' },
  HAWSER_TOO_MANY_REDIRECTS: { httpStatus: undefined, message: 'too many redirects' },
} as const satisfies Record<string, { readonly httpStatus: number | undefined; readonly message: string }>

/** The codes of violations of the protocol. */
export type ProtocolErrorCode = keyof typeof PROTOCOL_ERRORS
/** The codes of limits that a peer exceeded. */
export type LimitErrorCode = keyof typeof LIMIT_ERRORS
/** The codes of handshakes that fail. */
export type HandshakeErrorCode = keyof typeof HANDSHAKE_ERRORS

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

/** Converts any thrown value to an Error. */
export function toError(value: unknown): Error {
  if (value instanceof Error) return value
  try {
    return new Error(String(value), { cause: value })
  } catch {
    return new Error('something was thrown that is no error and has no text', { cause: value })
  }
}
