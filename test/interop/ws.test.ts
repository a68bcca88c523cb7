import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import {
  WebSocket as WsSocket,
  WebSocketServer as WsServer,
  type PerMessageDeflateOptions as WsDeflate,
} from 'ws'
import { connect, WebSocketServer } from '../../src/index.js'
import type { PerMessageDeflateOptions } from '../../src/deflate/options.js'

/** `ws` as the peer, both ways round. */

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const LIMITS = { maxMessageBytes: 32 * 1024 * 1024, maxBufferedOutputBytes: 64 * 1024 * 1024 }

async function hawserEcho(perMessageDeflate: boolean | PerMessageDeflateOptions): Promise<string> {
  const server = new WebSocketServer({ perMessageDeflate, limits: LIMITS, protocols: ['echo'] })
  server.route('/', { onMessage: (_, message) => message })
  const { port } = await server.listen(0, '127.0.0.1')
  cleanups.push(() => server.close({ timeoutMs: 200 }))
  return `ws://127.0.0.1:${String(port)}/`
}

async function wsEcho(perMessageDeflate: boolean | WsDeflate): Promise<string> {
  const server = new WsServer({ port: 0, host: '127.0.0.1', perMessageDeflate })
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => {
      socket.send(data as Buffer, { binary: isBinary })
    })
  })
  await once(server, 'listening')
  cleanups.push(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  return `ws://127.0.0.1:${String((server.address() as AddressInfo).port)}/`
}

/** Text that shrinks, text that does not, every width of character, and sizes on both sides of every threshold. */
const MESSAGES: readonly (string | Buffer)[] = [
  '',
  'hello',
  'κόσμε 😀',
  ...[125, 126, 1023, 1024, 65_535, 65_536, 300_000].map((length) =>
    'json {"a":1} '.repeat(length / 13 + 1).slice(0, length),
  ),
  'hello',
  Buffer.alloc(0),
  Buffer.from([0, 255, 1]),
  Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7919 * (i + 13)) & 0xff)),
  Buffer.alloc(1024 * 1024, 'abc'),
  'and text again, and again, and again, and again, and again, and again, and again, and again',
]

/** Megabytes are compared by their digest: jest's own comparison takes seconds for them. */
const digest = (message: string | Buffer): string =>
  `${typeof message} ${String(message.length)} ${createHash('sha256').update(message).digest('hex')}`

const OPTIONS: readonly [string, PerMessageDeflateOptions | boolean, WsDeflate | boolean][] = [
  ['off', false, false],
  ['defaults', true, { threshold: 0 }],
  ['Hawser off, ws on', false, true],
  [
    'no takeover at all',
    { serverNoContextTakeover: true, clientNoContextTakeover: true },
    { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
  ],
  ['takeover both ways', { clientNoContextTakeover: false }, { threshold: 0 }],
  [
    'windows of 9 and 10',
    { serverMaxWindowBits: 9, clientMaxWindowBits: 10, thresholdBytes: 0 },
    { threshold: 0 },
  ],
  [
    'windows asked by ws',
    { thresholdBytes: 0 },
    { threshold: 0, serverMaxWindowBits: 10, clientMaxWindowBits: 11 },
  ],
  [
    'everything off the loop',
    { asyncThresholdBytes: 0, thresholdBytes: 0, clientNoContextTakeover: false },
    { threshold: 0 },
  ],
]

describe.each(OPTIONS)('permessage-deflate %s', (_, own, others) => {
  test('works with a ws client and the Hawser server', async () => {
    const socket = new WsSocket(await hawserEcho(own), ['echo'], { perMessageDeflate: others })
    const received: (string | Buffer)[] = []
    socket.on('message', (data: Buffer, isBinary) => received.push(isBinary ? data : data.toString()))
    await once(socket, 'open')
    expect(socket.protocol).toBe('echo')
    expect(socket.extensions.includes('permessage-deflate')).toBe(own !== false && others !== false)
    for (const message of MESSAGES) socket.send(message)
    while (received.length < MESSAGES.length) await once(socket, 'message')
    expect(received.map(digest)).toEqual(MESSAGES.map(digest))
    socket.close(3001, 'done')
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
    expect([code, reason.toString()]).toEqual([3001, ''])
  })

  test('works with the Hawser client and a ws server', async () => {
    const socket = await connect(await wsEcho(others), { perMessageDeflate: own, limits: LIMITS })
    expect(socket.extensions.includes('permessage-deflate')).toBe(own !== false && others !== false)
    for (const message of MESSAGES) socket.send(message)
    for (const message of MESSAGES) expect(digest(await socket.receive())).toBe(digest(message))
    socket.ping('x')
    await expect(socket.close(3001, 'done')).resolves.toMatchObject({ code: 3001, wasClean: true })
    expect(socket.rttMs).toBeGreaterThanOrEqual(0)
  })
})

describe('ws and Hawser', () => {
  test('exchange fragments with pings between them', async () => {
    const socket = new WsSocket(await hawserEcho(true))
    await once(socket, 'open')
    const pongs: string[] = []
    socket.on('pong', (data) => pongs.push(data.toString()))
    socket.send('one ', { fin: false })
    socket.ping('between')
    socket.send('two ', { fin: false })
    socket.send('three', { fin: true })
    const [data] = (await once(socket, 'message')) as [Buffer]
    expect(data.toString()).toBe('one two three')
    expect(pongs).toEqual(['between'])
    socket.close()
    const [code] = (await once(socket, 'close')) as [number]
    expect(code).toBe(1005)
  })

  test('give the client 1009 for a message that is too large for the server', async () => {
    const server = new WebSocketServer({ limits: { maxMessageBytes: 1000 }, perMessageDeflate: true })
    server.route('/', {})
    const { port } = await server.listen(0, '127.0.0.1')
    cleanups.push(() => server.close({ timeoutMs: 200 }))
    for (const options of [{ perMessageDeflate: false }, { perMessageDeflate: { threshold: 0 } }]) {
      const socket = new WsSocket(`ws://127.0.0.1:${String(port)}/`, options)
      await once(socket, 'open')
      socket.send('x'.repeat(1001))
      const [code] = (await once(socket, 'close')) as [number]
      expect(code).toBe(1009)
    }
  })

  test('exchange the close codes of both sides', async () => {
    const server = new WebSocketServer()
    server.route('/', { onTextMessage: (socket, text) => void socket.close(Number(text), 'as asked') })
    const { port } = await server.listen(0, '127.0.0.1')
    cleanups.push(() => server.close({ timeoutMs: 200 }))
    for (const wanted of [1000, 1001, 1008, 1011, 1012, 1013, 1014, 3000, 4999]) {
      const socket = new WsSocket(`ws://127.0.0.1:${String(port)}/`)
      await once(socket, 'open')
      socket.send(String(wanted))
      const [code, reason] = (await once(socket, 'close')) as [number, Buffer]
      expect([code, reason.toString()]).toEqual([wanted, 'as asked'])
    }
  })
})
