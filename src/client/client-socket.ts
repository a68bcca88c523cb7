import type { HeaderFields } from '../handshake/header-fields.js'
import type { GroupPosition } from '../recovery/client-positions.js'
import type { StandardSchema } from '../json/schema.js'
import type { Socket } from '../socket/socket.js'
import type { WaitOptions } from '../socket/waiters.js'

/**
 * A connection as a client has it: with handlers, or read message by message. `Message` is what `receive` returns: the message
 * itself, or what the codec of `connect` reads.
 */
export interface ClientSocket<Data = unknown, Message = string | Buffer> extends Socket<Data> {
  /**
   * The headers of the server's 101 response, such as `Set-Cookie`, without those of the handshake itself: Upgrade, Connection
   * and `Sec-WebSocket-` (see `protocol` and `extensions`).
   */
  readonly responseHeaders: HeaderFields

  /**
   * Where the client is in each recoverable group: after the last message that the application got. Plain data: keep it, and give
   * it to a later process as `recovery.positions`. Empty without the option `recovery`.
   */
  positions(): GroupPosition[]

  /**
   * Waits for the next message; messages that were received before are given first, in order. If this call gives up, a
   * later message goes to the next call.
   * @returns text as a string, bytes as a Buffer that belongs to the caller; with a codec, what it reads
   * @throws ConnectionClosedError, with code and reason, once the connection is over and all messages are read; the
   *   signal's reason; a `TimeoutError`; InvalidStateError if handlers get the messages, or `incoming` is 'discard'; with a
   *   codec InvalidMessageError for a message that it refuses: that one is gone, and the connection lives
   * @example
   * ```ts
   * socket.send('hello')
   * const reply = await socket.receive({ timeoutMs: 5000 })
   * ```
   */
  receive(options?: WaitOptions): Promise<Message>

  /**
   * Waits for the next message, which has to be text. A codec is passed by.
   * @throws as `receive`; InvalidMessageError of the kind 'type' for a binary message, which is `raw` of the error
   */
  receiveText(options?: WaitOptions): Promise<string>

  /**
   * Waits for the next message, which has to be binary. A codec is passed by.
   * @returns bytes that belong to the caller
   * @throws as `receive`; InvalidMessageError of the kind 'type' for a text message, which is `raw` of the error
   */
  receiveBinary(options?: WaitOptions): Promise<Buffer>

  /**
   * Waits for the next message, which has to be JSON that the schema allows. The time counts until the message is received;
   * an async schema may take longer.
   * @param schema of any library that follows Standard Schema; without one the value may be anything
   * @returns what the schema makes of the value
   * @throws as `receive`; InvalidMessageError with `kind`, `issues` and `raw` for any other message; what the schema throws;
   *   TypeError for a wrong schema; InvalidStateError if the connection has a codec
   */
  receiveJson(schema?: undefined, options?: WaitOptions): Promise<unknown>
  receiveJson<T>(schema: StandardSchema<T>, options?: WaitOptions): Promise<T>

  /**
   * The messages, as `receive` returns them, for one `for await` loop. The loop ends when the connection ends: quietly with 1000,
   * 1001 or no code, and with a ConnectionClosedError for any other code. A message that a codec refuses throws as well. Leaving
   * the loop, in whatever way, leaves the connection open: later messages go to the next loop or call. `return()` ends a
   * wait at once.
   * @param options `timeoutMs` bounds the wait for each message, `signal` ends the whole loop
   * @throws TypeError or RangeError for a wrong option, at once; the loop throws as `receive` does: the signal's reason, a
   *   `TimeoutError`, InvalidStateError if handlers get the messages, or `incoming` is 'discard'
   */
  messages(options?: WaitOptions): AsyncGenerator<Message, void, undefined>

  /** `messages()` without options. */
  [Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined>
}
