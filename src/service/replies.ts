import type { MessageData } from '../connection/message-data.js'
import { PreparedMessage } from '../connection/prepared-message.js'
import { showValue } from '../limits.js'
import { encodeWith, type Codec } from './codec.js'
import { ReplyStreams, type StreamOwner } from './reply-streams.js'
import { NoReply } from '../socket/no-reply.js'
import { isBytes, isStream } from './reply-values.js'
import { CloseReply } from './service.js'
import type { Socket } from '../socket/socket.js'

/** A reply that is ready and waits for room, and the message that it answers. */
interface ReadyReply {
  readonly value: unknown
  readonly message: string | Buffer
}

/** Receives what becomes of replies. */
export interface RepliesOwner {
  /** There is room for a reply that waited. */
  settle(value: unknown, message: string | Buffer): void
  /** Which handler a message went to, for errors. */
  nameFor(message: string | Buffer): string
  /** The stream of a handler failed. */
  handlerFailed(error: unknown): void
  /** A stream is through. */
  streamEnded(): void
}

/** What handlers returned, on its way to the peer: waits for room, stream by stream and reply by reply. */
export class Replies implements StreamOwner {
  /** Replies wait for room: no further message is to be handled. */
  isWaiting = false
  /** Nothing can be sent any more: {@link stop} follows where there is anything to stop. */
  isOver: boolean
  private readonly socket: Socket
  private readonly codec: Codec | null
  private readonly owner: RepliesOwner
  private streams: ReplyStreams | null = null
  private ready: ReadyReply[] | null = null

  constructor(socket: Socket, codec: Codec | undefined, owner: RepliesOwner) {
    this.socket = socket
    this.codec = codec ?? null
    this.owner = owner
    this.isOver = !socket.driver.connection.isSendable
  }

  /** Streams that are not through. */
  get streamCount(): number {
    return this.streams === null ? 0 : this.streams.count
  }

  /** Whether there is nothing to stop once sending is over. */
  get isIdle(): boolean {
    return this.streams === null && !this.isWaiting
  }

  /** Whether a reply can be given to {@link send} now: there is room, or none is needed. */
  hasRoomFor(value: unknown): boolean {
    if (value === undefined || this.isOver) return true
    if (!this.isWaiting && this.socket.driver.hasRoom) return true
    return !isSent(value, this.codec)
  }

  /** Keeps a reply until there is room for it: then the owner settles it. */
  keep(value: unknown, message: string | Buffer): void {
    this.ready ??= []
    this.ready.push({ value, message })
    this.waitForRoom()
  }

  /** There is room, or nothing to wait for any more. */
  goOn(): void {
    this.isWaiting = false
    while (this.ready !== null) {
      const next = this.ready[0] as ReadyReply
      if (!this.hasRoomFor(next.value)) {
        // Somebody else took the room: the order stays.
        this.waitForRoom()
        return
      }
      this.ready.shift()
      if (this.ready.length === 0) this.ready = null
      this.owner.settle(next.value, next.message)
    }
  }

  /** Nothing can be sent any more: streams are cancelled, and nobody waits for room. */
  stop(): void {
    this.streams?.stop()
    this.goOn()
  }

  /**
   * Sends what a handler returned.
   * @param message what it answers
   * @throws TypeError for what cannot be a reply; what the codec throws
   */
  send(value: unknown, message: string | Buffer): void {
    const { codec } = this
    // Hawser's own calls return booleans; an arrow function that makes one returns it.
    if (value === undefined || typeof value === 'boolean' || value instanceof NoReply) return
    if (value instanceof CloseReply) {
      void this.socket.close(value.code, value.reason)
    } else if (value instanceof PreparedMessage || (codec === null && isMessage(value))) {
      this.sendMessage(value)
    } else if (isStream(value, codec === null)) {
      this.streams ??= new ReplyStreams(this.socket, this)
      if (this.isOver) this.streams.stop()
      this.streams.start(value)
    } else if (codec !== null) {
      this.sendMessage(encodeWith(codec, value))
    } else {
      checkNoReply(value, this.owner.nameFor(message))
    }
  }

  sendPart(part: unknown): boolean {
    if (part instanceof CloseReply) {
      void this.socket.close(part.code, part.reason)
      return false
    }
    if (this.codec !== null) this.socket.send(encodeWith(this.codec, part))
    else if (isMessage(part)) this.socket.send(part)
    else throw noReply(part, 'a part of a stream')
    return this.socket.driver.connection.isSendable
  }

  streamFailed(error: unknown): void {
    this.owner.handlerFailed(error)
  }

  streamEnded(): void {
    this.owner.streamEnded()
  }

  private sendMessage(data: MessageData | PreparedMessage): void {
    // A peer that does not take replies is not asked for more messages.
    if (!this.socket.send(data) && this.socket.driver.connection.isSendable) this.waitForRoom()
  }

  private waitForRoom(): void {
    this.isWaiting = true
    this.socket.driver.requestDrain()
  }
}

/** What goes out as a message as it is. */
function isMessage(value: unknown): value is MessageData | PreparedMessage {
  return typeof value === 'string' || isBytes(value) || value instanceof PreparedMessage
}

/** Whether a reply of this kind takes room in the output at once. */
function isSent(value: unknown, codec: Codec | null): boolean {
  if (typeof value === 'boolean' || value instanceof NoReply || value instanceof CloseReply) return false
  if (isStream(value, codec === null)) return false
  return codec !== null || isMessage(value)
}

/**
 * What a handler may return without replying: what calls give that are made for something else.
 * @throws TypeError for anything that was surely meant as a reply
 */
function checkNoReply(value: unknown, from: string): void {
  if (value === undefined || value === null || typeof value === 'boolean' || typeof value === 'number') return
  throw noReply(value, `what ${from} returns`)
}

const noReply = (value: unknown, what: string): TypeError =>
  new TypeError(
    `${what} must be a string, bytes, a PreparedMessage, a Blob, an iterable, closeWith(...) or nothing, not ` +
      `${showValue(value)}: for other values the service needs a codec`,
  )
