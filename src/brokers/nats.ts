/**
 * The backplane over NATS, and histories in JetStream, with the client of the application: `@nats-io/transport-node`, or `nats`
 * before it. `hawser/nats`.
 */
import type { Backplane } from '../backplane/backplane.js'
import { refusePromise, optionalFunction, readOptions, showKind, type Checks } from '../check.js'
import { BrokerBackplane } from './broker-backplane.js'
import { BROKER_CHECKS, type BrokerOptions } from './broker-options.js'
import { natsBroker } from './nats-broker.js'
import type { NatsBucket } from './nats-names.js'
import { hasNoEcho, isNatsConnection, NO_ECHO, type NatsConnection } from './nats-session.js'
import { subjectPrefix } from './nats-subjects.js'

export type { HistoryLimits, HistoryPage, HistoryStore, KeptMessage, Position } from '../recovery/history.js'
export type { BrokerOptions } from './broker-options.js'
export type { BrokerHistory, BrokerHistoryOptions } from './history-options.js'
export { jetStreamHistory, type JetStreamHistoryOptions } from './nats-history.js'
export type { NatsBucket } from './nats-names.js'
export type { NatsConnection, NatsMessage } from './nats-session.js'
export type { NatsHistoryConnection, NatsReply } from './nats-line.js'

/** The options of {@link natsBackplane}. */
export interface NatsBackplaneOptions<C extends NatsConnection = NatsConnection> extends BrokerOptions {
  /**
   * Opens the bucket of JetStream's key-value store in which names are claimed. Its ttl must be `presenceTtlMs` or longer: it
   * is how long the names of a node that was killed stay. Called when it is needed first over each connection. Default none:
   * of two claims at once both succeed, and what was announced decides a moment later.
   */
  readonly names?: ((connection: C) => NatsBucket | Promise<NatsBucket>) | undefined
}

const CHECKS = {
  ...BROKER_CHECKS,
  prefix: subjectPrefix,
  names: optionalFunction<(connection: NatsConnection) => NatsBucket | Promise<NatsBucket>>(),
} satisfies Checks<NatsBackplaneOptions>

/**
 * The backplane of one server over NATS.
 * @param source a function that opens a connection: called whenever one is needed, and Hawser closes what it opened. Or a
 *   connection, which others may use too: Hawser never closes it, and relies on it to connect again
 * @example
 * ```ts
 * const server = new WebSocketServer({ backplane: natsBackplane(() => connect({ servers: 'nats://localhost:4222' })) })
 * ```
 * @throws TypeError for what is neither, and for a connection with `noEcho`; TypeError or RangeError for a wrong option
 */
export function natsBackplane<C extends NatsConnection>(
  source: C | (() => C | Promise<C>),
  options: NatsBackplaneOptions<C> = {},
): Backplane {
  const { names, ...rest } = readOptions('options', options as NatsBackplaneOptions, CHECKS)
  if (typeof source !== 'function') checkConnection(source)
  return new BrokerBackplane(natsBroker(source, names ?? null), rest)
}

function checkConnection(source: unknown): asserts source is NatsConnection {
  if (!isNatsConnection(source)) {
    const wanted =
      'source must be a connection to NATS, or a function that opens one such as () => connect({ servers })'
    refusePromise(source, `${wanted}, not a promise: await it, or give the function that makes it`)
    throw new TypeError(`${wanted}, not ${showKind(source)}`)
  }
  if (hasNoEcho(source)) throw new TypeError(NO_ECHO)
}
