/**
 * RFC 9112 sections 2 to 9, and RFC 6455 section 4.2: the port of its own as a public HTTP server. Whether an upgrade
 * goes by Hawser's own head scanner or by node:http, the peer gets the same answer.
 */
import type { ServerOptions, ServerService, WebSocketServer } from '../../src/index.js'
import { isNativeOn } from '../../src/native/native-switch.js'
import { closeFrame, frame, KEY, OP } from '../helpers/frame-builder.js'
import { openRaw, requestHead, upgradeRaw, type RawPeer } from '../helpers/raw-peer.js'
import { serve, stopServing } from '../helpers/serving.js'

afterEach(stopServing)

const echo: ServerService = { onMessage: (_, message) => message }

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Both ends live in one process: after these turns of the loop, all written bytes are read. */
async function turns(count = 4): Promise<void> {
  for (let i = 0; i < count; i++) await turn()
}

/** Two servers that differ in `directIo` alone. */
async function both(
  options: ServerOptions = {},
  service: ServerService = echo,
): Promise<readonly { port: number; server: WebSocketServer }[]> {
  return [
    await serve(service, { ...options, directIo: true }),
    await serve(service, { ...options, directIo: false }),
  ]
}

const withoutDate = (answer: string): string => answer.replaceAll(/^Date: .*\r\n/gm, '')

/** Sends, part by part, and reads to the end; a connection that is upgraded is closed. @returns the answer */
async function talk(port: number, ...parts: readonly (string | Buffer)[]): Promise<string> {
  const peer = await openRaw(port)
  for (const part of parts) {
    peer.write(part)
    await turns()
  }
  const all = (): string => Buffer.concat(peer.chunks).toString('latin1')
  await peer.until(() => (peer.unreadBytes > 0 || peer.isEnded ? true : null)).catch(() => undefined)
  if (all().startsWith('HTTP/1.1 101')) peer.write(closeFrame(1000, '', { key: KEY }))
  await peer.left().catch(() => undefined)
  peer.socket.destroy()
  return withoutDate(all())
}

/** What both answer: the same. */
async function answer(parts: readonly (string | Buffer)[], options: ServerOptions = {}): Promise<string> {
  const [direct, plain] = await both(options)
  const [one, other] = await Promise.all([direct, plain].map((side) => talk(side?.port ?? 0, ...parts)))
  expect(one).toBe(other)
  return one ?? ''
}

const statusOf = (response: string): number => Number(response.split(' ', 2)[1])
const good = requestHead()
const plain = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
const having = (line: string): string => good.replace('\r\n\r\n', `\r\n${line}\r\n\r\n`)

