/**
 * The stable codes of errors. A table has a row for each violation by a peer: Close code, RFC section, message.
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

/** Why `publish` of a group rejects, and what became of the message. */
export const PUBLISH_ERRORS = {
  HAWSER_NOT_PUBLISHED: { message: 'the history did not take the message, and nobody gets it' },
  HAWSER_MAYBE_PUBLISHED: {
    message: 'the history may have taken the message, and did not say so: if it did, the members get it',
  },
  HAWSER_PUBLISH_QUEUE_FULL: { message: 'too many bytes wait for the history: nobody gets the message' },
  HAWSER_PUBLISH_TOO_BIG: {
    message: 'the message is larger than the history takes: nobody gets the message',
  },
} as const satisfies Record<string, { readonly message: string }>

/** The codes of violations of the protocol. */
export type ProtocolErrorCode = keyof typeof PROTOCOL_ERRORS
/** The codes of limits that a peer exceeded. */
export type LimitErrorCode = keyof typeof LIMIT_ERRORS
/** The codes of handshakes that fail. */
export type HandshakeErrorCode = keyof typeof HANDSHAKE_ERRORS
/** The codes of messages that were not published, as far as is known. */
export type PublishErrorCode = keyof typeof PUBLISH_ERRORS
