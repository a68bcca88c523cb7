// slow: starts redis-server
/** What is of Redis alone: connections that are being made, and modes of its clients. */
import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createClient as createClient4 } from 'redis4'
import { redisBackplane } from '../../../src/brokers/redis.js'
import { joined, serveNode, until } from '../../helpers/broker-nodes.js'
import { BrokerServer, stopBrokers } from '../../helpers/broker-server.js'
import { BROKERS } from '../../helpers/brokers.js'
import { stopHubs } from '../../helpers/hub-server.js'

let redis: BrokerServer
beforeAll(async () => {
  redis = await BrokerServer.redis()
})
afterAll(stopBrokers)
afterEach(stopHubs)

const prefix = 'test'

it.each(BROKERS.filter(({ broker }) => broker.name === 'redis'))(
  'a broker that accepts connections and never answers has no more of them than one attempt makes, and none after the end: $name',
  async (broker) => {
    const open = new Set<Socket>()
    let accepted = 0
    const silent = createServer((socket) => {
      accepted++
      open.add(socket)
      socket.on('error', () => undefined).once('close', () => open.delete(socket))
      socket.resume()
    })
    await once(silent.listen(0, '127.0.0.1'), 'listening')
    const url = `redis://127.0.0.1:${String((silent.address() as AddressInfo).port)}`
    const node = await serveNode(await broker.backplane(url, { prefix, stallTimeoutMs: 200 }))
    await until(() => accepted >= 6)
    expect(open.size).toBeLessThanOrEqual(4)
    await node.server.close()
    await until(() => open.size === 0)
    expect(node.errors[0]?.message).toContain('it did not answer within 200 ms')
    silent.close()
  },
)

it('a client of redis 4 in legacyMode is taken as any other: only its settings are used', async () => {
  const make = () =>
    serveNode(redisBackplane(createClient4({ url: redis.url, legacyMode: true }), { prefix, sharded: true }))
  const [a, b] = [await make(), await make()]
  await joined(a, b)
  const { client, socket } = await b.open()
  socket.join('dogs')
  await until(() => a.server.group('dogs').sizeEverywhere === 1)
  a.server.group('dogs').send('heard')
  expect(await client.receive()).toBe('heard')
  expect([...a.errors, ...b.errors]).toEqual([])
})
