import * as http from 'node:http'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { endpointsOf, show, thrown, closeOf, errorOf, upgrade, portOf, type Loose } from './endpoints.js'
import { IMPLEMENTATIONS } from './implementations.js'

describe.each(IMPLEMENTATIONS)('The server that the documentation of ws describes, of %s', (_name, api) => {
  const { WebSocket, WebSocketServer } = api as Loose
  const { withServer, pair } = endpointsOf(api)

  it('new Server: exactly one of port, server and noServer is needed', async () => {
    const run = async () =>
      [[undefined], [{}], [{ port: 0, server: http.createServer() }], [{ port: 0, noServer: true }]].map(
        (a) => thrown(() => new WebSocketServer(...a)),
      )
    expect(await run()).toEqual([
      'TypeError: One and only one of the "port", "server", or "noServer" options must be specified',
      'TypeError: One and only one of the "port", "server", or "noServer" options must be specified',
      'TypeError: One and only one of the "port", "server", or "noServer" options must be specified',
      'TypeError: One and only one of the "port", "server", or "noServer" options must be specified',
    ])
  })

  it('new Server: the callback is a listener of listening', async () => {
    const run = () =>
      new Promise<Loose>((r) => {
        const server = new WebSocketServer({ port: 0 }, () => {
          const { port, family } = server.address()
          server.close()
          r([port > 0, family])
        })
      })
    expect(await run()).toEqual([true, 'IPv6'])
  })

  it('server.address: throws without a server of its own', async () => {
    const run = async () => {
      const server = new WebSocketServer({ noServer: true })
      return thrown(() => server.address())
    }
    expect(await run()).toEqual('Error: The server is operating in "noServer" mode')
  })

  it('server.clients: a Set of the connections, or undefined', async () => {
    const run = () =>
      pair({}, {}, [], async ({ server, peer, ws }) => {
        const events: Loose[] = [server.clients instanceof Set, server.clients.has(peer), server.clients.size]
        ws.close()
        await once(peer, 'close')
        events.push(
          server.clients.size,
          new WebSocketServer({ noServer: true, clientTracking: false }).clients,
        )
        return events
      })
    expect(await run()).toEqual([true, true, 1, 0, undefined])
  })

  it('server.close: leaves connections alone, and calls back after their end', async () => {
    const run = () =>
      pair({}, {}, [], async ({ server, ws, peer }) => {
        const events: Loose[] = []
        server.close(() => events.push('callback'))
        server.on('close', () => events.push('close'))
        await sleep(20)
        events.push(peer.readyState)
        ws.close()
        await once(peer, 'close')
        await sleep(20)
        events.push(await new Promise<Loose>((r) => server.close((e: Loose) => r(show(e)))))
        return events
      })
    expect(await run()).toEqual([
      1,
      'callback',
      'close',
      'close',
      'Error: The server is not running',
      'close',
    ])
  })

  it('server.close: an http server of others goes on, and upgrades are refused with 503', async () => {
    const run = async () => {
      const h = http.createServer((_request, server) => server.end('ok'))
      const server = new WebSocketServer({ server: h })
      h.listen(0)
      await once(h, 'listening')
      server.close()
      const url = `ws://127.0.0.1:${portOf(h)}`
      const n = h.listenerCount('upgrade')
      const r = await upgrade(url, { Upgrade: 'none' })
      const s2 = new WebSocketServer({ noServer: true })
      s2.close()
      h.on('upgrade', (request, c, hd) => s2.handleUpgrade(request, c, hd, () => {}))
      const r2 = await upgrade(url, {})
      h.close()
      return [n, r, r2[0], h.listening]
    }
    expect(await run()).toEqual([0, [200, 'ok'], 503, false])
  })

  it('server options path: another path gets 400', async () => {
    const run = () =>
      withServer({ path: '/a' }, async (server, url) => [
        (await upgrade(url, {}, '/b'))[0],
        (await upgrade(url, {}, '/a?x'))[0],
        server.path === undefined,
      ])
    expect(await run()).toEqual([400, 101, true])
  })

  it('server.shouldHandle: may be replaced', async () => {
    const run = () =>
      withServer({}, async (server, url) => {
        server.shouldHandle = (request: Loose) => request.url === '/yes'
        return [(await upgrade(url, {}, '/no'))[0], (await upgrade(url, {}, '/yes'))[0]]
      })
    expect(await run()).toEqual([400, 101])
  })

  it('server: refuses what is not an upgrade, with a text', async () => {
    const run = () =>
      withServer({}, async (_server, url) => [
        await upgrade(url, { Upgrade: 'foo' }),
        await upgrade(url, { 'Sec-WebSocket-Version': 12 }),
        await upgrade(url, { 'Sec-WebSocket-Key': 'short' }),
        await upgrade(url, {}, '/', 'POST'),
        await upgrade(url, { 'Sec-WebSocket-Extensions': 'permessage-deflate; server_max_window_bits=foo' }),
        await upgrade(url, { 'Sec-WebSocket-Protocol': 'a,a' }),
      ])
    expect(await run()).toEqual([
      [400, 'Invalid Upgrade header'],
      [400, 'Missing or invalid Sec-WebSocket-Version header'],
      [400, 'Missing or invalid Sec-WebSocket-Key header'],
      [405, 'Invalid HTTP method'],
      [101],
      [400, 'Invalid Sec-WebSocket-Protocol header'],
    ])
  })

  it('server: a request that is no upgrade gets 426', async () => {
    const run = () =>
      withServer({}, async (_server, url) => {
        const r = await fetch(url.replace('ws', 'http'))
        return [r.status, await r.text()]
      })
    expect(await run()).toEqual([426, 'Upgrade Required'])
  })

  it("server event 'wsClientError': the application may answer itself", async () => {
    const run = () =>
      withServer({}, async (server, url) => {
        const events: Loose[] = []
        server.on('wsClientError', (e: Loose, c: Loose, request: Loose) => {
          events.push(e.message, request.url)
          c.end('HTTP/1.1 418 I\r\nConnection: close\r\n\r\n')
        })
        events.push((await upgrade(url, { 'Sec-WebSocket-Key': 'x' }, '/p'))[0])
        return events
      })
    expect(await run()).toEqual(['Missing or invalid Sec-WebSocket-Key header', '/p', 418])
  })

  it("server event 'headers': the list may be added to", async () => {
    const run = () =>
      withServer({}, async (server, url) => {
        server.on('headers', (h: Loose, request: Loose) => h.push(`X-A: ${request.url}`))
        const ws = new WebSocket(`${url}/p`)
        const [res] = await once(ws, 'upgrade')
        ws.terminate()
        return [res.headers['x-a']]
      })
    expect(await run()).toEqual(['/p'])
  })

  it("server event 'error': the port is in use", async () => {
    const run = () =>
      withServer({}, async (server) => {
        const t = new WebSocketServer({ port: portOf(server) })
        const [e] = await once(t, 'error')
        return [e.code]
      })
    expect(await run()).toEqual(['EADDRINUSE'])
  })

  it('server options verifyClient: false gives 401', async () => {
    const run = () =>
      withServer({ verifyClient: (i: Loose) => i.req.url === '/in' }, async (_server, url) => [
        (await upgrade(url, {}, '/out'))[0],
        (await upgrade(url, {}, '/in'))[0],
      ])
    expect(await run()).toEqual([401, 101])
  })

  it('server options verifyClient: gets origin, secure and req; answers by a callback', async () => {
    const run = () => {
      const events: Loose[] = []
      return withServer(
        {
          verifyClient: (i: Loose, cb: Loose) => {
            events.push(i.origin, i.secure, i.req.url)
            setImmediate(() => cb(false, 403, 'No', { 'X-Why': 'so' }))
          },
        },
        async (_server, url) => {
          const ws = new WebSocket(url, { origin: 'http://o' })
          const [, res] = await once(ws, 'unexpected-response')
          events.push(res.statusCode, res.headers['x-why'])
          ws.on('error', () => {})
          ws.terminate()
          return events
        },
      )
    }
    expect(await run()).toEqual(['http://o', false, '/', 403, 'so'])
  })

  it('server options handleProtocols: the first by default, else as the function says', async () => {
    const run = async () => {
      const events: Loose[] = []
      for (const hp of [undefined, (p: Loose, _request: Loose) => [...p].pop(), () => false])
        events.push(
          await withServer({ ...(hp && { handleProtocols: hp }) }, async (server, url) => {
            const ws = new WebSocket(url, ['a', 'b'])
            const e: Loose[] = []
            ws.on('error', (x: Loose) => e.push(show(x)))
            const [p] = await once(server, 'connection')
            await sleep(20)
            const r = [ws.protocol, p.protocol, e, ws.readyState]
            ws.terminate()
            return r
          }),
        )
      return events
    }
    expect(await run()).toEqual([
      ['a', 'a', [], 1],
      ['b', 'b', [], 1],
      ['', '', ['Error: Server sent no subprotocol'], 3],
    ])
  })

  it('server options WebSocket: connections are of that class', async () => {
    const run = () => {
      class Own extends WebSocket {
        readonly foo = 'foo'
      }
      return withServer({ WebSocket: Own }, async (server, url) => {
        const ws = new WebSocket(url)
        const [p] = await once(server, 'connection')
        await once(ws, 'open')
        ws.terminate()
        return [p.foo, p instanceof Own]
      })
    }
    expect(await run()).toEqual(['foo', true])
  })

  it('server options maxPayload: the peer gets 1009, and the server an error', async () => {
    const run = () =>
      pair({ maxPayload: 10 }, {}, [], async ({ ws, peer }) => {
        const e = errorOf(peer)
        const c = closeOf(ws)
        const pc = closeOf(peer)
        ws.send(Buffer.alloc(11))
        return [await e, await c, await pc]
      })
    expect(await run()).toEqual([
      'RangeError WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: Max payload size exceeded',
      [1009, ''],
      [1006, ''],
    ])
  })

  it('server options autoPong false: pings are not answered', async () => {
    const run = () =>
      pair({ autoPong: false }, {}, [], async ({ ws, peer }) => {
        const events: Loose[] = []
        ws.on('pong', () => events.push('pong'))
        peer.on('ping', (d: Loose) => events.push(`ping ${d}`))
        ws.ping('x')
        await sleep(30)
        return events
      })
    expect(await run()).toEqual(['ping x'])
  })

  it('server options skipUTF8Validation', async () => {
    const run = () =>
      pair({ skipUTF8Validation: true }, {}, [], async ({ ws, peer }) => {
        const m = once(peer, 'message')
        ws.send(Buffer.from([0xff]), { binary: false })
        const [d, b] = await m
        return [d.toString('hex'), b]
      })
    expect(await run()).toEqual(['ff', false])
  })

  it('server options maxFragments: 1008', async () => {
    const run = () =>
      pair({ maxFragments: 2 }, {}, [], async ({ ws, peer }) => {
        const e = errorOf(peer)
        const c = closeOf(ws)
        for (const fin of [false, false, true]) ws.send('a', { fin })
        return [await e, await c]
      })
    expect(await run()).toEqual([
      'RangeError WS_ERR_TOO_MANY_BUFFERED_PARTS: Too many message fragments',
      [1008, ''],
    ])
  })

  it('server.handleUpgrade: the callback gets socket and request; nothing is emitted', async () => {
    const run = async () => {
      const events: Loose[] = []
      const server = new WebSocketServer({ noServer: true })
      server.on('connection', () => events.push('connection'))
      const h = http.createServer()
      h.on('upgrade', (request, c, hd) =>
        server.handleUpgrade(request, c, hd, (w: Loose, r: Loose) => {
          events.push(r === request, w instanceof WebSocket, w.readyState)
          w.send('hi')
        }),
      )
      h.listen(0)
      await once(h, 'listening')
      const ws = new WebSocket(`ws://127.0.0.1:${portOf(h)}`)
      const [d] = await once(ws, 'message')
      events.push(String(d))
      ws.terminate()
      h.close()
      return events
    }
    expect(await run()).toEqual([true, true, 1, 'hi'])
  })

  it('server.handleUpgrade: twice with one socket throws', async () => {
    const run = async () => {
      const events: Loose[] = []
      const server = new WebSocketServer({ noServer: true })
      const h = http.createServer()
      h.on('upgrade', (request, c, hd) => {
        server.handleUpgrade(request, c, hd, () => {})
        events.push(thrown(() => server.handleUpgrade(request, c, hd, () => {})))
      })
      h.listen(0)
      await once(h, 'listening')
      const ws = new WebSocket(`ws://127.0.0.1:${portOf(h)}`)
      await once(ws, 'open')
      ws.terminate()
      h.close()
      return events
    }
    expect(await run()).toEqual([
      'Error: server.handleUpgrade() was called more than once with the same socket, possibly due to a misconfiguration',
    ])
  })
})
