/** Stored connections, groups, broadcast: each row of what the early Ballerina connector had, over real sockets. */
import { BackplaneRelay } from '../../src/backplane/index.js'
import { NameTakenError, UnknownConnectionError } from '../../src/errors.js'
import { serveHub, stopHubs } from '../helpers/hub-server.js'
import { frame, OP } from '../helpers/frame-builder.js'
import { upgradeRaw } from '../helpers/raw-peer.js'

afterEach(stopHubs)

describe('stored connections, groups, broadcast', () => {
  test('pushText', async () => {
    const { client, socket } = await (await serveHub()).open()
    expect(socket.send('hello')).toBe(true)
    expect(await client.receive()).toBe('hello')
  })

  test('broadcastText: every connection, or but one; encoded once; one bad member never stops the rest', async () => {
    const { hub, sockets, open, port } = await serveHub()
    const [a, b, c] = [await open(), await open(), await open()]
    void c.socket.close(1000)
    expect(hub.broadcast(sockets, 'all')).toEqual({ sent: 2, dropped: 0, failed: 1 })
    expect([await a.client.receive(), await b.client.receive()]).toEqual(['all', 'all'])
    expect(hub.broadcast(sockets, 'others', { except: a.socket })).toMatchObject({ sent: 1 })
    expect(hub.broadcast(sockets, 'first', { filter: (one) => one === a.socket })).toMatchObject({ sent: 1 })
    expect([await a.client.receive(), await b.client.receive()]).toEqual(['first', 'others'])
    const raw = await upgradeRaw(port)
    while (sockets.size < 3) await new Promise((resolve) => setImmediate(resolve))
    hub.broadcast(sockets, 'raw')
    expect((await raw.readFrame()).text).toBe('raw')
    expect(raw.chunks.at(-1)).toEqual(frame({ opcode: OP.TEXT, payload: 'raw' }))
    raw.socket.destroy()
  })

  test('storeConnection(name): replace, reject, closePrevious', async () => {
    const { hub, open } = await serveHub()
    const { connections } = hub
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

  test('pushTextToConnection(name)', async () => {
    const { hub, open } = await serveHub()
    const { client, socket } = await open()
    hub.connections.set('ann', socket)
    expect(hub.connections.send('ann', 'hello')).toBe(true)
    expect(await client.receive()).toBe('hello')
    expect(() => hub.connections.send('bob', 'hello')).toThrow(UnknownConnectionError)
    expect(hub.connections.get('bob')).toBeUndefined()
  })

  test('removeStoredConnection, closeStoredConnection', async () => {
    const { hub, open } = await serveHub()
    const { client, socket } = await open()
    hub.connections.set('ann', socket)
    expect([hub.connections.delete('ann'), hub.connections.delete('ann'), socket.readyState]).toEqual([
      true,
      false,
      1,
    ])
    hub.connections.set('ann', socket)
    expect(hub.connections.close('ann', 4000, 'bye')).toBe(true)
    await expect(client.receive()).rejects.toMatchObject({ closeCode: 4000, reason: 'bye' })
  })

  test('addConnectionToGroup, removeConnectionFromGroup', async () => {
    const { hub, open } = await serveHub()
    const { socket } = await open()
    expect([hub.join(socket, 'dogs'), hub.join(socket, 'dogs')]).toEqual([true, true])
    expect([hub.leave(socket, 'dogs'), hub.leave(socket, 'dogs')]).toEqual([true, false])
  })

  test('pushTextToGroup', async () => {
    const { hub, open } = await serveHub()
    const [a, b, c] = [await open(), await open(), await open()]
    hub.join(a.socket, 'dogs')
    hub.join(b.socket, 'dogs')
    expect(hub.group('dogs').send('wuff', { except: a.socket })).toEqual({ sent: 1, dropped: 0, failed: 0 })
    hub.broadcast([a.socket, b.socket, c.socket], 'end')
    expect([
      await a.client.receive(),
      await b.client.receive(),
      await b.client.receive(),
      await c.client.receive(),
    ]).toEqual(['end', 'wuff', 'end', 'end'])
  })

  test('removeConnectionGroup', async () => {
    const { hub, open } = await serveHub()
    const { socket } = await open()
    hub.join(socket, 'dogs')
    expect([hub.group('dogs').delete(), hub.groups(), socket.readyState]).toEqual([true, [], 1])
    const other = (await open()).socket
    hub.join(other, 'dogs')
    expect(hub.group('dogs').members()).toEqual([other])
  })

  test('closeConnectionGroup', async () => {
    const { hub, open } = await serveHub()
    const all = [await open(), await open()]
    for (const { socket } of all) hub.join(socket, 'dogs')
    expect(hub.group('dogs').close(1000, 'over')).toBe(2)
    for (const { client } of all)
      await expect(client.receive()).rejects.toMatchObject({ closeCode: 1000, reason: 'over' })
  })

  test('list groups, list members, is a member', async () => {
    const { hub, open } = await serveHub()
    const [a, b] = [await open(), await open()]
    hub.join(a.socket, 'dogs')
    hub.join(b.socket, 'dogs')
    hub.join(b.socket, 'cats')
    expect(hub.groups()).toEqual(['dogs', 'cats'])
    expect(hub.group('dogs').members()).toEqual([a.socket, b.socket])
    expect([
      hub.group('cats').has(a.socket),
      hub.group('cats').has(b.socket),
      hub.group('dogs').size,
    ]).toEqual([false, true, 2])
  })

  test('a leaver is out of everything, empty groups vanish, nothing is kept', async () => {
    const { hub, open, leftovers } = await serveHub()
    const { client, socket } = await open()
    hub.join(socket, 'dogs')
    hub.connections.set('ann', socket)
    await client.close(1000)
    await socket.close()
    while (leftovers.length === 0) await new Promise((resolve) => setImmediate(resolve))
    expect([leftovers, hub.groups(), hub.connections.names()]).toEqual([[[]], [], []])
    expect([hub.join(socket, 'dogs'), hub.connections.set('ann', socket), hub.groups()]).toEqual([
      false,
      false,
      [],
    ])
  })

  test('one process only: the same calls over a backplane', async () => {
    const relay = new BackplaneRelay()
    const [one, two] = [await serveHub({}, relay.backplane()), await serveHub({}, relay.backplane())]
    const [a, b] = [await one.open(), await two.open()]
    one.hub.join(a.socket, 'dogs')
    two.hub.join(b.socket, 'dogs')
    two.hub.connections.set('ann', b.socket)
    while (!one.hub.connections.has('ann')) await new Promise((resolve) => setImmediate(resolve))
    one.hub.group('dogs').send('wuff')
    one.hub.connections.send('ann', 'hello')
    one.hub.broadcast(one.sockets, 'all')
    expect([await a.client.receive(), await a.client.receive()]).toEqual(['wuff', 'all'])
    expect([await b.client.receive(), await b.client.receive(), await b.client.receive()]).toEqual([
      'wuff',
      'hello',
      'all',
    ])
    relay.close()
  })
})
