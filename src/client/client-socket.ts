import { ConnectionClosedError, InvalidStateError } from '../errors.js'
import type { ConnectionOptions } from '../connection/connection.js'
import type { CloseInfo } from '../connection/events.js'
import { CloseCode } from '../frame/close-code.js'
import { Dispatcher } from '../socket/dispatcher.js'
import type { Handlers } from '../socket/service.js'
import { Socket, type EventSink, type SocketInfo } from '../socket/socket.js'
import type { DriverOptions } from '../socket/socket-driver.js'
import type { Transport } from '../socket/transport.js'
import type { WaitOptions } from '../socket/waiters.js'
import { MessageReader } from './message-reader.js'

/** Ends that are no failure: iteration just ends. */
const NORMAL_ENDS: readonly number[] = [
  CloseCode.NORMAL_CLOSURE,
  CloseCode.GOING_AWAY,
  CloseCode.NO_STATUS_RECEIVED,
]

/** A connection as a client has it: with handlers, or read message by message. */
export class ClientSocket<Data = unknown> extends Socket<Data> implements AsyncIterable<string | Buffer> {
  /** @internal */
  protected readonly sink: EventSink
  private readonly reader: MessageReader | null
  private readonly dispatcher: Dispatcher<ClientSocket<Data>> | null

  /** @internal Made by `connect`. */
  constructor(
    transport: Transport,
    info: SocketInfo,
    data: Data,
    connection: ConnectionOptions,
    options: DriverOptions,
    handlers: Handlers<ClientSocket<Data>> | undefined,
  ) {
    super(transport, info, data, connection, options)
    if (handlers === undefined) {
      this.dispatcher = null
      this.reader = new MessageReader(this.driver, options.limits)
      this.sink = this.reader
    } else {
      this.reader = null
      this.dispatcher = new Dispatcher(this, handlers, options.limits)
      this.sink = this.dispatcher
    }
  }

  /** @internal Calls `onOpen`, and begins to read behind it. */
  async open(head: Uint8Array): Promise<void> {
    await this.dispatcher?.open()
    this.driver.start(head)
  }

  /**
   * Waits for the next message; those that came before are given first, in order. A late message goes to the next
   * call when this one gives up.
   * @throws ConnectionClosedError, with code and reason, once the connection is over and all messages are read; the
   *   signal's reason; a `TimeoutError`; InvalidStateError on a connection with handlers, which get the messages
   */
  receive(options: WaitOptions = {}): Promise<string | Buffer> {
    if (this.reader === null) {
      return Promise.reject(new InvalidStateError('the handlers of this connection get its messages'))
    }
    return this.reader.receive(options)
  }

  /**
   * The messages, until the connection ends: with 1000, 1001 or no code the loop ends, with any other it throws
   * ConnectionClosedError. Leaving the loop leaves the connection open.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<string | Buffer, void, undefined> {
    for (;;) {
      let message
      try {
        message = await this.receive()
      } catch (error) {
        if (error instanceof ConnectionClosedError && NORMAL_ENDS.includes(error.closeCode)) return
        throw error
      }
      yield message
    }
  }

  override close(code?: number, reason?: string, options: WaitOptions = {}): Promise<CloseInfo> {
    const closed = super.close(code, reason, options)
    this.reader?.closing()
    this.dispatcher?.closing()
    return closed
  }

  protected override detach(): void {
    // A client keeps no list of its connections; its handlers are told what there is.
    this.dispatcher?.closing()
  }
}
