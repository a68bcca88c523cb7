// slow: starts redis-server and nats-server
/** Names that are claimed in the broker: one connection has them, whatever happens at once, and a node that dies keeps none. */
import { NameTakenError } from '../../../src/errors.js'
import type { ServerSocket } from '../../../src/index.js'
import { joined, serveNode, until, type BrokerNode } from '../../helpers/broker-nodes.js'
import { BROKERS, BrokerServers } from '../../helpers/brokers.js'
import { stopHubs } from '../../helpers/hub-server.js'

const brokers = new BrokerServers()
beforeAll(() => brokers.start())
afterAll(() => brokers.stop())
afterEach(stopHubs)

/** Each test has keys of its own. */
let prefixes = 0
let prefix = ''
beforeEach(() => {
  prefix = `test-${String(prefixes++)}`
})

/** Long enough that a claim comes before what was written just now expires. */
const TTL_MS = 2000

describe.each(BROKERS)('with $name', (broker) => {
  const held = (name: string) => brokers.admin(broker).nameValue(prefix, name)
  const nodes = async (count: number, presenceTtlMs = 15_000): Promise<BrokerNode[]> => {
    const all = await Promise.all(
      Array.from({ length: count }, async () => {
        const { url } = brokers.server(broker)
        const backplane = await broker.backplane(url, { prefix, namesTtlMs: presenceTtlMs })
        return serveNode(backplane, { presenceTtlMs })
      }),
    )
    await joined(...all)
    return all
  }

  it('of many claims at once that reject, one gets the name, and it can be claimed again when it is free', async () => {
    const all = await nodes(3)
    const opened = []
    for (const node of all) opened.push({ node, ...(await node.open()) }, { node, ...(await node.open()) })
    const claims = await Promise.allSettled(
      opened.map(({ node, socket }) =>
        node.server.connections.claim('ann', socket, { onConflict: 'reject' }),
      ),
    )
    expect(claims.filter(({ status }) => status === 'fulfilled')).toEqual([
      { status: 'fulfilled', value: true },
    ])
    for (const claim of claims)
      if (claim.status === 'rejected') expect(claim.reason).toBeInstanceOf(NameTakenError)
    const holder = opened.find(({ node, socket }) => node.server.connections.get('ann') === socket)
    await until(() => all.every(({ server }) => server.connections.has('ann')))
    await holder?.client.close()
    await until(() => !all.some(({ server }) => server.connections.has('ann')))
    while ((await held('ann')) !== null);
    const other = opened.find(({ node }) => node !== holder?.node)
    expect(await other?.node.server.connections.claim('ann', other.socket, { onConflict: 'reject' })).toBe(
      true,
    )
  })

  it('of many claims at once that replace, one has the name in the end, and all nodes agree on which', async () => {
    const all = await nodes(3)
    const opened = []
    for (const node of all) opened.push({ node, ...(await node.open()) })
    const claims = opened.map(({ node, socket }) =>
      node.server.connections.claim('ann', socket, { onConflict: 'closePrevious' }),
    )
    expect(await Promise.all(claims)).toEqual([true, true, true])
    await until(() => all.filter(({ server }) => server.connections.get('ann') !== undefined).length === 1)
    const holder = all.find(({ server }) => server.connections.get('ann') !== undefined)
    expect(await held('ann')).toMatch(/^\d+ [\w-]+$/)
    const closed = opened.filter(({ node }) => node !== holder)
    for (const { client } of closed) expect(await client.closed).toMatchObject({ code: 1000 })
    expect(holder?.server.connectionCount).toBe(1)
  })

  it('of claims at once by connections of one process the last has the name, and the broker keeps its claim', async () => {
    const [a, b] = (await nodes(2)) as [BrokerNode, BrokerNode]
    const opened = [await a.open(), await a.open(), await a.open()]
    const claims = opened.map(({ socket }) => a.server.connections.claim('ann', socket))
    expect(await Promise.all(claims)).toEqual([true, true, true])
    expect(a.server.connections.get('ann')).toBe(opened[2]?.socket)
    // Over the same connection as all that this node sent before.
    expect(await a.server.connections.claim('bob', opened[2]?.socket as ServerSocket)).toBe(true)
    expect(await held('ann')).not.toBeNull()
    const late = b.server.connections.claim('ann', (await b.open()).socket, { onConflict: 'reject' })
    await expect(late).rejects.toThrow(NameTakenError)
    await opened[2]?.client.close()
    while ((await held('ann')) !== null || (await held('bob')) !== null);
  })

  it('a claim that comes too late for its own connection ends no claim of another one', async () => {
    const [a] = (await nodes(1)) as [BrokerNode]
    const [first, second] = [await a.open(), await a.open()]
    const claims = [first, second].map(({ socket }) => a.server.connections.claim('ann', socket))
    void first.socket.close()
    expect(await Promise.all(claims)).toEqual([false, true])
    // By the same connection as what was sent in vain: it is done before this is.
    expect(await a.server.connections.claim('bob', second.socket)).toBe(true)
    expect(await held('ann')).not.toBeNull()
  })

  it('names that differ only in what is no UTF-8 are different names', async () => {
    const [a] = (await nodes(1)) as [BrokerNode]
    const { socket } = await a.open()
    for (const name of ['x\ud800', 'x\ud801', 'x\ufffd']) {
      expect(await a.server.connections.claim(name, socket, { onConflict: 'reject' })).toBe(true)
    }
  })

  it('a name that was only set is claimed in the broker all the same, unless another node has it there', async () => {
    const [a, b] = (await nodes(2)) as [BrokerNode, BrokerNode]
    const [ann, other] = [await a.open(), await b.open()]
    const claim = (name: string, onConflict: 'reject' | 'closePrevious') =>
      a.server.connections.claim(name, ann.socket, { onConflict })
    for (const onConflict of ['reject', 'closePrevious'] as const) {
      const name = `by ${onConflict}`
      a.server.connections.set(name, ann.socket)
      expect(await claim(name, onConflict)).toBe(true)
      const late = b.server.connections.claim(name, other.socket, { onConflict: 'reject' })
      await expect(late).rejects.toThrow(NameTakenError)
      // Once it is claimed nothing is in its way, its own claim least of all.
      expect(await Promise.all([claim(name, 'reject'), claim(name, 'reject')])).toEqual([true, true])
    }
    a.server.connections.set('twice', ann.socket)
    expect(await Promise.all([claim('twice', 'reject'), claim('twice', 'reject')])).toEqual([true, true])
    await brokers.admin(broker).leaveName(prefix, 'bob', 60_000)
    a.server.connections.set('bob', ann.socket)
    await expect(claim('bob', 'reject')).rejects.toThrow(NameTakenError)
    expect(a.server.connections.get('bob')).toBe(ann.socket)
    expect(await claim('bob', 'closePrevious')).toBe(true)
    expect(a.server.connections.names()).toEqual(['by reject', 'by closePrevious', 'twice', 'bob'])
    expect(ann.socket.readyState).toBe(1)
    await ann.client.close()
    expect(a.server.connections.size).toBe(0)
    while ((await held('bob')) !== null);
  })

  it('a claim of a time that cannot be, which another program left, is replaced by one of now', async () => {
    const [a, b] = (await nodes(2)) as [BrokerNode, BrokerNode]
    const [ann, other] = [await a.open(), await b.open()]
    expect(await a.server.connections.claim('first', ann.socket)).toBe(true)
    const latest = Date.now() + 60 * 60 * 1000
    for (const time of [String(Number.MAX_SAFE_INTEGER), String(Date.now() + 25 * 60 * 60 * 1000)]) {
      await brokers.admin(broker).leaveName(prefix, 'ann', 60_000, `${time} dead`)
      expect(await a.server.connections.claim('ann', ann.socket)).toBe(true)
      expect(parseInt((await held('ann')) ?? '', 10)).toBeLessThan(latest)
      await until(() => b.server.connections.has('ann'))
      expect(await b.server.connections.claim('ann', other.socket)).toBe(true)
      await until(() => a.server.connections.get('ann') === undefined && a.server.connections.has('ann'))
      b.server.connections.delete('ann')
      await until(() => !a.server.connections.has('ann'))
      while ((await held('ann')) !== null);
    }
    expect([...a.errors, ...b.errors]).toEqual([])
  })

  it('a name is renewed after the broker has lost it, and a node that is gone loses it by its expiry', async () => {
    const [a, b] = (await nodes(2, TTL_MS)) as [BrokerNode, BrokerNode]
    const [ann, bob] = [await a.open(), await b.open()]
    expect(await a.server.connections.claim('ann', ann.socket)).toBe(true)
    await brokers.admin(broker).flush()
    while ((await held('ann')) === null);
    // What a node that was killed leaves: a key that nobody renews.
    await brokers.admin(broker).leaveName(prefix, 'bob', TTL_MS)
    const claim = () => b.server.connections.claim('bob', bob.socket, { onConflict: 'reject' })
    await expect(claim()).rejects.toThrow(NameTakenError)
    while ((await held('bob')) !== null);
    expect(await claim()).toBe(true)
    await a.server.close()
    await b.server.close()
    while ((await held('ann')) !== null || (await held('bob')) !== null);
  })

  it('a backplane that closes has given back the names that it was told to when its close is over', async () => {
    const backplane = await broker.backplane(brokers.server(broker).url, { prefix })
    backplane.start('node', () => undefined)
    await until(() => backplane.linkStats?.().isConnected === true)
    const { names } = backplane
    const claimed = ['ann', 'bob', 'eve']
    for (const name of claimed) {
      expect(await names?.claim(name, { node: 'node', time: 1 }, false, 15_000)).toBe(1)
    }
    const released = claimed.map((name) => names?.release(name, { node: 'node', time: 1 }))
    await backplane.close()
    await Promise.allSettled(released)
    for (const name of claimed) expect(await held(name)).toBeNull()
  })

  it('without the broker a claim rejects and changes nothing, and set works as always', async () => {
    const node = await serveNode(await broker.backplane(`${broker.broker.name}://127.0.0.1:1`, { prefix }))
    const { socket } = await node.open()
    await expect(node.server.connections.claim('ann', socket)).rejects.toThrow(
      `there is no connection to ${broker.broker.name}`,
    )
    expect(node.server.connections.has('ann')).toBe(false)
    expect(node.server.connections.set('ann', socket)).toBe(true)
  })

  it('a connection that closes while its claim is decided has no name, and the broker keeps none', async () => {
    const [a] = (await nodes(1)) as [BrokerNode]
    const { socket } = await a.open()
    const claim = a.server.connections.claim('ann', socket)
    void socket.close()
    expect(await claim).toBe(false)
    while ((await held('ann')) !== null);
    expect(a.server.connections.has('ann')).toBe(false)
  })
})
