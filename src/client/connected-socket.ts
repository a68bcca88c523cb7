import { ConnectionClosedError, InvalidMessageError, InvalidStateError, noteRaw } from '../errors.js'
import type { ConnectionOptions } from '../connection/connection.js'
import type { CloseInfo, ConnectionEvent } from '../connection/events.js'
import { CloseCode } from '../frame/close-code.js'
import type { HeaderFields } from '../handshake/header-fields.js'
import { showAs } from '../inspect.js'
import { json } from '../json/json-codec.js'
import type { StandardSchema } from '../json/schema.js'
import type { Limits } from '../limits.js'
import type { GroupPosition } from '../recovery/client-positions.js'
import { decodeWith, type Codec } from '../service/codec.js'
import { Dispatcher } from '../service/dispatcher.js'
import type { Handlers } from '../service/service.js'
import { BaseSocket, coreOf, shownFields } from '../socket/base-socket.js'
import type { DriverOptions } from '../socket/driver-owner.js'
import { SocketCore, type EventSink, type SocketInfo } from '../socket/socket-core.js'
import type { Transport } from '../transport/transport.js'
import type { WaitOptions } from '../socket/waiters.js'
import { trafficOf } from '../socket/traffic.js'
import { warnAtIntervals } from '../socket/warnings.js'
import type { ClientSocket } from './client-socket.js'
import { CLIENT_CHANNELS, type ClientMessages } from './diagnostics.js'
import { isNormalEnd, MessageLoop, type LoopedMessages } from './message-loop.js'
import { MessageReader } from './message-reader.js'
import { NO_HEADERS } from '../dial/response-headers.js'

/** What becomes of messages that no handler takes. */
export type Incoming = 'queue' | 'discard'

/** How the messages of a connection are read. */
export interface Reading {
  readonly incoming: Incoming
  /** The codec of messages that are read one by one. */
  readonly codec: Codec | undefined
}

const NO_READER = 'the messages of this connection go to its handlers, or are discarded'
const TWO_CODECS = 'the codec of this connection reads its messages: use receive()'

/** Where events go on a connection whose messages are read one by one, beside handlers for everything else. */
class ReaderAndHandlers implements EventSink {
  private readonly reader: MessageReader
  private readonly handlers: EventSink

  constructor(reader: MessageReader, handlers: EventSink) {
    this.reader = reader
    this.handlers = handlers
  }

  get droppedMessages(): number {
    return this.reader.droppedMessages + this.handlers.droppedMessages
  }

  handleEvent(event: ConnectionEvent): void {
    if (event.type === 'message') {
      this.reader.handleEvent(event)
      return
    }
    // Idle is a question to the handlers alone, and they answer a Close frame once nothing of theirs runs.
    if (event.type !== 'idleTimeout' && event.type !== 'closeReceived') this.reader.handleEvent(event)
    this.handlers.handleEvent(event)
  }

  handleDrain(): void {
    this.handlers.handleDrain()
  }

  handleResume(): void {
    this.handlers.handleResume()
  }

  handleTerminated(): void {
    // What came can still be read.
    this.handlers.handleTerminated()
  }

  handleSendingOver(): void {
    this.reader.handleSendingOver()
    this.handlers.handleSendingOver()
  }

  handleEnd(info: CloseInfo): void {
    this.handlers.handleEnd(info)
  }
}

