/** The opening handshake of a client, each case over `ws` and over the drop-in. */
import { once } from 'node:events'
import { Agent, createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createHash } from 'node:crypto'
import type { ClientOptions, WebSocket } from 'ws'
import { HAS_UNIX_SOCKETS } from '../helpers/systems.js'
import { BOTH, closed, closeServer, journalOf, listen, urlOf } from './both.js'

async function serve(listener?: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, url: `ws://127.0.0.1:${String((server.address() as AddressInfo).port)}` }
}

const acceptOf = (request: IncomingMessage): string =>
  createHash('sha1')
    .update(`${String(request.headers['sec-websocket-key'])}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64')

describe.each(BOTH)('a client of %s', (_name, face) => {
  it('sends the headers, the origin, the credentials and the path that the caller gave', async () => {
    const { server, url } = await serve()
    const request = new Promise<IncomingMessage>((resolve) => {
      server.on('upgrade', (message, socket) => {
        resolve(message)
        socket.destroy()
      })
    })
    const client = new face(`${url.replace('//', '//user:p%20w@')}/path?query=1`, ['a', 'b'], {
      headers: { 'X-Mine': 'yes', Cookie: 'c=1' },
      origin: 'https://example.com',
    })
    client.on('error', () => undefined)
    const { headers, url: target } = await request
    expect(target).toBe('/path?query=1')
    expect(headers).toMatchObject({
      'x-mine': 'yes',
      cookie: 'c=1',
      origin: 'https://example.com',
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-version': '13',
      'sec-websocket-protocol': 'a,b',
      'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits',
      authorization: `Basic ${Buffer.from('user:p w').toString('base64')}`,
    })
    await closed(client)
    server.close()
  })

  it.each([
    ['Invalid Upgrade header', { Upgrade: 'other' }],
    ['Invalid Sec-WebSocket-Accept header', { 'Sec-WebSocket-Accept': 'x' }],
    ['Server sent a subprotocol but none was requested', { 'Sec-WebSocket-Protocol': 'a' }],
    [
      'Server sent a Sec-WebSocket-Extensions header but no extension was requested',
      { 'Sec-WebSocket-Extensions': 'a' },
      { perMessageDeflate: false },
    ],
    ['Server indicated an extension that was not requested', { 'Sec-WebSocket-Extensions': 'a' }],
    ['Invalid Sec-WebSocket-Extensions header', { 'Sec-WebSocket-Extensions': ';' }],
    ['Server sent no subprotocol', {}, {}, 'a'],
    ['Server sent an invalid subprotocol', { 'Sec-WebSocket-Protocol': 'b' }, {}, 'a'],
  ])(
    'fails with "%s"',
    async (message, fields, options: ClientOptions = {}, protocol: string | string[] = []) => {
      const { server, url } = await serve()
      server.on('upgrade', (request, socket) => {
        const headers = { Upgrade: 'websocket', 'Sec-WebSocket-Accept': acceptOf(request), ...fields }
        const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
        socket.on('error', () => undefined)
        socket.end(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${lines.join('')}\r\n`)
      })
      const client = new face(url, protocol, options)
      const journal = journalOf(client)
      await closed(client)
      expect(journal).toEqual([`error Error ${message} undefined`, 'close 1006 '])
      server.close()
    },
  )

  it('reports a response that is not 101, to listeners of unexpected-response alone where there are some', async () => {
    const { server, url } = await serve((_request, response) => {
      response.writeHead(401).end('no')
    })
    const first = new face(url)
    const journal = journalOf(first)
    await closed(first)
    expect(journal).toEqual(['error Error Unexpected server response: 401 undefined', 'close 1006 '])
    const second = new face(url)
    const other = journalOf(second)
    const [, response] = (await once(second, 'unexpected-response')) as [unknown, IncomingMessage]
    expect(response.statusCode).toBe(401)
    expect(other).toEqual([])
    response.destroy()
    server.close()
    server.closeAllConnections()
  })

  it('reports a connection that is refused', async () => {
    const { server, url } = await serve()
    server.close()
    await once(server, 'close')
    const client = new face(url)
    const journal = journalOf(client)
    await closed(client)
    expect(journal).toEqual([
      `error Error connect ECONNREFUSED ${url.slice('ws://'.length)} ECONNREFUSED`,
      'close 1006 ',
    ])
  })

  it.each(['close', 'terminate'] as const)('is given up by %s before it is open', async (method) => {
    const server = await listen(face)
    const client = new face(urlOf(server))
    const journal = journalOf(client)
    client[method]()
    expect([client.readyState, journal]).toEqual([2, []])
    await closed(client)
    expect(journal).toEqual([
      'error Error WebSocket was closed before the connection was established undefined',
      'close 1006 ',
    ])
    await closeServer(server)
  })

  it('is given up after handshakeTimeout', async () => {
    const { server, url } = await serve()
    server.on('upgrade', (_request, socket) => {
      socket.on('error', () => undefined)
    })
    const client = new face(url, { handshakeTimeout: 50 })
    const journal = journalOf(client)
    await closed(client)
    expect(journal).toEqual(['error Error Opening handshake has timed out undefined', 'close 1006 '])
    server.close()
    server.closeAllConnections()
  })

  it('follows redirects where it is told to, up to maxRedirects, and leaves credentials behind', async () => {
    const target = await listen(face)
    const requests: IncomingMessage[] = []
    target.on('connection', (_socket, request) => requests.push(request))
    const { server, url } = await serve()
    server.on('upgrade', (request: IncomingMessage, socket) => {
      const location =
        request.url === '/loop' ? '/loop' : `${urlOf(target).replace('127.0.0.1', 'localhost')}/after`
      socket.end(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`)
    })
    const client = new face(url, {
      followRedirects: true,
      headers: { authorization: 'secret', 'X-Kept': '1' },
    })
    await once(client, 'open')
    expect(client.url).toMatch(/\/after$/)
    expect(requests[0]?.headers).toMatchObject({ 'x-kept': '1' })
    expect(requests[0]?.headers.authorization).toBeUndefined()
    client.terminate()

    const looping = new face(`${url}/loop`, { followRedirects: true, maxRedirects: 2 })
    const journal = journalOf(looping)
    let redirects = 0
    looping.on('redirect', () => redirects++)
    await closed(looping)
    expect(journal).toEqual(['error Error Maximum redirects exceeded undefined', 'close 1006 '])
    expect(redirects).toBe(2)

    const unfollowing = new face(url)
    const other = journalOf(unfollowing)
    await closed(unfollowing)
    expect(other).toEqual(['error Error Unexpected server response: 302 undefined', 'close 1006 '])
    server.close()
    await closeServer(target)
  })

  it('goes by an agent, by createConnection, and calls finishRequest', async () => {
    const server = await listen(face)
    const agent = new Agent()
    const viaAgent = new face(urlOf(server), { agent })
    await once(viaAgent, 'open')
    const finished: unknown[] = []
    const options: ClientOptions = {
      finishRequest: (request, websocket) => {
        finished.push(websocket)
        request.end()
      },
    }
    const finishing: WebSocket = new face(urlOf(server), options)
    await once(finishing, 'open')
    expect(finished).toEqual([finishing])
    await closeServer(server)
  })

  if (HAS_UNIX_SOCKETS)
    it('connects to Unix sockets by ws+unix:', async () => {
      const folder = await mkdtemp(path.join(tmpdir(), 'hawser-'))
      const file = path.join(folder, 'ws.sock')
      const server = createServer()
      const sockets = new face.Server({ server })
      const paths: (string | undefined)[] = []
      sockets.on('connection', (socket, request) => {
        paths.push(request.url)
        socket.send('hello')
      })
      server.listen(file)
      await once(server, 'listening')
      const client = new face(`ws+unix:${file}:/path?a=1`)
      const [data] = (await once(client, 'message')) as [Buffer]
      expect([String(data), paths]).toEqual(['hello', ['/path?a=1']])
      const end = closed(client)
      client.close()
      await end
      server.close()
      await rm(folder, { recursive: true })
    })

  it('masks with generateMask, and is understood', async () => {
    const server = await listen(face)
    const connection = once(server, 'connection')
    const masks: number[] = []
    const client = new face(urlOf(server), {
      generateMask: (mask) => {
        masks.push(mask.length)
        mask.fill(0x5a)
      },
      perMessageDeflate: false,
    })
    const [accepted] = (await connection) as [WebSocket]
    const journal = journalOf(accepted)
    await once(client, 'open')
    client.send('masked')
    await once(accepted, 'message')
    expect(journal).toEqual(['message masked false'])
    expect(masks).toContain(4)
    await closeServer(server)
  })
})
