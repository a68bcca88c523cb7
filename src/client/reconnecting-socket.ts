import { randomUUID } from 'node:crypto'
import { refuseSurplus } from '../check.js'
import { ConnectionClosedError } from '../errors.js'
import type { SendOptions } from '../connection/connection-options.js'
import type { CloseInfo } from '../connection/events.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { ReadyState } from '../connection/ready-state.js'
import { checkCloseArguments } from '../frame/close-code.js'
import { showAs } from '../inspect.js'
import { jsonText, shownFields } from '../socket/base-socket.js'
import type { GroupPosition } from '../recovery/client-positions.js'
import type { StandardSchema } from '../json/schema.js'
import { checkWaitOptions, type WaitOptions } from '../socket/waiters.js'
import { readWriteOptions, type WriteOptions } from '../socket/write-options.js'
import type { ClientSocket } from './client-socket.js'
import { keepMessage } from './outbox.js'
import { waitWithin } from './patience.js'
import { LoopOverConnections } from './loop-over-connections.js'
import { MessageLoop, type LoopedMessages } from './message-loop.js'
import type { Reconnector } from './reconnector.js'

/** One socket over many connections: made by `connect` with the option `reconnect`. */
export interface ReconnectingSocket<Data = unknown, Message = string | Buffer> extends ClientSocket<
  Data,
  Message
> {
  /** Messages that were sent while there was no connection, and that were not kept; or kept, and never sent. */
  readonly droppedMessages: number
}

const NO_CALLBACK = 'there is no callback; see drained() and the option outbox'

/** The socket as the application has it. */
export class SocketOverConnections<Data> implements ReconnectingSocket<Data> {
  data: Data
  readonly #reconnector: Reconnector
  #id = ''
  #closed: Promise<CloseInfo> | null = null

  constructor(reconnector: Reconnector, data: Data) {
    this.data = data
    this.#reconnector = reconnector
    reconnector.socket = this
  }