/** The state of a connection that a client made: with handlers, or read message by message. */
export class ClientSocketCore<Data = unknown>
  extends SocketCore<ConnectedSocket<Data>>
  implements LoopedMessages<unknown>
{
  readonly socket: ConnectedSocket<Data>
  /** See {@link ClientSocket.responseHeaders}. */
  responseHeaders = NO_HEADERS
  protected readonly sink: EventSink
  protected readonly reader: MessageReader | null
  protected readonly dispatcher: Dispatcher<ClientSocket<Data>>
  protected readonly handlers: object

  constructor(
    transport: Transport,
    info: SocketInfo,
    data: Data,
    connection: ConnectionOptions,
    options: DriverOptions,
    handlers: Handlers<ClientSocket<Data>>,
    { incoming, codec }: Reading,
  ) {
    super(transport, info, connection, options)
    this.socket = new ConnectedSocket(this, data)
    this.handlers = handlers
    this.dispatcher = this.makeDispatcher(handlers, options.limits)
    if (this.dispatcher.handlesMessages || incoming === 'discard') {
      this.reader = null
      this.sink = this.dispatcher
    } else {
      this.reader = this.makeReader(options.limits, codec)
      this.sink = new ReaderAndHandlers(this.reader, this.dispatcher)
    }
  }

  /**
   * Begins to read, and calls `onOpen`.
   * @param within ends the wait for `onOpen`: the connection is cut, and the reason is thrown
   * @throws what `onOpen` throws, then the connection has failed; ConnectionClosedError if the connection ended before.
   *   What `onOpen` throws after that is reported as what other handlers throw is
   */
  async open(head: Uint8Array, within: AbortSignal): Promise<void> {
    if (CLIENT_CHANNELS.open.hasSubscribers) {
      CLIENT_CHANNELS.open.publish({ socket: this.socket } satisfies ClientMessages['hawser:client:open'])
    }
    let failure: { readonly error: unknown } | null = null
    let isWaitedFor = true
    const opened = this.dispatcher.open((error) => {
      if (isWaitedFor) failure = { error }
      else this.dispatcher.handlerFailed(error)
    })
    this.driver.start(head)
    try {
      if (opened !== undefined) await this.untilOpen(opened, within)
    } catch (reason) {
      // It may have failed in the very turn in which the wait ended.
      if (failure !== null) this.dispatcher.handlerFailed((failure as { readonly error: unknown }).error)
      throw reason
    } finally {
      isWaitedFor = false
    }
    if (failure !== null) throw (failure as { readonly error: unknown }).error
  }

  /** The reader of messages. @throws InvalidStateError if handlers get them, or they are discarded */
  get messages(): MessageReader {
    if (this.reader === null) throw new InvalidStateError(NO_READER)
    return this.reader
  }

  receive(options: WaitOptions): Promise<unknown> {
    return this.reader?.receiveValue(options) ?? Promise.reject(new InvalidStateError(NO_READER))
  }

  beginLoop(): void {
    this.reader?.beginLoop()
  }

  endLoop(): void {
    this.reader?.endLoop()
  }

  next(within: WaitOptions, loop: object): Promise<unknown> {
    return this.reader?.nextValue(within, loop) ?? Promise.reject(new InvalidStateError(NO_READER))
  }

  leave(loop: object, reason: unknown): void {
    this.reader?.leave(loop, reason)
  }

  isQuietEnd(error: ConnectionClosedError): boolean {
    return isNormalEnd(error)
  }

  /** Loops run, and `receive` is called, on a client that reconnects, whose next connection this is. */
  goOnReading(loops: number, isPulled: boolean): void {
    if (this.reader === null) return
    this.reader.loops = loops
    this.reader.isPulled = isPulled
  }

  /** See {@link ClientSocket.positions}. */
  get positions(): GroupPosition[] {
    return []
  }

  /** What is unread is given up: with recovery, what was published comes again. */
  discard(): void {
    // Without recovery it does not.
  }

  /** Called by the constructor, before any field of a subclass is set. */
  protected makeDispatcher(
    handlers: Handlers<ClientSocket<Data>>,
    limits: Limits,
  ): Dispatcher<ClientSocket<Data>> {
    return new Dispatcher<ClientSocket<Data>>(this, handlers, limits)
  }

  /** As {@link makeDispatcher}. */
  protected makeReader(limits: Limits, codec: Codec | undefined): MessageReader {
    return new MessageReader(this.driver, limits, codec)
  }

  override handleTimeUp(): void {
    this.reader?.giveUp()
  }

  override handleFailure(error: Error, isHeard: boolean): void {
    this.handleConnectionError(error)
    if (isHeard) return
    const what = 'a handler of a client failed, and no onError heard it'
    warnAtIntervals(this.handlers, 'HAWSER_UNHANDLED_HANDLER_ERROR', what, error)
  }

  override handleConnectionError(error: Error): void {
    if (!CLIENT_CHANNELS.error.hasSubscribers) return
    const { socket } = this
    CLIENT_CHANNELS.error.publish({ socket, error } satisfies ClientMessages['hawser:client:error'])
  }

  /** A client keeps no list of its connections: only observers hear of it. */
  protected override detach(info: CloseInfo): void {
    if (!CLIENT_CHANNELS.close.hasSubscribers) return
    CLIENT_CHANNELS.close.publish({
      socket: this.socket,
      info,
      ...trafficOf(this.driver),
    } satisfies ClientMessages['hawser:client:close'])
  }

  /** Waits for `onOpen`, but not for ever: the end of the connection, a signal and the time end the wait. */
  private async untilOpen(opened: Promise<void>, within: AbortSignal): Promise<void> {
    const ended = this.closed.then((info) => {
      throw new ConnectionClosedError(info.code, info.reason)
    })
    // Nobody waits for it once the connection is open.
    ended.catch(() => undefined)
    let abort: (() => void) | undefined
    const aborted = new Promise<never>((_, reject) => {
      abort = (): void => {
        this.terminate()
        reject(within.reason as Error)
      }
      within.addEventListener('abort', abort)
      // `onOpen` itself may have aborted it.
      if (within.aborted) abort()
    })
    try {
      await Promise.race([opened, ended, aborted])
    } finally {
      if (abort !== undefined) within.removeEventListener('abort', abort)
    }
  }
}

