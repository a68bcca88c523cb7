/** The server's side of the opening handshake over real sockets (RFC 6455 section 4.2). */
import { createServer } from 'node:http'
import { once } from 'node:events'
import { connect as connectTcp, type AddressInfo } from 'node:net'
import {
  accept,
  connect,
  HandshakeError,
  reject,
  type ServerOptions,
  type ServerService,
  type UpgradeInfo,
} from '../../src/index.js'
import { frame, KEY, OP, readFrames } from '../helpers/frame-builder.js'
import { serve, stopServing } from '../helpers/serving.js'

afterEach(stopServing)

const NONCE = 'dGhlIHNhbXBsZSBub25jZQ=='
const FIELDS: readonly (readonly [string, string])[] = [
  ['Host', '127.0.0.1'],
  ['Upgrade', 'websocket'],
  ['Connection', 'Upgrade'],
  ['Sec-WebSocket-Key', NONCE],
  ['Sec-WebSocket-Version', '13'],
]
const request = (fields: readonly (readonly [string, string])[] = FIELDS, line = 'GET / HTTP/1.1'): string =>
  `${[line, ...fields.map(([name, value]) => `${name}: ${value}`)].join('\r\n')}\r\n\r\n`

/** Sends bytes, and reads until the other end is done or as much as is wanted is there. */
async function exchange(
  port: number,
  bytes: string | Buffer,
  enough = (_seen: string): boolean => false,
): Promise<string> {
  const socket = connectTcp(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(bytes)
  let seen = ''
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      seen += chunk.toString('latin1')
      if (enough(seen)) resolve()
    })
    socket.on('close', () => {
      resolve()
    })
  })
  socket.destroy()
  return seen
}

const is101 = (seen: string): boolean => seen.includes('\r\n\r\n')
const statusOf = (response: string): number => Number(response.split(' ')[1])

