import { ConnectionClosedError } from '../errors.js'
import { CloseCode } from '../frame/close-code.js'

/** Ends that are not a failure: iteration just ends. */
export const NORMAL_ENDS: readonly number[] = [
  CloseCode.NORMAL_CLOSURE,
  CloseCode.GOING_AWAY,
  CloseCode.NO_STATUS_RECEIVED,
]

/**
 * The messages of a socket, until its connection ends.
 * @param begin called when the loop begins; what it returns is called when the loop ends
 */
export async function* messageLoop<Message>(
  socket: { receive(): Promise<Message> },
  begin?: () => (() => void) | undefined,
): AsyncGenerator<Message, void, undefined> {
  const end = begin?.()
  try {
    for (;;) {
      let message
      try {
        message = await socket.receive()
      } catch (error) {
        if (error instanceof ConnectionClosedError && NORMAL_ENDS.includes(error.closeCode)) return
        throw error
      }
      yield message
    }
  } finally {
    end?.()
  }
}
