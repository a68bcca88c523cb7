// slow: starts three nats-servers as a cluster, and kills one
/** A cluster of three JetStream servers, each stream at all of them, of which one is killed while clients publish. */
import { setTimeout as delay } from 'node:timers/promises'
import { jetStreamHistory, natsBackplane } from '../../../src/brokers/nats.js'
import { BrokerServer, stopBrokers } from '../../helpers/broker-server.js'
import { freePort } from '../../helpers/doc-programs.js'
import { FailoverWorld, type Brokered } from '../../helpers/failover-world.js'
import { connect, jetstreamManager } from '../../helpers/nats-clients.js'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  stopBrokers()
})

jest.setTimeout(120_000)

async function startCluster(): Promise<readonly BrokerServer[]> {
  const routes = [await freePort(), await freePort(), await freePort()].map(
    (port) => `nats://127.0.0.1:${String(port)}`,
  )
  const servers = await Promise.all(
    routes.map((route, at) =>
      BrokerServer.nats(
        ...['-n', `server-${String(at)}`, '--cluster_name', 'hawser', '--cluster', route],
        ...['--routes', routes.join(',')],
      ),
    ),
  )
  // JetStream answers once the servers have elected a leader.
  const admin = await connect({ servers: servers.map(({ url }) => url) })
  const { streams } = await (async () => {
    for (;;) {
      try {
        return await jetstreamManager(admin)
      } catch {
        await delay(20)
      }
    }
  })()
  for (;;) {
    try {
      await streams.add({ name: 'probe', subjects: ['probe'], num_replicas: 3 } as never)
      break
    } catch {
      // Not all of them know each other yet.
    }
  }
  await streams.delete('probe')
  await admin.close()
  return servers
}

it.each(['the server that the clients are connected to', 'another one'])(
  'of three servers %s is killed: members get all that publish resolved, once and in order, in one epoch',
  async (which) => {
    const servers = await startCluster()
    const urls = servers.map(({ url }) => url)
    const options = {
      servers: urls,
      noRandomize: true,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
    }
    const over = async (): Promise<Brokered> => {
      const connection = await connect(options)
      closing.push(() => connection.close())
      const backplane = natsBackplane(() => connect(options))
      return { backplane, history: jetStreamHistory({ connection, replicas: 3 }) }
    }
    const world = new FailoverWorld()
    closing.push(() => {
      world.end()
    })
    await world.add(await over())
    await world.add(await over())
    world.begin()
    await world.more(200)
    await servers[which === 'another one' ? 1 : 0]?.kill()
    await world.more(1)
    await world.more(200)
    const epoch = await world.settle()
    expect(new Set([...world.kept.values()].map((position) => position.epoch))).toEqual(new Set([epoch]))
    for (const member of world.members) {
      expect([world.missing(member, epoch), world.disorder(member), world.lies(member)]).toEqual([[], [], []])
      expect(member.events).toEqual([])
    }
  },
)