/** What `connect` fails with. */
async function failure(url: string, options: Parameters<typeof connect>[1] = {}): Promise<HandshakeError> {
  const error: unknown = await connect(url, options).then(
    () => new Error('it connected'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(HandshakeError)
  return error as HandshakeError
}

const bodyOf = (error: HandshakeError): string => Buffer.from(error.response?.body ?? []).toString()

describe('a wrong request', () => {
  test.each<[string, string, number, string]>([
    ['HTTP/1.0', request(FIELDS, 'GET / HTTP/1.0'), 505, 'HTTP/1.1'],
    ['POST', request(FIELDS, 'POST / HTTP/1.1'), 405, 'GET'],
    ['authority form', request(FIELDS, 'GET example.com:80 HTTP/1.1'), 400, ''],
    ['asterisk form', request(FIELDS, 'OPTIONS * HTTP/1.1'), 405, ''],
    ['version 8', request([...FIELDS.slice(0, 4), ['Sec-WebSocket-Version', '8']]), 426, '13'],
    ['no version', request(FIELDS.slice(0, 4)), 426, '13'],
    ['no key', request(FIELDS.filter(([name]) => name !== 'Sec-WebSocket-Key')), 400, 'Sec-WebSocket-Key'],
    ['two keys', request([...FIELDS, ['Sec-WebSocket-Key', NONCE]]), 400, 'Sec-WebSocket-Key'],
    ['no Host', request(FIELDS.slice(1)), 400, ''],
    ['a body', request([...FIELDS, ['Content-Length', '5']]), 400, 'body'],
    ['chunks', request([...FIELDS, ['Transfer-Encoding', 'chunked']]), 400, 'body'],
    [
      'another upgrade',
      request(FIELDS.map(([name, value]) => [name, name === 'Upgrade' ? 'h2c' : value])),
      426,
      'websocket',
    ],
    ['no upgrade at all', request(FIELDS.filter(([name]) => name !== 'Upgrade')), 426, 'websocket'],
    ['malformed subprotocols', request([...FIELDS, ['Sec-WebSocket-Protocol', 'a b']]), 400, 'Protocol'],
    ['malformed extensions', request([...FIELDS, ['Sec-WebSocket-Extensions', 'a; "']]), 400, 'Extensions'],
    ['too large a head', request([...FIELDS, ['X', 'x'.repeat(20_000)]]), 431, ''],
    ['garbage', '\x16\x03\x01\x02\x00garbage\r\n\r\n', 400, ''],
  ])('is refused: %s', async (_, bytes, status, words) => {
    const { port, server } = await serve({})
    const response = await exchange(port, bytes)
    expect(statusOf(response)).toBe(status)
    expect(response).toContain(words)
    expect(response).toMatch(/\r\nConnection: .*close/i)
    if (status === 426) expect(response).toMatch(/\r\nSec-WebSocket-Version: 13\r\n/)
    if (status === 405) expect(response).toMatch(/\r\nAllow: GET\r\n/)
    expect(server.connectionCount).toBe(0)
  })

  test('with 2,000 header fields is refused, and the server goes on (the flaw of ws 8.17.1)', async () => {
    const { port, url } = await serve(
      { onTextMessage: (_, text) => text },
      { limits: { maxHeaderBytes: 1e6 } },
    )
    const many = Array.from({ length: 2000 }, (_, i): [string, string] => [`X-${String(i)}`, 'x'])
    const response = await exchange(port, request([...many, ...FIELDS]))
    expect([400, 426, 431]).toContain(statusOf(response))
    const socket = await connect(url)
    socket.send('alive')
    await expect(socket.receive()).resolves.toBe('alive')
  })

  test('is not one in absolute form, whose path counts', async () => {
    const { port } = await serve({})
    expect(statusOf(await exchange(port, request(FIELDS, 'GET http://other.example/ HTTP/1.1'), is101))).toBe(
      101,
    )
  })

  test('is not one with `Connection: keep-alive, Upgrade`, `upgrade: WebSocket` or several Connection fields', async () => {
    const { port } = await serve({})
    const fields = FIELDS.filter(([name]) => name !== 'Connection' && name !== 'Upgrade')
    for (const more of [
      [
        ['Connection', 'keep-alive, Upgrade'],
        ['upgrade', 'WebSocket'],
      ],
      [
        ['Connection', 'keep-alive'],
        ['Connection', 'upgrade'],
        ['Upgrade', 'WEBSOCKET'],
      ],
    ] as [string, string][][]) {
      expect(statusOf(await exchange(port, request([...fields, ...more]), is101))).toBe(101)
    }
  })

  test('without a route gets 404, and a plain request to a route gets 426', async () => {
    const { url, port } = await serve({})
    await expect(failure(`${url}nowhere`)).resolves.toMatchObject({ httpStatus: 404 })
    expect(bodyOf(await failure(`${url}nowhere`))).toBe(`${new HandshakeError('HAWSER_NOT_FOUND').message}\n`)
    const plain = 'GET /x?y HTTP/1.1\r\nHost: a\r\n\r\n'
    expect(statusOf(await exchange(port, plain))).toBe(404)
    const response = await exchange(port, 'GET /?y HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(statusOf(response)).toBe(426)
    expect(response).toMatch(/\r\nUpgrade: websocket\r\n/i)
  })
})

describe('onUpgrade', () => {
  test("gets the request, its signal and the peer's address", async () => {
    let seen: UpgradeInfo | undefined
    const { url } = await serve({
      onUpgrade: (info) => {
        seen = info
        return accept()
      },
    })
    await connect(`${url}?a=1&a=2`, {
      protocols: ['x', 'y'],
      origin: 'https://a.test',
      headers: { 'X-Test': 'ü' },
    })
    expect(seen).toMatchObject({
      url: '/?a=1&a=2',
      path: '/',
      protocols: ['x', 'y'],
      origin: 'https://a.test',
      remoteAddress: '127.0.0.1',
      secure: false,
      certificate: undefined,
    })
    expect(seen?.query.getAll('a')).toEqual(['1', '2'])
    expect(seen?.headers.get('x-test')).toBe('ü')
    expect(seen?.signal.aborted).toBe(false)
    // On a port of its own nothing but Hawser reads the request.
    expect(seen?.raw).toBeUndefined()
  })

  test.each(['sync', 'async'])('may accept with data, headers and protocol, %s', async (kind) => {
    const decision = accept({ data: { user: 'ann' }, headers: { 'Set-Cookie': 'a=b' }, protocol: 'y' })
    const service: ServerService<{ user: string }> = {
      onUpgrade: () => (kind === 'sync' ? decision : Promise.resolve(decision)),
      onOpen: (socket) => void socket.send(`hello ${socket.data.user}`),
    }
    const { url, port } = await serve(service, { protocols: ['x'] })
    const socket = await connect(url, { protocols: ['x', 'y'] })
    expect(socket.protocol).toBe('y')
    await expect(socket.receive()).resolves.toBe('hello ann')
    const offer: [string, string] = ['Sec-WebSocket-Protocol', 'x, y']
    expect(await exchange(port, request([...FIELDS, offer]), is101)).toContain('\r\nSet-Cookie: a=b\r\n')
  })

  test('may reject with status, body and headers', async () => {
    const { url } = await serve({
      onUpgrade: () => reject(401, 'who are you', new Map([['WWW-Authenticate', 'Basic realm="x"']])),
    })
    const error = await failure(url)
    expect(error).toMatchObject({ code: 'HAWSER_UNEXPECTED_STATUS', httpStatus: 401 })
    expect(bodyOf(error)).toBe('who are you')
    expect(error.response?.headers).toContainEqual(['WWW-Authenticate', 'Basic realm="x"'])
    expect(() => reject(200)).toThrow('status must be an integer from 300 to 599, not 200')
  })

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('the database password')
      },
    ],
    ['rejects', () => Promise.reject(new Error('the database password'))],
    ['returns nothing', () => undefined],
    ['returns rubbish, late', () => Promise.resolve({ data: 5 })],
    ['accepts a protocol that the client did not offer', () => accept({ protocol: 'z' })],
    ['accepts with a header that cannot be', () => accept({ headers: { 'X-A': 'a\r\nX-B: b' } })],
    ['rejects with a header of the handshake', () => reject(400, '', { Upgrade: 'x' })],
  ])('that %s gives a 500 without details, and onError gets the error', async (_, onUpgrade) => {
    const errors: Error[] = []
    const options: ServerOptions = { onError: (error) => errors.push(error) }
    const { url, server } = await serve({ onUpgrade } as ServerService, options)
    const error = await failure(url)
    expect(error.httpStatus).toBe(500)
    expect(bodyOf(error)).toBe(`${new HandshakeError('HAWSER_UPGRADE_FAILED').message}\n`)
    expect(errors).toHaveLength(1)
    expect(server.connectionCount).toBe(0)
  })

  test('that never returns gives a 408, and its signal is aborted', async () => {
    let signal: AbortSignal | undefined
    const { url } = await serve(
      {
        onUpgrade: (info) => {
          signal = info.signal
          return new Promise<never>(() => undefined)
        },
      },
      { handshakeTimeoutMs: 30 },
    )
    await expect(failure(url)).resolves.toMatchObject({ httpStatus: 408 })
    expect(bodyOf(await failure(url))).toBe(`${new HandshakeError('HAWSER_HANDSHAKE_TIMEOUT').message}\n`)
    expect(signal?.aborted).toBe(true)
  })

  test('whose peer resets meanwhile gets an aborted signal, and a late accept opens nothing', async () => {
    let decide = (): void => undefined
    const events: string[] = []
    const asked = new Promise<UpgradeInfo>((resolve) => {
      void serve({
        onUpgrade: (info) => {
          resolve(info)
          return new Promise<ReturnType<typeof accept>>(
            (accepted) =>
              (decide = () => {
                accepted(accept())
              }),
          )
        },
        onOpen: () => void events.push('open'),
      }).then(({ port }) => {
        const socket = connectTcp(port, '127.0.0.1', () => socket.write(request()))
        void asked.then(() => socket.resetAndDestroy())
      })
    })
    const { signal } = await asked
    if (!signal.aborted) await once(signal, 'abort')
    decide()
    await new Promise((resolve) => setImmediate(resolve))
    expect(events).toEqual([])
  })

  test('messages that arrive with the handshake and during onUpgrade are delivered in order', async () => {
    const { port } = await serve({
      onUpgrade: async () => {
        await new Promise((resolve) => setTimeout(resolve, 30))
        return accept()
      },
      onTextMessage: (_, text) => text,
    })
    const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })
    const socket = connectTcp(port, '127.0.0.1')
    const got: Buffer[] = []
    socket.on('data', (chunk: Buffer) => got.push(chunk))
    socket.write(Buffer.concat([Buffer.from(request()), text('one')]))
    setTimeout(() => socket.write(text('two')), 10)
    const replies = (): string[] => {
      const all = Buffer.concat(got)
      const end = all.indexOf('\r\n\r\n')
      return end < 0 ? [] : readFrames(all.subarray(end + 4)).frames.map((one) => one.text)
    }
    while (replies().length < 2) await once(socket, 'data')
    expect(replies()).toEqual(['one', 'two'])
    socket.destroy()
  })

  test('a handshake and messages may arrive byte by byte', async () => {
    const { port } = await serve({})
    const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true })
    for (const byte of request()) {
      socket.write(byte)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    expect(statusOf(chunk.toString())).toBe(101)
    socket.destroy()
  })
})

