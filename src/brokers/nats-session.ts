import { contain } from '../check.js'
import { toError } from '../errors.js'
import type { BrokerNames, BrokerSession, SessionEvents } from './broker.js'

/** What is used of a message. */
export interface NatsMessage {
  /** Its bytes. They are not changed any more. */
  readonly data: Uint8Array
}

/**
 * What is used of a connection to NATS, as `connect` of `@nats-io/transport-node` (3 or later) and of `nats` (2) opens it.
 */
export interface NatsConnection {
  /** What the server says of itself. */
  readonly info?:
    | {
        /** The largest message that it takes, in bytes. */
        readonly max_payload?: number
      }
    | undefined
  /** Sends a message. */
  publish(subject: string, payload: Uint8Array): void
  /** Begins to receive the messages of a subject. */
  subscribe(
    subject: string,
    options: {
      /** Called for each message, and with an error where there is none to come. */
      callback(error: Error | null, message: NatsMessage): void
    },
  ): {
    /** Ends it. */
    unsubscribe(): void
  }
  /** Settles when the server has handled what was sent before. */
  flush(): Promise<void>
  /** What happens to the connection. */
  status(): AsyncIterable<unknown>
  /** Settles when the connection has ended for good. */
  closed(): Promise<unknown>
  /** Whether it has. */
  isClosed(): boolean
  /** Ends it. */
  close(): Promise<void>
}

const METHODS = ['publish', 'subscribe', 'flush', 'status', 'closed', 'isClosed', 'close'] as const

export const isNatsConnection = (value: unknown): value is NatsConnection =>
  typeof value === 'object' &&
  value !== null &&
  METHODS.every((name) => typeof (value as Partial<Record<string, unknown>>)[name] === 'function')

/** Whether the server does not send the connection what it publishes itself. */
export const hasNoEcho = (connection: NatsConnection): boolean =>
  (connection as { readonly options?: { readonly noEcho?: unknown } }).options?.noEcho === true

export const NO_ECHO = 'the connection has noEcho, and Hawser must hear its own probes: connect without it'

/** The servers' own default, where one does not say. */
const DEFAULT_MAX_PAYLOAD_BYTES = 1024 * 1024

/** After these a connection may have lost messages, whether or not the client connects again. */
const FATAL: ReadonlySet<unknown> = new Set(['disconnect', 'staleConnection'])

const bufferOf = ({ buffer, byteOffset, byteLength }: Uint8Array): Buffer =>
  Buffer.from(buffer, byteOffset, byteLength)

const CLOSED = 'the connection was closed'

/** Gives something of a client up, which may have been closed already: what the client says to that is of no use. */
export const quietly = (call: () => unknown): void => {
  contain(call, () => undefined)
}

/** What a server refused. */
interface Refused {
  readonly operation?: unknown
  readonly subject?: unknown
}

/** A status of a connection: the fields of either client. */
interface Status {
  readonly type?: unknown
  readonly data?: unknown
  readonly error?: unknown
  readonly permissionContext?: Refused
}

/** What waits for the server. */
interface Waiting {
  readonly subjects: readonly string[]
  readonly reject: (error: unknown) => void
}

/** How a session uses a connection. */
export interface NatsSessionOptions {
  readonly connection: NatsConnection
  /** Whether the connection is of this session alone, and ends with it. */
  readonly isOwn: boolean
  readonly names: BrokerNames | null
}

/**
 * A session over a connection to NATS. It ends when the connection is lost, even if the client connects again by itself: the
 * session after it asks for everything anew.
 */
export class NatsSession implements BrokerSession {
  readonly maxMessageBytes: number
  readonly names?: BrokerNames
  private readonly connection: NatsConnection
  private readonly isOwn: boolean
  private readonly events: SessionEvents
  private readonly subscriptions = new Map<string, { unsubscribe(): void }>()
  private readonly waiting = new Set<Waiting>()
  /** Settles when the server has handled what is sent in this turn; null: nothing was. */
  private confirming: Promise<void> | null = null
  private readonly statuses: AsyncIterable<unknown>
  private isClosed = false

  constructor({ connection, isOwn, names }: NatsSessionOptions, events: SessionEvents) {
    this.connection = connection
    this.isOwn = isOwn
    this.events = events
    this.maxMessageBytes = connection.info?.max_payload ?? DEFAULT_MAX_PAYLOAD_BYTES
    if (names !== null) this.names = names
    this.statuses = connection.status()
    void this.readStatuses()
  }

  async publish(channel: string, message: Buffer): Promise<void> {
    this.connection.publish(channel, message)
    await this.handled([channel])
  }

  async subscribe(channels: readonly string[]): Promise<void> {
    for (const channel of channels) {
      if (this.subscriptions.has(channel)) continue
      const callback = (error: Error | null, message: NatsMessage): void => {
        if (error !== null) this.refuse(error, channel)
        else if (!this.isClosed) this.events.message(bufferOf(message.data))
      }
      this.subscriptions.set(channel, this.connection.subscribe(channel, { callback }))
    }
    await this.handled(channels)
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    for (const channel of channels) {
      this.subscriptions.get(channel)?.unsubscribe()
      this.subscriptions.delete(channel)
    }
    await this.handled(channels)
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    for (const { reject } of [...this.waiting]) reject(new Error(CLOSED))
    quietly(() => (this.statuses as { stop?: () => void }).stop?.())
    if (this.isOwn) {
      quietly(() => this.connection.close())
      return
    }
    for (const subscription of this.subscriptions.values()) {
      quietly(() => {
        subscription.unsubscribe()
      })
    }
  }

  /** The connection has ended. */
  fail(error: unknown): void {
    if (!this.isClosed) this.events.ended(toError(error))
  }

  /** @returns settles when the server has handled what was sent just now about these subjects; rejects if it refused one */
  private handled(subjects: readonly string[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.isClosed) {
        reject(new Error(CLOSED))
        return
      }
      const waiting: Waiting = {
        subjects,
        reject: (error) => {
          this.waiting.delete(waiting)
          reject(toError(error))
        },
      }
      this.waiting.add(waiting)
      this.confirm().then(() => {
        this.waiting.delete(waiting)
        resolve()
      }, waiting.reject)
    })
  }

  /** One round trip for all that is sent in this turn. */
  private confirm(): Promise<void> {
    this.confirming ??= Promise.resolve().then(async () => {
      this.confirming = null
      await this.connection.flush()
      // What the server refused it says before it answers, but the client tells it a moment later.
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
    })
    return this.confirming
  }

  private async readStatuses(): Promise<void> {
    try {
      for await (const status of this.statuses) {
        if (this.isClosed) return
        if (typeof status === 'object' && status !== null) this.heed(status)
      }
    } catch (error) {
      this.fail(error)
    }
  }

  private heed({ type, data, error, permissionContext }: Status): void {
    if (FATAL.has(type)) this.fail(new Error(CLOSED))
    else if (type === 'error') {
      // What is refused is in the error of version 3, and beside it in version 2.
      const { operation, subject } = permissionContext ?? (error as Refused | undefined) ?? {}
      if (typeof subject !== 'string') return
      const said = error ?? new Error(`${String(data)}: ${String(operation)} of ${subject}`)
      this.refuse(toError(said), subject)
    }
  }

  /** The server refused what was sent about a subject. Others are the application's, over the same connection. */
  private refuse(error: Error, subject: string): void {
    for (const { subjects, reject } of [...this.waiting]) if (subjects.includes(subject)) reject(error)
  }
}
