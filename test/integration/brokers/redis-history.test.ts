// slow: starts redis-server
/** Histories in Redis, with each client, and with two of them at once. */
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { createClient as createClient4 } from 'redis4'
import { redisHistory, type HistoryStore } from '../../../src/brokers/redis.js'
import { BrokerServer, stopBrokers } from '../../helpers/broker-server.js'
import { HISTORY_CLIENTS, type OpenRedis } from '../../helpers/history-clients.js'
import { expectHistory } from '../../helpers/history-conformance.js'

let server: BrokerServer
const start = async (): Promise<string> => {
  server ??= await BrokerServer.redis()
  return server.url
}
afterAll(stopBrokers)

const CLIENTS: Readonly<Record<string, OpenRedis>> = {
  ...HISTORY_CLIENTS,
  'redis 6 with RESP2': (url) => {
    const client = createClient({ url, RESP: 2 })
    void client.connect()
    return { client, close: () => client.close() }
  },
  'redis 4 with legacyMode': (url) => {
    const client = createClient4({ url, legacyMode: true })
    void client.connect()
    return { client, close: () => client.disconnect() }
  },
  'ioredis with autopipelining': (url) => {
    const client = new Redis(url, { enableAutoPipelining: true, lazyConnect: true })
    return { client, close: () => client.quit() }
  },
}

const pair = (first: OpenRedis, second: OpenRedis) => async () => {
  const url = await start()
  const opened = [first(url), second(url)] as const
  const [a, b] = opened.map(({ client }) => redisHistory({ client })) as [HistoryStore, HistoryStore]
  return {
    a,
    b,
    end: async () => {
      await a.close?.()
      await b.close?.()
      // What is the application's stays open.
      for (const { close } of opened) await close()
    },
  }
}

for (const [name, open] of Object.entries(CLIENTS)) expectHistory(name, pair(open, open))
expectHistory('redis 4 and ioredis at once', pair(HISTORY_CLIENTS['redis 4'], HISTORY_CLIENTS.ioredis))
