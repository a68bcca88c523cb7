/** 1005, which `onClose` tells of an end without a code, is taken back wherever a code is taken: as none. */
import type { WebSocketServer } from '../../src/index.js'
import { closeWith, connect, type ClientSocket, type ServerSocket } from '../../src/index.js'
import { frame, KEY, OP } from '../helpers/frame-builder.js'
import { upgradeRaw } from '../helpers/raw-peer.js'
import { serve, stopServing } from '../helpers/serving.js'

const ends: (() => unknown)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
  stopServing()
})

describe('a Close frame without a code', () => {
  const ways: [string, (socket: ServerSocket, server: WebSocketServer) => unknown][] = [
    ['close', (socket) => socket.close(1005)],
    ['close with an empty reason', (socket) => socket.close(1005, '')],
    ['the close of a group', (_, server) => server.group('dogs').close(1005, '')],
    ['the close of a name', (_, server) => server.connections.close('bob', 1005, '')],
    ['the close of the server', (_, server) => server.close({ code: 1005 })],
    ['closeWith', () => closeWith(1005)],
  ]
  it.each(ways)('is what %s sends for 1005', async (_, end) => {
    const { server, port } = await serve({
      onOpen: (socket) => {
        socket.join('dogs')
        server.connections.set('bob', socket)
      },
      onMessage: (socket) => {
        const result = end(socket, server)
        return result instanceof Promise ? undefined : (result as ReturnType<typeof closeWith>)
      },
    })
    const peer = await upgradeRaw(port)
    ends.push(() => peer.socket.destroy())
    peer.write(frame({ opcode: OP.TEXT, payload: 'end it', key: KEY }))
    const { opcode, payload } = await peer.readFrame()
    expect([opcode, payload.length]).toEqual([OP.CLOSE, 0])
  })

  it('goes through a proxy in both directions, and neither side of it is left', async () => {
    const { url: target, server: behind } = await serve({
      onMessage: (socket) => void socket.close(),
    })
    const others = new Map<ServerSocket, ClientSocket>()
    const { url, server: proxy } = await serve({
      async onOpen(socket) {
        const other = await connect(target, {
          handlers: {
            onClose: (_, { code, reason }) => void socket.close(code, reason),
          },
        })
        others.set(socket, other)
      },
      onMessage: (socket, message) => void others.get(socket)?.send(message),
      onClose: (socket, { code, reason }) => void others.get(socket)?.close(code, reason),
    })
    const first = await connect(url)
    first.send('you end it')
    const second = await connect(url)
    await second.close()
    await expect(first.receive()).rejects.toMatchObject({ closeCode: 1005 })
    for (const server of [proxy, behind]) {
      while (server.connectionCount > 0) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect([proxy.stats().errors, behind.stats().errors]).toEqual([0, 0])
  })

  it('is not sent for 1006, and the error says what to use instead', async () => {
    const { url } = await serve({ onMessage: (_, message) => message })
    const client = await connect(url)
    ends.push(() => {
      client.terminate()
    })
    const message = /1006, which means that there was no Close frame .*: use terminate[(][)], or another code/
    expect(() => void client.close(1006)).toThrow(message)
    expect(() => closeWith(1006)).toThrow(message)
    expect(() => void client.close(1015)).toThrow(RangeError)
    expect(() => void client.close(1005, 'a reason alone')).toThrow(TypeError)
    client.send('still open')
    expect(await client.receive()).toBe('still open')
  })
})
