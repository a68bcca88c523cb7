import type { ConnectionOptions } from '../connection/connection.js'
import type { CloseInfo } from '../connection/events.js'
import { Dispatcher } from '../socket/dispatcher.js'
import type { Handlers } from '../socket/service.js'
import { Socket, type SocketInfo } from '../socket/socket.js'
import type { DriverOptions } from '../socket/socket-driver.js'
import type { Transport } from '../socket/transport.js'
import type { WaitOptions } from '../socket/waiters.js'

/** A connection as a server has it. */
export class ServerSocket<Data = unknown> extends Socket<Data> {
  /** @internal */
  protected readonly sink: Dispatcher<ServerSocket<Data>>
  private readonly onGone: (socket: ServerSocket<Data>) => void

  /** @internal Made by the server. */
  constructor(
    transport: Transport,
    info: SocketInfo,
    data: Data,
    connection: ConnectionOptions,
    options: DriverOptions,
    handlers: Handlers<ServerSocket<Data>>,
    onGone: (socket: ServerSocket<Data>) => void,
  ) {
    super(transport, info, data, connection, options)
    this.sink = new Dispatcher(this, handlers, options.limits)
    this.onGone = onGone
  }

  /** @internal Calls `onOpen`, and begins to read behind it. */
  open(head: Uint8Array): void {
    const opened = this.sink.open()
    if (opened === undefined) {
      this.driver.start(head)
      return
    }
    void opened.then(() => {
      this.driver.start(head)
    })
  }

  override close(code?: number, reason?: string, options?: WaitOptions): Promise<CloseInfo> {
    const ended = super.close(code, reason, options)
    this.sink.closing()
    return ended
  }

  protected override leave(): void {
    this.onGone(this)
    this.sink.closing()
  }
}
