import { channel } from 'node:diagnostics_channel'
import { toError } from '../errors.js'
import { decodeProbe, encodeProbe } from './batch.js'
import type { Broker, BrokerSession } from './broker.js'

/** What backplanes over brokers publish to channels of `node:diagnostics_channel`: the message of each channel, by its name. */
export interface BackplaneMessages {
  /** A backplane was connected to its broker, or is no longer. */
  readonly 'hawser:backplane': {
    /** The id of this node. */
    readonly node: string
    /** The kind of the broker: `redis` or `nats`. */
    readonly broker: string
    /** Whether it is connected. */
    readonly isConnected: boolean
    /** Why it no longer is; null: it is, or the server was closed. */
    readonly error: Error | null
  }
}

const BACKPLANE_CHANNEL = channel('hawser:backplane')

const FIRST_RETRY_MS = 50
const MAX_RETRY_MS = 2000
/** So many different errors of one outage are reported. */
const MAX_REPORTS = 10
/** A probe is sent when the one before it has come back and this part of `stallTimeoutMs` is over. */
const PROBES_PER_TIMEOUT = 3
/** So many channels are subscribed to by one request after an outage. */
const CHANNELS_PER_REQUEST = 500

/** What a link tells the backplane. */
export interface LinkEvents {
  /** A message that is not a probe of this node. */
  message(message: Buffer): void
  /** Connected: all channels are subscribed to. */
  connected(): void
  /** Something failed. Each reason is reported once in an outage. */
  failed(error: Error): void
}

/** How a link is made. */
export interface LinkOptions {
  readonly broker: Broker
  readonly node: string
  /** The channel of this node, for its probes. */
  readonly ownChannel: string
  readonly stallTimeoutMs: number
}

/**
 * The connection of a node to a broker, made again whenever it ends: whatever a client does about reconnecting, each session is
 * new, and all channels are subscribed to again. A probe that goes through the broker and back shows that messages arrive;
 * a connection that is open and dead, and a subscription that was forgotten, are found by its absence.
 */
export class BrokerLink {
  /** The session over which messages go; null: there is none. */
  session: BrokerSession | null = null
  /** The channels that are wanted. */
  readonly channels = new Set<string>()
  connects = 0
  private readonly options: LinkOptions
  private readonly events: LinkEvents
  private isClosed = false
  private attempts = 0
  /** Ends the session that is there or is being opened. A client may fail with anything. */
  private end: (reason: unknown) => void = () => undefined
  private timer: NodeJS.Timeout | undefined
  /** The messages of the errors of this outage that were reported. */
  private readonly reported = new Set<string>()
  private probes = 0
  private probe = ''
  private probeReturned: () => void = () => undefined

  constructor(options: LinkOptions, events: LinkEvents) {
    this.options = options
    this.events = events
    this.channels.add(options.ownChannel)
  }

  /** Connects, and stays connected until {@link close}. */
  start(): void {
    void this.live()
  }

  /** Subscribes or unsubscribes, at once if there is a session. @returns settles when it has taken effect */
  async change(wanted: readonly string[], unwanted: readonly string[]): Promise<void> {
    for (const name of wanted) this.channels.add(name)
    for (const name of unwanted) this.channels.delete(name)
    const { session } = this
    if (session === null) return
    try {
      const requests: Promise<unknown>[] = []
      if (unwanted.length > 0) requests.push(session.unsubscribe(unwanted))
      if (wanted.length > 0) requests.push(session.subscribe(wanted))
      await Promise.all(requests)
    } catch (error) {
      // Without what it asked for, the node would be deaf to a group: the next session asks again.
      if (session === this.session) this.end(error)
    }
  }

  close(): void {
    this.isClosed = true
    clearTimeout(this.timer)
    this.end(new Error('closed'))
  }

  /** One session after another. Never rejects. */
  private async live(): Promise<void> {
    while (!this.isClosed) {
      const error = await this.liveOnce()
      if (this.isClosed) return
      const { message } = error
      if (!this.reported.has(message) && this.reported.size < MAX_REPORTS) {
        this.reported.add(message)
        this.events.failed(
          new Error(`the backplane has no connection to ${this.options.broker.name}: ${message}`, {
            cause: error,
          }),
        )
      }
      const delayMs = Math.min(FIRST_RETRY_MS * 2 ** this.attempts++, MAX_RETRY_MS)
      await new Promise<void>((resolve) => {
        this.timer = setTimeout(resolve, delayMs * (0.5 + Math.random() / 2)).unref()
      })
    }
  }

