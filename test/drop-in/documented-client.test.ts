import * as http from 'node:http'
import * as net from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { HAS_UNIX_SOCKETS } from '../helpers/systems.js'
import { endpointsOf, show, thrown, closeOf, rawServer, switching, portOf, type Loose } from './endpoints.js'
import { IMPLEMENTATIONS } from './implementations.js'

describe.each(IMPLEMENTATIONS)('The client that the documentation of ws describes, of %s', (_name, api) => {
  const { WebSocket, WebSocketServer } = api as Loose
  const { withServer, pair, clientError } = endpointsOf(api)

  it('new WebSocket: addresses that are wrong throw', async () => {
    const run = async () =>
      ['', 'foo', 'ftp://a', 'ws://a#b', 'ws+unix:'].map((a) => thrown(() => new WebSocket(a)))
    expect(await run()).toEqual([
      'SyntaxError: Invalid URL: ',
      'SyntaxError: Invalid URL: foo',
      'SyntaxError: The URL\'s protocol must be one of "ws:", "wss:", "http:", "https:", or "ws+unix:"',
      'SyntaxError: The URL contains a fragment identifier',
      "SyntaxError: The URL's pathname is empty",
    ])
  })

  it('new WebSocket: http and https are taken for ws and wss', async () => {
    const run = async () =>
      ['http://localhost:1', 'https://localhost:1'].map((a) => {
        const w = new WebSocket(a)
        w.on('error', () => {})
        w.terminate()
        return w.url
      })
    expect(await run()).toEqual(['ws://localhost:1/', 'wss://localhost:1/'])
  })

  it('new WebSocket: subprotocols that are wrong throw', async () => {
    const run = async () =>
      [['a', 'a'], ['a b'], [''], [5]].map((p) => thrown(() => new WebSocket('ws://localhost:1', p)))
    expect(await run()).toEqual([
      'SyntaxError: An invalid or duplicated subprotocol was specified',
      'SyntaxError: An invalid or duplicated subprotocol was specified',
      'SyntaxError: An invalid or duplicated subprotocol was specified',
      'SyntaxError: An invalid or duplicated subprotocol was specified',
    ])
  })

  it('new WebSocket: protocolVersion that is wrong throws', async () => {
    const run = async () => [thrown(() => new WebSocket('ws://localhost:1', { protocolVersion: 1000 }))]
    expect(await run()).toEqual([
      'RangeError: Unsupported protocol version: 1000 (supported versions: 8, 13)',
    ])
  })

  it('new WebSocket: sends headers, origin and protocols', async () => {
    const run = () =>
      pair(
        {},
        { headers: { 'X-A': 'b' }, origin: 'https://o', protocolVersion: 8 },
        ['a', 'b'],
        async ({ req }) => [
          req.headers['x-a'],
          req.headers['sec-websocket-origin'],
          req.headers.origin,
          req.headers['sec-websocket-protocol'],
          req.headers['sec-websocket-version'],
          req.headers['sec-websocket-extensions'],
          req.headers.connection,
          req.headers.upgrade,
        ],
        '/p?q',
      )
    expect(await run()).toEqual([
      'b',
      'https://o',
      undefined,
      'a,b',
      '8',
      'permessage-deflate; client_max_window_bits',
      'Upgrade',
      'websocket',
    ])
  })

  it('new WebSocket: credentials of the URL', async () => {
    const run = () =>
      withServer({}, async (server, url) => {
        const ws = new WebSocket(url.replace('ws://', 'ws://a:b@'))
        const [, request] = await once(server, 'connection')
        await once(ws, 'open')
        ws.terminate()
        return [request.headers.authorization]
      })
    expect(await run()).toEqual(['Basic YTpi'])
  })

  it('events of a client: upgrade, open, in this order', async () => {
    const run = () =>
      withServer({}, async (_server, url) => {
        const ws = new WebSocket(url)
        const events: Loose[] = []
        ws.on('upgrade', (r: Loose) => events.push(`upgrade ${r.statusCode}${ws.readyState}`))
        ws.on('open', () => events.push(`open ${ws.readyState}`))
        await once(ws, 'open')
        ws.terminate()
        return events
      })
    expect(await run()).toEqual(['upgrade 1010', 'open 1'])
  })

  it('messages of a server that come with the 101 are emitted after open', async () => {
    const run = () =>
      withServer({}, async (server, url) => {
        server.on('connection', (c: Loose) => c.send('early'))
        const ws = new WebSocket(url)
        const events: Loose[] = []
        ws.on('open', () => events.push('open'))
        ws.on('message', (d: Loose) => events.push(String(d)))
        await once(ws, 'message')
        ws.terminate()
        return events
      })
    expect(await run()).toEqual(['open', 'early'])
  })

  it('options handshakeTimeout', async () => {
    const run = () =>
      rawServer(
        () => null,
        (url) => clientError(url, { handshakeTimeout: 30 }),
      )
    expect(await run()).toEqual(['Error: Opening handshake has timed out', [1006, ''], 3])
  })

  it('a status that is not 101 is an error', async () => {
    const run = async () => {
      const h = http.createServer((_request, r) => {
        r.statusCode = 401
        r.end()
      })
      h.listen(0)
      await once(h, 'listening')
      const r = await clientError(`ws://127.0.0.1:${portOf(h)}`)
      h.close()
      return r
    }
    expect(await run()).toEqual(['Error: Unexpected server response: 401', [1006, ''], 3])
  })

  it("event 'unexpected-response' takes its place", async () => {
    const run = async () => {
      const h = http.createServer((_request, r) => {
        r.statusCode = 401
        r.end('no')
      })
      h.listen(0)
      await once(h, 'listening')
      const ws = new WebSocket(`ws://127.0.0.1:${portOf(h)}`)
      const events: Loose[] = []
      ws.on('error', (e: Loose) => events.push(show(e)))
      const [req, res] = await once(ws, 'unexpected-response')
      let b = ''
      for await (const c of res) b += String(c)
      events.push(res.statusCode, b, ws.readyState, typeof req.end)
      const c = closeOf(ws)
      ws.close()
      events.push(await c)
      h.close()
      return events
    }
    expect(await run()).toEqual([
      401,
      'no',
      0,
      'function',
      'Error: WebSocket was closed before the connection was established',
      [1006, ''],
    ])
  })

  it('answers that are wrong are errors', async () => {
    const run = async () => {
      const events: Loose[] = []
      for (const a of [
        () => 'HTTP/1.1 101 S\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n',
        () => switching('x'),
        (k: Loose) => switching(k, 'Sec-WebSocket-Protocol: z\r\n'),
        (k: Loose) => switching(k, 'Sec-WebSocket-Extensions: foo\r\n'),
        (k: Loose) => switching(k, 'Sec-WebSocket-Extensions: permessage-deflate; x=y\r\n'),
        (k: Loose) =>
          switching(k, 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=7\r\n'),
      ])
        events.push(await rawServer(a, (url) => clientError(url)))
      events.push(
        await rawServer(
          (k) => switching(k),
          (url) => clientError(url, {}, ['a']),
        ),
      )
      events.push(
        await rawServer(
          (k) => switching(k, 'Sec-WebSocket-Extensions: permessage-deflate\r\n'),
          (url) => clientError(url, { perMessageDeflate: false }),
        ),
      )
      return events
    }
    expect(await run()).toEqual([
      ['Error: Invalid Upgrade header', [1006, ''], 3],
      ['Error: Invalid Sec-WebSocket-Accept header', [1006, ''], 3],
      ['Error: Server sent a subprotocol but none was requested', [1006, ''], 3],
      ['Error: Server indicated an extension that was not requested', [1006, ''], 3],
      ['Error: Invalid Sec-WebSocket-Extensions header', [1006, ''], 3],
      ['Error: Invalid Sec-WebSocket-Extensions header', [1006, ''], 3],
      ['Error: Server sent no subprotocol', [1006, ''], 3],
      ['Error: Server sent a Sec-WebSocket-Extensions header but no extension was requested', [1006, ''], 3],
    ])
  })

  it('the connection ends before the answer', async () => {
    const run = () =>
      rawServer(
        (_a, c) => {
          c.end()
        },
        (url) => clientError(url),
      )
    expect(await run()).toEqual(['Error ECONNRESET: socket hang up', [1006, ''], 3])
  })

  it('options followRedirects and event redirect', async () => {
    const run = () =>
      withServer({}, async (server, url) => {
        const h = http.createServer()
        h.on('upgrade', (_request, c) =>
          c.end(`HTTP/1.1 302 Found\r\nLocation: ${url}/to\r\nConnection: close\r\n\r\n`),
        )
        h.listen(0)
        await once(h, 'listening')
        const from = `ws://127.0.0.1:${portOf(h)}`
        const ws = new WebSocket(from, { followRedirects: true })
        const events: Loose[] = []
        ws.on('redirect', (t: Loose, r: Loose) => events.push(t === `${url}/to`, typeof r.end))
        const [, request] = await once(server, 'connection')
        await once(ws, 'open')
        events.push(request.url, ws.url === `${url}/to`)
        ws.terminate()
        events.push(
          (await clientError(from))[0],
          (await clientError(from, { followRedirects: true, maxRedirects: 0 }))[0],
        )
        h.close()
        return events
      })
    expect(await run()).toEqual([
      true,
      'function',
      '/to',
      true,
      'Error: Unexpected server response: 302',
      'Error: Maximum redirects exceeded',
    ])
  })

  it('options finishRequest', async () => {
    const run = () =>
      withServer({}, async (server, url) => {
        const ws = new WebSocket(url, {
          finishRequest: (r: Loose, w: Loose) => {
            r.setHeader('X-B', String(w instanceof WebSocket))
            setTimeout(() => r.end(), 1)
          },
        })
        const [, request] = await once(server, 'connection')
        await once(ws, 'open')
        ws.terminate()
        return [request.headers['x-b']]
      })
    expect(await run()).toEqual(['true'])
  })

  it('options agent and createConnection are used', async () => {
    const run = () =>
      withServer({}, async (_server, url) => {
        const events: Loose[] = []
        const ws = new WebSocket(url, {
          createConnection: (o: Loose) => {
            events.push('createConnection')
            return net.connect(o)
          },
        })
        await once(ws, 'open')
        ws.terminate()
        class A extends (http.Agent as Loose) {
          addRequest(...a: Loose[]) {
            events.push('agent')
            return super.addRequest(...a)
          }
        }
        const w2 = new WebSocket(url, { agent: new A() })
        await once(w2, 'open')
        w2.terminate()
        return events
      })
    expect(await run()).toEqual(['createConnection', 'agent'])
  })

  if (HAS_UNIX_SOCKETS)
    it('ws+unix', async () => {
      const run = async () => {
        const p = path.join(tmpdir(), `hw-e2-${process.pid}-${Math.random()}.sock`)
        const h = http.createServer()
        const server = new WebSocketServer({ server: h })
        h.listen(p)
        await once(h, 'listening')
        const ws = new WebSocket(`ws+unix:${p}:/foo?bar`)
        const [, request] = await once(server, 'connection')
        await once(ws, 'open')
        ws.terminate()
        h.close()
        return [request.url, request.headers.host]
      }
      expect(await run()).toEqual(['/foo?bar', 'localhost'])
    })
})
