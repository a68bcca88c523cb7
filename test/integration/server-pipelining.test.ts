// slow: every answer by every way in
/**
 * RFC 9112 section 9.3.2: an upgrade that is pipelined after other requests is answered after them, and whatever becomes
 * of their answers, the process of the server lives. The servers run in a process of their own: that is where it shows.
 */
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect as connectTls } from 'node:tls'
import { isNativeOn } from '../../src/native/native-switch.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { Programs, type Program } from '../helpers/child.js'
import { closeFrame, frame, KEY, OP } from '../helpers/frame-builder.js'
import { openRaw, RawPeer, requestHead } from '../helpers/raw-peer.js'

/** Ways to a server that shares a port. */
const WAYS = [
  'attach handle',
  'attach stream',
  'attach tls',
  'attach unix',
  'hand handle',
  'hand stream',
  'hand tls',
] as const
type Way = (typeof WAYS)[number]

/** Of a second server for each way. */
const TIMEOUT_MS = 400
const UNIX_PATH = path.join(tmpdir(), `hawser-pipelining-${String(process.pid)}.sock`)

const SERVER = `
  import http from 'node:http'
  import https from 'node:https'
  import { once } from 'node:events'
  import { Readable } from 'node:stream'
  import { setTimeout as sleep } from 'node:timers/promises'
  import { accept, reject, WebSocketServer } from './src/index.js'

  const rest = async (request, response) => {
    switch (request.url) {
      case '/slow': await sleep(30); response.setHeader('Content-Length', 4); response.end('slow'); return
      case '/post': {
        let length = 0
        for await (const chunk of request) length += chunk.length
        await sleep(10)
        response.end('got ' + length)
        return
      }
      case '/stream':
        for (const part of ['a', 'b', 'c']) { response.write(part); await sleep(10) }
        response.end()
        return
      case '/large':
        response.setHeader('Content-Length', 8 << 20)
        Readable.from(Array.from({ length: 128 }, () => Buffer.alloc(64 << 10, 'z'))).pipe(response)
        return
      case '/destroy': await sleep(20); response.destroy(new Error('destroyed')); return
      case '/last': await sleep(20); response.setHeader('Connection', 'close'); response.end('last'); return
      case '/half': response.setHeader('Content-Length', 10); response.write('half'); return
      case '/never': return
      default: response.end('rest')
    }
  }
  const servers = []
  const start = async (way, at, handshakeTimeoutMs) => {
    const http1 = way.endsWith('tls') ? https.createServer(${JSON.stringify(SERVER_TLS)}, rest) : http.createServer(rest)
    const server = new WebSocketServer({ directIo: !way.endsWith('stream'), handshakeTimeoutMs, closeTimeoutMs: 500 })
    server.route('/ws', {
      onUpgrade: ({ raw }) => accept({ data: raw.socket }),
      onTextMessage: (socket, text) => {
        const [what, ...given] = text.split(' ')
        if (what === 'echo') return given.join(' ')
        if (what === 'opened') return String(server.stats().opened)
        if (what === 'error') { socket.data.destroy(new Error('kept')); return }
        socket.data[what](...given)
        // Nothing waits for the rest of what another owner of the socket writes.
        return 'done'
      },
    })
    server.route('/later', { onUpgrade: async () => { await sleep(20); return accept() } })
    server.route('/no', { onUpgrade: () => reject(403, 'no') })
    if (way.startsWith('attach')) server.attach(http1)
    else http1.on('upgrade', (request, socket, head) => server.handleUpgrade(request, socket, head))
    http1.listen(...at)
    await once(http1, 'listening')
    servers.push([server, http1])
    const address = http1.address()
    console.log(handshakeTimeoutMs < 1000 ? way + ' short' : way, typeof address === 'string' ? address : address.port)
  }
  for (const timeoutMs of [10_000, ${String(TIMEOUT_MS)}]) {
    for (const way of ${JSON.stringify(WAYS)}) {
      await start(way, way.endsWith('unix') ? [${JSON.stringify(UNIX_PATH)} + timeoutMs] : [0, '127.0.0.1'], timeoutMs)
    }
  }
  console.log('ready yes')
  process.stdin.once('data', async () => {
    for (const [server, http1] of servers) {
      http1.close()
      await server.close({ timeoutMs: 300 })
      http1.closeAllConnections()
    }
    process.stdin.destroy()
  })
`

let programs: Programs
let program: Program
const targets = new Map<string, string>()
const peers: RawPeer[] = []

