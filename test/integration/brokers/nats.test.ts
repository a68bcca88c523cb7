// slow: starts nats-server
/** What is of NATS alone: subjects, the size that the server takes, permissions, connections of both kinds, and buckets. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { NameTakenError } from '../../../src/errors.js'
import { natsBackplane, type NatsBackplaneOptions } from '../../../src/brokers/nats.js'
import { NatsSession } from '../../../src/brokers/nats-session.js'
import { isConnected, joined, serveNode, until, type BrokerNode } from '../../helpers/broker-nodes.js'
import { BrokerServer, stopBrokers } from '../../helpers/broker-server.js'
import { freePort } from '../../helpers/doc-programs.js'
import { stopHubs } from '../../helpers/hub-server.js'
import {
  connect,
  connect2,
  jetstreamManager,
  Kvm,
  type NatsTestConnection,
} from '../../helpers/nats-clients.js'

let nats: BrokerServer
beforeAll(async () => {
  nats = await BrokerServer.nats()
})
afterAll(stopBrokers)
afterEach(stopHubs)

/** Each test has subjects of its own. */
let prefixes = 0
let prefix = ''
beforeEach(() => {
  prefix = `test.${String(prefixes++)}`
})

const node = (options: NatsBackplaneOptions = {}, url = nats.url): Promise<BrokerNode> =>
  serveNode(natsBackplane(() => connect({ servers: url }), { prefix, ...options }))

async function pair(
  options: NatsBackplaneOptions = {},
  url = nats.url,
): Promise<readonly [BrokerNode, BrokerNode]> {
  const nodes = [await node(options, url), await node(options, url)] as const
  await joined(...nodes)
  return nodes
}

/** Starts a server with a configuration. */
async function configured(configuration: string): Promise<BrokerServer> {
  const directory = mkdtempSync(path.join(tmpdir(), 'hawser-nats-'))
  const file = path.join(directory, 'nats.conf')
  writeFileSync(file, configuration)
  try {
    return await BrokerServer.nats('-c', file)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

it('groups and names of any characters and any length have a subject each, and none is a wildcard', async () => {
  const bucket = { names: async (c: NatsTestConnection) => new Kvm(c).create('any', { ttl: 15_000 }) }
  const backplane = natsBackplane(() => connect({ servers: nats.url }), { prefix, ...bucket })
  const [a, b] = [await node(), await serveNode(backplane)] as const
  await joined(a, b)
  const { client, socket } = await b.open()
  const long = '🐕'.repeat(128)
  const groups = [
    '*',
    '>',
    'a.b',
    'a.*',
    '.',
    '..',
    ' ',
    'a b',
    '\r\n',
    '$SYS',
    'dogs',
    'ä',
    '=41',
    '\ud800',
    long,
  ]
  for (const group of groups) socket.join(group)
  await until(() => groups.every((group) => a.server.group(group).sizeEverywhere === 1))
  for (const group of groups) a.server.group(group).send(group)
  a.server.group('a.c').send('of no member')
  a.server.group('A').send('of no member')
  const got = new Set<unknown>()
  while (got.size < groups.length) got.add(await client.receive())
  // A lone surrogate is not UTF-8.
  expect([...got].sort()).toEqual(groups.map((group) => (group === '\ud800' ? '\ufffd' : group)).sort())
  for (const name of groups.filter((group) => group !== '\ud800')) {
    expect(await b.server.connections.claim(name, socket, { onConflict: 'reject' })).toBe(true)
  }
  expect([...a.errors, ...b.errors]).toEqual([])
})

it('a message that is larger than max_payload of the server is lost, an error that says so, and the connection stays', async () => {
  const small = await configured('max_payload: 4096')
  const [a, b] = await pair({}, small.url)
  const { client, socket } = await b.open()
  socket.join('dogs')
  await until(() => a.server.group('dogs').sizeEverywhere === 1)
  const { lost = 0 } = a.server.backplaneStats ?? {}
  a.server.group('dogs').send('x'.repeat(5000))
  expect(a.errors.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^an envelope of 5\d{3} bytes is larger than .*4096 bytes$/) as string,
  ])
  // Batches stay below it too.
  for (let i = 0; i < 10; i++) a.server.group('dogs').send('y'.repeat(1500))
  for (let i = 0; i < 10; i++) expect(await client.receive()).toBe('y'.repeat(1500))
  expect(a.server.backplaneStats).toMatchObject({ lost: lost + 1, link: { connects: 1 } })
  small.remove()
})

