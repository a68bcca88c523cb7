/** How a WebSocket and a WebSocketStream connect: the options of `connect` that a browser has no place for. */
import { Agent, type ClientRequestArgs } from 'node:http'
import { connect as connectTcp, type LookupFunction } from 'node:net'
import type { Duplex } from 'node:stream'
import { HandshakeError, reject } from '../../src/index.js'
import { WebSocket, WebSocketStream, type WebSocketInit } from '../../src/whatwg/index.js'
import { ConnectProxy } from '../helpers/connect-proxy.js'
import { serve, stopServing } from '../helpers/serving.js'
import { next } from './wpt/world.js'

const proxies: ConnectProxy[] = []
afterEach(() => {
  stopServing()
  for (const proxy of proxies.splice(0)) proxy.close()
})

type Options = Omit<WebSocketInit, 'protocols'>

/** Opens a connection, sends a message, and gives what is received. */
const CLASSES: [string, (url: string, options: Options) => Promise<unknown>][] = [
  [
    'WebSocket',
    async (url, options) => {
      const socket = new WebSocket(url, options)
      socket.onopen = () => {
        socket.send('hello')
      }
      const first = await new Promise<unknown>((resolve, reject) => {
        socket.onmessage = ({ data }) => {
          resolve(data)
        }
        socket.onerror = ({ error }) => {
          reject(error ?? new Error('no error'))
        }
      })
      if (socket.url !== url) throw new Error(`url is ${socket.url}`)
      socket.close()
      await next(socket, 'close')
      return first
    },
  ],
  [
    'WebSocketStream',
    async (url, options) => {
      const stream = new WebSocketStream(url, options)
      const { readable, writable } = await stream.opened.catch((error: unknown) => {
        throw (error as Error).cause as Error
      })
      await writable.getWriter().write('hello')
      const { value } = await readable.getReader().read()
      if (stream.url !== url) throw new Error(`url is ${stream.url}`)
      stream.close()
      await stream.closed
      return value
    },
  ],
]

/** A server that echoes, with the address of each client before the message; `/old` leads to it. */
async function echo(): Promise<{ readonly url: string; readonly port: number }> {
  const { url, server } = await serve({
    onMessage: (socket, message) => `${socket.remoteAddress} ${String(message)}`,
  })
  server.route('/old', { onUpgrade: () => reject(302, '', { Location: '/' }) })
  return { url, port: Number(new URL(url).port) }
}

const ECHO = /^(::ffff:)?127[.]0[.]0[.]1 hello$/

describe.each(CLASSES)('a %s', (name, talk) => {
  it('goes through a proxy', async () => {
    const { port } = await echo()
    const proxy = await ConnectProxy.listen({ upstreamPort: port, upstreamHost: '127.0.0.1' })
    proxies.push(proxy)
    const options: Options = {
      proxy: { url: `http://127.0.0.1:${String(proxy.port)}`, headers: { 'X-Team': 'blue' } },
    }
    expect(await talk('ws://server.test/', options)).toMatch(ECHO)
    expect(proxy.heads).toEqual([
      'CONNECT server.test:80 HTTP/1.1\r\nHost: server.test:80\r\nX-Team: blue\r\n\r\n',
    ])
  })

  it('says why a proxy refused', async () => {
    const proxy = await ConnectProxy.listen({ answer: () => 'HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n' })
    proxies.push(proxy)
    const failing = talk('ws://server.test/', { proxy: `http://127.0.0.1:${String(proxy.port)}` })
    await expect(failing).rejects.toBeInstanceOf(HandshakeError)
    await expect(failing).rejects.toMatchObject({ code: 'HAWSER_PROXY_REFUSED', httpStatus: 407 })
  })

  it('connects by an agent', async () => {
    const { port } = await echo()
    const asked: unknown[] = []
    const agent = new Agent()
    agent.createConnection = ({ host }: ClientRequestArgs): Duplex => {
      asked.push(host)
      return connectTcp(port, '127.0.0.1')
    }
    expect(await talk('ws://server.test/', { agent })).toMatch(ECHO)
    expect(asked).toEqual(['server.test'])
  })

  it('follows redirects, as many as it was told to', async () => {
    const { url } = await echo()
    const old = `${url}old`
    expect(await talk(old, { redirects: 1 })).toMatch(ECHO)
    await expect(talk(old, {})).rejects.toMatchObject({ code: 'HAWSER_UNEXPECTED_STATUS', httpStatus: 302 })
  })

  it('looks the host up as it was told to, in the family that it was told', async () => {
    const { port } = await echo()
    const asked: unknown[] = []
    const lookup: LookupFunction = (host, { family }, done) => {
      asked.push(host, family)
      done(null, '127.0.0.1', 4)
    }
    expect(await talk(`ws://server.test:${String(port)}/`, { lookup, family: 4 })).toMatch(ECHO)
    expect(asked).toEqual(['server.test', 4])
  })

  it('connects from the address that it was told', async () => {
    const { port } = await echo()
    expect(await talk(`ws://127.0.0.1:${String(port)}/`, { localAddress: '127.0.0.2' })).toMatch(
      /127[.]0[.]0[.]2 hello$/,
    )
  })

  it('throws at once where one of these options is wrong', () => {
    const made = (options: object) => () =>
      name === 'WebSocket'
        ? new WebSocket('ws://127.0.0.1:1/', options)
        : new WebSocketStream('ws://127.0.0.1:1/', options)
    expect(made({ proxy: 'ftp://ada:secret@p' })).toThrow(SyntaxError)
    expect(made({ agent: {} })).toThrow(/agent must be an Agent/)
    expect(made({ agent: new Agent(), proxy: 'env' })).toThrow(/agent and proxy must not be given both/)
    expect(made({ redirects: 21 })).toThrow(RangeError)
    expect(made({ lookup: 'dns' })).toThrow(/lookup must be a function/)
    expect(made({ localAddress: 'here' })).toThrow(/localAddress must be an IP address/)
    expect(made({ family: 5 })).toThrow(/family must be 0, 4 or 6/)
  })
})

test('a WebSocket refuses the options of ws, which stand in the third place, and ignores anything else there', async () => {
  const { url } = await echo()
  const Loose = WebSocket as unknown as new (...given: unknown[]) => WebSocket
  for (const options of [{ headers: { Authorization: 'Bearer x' } }, {}, []]) {
    expect(() => new Loose(url, [], options)).toThrow(TypeError)
    expect(() => new Loose(url, [], options)).toThrow('options stand in the place of protocols')
  }
  for (const other of [undefined, null, 'stray', 5]) {
    const socket = new Loose(url, [], other)
    await next(socket, 'open')
    socket.close()
    await next(socket, 'close')
  }
})