describe('who may connect', () => {
  test('origins give 403 for any other origin, and for none', async () => {
    const { url } = await serve({}, { origins: ['https://a.test', /^https:\/\/.*\.b\.test$/] })
    for (const origin of ['https://a.test', 'https://x.b.test']) (await connect(url, { origin })).terminate()
    await expect(failure(url, { origin: 'https://evil.test' })).resolves.toMatchObject({ httpStatus: 403 })
    const error = await failure(url)
    expect(error.httpStatus).toBe(403)
    expect(bodyOf(error)).toBe(`${new HandshakeError('HAWSER_FORBIDDEN_ORIGIN').message}\n`)
  })

  test('protocols choose the first that the client lists and the server has, or a function chooses', async () => {
    const list = await serve({}, { protocols: ['b', 'a'] })
    expect((await connect(list.url, { protocols: ['x', 'a', 'b'] })).protocol).toBe('a')
    expect((await connect(list.url, { protocols: ['x'] })).protocol).toBe('')
    expect((await connect(list.url)).protocol).toBe('')
    const chosen = await serve(
      {},
      { protocols: (offered, info) => (info.path === '/' ? offered[1] : undefined) },
    )
    expect((await connect(chosen.url, { protocols: ['x', 'y'] })).protocol).toBe('y')
  })

  test('maxConnections gives 503 above it, and there is room again after one leaves', async () => {
    const { url, server } = await serve({}, { maxConnections: 2 })
    const sockets = [await connect(url), await connect(url)]
    const error = await failure(url)
    expect(error.httpStatus).toBe(503)
    expect(bodyOf(error)).toBe(`${new HandshakeError('HAWSER_TOO_MANY_CONNECTIONS').message}\n`)
    await sockets[0]?.close()
    while (server.connectionCount > 1) await new Promise((resolve) => setImmediate(resolve))
    await connect(url)
  })

  test('maxConnectionsPerAddress no longer counts upgrades that failed', async () => {
    let answer = (): ReturnType<NonNullable<ServerService['onUpgrade']>> => reject(400)
    const { url, server } = await serve({ onUpgrade: () => answer() }, { maxConnectionsPerAddress: 1 })
    for (let i = 0; i < 3; i++) await expect(failure(url)).resolves.toMatchObject({ httpStatus: 400 })
    answer = () => accept()
    const socket = await connect(url)
    await expect(failure(url)).resolves.toMatchObject({ httpStatus: 503 })
    socket.terminate()
    while (server.connectionCount > 0) await new Promise((resolve) => setImmediate(resolve))
    await connect(url)
  })

  test('a server that closes gives 503 to upgrades under way, on each way in', async () => {
    let isUnderWay = false
    const { url, server } = await serve({
      onUpgrade: () => {
        isUnderWay = true
        return new Promise<never>(() => undefined)
      },
    })
    const http = createServer()
    http.on('upgrade', (raw, socket, head: Buffer) => {
      server.handleUpgrade(raw, socket, head, {})
    })
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    const underWay = failure(url)
    while (!isUnderWay) await new Promise((resolve) => setImmediate(resolve))
    await server.close()
    const error = await underWay
    expect(error.httpStatus).toBe(503)
    expect(bodyOf(error)).toBe(`${new HandshakeError('HAWSER_SERVER_CLOSING').message}\n`)
    const { port } = http.address() as AddressInfo
    await expect(failure(`ws://127.0.0.1:${String(port)}/`)).resolves.toMatchObject({ httpStatus: 503 })
    http.close()
  })
})

