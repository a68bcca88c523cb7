import { wantsCompression, type SendOptions } from '../connection/connection-options.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { LimitError } from '../errors.js'
import { coreOf } from '../socket/base-socket.js'
import type { SocketDriver } from '../socket/socket-driver.js'
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

  /** Sends the messages that wait, at the pace of the connection. */
  flush(): void {
    this.isOpening = false
    const { connection, driver, outbox } = this
    if (connection === null || driver === null || outbox === null) return
    for (;;) {
      const { first } = outbox
      if (first === undefined || !driver.connection.isSendable) return
      if (!driver.hasRoom) {
        connection.drained().then(
          () => {
            if (this.connection === connection) this.flush()
          },
          () => undefined,
        )
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

  /**
   * The connection is over: with `resend` what the system did not take waits again, before the others.
   * @param unsentBytes of the connection
   */
  lost(unsentBytes: number): void {
    if (this.outbox === null || this.untaken === null) return
    const untaken = this.untaken.takeAll()
    if (unsentBytes > 0) this.droppedMessages += this.outbox.unshift(untaken)
  }

  /** There is no further connection. */
  end(): void {
    this.isOver = true
    this.droppedMessages += this.outbox?.takeAll().length ?? 0
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
