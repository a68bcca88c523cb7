/** A TLS connection does the same by its handle (docs/adr/0019) and by its stream: what ends it, what its owner does to it. */
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import {
  connect,
  WebSocketServer,
  type ServerService,
  type ServerSocket,
  type Socket,
} from '../../src/index.js'
import { isNativeOn } from '../../src/native/native-switch.js'
import { tlsHandleOf } from '../../src/native/tls-handle.js'
import { coreOf } from '../../src/socket/base-socket.js'
import { StreamTransport } from '../../src/transport/stream-transport.js'
import { TlsTransport } from '../../src/transport/tls-transport.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { Programs } from '../helpers/child.js'
import { closeFrame, frame, KEY, OP } from '../helpers/frame-builder.js'
import { Journal } from '../helpers/journal.js'
import { requestHead } from '../helpers/raw-peer.js'
import { openRawTls, type RawTlsPeer } from '../helpers/raw-tls.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const bye = closeFrame(1000, '', { key: KEY })
const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function sendUntilBlocked(socket: Socket, send: () => boolean): Promise<void> {
  while (socket.bufferedAmount === 0) {
    send()
    await pause(0)
  }
}

function transportOf(socket: Socket): object {
  return (coreOf(socket) as unknown as { driver: { transport: object } }).driver.transport
}

