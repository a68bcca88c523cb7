/** Peers that do not read, peers that write too much, and how many writes many messages take. */
import { createServer } from 'node:http'
import type { AddressInfo, Socket as TcpSocket } from 'node:net'
import { Duplex } from 'node:stream'
import {
  WebSocketServer,
  type ServerOptions,
  type ServerService,
  type ServerSocket,
} from '../../src/index.js'
import { closeFrame, frame, frames, KEY, OP, readFrames, type WireFrame } from '../helpers/frame-builder.js'
import { Journal } from '../helpers/journal.js'
import { openRaw, requestHead, upgradeRaw, type RawPeer } from '../helpers/raw-peer.js'
import { serve, showInfo, stopServing } from '../helpers/serving.js'

const KIB = 1024
const MIB = 1024 * KIB
/** More than the buffers of the system hold between two that do not read. */
const HUGE = Buffer.alloc(24 * MIB)

const cleanups: (() => unknown)[] = []
afterEach(() => {
  stopServing()
  for (const cleanup of cleanups.splice(0)) cleanup()
})

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A peer that does not read, and the socket of its connection. */
async function silent(
  options: ServerOptions = {},
  service: ServerService = {},
): Promise<{ peer: RawPeer; socket: ServerSocket }> {
  const opened = new Promise<ServerSocket>((resolve) => {
    service = { ...service, onOpen: (socket: ServerSocket) => resolve(socket) }
  })
  const { port } = await serve(service, { perMessageDeflate: false, heartbeatIntervalMs: false, ...options })
  const peer = await upgradeRaw(port)
  peer.pause()
  cleanups.push(() => peer.socket.destroy())
  return { peer, socket: await opened }
}

/** Reads on, without looking at what comes. */
function discard(peer: RawPeer): void {
  peer.socket.removeAllListeners('data').resume()
}

/** Reads on until the FIN, and takes it apart once. */
async function readAll(peer: RawPeer): Promise<readonly WireFrame[]> {
  const chunks: Buffer[] = []
  peer.socket.removeAllListeners('data').on('data', (chunk: Buffer) => chunks.push(chunk))
  peer.resume()
  await new Promise((resolve) => peer.socket.once('end', resolve))
  peer.end()
  const { frames: found, rest } = readFrames(Buffer.concat(chunks))
  expect(rest).toHaveLength(0)
  return found
}

describe('send, drained and onDrain', () => {
  it('send returns true up to the high-water mark and false above it, and onDrain is called when the peer reads', async () => {
    const journal = new Journal()
    const { peer, socket } = await silent(
      { slowConsumer: 'buffer' },
      { onDrain: () => journal.add(`drain ${String(socket.bufferedAmount <= 64 * KIB)}`) },
    )
    expect(socket.send('x')).toBe(true)
    await socket.drained()
    expect(socket.send(HUGE)).toBe(false)
    expect(socket.send('y')).toBe(false)
    expect(socket.bufferedAmount).toBeGreaterThan(64 * KIB)
    const drained = socket.drained().then(() => journal.add('drained'))
    await turn()
    expect(journal.lines).toEqual([])
    discard(peer)
    await drained
    await journal.until(2)
    expect([...journal.lines].sort()).toEqual(['drain true', 'drained'])
    expect(socket.send('z')).toBe(true)
  })

  it('highWaterMarkBytes sets the mark', async () => {
    const { socket } = await silent({ limits: { highWaterMarkBytes: 0 } })
    expect(socket.send('x')).toBe(false)
    await socket.drained()
    expect(socket.bufferedAmount).toBe(0)
  })

  it('drained rejects after timeoutMs, by its signal and at the end of the connection', async () => {
    const { peer, socket } = await silent({ slowConsumer: 'buffer' })
    socket.send(HUGE)
    await expect(socket.drained({ timeoutMs: 10 })).rejects.toMatchObject({ name: 'TimeoutError' })
    const reason = new Error('enough')
    const controller = new AbortController()
    const aborted = socket.drained({ signal: controller.signal }).catch((error: unknown) => error)
    controller.abort(reason)
    await expect(aborted).resolves.toBe(reason)
    const ended = socket.drained().catch((error: unknown) => error)
    peer.reset()
    await expect(ended).resolves.toMatchObject({ name: 'ConnectionClosedError', closeCode: 1006 })
  })

  it('a reply that does not leave delays the next message, and pings are answered after it', async () => {
    const journal = new Journal()
    const { peer, socket } = await silent(
      { slowConsumer: 'buffer' },
      {
        onTextMessage: (_, message) => {
          journal.add(message)
          return message === '1' ? HUGE : undefined
        },
      },
    )
    peer.write(frames(...['1', '2'].map((payload) => ({ opcode: OP.TEXT, payload, key: KEY }))))
    await journal.until('1')
    await turn()
    expect(journal.lines).toEqual(['1'])
    expect(socket.bufferedAmount).toBeGreaterThan(64 * KIB)
    discard(peer)
    await journal.until('2')
  })
})

