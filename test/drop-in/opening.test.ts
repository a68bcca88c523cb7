import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import type { EventEmitter } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Duplex } from 'node:stream'
import * as ws from 'ws'
import { WebSocket } from '../../packages/ws/src/websocket.js'
import { WebSocketServer } from '../../packages/ws/src/websocket-server.js'

/** What programs use that give a WebSocket its socket by themselves. */
interface Given extends EventEmitter {
  _isServer: boolean
  setSocket(socket: Duplex, head: Buffer, options: { maxPayload: number }): void
  terminate(): void
}
type Implementation = new (address: null, protocols: undefined, options: object) => Given

describe.each([
  ['ws', ws.WebSocket as unknown as Implementation],
  ['the drop-in', WebSocket as unknown as Implementation],
])('setSocket of %s', (_name, Socket) => {
  it('loses nothing of a stream that another listener was reading', async () => {
    const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
    const socket = new Socket(null, undefined, {})
    socket._isServer = false
    const message = once(socket, 'message')
    stream.once('data', () => {
      socket.setSocket(stream, Buffer.alloc(0), { maxPayload: 0 })
      process.nextTick(() => stream.push(Buffer.from([0x81, 0x02, 0x68, 0x69])))
    })
    stream.push('HTTP/1.1 101 Switching Protocols\r\n\r\n')
    const [data, isBinary] = (await message) as [Buffer, boolean]
    expect([String(data), isBinary]).toEqual(['hi', false])
    socket.terminate()
  })
})

describe('hawser-ws:open', () => {
  it('publishes each connection of the drop-in, of a server and of a client, before its open event', async () => {
    const published: [isServer: boolean, readyState: number][] = []
    const listener = (message: unknown): void => {
      const { socket } = message as { socket: WebSocket }
      published.push([socket._isServer, socket.readyState])
    }
    subscribe('hawser-ws:open', listener)
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    try {
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const client = new WebSocket(`ws://127.0.0.1:${port}/`)
      let before = -1
      client.on('open', () => (before = published.filter(([isServer]) => !isServer).length))
      await once(client, 'open')
      expect(before).toBe(1)
      expect(published.sort()).toEqual([
        [false, WebSocket.OPEN],
        [true, WebSocket.OPEN],
      ])
      client.terminate()
      await once(client, 'close')
    } finally {
      unsubscribe('hawser-ws:open', listener)
      await new Promise((resolve) => server.close(resolve))
    }
  })
})
