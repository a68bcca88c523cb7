import { wantsCompression, type SendOptions } from '../connection/connection-options.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { LimitError } from '../errors.js'
import { coreOf } from '../socket/base-socket.js'
import type { SocketDriver } from '../socket/socket-driver.js'
import { Waiters, type WaitOptions } from '../socket/waiters.js'
import type { ClientSocket } from './client-socket.js'
import { keepMessage, Outbox, type WaitingMessage } from './outbox.js'
import type { ResolvedOutboxOptions } from './reconnect-options.js'

/** What a client that reconnects sends: at once, or once there is a connection. */
export class WaitingOutput {
  /** Messages that were not sent because there was no connection. */
  droppedMessages = 0
  /** There is no further connection to wait for. */
  isOver = false
  private connection: ClientSocket | null = null
  private driver: SocketDriver | null = null
  /** `onOpen` and `onReconnected` run: what they send goes before the messages that wait. */
  private isOpening = false
  private readonly outbox: Outbox | null
  /** With `resend`: messages sent since the system had last taken everything. */
  private readonly untaken: Outbox | null

  /** Who waits until the messages of the outbox are sent, or their connection is lost. */
  private readonly flushes = new Waiters<void>()
  /** Bytes of messages whose senders wait for a connection, and their bound. */
  private writingBytes = 0
  private readonly maxWritingBytes: number

  constructor(outbox: ResolvedOutboxOptions | null, maxWritingBytes: number) {
    this.maxWritingBytes = maxWritingBytes
    this.outbox = outbox === null ? null : new Outbox(outbox)
    this.untaken = outbox?.resend === true ? new Outbox(outbox) : null
  }

  /** The number of messages that wait for a connection. */
  get size(): number {
    return this.outbox === null || this.isOpening ? 0 : this.outbox.size
  }

  /** The bytes of the messages that wait for a connection. */
  get byteLength(): number {
    return this.outbox?.byteLength ?? 0
  }

  /** Whether the connection takes messages. */
  get isSendable(): boolean {
    return this.driver?.connection.isSendable === true
  }

  connected(connection: ClientSocket): void {
    this.connection = connection
    this.driver = coreOf(connection)?.driver ?? null
    this.isOpening = true
  }

  /** See `send` of a socket. @throws TypeError for wrong arguments */
  send(data: MessageData | PreparedMessage, options: SendOptions | undefined): boolean {
    const { connection, outbox } = this
    if (connection === null) return false
    if (this.isSendable && this.size === 0) {
      if (this.untaken === null || this.isOpening) return connection.send(data, options)
      return this.sendWatched(connection, keepMessage(data, options))
    }
    if (outbox === null || this.isOver) {
      this.droppedMessages++
      // It takes nothing, and checks the arguments.
      return connection.send(data, options)
    }
    if (options !== undefined) wantsCompression(options)
    if (outbox.push(keepMessage(data, options))) return true
    this.droppedMessages++
    return false
  }

  /**
   * Counts a message whose sender waits for a connection.
   * @returns ends the wait
   * @throws LimitError if too many bytes wait
   */
  waitToWrite(byteLength: number): () => void {
    const bytes = this.writingBytes + byteLength
    if (this.writingBytes > 0 && bytes > this.maxWritingBytes) {
      throw new LimitError('HAWSER_SLOW_CONSUMER', this.maxWritingBytes, bytes)
    }
    this.writingBytes = bytes
    return () => {
      this.writingBytes -= byteLength
    }
  }

  /** Waits until the messages that wait are sent, or their connection is lost. */
  async flushed(within: WaitOptions): Promise<void> {
    if (this.size > 0) await this.flushes.wait(within)
  }

  /** Sends the messages that wait, at the pace of the connection. */
  flush(): void {
    this.isOpening = false
    const { connection, driver, outbox } = this
    if (connection === null || driver === null || outbox === null) return
    for (;;) {
      const { first } = outbox
      if (first === undefined) {
        this.flushes.resolveAll()
        return
      }
      if (!driver.connection.isSendable) return
      if (!driver.hasRoom) {
        this.flushOn(connection)
        return
      }
      const { messagesSent } = driver
      if (this.untaken === null) connection.send(first.data, first.options)
      else this.sendWatched(connection, first)
      // The peer is too slow, and the policy for it has acted: the message waits.
      if (driver.messagesSent === messagesSent) return
      outbox.shift()
    }
  }

  /** Goes on once there is room: in another turn, also if the system takes everything at once. */
  private flushOn(connection: ClientSocket): void {
    const goOn = (): void => {
      if (this.connection === connection) this.flush()
    }
    connection.drained().then(
      () => setImmediate(goOn),
      () => undefined,
    )
  }

  /**
   * The connection is over: with `resend` what the system did not take waits again, before the others.
   * @param unsentBytes of the connection
   */
  lost(unsentBytes: number): void {
    this.flushes.resolveAll()
    if (this.outbox === null || this.untaken === null) return
    const untaken = this.untaken.takeAll()
    if (unsentBytes > 0) this.droppedMessages += this.outbox.unshift(untaken)
  }

  /** There is no further connection. */
  end(): void {
    this.isOver = true
    this.droppedMessages += this.outbox?.takeAll().length ?? 0
    this.flushes.resolveAll()
  }

  private sendWatched(connection: ClientSocket, message: WaitingMessage): boolean {
    const untaken = this.untaken as Outbox
    // More than the bound cannot be sent again: the oldest are the likeliest to arrive.
    while (untaken.size > 0 && !untaken.hasRoomFor(message.byteLength)) untaken.shift()
    if (this.driver?.bufferedAmount === 0) untaken.takeAll()
    untaken.push(message)
    connection.send(message.data, message.options)
    return this.driver?.hasRoom === true
  }
}
