// slow: starts redis-server and nats-server
/** The users of docs/groups.md, as they stand there: they may do all that Hawser does, and nothing else. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { connect as connectSocket, WebSocketServer, type ServerSocket } from '../../../src/index.js'
import type { Backplane } from '../../../src/backplane/index.js'
import { jetStreamHistory, natsBackplane } from '../../../src/brokers/nats.js'
import { redisBackplane, redisHistory, type BrokerHistory } from '../../../src/brokers/redis.js'
import { BrokerServer, stopBrokers } from '../../helpers/broker-server.js'
import { connect, connect2, Kvm, type NatsTestConnection } from '../../helpers/nats-clients.js'
import { until } from '../../helpers/recovery-world.js'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(stopBrokers)

const page = readFileSync(path.join(__dirname, '../../../docs/groups.md'), 'utf8')
const [, section = ''] = page.split('\n### Permissions\n')
const blocks = [...section.matchAll(/^```\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block)
const acl = blocks.find((block) => block.startsWith('ACL ')) ?? ''
const configuration = blocks.find((block) => block.startsWith('authorization')) ?? ''

const PASSWORD = 'secret'
const ignore = (): void => undefined

interface Nodes {
  backplane(): Backplane
  history(): Promise<BrokerHistory>
}

/** What a server does with a broker: all of it, over two of them. */
async function expectAllAllowed(nodes: Nodes): Promise<void> {
  const errors: string[] = []
  const make = async (): Promise<{ server: WebSocketServer; url: string }> => {
    const server = new WebSocketServer({
      backplane: nodes.backplane(),
      recovery: { history: await nodes.history(), groups: ['room:*'], maxMessages: 2, checkIntervalMs: 100 },
      onError: ({ message }) => errors.push(message),
    })
    server.route('/', { onOpen: (socket) => void socket.join('room:1') })
    closing.push(() => server.close({ timeoutMs: 100 }))
    const { port } = await server.listen(0, '127.0.0.1')
    return { server, url: `ws://127.0.0.1:${String(port)}/` }
  }
  const [a, b] = [await make(), await make()]
  await until(
    () => [a, b].every(({ server }) => server.backplaneStats?.link?.isConnected === true),
    'both nodes',
  )
  const got: string[] = []
  const socket = await connectSocket(b.url, {
    reconnect: { minDelayMs: 0, maxDelayMs: 5 },
    recovery: true,
    handlers: { onTextMessage: (_, text) => void got.push(text) },
  })
  closing.push(() => socket.terminate())
  await until(() => socket.positions().length === 1, 'the first position')
  await until(() => a.server.group('room:1').sizeEverywhere === 1, 'the member')
  a.server.group('room:1').send('sent')
  a.server.broadcast('to all')
  // More than are kept: what is over the limit is trimmed.
  for (const text of ['one', 'two', 'three']) await a.server.group('room:1').publish(text)
  await until(() => got.length === 5, 'the messages')
  expect([...got].sort()).toEqual(['one', 'sent', 'three', 'to all', 'two'])
  const [member] = [...b.server.sockets]
  await expectNames(a.server, b.server, member as ServerSocket)
  for (const one of b.server.sockets) one.terminate()
  await a.server.group('room:1').publish('missed')
  await until(() => got.includes('missed'), 'what was missed')
  await until(() => (b.server.stats().recovery?.recovered ?? 0) > 0, 'the outcome')
  expect(errors).toEqual([])
}

async function expectNames(near: WebSocketServer, far: WebSocketServer, socket: ServerSocket): Promise<void> {
  expect(await far.connections.claim('ann', socket)).toBe(true)
  await until(() => near.connections.has('ann'), 'the name')
  expect(far.connections.delete('ann')).toBe(true)
  await until(() => !near.connections.has('ann'), 'the end of the name')
}

