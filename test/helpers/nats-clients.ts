/**
 * The clients of NATS with which the backplane is tested. Their declarations do not compile under this project's strict options, so
 * what the tests use of them is declared here; that the backplane takes their own types is in test/package/nats-types.test.ts.
 */
import type { NatsBucket, NatsConnection, NatsHistoryConnection } from '../../src/brokers/nats.js'

/** The options of a connection, of which these tests use some. */
export interface NatsConnectOptions {
  readonly servers: string | string[]
  readonly noRandomize?: boolean
  readonly user?: string
  readonly pass?: string
  readonly noEcho?: boolean
  readonly reconnect?: boolean
  readonly waitOnFirstConnect?: boolean
  readonly pingInterval?: number
  readonly maxReconnectAttempts?: number
  readonly reconnectTimeWait?: number
}

/** A connection, with what only tests use. */
export interface NatsTestConnection extends NatsConnection, NatsHistoryConnection {
  readonly info?: { readonly max_payload?: number; readonly client_id: number }
}

/** A bucket, with what only tests use. */
export interface NatsTestBucket extends NatsBucket {
  put(key: string, value: string): Promise<number>
}

interface BucketOptions {
  readonly ttl?: number
}

interface Client {
  connect(options: NatsConnectOptions): Promise<NatsTestConnection>
}

/** A connection of version 2, which has JetStream in it. */
interface NatsConnection2 extends NatsTestConnection {
  jetstream(): { readonly views: { kv(name: string, options: BucketOptions): Promise<NatsBucket> } }
}

const load = <T extends object>(name: string): T => jest.requireActual<T>(name)

export const { connect } = load<Client>('@nats-io/transport-node')

export const { connect: connect2 } = load<{
  connect(options: NatsConnectOptions): Promise<NatsConnection2>
}>('nats')

export const { Kvm } = load<{
  readonly Kvm: new (connection: NatsConnection) => {
    create(name: string, options: BucketOptions): Promise<NatsTestBucket>
    open(name: string): Promise<NatsTestBucket>
  }
}>('@nats-io/kv')

export const { jetstreamManager } = load<{
  jetstreamManager(connection: NatsConnection): Promise<{
    readonly streams: {
      list(): AsyncIterable<{ readonly config: { readonly name: string; readonly description?: string } }>
      add(config: { readonly name: string; readonly subjects: readonly string[] }): Promise<unknown>
      deleteMessage(name: string, sequence: number): Promise<unknown>
      purge(name: string): Promise<unknown>
      delete(name: string): Promise<unknown>
    }
  }>
}>('@nats-io/jetstream')
