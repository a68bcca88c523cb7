// slow: starts redis-server and nats-server, and nodes in processes of their own
/** A node that is killed under load leaves nothing at the others, and nothing in the broker. */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { serveNode, until } from '../../helpers/broker-nodes.js'
import { BROKERS, BrokerServers, type BrokerClient } from '../../helpers/brokers.js'
import { Programs } from '../../helpers/child.js'
import { stopHubs } from '../../helpers/hub-server.js'

const programs = new Programs()
const brokers = new BrokerServers()
beforeAll(() => brokers.start())
afterAll(async () => {
  programs.remove()
  await brokers.stop()
})
afterEach(stopHubs)

const PREFIX = 'test'
const TTL_MS = 1000

const importOf = (file: string): string => {
  const { href } = pathToFileURL(path.join(__dirname, '../../../node_modules', file))
  return `(await import(${JSON.stringify(href)})).default`
}

/** For each client the code that makes `backplane`, for the broker at `url`. */
const BACKPLANES = [
  [
    'redis 6',
    `import { redisBackplane } from './src/brokers/redis.js'
    const { createClient } = ${importOf('redis/dist/index.js')}
    const backplane = redisBackplane(createClient({ url }), { prefix: '${PREFIX}' })`,
  ],
  [
    'nats 3',
    `import { natsBackplane } from './src/brokers/nats.js'
    const { connect } = ${importOf('@nats-io/transport-node/lib/mod.js')}
    const { Kvm } = ${importOf('@nats-io/kv/lib/mod.js')}
    const backplane = natsBackplane(() => connect({ servers: url }), {
      prefix: '${PREFIX}',
      names: (connection) => new Kvm(connection).create('names-${PREFIX}', { ttl: ${String(TTL_MS)} }),
    })`,
  ],
] as const

it.each(BACKPLANES)(
  'a node that is killed while it sends leaves no member, no name and no key after presenceTtlMs, and others go on: %s',
  async (name, code) => {
    const broker = BROKERS.find((one) => one.name === name) as BrokerClient
    const admin = brokers.admin(broker)
    const { url } = brokers.server(broker)
    const node = await serveNode(await broker.backplane(url, { prefix: PREFIX, namesTtlMs: TTL_MS }), {
      presenceTtlMs: TTL_MS,
    })
    const { client, socket } = await node.open()
    socket.join('dogs')
    const child = programs.run(`
    import { WebSocketServer, connect as open } from './src/index.js'
    const url = ${JSON.stringify(url)}
    ${code}
    const server = new WebSocketServer({ backplane, presenceTtlMs: ${String(TTL_MS)} })
    const opened = new Promise((resolve) => server.route('/', { onOpen: resolve }))
    const { port } = await server.listen(0, '127.0.0.1')
    const client = await open('ws://127.0.0.1:' + port + '/')
    const socket = await opened
    while (!server.backplaneStats.link.isConnected) await new Promise((resolve) => setTimeout(resolve, 5))
    socket.join('dogs')
    server.connections.set('set', socket)
    console.log('claimed ' + (await server.connections.claim('claimed', socket)))
    let i = 0
    setInterval(() => { for (let n = 0; n < 50; n++) server.group('dogs').send('load ' + i++) }, 1)
  `)
    expect(await child.value('claimed')).toBe('true')
    await until(() => node.server.connections.has('set') && node.server.connections.has('claimed'))
    await until(() => node.server.group('dogs').sizeEverywhere === 2)
    // What arrives is in order, and nothing of it comes twice.
    let last = -1
    for (let got = 0; got < 500; got++) {
      const number = Number(String(await client.receive()).slice('load '.length))
      expect(number).toBeGreaterThan(last)
      last = number
    }
    child.kill()
    expect(await child.ended).toMatchObject({ signal: 'SIGKILL', errors: '' })
    await until(() => node.server.backplaneStats?.nodes === 0)
    expect([node.server.connections.has('set'), node.server.group('dogs').sizeEverywhere]).toEqual([false, 1])
    while ((await admin.nameValue(PREFIX, 'claimed')) !== null);
    expect(await admin.subscribers(PREFIX, 'dogs')).toBe(1)
    expect(node.server.group('dogs').send('still here')).toEqual({ sent: 1, dropped: 0, failed: 0 })
    expect(await node.server.connections.claim('claimed', socket, { onConflict: 'reject' })).toBe(true)
    expect(node.errors).toEqual([])
  },
)
