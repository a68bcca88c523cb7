/**
 * Where Hawser and `ws` differ over the same bytes, and why that is right: docs/fuzzing.md has the same list. A difference that is
 * not here is a finding.
 */

/** What one of the two made of the bytes, at the first place where they differ. */
export interface Seen {
  /** `text`, `binary`, `ping`, `pong`, `close` or `error`; `nothing`: it waits for more. */
  readonly kind: string
  /** The payload of a message or a control frame in hexadecimal digits, the code of a Close frame, the code that ends it. */
  readonly detail: string
  /** Of Hawser, the code of the error. */
  readonly code: string
}

/** Two outcomes, and what is known of the bytes. */
export interface Pair {
  readonly hawser: Seen
  readonly ws: Seen
  /** Whether permessage-deflate is in use. */
  readonly isCompressed: boolean
}

export interface Difference {
  readonly name: string
  readonly why: string
  readonly applies: (pair: Pair) => boolean
}

/** Checks of Hawser that need the first byte of a header alone. */
const FIRST_BYTE = [
  'HAWSER_RESERVED_BITS',
  'HAWSER_RESERVED_OPCODE',
  'HAWSER_FRAGMENTED_CONTROL',
  'HAWSER_UNEXPECTED_CONTINUATION',
  'HAWSER_EXPECTED_CONTINUATION',
]

/** Of frames and messages. */
export const FRAME_DIFFERENCES: readonly Difference[] = [
  {
    name: 'longer length',
    why: 'RFC 6455 5.2: the length has its shortest form. ws takes longer forms.',
    applies: ({ hawser }) => hawser.code === 'HAWSER_NON_MINIMAL_LENGTH',
  },
  {
    name: 'top bit of the length',
    why: 'RFC 6455 5.2: the top bit is 0, which makes it 1002, from the first byte of the length. ws says 1009, after the last.',
    applies: ({ hawser, ws }) =>
      hawser.code === 'HAWSER_INVALID_LENGTH' && (ws.kind === 'nothing' || ws.detail === '1009'),
  },
  {
    name: 'first byte alone',
    why: 'Hawser checks a header as its bytes come. ws waits for two.',
    applies: ({ hawser, ws }) => FIRST_BYTE.includes(hawser.code) && ws.kind === 'nothing',
  },
  {
    name: 'text that goes on',
    why: 'Hawser fails at the first byte that is not UTF-8, also inside a frame or a message. ws checks whole messages.',
    applies: ({ hawser, ws }) =>
      hawser.code === 'HAWSER_INVALID_UTF8' &&
      ['nothing', 'ping', 'pong', 'close', 'error'].includes(ws.kind),
  },
  {
    name: 'Close frame of one byte',
    why: 'ws refuses its header. Hawser refuses it when the byte is there: with 1002, both.',
    applies: ({ hawser, ws }) => hawser.kind === 'nothing' && ws.kind === 'error' && ws.detail === '1002',
  },
  {
    name: 'fragments inflated one by one',
    why: 'Hawser inflates a message when it is whole. ws inflates each fragment, and so finds what is wrong earlier.',
    applies: ({ hawser, ws, isCompressed }) =>
      isCompressed &&
      ws.kind === 'error' &&
      ['nothing', 'ping', 'pong', 'close', 'error'].includes(hawser.kind),
  },
  {
    name: 'limit of compressed bytes',
    why: 'ws holds the compressed payload to the limit of the message. Hawser allows an eighth and 1 KiB more, for tiny fragments.',
    applies: ({ ws, isCompressed }) => isCompressed && ws.kind === 'error' && ws.detail === '1009',
  },
  {
    name: 'message that breaks off',
    why: 'RFC 7692 7.2.2: a message ends where a block ends. ws takes what zlib gave until then.',
    applies: ({ hawser, isCompressed }) => isCompressed && hawser.code === 'HAWSER_INVALID_DEFLATE',
  },
]

/** What a server answered. */
export interface Answer {
  /** 0: nothing. */
  readonly status: number
  readonly protocol: string
  readonly extensions: string
  readonly accept: string
  /** The start of what was written, its body included: it says why. */
  readonly text: string
}

/** Two answers, and the request. */
export interface Answers {
  readonly hawser: Answer
  readonly ws: Answer
  readonly text: string
}

export interface HandshakeDifference {
  readonly name: string
  readonly why: string
  readonly applies: (answers: Answers) => boolean
}

/** Of opening handshakes. */
export const HANDSHAKE_DIFFERENCES: readonly HandshakeDifference[] = []