describe('RFC 9112: the same answer with and without directIo', () => {
  it.each<readonly [name: string, status: number, request: string]>([
    ['a good handshake', 101, good],
    ['an empty line before it', 101, `\r\n${good}`],
    ['absolute-form', 101, requestHead('http://localhost/')],
    ['names and tokens in other cases', 101, good.replace('Upgrade: websocket', 'uPGRADE: WebSocket')],
    ['Content-Length: 0', 101, having('Content-Length: 0')],
    ['Expect: 100-continue', 101, having('Expect: 100-continue')],
    ['Connection: close beside upgrade', 101, requestHead('/', { Connection: 'close, Upgrade' })],
    ['another path', 404, requestHead('/nowhere')],
    ['a plain GET', 426, plain],
    ['a plain GET of another path', 404, plain.replace('GET /', 'GET /x')],
    ['another version of WebSocket', 426, requestHead('/', { 'Sec-WebSocket-Version': '8' })],
    ['a key that is too short', 400, requestHead('/', { 'Sec-WebSocket-Key': 'abcd' })],
    ['POST with an upgrade', 405, requestHead('/', {}, 'POST')],
    ['no Host', 400, requestHead('/', { Host: '' })],
    ['two Hosts', 400, having('Host: elsewhere')],
    ['a Host that is none', 400, requestHead('/', { Host: 'a b' })],
    ['HTTP/1.0', 505, good.replace('HTTP/1.1', 'HTTP/1.0')],
    ['a request line that is none', 400, 'nonsense\r\n\r\n'],
    ['a method in lower case', 400, good.replace('GET', 'get')],
    ['a space before the colon', 400, having('A : b')],
    ['a field without a colon', 400, having('nonsense')],
    ['a NUL in a value', 400, having('A: \0')],
    ['LF only', 400, good.replaceAll('\r\n', '\n')],
    ['CR only', 400, good.replaceAll('\r\n', '\r')],
    ['a folded line', 400, having('A: b\r\n c')],
    ['the preface of HTTP/2', 400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a ClientHello of TLS', 400, '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03'],
  ])('%s is answered with %i', async (_, status, request) => {
    expect(statusOf(await answer([request]))).toBe(status)
  })

  it.each<readonly [name: string, lines: string]>([
    ['Content-Length: 5', 'Content-Length: 5'],
    ['two Content-Lengths', 'Content-Length: 0\r\nContent-Length: 5'],
    ['the same Content-Length twice', 'Content-Length: 0\r\nContent-Length: 0'],
    ['a Content-Length with a sign', 'Content-Length: +0'],
    ['chunked', 'Transfer-Encoding: chunked'],
    ['chunked and Content-Length', 'Transfer-Encoding: chunked\r\nContent-Length: 0'],
    ['a transfer coding that nobody knows', 'Transfer-Encoding: xchunked'],
    ['identity', 'Transfer-Encoding: identity'],
    ['a tab in Transfer-Encoding', 'Transfer-Encoding:\tchunked'],
  ])('smuggling by %s is refused, and the bytes after it are not read as a request', async (_, lines) => {
    const response = await answer([`${having(lines)}0\r\n\r\n${good}`])
    expect(statusOf(response)).toBe(400)
    expect(response).not.toContain('101 Switching')
    expect(response.match(/HTTP\/1\.1 /g)).toHaveLength(1)
  })

  it('a head above maxHeaderBytes is answered with 431', async () => {
    const options = { limits: { maxHeaderBytes: 1_024 } }
    expect(statusOf(await answer([having(`A: ${'a'.repeat(2_000)}`)], options))).toBe(431)
    expect(statusOf(await answer([`GET /${'a'.repeat(2_000)} HTTP/1.1\r\nHost: x\r\n\r\n`], options))).toBe(
      431,
    )
    expect(statusOf(await answer([having(`A: ${'a'.repeat(100)}`)], options))).toBe(101)
  })

  it('too many header fields are refused', async () => {
    const many = Array.from({ length: 1_000 }, (_, i) => `A${String(i)}: b`).join('\r\n')
    expect(statusOf(await answer([having(many)]))).toBe(431)
    expect(statusOf(await answer([having(many)], { limits: { maxHeaderBytes: 4_096 } }))).toBe(431)
  })

  it('an incomplete head is answered with 408 after handshakeTimeoutMs', async () => {
    const response = await answer([good.slice(0, 60)], { limits: { handshakeTimeoutMs: 300 } })
    expect(statusOf(response)).toBe(408)
  })

  it('a POST with a body of 1 MiB ends the connection', async () => {
    for (const { port } of await both()) {
      const peer = await openRaw(port)
      peer.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n', Buffer.alloc(1_048_576))
      // The answer may be lost to a reset: the body is not waited for.
      await peer.left().catch(() => undefined)
      const response = Buffer.concat(peer.chunks).toString('latin1')
      if (response !== '') expect(statusOf(response)).toBe(405)
      peer.socket.destroy()
      ;(await upgradeRaw(port)).reset()
    }
  })
})

describe('RFC 9112 section 9.3: pipelined requests', () => {
  it.each<readonly [name: string, parts: readonly string[]]>([
    ['a GET behind a GET', [plain + plain]],
    ['an upgrade behind a GET', [plain + good]],
    ['an upgrade behind the answer to a GET', [plain, good]],
  ])('the second request is not answered, because the first ends the connection: %s', async (_, parts) => {
    const response = await answer(parts)
    expect(statusOf(response)).toBe(426)
    expect(response.match(/HTTP\/1\.1 /g)).toHaveLength(1)
  })

  it.each([true, false])('bytes after an upgrade are frames: directIo %p', async (directIo) => {
    const { port } = await serve(echo, { directIo })
    const frames = Buffer.concat([text('one'), text('two')])
    for (const cut of [0, 1, 5, frames.length]) {
      const peer = await openRaw(port)
      peer.write(good, frames.subarray(0, cut))
      await turns()
      peer.write(frames.subarray(cut))
      expect((await peer.readHead()).status).toBe(101)
      expect([(await peer.readFrame()).text, (await peer.readFrame()).text]).toEqual(['one', 'two'])
      peer.reset()
      await peer.closed()
    }
  })

  it.each([true, false])('a request after an upgrade is a violation: directIo %p', async (directIo) => {
    const { port } = await serve(echo, { directIo })
    const peer = await openRaw(port)
    peer.write(good + good)
    expect((await peer.readHead()).status).toBe(101)
    expect((await peer.readToClose()).closeCode).toBe(1002)
    peer.reset()
    await peer.closed()
  })
})

describe('heads that arrive in pieces', () => {
  it.each([true, false])(
    'a head in two pieces, cut at any position, is accepted: directIo %p',
    async (directIo) => {
      const { port } = await serve(echo, { directIo })
      const all = Buffer.concat([Buffer.from(good), text('hi')])
      for (let from = 1; from < all.length; from += 40) {
        const cuts = Array.from({ length: Math.min(40, all.length - from) }, (_, i) => from + i)
        const peers = await Promise.all(cuts.map(() => openRaw(port)))
        peers.forEach((peer, i) => peer.write(all.subarray(0, cuts[i])))
        await turns()
        peers.forEach((peer, i) => peer.write(all.subarray(cuts[i])))
        for (const peer of peers) {
          expect((await peer.readHead()).status).toBe(101)
          expect((await peer.readFrame()).text).toBe('hi')
          peer.reset()
          await peer.closed()
        }
      }
    },
  )

  it.each([true, false])('a head that arrives byte by byte is accepted: directIo %p', async (directIo) => {
    const { port } = await serve(echo, { directIo })
    const peer = await openRaw(port)
    for (const byte of Buffer.concat([Buffer.from(good), text('hi')])) {
      peer.write(Buffer.of(byte))
      await turns(2)
    }
    expect((await peer.readHead()).status).toBe(101)
    expect((await peer.readFrame()).text).toBe('hi')
    peer.reset()
    await peer.closed()
  })
})

describe('connections that send nothing, or half of a head', () => {
  it('a silent connection is ended after handshakeTimeoutMs, without an answer where no socket was made for it', async () => {
    const { port } = await serve(echo, { limits: { handshakeTimeoutMs: 200 } })
    const peer = await openRaw(port)
    // node:http, which accepts where src/native is off, answers 408.
    const status = isNativeOn ? null : (await peer.readHead()).status
    await peer.left()
    expect([status, isNativeOn ? peer.unreadBytes : 0]).toEqual([isNativeOn ? null : 408, 0])
    peer.socket.destroy()
  })

  /** Half of them silent, half of them with half a head. */
  async function slow(port: number, count: number): Promise<RawPeer[]> {
    const peers: RawPeer[] = []
    for (let i = 0; i < count; i += 50) {
      peers.push(...(await Promise.all(Array.from({ length: 50 }, () => openRaw(port)))))
    }
    peers.forEach((peer, i) => i % 2 === 0 && peer.write(good.slice(0, 60)))
    await turns(20)
    return peers
  }

  const gone = (peers: readonly RawPeer[]): Promise<unknown> =>
    Promise.all(peers.map((peer) => peer.left().catch(() => undefined)))

  it.each([true, false])(
    '1,000 silent connections do not stop a valid one: directIo %p',
    async (directIo) => {
      const { port, server } = await serve(echo, { directIo })
      const peers = await slow(port, 1_000)
      const peer = await upgradeRaw(port)
      peer.write(text('alive'))
      expect((await peer.readFrame()).text).toBe('alive')
      server.terminate()
      await gone([...peers, peer])
      for (const one of [...peers, peer]) one.socket.destroy()
    },
  )

  it.each([
    ['close()', true],
    ['close()', false],
    ['terminate()', true],
    ['terminate()', false],
  ] as const)('%s ends silent connections at once: directIo %p', async (how, directIo) => {
    const { port, server } = await serve(echo, { directIo })
    const peers = await slow(port, 100)
    if (how === 'close()') await server.close()
    else server.terminate()
    await gone(peers)
    expect(peers.every(({ isEnded, isClosed }) => isEnded || isClosed)).toBe(true)
    for (const one of peers) one.socket.destroy()
  })

  it('a connection that ends or resets before it sent anything disturbs no other', async () => {
    const { port, server } = await serve(echo)
    for (let i = 0; i < 100; i++) {
      const peer = await openRaw(port)
      if (i % 2 === 0) peer.end()
      else peer.reset()
      if (i % 2 === 0) await peer.left()
      peer.socket.destroy()
    }
    const next = await upgradeRaw(port)
    expect(server.connectionCount).toBe(1)
    next.reset()
    await server.close()
  })
})
