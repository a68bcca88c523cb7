/** What a connection does is the same by the handle (docs/adr/0010), by the stream, and on every kind of port. */
import { createServer, type Server as HttpServer } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import {
  accept,
  connect,
  WebSocketServer,
  type ClientSocket,
  type ServerOptions,
  type ServerService,
  type ServerSocket,
  type Socket,
} from '../../src/index.js'
import { handleKit } from '../../src/native/socket-handle.js'
import { coreOf } from '../../src/socket/base-socket.js'
import { HandleTransport } from '../../src/transport/handle-transport.js'
import { StreamTransport } from '../../src/transport/stream-transport.js'
import { closeFrame, fragments, frame, frameHeader, KEY, OP } from '../helpers/frame-builder.js'
import { Journal } from '../helpers/journal.js'
import { openRaw, requestHead, upgradeRaw, type RawPeer } from '../helpers/raw-peer.js'
import { showInfo } from '../helpers/serving.js'
import { isNativeOn } from '../../src/native/native-switch.js'

const KIB = 1024
const MIB = 1024 * KIB

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const bye = closeFrame(1000, '', { key: KEY })

/** By what a connection reads and writes. */
function transportOf(socket: Socket): object {
  return (coreOf(socket) as unknown as { driver: { transport: object } }).driver.transport
}

type Port = 'listen' | 'attach' | 'a Unix socket'

interface Served {
  readonly server: WebSocketServer
  readonly target: number | string
  readonly http: HttpServer | null
  /** The next connection, when it is open. */
  opened(): Promise<ServerSocket>
}