describe('wrong options throw at construction, with name, value and range', () => {
  test.each<[object, string | RegExp]>([
    [
      { limits: { maxMessageBytes: '1' } },
      'limits.maxMessageBytes must be an integer from 0 to Infinity, not "1"',
    ],
    [{ idleTimeoutMs: NaN }, 'idleTimeoutMs must be a number from 0 to Infinity, not NaN'],
    [{ maxConnections: 0 }, 'maxConnections must be an integer from 1 to Infinity, not 0'],
    [
      { maxConnectionsPerAddress: 1.5 },
      'maxConnectionsPerAddress must be an integer from 1 to Infinity, not 1.5',
    ],
    [{ origins: '*' }, 'origins must be an array, not "*"'],
    [{ protocols: ['a', ''] }, /protocols/],
    [{ perMessageDeflate: 'yes' }, /perMessageDeflate/],
    [{ slowConsumer: true }, `slowConsumer must be 'close', 'drop' or 'buffer', not true`],
    [{ autoPong: 'no' }, 'autoPong must be true or false, not "no"'],
    [{ onError: 5 }, 'onError must be a function, not 5'],
    [{ tls: 'cert.pem' }, 'tls must be an object of node:tls options, not "cert.pem"'],
    [{ port: 8080 }, /^ServerOptions has no option "port"; there are /],
  ])('%j', async (options, message) => {
    await expect(serve({}, options as ServerOptions)).rejects.toThrow(message)
  })
})