describe('slowConsumer', () => {
  const block = Buffer.alloc(64 * KIB)

  it('close ends the connection with 1008 after whole frames, bounds memory, and calls onError and onClose', async () => {
    const journal = new Journal()
    const { peer, socket } = await silent(
      {},
      {
        onError: (_, error) => journal.add(`error ${(error as { code?: string }).code}`),
        onClose: (_, info) => journal.add(showInfo(info)),
      },
    )
    let most = 0
    while (socket.readyState === 1) {
      socket.send(block)
      most = Math.max(most, socket.bufferedAmount)
    }
    expect(most).toBeGreaterThan(MIB)
    expect(most).toBeLessThan(MIB + 3 * 64 * KIB)
    expect(socket.send('x')).toBe(false)
    const found = await readAll(peer)
    expect(
      found.slice(0, -1).every(({ opcode, payload }) => opcode === OP.BINARY && payload.equals(block)),
    ).toBe(true)
    expect(found.at(-1)).toMatchObject({ opcode: OP.CLOSE, closeCode: 1008 })
    await journal.until(2)
    expect(journal.lines[0]).toBe('error HAWSER_SLOW_CONSUMER')
    expect(journal.lines[1]).toMatch(/^closed 1008 ".*maxBufferedOutputBytes.*" unclean engine$/)
  })

  it('close cuts a peer that never reads after closeTimeoutMs', async () => {
    const journal = new Journal()
    const { socket } = await silent(
      { closeTimeoutMs: 30 },
      { onClose: (_, info) => journal.add(showInfo(info)) },
    )
    while (socket.readyState === 1) socket.send(block)
    expect((await journal.until(1))[0]).toMatch(/^closed 1008 /)
    expect(socket.readyState).toBe(3)
  })

  it('drop leaves out whole messages above the limit, and the connection stays open', async () => {
    const { peer, socket } = await silent({ slowConsumer: 'drop' })
    const count = 1_000
    for (let i = 0; i < count; i++) {
      block.writeUInt32BE(i)
      socket.send(block)
      expect(socket.bufferedAmount).toBeLessThan(MIB + 3 * 64 * KIB)
    }
    expect(socket.readyState).toBe(1)
    const all = readAll(peer)
    await socket.drained()
    expect(socket.send('last')).toBe(true)
    void socket.close(1000)
    // Two ends of one connection in one process: the peer's Close is written blindly.
    peer.write(closeFrame(1000, '', { key: KEY }))
    const found = await all
    expect(found.slice(-2)).toMatchObject([{ text: 'last' }, { closeCode: 1000 }])
    const numbers = found.slice(0, -2).map(({ payload }) => payload.readUInt32BE(0))
    expect(numbers.length).toBeGreaterThan(16)
    expect(numbers.length).toBeLessThan(count)
    // The first ones came, none twice and none out of order.
    expect(numbers).toEqual(numbers.map((_, i) => i))
  })

  it('buffer leaves out nothing', async () => {
    const { peer, socket } = await silent({ slowConsumer: 'buffer' })
    const count = 400
    for (let i = 0; i < count; i++) {
      block.writeUInt32BE(i)
      socket.send(block)
    }
    expect(socket.bufferedAmount).toBeGreaterThan(MIB)
    void socket.close(1000)
    const all = readAll(peer)
    peer.write(closeFrame(1000, '', { key: KEY }))
    const numbers = (await all).slice(0, -1).map(({ payload }) => payload.readUInt32BE(0))
    expect(numbers).toEqual(Array.from({ length: count }, (_, i) => i))
  })

  it('few pongs are kept for a peer that pings and does not read, and the newest ping is answered', async () => {
    const pings: string[] = []
    const journal = new Journal()
    const { peer, socket } = await silent(
      { slowConsumer: 'buffer' },
      {
        onPing: (_, data) => {
          pings.push(data.toString())
          if (pings.length === 10_000) journal.add('all')
        },
      },
    )
    socket.send(HUGE)
    await turn()
    const before = socket.bufferedAmount
    for (let i = 0; i < 100; i++) {
      const some = Array.from({ length: 100 }, (_, j) => ({
        opcode: OP.PING,
        payload: `${i * 100 + j}`,
        key: KEY,
      }))
      peer.write(frames(...some))
    }
    await journal.until('all')
    expect(socket.bufferedAmount - before).toBeLessThan(KIB)
    const all = readAll(peer)
    void socket.close(1000)
    peer.write(closeFrame(1000, '', { key: KEY }))
    const pongs = (await all).filter(({ opcode }) => opcode === OP.PONG)
    expect(pongs.length).toBeLessThanOrEqual(17)
  })
})

