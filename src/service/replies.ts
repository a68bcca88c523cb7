import type { MessageData } from '../connection/message-data.js'
import { PreparedMessage } from '../connection/prepared-message.js'
import { isThenable, refusePromise, showValue } from '../check.js'
import { encodeWith, type Codec } from './codec.js'
import { ReplyStreams, type StreamOwner } from './reply-streams.js'
import { NoReply } from '../socket/no-reply.js'
import { isBytes, isStream } from './reply-values.js'
import { ClosingReply } from './service.js'
import type { SocketCore } from '../socket/socket-core.js'

/** A reply that waits for room, and the message that it answers. */
interface ReadyReply {
  readonly value: unknown
  readonly message: string | Buffer
}

/** Receives the outcome of replies. */
export interface RepliesOwner {
  /** There is room for a reply that waited. */
  settle(value: unknown, message: string | Buffer): void
  /** The name of the handler that got a message, for errors. */
  nameFor(message: string | Buffer): string
  /** A stream that a handler returned failed. */
  handlerFailed(error: unknown): void
  /** A stream that was cancelled failed afterwards, or its clean-up did. */
  cancelFailed(error: unknown): void
  /** A task of a stream ended. */
  streamEnded(): void
}

/** Sends the replies of handlers: each reply, and each part of a stream, waits for room. */
export class Replies implements StreamOwner {
  /** Whether a reply waits for room: no further message is handled meanwhile. */
  isWaiting = false
  /** Whether nothing can be sent any more; {@link stop} follows where there is something to stop. */
  isOver: boolean
  private readonly core: SocketCore
  private readonly codec: Codec | null
  private readonly owner: RepliesOwner
  private streams: ReplyStreams | null = null
  private ready: ReadyReply[] | null = null

  constructor(core: SocketCore, codec: Codec | undefined, owner: RepliesOwner) {
    this.core = core
    this.codec = codec ?? null
    this.owner = owner
    this.isOver = !core.driver.connection.isSendable
  }

  /** What streams still have to do: see {@link ReplyStreams.taskCount}. */
  get streamTaskCount(): number {
    return this.streams === null ? 0 : this.streams.taskCount
  }

  /** Whether no stream runs and no reply waits. */
  get isIdle(): boolean {
    return this.streamTaskCount === 0 && !this.isWaiting
  }

  /** Whether {@link send} can take a reply now: there is room, or the reply needs none. */
  hasRoomFor(value: unknown): boolean {
    if (value === undefined || this.isOver) return true
    if (!this.isWaiting && this.core.driver.hasRoom) return true
    return !isSent(value, this.codec)
  }

  /** Keeps a reply until there is room for it; then calls the owner's `settle`. */
  keep(value: unknown, message: string | Buffer): void {
    this.ready ??= []
    this.ready.push({ value, message })
    this.waitForRoom()
  }

  /** There is room, or no reason to wait any more. */
  goOn(): void {
    this.isWaiting = false
    while (this.ready !== null) {
      const next = this.ready[0] as ReadyReply
      if (!this.hasRoomFor(next.value)) {
        // Another sender took the room; the order of the replies stays.
        this.waitForRoom()
        return
      }
      this.ready.shift()
      if (this.ready.length === 0) this.ready = null
      this.owner.settle(next.value, next.message)
    }
  }

  /** Nothing can be sent any more: cancels the streams and settles the waiting replies. */
  stop(): void {
    this.streams?.stop()
    this.goOn()
  }

  /**
   * Sends the reply that a handler returned.
   * @param message the message that it answers
   * @throws TypeError for what cannot be a reply; what the codec throws
   */
  send(value: unknown, message: string | Buffer): void {
    const { codec } = this
    if (Array.isArray(value)) refusePromises(value)
    // Hawser's own calls return booleans, and a short arrow function returns what it calls.
    if (value === undefined || typeof value === 'boolean' || value instanceof NoReply) return
    if (value instanceof ClosingReply) {
      void this.core.close(value.code, value.reason)
    } else if (value instanceof PreparedMessage || (codec === null && isMessage(value))) {
      this.sendMessage(value)
    } else if (isStream(value, codec === null)) {
      this.streams ??= new ReplyStreams(this.core, this)
      if (this.isOver) this.streams.stop()
      this.streams.start(value)
    } else if (codec !== null) {
      this.sendMessage(encodeWith(codec, value))
    } else {
      checkNoReply(value, this.owner.nameFor(message))
    }
  }

  sendPart(part: unknown): boolean {
    if (part instanceof ClosingReply) {
      void this.core.close(part.code, part.reason)
      return false
    }
    refusePromise(part, 'a part of a stream must not be a promise: await it, as an async generator can')
    if (this.codec !== null) this.core.driver.send(encodeWith(this.codec, part))
    else if (isMessage(part)) this.core.driver.send(part)
    else throw noReply(part, 'a part of a stream', PARTS)
    return this.core.driver.connection.isSendable
  }

  streamFailed(error: unknown): void {
    this.owner.handlerFailed(error)
  }

  cancelFailed(error: unknown): void {
    this.owner.cancelFailed(error)
  }

  streamEnded(): void {
    this.owner.streamEnded()
  }

  private sendMessage(data: MessageData | PreparedMessage): void {
    // A peer that does not take replies gets no more messages handled.
    if (!this.core.driver.send(data) && this.core.driver.connection.isSendable) this.waitForRoom()
  }

  private waitForRoom(): void {
    this.isWaiting = true
    this.core.driver.requestDrain()
  }
}

/** Whether a value is sent as it is. */
function isMessage(value: unknown): value is MessageData | PreparedMessage {
  return typeof value === 'string' || isBytes(value) || value instanceof PreparedMessage
}

/** Whether a reply takes room in the output at once. What throws when it is looked at takes none: `send` throws it again. */
function isSent(value: unknown, codec: Codec | null): boolean {
  try {
    if (typeof value === 'boolean' || value instanceof NoReply || value instanceof ClosingReply) return false
    if (isStream(value, codec === null)) return false
    return codec !== null || isMessage(value)
  } catch {
    return false
  }
}

/**
 * Checks a value that is not a reply: numbers and the like, which calls return that are made for another purpose.
 * @throws TypeError for a value that must have been meant as a reply
 */
function checkNoReply(value: unknown, from: string): void {
  if (value === undefined || value === null || typeof value === 'boolean' || typeof value === 'number') return
  throw noReply(value, `what ${from} returns`)
}

/**
 * An array of promises is what `map` makes with an async function.
 * @throws TypeError; what they reject with is dropped
 */
function refusePromises(list: readonly unknown[]): void {
  if (!isThenable(list[0])) return
  for (const one of list) if (isThenable(one)) Promise.resolve(one).catch(() => undefined)
  throw new TypeError(
    'a reply must not be an array of promises: await Promise.all(...), or yield each in an async generator',
  )
}

const REPLIES = 'a string, bytes, a PreparedMessage, a Blob, an iterable, closeWith(...) or nothing'
const PARTS = 'a string, bytes, a PreparedMessage or closeWith(...)'

const noReply = (value: unknown, what: string, legal = REPLIES): TypeError =>
  new TypeError(
    `${what} must be ${legal}, not ${showValue(value)}: for other values the service needs a codec`,
  )