/** A server at one of the ports; every connection is checked to go by what it should. */
async function start(
  port: Port,
  directIo: boolean,
  service: ServerService = {},
  options: ServerOptions = {},
  mayFallBack = false,
): Promise<Served> {
  const isDirect = directIo && isNativeOn
  const sockets: ServerSocket[] = []
  const journal = new Journal()
  let taken = 0
  const server = new WebSocketServer({ heartbeatIntervalMs: false, ...options, directIo })
  server.route('/', {
    ...service,
    onOpen: (socket: ServerSocket) => {
      // A socket that has ended meanwhile is used as it is.
      if (mayFallBack) expect(isDirect || transportOf(socket) instanceof StreamTransport).toBe(true)
      else expect(transportOf(socket)).toBeInstanceOf(isDirect ? HandleTransport : StreamTransport)
      sockets.push(socket)
      journal.add('open')
    },
  })
  cleanups.push(() => server.terminate())
  const opened = async (): Promise<ServerSocket> => {
    await journal.until(++taken)
    return sockets[taken - 1] as ServerSocket
  }
  if (port === 'listen') {
    const { port: target } = await server.listen(0, '127.0.0.1')
    return { server, target, http: null, opened }
  }
  const http = createServer()
  server.attach(http)
  cleanups.push(() => http.close())
  if (port === 'attach') {
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    return { server, target: (http.address() as AddressInfo).port, http, opened }
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'hawser-io-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  const target = path.join(folder, 's')
  await new Promise<void>((resolve) => http.listen(target, resolve))
  return { server, target, http, opened }
}

async function upgrade(target: number | string): Promise<RawPeer> {
  const peer = await upgradeRaw(target)
  cleanups.push(() => peer.socket.destroy())
  return peer
}

/** Writes down the end of a connection. */
function ending(): { readonly service: ServerService; readonly end: () => Promise<string> } {
  const journal = new Journal()
  return {
    service: { onClose: (_, info) => journal.add(showInfo(info)), onError: () => undefined },
    end: async () => (await journal.until(1)).join(),
  }
}

const ways = (['listen', 'attach', 'a Unix socket'] as const).flatMap((port) =>
  [true, false].map((directIo) => [port, directIo] as const),
)

it('Hawser uses handles in this Node if and only if src/native is on', () => {
  expect(handleKit() !== null).toBe(isNativeOn)
})

describe.each(ways)('a server at %s, directIo %p', (port, directIo) => {
  it.each([0, 1, 125, 126, 65_535, 65_536, 1_000_000])('echoes %i bytes', async (size) => {
    const { target } = await start(port, directIo, { onMessage: (_, message) => message })
    const peer = await upgrade(target)
    const payload = Buffer.alloc(size, 'abcdefg')
    peer.write(frame({ opcode: OP.BINARY, payload, key: KEY }))
    expect((await peer.readFrame()).payload.equals(payload)).toBe(true)
    peer.write(
      fragments(OP.BINARY, [payload.subarray(0, size / 2), '', payload.subarray(size / 2)], { key: KEY }),
    )
    expect((await peer.readFrame()).payload.equals(payload)).toBe(true)
  })

  it('leaves a message that a handler keeps unchanged', async () => {
    const kept: Buffer[] = []
    const journal = new Journal()
    const onBinaryMessage = (_: ServerSocket, bytes: Buffer): void => {
      kept.push(bytes)
      journal.add('message')
    }
    const { target } = await start(port, directIo, { onBinaryMessage })
    const peer = await upgrade(target)
    for (let i = 0; i < 20; i++) {
      peer.write(frame({ opcode: OP.BINARY, payload: Buffer.alloc(3_000, i), key: KEY }))
      await journal.until(i + 1)
    }
    kept.forEach((bytes, i) => expect(bytes.equals(Buffer.alloc(3_000, i))).toBe(true))
  })

  it('sends 8 MiB, which the system takes in parts, whole and in order', async () => {
    const { target, opened } = await start(
      port,
      directIo,
      {},
      { slowConsumer: 'buffer', perMessageDeflate: false },
    )
    const peer = await upgrade(target)
    const socket = await opened()
    peer.pause()
    const payload = Buffer.alloc(8 * MIB)
    for (let i = 0; i < payload.length; i += 4) payload.writeUInt32BE(i, i)
    expect(socket.send(payload)).toBe(false)
    expect(socket.bufferedAmount).toBeGreaterThan(0)
    socket.send('behind it')
    let isDrained = false
    const drained = socket.drained().then(() => (isDrained = true))
    for (let i = 0; i < 100; i++) await turn()
    expect(isDrained).toBe(false)
    const chunks: Buffer[] = []
    const journal = new Journal()
    peer.socket.removeAllListeners('data').on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      if (chunk.includes('behind it')) journal.add('all')
    })
    peer.resume()
    await Promise.all([drained, journal.until('all')])
    const all = Buffer.concat(chunks)
    expect(all.subarray(10, 10 + payload.length).equals(payload)).toBe(true)
    expect(socket.bufferedAmount).toBe(0)
  })

  it('bounds the output of a peer that never reads, and closes the connection', async () => {
    const { service, end } = ending()
    const { target, opened } = await start(port, directIo, service, { perMessageDeflate: false })
    const peer = await upgrade(target)
    const socket = await opened()
    peer.pause()
    const block = Buffer.alloc(64 * KIB)
    while (socket.readyState === 1) {
      socket.send(block)
      expect(socket.bufferedAmount).toBeLessThan(MIB + 4 * block.length)
    }
    socket.terminate()
    expect(await end()).toMatch(/^closed 1008 .*unclean/)
  })

  it('stops reading from the network on pause() and reads on after resume()', async () => {
    const count = 64
    const journal = new Journal()
    const { target, opened } = await start(port, directIo, {
      onBinaryMessage: (_, bytes) => journal.add(String(bytes.readUInt32BE(0))),
    })
    const peer = await upgrade(target)
    const socket = await opened()
    socket.pause()
    const rest = frame({ opcode: OP.CONTINUATION, payload: Buffer.alloc(512 * KIB), key: KEY })
    for (let i = 0; i < count; i++) {
      const payload = Buffer.alloc(4)
      payload.writeUInt32BE(i)
      peer.write(frame({ opcode: OP.BINARY, payload, key: KEY, fin: false }))
      peer.write(rest)
    }
    for (let i = 0; i < 300; i++) await turn()
    expect(peer.socket.writableLength).toBeGreaterThan(8 * MIB)
    expect(journal.lines).toEqual([])
    socket.resume()
    await journal.until(count)
    expect(journal.lines).toEqual(Array.from({ length: count }, (_, i) => String(i)))
  })

  it('closes when the peer does, and by itself', async () => {
    const { service, end } = ending()
    const { target } = await start(port, directIo, service)
    const peer = await upgrade(target)
    peer.write(bye)
    expect((await peer.readToClose()).closeCode).toBe(1000)
    await peer.ended()
    peer.end()
    await peer.closed()
    expect(await end()).toBe('closed 1000 clean remote')

    const second = ending()
    const { target: other, opened } = await start(port, directIo, second.service)
    const last = await upgrade(other)
    const closing = (await opened()).close(1000, 'done')
    expect((await last.readToClose()).closeReason).toBe('done')
    last.write(bye)
    last.end()
    await last.closed()
    expect((await closing).wasClean).toBe(true)
    expect(await second.end()).toBe('closed 1000 clean local')
  })

  it.each<readonly [string, (peer: RawPeer, socket: ServerSocket) => void]>([
    ['terminate()', (_, socket) => socket.terminate()],
    ['a FIN', (peer) => peer.end()],
    [
      'a reset in the middle of a message',
      (peer) => (port === 'a Unix socket' ? peer.socket.destroy() : peer.reset()),
    ],
  ])('reports 1006 once after %s', async (_, act) => {
    const { service, end } = ending()
    const { server, target, opened, http } = await start(port, directIo, service)
    const peer = await upgrade(target)
    const socket = await opened()
    peer.write(frameHeader({ opcode: OP.BINARY, announce: 1000, key: KEY }), Buffer.alloc(10))
    for (let i = 0; i < 5; i++) await turn()
    act(peer, socket)
    expect(await end()).toMatch(/^closed 1006 unclean/)
    peer.socket.destroy()
    await server.close()
    // The HTTP server has seen its own socket end: else this would never be.
    if (http !== null) await new Promise<void>((resolve) => http.close(() => resolve()))
  })

  it('still answers when a FIN follows the request before an async onUpgrade decides', async () => {
    const journal = new Journal()
    let decide = (): void => undefined
    const decided = new Promise<void>((resolve) => (decide = resolve))
    const onUpgrade = async (): Promise<ReturnType<typeof accept>> => {
      journal.add('asked')
      await decided
      return accept()
    }
    const { service, end } = ending()
    const { target } = await start(port, directIo, { ...service, onUpgrade }, {}, true)
    const peer = await openRaw(target)
    cleanups.push(() => peer.socket.destroy())
    peer.write(requestHead())
    await journal.until('asked')
    peer.end()
    for (let i = 0; i < 10; i++) await turn()
    decide()
    expect((await peer.readHead()).status).toBe(101)
    expect(await end()).toMatch(/^closed 1006 unclean/)
  })

  // Nobody can reset a Unix socket.
  if (port === 'a Unix socket') return
  it('opens no connection after a reset during onUpgrade, and serves the next one', async () => {
    const journal = new Journal()
    const { server, target } = await start(port, directIo, {
      onUpgrade: async ({ signal }) => {
        if (journal.lines.length > 0) return accept()
        journal.add('asked')
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
        journal.add('gone')
        return accept()
      },
    })
    const peer = await openRaw(target)
    peer.write(requestHead())
    await journal.until('asked')
    peer.reset()
    await journal.until('gone')
    expect(server.connectionCount).toBe(0)
    ;(await upgrade(target)).reset()
  })

  it('opens no connection after a reset while a sync onUpgrade decides, or right after the request', async () => {
    const { service, end } = ending()
    let peer: RawPeer | null = null
    const onUpgrade = (): ReturnType<typeof accept> => {
      peer?.reset()
      return accept()
    }
    const { server, target } = await start(port, directIo, { ...service, onUpgrade }, {}, true)
    peer = await openRaw(target)
    peer.write(requestHead())
    expect(await end()).toMatch(/^closed 1006 unclean/)
    peer = null
    ;(await upgrade(target)).reset()
    await server.close()
  })
})

