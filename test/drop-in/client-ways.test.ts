/** The ways in which a client connects, and a connection that is given: each over `ws` and over the drop-in. */
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { connect as connectTcp, type NetConnectOpts, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { ClientOptions, WebSocket } from 'ws'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { BOTH, closed, closeServer, journalOf, listen, open, urlOf } from './both.js'

const portOf = (url: string): string => url.slice(url.lastIndexOf(':') + 1)

describe.each(BOTH)('A client of %s', (_name, face) => {
  it('connects by createConnection, with the options of the connection, and sends on the socket that it returns', async () => {
    const server = await listen(face)
    const seen: unknown[] = []
    const sockets: Socket[] = []
    const client = new face(urlOf(server), {
      createConnection: (options: NetConnectOpts & { path?: string }) => {
        const { host, port, path } = options as { host: string; port: number; path?: string }
        seen.push([host, String(port) === portOf(urlOf(server)), path])
        const socket = connectTcp({ host, port })
        sockets.push(socket)
        return socket
      },
    } as ClientOptions)
    const connection = once(server, 'connection')
    await once(client, 'open')
    const [accepted] = (await connection) as [WebSocket]
    expect((client as unknown as { _socket: unknown })._socket).toBe(sockets[0])
    const answer = once(accepted, 'message')
    client.send('by my socket')
    expect(String((await answer)[0])).toBe('by my socket')
    expect(seen).toEqual([['127.0.0.1', true, undefined]])
    await closeServer(server)
  })

  it('connects by createConnection to a stream that is not a socket', async () => {
    const server = await listen(face)
    const client = new face(urlOf(server), {
      createConnection: () => {
        const tcp = connectTcp(Number(portOf(urlOf(server))), '127.0.0.1')
        return Duplex.from({ readable: tcp, writable: tcp }) as never
      },
    })
    const connection = once(server, 'connection')
    await once(client, 'open')
    const [accepted] = (await connection) as [WebSocket]
    const answer = once(client, 'message')
    accepted.send(Buffer.alloc(100_000, 1))
    expect((await answer)[0]).toEqual(Buffer.alloc(100_000, 1))
    const end = closed(client)
    client.close()
    await end
    await closeServer(server)
  })

  it.each(['ws', 'http'])('connects to %s: by TCP', async (scheme) => {
    const server = await listen(face)
    const url = urlOf(server).replace('ws', scheme)
    const client = new face(`${url}/a?b=1#`.slice(0, -1))
    await once(client, 'open')
    expect(client.url).toBe(`ws://127.0.0.1:${portOf(url)}/a?b=1`)
    await closeServer(server)
  })

  it.each(['wss', 'https'])('connects to %s: by TLS, and sends both ways', async (scheme) => {
    const http = createHttpsServer(SERVER_TLS)
    const server = new face.Server({ server: http })
    server.on('connection', (socket, request) => {
      socket.on('message', (data, isBinary) => {
        socket.send(data, { binary: isBinary })
      })
      socket.send(String((request.socket as { encrypted?: boolean }).encrypted))
    })
    http.listen(0)
    await once(http, 'listening')
    const { port } = http.address() as { port: number }
    const client = new face(`${scheme}://localhost:${String(port)}/`, TRUST_SERVER)
    expect(String((await once(client, 'message'))[0])).toBe('true')
    expect(client.url).toBe(`wss://localhost:${String(port)}/`)
    for (const size of [0, 125, 65_536, 1_000_000]) {
      const answer = once(client, 'message')
      client.send(Buffer.alloc(size, 7))
      expect(((await answer)[0] as Buffer).equals(Buffer.alloc(size, 7))).toBe(true)
    }
    const stranger = new face(`${scheme}://localhost:${String(port)}/`)
    const journal = journalOf(stranger)
    await closed(stranger)
    expect(journal[0]).toMatch(/^error Error .*(CERT|SIGNATURE)/)
    expect(journal[1]).toBe('close 1006 ')
    const end = closed(client)
    client.close()
    await end
    await new Promise((resolve) => http.close(resolve))
  })

  it('has protocolVersion 8 in its request, with the origin in the field of its time, and is understood', async () => {
    const server = await listen(face)
    const connection = once(server, 'connection')
    const client = new face(urlOf(server), { protocolVersion: 8, origin: 'http://origin.example' })
    await once(client, 'open')
    const [accepted, request] = (await connection) as [WebSocket, { headers: Record<string, string> }]
    const { headers } = request
    expect([headers['sec-websocket-version'], headers['sec-websocket-origin'], headers['origin']]).toEqual([
      '8',
      'http://origin.example',
      undefined,
    ])
    const answer = once(accepted, 'message')
    client.send('by version 8')
    expect(String((await answer)[0])).toBe('by version 8')
    await closeServer(server)
  })

  it('reads the origin of version 8 in verifyClient, and refuses version 7 with 400', async () => {
    const http = createHttpServer()
    const origins: string[] = []
    const server = new face.Server({
      server: http,
      verifyClient: ({ origin }: { origin: string }) => {
        origins.push(origin)
        return true
      },
    })
    http.listen(0)
    await once(http, 'listening')
    const url = `ws://127.0.0.1:${String((http.address() as { port: number }).port)}`
    for (const protocolVersion of [8, 13]) {
      await once(new face(url, { protocolVersion, origin: `http://of-${String(protocolVersion)}` }), 'open')
    }
    expect(origins).toEqual(['http://of-8', 'http://of-13'])
    expect(() => new face(url, { protocolVersion: 7 })).toThrow(RangeError)
    for (const client of server.clients) client.terminate()
    server.close()
    await new Promise((resolve) => http.close(resolve))
  })

  it.each([
    ['generateMask', { generateMask: (mask: Buffer) => void mask.fill(9) }, undefined],
    ['no mask, where the peer takes it', {}, { mask: false }],
  ])('is understood with %s where compression was agreed', async (_what, options, sending) => {
    const { client, accepted, close } = await open(
      face,
      { perMessageDeflate: { threshold: 0 } },
      { perMessageDeflate: { threshold: 0 }, ...options },
    )
    expect(client.extensions).toBe('permessage-deflate')
    const journal = journalOf(accepted)
    const over = sending === undefined ? once(accepted, 'message') : closed(accepted)
    client.send('a'.repeat(1000), { compress: true, ...sending })
    await over
    // A frame without a mask is an error of the client; ws names it as the drop-in does.
    const unmasked = [
      'error RangeError Invalid WebSocket frame: MASK must be set WS_ERR_EXPECTED_MASK',
      'close 1006 ',
    ]
    expect(journal).toEqual(sending === undefined ? [`message ${'a'.repeat(1000)} false`] : unmasked)
    await close()
  })
})

/** Two streams, each of which reads what is written to the other, as tests of servers inject them. */
function duplexPair(): [Duplex, Duplex] {
  const ends: Duplex[] = [0, 1].map(
    (at) =>
      new Duplex({
        read() {
          // Pushed by the other end.
        },
        write(chunk: Buffer, _encoding, done) {
          ends[1 - at]?.push(chunk)
          done()
        },
        final(done) {
          ends[1 - at]?.push(null)
          done()
        },
      }),
  )
  return ends as [Duplex, Duplex]
}

describe.each(BOTH)('setSocket of %s', (name, face) => {
  interface Given {
    _isServer: boolean
    setSocket(socket: Duplex, head: Buffer, options: object): void
  }
  const make = face as unknown as new (
    address: null,
    protocols: undefined,
    options: object,
  ) => WebSocket & Given

  it.each([
    ['in the chunk that follows', [Buffer.from('101'), Buffer.from([0x81, 1, 97])], 0],
    ['in chunks that follow', [Buffer.from('101'), Buffer.from([0x81]), Buffer.from([1, 97])], 0],
  ])(
    'gives a message %s to what listens before a promise of the opening is fulfilled',
    async (_where, chunks) => {
      const [near, far] = duplexPair()
      const socket = new make(null, undefined, { isServer: false })
      socket._isServer = false
      socket._isServer = false
      const journal: string[] = []
      socket.on('message', (data) => journal.push(`message ${(data as Buffer).toString()}`))
      const opened = new Promise<void>((resolve) => {
        socket.on('open', () => {
          journal.push('open')
          resolve()
        })
      })
      near.on('data', function onData() {
        near.removeListener('data', onData)
        socket.setSocket(near, Buffer.alloc(0), { maxPayload: 0 })
      })
      for (const chunk of chunks) far.write(chunk)
      await opened
      journal.push('fulfilled')
      // In the drop-in as in ws, which reads on in the same turn.
      expect([name, ...journal]).toEqual([name, 'open', 'message a', 'fulfilled'])
      socket.terminate()
    },
  )

  it('is paused and resumed, where its stream flows already', async () => {
    const [near, far] = duplexPair()
    const socket = new make(null, undefined, { isServer: false })
    socket._isServer = false
    const journal: string[] = []
    socket.on('message', (data) => journal.push((data as Buffer).toString()))
    near.on('data', function onData() {
      near.removeListener('data', onData)
      socket.setSocket(near, Buffer.alloc(0), { maxPayload: 0 })
      socket.pause()
    })
    far.write('101')
    far.write(Buffer.from([0x81, 1, 97]))
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    expect(journal).toEqual([])
    const message = once(socket, 'message')
    socket.resume()
    await message
    expect(journal).toEqual(['a'])
    socket.terminate()
  })
})