describe.each([
  ['by the handle', true],
  ['by the stream', false],
])('%s', (_, directIo) => {
  const Transport = directIo && isNativeOn ? TlsTransport : StreamTransport

  interface Served {
    readonly port: number
    readonly journal: Journal
    readonly sockets: ServerSocket[]
    /** Those of node:tls. */
    readonly below: TLSSocket[]
  }

  /** A server that is attached to one of node:https: the application has the sockets. */
  async function serve(
    service: ServerService = {},
    options: object = {},
    seen?: (socket: TLSSocket) => void,
  ): Promise<Served> {
    const journal = new Journal()
    const sockets: ServerSocket[] = []
    const below: TLSSocket[] = []
    const server = new WebSocketServer({ directIo, heartbeatIntervalMs: false })
    server.route('/', {
      onMessage: (socket, message) => {
        journal.add(`message ${String(message).slice(0, 20)}`)
        socket.send(message)
      },
      onClose: (_socket, { code }) => journal.add(`close ${code}`),
      ...service,
      onOpen: (socket: ServerSocket) => {
        expect(transportOf(socket).constructor).toBe(Transport)
        sockets.push(socket)
        journal.add('open')
      },
    } as ServerService)
    const shared = createServer({ ...SERVER_TLS, ...options })
    shared.on('secureConnection', (socket: TLSSocket) => {
      below.push(socket)
      socket.on('error', () => undefined)
      seen?.(socket)
    })
    server.attach(shared)
    await once(shared.listen(0, '127.0.0.1'), 'listening')
    cleanups.push(async () => {
      server.terminate()
      shared.closeAllConnections()
      await new Promise((resolve) => shared.close(resolve))
    })
    return { port: (shared.address() as AddressInfo).port, journal, sockets, below }
  }

  async function open(port: number, options: object = {}): Promise<RawTlsPeer> {
    const peer = await openRawTls(port, options)
    cleanups.push(() => peer.below.destroy())
    peer.write(requestHead())
    expect((await peer.readHead()).status).toBe(101)
    return peer
  }

  it.each(['TLSv1.2', 'TLSv1.3'])('messages of every size come back unchanged, by %s', async (version) => {
    const { port } = await serve({}, { minVersion: version, maxVersion: version })
    const url = `wss://localhost:${port}/`
    const client = await connect(url, { tls: TRUST_SERVER, directIo, perMessageDeflate: false })
    cleanups.push(() => client.terminate())
    expect(transportOf(client).constructor).toBe(Transport)
    const sizes = [0, 1, 125, 126, 16_383, 16_384, 16_385, 65_535, 65_536, 69_632, 69_633, 300_000]
    const messages = sizes.map((size) => Buffer.from(Array.from({ length: size }, (_, i) => (i * 31) & 0xff)))
    for (const message of messages) {
      client.send(message)
      expect(message.compare((await client.receive()) as Buffer)).toBe(0)
    }
    // And all at once.
    for (const message of messages) client.send(message)
    for (const message of messages) expect(message.compare((await client.receive()) as Buffer)).toBe(0)
    await expect(client.close(1000, 'bye')).resolves.toMatchObject({ code: 1000, wasClean: true })
  })

  it('what comes in one segment with the request, in records of its own, is read in order', async () => {
    const { port, journal } = await serve()
    const peer = await openRawTls(port)
    cleanups.push(() => peer.below.destroy())
    peer.below.cork()
    peer.write(requestHead())
    for (const word of ['one', 'two', 'three']) peer.write(text(word))
    await pause(20)
    peer.below.uncork()
    await peer.readHead()
    for (const word of ['one', 'two', 'three']) expect((await peer.readFrame()).text).toBe(word)
    expect(journal.lines).toEqual(['open', 'message one', 'message two', 'message three'])
  })

  it('a paused connection gives nothing until it goes on, and then all in order', async () => {
    const { port, journal, sockets } = await serve({
      onMessage: (socket, message) => {
        if (message === '0') socket.pause()
        journal.add(String(message))
      },
    })
    const peer = await open(port)
    const [socket] = sockets as [ServerSocket]
    for (let i = 0; i < 100; i++) peer.write(text(String(i)))
    await journal.until('0')
    await pause(50)
    expect(journal.lines).toEqual(['open', '0'])
    for (let i = 100; i < 200; i++) peer.write(text(String(i)))
    peer.write(bye)
    socket.resume()
    peer.write(text('after the Close frame'))
    await peer.readToClose()
    expect(journal.lines.filter((line) => /^\d+$/.test(line))).toEqual(
      Array.from({ length: 200 }, (_, i) => String(i)),
    )
  })

  it('a peer that renegotiates goes on (TLS 1.2), also while a message is written', async () => {
    const { port, sockets } = await serve({}, { maxVersion: 'TLSv1.2' })
    const peer = await open(port, { maxVersion: 'TLSv1.2' })
    const secured = peer.secured
    for (const word of ['first', 'second']) {
      const done = new Promise((resolve, reject) => {
        secured.renegotiate({}, (error) => (error === null ? resolve(null) : reject(error)))
      })
      sockets[0]?.send(`sent ${word}`)
      await done
      expect((await peer.readFrame()).text).toBe(`sent ${word}`)
      peer.write(text(word))
      expect((await peer.readFrame()).text).toBe(word)
    }
  })

  it('a peer that renegotiates too often is cut, as node:tls does it, and the process goes on', async () => {
    const { port, journal } = await serve({}, { maxVersion: 'TLSv1.2' })
    const peer = await open(port, { maxVersion: 'TLSv1.2' })
    const secured = peer.secured
    for (let i = 0; i < 6; i++) {
      await Promise.race([new Promise((resolve) => secured.renegotiate({}, resolve)), peer.left()])
      if (peer.isEnded) break
    }
    await peer.left()
    await expect(journal.until('close 1006')).resolves.toHaveLength(2)
  })

  it('a reset while messages wait ends the connection, and the process goes on', async () => {
    const { port, journal, sockets } = await serve()
    const peer = await open(port)
    peer.pause()
    const [socket] = sockets as [ServerSocket]
    while (socket.bufferedAmount === 0) {
      socket.send(Buffer.alloc(60_000))
      await pause(1)
    }
    peer.reset()
    await expect(journal.until('close 1006')).resolves.toHaveLength(2)
  })

  it('bytes that are no TLS record end the connection with an error', async () => {
    const errors: string[] = []
    const { port, journal } = await serve({ onError: (_socket, error) => errors.push(String(error.cause)) })
    const peer = await open(port)
    peer.below.write(Buffer.alloc(50, 0x61))
    await journal.until('close 1006')
    expect(errors.join()).toMatch(/wrong version number|SSL routines/i)
  })

  it("a peer's close_notify is its FIN: what waits still leaves", async () => {
    const { port, journal, sockets } = await serve()
    const peer = await open(port)
    sockets[0]?.send('x'.repeat(500_000))
    peer.end()
    expect((await peer.readFrame()).payload).toHaveLength(500_000)
    await journal.until('close 1006')
    await peer.left()
  })

  it('a slow peer gets everything in order, and drained resolves', async () => {
    const { port, sockets } = await serve()
    const peer = await open(port)
    peer.pause()
    const [socket] = sockets as [ServerSocket]
    for (let i = 0; i < 60; i++) {
      socket.send(`${i} `.padEnd(100 + i * 700, 'ab'))
      if (i % 10 === 0) await pause(1)
    }
    expect(socket.bufferedAmount).toBeGreaterThan(0)
    peer.resume()
    await socket.drained()
    for (let i = 0; i < 60; i++)
      expect((await peer.readFrame()).text).toBe(`${i} `.padEnd(100 + i * 700, 'ab'))
    expect(socket.bufferedAmount).toBe(0)
  })

  it('the socket of node:tls counts the bytes, and tells of the session and the cipher', async () => {
    const { port, below } = await serve()
    const peer = await open(port)
    const [secured] = below as [TLSSocket]
    const { bytesRead } = secured
    peer.write(text('seven'))
    expect((await peer.readFrame()).text).toBe('seven')
    expect([secured.bytesRead - bytesRead, secured.getProtocol()]).toEqual([11, 'TLSv1.3'])
    expect(secured.bytesWritten).toBeGreaterThan(7)
    expect(secured.getCipher().version).toBe('TLSv1.3')
  })

  it.each(['destroy', 'end'] as const)('%s of that socket ends the connection', async (call) => {
    const { port, journal, sockets, below } = await serve()
    const peer = await open(port)
    sockets[0]?.send('last')
    // The message has left, or leaves before the end.
    await pause(call === 'destroy' ? 20 : 0)
    below[0]?.[call]()
    expect((await peer.readFrame()).text).toBe('last')
    await peer.left()
    if (call === 'end') peer.write(bye)
    await journal.until(call === 'destroy' ? 'close 1006' : /^close /)
  })

  it('what the application writes to that socket in the same turn waits, and ends no process', async () => {
    const { port, journal, below } = await serve({
      onMessage: (socket, message) => {
        socket.send(message)
        journal.add(`message ${String(message)}`)
        for (let i = 0; i < 5; i++) below[0]?.write(frame({ opcode: OP.TEXT, payload: `by hand ${i}` }))
      },
    })
    const peer = await open(port)
    for (let round = 0; round < 20; round++) {
      peer.write(text(`round ${round}`))
      const words: (string | undefined)[] = []
      for (let i = 0; i < 6; i++) words.push((await peer.readFrame()).text)
      expect(words.sort()).toEqual([
        'by hand 0',
        'by hand 1',
        'by hand 2',
        'by hand 3',
        'by hand 4',
        `round ${round}`,
      ])
    }
  })

  it.each(['renegotiate', 'an empty write'])(
    '%s of that socket, while messages wait, ends no process, and everything arrives',
    async (call) => {
      const { port, sockets, below } = await serve({}, { maxVersion: 'TLSv1.2' })
      const peer = await open(port, { maxVersion: 'TLSv1.2' })
      peer.pause()
      const [socket] = sockets as [ServerSocket]
      let count = 0
      const send = (): boolean => socket.send(`${count++} `.padEnd(15_000, 'ab'))
      await sendUntilBlocked(socket, send)
      if (call === 'renegotiate') below[0]?.renegotiate({}, () => undefined)
      else below[0]?.write('')
      for (let i = 0; i < 3; i++) send()
      await pause(20)
      peer.resume()
      for (let i = 0; i < count; i++) expect((await peer.readFrame()).text).toBe(`${i} `.padEnd(15_000, 'ab'))
    },
  )

  it('what the application writes to that socket behind messages that wait does not stop those that follow', async () => {
    const { port, sockets, below } = await serve()
    const peer = await open(port)
    peer.pause()
    const [socket] = sockets as [ServerSocket]
    let count = 0
    const send = (): boolean => socket.send(`${count++} `.padEnd(15_000, 'ab'))
    await sendUntilBlocked(socket, send)
    const hasLeft = new Promise((resolve) =>
      below[0]?.write(frame({ opcode: OP.PING, payload: '' }), resolve),
    )
    for (let i = 0; i < 3; i++) send()
    peer.resume()
    const texts: (string | undefined)[] = []
    while (texts.length < count) {
      const { opcode, text: received } = await peer.readFrame()
      if (opcode === OP.TEXT) texts.push(received)
    }
    expect(texts).toEqual(Array.from({ length: count }, (_, i) => `${i} `.padEnd(15_000, 'ab')))
    await hasLeft
    expect(socket.bufferedAmount).toBe(0)
  })

  it.each(['renegotiate', 'an empty write'])(
    '%s of that socket inside a handler leaves messages that came together as they are',
    async (call) => {
      const { port, journal, below } = await serve(
        {
          onMessage: (_socket, message) => {
            journal.add(String(message).trim())
            if (journal.lines.length > 2) return
            if (call === 'renegotiate') below[0]?.renegotiate({}, () => undefined)
            else below[0]?.write('')
          },
        },
        { maxVersion: 'TLSv1.2' },
      )
      const peer = await open(port, { maxVersion: 'TLSv1.2' })
      const words = ['one', 'two', 'three', 'four', 'five', 'six']
      const frames = words.map((word) => text(word.padEnd(1000)))
      peer.below.cork()
      peer.write(Buffer.concat(frames.slice(0, 3)))
      peer.write(Buffer.concat(frames.slice(3)))
      await pause(20)
      peer.below.uncork()
      await journal.until('six')
      expect(journal.lines).toEqual(['open', ...words])
    },
  )

  it('a timeout that the application set begins anew with each message that leaves', async () => {
    const timeouts: string[] = []
    const { port, sockets, below } = await serve()
    const peer = await open(port)
    const [secured] = below as [TLSSocket]
    secured.setTimeout(150, () => timeouts.push('timeout'))
    for (let i = 0; i < 8; i++) {
      sockets[0]?.send('still here')
      await pause(50)
    }
    expect(timeouts).toEqual([])
    await once(secured, 'timeout')
    expect((await peer.readFrame()).text).toBe('still here')
  })
})