  /** Opens a session and waits for its end. @returns why it ended, or could not be opened */
  private async liveOnce(): Promise<Error> {
    let isOver = false
    const aborter = new AbortController()
    const ended = new Promise<Error>((resolve) => {
      this.end = (reason) => {
        isOver = true
        resolve(toError(reason))
      }
    })
    const { end } = this
    const { broker, stallTimeoutMs } = this.options
    const expectAnswer = (): void => {
      this.expectWithin(end, `it did not answer within ${String(stallTimeoutMs)} ms`)
    }
    let opened: BrokerSession | null = null
    const opening = this.open(
      broker.open(
        {
          message: (message) => {
            if (!isOver) this.receive(message)
          },
          ended: end,
        },
        aborter.signal,
      ),
      (session) => {
        if (isOver) session.close()
        else opened = session
        return !isOver
      },
      () => {
        if (!isOver) expectAnswer()
      },
    ).catch(end)
    expectAnswer()
    void opening
    const error = await ended
    clearTimeout(this.timer)
    // A connection that is being made would stay open for as long as the broker does not answer.
    aborter.abort()
    const wasConnected = this.session !== null
    this.session = null
    ;(opened as BrokerSession | null)?.close()
    if (wasConnected) this.publishState(false, error)
    return error
  }

  /**
   * Subscribes to all channels, and waits for a probe.
   * @param answered called for each answer of the broker: many channels take longer than one answer may
   */
  private async open(
    opening: Promise<BrokerSession>,
    isWanted: (session: BrokerSession) => boolean,
    answered: () => void,
  ): Promise<void> {
    const session = await opening
    if (!isWanted(session)) return
    answered()
    // Channels may be added and removed while others are subscribed to, and during the probe.
    const asked = new Set<string>()
    const missing = (): string[] => [...this.channels].filter((name) => !asked.has(name))
    const subscribe = async (): Promise<void> => {
      for (let names = missing(); names.length > 0; names = missing()) {
        const part = names.slice(0, CHANNELS_PER_REQUEST)
        for (const name of part) asked.add(name)
        await session.subscribe(part)
        answered()
      }
    }
    await subscribe()
    await new Promise<void>((resolve, reject) => {
      this.sendProbe(session, resolve).catch(reject)
    })
    await subscribe()
    if (!isWanted(session)) return
    const unwanted = [...asked].filter((name) => !this.channels.has(name))
    if (unwanted.length > 0) void session.unsubscribe(unwanted).catch(this.end)
    this.session = session
    this.attempts = 0
    this.reported.clear()
    this.connects++
    this.publishState(true, null)
    this.waitForProbe(session)
    this.events.connected()
  }

  /** Sends the next probe, some time after the one before it came back. */
  private waitForProbe(session: BrokerSession): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      if (session !== this.session) return
      const { end } = this
      this.sendProbe(session, () => {
        if (session === this.session) this.waitForProbe(session)
      }).catch(end)
      this.expectWithin(
        end,
        `no message came back within ${String(this.options.stallTimeoutMs)} ms, though the connection is open`,
      )
    }, this.options.stallTimeoutMs / PROBES_PER_TIMEOUT).unref()
  }

  private async sendProbe(session: BrokerSession, returned: () => void): Promise<void> {
    this.probe = `${this.options.node}:${String(++this.probes)}`
    this.probeReturned = returned
    await session.publish(this.options.ownChannel, encodeProbe(this.probe))
  }

  /** Ends the session when the time is up, unless the timer is cleared. */
  private expectWithin(end: (reason: unknown) => void, message: string): void {
    clearTimeout(this.timer)
    const timer = setTimeout(() => {
      // What arrived while this process was busy is read first.
      setImmediate(() =>
        setImmediate(() => {
          if (this.timer === timer) end(new Error(message))
        }),
      )
    }, this.options.stallTimeoutMs).unref()
    this.timer = timer
  }

  private receive(message: Buffer): void {
    const token = decodeProbe(message)
    if (token === null) this.events.message(message)
    else if (token === this.probe) {
      this.probe = ''
      this.probeReturned()
    }
  }

  private publishState(isConnected: boolean, error: Error | null): void {
    if (!BACKPLANE_CHANNEL.hasSubscribers) return
    const { node, broker } = this.options
    BACKPLANE_CHANNEL.publish({
      node,
      broker: broker.name,
      isConnected,
      error: this.isClosed ? null : error,
    } satisfies BackplaneMessages['hawser:backplane'])
  }
}