describe('the user of Redis', () => {
  let server: BrokerServer
  let url = ''
  beforeAll(async () => {
    server = await BrokerServer.redis()
    const admin = await createClient({ url: server.url }).connect()
    await admin.sendCommand(acl.replace('PASSWORD', PASSWORD).trim().split(/\s+/))
    admin.destroy()
    url = server.url.replace('://', `://hawser:${PASSWORD}@`)
  })

  const overRedis = (sharded: boolean): Nodes => ({
    backplane: () => redisBackplane(createClient({ url }), { sharded }),
    history: async () => {
      const client = createClient({ url }).on('error', ignore)
      await client.connect()
      closing.push(() => client.destroy())
      return redisHistory({ client })
    },
  })
  const overIoredis = (sharded: boolean): Nodes => ({
    backplane: () => redisBackplane(new Redis(url, { lazyConnect: true }), { sharded }),
    history: () => {
      const client = new Redis(url).on('error', ignore)
      closing.push(() => {
        client.disconnect()
      })
      return Promise.resolve(redisHistory({ client }))
    },
  })

  it.each([
    ['redis', overRedis(false)],
    ['redis, sharded', overRedis(true)],
    ['ioredis', overIoredis(false)],
    ['ioredis, sharded', overIoredis(true)],
  ])('may do all that a server does: %s', async (_, nodes) => {
    await expectAllAllowed(nodes)
  })

  it.each([
    [['SET', 'other', 'x']],
    [['GET', 'other']],
    [['PUBLISH', 'other', 'x']],
    [['KEYS', '*']],
    [['FLUSHALL']],
    [['CONFIG', 'GET', '*']],
    [['EVAL', "return redis.call('GET', KEYS[1])", '1', 'other']],
  ])('may not do %j', async (command) => {
    const client = createClient({ url }).on('error', ignore)
    await client.connect()
    closing.push(() => client.destroy())
    await expect(client.sendCommand(command)).rejects.toThrow(/NOPERM|ACL failure|permission/i)
  })
})

describe('the user of NATS', () => {
  let servers = ''
  beforeAll(async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'hawser-nats-'))
    const file = path.join(directory, 'nats.conf')
    writeFileSync(file, configuration.replace('PASSWORD', PASSWORD))
    const server = await BrokerServer.nats('-c', file)
    rmSync(directory, { recursive: true })
    servers = `127.0.0.1:${String(server.port)}`
  })

  const user = { user: 'hawser', pass: PASSWORD }
  const opened = async (open: typeof connect): Promise<NatsTestConnection> => {
    const connection = await open({ servers, ...user })
    closing.push(() => connection.close())
    return connection
  }

  it.each<[string, Nodes]>([
    [
      'nats 3',
      {
        backplane: () =>
          natsBackplane(() => connect({ servers, ...user }), {
            names: (connection) => new Kvm(connection).create('hawser-names', { ttl: 15_000 }),
          }),
        history: async () => jetStreamHistory({ connection: await opened(connect) }),
      },
    ],
    [
      'nats 2',
      {
        backplane: () =>
          natsBackplane(() => connect2({ servers, ...user }), {
            names: (connection) => connection.jetstream().views.kv('hawser-names', { ttl: 15_000 }),
          }),
        history: async () => jetStreamHistory({ connection: await opened(connect2) }),
      },
    ],
  ])('may do all that a server does: %s', async (_, nodes) => {
    await expectAllAllowed(nodes)
  })

  it('may neither send to other subjects nor hear them', async () => {
    const connection = await opened(connect)
    const refused: string[] = []
    void (async () => {
      for await (const status of connection.status())
        refused.push(JSON.stringify(status, ['type', 'error', 'operation', 'subject']))
    })()
    connection.publish('other', new Uint8Array(0))
    connection.subscribe('other.>', { callback: ignore })
    await connection.flush()
    await until(() => refused.length >= 2, 'both refusals')
    expect(refused.join(' ')).toMatch(/"publish".*"other"/)
    expect(refused.join(' ')).toMatch(/"subscription".*"other\.>"/)
  })
})
