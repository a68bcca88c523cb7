// slow: starts nats-server
/** Histories in JetStream, with each client, and with two of them at once. */
import { jetStreamHistory, type NatsHistoryConnection } from '../../../src/brokers/nats.js'
import { BrokerServer, stopBrokers } from '../../helpers/broker-server.js'
import { expectHistory } from '../../helpers/history-conformance.js'
import { connect, connect2 } from '../../helpers/nats-clients.js'

let server: BrokerServer | null = null
const start = async (): Promise<string> => {
  server ??= await BrokerServer.nats()
  return server.url
}
afterAll(stopBrokers)

type Open = (url: string) => Promise<NatsHistoryConnection & { close(): Promise<void> }>

const CLIENTS: Readonly<Record<'nats 3' | 'nats 2', Open>> = {
  'nats 3': (url) => connect({ servers: url }),
  'nats 2': (url) => connect2({ servers: url }),
}

const pair =
  (first: Open, second: Open, options: { readonly storage?: 'memory' } = {}) =>
  async () => {
    const url = await start()
    const connections = [await first(url), await second(url)] as const
    const a = jetStreamHistory({ connection: connections[0], ...options })
    const b = jetStreamHistory({ connection: connections[1], ...options })
    return {
      a,
      b,
      end: async () => {
        await a.close()
        await b.close()
        // What is the application's stays open.
        for (const connection of connections) await connection.close()
      },
    }
  }

for (const [name, open] of Object.entries(CLIENTS)) expectHistory(name, pair(open, open))
expectHistory('both at once, in memory', pair(CLIENTS['nats 2'], CLIENTS['nats 3'], { storage: 'memory' }))
