/** Stored connections, groups, broadcast: each row of what the early Ballerina connector had, over real sockets. */
import { BackplaneRelay } from '../../src/backplane/index.js'
import { NameTakenError, UnknownConnectionError } from '../../src/errors.js'
import { serveHub, stopHubs } from '../helpers/hub-server.js'
import { frame, OP } from '../helpers/frame-builder.js'
import { upgradeRaw } from '../helpers/raw-peer.js'

afterEach(stopHubs)

describe('stored connections, groups and broadcasts', () => {
  test('send takes the place of pushText, to one connection', async () => {
    const { client, socket } = await (await serveHub()).open()
    expect(socket.send('hello')).toBe(true)
    expect(await client.receive()).toBe('hello')
  })

  test('broadcastText reaches every connection or all but one, and a closing one never stops the rest', async () => {
    const { server, route, open, port } = await serveHub()
    const [a, b, c] = [await open(), await open(), await open()]
    void c.socket.close(1000)
    expect(server.broadcast('all')).toEqual({ sent: 2, dropped: 0, failed: 0 })
    expect([await a.client.receive(), await b.client.receive()]).toEqual(['all', 'all'])
    expect(route.broadcast('others', { except: a.socket })).toMatchObject({ sent: 1 })
    expect(server.broadcast('first', { filter: (one) => one === a.socket })).toMatchObject({ sent: 1 })
    expect([await a.client.receive(), await b.client.receive()]).toEqual(['first', 'others'])
    const raw = await upgradeRaw(port)
    while (route.connectionCount < 3) await new Promise((resolve) => setImmediate(resolve))
    server.broadcast('raw')
    expect((await raw.readFrame()).text).toBe('raw')
    expect(raw.chunks.at(-1)).toEqual(frame({ opcode: OP.TEXT, payload: 'raw' }))
    raw.socket.destroy()
  })

  test('storeConnection gives a name, by the policies replace, reject and closePrevious', async () => {
    const { server, open } = await serveHub()
    const { connections } = server
    const [a, b, c] = [await open(), await open(), await open()]
    connections.set('ann', a.socket)
    connections.set('ann', b.socket)
    expect([connections.get('ann') === b.socket, a.socket.readyState]).toEqual([true, 1])
    expect(() => connections.set('ann', c.socket, { onConflict: 'reject' })).toThrow(NameTakenError)
    connections.set('ann', c.socket, { onConflict: 'closePrevious' })
    const gone: unknown = await b.client.receive().catch((error: unknown) => error)
    expect(gone).toMatchObject({ code: 'HAWSER_CONNECTION_CLOSED', closeCode: 1000 })
    expect(connections.get('ann')).toBe(c.socket)
  })

  test('pushTextToConnection sends to a connection by its name', async () => {
    const { server, open } = await serveHub()
    const { client, socket } = await open()
    server.connections.set('ann', socket)
    expect(server.connections.send('ann', 'hello')).toBe(true)
    expect(await client.receive()).toBe('hello')
    expect(() => server.connections.send('bob', 'hello')).toThrow(UnknownConnectionError)
    expect(server.connections.get('bob')).toBeUndefined()
  })

  test('removeStoredConnection takes a name away, closeStoredConnection closes its connection too', async () => {
    const { server, open } = await serveHub()
    const { client, socket } = await open()
    server.connections.set('ann', socket)
    expect([server.connections.delete('ann'), server.connections.delete('ann'), socket.readyState]).toEqual([
      true,
      false,
      1,
    ])
    server.connections.set('ann', socket)
    expect(server.connections.close('ann', 4000, 'bye')).toBe(true)
    await expect(client.receive()).rejects.toMatchObject({ closeCode: 4000, reason: 'bye' })
  })

  test('addConnectionToGroup joins, removeConnectionFromGroup leaves', async () => {
    const { open } = await serveHub()
    const { socket } = await open()
    expect([socket.join('dogs'), socket.join('dogs')]).toEqual([true, true])
    expect([socket.leave('dogs'), socket.leave('dogs')]).toEqual([true, false])
  })

  test('pushTextToGroup sends to the members of a group', async () => {
    const { server, open } = await serveHub()
    const [a, b, c] = [await open(), await open(), await open()]
    a.socket.join('dogs')
    b.socket.join('dogs')
    expect(server.group('dogs').send('wuff', { except: a.socket })).toEqual({
      sent: 1,
      dropped: 0,
      failed: 0,
    })
    server.broadcast('end')
    expect([
      await a.client.receive(),
      await b.client.receive(),
      await b.client.receive(),
      await c.client.receive(),
    ]).toEqual(['end', 'wuff', 'end', 'end'])
  })

  test('removeConnectionGroup takes all members out and leaves them open', async () => {
    const { server, open } = await serveHub()
    const { socket } = await open()
    socket.join('dogs')
    expect([server.group('dogs').delete(), server.groups(), socket.readyState]).toEqual([true, [], 1])
    const other = (await open()).socket
    other.join('dogs')
    expect(server.group('dogs').members()).toEqual([other])
  })

  test('closeConnectionGroup closes all members', async () => {
    const { server, open } = await serveHub()
    const all = [await open(), await open()]
    for (const { socket } of all) socket.join('dogs')
    expect(server.group('dogs').close(1000, 'over')).toBe(2)
    for (const { client } of all)
      await expect(client.receive()).rejects.toMatchObject({ closeCode: 1000, reason: 'over' })
  })

  test('groups and their members can be listed, and a membership can be asked for', async () => {
    const { server, open } = await serveHub()
    const [a, b] = [await open(), await open()]
    a.socket.join('dogs')
    b.socket.join('dogs')
    b.socket.join('cats')
    expect(server.groups()).toEqual(['dogs', 'cats'])
    expect(server.group('dogs').members()).toEqual([a.socket, b.socket])
    expect([
      server.group('cats').has(a.socket),
      server.group('cats').has(b.socket),
      server.group('dogs').size,
    ]).toEqual([false, true, 2])
  })

  test('a connection has left its groups and names when its onClose runs, and nothing of it is kept', async () => {
    const { server, open, leftovers } = await serveHub()
    const { client, socket } = await open()
    socket.join('dogs')
    server.connections.set('ann', socket)
    await client.close(1000)
    await socket.close()
    while (leftovers.length === 0) await new Promise((resolve) => setImmediate(resolve))
    const nothing = {
      ofSocket: [],
      groups: [],
      names: [],
      inRoute: false,
      isCounted: false,
      isReached: false,
    }
    expect(leftovers).toEqual([nothing])
    expect([socket.join('dogs'), server.connections.set('ann', socket), server.groups()]).toEqual([
      false,
      false,
      [],
    ])
  })

  test('the same calls reach the connections of another server over a backplane', async () => {
    const relay = new BackplaneRelay()
    const [one, two] = [
      await serveHub({ backplane: relay.backplane() }),
      await serveHub({ backplane: relay.backplane() }),
    ]
    const [a, b] = [await one.open(), await two.open()]
    a.socket.join('dogs')
    b.socket.join('dogs')
    two.server.connections.set('ann', b.socket)
    while (!one.server.connections.has('ann')) await new Promise((resolve) => setImmediate(resolve))
    one.server.group('dogs').send('wuff')
    one.server.connections.send('ann', 'hello')
    one.server.broadcast('all')
    expect([await a.client.receive(), await a.client.receive()]).toEqual(['wuff', 'all'])
    expect([await b.client.receive(), await b.client.receive(), await b.client.receive()]).toEqual([
      'wuff',
      'hello',
      'all',
    ])
    relay.close()
  })
})
