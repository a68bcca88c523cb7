// slow: programs of their own, thousands of connections each
/** The handles of docs/adr/0010 in processes of their own: where Node has changed, and what is left behind. */
import { Programs } from '../helpers/child.js'
import { isNativeOn } from '../../src/native/native-switch.js'

const programs = new Programs()
afterAll(() => programs.remove())

/** Imports, and what connects by hand. */
const START = `
  import net from 'node:net'
  import http from 'node:http'
  import { once } from 'node:events'
  import { WebSocketServer, connect } from './src/index.js'
  import { handleKit } from './src/native/socket-handle.js'
  import { coreOf } from './src/socket/base-socket.js'
  const way = (socket) => coreOf(socket).driver.transport.constructor.name
  const until = async (isSo) => { while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5)) }
`

describe('a Node whose internals differ', () => {
  it.each<readonly [name: string, broken: string]>([
    [
      'a socket cannot write to such a handle',
      `const { write } = net.Socket.prototype
       net.Socket.prototype.write = function (...given) {
         if (this._handle && this._handle.isStreamBase !== true) throw new Error('no')
         return write.apply(this, given)
       }`,
    ],
    [
      'a function needs more of its owner than is known',
      `const { toString } = Function.prototype
       Function.prototype.toString = function () { return toString.call(this) + ' stream.somethingNew' }`,
    ],
    ['there are no symbols', 'Object.getOwnPropertySymbols = () => []'],
  ])(
    'makes Hawser use the stream when %s',
    async (_, broken) => {
      const { ended } = programs.run(
        `${START}
      ${broken}
      console.log('kit ' + handleKit())
      const server = new WebSocketServer()
      server.route('/', {
        onUpgrade: ({ raw }) => { console.log('raw ' + (raw !== undefined)); return accept() },
        onOpen: (socket) => console.log('server ' + way(socket)),
        onMessage: (_, message) => message,
      })
      const shared = http.createServer()
      server.attach(shared)
      await once(shared.listen(0, '127.0.0.1'), 'listening')
      const { port } = await server.listen(0, '127.0.0.1')
      for (const at of [port, shared.address().port]) {
        const socket = await connect('ws://127.0.0.1:' + at + '/')
        console.log('client ' + way(socket))
        for (const message of ['small', 'x'.repeat(900_000)]) {
          socket.send(message)
          console.log(await socket.receive() === message)
        }
        console.log((await socket.close()).wasClean)
      }
      await server.close()
      shared.close()
    `.replace('WebSocketServer, connect', 'WebSocketServer, accept, connect'),
      )
      const { status, errors, lines } = await ended
      expect({ status, errors }).toEqual({ status: 0, errors: '' })
      expect(lines[0]).toBe('kit null')
      const one = ['client StreamTransport', 'server StreamTransport', 'true', 'true', 'true']
      expect(lines.slice(1).sort()).toEqual([...one, ...one, 'raw false', 'raw true'].sort())
    },
    60_000,
  )
})

it('a Node that does not write several pieces in one call copies a large message behind its header', async () => {
  const { ended } = programs.run(`${START}
    net.Socket.prototype._writev = null
    console.log('writev ' + handleKit().hasWritev)
    const server = new WebSocketServer({ perMessageDeflate: false })
    server.route('/', { onMessage: (socket, message) => { console.log('server ' + way(socket)); return message } })
    const { port } = await server.listen(0, '127.0.0.1')
    const socket = await connect('ws://127.0.0.1:' + port + '/')
    for (const size of [16_384, 100_000, 900_000]) {
      const message = Buffer.alloc(size, size % 251)
      socket.send(message)
      console.log(message.equals(await socket.receive()))
    }
    await socket.close()
    await server.close()
  `)
  const { status, errors, lines } = await ended
  expect({ status, errors }).toEqual({ status: 0, errors: '' })
  const echoed = ['server HandleTransport', 'true']
  expect(lines).toEqual(['writev false', ...echoed, ...echoed, ...echoed])
}, 60_000)

describe.each([true, false])('2,000 connections without a listener, directIo %p', (directIo) => {
  it.each(['listen', 'attach'])(
    'leave no handle and no memory when they are opened and reset at %s',
    async (port) => {
      const { ended } = programs.run(
        `${START}
      const server = new WebSocketServer({ directIo: ${String(directIo)}, heartbeatIntervalMs: false })
      const ways = new Set()
      server.route('/', { onOpen: (socket) => { ways.add(way(socket)) } })
      const shared = http.createServer()
      server.attach(shared)
      let at
      if ('${port}' === 'listen') at = (await server.listen(0, '127.0.0.1')).port
      else { await once(shared.listen(0, '127.0.0.1'), 'listening'); at = shared.address().port }
      const head = 'GET / HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n'
      const one = async (i) => {
        const socket = net.connect(at, '127.0.0.1')
        socket.on('error', () => undefined)
        socket.write(head)
        await once(socket, 'data')
        // The half of a frame's header, or nothing.
        if (i % 2 === 0) socket.write(Buffer.of(0x81))
        socket.resetAndDestroy()
        await new Promise((resolve) => socket.closed ? resolve() : socket.once('close', resolve))
      }
      const churn = async (count) => {
        for (let i = 0; i < count; i += 20) await Promise.all(Array.from({ length: 20 }, (_, j) => one(j)))
        await until(() => server.connectionCount === 0)
      }
      const used = async () => {
        for (let i = 0; i < 4; i++) { await new Promise((resolve) => setTimeout(resolve, 10)); gc() }
        const { heapUsed, external } = process.memoryUsage()
        return heapUsed + external
      }
      const handles = () => process.getActiveResourcesInfo().filter((name) => /TCPSocket|WriteWrap|Shutdown/.test(name))
      await churn(400)
      const before = await used()
      await churn(2_000)
      const grown = await used() - before
      await until(() => handles().length === 0)
      console.log([...ways].join())
      console.log(grown < 2_000 * 512 ? 'flat' : 'grown by ' + grown)
      if (shared.listening) console.log('connections ' + await new Promise((resolve) => shared.getConnections((_, n) => resolve(n))))
      await server.close()
      if (shared.listening) await new Promise((resolve) => shared.close(resolve))
      console.log('closed')
    `,
        ['--expose-gc'],
      )
      const { status, errors, lines } = await ended
      expect({ status, errors }).toEqual({ status: 0, errors: '' })
      const way = directIo && isNativeOn ? 'HandleTransport' : 'StreamTransport'
      expect(lines).toEqual([way, 'flat', ...(port === 'attach' ? ['connections 0'] : []), 'closed'])
    },
    120_000,
  )
})