describe('a peer that writes faster than the handlers work', () => {
  it('is no longer read, and all its messages are handled in the end', async () => {
    const http = createServer()
    const transports: TcpSocket[] = []
    http.on('connection', (transport) => transports.push(transport))
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    let open = (): void => undefined
    const opened = new Promise<void>((resolve) => (open = resolve))
    const count = 16 * KIB
    const journal = new Journal()
    let next = 0
    // By the stream, whose counters tell what was read.
    const server = new WebSocketServer({ directIo: false })
    server.attach(http)
    server.route('/', {
      onBinaryMessage: (_, bytes) => {
        expect(bytes.readUInt32BE(0)).toBe(next++)
        if (next === count) journal.add('all')
        return next === 1 ? opened : undefined
      },
    })
    cleanups.push(() => (server.terminate(), http.close()))
    const peer = await upgradeRaw((http.address() as AddressInfo).port)
    cleanups.push(() => peer.socket.destroy())
    const transport = transports[0] as TcpSocket
    const rest = frame({ opcode: OP.CONTINUATION, payload: Buffer.alloc(KIB), key: KEY })
    for (let i = 0; i < count; i++) {
      const payload = Buffer.alloc(4)
      payload.writeUInt32BE(i)
      const start = frame({ opcode: OP.BINARY, payload, key: KEY, fin: false })
      peer.socket.write(Buffer.concat([start, rest]))
    }
    while (!transport.isPaused()) await turn()
    for (let i = 0; i < 100; i++) await turn()
    expect(transport.isPaused()).toBe(true)
    // 64 messages, and what one read brought beside them; the stream holds as much again.
    expect(transport.bytesRead).toBeLessThan(512 * KIB)
    expect(next).toBe(1)
    open()
    await journal.until('all')
  })
})

describe('many messages in one go', () => {
  /** The far end of nothing: takes all and counts how often. */
  class Counter extends Duplex {
    readonly writes: Buffer[] = []
    override _read(): void {
      // Nothing ever comes.
    }
    override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
      this.writes.push(chunk)
      done()
    }
    override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
      this.writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk)))
      done()
    }
  }

  /** Connections over counters, by the heads of real requests. */
  async function counted(count: number): Promise<{ counter: Counter; socket: ServerSocket }[]> {
    const sockets: ServerSocket[] = []
    const server = new WebSocketServer()
    server.route('/', { onOpen: (socket) => void sockets.push(socket) })
    const http = createServer()
    const counters: Counter[] = []
    const arrived = new Journal()
    http.on('upgrade', (request, transport, head) => {
      transport.on('error', () => undefined)
      const counter = new Counter()
      counters.push(counter)
      server.handleUpgrade(request, counter, head)
      transport.destroy()
      arrived.add('upgrade')
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => (server.terminate(), http.close()))
    for (let i = 0; i < count; i++) {
      const peer = await openRaw((http.address() as AddressInfo).port)
      peer.write(requestHead())
      await arrived.until(i + 1)
      peer.socket.destroy()
    }
    for (const counter of counters) counter.writes.length = 0
    return counters.map((counter, i) => ({ counter, socket: sockets[i] as ServerSocket }))
  }

  it('100 sends in one turn leave in one write', async () => {
    const [one] = await counted(1)
    const { counter, socket } = one as { counter: Counter; socket: ServerSocket }
    for (let i = 0; i < 100; i++) socket.send(`message ${i}`)
    expect(counter.writes).toHaveLength(0)
    await turn()
    expect(counter.writes).toHaveLength(1)
    const sent = readFrames(counter.writes[0] as Buffer).frames.map(({ text }) => text)
    expect(sent).toEqual(Array.from({ length: 100 }, (_, i) => `message ${i}`))
  })

  it('100 messages to each of 10 connections leave in one write for each', async () => {
    const all = await counted(10)
    for (let i = 0; i < 100; i++) for (const { socket } of all) socket.send('to all')
    await turn()
    expect(all.map(({ counter }) => counter.writes.length)).toEqual(Array.from({ length: 10 }, () => 1))
  })

  it('the replies to 100 messages of one read leave together', async () => {
    const { port } = await serve({ onMessage: (_, message) => message }, { perMessageDeflate: false })
    const peer = await upgradeRaw(port)
    cleanups.push(() => peer.socket.destroy())
    const before = peer.chunks.length
    peer.write(frames(...Array.from({ length: 100 }, () => ({ opcode: OP.TEXT, payload: 'x', key: KEY }))))
    for (let i = 0; i < 100; i++) expect((await peer.readFrame()).text).toBe('x')
    expect(peer.chunks.length - before).toBe(1)
  })
})
