import type { SendOptions } from '../connection/connection-options.js'
import type { CloseInfo } from '../connection/events.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import type { ReadyState } from '../connection/ready-state.js'
import type { WaitOptions } from './waiters.js'
import type { WriteOptions } from './write-options.js'

/** An open WebSocket connection: what server and client sockets share. */
export interface Socket<Data = unknown> {
  /** A value of the application's own, kept with this connection. Hawser does not read it. */
  data: Data
  /** A random UUID, the same for the life of this connection. */
  readonly id: string
  /** Server: the request target, as the client sent it. Client: the URL. */
  readonly url: string
  /** The subprotocol in use; empty if there is none. */
  readonly protocol: string
  /** The extensions in use, as the server's answer names them; empty if there are none. */
  readonly extensions: string
  /** Whether the transport is TLS. */
  readonly secure: boolean
  /** The peer's IP address; empty for a Unix socket. */
  readonly remoteAddress: string
  /** See `ReadyState`: 1 open, 2 closing, 3 closed. */
  readonly readyState: ReadyState
  /** The number of bytes that were sent and that the system has not taken yet. */
  readonly bufferedAmount: number
  /** The round trip of the last ping that was answered, in milliseconds; undefined before the first. */
  readonly rttMs: number | undefined
  /**
   * A promise of the end of the connection: how it ended. It never rejects. Messages that were received before the end
   * may still wait for their handlers then; `onClose` comes after them, with the final count of `droppedMessages`.
   */
  readonly closed: Promise<CloseInfo>
  /**
   * Aborted when the connection ends, with a ConnectionClosedError as its reason. Pass it to whatever a handler waits for,
   * so that the handler does not outlive its connection. Made when it is first read.
   */
  readonly signal: AbortSignal

  /**
   * Sends a message (RFC 6455 section 6.1). Messages that are sent while one chunk of input is handled, or in one turn of
   * the event loop, leave in one write.
   * @param data a string is sent as text, anything else as bytes. Bytes are read until the call returns and never
   *   changed. A {@link PreparedMessage} has its own options
   * @returns true: go on. False: the output is over the high-water mark (wait for `drained()` or `onDrain`), or the
   *   message was not taken because the connection is no longer open or the peer is too slow: see `slowConsumer`. While the
   *   answer to the peer's Close frame waits for handlers, messages are still taken
   * @throws TypeError for anything that is neither text nor bytes
   * @example
   * ```ts
   * for (const line of lines) {
   *   if (!socket.send(line)) await socket.drained()
   * }
   * ```
   */
  send(data: MessageData | PreparedMessage, options?: SendOptions): boolean

  /**
   * Sends a message and waits until the system has taken every byte of it: compressed where compression is in use, after
   * everything that was sent before. The peer need not have read it then. `send` is the fast call; this one is for a sender
   * that has to know, or that goes at the pace of its peer.
   * @param data as for `send`
   * @param options `compress`: as for `send`. `signal` and `timeoutMs` end the wait alone: the message is still sent, unless
   *   the signal was aborted before the call
   * @throws TypeError or RangeError for wrong data or options: at once. The promise rejects with a ConnectionClosedError if
   *   nothing can be sent any more (then nothing is queued) or the connection ends before; a LimitError if `slowConsumer` is
   *   'drop' and the peer is too slow; the signal's reason; a `TimeoutError`
   * @example
   * ```ts
   * for await (const chunk of file) await socket.write(chunk)
   * ```
   */
  write(data: MessageData | PreparedMessage, options?: WriteOptions): Promise<void>

  /**
   * Sends a value as JSON text.
   * @param value anything that `JSON.stringify` has a text for
   * @returns as `send`
   * @throws TypeError for a value that JSON has no text for
   */
  sendJson(value: unknown, options?: SendOptions): boolean

  /**
   * Sends a ping (RFC 6455 section 5.5.2); its pong sets `rttMs`.
   * @param data at most 125 bytes
   * @returns false if the connection is no longer open
   * @throws TypeError or RangeError for data that a ping cannot carry
   */
  ping(data?: MessageData): boolean

  /**
   * Sends an unsolicited pong (RFC 6455 section 5.5.3). Pings are answered without it.
   * @param data at most 125 bytes
   * @returns false if the connection is no longer open
   * @throws TypeError or RangeError for data that a pong cannot carry
   */
  pong(data?: MessageData): boolean

  /**
   * Waits until `bufferedAmount` is at or below the high-water mark: resolves at once if it is.
   * @throws ConnectionClosedError if the connection ends before. If it is closing already, at its end, because nothing
   *   more can be sent; the signal's reason; a `TimeoutError`
   * @example
   * ```ts
   * if (!socket.send(report)) await socket.drained({ timeoutMs: 10_000 })
   * ```
   */
  drained(options?: WaitOptions): Promise<void>

  /** Stops reading, from this message on: what the peer sends stays in the network, and TCP slows the peer down. */
  pause(): void

  /** Reads again, after `pause`. Messages that waited are handled after the code that runs now. */
  resume(): void

  /**
   * Starts the closing handshake (RFC 6455 section 7) and waits for the end of the connection. Earlier messages are sent
   * first. A second call only waits.
   * @param code 1000 to 1003, 1007 to 1014, 3000 to 4999; default: none
   * @param reason at most 123 bytes of UTF-8; a longer one is cut between two characters
   * @param options `timeoutMs`: the total time for the end, then the connection is cut; default: none, see
   *   `closeTimeoutMs`. `signal` ends the wait, not the closing
   * @returns how the connection ended
   * @throws TypeError or RangeError for a code that must not be sent: at once. The promise rejects with the reason of
   *   the signal alone
   * @example
   * ```ts
   * const { code, wasClean } = await socket.close(1000, 'done')
   * ```
   */
  close(code?: number, reason?: string, options?: WaitOptions): Promise<CloseInfo>

  /** Cuts the connection at once: no Close frame, code 1006. `onClose` comes after the code that runs now. */
  terminate(): void

  /** `await using`: closes with 1000 and waits for the end. */
  [Symbol.asyncDispose](): Promise<void>
}
