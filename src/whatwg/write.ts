import type { ClientSocket } from '../client/client-socket.js'

/**
 * The limit that {@link write} needs: with it `drained` waits until the system has taken every byte.
 */
export const WRITE_LIMITS = { highWaterMarkBytes: 0 } as const

/**
 * Sends a message and waits until the transport has taken all of it. One call at a time, on a connection with
 * {@link WRITE_LIMITS}.
 * @param data bytes are read during the call only
 * @throws ConnectionClosedError at the end of the connection, if that comes first
 */
export async function write(socket: ClientSocket, data: string | Uint8Array): Promise<void> {
  socket.send(data)
  await socket.drained()
}
