import { isThenable } from '../check.js'
import { wantsCompression, type SendOptions } from '../connection/connection-options.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { ReadyState } from '../connection/ready-state.js'
import { LimitError } from '../errors.js'
import { coreOf } from '../socket/base-socket.js'
import type { SocketDriver } from '../socket/socket-driver.js'
import { Waiters, type WaitOptions } from '../socket/waiters.js'
import type { ClientSocket } from './client-socket.js'
import { OpeningScope } from './opening-scope.js'
import { keepMessage, Outbox, type WaitingMessage } from './outbox.js'
import type { ResolvedOutboxOptions } from './reconnect-options.js'

/** Without an outbox: how many messages wait for `onOpen`, at most. */
const MAX_OPENING_MESSAGES = 1_000

/** What a client that reconnects sends: at once, or once there is a connection. */
export class WaitingOutput {
  /** Messages that were not sent because there was no connection. */
  droppedMessages = 0
  /** There is no further connection to wait for. */
  isOver = false
  private connection: ClientSocket | null = null
  private driver: SocketDriver | null = null
  /** From the handshake until `onOpen` and `onReconnected` are done: what they send goes first, and all else waits. */
  private isOpening = false
  /** `onReconnected` is being called. */
  private isAnnouncing = false
  /** How many `onOpen` of this client run. */
  private runningScopes = 0
  private readonly outbox: Outbox
  /** Whether messages wait for the next connection, too. */
  private readonly isKept: boolean
  /** With `resend`: messages sent since the system had last taken everything. */
  private readonly untaken: Outbox | null

  /** Who waits until the messages of the outbox are sent, or their connection is lost. */
  private readonly flushes = new Waiters<void>()
  /** Bytes of messages whose senders wait for a connection, and their bound. */
  private writingBytes = 0
  private readonly maxWritingBytes: number

  constructor(outbox: ResolvedOutboxOptions | null, maxWritingBytes: number) {
    this.maxWritingBytes = maxWritingBytes
    this.outbox = new Outbox(outbox ?? { maxMessages: MAX_OPENING_MESSAGES, maxBytes: maxWritingBytes })
    this.isKept = outbox !== null
    this.untaken = outbox?.resend === true ? new Outbox(outbox) : null
  }

  /** The number of messages that wait for a connection. */
  get size(): number {
    return this.outbox.size
  }

  /** The bytes of the messages that wait for a connection. */
  get byteLength(): number {
    return this.outbox.byteLength
  }

  /** Whether the connection takes messages, and nothing goes before them. */
  get isFree(): boolean {
    return this.isSendable && this.outbox.size === 0
  }

  /** Whether the connection takes messages that waited. */
  get isSendable(): boolean {
    return !this.isOpening && this.driver?.connection.isSendable === true
  }

  /** The connection whose `onOpen` or `onReconnected` makes this call: what it sends belongs to that one. Else null. */
  get opening(): ClientSocket | null {
    if (this.isAnnouncing) return this.connection
    return this.runningScopes === 0 ? null : OpeningScope.connectionOf(this)
  }

  connected(connection: ClientSocket): void {
    this.connection = connection
    this.driver = coreOf(connection)?.driver ?? null
    this.isOpening = true
  }

  /** Calls `onOpen`. @param ended called when it is done, with what it failed with */
  open(
    connection: ClientSocket,
    onOpen: () => unknown,
    ended: (failure?: { error: unknown }) => void,
  ): unknown {
    const scope = new OpeningScope(this, connection)
    this.runningScopes++
    const end = (failure?: { error: unknown }): void => {
      this.runningScopes--
      scope.end()
      ended(failure)
    }
    let result
    try {
      result = scope.run(onOpen)
    } catch (error) {
      end({ error })
      throw error
    }
    if (!isThenable(result)) {
      end()
      return result
    }
    // Wrapped, because its own `then` may call back at once, or throw.
    const done = Promise.resolve(result)
    done.then(
      () => {
        end()
      },
      (error: unknown) => {
        end({ error })
      },
    )
    return done
  }

  /** Calls `onReconnected`: what it sends at once goes before the messages that wait. */
  announce(call: () => void): void {
    this.isAnnouncing = true
    call()
    this.isAnnouncing = false
  }

  /** See `send` of a socket. @throws TypeError for wrong arguments */
  send(data: MessageData | PreparedMessage, options: SendOptions | undefined): boolean {
    const { connection, outbox } = this
    if (connection === null) return false
    const { opening } = this
    if (opening !== null) {
      if (opening.readyState !== ReadyState.OPEN) this.droppedMessages++
      return opening.send(data, options)
    }
    const { isSendable } = this
    if (isSendable && outbox.size === 0) {
      if (this.untaken === null) return connection.send(data, options)
      return this.sendWatched(connection, keepMessage(data, options))
    }
    if (this.isOver || !(this.isKept || isSendable || this.isOpening)) {
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
    if (connection === null || driver === null) return
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
      const { messagesSent } = driver.flow
      if (this.untaken === null) connection.send(first.data, first.options)
      else this.sendWatched(connection, first)
      // The peer is too slow, and the policy for it has acted: the message waits.
      if (driver.flow.messagesSent === messagesSent) return
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
    this.isOpening = false
    if (!this.isKept) this.droppedMessages += this.outbox.takeAll().length
    this.flushes.resolveAll()
    if (this.untaken === null) return
    const untaken = this.untaken.takeAll()
    if (unsentBytes > 0) this.droppedMessages += this.outbox.unshift(untaken)
  }

  /** There is no further connection. */
  end(): void {
    this.isOver = true
    this.isOpening = false
    this.droppedMessages += this.outbox.takeAll().length
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