/** The connection as the application has it. */
export class ConnectedSocket<Data, Message = string | Buffer>
  extends BaseSocket<Data>
  implements ClientSocket<Data, Message>
{
  get responseHeaders(): HeaderFields {
    return clientCoreOf(this).responseHeaders
  }

  positions(): GroupPosition[] {
    return clientCoreOf(this).positions
  }

  receive(options: WaitOptions = {}): Promise<Message> {
    return clientCoreOf(this).receive(options) as Promise<Message>
  }

  async receiveText(options: WaitOptions = {}): Promise<string> {
    const message = await clientCoreOf(this).messages.receive(options)
    if (typeof message !== 'string') throw otherType('a binary message where text is read', message)
    return message
  }

  async receiveBinary(options: WaitOptions = {}): Promise<Buffer> {
    const message = await clientCoreOf(this).messages.receive(options)
    if (typeof message === 'string') throw otherType('a text message where bytes are read', message)
    return message
  }

  async receiveJson<T>(schema?: StandardSchema<T>, options: WaitOptions = {}): Promise<T> {
    const { messages } = clientCoreOf(this)
    if (messages.codec !== undefined) throw new InvalidStateError(TWO_CODECS)
    const codec = schema === undefined ? (json() as Codec<T>) : json(schema)
    return decodeWith(codec, await messages.receive(options))
  }

  messages(options: WaitOptions = {}): AsyncGenerator<Message, void, undefined> {
    return new MessageLoop<Message>(
      clientCoreOf(this) as LoopedMessages<unknown> as LoopedMessages<Message>,
      options,
    )
  }

  [Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
    return this.messages()
  }
}

function otherType(text: string, raw: string | Buffer): InvalidMessageError {
  const error = new InvalidMessageError(CloseCode.UNSUPPORTED_DATA, text, { kind: 'type' })
  noteRaw(error, raw)
  return error
}

showAs(ConnectedSocket, 'ClientSocket', shownFields)

/** The core of a connection of a client. */
export const clientCoreOf = (socket: object): ClientSocketCore => coreOf(socket) as ClientSocketCore