describe('the handle of a TLS socket is left alone', () => {
  it('of a stream that is no TLS socket, of one that is destroyed, over JavaScript, or not of node:tls itself', () => {
    class Own extends TLSSocket {}
    const nothing = new Duplex({ read: () => undefined, write: () => undefined })
    const destroyed = new TLSSocket(undefined as never)
    destroyed.destroy()
    const sockets = [nothing, destroyed, new TLSSocket(nothing), new Own(undefined as never)]
    expect(sockets.map((socket) => tlsHandleOf(socket))).toEqual([null, null, null, null])
    for (const socket of sockets) socket.destroy()
  })

  it('where the application reads the stream, or reads by a buffer of its own', () => {
    const heard = new TLSSocket(undefined as never)
    heard.on('data', () => undefined)
    const options = { onread: { buffer: Buffer.alloc(10), callback: () => true } }
    const read = new TLSSocket(undefined as never, options as never)
    expect([heard, read].map((socket) => tlsHandleOf(socket))).toEqual([null, null])
    for (const socket of [heard, read]) socket.destroy()
  })
})

describe('in a process of its own', () => {
  const programs = new Programs()
  afterAll(() => programs.remove())

  // The probe of handles asks Node whether a write has ended, and Node tells of the last one.
  it('handles are found also where the last write before is still under way', async () => {
    const { ended } = programs.run(`
      import net from 'node:net'
      import { once } from 'node:events'
      import { handleKit } from './src/native/socket-handle.js'
      const server = net.createServer((socket) => socket.pause()).listen(0)
      await once(server, 'listening')
      const socket = net.connect(server.address().port)
      await once(socket, 'connect')
      while (socket.write(Buffer.alloc(1_000_000)));
      while (socket.writableLength < 20_000_000) socket.write(Buffer.alloc(1_000_000))
      console.log(handleKit() !== null, handleKit()?.hasWritev)
      process.exit()`)
    const { lines, errors } = await ended
    expect([lines, errors]).toEqual([[isNativeOn ? 'true true' : 'false undefined'], ''])
  })
})
