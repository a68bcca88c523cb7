/** The errors of a received frame, with the codes, messages and Close codes of `ws`. */

/** The codes of `ws`, each with the class of its error, the Close code that answers the peer, and the message. */
const ROWS = {
  WS_ERR_EXPECTED_FIN: [RangeError, 1002, 'Invalid WebSocket frame: FIN must be set'],
  WS_ERR_EXPECTED_MASK: [RangeError, 1002, 'Invalid WebSocket frame: MASK must be set'],
  WS_ERR_INVALID_CLOSE_CODE: [RangeError, 1002, 'Invalid WebSocket frame: invalid status code '],
  WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH: [
    RangeError,
    1002,
    'Invalid WebSocket frame: invalid payload length ',
  ],
  WS_ERR_INVALID_OPCODE: [RangeError, 1002, 'Invalid WebSocket frame: invalid opcode '],
  WS_ERR_INVALID_UTF8: [Error, 1007, 'Invalid WebSocket frame: invalid UTF-8 sequence'],
  WS_ERR_TOO_MANY_BUFFERED_PARTS: [RangeError, 1008, 'Too many '],
  WS_ERR_UNEXPECTED_MASK: [RangeError, 1002, 'Invalid WebSocket frame: MASK must be clear'],
  WS_ERR_UNEXPECTED_RSV_1: [RangeError, 1002, 'Invalid WebSocket frame: RSV1 must be clear'],
  WS_ERR_UNEXPECTED_RSV_2_3: [RangeError, 1002, 'Invalid WebSocket frame: RSV2 and RSV3 must be clear'],
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: [
    RangeError,
    1009,
    'Unsupported WebSocket frame: payload length > 2^53 - 1',
  ],
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: [RangeError, 1009, 'Max payload size exceeded'],
} as const satisfies Record<`WS_ERR_${string}`, readonly [new (message: string) => Error, number, string]>

/** The codes of what a peer does wrong. */
export type FrameErrorCode = keyof typeof ROWS

/** The member of an error that holds the Close code for the peer. */
export const STATUS_CODE = Symbol('status-code')

/** An error of a received frame, or of a compressed message. */
export interface FrameError extends Error {
  code: string
  [STATUS_CODE]: number
}

/** @param detail the end of the message, where the message of the code needs one */
export function frameError(code: FrameErrorCode, detail: number | string = ''): FrameError {
  const [type, statusCode, message] = ROWS[code]
  const error = new type(`${message}${String(detail)}`)
  Error.captureStackTrace(error, frameError)
  return Object.assign(error, { code, [STATUS_CODE]: statusCode })
}