describe.each([true, false])('attach, directIo %p', (directIo) => {
  it.each<readonly [string, (peer: RawPeer) => void]>([
    ['a close', (peer) => (peer.write(bye), peer.end())],
    ['a reset', (peer) => peer.reset()],
  ])("closes the HTTP server's own socket after %s, so that the server counts it off", async (_, act) => {
    const { http, target } = await start('attach', directIo)
    const closed = new Promise<void>((resolve) => {
      http?.on('connection', (socket) => socket.once('close', () => resolve()))
    })
    const peer = await upgrade(target)
    act(peer)
    await closed
    const count = await new Promise((resolve) => http?.getConnections((_error, n) => resolve(n)))
    expect(count).toBe(0)
    await new Promise<void>((resolve) => http?.close(() => resolve()))
  })
})

describe.each([
  [true, true],
  [true, false],
  [false, true],
  [false, false],
])('a client with directIo %p at a server with directIo %p', (client, server) => {
  it('exchanges messages, pauses, closes and terminates', async () => {
    const { target, opened } = await start('listen', server, { onMessage: (_, message) => message })
    const open = (): Promise<ClientSocket> =>
      connect(`ws://127.0.0.1:${String(target)}/`, { directIo: client, heartbeatIntervalMs: false })
    const socket = await open()
    expect(transportOf(socket)).toBeInstanceOf(client && isNativeOn ? HandleTransport : StreamTransport)
    await opened()
    socket.send('hello')
    expect(await socket.receive()).toBe('hello')
    const big = Buffer.alloc(MIB - 100, 'abc')
    socket.send(big)
    expect(big.equals((await socket.receive()) as Buffer)).toBe(true)
    expect((await socket.close()).wasClean).toBe(true)

    const cut = await open()
    const far = await opened()
    far.terminate()
    await expect(cut.receive()).rejects.toMatchObject({ closeCode: 1006 })
  })
})
