import { setTimeout as delay } from 'node:timers/promises'
import { toError } from '../errors.js'
import { FIRST_WAIT_MS, longerWait } from './attempt-waits.js'

/** What is used of an answer. */
export interface NatsReply {
  /** Its bytes. */
  readonly data: Uint8Array
  /** Its headers, if it has any. */
  readonly headers?:
    | {
        /** @returns the value of a header; empty: there is none */
        get(name: string): string
      }
    | undefined
}

/**
 * What is used of a connection to NATS, as `connect` of `@nats-io/transport-node` (3 or later) and of `nats` (2) opens it.
 */
export interface NatsHistoryConnection {
  /** What the server says of itself. */
  readonly info?:
    | {
        /** The largest message that it takes, in bytes. */
        readonly max_payload?: number
      }
    | undefined
  /** Sends a message, and waits for an answer. */
  request(
    subject: string,
    payload: Uint8Array,
    options: {
      /** For how long, in milliseconds. */
      timeout: number
    },
  ): Promise<NatsReply>
  /** Settles when the server has handled what was sent before. */
  flush(): Promise<void>
  /** What happens to the connection. */
  status(): AsyncIterable<unknown>
  /** Whether it has ended for good. */
  isClosed(): boolean
}

/** After these the answers to what was sent do not arrive. */
const LOST: ReadonlySet<unknown> = new Set(['disconnect', 'staleConnection'])

/** There was no connection: what was to be sent was not. */
export class NotSentError extends Error {}

/** The connection was lost before the answer arrived. */
export class LostError extends Error {
  constructor() {
    super('the connection was lost')
  }
}

/**
 * The application's connection, as a history uses it. A client of NATS takes messages while it has no connection, and drops them when it
 * connects: so after a loss the server is asked first whether it is there, and what was on its way is not waited for.
 */
export class NatsLine {
  private readonly connection: NatsHistoryConnection
  /** null: nobody reads what happens to the connection. */
  private statuses: AsyncIterable<unknown> | null = null
  /** Whether the connection may have been lost since the server answered last. */
  private isDoubtful = true
  /** How often the connection was lost, or may have been. */
  losses = 0
  private asking: Promise<unknown> | null = null
  /** Rejects what waits for an answer. */
  private readonly waiting = new Set<(error: Error) => void>()

  constructor(connection: NatsHistoryConnection) {
    this.connection = connection
  }

  get maxPayloadBytes(): number {
    return this.connection.info?.max_payload ?? Infinity
  }

  get isClosed(): boolean {
    return this.connection.isClosed()
  }

  /**
   * Resolves when the server is reached, at once if it was reached before and the connection was not lost since.
   * @param deadline by `performance.now()`
   * @param timeoutMs how long that was at the beginning, for the error
   * @throws rejects with a NotSentError after the deadline; with the client's error if the connection has ended for good
   */
  async reached(deadline: number, timeoutMs: number): Promise<void> {
    this.watch()
    for (let waitMs = FIRST_WAIT_MS; !this.wasReached(); waitMs = longerWait(waitMs)) {
      this.asking ??= Promise.resolve().then(() => this.ask())
      const refusal = await within(this.asking, deadline)
      if (this.wasReached()) return
      if (this.isClosed) throw toError(refusal)
      if (performance.now() + waitMs >= deadline) {
        throw new NotSentError(`there was no connection to NATS for ${String(Math.round(timeoutMs))} ms`)
      }
      await delay(waitMs)
    }
  }

  /**
   * Sends a message, and waits for an answer.
   * @throws rejects with an Error, whatever the client throws; with a LostError if the connection is lost meanwhile
   */
  request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<NatsReply> {
    return new Promise((resolve, reject) => {
      this.waiting.add(reject)
      const send = async (): Promise<NatsReply> =>
        this.connection.request(subject, payload, { timeout: Math.max(1, Math.ceil(timeoutMs)) })
      send()
        .then(resolve, (error: unknown) => {
          reject(toError(error))
        })
        .finally(() => {
          this.waiting.delete(reject)
        })
    })
  }

  /** Settles when the client has sent what it was given, or lost it. Never throws at once. */
  async flush(): Promise<void> {
    await this.connection.flush()
  }

  /** Reads no longer what happens to the connection, until it is used again. */
  close(): void {
    ;(this.statuses as { stop?: () => void } | null)?.stop?.()
    this.forget()
  }

  /** Whether the server answered since the connection was lost last. */
  wasReached(): boolean {
    return !this.isDoubtful
  }

  /** Never rejects. @returns what the client failed with */
  private async ask(): Promise<unknown> {
    const { losses } = this
    try {
      await this.connection.flush()
      if (losses === this.losses && this.statuses !== null) this.isDoubtful = false
      return undefined
    } catch (error) {
      return error
    } finally {
      this.asking = null
    }
  }

  private watch(): void {
    if (this.statuses !== null || this.isClosed) return
    const statuses = this.connection.status()
    this.statuses = statuses
    void this.read(statuses)
  }

  private async read(statuses: AsyncIterable<unknown>): Promise<void> {
    try {
      for await (const status of statuses) {
        if (this.statuses !== statuses) return
        if (LOST.has((status as { readonly type?: unknown } | null)?.type)) this.lost()
      }
    } catch {
      // The same as its end.
    }
    if (this.statuses === statuses) this.forget()
  }

  private forget(): void {
    this.statuses = null
    this.losses++
    this.isDoubtful = true
  }

  private lost(): void {
    this.losses++
    this.isDoubtful = true
    for (const reject of this.waiting) reject(new LostError())
    this.waiting.clear()
  }
}

/** Waits for a promise that never rejects, until a deadline. */
async function within(promise: Promise<unknown>, deadline: number): Promise<unknown> {
  const ended = new AbortController()
  const timeUp = delay(Math.max(1, deadline - performance.now()), undefined, { signal: ended.signal })
  const settled = await Promise.race([promise, timeUp.catch(() => undefined)])
  ended.abort()
  return settled
}
