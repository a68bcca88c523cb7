import { showKind } from '../check.js'
import type { Broker } from './broker.js'
import { NatsNames, type NatsBucket } from './nats-names.js'
import {
  hasNoEcho,
  isNatsConnection,
  NO_ECHO,
  NatsSession,
  quietly,
  type NatsConnection,
} from './nats-session.js'
import { encodeToken } from './nats-subjects.js'

type OpenConnection = () => NatsConnection | Promise<NatsConnection>
type OpenBucket = (connection: NatsConnection) => NatsBucket | Promise<NatsBucket>

/** NATS, by a connection that others use too, or by a function that opens one. */
export function natsBroker(source: NatsConnection | OpenConnection, openBucket: OpenBucket | null): Broker {
  const isOwn = typeof source === 'function'
  const connect = isOwn ? oneAtATime(source) : () => Promise.resolve(source)
  /** The last session. */
  let last: NatsSession | null = null
  if (!isOwn) {
    hearEnd(source, (error) => {
      last?.fail(error)
    })
  }
  return {
    name: 'nats',
    hasNames: openBucket !== null,
    nameOf: (prefix, kind, name) =>
      name === '' ? `${prefix}.${kind}` : `${prefix}.${kind}.${encodeToken(name)}`,
    open: async (events) => {
      const connection = await connect()
      if (connection.isClosed())
        throw new Error('the connection is closed for good: give a function that opens one')
      const names = openBucket === null ? null : new NatsNames(() => openBucket(connection))
      const session = new NatsSession({ connection, isOwn, names }, events)
      last = session
      if (isOwn) {
        hearEnd(connection, (error) => {
          session.fail(error)
        })
      }
      return session
    },
  }
}

/** Once for each connection: a promise keeps who waits for it, and sessions come and go. */
function hearEnd(connection: NatsConnection, ended: (error: unknown) => void): void {
  connection.closed().then((error) => {
    ended(error ?? new Error('the connection was closed'))
  }, ended)
}

/**
 * Opens connections of Hawser's own. A client may try for ever: while it does, it is not asked for another one, and who asked
 * last gets what it opens.
 */
function oneAtATime(open: OpenConnection): () => Promise<NatsConnection> {
  let opening: Promise<NatsConnection> | null = null
  let asked = 0
  return async () => {
    const number = ++asked
    opening ??= openOwn(open).finally(() => {
      opening = null
    })
    const connection = await opening
    if (number !== asked) throw new Error('another attempt has the connection')
    return connection
  }
}

async function openOwn(open: OpenConnection): Promise<NatsConnection> {
  const connection: unknown = await open()
  if (!isNatsConnection(connection)) {
    throw new TypeError(
      `source must return a connection to NATS, or a promise of one, not ${showKind(connection)}`,
    )
  }
  if (!hasNoEcho(connection)) return connection
  quietly(() => connection.close())
  throw new TypeError(NO_ECHO)
}
