/** Who is a member, and what `server.sockets` holds, by every way in: a connection that is closing belongs to nobody. */
import { createServer, type Server } from 'node:http'
import { connect as connectTls } from 'node:tls'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import {
  WebSocketServer,
  type ServerOptions,
  type ServerService,
  type ServerSocket,
} from '../../src/index.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { closeFrame, frame, KEY, OP } from '../helpers/frame-builder.js'
import { nextTurn } from '../helpers/memory-duplex.js'
import { openRaw, RawPeer, requestHead } from '../helpers/raw-peer.js'

const ends: (() => unknown)[] = []
afterEach(() => {
  for (const end of ends.splice(0).reverse()) end()
})

type Way = 'handle' | 'stream' | 'TLS' | 'attached' | 'by hand'
const WAYS: readonly Way[] = ['handle', 'stream', 'TLS', 'attached', 'by hand']

/** A port where the service is served in this way. */
async function serve(
  way: Way,
  service: ServerService,
  options: ServerOptions = {},
): Promise<{ readonly server: WebSocketServer; readonly port: number }> {
  const server = new WebSocketServer({
    ...options,
    directIo: way !== 'stream',
    ...(way === 'TLS' ? { tls: SERVER_TLS } : {}),
  })
  ends.push(() => {
    server.terminate()
  })
  if (way !== 'by hand') server.route('/', service)
  if (way !== 'by hand' && way !== 'attached') {
    return { server, port: (await server.listen(0, '127.0.0.1')).port }
  }
  const http: Server = createServer()
  if (way === 'attached') server.attach(http)
  else
    http.on('upgrade', (request, socket, head) => {
      server.handleUpgrade(request, socket, head, service)
    })
  await once(http.listen(0, '127.0.0.1'), 'listening')
  ends.push(() => http.close())
  return { server, port: (http.address() as AddressInfo).port }
}

async function openPeer(way: Way, port: number): Promise<RawPeer> {
  let peer
  if (way === 'TLS') {
    // Of node:net, and not in the types of node:tls.
    const halfOpen: object = { allowHalfOpen: true }
    const socket = connectTls({ port, host: '127.0.0.1', ...halfOpen, ...TRUST_SERVER })
    peer = new RawPeer(socket)
    await once(socket, 'secureConnect')
  } else {
    peer = await openRaw(port)
  }
  ends.push(() => {
    peer.socket.destroy()
  })
  peer.write(requestHead())
  expect((await peer.readHead()).status).toBe(101)
  return peer
}

type End = (socket: ServerSocket, peer: RawPeer) => unknown
const ENDS: readonly [name: string, end: End][] = [
  ['this side closes it', (socket) => socket.close(1000)],
  ['the peer closes it', (_, peer) => peer.write(closeFrame(1000, '', { key: KEY }))],
  ['the peer breaks the protocol', (_, peer) => peer.write(frame({ opcode: 0x3, key: KEY }))],
  ['its handler throws', (_, peer) => peer.write(frame({ opcode: OP.TEXT, payload: 'throw', key: KEY }))],
]

describe.each(WAYS)('a connection that came %s', (way) => {
  test.each(ENDS)('is not a member from the moment when %s', async (_, end) => {
    const opened: ServerSocket[] = []
    const told: string[] = []
    const { server, port } = await serve(
      way,
      {
        onOpen(socket) {
          opened.push(socket)
          socket.join('dogs')
        },
        onMessage() {
          throw new Error('as it was asked to')
        },
        onClose: () => told.push('closed'),
      },
      { onError: () => undefined },
    )
    const [peer] = [await openPeer(way, port), await openPeer(way, port)]
    const [socket, other] = opened as [ServerSocket, ServerSocket]
    const { connections } = server
    connections.set('bob', socket)
    expect([...server.sockets]).toEqual([socket, other])
    void end(socket, peer)
    if (socket.readyState === 1) await peer.readFrame()
    // The peer has not answered: the connection is closing, and onClose is yet to come.
    expect([socket.readyState, told]).toEqual([2, []])
    const dogs = server.group('dogs')
    expect([dogs.members(), dogs.size, dogs.has(socket)]).toEqual([[other], 1, false])
    expect([connections.get('bob'), connections.has('bob'), connections.size]).toEqual([undefined, false, 0])
    expect([socket.groups(), socket.join('dogs'), connections.set('bob', socket)]).toEqual([[], false, false])
    expect(connections.set('bob', other, { onConflict: 'reject' })).toBe(true)
    expect(dogs.send('x')).toEqual({ sent: 1, dropped: 0, failed: 0 })
    expect(server.broadcast('x')).toEqual({ sent: 1, dropped: 0, failed: 0 })
    expect([server.sockets.size, [...server.sockets].length]).toEqual([2, 2])
    const over = socket.close()
    peer.socket.destroy()
    await over
    expect([...server.sockets]).toEqual([other])
    expect(server.sockets.size).toBe(1)
  })

  test('is not a member when terminate returns', async () => {
    let opened: ServerSocket | undefined
    const { server, port } = await serve(way, {
      onOpen(socket) {
        opened = socket
        socket.join('dogs')
      },
    })
    await openPeer(way, port)
    expect(server.group('dogs').size).toBe(1)
    opened?.terminate()
    expect([server.group('dogs').size, server.groups()]).toEqual([0, []])
  })
})

describe('server.sockets', () => {
  test('holds the connections of all routes and of handleUpgrade, and is live', async () => {
    const { server, port } = await serve('by hand', {})
    server.route('/', {})
    server.route('/b/:name', {})
    const own = await server.listen(0, '127.0.0.1')
    const { sockets } = server
    expect([sockets.size, [...sockets]]).toEqual([0, []])
    await openPeer('by hand', port)
    await openPeer('handle', own.port)
    const peer = await openRaw(own.port)
    ends.push(() => {
      peer.socket.destroy()
    })
    peer.write(requestHead('/b/x'))
    expect((await peer.readHead()).status).toBe(101)
    expect([sockets.size, [...sockets].map(({ url }) => url).sort()]).toEqual([3, ['/', '/', '/b/x']])
    for (const socket of sockets) socket.terminate()
    while (sockets.size > 0) await nextTurn()
    expect([sockets.size, [...sockets], server.connectionCount]).toEqual([0, [], 0])
  })

  test('keeps the connections of a route that was removed', async () => {
    const { server, port } = await serve('handle', {})
    await openPeer('handle', port)
    server.unroute('/')
    expect([server.sockets.size, [...server.sockets].map(({ url }) => url)]).toEqual([1, ['/']])
  })

  test('shows a loop no connection twice when new ones replace those that the loop ends', async () => {
    const { server, port } = await serve('handle', {})
    await openPeer('handle', port)
    const seen: ServerSocket[] = []
    for (const socket of server.sockets) {
      seen.push(socket)
      socket.terminate()
      await nextTurn()
      if (seen.length === 1) await openPeer('handle', port)
    }
    expect(new Set(seen).size).toBe(seen.length)
    await nextTurn()
    for (const socket of server.sockets) expect(seen.includes(socket)).toBe(false)
  })
})
