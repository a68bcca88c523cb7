import type { HeaderFields } from '../handshake/header-fields.js'
import type { Socket } from '../socket/socket.js'
import type { WaitOptions } from '../socket/waiters.js'

/** A connection as a client has it: with handlers, or read message by message. */
export interface ClientSocket<Data = unknown> extends Socket<Data> {
  /**
   * The headers of the server's 101 response, such as `Set-Cookie`, without those of the handshake itself: Upgrade, Connection
   * and `Sec-WebSocket-` (see `protocol` and `extensions`).
   */
  readonly responseHeaders: HeaderFields

  /**
   * Waits for the next message; messages that were received before are given first, in order. If this call gives up, a
   * later message goes to the next call.
   * @returns text as a string, bytes as a Buffer that belongs to the caller
   * @throws ConnectionClosedError, with code and reason, once the connection is over and all messages are read; the
   *   signal's reason; a `TimeoutError`; InvalidStateError if handlers get the messages, or `incoming` is 'discard'
   * @example
   * ```ts
   * socket.send('hello')
   * const reply = await socket.receive({ timeoutMs: 5000 })
   * ```
   */
  receive(options?: WaitOptions): Promise<string | Buffer>

  /**
   * The messages, until the connection ends: with 1000, 1001 or no code the loop ends, with any other code it throws
   * ConnectionClosedError. Leaving the loop leaves the connection open.
   */
  [Symbol.asyncIterator](): AsyncGenerator<string | Buffer, void, undefined>
}
