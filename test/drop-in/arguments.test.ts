/** Arguments and options as programs in JavaScript give them: each case over `ws` and over the drop-in. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import * as http from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { endpointsOf, errorOf, rawServer, show, switching, thrown, upgrade, type Loose } from './endpoints.js'
import { IMPLEMENTATIONS } from './implementations.js'

const certificate = (name: string): Buffer =>
  readFileSync(path.join(__dirname, '../helpers/certificates', name))

/** The next messages and pings of a connection, until a message 'end'. */
const untilEnd = (socket: Loose): Promise<unknown[]> =>
  new Promise((resolve) => {
    const events: unknown[] = []
    socket.on('ping', (data: Buffer) => events.push(['ping', String(data)]))
    socket.on('pong', (data: Buffer) => events.push(['pong', String(data)]))
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      if (String(data) === 'end') resolve(events)
      else events.push([String(data), isBinary])
    })
  })

describe.each(IMPLEMENTATIONS)('Arguments of %s', (_name, api) => {
  const { WebSocket, WebSocketServer } = api as Loose
  const { withServer, pair, clientError } = endpointsOf(api)

  /** The headers of the request that a client sends. */
  const requestOf = async (make: (url: string) => Loose): Promise<http.IncomingHttpHeaders> => {
    const server = http.createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const request = once(server, 'upgrade')
    const client = make(`127.0.0.1:${String((server.address() as AddressInfo).port)}`)
    client.on('error', () => undefined)
    const [{ headers }, socket] = (await request) as [http.IncomingMessage, { destroy(): void }]
    // Not by `once`: the error comes before.
    const end = new Promise((resolve) => client.on('close', resolve))
    socket.destroy()
    await end
    server.close()
    return headers
  }

  it.each([
    ['a list, as the second argument', (url: string) => new WebSocket(url, { protocols: ['a', 'b'] }), 'a,b'],
    ['a name, as the second argument', (url: string) => new WebSocket(url, { protocols: 'a' }), 'a'],
    [
      'a name, as the third argument',
      (url: string) => new WebSocket(url, undefined, { protocols: 'a' }),
      'a',
    ],
    ['less than the argument', (url: string) => new WebSocket(url, ['b'], { protocols: 'a' }), 'b'],
  ])('take the option protocols: %s', async (_form, make, expected) => {
    const headers = await requestOf((url) => make(`ws://${url}`))
    expect(headers['sec-websocket-protocol']).toBe(expected)
  })

  it('refuse a wrong name in the option protocols', () => {
    expect(thrown(() => new WebSocket('ws://127.0.0.1', { protocols: 'a b' }))).toBe(
      'SyntaxError: An invalid or duplicated subprotocol was specified',
    )
  })

  it.each([[undefined], [null], [0], [false]])(
    'offer no compression with perMessageDeflate: %s',
    async (perMessageDeflate) => {
      const headers = await requestOf((url) => new WebSocket(`ws://${url}`, { perMessageDeflate }))
      expect(headers['sec-websocket-extensions']).toBeUndefined()
    },
  )

  it('offer no window of the client with clientMaxWindowBits: 0', async () => {
    const perMessageDeflate = { clientMaxWindowBits: 0 }
    const headers = await requestOf((url) => new WebSocket(`ws://${url}`, { perMessageDeflate }))
    expect(headers['sec-websocket-extensions']).toBe('permessage-deflate')
  })

  it('refuse protocolVersion: undefined, which is no version', () => {
    expect(thrown(() => new WebSocket('ws://127.0.0.1', { protocolVersion: undefined }))).toBe(
      'RangeError: Unsupported protocol version: undefined (supported versions: 8, 13)',
    )
  })

  it('send a name and a password that are not well encoded as they are', async () => {
    const { authorization } = await requestOf((url) => new WebSocket(`ws://u%zz:p%@${url}`))
    expect(authorization).toBe(`Basic ${Buffer.from('u%zz:p%').toString('base64')}`)
  })

  it('report a redirect to nowhere as what it is', async () => {
    const answer = 'HTTP/1.1 302 Found\r\nLocation: \r\nContent-Length: 0\r\n\r\n'
    const events = await rawServer(
      () => answer,
      (url) => clientError(url, { followRedirects: true }),
    )
    expect(events).toEqual(['Error: Unexpected server response: 302', [1006, ''], 3])
  })

  it.each(['ftp://example.test/', 'ws://example.test/#part'])(
    'have the url of a redirect to %s, which fails',
    async (target) => {
      const answer = `HTTP/1.1 302 Found\r\nLocation: ${target}\r\nContent-Length: 0\r\n\r\n`
      await rawServer(
        () => answer,
        async (url) => {
          const socket = new WebSocket(url, { followRedirects: true })
          expect(await errorOf(socket)).toMatch(/^SyntaxError: The URL/)
          expect(socket.url).toBe(target)
        },
      )
    },
  )

  it('refuse compression that was not offered, because perMessageDeflate is undefined', async () => {
    const events = await rawServer(
      (accept) => switching(accept, 'Sec-WebSocket-Extensions: permessage-deflate\r\n'),
      (url) => clientError(url, { perMessageDeflate: undefined }),
    )
    expect(events).toEqual([
      'Error: Server sent a Sec-WebSocket-Extensions header but no extension was requested',
      [1006, ''],
      3,
    ])
  })

  it.each([[5], [{}], [new ArrayBuffer(2)], [true]])('take a reason of %p as none', async (reason) => {
    const end = await pair({}, {}, [], async ({ ws, peer }) => {
      const closed = once(peer, 'close')
      ws.close(1000, reason)
      return (await closed).map(String)
    })
    expect(end).toEqual(['1000', ''])
  })

  it('refuse a reason that is neither text nor bytes, and stay open', async () => {
    const errors = await pair({}, {}, [], async ({ ws }) => [
      thrown(() => ws.close(1000, new Uint16Array(2))),
      thrown(() => ws.close(1000, [1, 2])).slice(0, 90),
      ws.readyState,
    ])
    expect(errors).toEqual([
      'TypeError: Second argument must be a string or a Uint8Array',
      'TypeError ERR_INVALID_ARG_TYPE: The "string" argument must be of type string or an instanc',
      1,
    ])
  })

  it('send an empty message for false', async () => {
    const received = await pair({}, {}, [], async ({ ws, peer }) => {
      const events = untilEnd(peer)
      ws.send(false)
      ws.ping(false)
      ws.send('end')
      return events
    })
    expect(received).toEqual([
      ['', true],
      ['ping', ''],
    ])
  })

  it('take null for options and for callbacks', async () => {
    const received = await pair({}, {}, [], async ({ ws, peer }) => {
      const events = untilEnd(peer)
      ws.send('a', null)
      ws.send('b', {}, null)
      ws.send('c', null, null)
      ws.ping('d', true, null)
      ws.pong('e', undefined, null)
      ws.send('end', false)
      const all = await events
      ws.close()
      ws.send('late', {}, null)
      await once(ws, 'close')
      return all
    })
    expect(received).toEqual([
      ['a', false],
      ['b', false],
      ['c', false],
      ['ping', 'd'],
      ['pong', 'e'],
    ])
  })

  it('take an option that is given as undefined for false, and only those of the object itself', async () => {
    const received = await pair({}, {}, [], async ({ ws, peer }) => {
      const events = untilEnd(peer)
      ws.send('frag', { fin: undefined })
      ws.send('ment')
      ws.send('text', Object.create({ binary: true }))
      ws.send('binary', { binary: 1 })
      ws.send('end')
      return events
    })
    expect(received).toEqual([
      ['fragment', false],
      ['text', false],
      ['binary', true],
    ])
  })

  it.each([
    ['ping', false],
    ['pong', 0],
    ['ping', null],
  ])('mask a %s as they say: %s', async (method, mask) => {
    const error = await pair({}, {}, [], ({ ws, peer }) => {
      const broken = once(peer, 'error')
      ws[method]('data', mask)
      return broken
    })
    expect(show(error[0])).toBe('RangeError WS_ERR_EXPECTED_MASK: Invalid WebSocket frame: MASK must be set')
  })

  it('mask every frame with generateMask', async () => {
    let masks = 0
    const generateMask = (mask: Buffer) => {
      masks++
      mask.fill(masks)
    }
    const options = { generateMask, perMessageDeflate: false }
    const received = await pair({ autoPong: false }, options, [], async ({ ws, peer }) => {
      const events = untilEnd(peer)
      ws.send('a')
      ws.ping('b')
      ws.pong(new Blob(['c']))
      ws.send('end')
      const all = await events
      const end = once(peer, 'close')
      ws.close(1000, 'bye')
      return [...all, (await end).map(String)]
    })
    expect(received).toEqual([
      ['a', false],
      ['ping', 'b'],
      ['pong', 'c'],
      ['1000', 'bye'],
    ])
    expect(masks).toBe(5)
  })

  it.each([[undefined], [null], [0]])('answer no pings with autoPong: %s', async (autoPong) => {
    const received = await pair({ autoPong }, {}, [], async ({ ws, peer }) => {
      const events = untilEnd(ws)
      peer.once('ping', () => peer.send('end'))
      ws.ping('x')
      return events
    })
    expect(received).toEqual([])
  })

  it('let a client answer no pings that was made without an address and without autoPong', () => {
    expect(new WebSocket(null, undefined, {})._autoPong ?? false).toBe(false)
    expect(new WebSocket(null, undefined, { autoPong: true })._autoPong).toBe(true)
  })

  it('tell verifyClient that a connection by TLS is secure', async () => {
    const https = createSecureServer({ key: certificate('server-key.pem'), cert: certificate('server.pem') })
    const seen: unknown[] = []
    const server = new WebSocketServer({
      server: https,
      verifyClient: ({ secure, origin }: Loose) => {
        seen.push(secure, origin)
        return true
      },
    })
    https.listen(0, '127.0.0.1')
    await once(https, 'listening')
    const url = `wss://127.0.0.1:${String((https.address() as AddressInfo).port)}`
    const client = new WebSocket(url, { rejectUnauthorized: false, origin: 'here' })
    await once(client, 'open')
    expect(seen).toEqual([true, 'here'])
    const end = once(client, 'close')
    client.terminate()
    await end
    server.close()
    https.close()
  })

  it.each([
    [null, ''],
    [0, null],
    [undefined, undefined],
  ])(
    'answer 401 where verifyClient calls back with the code %s and the message %p',
    async (code, message) => {
      const verifyClient = (_info: unknown, done: (...values: unknown[]) => void) => {
        done(false, code, message)
      }
      const answer = await withServer({ verifyClient }, (_server, url) => upgrade(url, {}))
      expect(answer).toEqual([401, 'Unauthorized'])
    },
  )

  it('take null as a callback of server.close', async () => {
    const server = new WebSocketServer({ noServer: true })
    const end = once(server, 'close')
    server.close(null)
    await end
    const again = once(server, 'close')
    server.close(null)
    await again
    expect(server._state).toBe(2)
  })

  it.each([[-1], [1.5], ['x']])('take the threshold %p', async (threshold) => {
    const received = await pair({ perMessageDeflate: { threshold } }, {}, [], async ({ ws, peer }) => {
      const message = once(ws, 'message')
      peer.send('x'.repeat(2000))
      return [ws.extensions, String((await message)[0]).length]
    })
    expect(received).toEqual(['permessage-deflate', 2000])
  })

  it('give an empty list for an empty message, with binaryType fragments', async () => {
    const received = await pair({}, {}, [], async ({ ws, peer }) => {
      ws.binaryType = 'fragments'
      const message = once(ws, 'message')
      peer.send(Buffer.alloc(0))
      return message
    })
    expect(received).toEqual([[], true])
  })
})