it('what the server does not permit is lost, an error that names it, and no end of the connection', async () => {
  const strict = await configured(`
    authorization: { users: [{ user: hawser, password: secret, permissions: {
      publish: { deny: ["${prefix}.group.secret"] }
      subscribe: { deny: ["${prefix}.group.deaf"] }
    } }] }`)
  for (const open of [connect, connect2]) {
    const make = () =>
      serveNode(
        natsBackplane(
          () => open({ servers: `127.0.0.1:${String(strict.port)}`, user: 'hawser', pass: 'secret' }),
          { prefix },
        ),
      )
    const [a, b] = [await make(), await make()]
    await joined(a, b)
    a.server.group('secret').send('no')
    await until(() => a.errors.length > 0)
    expect(a.errors[0]?.message).toMatch(/permissions?.violation.*group\.secret/i)
    expect(a.server.backplaneStats).toMatchObject({ link: { isConnected: true, connects: 1 } })
    const { socket } = await b.open()
    socket.join('deaf')
    await until(() => b.errors.length > 0)
    expect(b.errors[0]?.message).toMatch(/permissions?.violation.*group\.deaf/i)
    await a.server.close()
    await b.server.close()
  }
  strict.remove()
})

it('of what is sent in one turn, only what the server refuses rejects', async () => {
  const strict = await configured(`
    authorization: { users: [{ user: hawser, password: secret, permissions: { publish: { deny: ["no"] } } }] }`)
  for (const open of [connect, connect2]) {
    const servers = `127.0.0.1:${String(strict.port)}`
    const connection = await open({ servers, user: 'hawser', pass: 'secret' })
    const session = new NatsSession(
      { connection, isOwn: true, names: null },
      { message: () => undefined, ended: () => undefined },
    )
    for (let i = 0; i < 20; i++) {
      const sent = ['yes', 'no', 'maybe'].map((subject) => session.publish(subject, Buffer.from('x')))
      const outcomes = await Promise.allSettled(sent)
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    }
    const late = session.publish('yes', Buffer.from('x'))
    session.close()
    await expect(late).rejects.toThrow('the connection was closed')
    await expect(session.subscribe(['yes'])).rejects.toThrow()
    await connection.closed()
  }
  strict.remove()
})

it('nodes at different servers of a cluster hear each other, and a node whose server is killed goes to another', async () => {
  const routes = [await freePort(), await freePort()].map((port) => `nats://127.0.0.1:${String(port)}`)
  const [first, second] = await Promise.all(
    routes.map((route, at) =>
      BrokerServer.nats(
        ...['-n', `server-${String(at)}`, '--cluster_name', 'hawser', '--cluster', route],
        ...['--routes', routes.join(',')],
      ),
    ),
  )
  const urls = [first?.url ?? '', second?.url ?? '']
  const at = (...servers: string[]): Promise<BrokerNode> =>
    serveNode(
      natsBackplane(() => connect({ servers, noRandomize: true }), { prefix }),
      { presenceTtlMs: 2000 },
    )
  const [a, b] = [await at(...urls), await at(...[...urls].reverse())]
  await joined(a, b)
  const { client, socket } = await b.open()
  socket.join('dogs')
  await until(() => a.server.group('dogs').sizeEverywhere === 1)
  for (let i = 0; i < 50; i++) a.server.group('dogs').send(String(i))
  for (let i = 0; i < 50; i++) expect(await client.receive()).toBe(String(i))
  await second?.kill()
  await until(() => b.server.backplaneStats?.link?.connects === 2 && isConnected(b))
  // By the server that both have now.
  await until(() => a.server.group('dogs').sizeEverywhere === 1)
  a.server.group('dogs').send('again')
  expect(await client.receive()).toBe('again')
  first?.remove()
  second?.remove()
})

