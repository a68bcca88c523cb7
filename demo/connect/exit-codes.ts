import type { CloseInfo } from 'hawser'

/** What `hawser connect` tells scripts when it ends. 2 is what shells expect of a wrong command line. */
export const EXIT = {
  CLEAN: 0,
  FAILED: 1,
  USAGE: 2,
  NOT_CONNECTED: 3,
  REFUSED: 4,
  LOST: 5,
  CLOSED_WITH_ERROR: 6,
  TOO_FEW_MESSAGES: 7,
} as const

/** What the help says of each, in order. */
export const EXIT_MEANINGS: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.CLEAN, 'closed with 1000, 1001 or no code, or after COUNT messages'],
  [EXIT.FAILED, 'the input cannot be sent, or the output cannot be written'],
  [EXIT.USAGE, 'a wrong command line'],
  [EXIT.NOT_CONNECTED, 'no connection: no host, no answer, a certificate, a proxy, no WebSocket'],
  [EXIT.REFUSED, 'refused: the server answered with an HTTP status that is not 101'],
  [EXIT.LOST, 'the connection was lost (1006)'],
  [EXIT.CLOSED_WITH_ERROR, 'closed with any other code'],
  [EXIT.TOO_FEW_MESSAGES, 'the time of --wait was up before COUNT messages arrived'],
]

/** What a shell reports for a program that a signal ended: 128 and its number. */
export const SIGNAL_EXITS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

const CLEAN_CODES: readonly number[] = [1000, 1001, 1005]
const LOST_CODE = 1006

/** The exit code for the end of a connection. A code that this side chose is not an error once the peer answered it. */
export function exitCodeOf({ code, wasClean, initiator }: CloseInfo): number {
  if (code === LOST_CODE) return EXIT.LOST
  if (CLEAN_CODES.includes(code) || (wasClean && initiator === 'local')) return EXIT.CLEAN
  return EXIT.CLOSED_WITH_ERROR
}
