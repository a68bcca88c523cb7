import { channel } from 'node:diagnostics_channel'
import type { BackplaneStats } from '../backplane/backplane.js'
import { createQuotaCounts, type QuotaStats } from './quota-stats.js'
import type { RecoveryStats } from '../recovery/recovery.js'
import { trafficOf, type TrafficCounts } from '../socket/traffic.js'

/**
 * What observers of a process may subscribe to, by `node:diagnostics_channel`: see `ServerMessages`, and docs/observability.md,
 * which has the channels of clients (`client/diagnostics.ts`), of recoverable groups (`recovery/recovery.ts`) and of backplanes
 * over brokers (`brokers/broker-link.ts`) as well. Nothing is made for a channel without a subscriber.
 */
export const CHANNELS = {
  server: channel('hawser:server'),
  upgrade: channel('hawser:upgrade'),
  open: channel('hawser:open'),
  message: channel('hawser:message'),
  handler: channel('hawser:handler'),
  quota: channel('hawser:quota'),
  error: channel('hawser:error'),
  close: channel('hawser:close'),
  serverError: channel('hawser:server-error'),
  closing: channel('hawser:closing'),
  closed: channel('hawser:closed'),
} as const

/** What went through a route, or a server, since it was made. */
export interface ServerStats {
  /** Open or closing now. */
  readonly connections: number
  /** Connections that were opened. */
  readonly opened: number
  /** Connections that ended. */
  readonly closed: number
  /** Upgrades that were answered with another status than 101. For a route: the upgrades to its path. */
  readonly rejectedUpgrades: number
  /** Messages that were received whole. */
  readonly messagesReceived: number
  /** Messages taken to be sent, those of broadcasts included. */
  readonly messagesSent: number
  /** Received, and given to no handler: after a failure, or when the time of a closing connection was up. */
  readonly messagesDropped: number
  /** On the transports, their handshakes and frame headers included; as they are before TLS. */
  readonly bytesReceived: number
  /** Bytes on the transports, as for `bytesReceived`. */
  readonly bytesSent: number
  /** Queued to be sent, and not taken by the system by the end of the connection. */
  readonly bytesUnsent: number
  /** Errors of peers, of the network and of handlers, invalid messages included. */
  readonly errors: number
  /** What quotas did. */
  readonly quotas: QuotaStats
  /** What went over the backplane; null for a route, and for a server without a backplane. */
  readonly backplane: BackplaneStats | null
  /** The recoverable groups; null for a route, and for a server without the option `recovery`. */
  readonly recovery: RecoveryStats | null
  /** Whether the server takes no further connections: `close` or `terminate` was called. */
  readonly isClosing: boolean
  /** Open connections whose turn has not come while `close({ spreadMs })` is under way; else 0. */
  readonly waitingToClose: number
}

/**
 * The connections that are open or closing, as a live view. A loop sees no connection twice and none that is over, and may
 * see connections that open during the loop.
 */
export interface SocketList<S> extends Iterable<S> {
  /** How many there are. */
  readonly size: number
}

/** What a connection counts by itself. */
export interface Counted {
  readonly messagesReceived: number
  readonly driver: TrafficCounts
}

/** Sums of what connections count: each is added when it is over, or when the sums are read. */
export class Counters {
  opened = 0
  closed = 0
  rejectedUpgrades = 0
  errors = 0
  messagesDropped = 0
  bytesUnsent = 0
  messagesReceived = 0
  readonly quotas = createQuotaCounts()
  private messagesSent = 0
  private bytesReceived = 0
  private bytesSent = 0

  /** Adds what a connection counted. */
  add(one: Counted): void {
    this.messagesReceived += one.messagesReceived
    const { messagesSent, bytesReceived, bytesSent } = trafficOf(one.driver)
    this.messagesSent += messagesSent
    this.bytesReceived += bytesReceived
    this.bytesSent += bytesSent
  }

  /** The sums, with those that are there now. */
  stats(
    connections: number,
    live: Iterable<Iterable<Counted>>,
    closing: Pick<ServerStats, 'isClosing' | 'waitingToClose'>,
  ): ServerStats {
    const sum = new Counters()
    for (const group of live) for (const one of group) sum.add(one)
    return {
      connections,
      opened: this.opened,
      closed: this.closed,
      rejectedUpgrades: this.rejectedUpgrades,
      messagesReceived: this.messagesReceived + sum.messagesReceived,
      messagesSent: this.messagesSent + sum.messagesSent,
      messagesDropped: this.messagesDropped,
      bytesReceived: this.bytesReceived + sum.bytesReceived,
      bytesSent: this.bytesSent + sum.bytesSent,
      bytesUnsent: this.bytesUnsent,
      errors: this.errors,
      quotas: { ...this.quotas },
      backplane: null,
      recovery: null,
      ...closing,
    }
  }
}
