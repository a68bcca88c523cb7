import type { ProtocolError } from '../../../src/errors.js'
import { MAX_CONTROL_PAYLOAD_BYTES } from '../../../src/frame/header.js'
import { isControlOpcode, Opcode } from '../../../src/frame/opcode.js'

/** The codes of `ws`: what a peer may do wrong, in the terms of programs that look at `error.code`. */
export type WsErrorCode =
  | 'WS_ERR_EXPECTED_FIN'
  | 'WS_ERR_EXPECTED_MASK'
  | 'WS_ERR_INVALID_CLOSE_CODE'
  | 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH'
  | 'WS_ERR_INVALID_OPCODE'
  | 'WS_ERR_INVALID_UTF8'
  | 'WS_ERR_TOO_MANY_BUFFERED_PARTS'
  | 'WS_ERR_UNEXPECTED_MASK'
  | 'WS_ERR_UNEXPECTED_RSV_1'
  | 'WS_ERR_UNEXPECTED_RSV_2_3'
  | 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH'
  | 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'

/** Under this key an error has the code of the Close frame that it causes. */
export const STATUS_CODE: unique symbol = Symbol('status-code')

/** An error that ends a connection. */
export interface ReceivedError extends Error {
  code: string
  [STATUS_CODE]: number
}

/** The first two bytes of the header that a parser refused, as far as it read them. */
export interface RefusedHeader {
  readonly headerByte: number
  readonly headerLength: number
}

const INVALID = 'Invalid WebSocket frame: '

/**
 * @param statusCode of the Close frame that it causes
 * @param kind the class, which programs may test: RangeError for all but text that is not UTF-8
 */
export function receivedError(
  code: WsErrorCode,
  statusCode: number,
  message: string,
  kind: new (message: string) => Error = RangeError,
): ReceivedError {
  return Object.assign(new kind(message), { code, [STATUS_CODE]: statusCode })
}

/** More frames of one message than `maxFragments`. */
export function tooManyFragments(): ReceivedError {
  return receivedError('WS_ERR_TOO_MANY_BUFFERED_PARTS', 1008, 'Too many message fragments')
}

/** More chunks than `maxBufferedChunks` wait. */
export function tooManyChunks(): ReceivedError {
  return receivedError('WS_ERR_TOO_MANY_BUFFERED_PARTS', 1008, 'Too many buffered chunks')
}

const frame = (code: WsErrorCode, what: string): ReceivedError =>
  receivedError(code, 1002, `${INVALID}${what}`)

const reservedBits = (headerByte: number): ReceivedError =>
  (headerByte & 0x30) === 0
    ? frame('WS_ERR_UNEXPECTED_RSV_1', 'RSV1 must be clear')
    : frame('WS_ERR_UNEXPECTED_RSV_2_3', 'RSV2 and RSV3 must be clear')

const controlLength = (length: number): ReceivedError =>
  frame('WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH', `invalid payload length ${String(length)}`)

/** Whether a header is that of a control frame of a length that it must not have: `ws` looks at it before the mask. */
const isWrongControl = ({ headerByte, headerLength }: RefusedHeader): boolean =>
  isControlOpcode(headerByte & 0x0f) &&
  (headerLength > MAX_CONTROL_PAYLOAD_BYTES || (headerLength === 1 && (headerByte & 0x0f) === Opcode.CLOSE))

const opcode = (headerByte: number): ReceivedError =>
  frame('WS_ERR_INVALID_OPCODE', `invalid opcode ${String(headerByte & 0x0f)}`)

const uncountable = (): ReceivedError =>
  receivedError(
    'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
    1009,
    'Unsupported WebSocket frame: payload length > 2^53 - 1',
  )

/**
 * What the engine found, as `ws` words it.
 * @param header what the parser says of the header that it refused
 */
export function toReceivedError(error: ProtocolError, header: RefusedHeader): ReceivedError {
  const { code, closeCode, message } = error
  switch (code) {
    case 'HAWSER_RESERVED_BITS':
      return reservedBits(header.headerByte)
    case 'HAWSER_RESERVED_OPCODE':
    case 'HAWSER_EXPECTED_CONTINUATION':
      return opcode(header.headerByte)
    case 'HAWSER_UNEXPECTED_CONTINUATION':
      return (header.headerByte & 0x40) === 0 ? opcode(header.headerByte) : reservedBits(header.headerByte)
    case 'HAWSER_FRAGMENTED_CONTROL':
      return frame('WS_ERR_EXPECTED_FIN', 'FIN must be set')
    case 'HAWSER_EXPECTED_MASK':
      return isWrongControl(header)
        ? controlLength(header.headerLength)
        : frame('WS_ERR_EXPECTED_MASK', 'MASK must be set')
    case 'HAWSER_UNEXPECTED_MASK':
      return isWrongControl(header)
        ? controlLength(header.headerLength)
        : frame('WS_ERR_UNEXPECTED_MASK', 'MASK must be clear')
    case 'HAWSER_CONTROL_TOO_LONG':
      return controlLength(header.headerLength)
    case 'HAWSER_INVALID_CLOSE_PAYLOAD':
      return controlLength(1)
    case 'HAWSER_INVALID_CLOSE_CODE':
      return frame('WS_ERR_INVALID_CLOSE_CODE', `invalid status code ${/\d+$/.exec(message)?.[0] ?? ''}`)
    case 'HAWSER_INVALID_UTF8':
      return receivedError('WS_ERR_INVALID_UTF8', 1007, `${INVALID}invalid UTF-8 sequence`, Error)
    case 'HAWSER_INVALID_LENGTH':
      return uncountable()
    case 'HAWSER_NON_MINIMAL_LENGTH':
      return frame('WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH', 'payload length in more bytes than it needs')
    case 'HAWSER_MESSAGE_TOO_BIG':
    case 'HAWSER_FRAME_TOO_BIG':
      if ('actual' in error && Number(error.actual) > Number.MAX_SAFE_INTEGER) return uncountable()
      return receivedError('WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009, 'Max payload size exceeded')
    case 'HAWSER_INVALID_DEFLATE':
      // zlib's own words come after ours.
      return Object.assign(new Error(message.slice(message.indexOf(': ') + 2)), {
        code: 'Z_DATA_ERROR',
        errno: -3,
        [STATUS_CODE]: 1007,
      })
    default:
      return Object.assign(new Error(message), { code, [STATUS_CODE]: closeCode })
  }
}