beforeAll(async () => {
  programs = new Programs()
  program = programs.run(SERVER)
  for (const way of WAYS.flatMap((one) => [one, `${one} short`])) targets.set(way, await program.value(way))
  await program.value('ready')
}, 60_000)
afterEach(() => {
  for (const peer of peers.splice(0)) peer.socket.destroy()
})
afterAll(() => programs.remove())

async function open(way: Way, kind: '' | ' short' = ''): Promise<RawPeer> {
  const target = targets.get(`${way}${kind}`) as string
  let peer: RawPeer
  if (way.endsWith('tls')) {
    const socket = connectTls({
      port: Number(target),
      host: '127.0.0.1',
      servername: 'localhost',
      ...TRUST_SERVER,
    })
    peer = new RawPeer(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
    })
  } else {
    peer = await openRaw(way.endsWith('unix') ? target : Number(target))
  }
  peers.push(peer)
  return peer
}

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })
const plain = (target: string, method = 'GET', fields = '', body = ''): string =>
  `${method} ${target} HTTP/1.1\r\nHost: x\r\n${fields}\r\n${body}`
const upgrade = requestHead('/ws')

async function readBody(peer: RawPeer): Promise<string> {
  const { head, body } = await peer.readResponse()
  expect(head.status).toBe(200)
  return body
}

async function expectEcho(peer: RawPeer, payload: string): Promise<void> {
  peer.write(text(`echo ${payload}`))
  expect((await peer.readFrame()).text).toBe(payload)
}

/** A new connection works from its handshake to a clean end. */
async function expectAlive(way: Way): Promise<void> {
  const peer = await open(way)
  peer.write(upgrade)
  expect((await peer.readHead()).status).toBe(101)
  await expectEcho(peer, 'alive')
  peer.write(closeFrame(1000, '', { key: KEY }))
  expect((await peer.readToClose()).closeCode).toBe(1000)
}

/** How many connections the server has opened, with the one that asks. */
async function countOpened(way: Way): Promise<number> {
  const peer = await open(way)
  peer.write(upgrade)
  await peer.readHead()
  peer.write(text('opened'))
  return Number((await peer.readFrame()).text)
}

/** Reads until the connection is over. @returns all that came, with no more than the lines that begin a response */
async function statusLines(peer: RawPeer): Promise<string[]> {
  await peer.left().catch(() => undefined)
  peer.end()
  await peer.closed()
  return (
    Buffer.concat(peer.chunks)
      .toString('latin1')
      .match(/HTTP\/1\.1 \d+/g) ?? []
  )
}