it('a connection with noEcho, and what is no connection, is an error that says so, and is closed', async () => {
  const opened: NatsTestConnection[] = []
  const echoless = await serveNode(
    natsBackplane(
      async () => {
        const connection = await connect({ servers: nats.url, noEcho: true })
        opened.push(connection)
        return connection
      },
      { prefix },
    ),
  )
  await until(() => echoless.errors.length > 0 && opened.length > 1)
  expect(echoless.errors.map(({ message }) => message)).toEqual([
    'the backplane has no connection to nats: the connection has noEcho, and Hawser must hear its own probes: connect without it',
  ])
  await echoless.server.close()
  await until(() => opened.every((connection) => connection.isClosed()))
  const wrong = await serveNode(natsBackplane((() => 'nats://localhost') as never, { prefix }))
  await until(() => wrong.errors.length > 0)
  expect(wrong.errors[0]?.message).toBe(
    'the backplane has no connection to nats: source must return a connection to NATS, or a promise of one, not a string',
  )
  const lent = await connect({ servers: nats.url, noEcho: true })
  expect(() => natsBackplane(lent)).toThrow(
    new TypeError('the connection has noEcho, and Hawser must hear its own probes: connect without it'),
  )
  await lent.close()
})

it('a client that tries for ever is not asked for another connection meanwhile, and none is left open', async () => {
  const late = await BrokerServer.nats()
  await late.kill()
  let asked = 0
  let mostAtOnce = 0
  const opened: NatsTestConnection[] = []
  const source = async (): Promise<NatsTestConnection> => {
    asked++
    mostAtOnce = Math.max(mostAtOnce, asked - opened.length)
    const connection = await connect({
      servers: late.url,
      waitOnFirstConnect: true,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 20,
    })
    opened.push(connection)
    return connection
  }
  const waiting = await serveNode(natsBackplane(source, { prefix, stallTimeoutMs: 100 }))
  await until(() => waiting.errors.length > 0)
  expect(waiting.errors[0]?.message).toBe(
    'the backplane has no connection to nats: it did not answer within 100 ms',
  )
  await late.start()
  await until(() => opened.length > 0)
  await waiting.server.close()
  await until(() => opened.every((connection) => connection.isClosed()) && asked === opened.length)
  expect(mostAtOnce).toBe(1)
  late.remove()
})

it('a connection of the application is used and not closed, its own subscriptions stay, and a closed one is an error', async () => {
  const connection = await connect({ servers: nats.url })
  const heard: string[] = []
  connection.subscribe('own', { callback: (_, { data }) => void heard.push(Buffer.from(data).toString()) })
  const a = await serveNode(natsBackplane(connection, { prefix }))
  await joined(a, await node())
  await a.server.close()
  expect(connection.isClosed()).toBe(false)
  connection.publish('own', Buffer.from('still'))
  await connection.flush()
  expect(heard).toEqual(['still'])
  const b = await serveNode(natsBackplane(connection, { prefix }))
  await until(() => isConnected(b))
  await connection.close()
  await until(() => !isConnected(b) && b.errors.length > 1)
  expect(b.errors.at(-1)?.message).toBe(
    'the backplane has no connection to nats: the connection is closed for good: give a function that opens one',
  )
})

