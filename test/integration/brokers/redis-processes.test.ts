// slow: starts redis-server, and nodes in processes of their own
/** A node that is killed under load leaves nothing at the others, and nothing in Redis. */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { createClient } from 'redis'
import { redisBackplane } from '../../../src/brokers/redis.js'
import { serveNode, until } from '../../helpers/broker-nodes.js'
import { BrokerServer, stopBrokers } from '../../helpers/broker-server.js'
import { Programs } from '../../helpers/child.js'
import { stopHubs } from '../../helpers/hub-server.js'

const programs = new Programs()
afterAll(() => {
  programs.remove()
  stopBrokers()
})
afterEach(stopHubs)

it('a node that is killed while it sends leaves no member, no name and no key after presenceTtlMs, and others go on', async () => {
  const redis = await BrokerServer.redis()
  const node = await serveNode(redisBackplane(createClient({ url: redis.url })), { presenceTtlMs: 1000 })
  const { client, socket } = await node.open()
  socket.join('dogs')
  const module = pathToFileURL(path.join(__dirname, '../../../node_modules/redis/dist/index.js')).href
  const child = programs.run(`
    import { createRequire } from 'node:module'
    import { WebSocketServer, connect } from './src/index.js'
    import { redisBackplane } from './src/brokers/redis.js'
    const { createClient } = (await import(${JSON.stringify(module)})).default
    const server = new WebSocketServer({
      backplane: redisBackplane(createClient({ url: ${JSON.stringify(redis.url)} })), presenceTtlMs: 1000,
    })
    const opened = new Promise((resolve) => server.route('/', { onOpen: resolve }))
    const { port } = await server.listen(0, '127.0.0.1')
    const client = await connect('ws://127.0.0.1:' + port + '/')
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
  const admin = await createClient({ url: redis.url }).connect()
  while ((await admin.keys('*')).length > 0);
  expect((await admin.pubSubChannels('hawser:*')).length).toBe(3)
  admin.destroy()
  expect(node.server.group('dogs').send('still here')).toEqual({ sent: 1, dropped: 0, failed: 0 })
  expect(await node.server.connections.claim('claimed', socket, { onConflict: 'reject' })).toBe(true)
  expect(node.errors).toEqual([])
})
