import type { ConnectionOptions } from '../connection/connection.js'
import type { ConnectionEvent } from '../connection/events.js'
import type { ClientRecovery } from '../recovery/client-options.js'
import type { GroupPosition, PublishedMessage, RecoveryEvent } from '../recovery/client-positions.js'
import { ClientStream, type StreamOwner } from '../recovery/client-stream.js'
import { refusalOf } from '../recovery/connection-limits.js'
import { CONTROL, prefixOf } from '../recovery/wire.js'
import { PrefixingDriver } from '../recovery/prefixing-driver.js'
import { Dispatcher } from '../service/dispatcher.js'
import type { Codec } from '../service/codec.js'
import type { Handlers } from '../service/service.js'
import type { DriverOptions } from '../socket/driver-owner.js'
import type { SocketDriver } from '../socket/socket-driver.js'
import type { SocketInfo } from '../socket/socket-core.js'
import type { WaitOptions } from '../socket/waiters.js'
import type { Transport } from '../transport/transport.js'
import type { Limits } from '../limits.js'
import { announce, tell } from './callbacks.js'
import type { ClientSocket } from './client-socket.js'
import { ClientSocketCore, type Reading } from './connected-socket.js'
import { CLIENT_CHANNELS } from './diagnostics.js'
import { MessageReader } from './message-reader.js'

/** Calls the handlers of a client with recovery: what the subprotocol adds is taken off when it is the turn of a message. */
class RecoveringDispatcher<Data> extends Dispatcher<ClientSocket<Data>> {
  /** Set before the first message. */
  stream!: ClientStream

  protected override deliver(message: string | Buffer): void {
    const data = this.stream.take(message)
    if (data !== null) super.deliver(data)
  }
}

/** The same for a caller who reads the messages one by one. */
class RecoveringReader extends MessageReader {
  /** Set before the first message. */
  stream!: ClientStream

  override handleEvent(event: ConnectionEvent): void {
    const isFirst = event.type === 'message' && this.inbox.length === 0
    if (!isFirst || (this.readers.size === 0 && prefixOf(event.data) !== CONTROL)) {
      super.handleEvent(event)
      return
    }
    const data = this.stream.take(event.data)
    if (data !== null) this.readers.resolveFirst(data)
  }

  override next(within: WaitOptions, loop?: object): Promise<string | Buffer> {
    for (;;) {
      const message = this.inbox.shift()
      if (message === undefined) return super.next(within, loop)
      const data = this.stream.take(message)
      if (data === null) continue
      this.isRead()
      // What is told after this message waits for no reader.
      this.takeControls()
      return Promise.resolve(data)
    }
  }

  private takeControls(): void {
    for (;;) {
      const { first } = this.inbox
      if (first === undefined || prefixOf(first) !== CONTROL) return
      this.inbox.shift()
      this.stream.take(first)
    }
  }
}

/** The state of a connection of a client with recovery. */
export class RecoveringClientCore<Data> extends ClientSocketCore<Data> implements StreamOwner {
  private readonly recovery: ClientRecovery
  private readonly stream: ClientStream

  constructor(
    transport: Transport,
    info: SocketInfo,
    data: Data,
    connection: ConnectionOptions,
    options: DriverOptions,
    handlers: Handlers<ClientSocket<Data>>,
    reading: Reading,
    recovery: ClientRecovery,
  ) {
    super(transport, info, data, connection, options, handlers, reading)
    this.recovery = recovery
    this.stream = new ClientStream(recovery.positions, this)
    this.recoveringDispatcher.stream = this.stream
    if (this.recoveringReader !== undefined) this.recoveringReader.stream = this.stream
  }

  override get positions(): GroupPosition[] {
    return this.recovery.positions.list()
  }

  override open(head: Uint8Array, within: AbortSignal): Promise<void> {
    const { texts, left } = this.recovery.positions.opening()
    this.prefixing.sendFirst(texts)
    for (const group of left) this.recovered({ group, recovered: false, reason: 'limit' })
    return super.open(head, within)
  }

  override handleEvent(event: ConnectionEvent): void {
    if (event.type === 'message') this.stream.received(event.data)
    super.handleEvent(event)
  }

  override discard(): void {
    this.stream.isDiscarded = true
  }

  recovered(event: RecoveryEvent): void {
    announce(CLIENT_CHANNELS.recovery, this.handlers, this.socket, event, this.recovery.onRecovered)
  }

  published(message: PublishedMessage): void {
    if (this.recovery.onPublished === undefined) return
    this.tell(() => this.recovery.onPublished?.(message))
  }

  refuse(detail: string, message: string | Buffer, isOverLimit = false): void {
    this.dispatcher.invalidMessage(refusalOf(detail, message, isOverLimit))
  }

  protected override makeDriver(
    transport: Transport,
    connection: ConnectionOptions,
    options: DriverOptions,
  ): SocketDriver {
    this.prefixing = new PrefixingDriver(transport, connection, options, this)
    return this.prefixing
  }

  protected override makeDispatcher(
    handlers: Handlers<ClientSocket<Data>>,
    limits: Limits,
  ): Dispatcher<ClientSocket<Data>> {
    this.recoveringDispatcher = new RecoveringDispatcher<Data>(this, handlers, limits)
    return this.recoveringDispatcher
  }

  protected override makeReader(limits: Limits, codec: Codec | undefined): MessageReader {
    this.recoveringReader = new RecoveringReader(this.driver, limits, codec)
    return this.recoveringReader
  }

  private tell(call: () => unknown): void {
    tell(this.handlers, this.socket, call)
  }

  // What the constructor of the class above makes: declared, and not initialized after it.
  declare private prefixing: PrefixingDriver
  declare private recoveringDispatcher: RecoveringDispatcher<Data>
  declare private recoveringReader: RecoveringReader | undefined
}