describe('names', () => {
  it('without a bucket, what was announced decides, as between the workers of one machine', async () => {
    const [a, b] = await pair()
    const [ann, other] = [await a.open(), await b.open()]
    expect(await a.server.connections.claim('ann', ann.socket)).toBe(true)
    await until(() => b.server.connections.has('ann'))
    await expect(b.server.connections.claim('ann', other.socket, { onConflict: 'reject' })).rejects.toThrow(
      'ann',
    )
  })

  it.each([
    ['has no ttl', 0, /^the bucket of names has no ttl/],
    [
      'has a ttl that is too short',
      1000,
      /^the ttl of the bucket of names is 1000 ms, and must be presenceTtlMs, 15000 ms, or longer$/,
    ],
  ])('a bucket that %s is refused by the first claim', async (_, ttl, message) => {
    const names = async (connection: NatsTestConnection) =>
      new Kvm(connection).create(`ttl-${String(ttl)}`, ttl === 0 ? {} : { ttl })
    const a = await serveNode(natsBackplane(() => connect({ servers: nats.url }), { prefix, names }))
    await until(() => isConnected(a))
    const { socket } = await a.open()
    await expect(a.server.connections.claim('ann', socket)).rejects.toThrow(message)
    expect(a.server.connections.has('ann')).toBe(false)
    expect(isConnected(a)).toBe(true)
  })

  it('a bucket that cannot be opened makes claims reject, is opened when it can be, and groups do not need it', async () => {
    let isBroken = true
    const names = async (connection: NatsTestConnection) => {
      if (isBroken) throw new Error('there is no JetStream')
      return new Kvm(connection).create('later', { ttl: 15_000 })
    }
    const make = () => serveNode(natsBackplane(() => connect({ servers: nats.url }), { prefix, names }))
    const [a, b] = [await make(), await make()]
    await joined(a, b)
    const { client, socket } = await b.open()
    socket.join('dogs')
    await until(() => a.server.group('dogs').sizeEverywhere === 1)
    a.server.group('dogs').send('wuff')
    expect(await client.receive()).toBe('wuff')
    await expect(b.server.connections.claim('ann', socket)).rejects.toThrow('there is no JetStream')
    isBroken = false
    expect(await b.server.connections.claim('ann', socket)).toBe(true)
  })

  it('a bucket that is deleted is made again, and what is no bucket is refused', async () => {
    let isBucket = true
    const names = (connection: NatsTestConnection) =>
      isBucket ? new Kvm(connection).create('gone', { ttl: 15_000 }) : (new Kvm(connection) as never)
    const a = await serveNode(natsBackplane(() => connect({ servers: nats.url }), { prefix, names }))
    await until(() => isConnected(a))
    const { socket } = await a.open()
    const claim = (name: string): Promise<boolean> => a.server.connections.claim(name, socket)
    expect(await claim('ann')).toBe(true)
    const admin = await connect({ servers: nats.url })
    const { streams } = await jetstreamManager(admin)
    await streams.delete('KV_gone')
    let isClaimed = false
    while (!isClaimed) isClaimed = await claim('bob').catch(() => false)
    await streams.delete('KV_gone')
    await admin.close()
    isBucket = false
    const refusal =
      /^names must return a bucket of JetStream's key-value store, or a promise of one, not an object$/
    const errors: unknown[] = []
    while (errors.length < 2) await claim('eve').catch((error: unknown) => errors.push(error))
    expect(errors[1]).toBeInstanceOf(TypeError)
    expect((errors[1] as Error).message).toMatch(refusal)
  })

  it('a key that another program wrote is a name that is taken, and is replaced like any other', async () => {
    const names = (connection: NatsTestConnection) => new Kvm(connection).create('foreign', { ttl: 15_000 })
    const backplane = natsBackplane(() => connect({ servers: nats.url }), { prefix, names })
    const [a, b] = [await serveNode(backplane), await node()] as const
    await joined(a, b)
    const { socket } = await a.open()
    const { connections } = a.server
    const stranger = await connect({ servers: nats.url })
    const bucket = await names(stranger)
    for (const value of ['', 'nonsense', '99999999999999999999 dead', '-1 dead']) {
      await bucket.put(`${prefix}.name.ann`, value)
      await expect(connections.claim('ann', socket, { onConflict: 'reject' })).rejects.toThrow(NameTakenError)
      expect(await connections.claim('ann', socket, { onConflict: 'replace' })).toBe(true)
      await until(() => b.server.connections.has('ann'))
      expect(connections.delete('ann')).toBe(true)
      await until(() => !b.server.connections.has('ann'))
    }
    await stranger.close()
    expect([...a.errors, ...b.errors]).toEqual([])
  })
})