  get id(): string {
    if (this.#id === '') this.#id = randomUUID()
    return this.#id
  }

  get url(): string {
    return this.#connection.url
  }

  get protocol(): string {
    return this.#connection.protocol
  }

  get extensions(): string {
    return this.#connection.extensions
  }

  get responseHeaders(): ClientSocket['responseHeaders'] {
    return this.#connection.responseHeaders
  }

  get secure(): boolean {
    return this.#connection.secure
  }

  get remoteAddress(): string {
    return this.#connection.remoteAddress
  }

  get readyState(): ReadyState {
    return this.#reconnector.readyState
  }

  get bufferedAmount(): number {
    const { connection, output } = this.#reconnector
    const isOver = connection === null || connection.readyState === ReadyState.CLOSED
    return (isOver ? 0 : connection.bufferedAmount) + output.byteLength
  }

  get rttMs(): number | undefined {
    return this.#connection.rttMs
  }

  get closed(): Promise<CloseInfo> {
    this.#closed ??= this.#reconnector.whenEnded({})
    return this.#closed
  }

  get signal(): AbortSignal {
    return this.#reconnector.signal
  }

  get droppedMessages(): number {
    return this.#reconnector.output.droppedMessages
  }

  send(data: MessageData | PreparedMessage, options?: SendOptions, surplus?: unknown): boolean {
    if (surplus !== undefined) refuseSurplus(surplus, 'send(data, options)', NO_CALLBACK)
    return this.#reconnector.output.send(data, options)
  }

  sendJson(value: unknown, options?: SendOptions, surplus?: unknown): boolean {
    if (surplus !== undefined) refuseSurplus(surplus, 'sendJson(value, options)', NO_CALLBACK)
    return this.#reconnector.output.send(jsonText(value), options)
  }

  ping(data?: MessageData, ...surplus: []): boolean {
    return this.#connection.ping(data, ...surplus)
  }

  pong(data?: MessageData, ...surplus: []): boolean {
    return this.#connection.pong(data, ...surplus)
  }

  async write(data: MessageData | PreparedMessage, options?: WriteOptions): Promise<void> {
    const reconnector = this.#reconnector
    const { connection, output } = reconnector
    const { opening } = output
    if (opening !== null) return opening.write(data, options)
    if (connection !== null && output.isFree) return connection.write(data, options)
    const { waiting, sending } = readWriteOptions(options)
    const message = keepMessage(data, sending)
    const end = output.waitToWrite(message.byteLength)
    try {
      await waitWithin(waiting, async (within) => {
        for (;;) {
          const next = await reconnector.opened(within())
          try {
            // Messages of the outbox go first.
            while (output.size > 0) await output.flushed(within())
          } catch (error) {
            if (!isLoss(error, waiting) || reconnector.isEnded || reconnector.failsMeanwhile) throw error
            continue
          }
          // Once it is queued it may arrive: it is not sent again.
          if (output.isSendable || reconnector.failsMeanwhile || reconnector.isEnded) {
            await next.write(message.data, { ...within(), ...sending })
            return
          }
        }
      })
    } finally {
      end()
    }
  }

  positions(): GroupPosition[] {
    return this.#reconnector.options.recovery?.positions.list() ?? []
  }

  receive(options: WaitOptions = {}): Promise<string | Buffer> {
    return this.#read(options, (source, within) => source.receive(within))
  }

  receiveText(options: WaitOptions = {}): Promise<string> {
    return this.#read(options, (source, within) => source.receiveText(within))
  }

  receiveBinary(options: WaitOptions = {}): Promise<Buffer> {
    return this.#read(options, (source, within) => source.receiveBinary(within))
  }

  receiveJson(schema?: undefined, options?: WaitOptions): Promise<unknown>
  receiveJson<T>(schema: StandardSchema<T>, options?: WaitOptions): Promise<T>
  receiveJson<T>(schema?: StandardSchema<T>, options: WaitOptions = {}): Promise<unknown> {
    return this.#read(options, (source, within) => source.receiveJson(schema as StandardSchema<T>, within))
  }

  async drained(options: WaitOptions = {}): Promise<void> {
    const reconnector = this.#reconnector
    const { opening } = reconnector.output
    if (opening !== null) return opening.drained(options)
    await waitWithin(options, async (within) => {
      for (;;) {
        const connection = await reconnector.opened(within())
        try {
          await connection.drained(within())
          if (reconnector.output.size === 0) return
          await reconnector.output.flushed(within())
        } catch (error) {
          if (!isLoss(error, options) || reconnector.isEnded || reconnector.failsMeanwhile) throw error
        }
      }
    })
  }

  pause(): void {
    this.#reconnector.pause()
  }

  resume(): void {
    this.#reconnector.resume()
  }

  close(code?: number, reason?: string, options: WaitOptions = {}): Promise<CloseInfo> {
    checkCloseArguments(code, reason)
    checkWaitOptions(options)
    const { timeoutMs, signal } = options
    const ended = this.#reconnector.whenEnded({ signal })
    this.#reconnector.stop((connection) => {
      void connection.close(code, reason, { timeoutMs })
    })
    return ended
  }

  terminate(): void {
    this.#reconnector.stop((connection) => {
      connection.terminate()
    })
  }

  messages(options: WaitOptions = {}): AsyncGenerator<string | Buffer, void, undefined> {
    const messages = new LoopOverConnections(this.#reconnector) as LoopedMessages<unknown>
    return new MessageLoop(messages as LoopedMessages<string | Buffer>, options)
  }

  [Symbol.asyncIterator](): AsyncGenerator<string | Buffer, void, undefined> {
    return this.messages()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close(1000)
  }

  get #connection(): ClientSocket {
    // The application has the socket since its first connection.
    return this.#reconnector.connection as ClientSocket
  }

  /** Reads a message of the oldest connection that has one; waits for one. */
  #read<T>(
    options: WaitOptions,
    read: (source: ClientSocket, within: WaitOptions) => Promise<T>,
  ): Promise<T> {
    const { unread } = this.#reconnector
    return waitWithin(options, async (within) => {
      unread.pulled()
      for (;;) {
        const source = unread.oldest ?? (await unread.first(within()))
        try {
          return await read(source, within())
        } catch (error) {
          if (!isLoss(error, options) || !unread.isRead(source, error)) throw error
        }
      }
    })
  }
}
showAs(SocketOverConnections, 'ReconnectingSocket', shownFields)

/** Whether a wait failed because its connection is over, and not by its signal. */
const isLoss = (error: unknown, { signal }: WaitOptions): error is ConnectionClosedError =>
  error instanceof ConnectionClosedError && signal?.aborted !== true
