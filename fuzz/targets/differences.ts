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

const isMessage = ({ kind }: Seen): boolean => kind === 'text' || kind === 'binary'

const goesOn = (one: Seen, other: Seen): boolean =>
  one.kind === other.kind && other.detail.startsWith(one.detail)

/** What may be wrong with what follows a last block. */
const AFTER_BLOCK = ['HAWSER_INVALID_UTF8', 'HAWSER_MESSAGE_TOO_BIG']

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
  {
    name: 'after a last block',
    why: 'zlib ends with the last block of a message. Hawser inflates what follows it, there or in the next message; ws gives what came before.',
    applies: ({ hawser, ws, isCompressed }) =>
      isCompressed && isMessage(ws) && (goesOn(ws, hawser) || AFTER_BLOCK.includes(hawser.code)),
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

/** Hawser accepts, and ws refuses with these words. */
const refusedByWs =
  (words: string) =>
  ({ hawser, ws }: Answers): boolean =>
    hawser.status === 101 && ws.status >= 400 && ws.text.includes(words)

/** Hawser refuses with these words, and ws accepts. */
const refusedByHawser =
  (words: string) =>
  ({ hawser, ws }: Answers): boolean =>
    ws.status === 101 && hawser.status >= 400 && hawser.text.includes(words)

/** Of opening handshakes. */
export const HANDSHAKE_DIFFERENCES: readonly HandshakeDifference[] = [
  {
    name: 'extensions that cannot be agreed on',
    why: 'RFC 7692 5.1: an offer that a server cannot take is declined. ws refuses the handshake; also of a field without a value.',
    applies: refusedByWs('Sec-WebSocket-Extensions'),
  },
  {
    name: 'several values in Upgrade',
    why: 'RFC 6455 4.2.1: Upgrade includes websocket. ws takes it alone.',
    applies: refusedByWs('Invalid Upgrade header'),
  },
  {
    name: 'body before the frames',
    why: 'Two readers could disagree on where the frames begin. ws takes the request.',
    applies: refusedByHawser('a WebSocket handshake has no body'),
  },
  {
    name: 'Host',
    why: 'RFC 9112 3.2: exactly one, and a host. ws does not look.',
    applies: refusedByHawser('the Host header is missing or doubled'),
  },
  {
    name: 'Origin twice',
    why: 'RFC 6454 7.3: one at most. ws does not look.',
    applies: refusedByHawser('the Origin header is doubled'),
  },
  {
    name: 'target that is not a path',
    why: 'RFC 9112 3.2: asterisk and authority belong to other methods. ws does not look.',
    applies: refusedByHawser('a request target that is not a path'),
  },
  {
    name: 'version 8',
    why: 'RFC 6455 4.2.1: the version is 13. ws takes that of a draft too.',
    applies: refusedByHawser('Sec-WebSocket-Version must be 13'),
  },
  {
    name: 'key that is not of 16 bytes',
    why: 'RFC 6455 4.2.1: 16 bytes in base64, whose last character has four bits of padding. ws does not look at these bits.',
    applies: refusedByHawser('Sec-WebSocket-Key must be 16 bytes in base64'),
  },
  {
    name: 'header of subprotocols',
    why: 'RFC 6455 4.2.1: a list of tokens; RFC 9110 5.6.1 allows empty members, and does not allow any other form.',
    applies: (answers) =>
      refusedByHawser('a malformed Sec-WebSocket-Protocol header')(answers) ||
      refusedByWs('Sec-WebSocket-Protocol')(answers),
  },
  {
    name: 'header of extensions',
    why: 'RFC 6455 9.1: names and values are tokens. ws takes what is not.',
    applies: refusedByHawser('a malformed Sec-WebSocket-Extensions header'),
  },
  {
    name: 'HTTP/1.0',
    why: 'RFC 6455 4.2.1: HTTP/1.1 or higher. ws takes 1.0.',
    applies: refusedByHawser('a WebSocket handshake needs HTTP/1.1'),
  },
]
