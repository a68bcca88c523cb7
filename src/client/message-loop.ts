import { ConnectionClosedError } from '../errors.js'
import { CloseCode } from '../frame/close-code.js'

/** Ends that are not a failure: iteration just ends. */
export const NORMAL_ENDS: readonly number[] = [
  CloseCode.NORMAL_CLOSURE,
  CloseCode.GOING_AWAY,
  CloseCode.NO_STATUS_RECEIVED,
]

/** Whether a connection ended as connections do. */
export const isNormalEnd = ({ closeCode }: ConnectionClosedError): boolean => NORMAL_ENDS.includes(closeCode)

/**
 * The messages of a socket, until its connection ends.
 * @param isQuiet whether the loop just ends after this error; it throws any other
 * @param begin called when the loop begins; what it returns is called when the loop ends
 */
export async function* messageLoop<Message>(
  socket: { receive(): Promise<Message> },
  isQuiet: (error: ConnectionClosedError) => boolean,
  begin: () => (() => void) | undefined,
): AsyncGenerator<Message, void, undefined> {
  const end = begin()
  try {
    for (;;) {
      let message
      try {
        message = await socket.receive()
      } catch (error) {
        if (error instanceof ConnectionClosedError && isQuiet(error)) return
        throw error
      }
      yield message
    }
  } finally {
    end?.()
  }
}