describe.each(WAYS)('RFC 9112 9.3.2, %s: an upgrade after another request', (way) => {
  it.each([1, 2])(
    'waits for the answer to a GET, in %i segments, and keeps frames that came early',
    async (count) => {
      const peer = await open(way)
      if (count === 1) {
        peer.write(plain('/slow'), upgrade, text('echo early'))
      } else {
        peer.write(plain('/slow'))
        await new Promise((resolve) => setTimeout(resolve, 5))
        peer.write(upgrade)
        await new Promise((resolve) => setTimeout(resolve, 5))
        peer.write(text('echo early'))
      }
      expect(await readBody(peer)).toBe('slow')
      expect((await peer.readHead()).status).toBe(101)
      expect((await peer.readFrame()).text).toBe('early')
      await expectEcho(peer, 'later')
    },
  )

  it('waits for the answers to a POST with a body, a HEAD and a GET, in order', async () => {
    const peer = await open(way)
    peer.write(
      plain('/post', 'POST', 'Content-Length: 5\r\n', 'abcde'),
      plain('/slow', 'HEAD'),
      plain('/other'),
      upgrade,
    )
    expect(await readBody(peer)).toBe('got 5')
    const head = await peer.readHead()
    expect([head.status, head.get('content-length')]).toEqual([200, '4'])
    expect(await readBody(peer)).toBe('rest')
    expect((await peer.readHead()).status).toBe(101)
    await expectEcho(peer, 'x')
  })

  it('waits for a streamed answer', async () => {
    const peer = await open(way)
    peer.write(plain('/stream'), upgrade)
    expect((await peer.readHead()).get('transfer-encoding')).toBe('chunked')
    expect(await peer.readText(23)).toBe('1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n')
    expect((await peer.readHead()).status).toBe(101)
    await expectEcho(peer, 'x')
  })

  it('does not cut an earlier answer that waits for room', async () => {
    const peer = await open(way)
    peer.pause()
    peer.write(plain('/large'), upgrade)
    await new Promise((resolve) => setTimeout(resolve, 100))
    peer.resume()
    expect((await readBody(peer)).length).toBe(8 << 20)
    expect((await peer.readHead()).status).toBe(101)
    await expectEcho(peer, 'x')
  })

  it.each<readonly [status: number, request: string]>([
    [403, requestHead('/no')],
    [404, requestHead('/nowhere')],
    [405, requestHead('/ws', {}, 'POST')],
    [426, requestHead('/ws', { 'Sec-WebSocket-Version': '8' })],
    [400, requestHead('/ws', { 'Sec-WebSocket-Key': 'short' })],
    [101, requestHead('/later')],
  ])('does not overtake when it gets %i', async (status, request) => {
    const peer = await open(way)
    peer.write(plain('/slow'), request)
    expect(await readBody(peer)).toBe('slow')
    expect((await peer.readHead()).status).toBe(status)
  })

  it('is not answered when the earlier answer is destroyed, which ends the connection alone', async () => {
    const before = await countOpened(way)
    const peer = await open(way)
    peer.write(plain('/destroy'), upgrade)
    expect(await statusLines(peer)).toEqual([])
    expect(await countOpened(way)).toBe(before + 1)
    await expectAlive(way)
  })

  it('is not answered after an answer with Connection: close', async () => {
    const before = await countOpened(way)
    const peer = await open(way)
    peer.write(plain('/last'), upgrade)
    expect(await statusLines(peer)).toEqual(['HTTP/1.1 200'])
    expect(await countOpened(way)).toBe(before + 1)
    await expectAlive(way)
  })

  it('has no effect when the peer resets while the earlier answer is owed', async () => {
    const peer = await open(way)
    peer.write(plain('/slow'), upgrade)
    await new Promise((resolve) => setTimeout(resolve, 5))
    if (way.endsWith('tls') || way.endsWith('unix')) peer.socket.destroy()
    else peer.reset()
    await new Promise((resolve) => setTimeout(resolve, 60))
    await expectAlive(way)
  })

  it.each([
    ['never comes', '/never', []],
    ['never ends', '/half', ['HTTP/1.1 200']],
  ])(
    'ends the connection at the handshake timeout without a second answer when the earlier answer %s',
    async (_, target, lines) => {
      const peer = await open(way, ' short')
      const startedAt = performance.now()
      peer.write(plain(target), upgrade)
      expect(await statusLines(peer)).toEqual(lines)
      expect(performance.now() - startedAt).toBeGreaterThan(TIMEOUT_MS / 2)
      await expectAlive(way)
    },
  )
})

describe.each(WAYS)('%s: application code that kept the socket of a connection', (way) => {
  // Node resets TCP alone: over TLS, and over a Unix socket that still has its handle, this throws at once.
  const canReset = !way.endsWith('tls') && (isNativeOn || !way.endsWith('unix'))
  const calls = ['end', 'destroy', 'destroySoon', 'error', ...(canReset ? ['resetAndDestroy'] : [])]
  it.each(calls)('ends the connection by %s()', async (call) => {
    const peer = await open(way)
    peer.write(upgrade)
    await peer.readHead()
    await expectEcho(peer, 'before')
    peer.write(text(call))
    await peer.left().catch(() => undefined)
    peer.end()
    await peer.closed()
    await expect(expectAlive(way)).resolves.toBeUndefined()
  })
})

describe.each(['attach handle', 'attach stream', 'hand handle'] as const)(
  '%s: application code that kept the socket',
  (way) => {
    it('sends a RST by resetAndDestroy()', async () => {
      const peer = await open(way)
      peer.write(upgrade)
      await peer.readHead()
      peer.write(text('resetAndDestroy'))
      await peer.closed()
      expect(peer.error?.code).toBe('ECONNRESET')
      await expectAlive(way)
    })
  },
)

// Where src/native is off no handle is taken, and what is written to the socket goes out, as everywhere in Node.
const WAYS_THAT_TAKE = isNativeOn ? (['attach handle', 'hand handle'] as const) : []
it('changes nothing by write() on a socket whose handle Hawser took', async () => {
  for (const way of WAYS_THAT_TAKE) {
    const peer = await open(way)
    peer.write(upgrade)
    await peer.readHead()
    peer.write(text('write nonsense'))
    expect((await peer.readFrame()).text).toBe('done')
    peer.write(text('write more'))
    expect((await peer.readFrame()).text).toBe('done')
    await expectEcho(peer, 'as before')
  }
  expect(WAYS_THAT_TAKE).toHaveLength(isNativeOn ? 2 : 0)
})

it('does not end the process or cause a warning, and the process ends by itself', async () => {
  for (const way of WAYS) await expectAlive(way)
  for (const peer of peers.splice(0)) peer.socket.destroy()
  program.tell('end')
  const { status, signal, errors } = await program.ended
  expect({ status, signal, errors }).toEqual({ status: 0, signal: null, errors: '' })
})
