// slow: peers that stall until megabytes wait, over TCP and TLS
/** What the web-platform-tests do not ask of WebSocketStream: bounds in both directions, and what becomes of what waits. */
import type { WebSocketServer, ServerSocket } from '../../src/index.js'
import { WebSocketStream, type WebSocketStreamOptions } from '../../src/whatwg/index.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { closeFrame, frame, OP } from '../helpers/frame-builder.js'
import { acceptRaw, RawServer, type RawPeer } from '../helpers/raw-peer.js'
import { serve, stopServing } from '../helpers/serving.js'
import { nameOfRejection, sleep } from './wpt/world.js'

const MIB = 1024 * 1024

let raw: RawServer | null = null

afterEach(async () => {
  stopServing()
  await raw?.close()
  raw = null
})

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload })

async function against(serving: (peer: RawPeer) => unknown, options: WebSocketStreamOptions = {}) {
  raw = await RawServer.start(serving)
  const stream = new WebSocketStream(raw.url, { perMessageDeflate: false, ...options })
  return { stream, ...(await stream.opened) }
}

/** The only socket of a server. */
async function onlySocket(server: WebSocketServer): Promise<ServerSocket> {
  for (;;) {
    const [socket] = server.sockets
    if (socket !== undefined) return socket
    await sleep(5)
  }
}

/** Waits until a number stays the same for 200 ms. */
async function settled(look: () => number): Promise<number> {
  for (let last = look(); ; last = look()) {
    await sleep(200)
    if (look() === last) return last
  }
}

describe('the readable of a WebSocketStream', () => {
  it.each(['ws', 'wss'])(
    'over %s leaves 50 MB with the server while nobody reads, and gives all of it then',
    async (scheme) => {
      const message = new Uint8Array(MIB).fill(7)
      const { server, port } = await serve(
        {
          onOpen: (socket) => {
            for (let i = 0; i < 50; i++) socket.send(message)
          },
        },
        {
          slowConsumer: 'buffer',
          perMessageDeflate: false,
          ...(scheme === 'wss' ? { tls: SERVER_TLS } : {}),
        },
      )
      const stream = new WebSocketStream(`${scheme}://localhost:${String(port)}/`, { tls: TRUST_SERVER })
      const { readable } = await stream.opened
      const socket = await onlySocket(server)
      // The system's buffers of both ends hold some MiB; this side has a message and a read buffer.
      expect(await settled(() => socket.bufferedAmount)).toBeGreaterThan(35 * MIB)

      const reader = readable.getReader()
      let bytes = 0
      for (let i = 0; i < 50; i++) bytes += ((await reader.read()).value as Uint8Array).length
      expect(bytes).toBe(50 * MIB)
      await settled(() => socket.bufferedAmount)
      expect(socket.bufferedAmount).toBe(0)
      stream.close()
      await stream.closed
    },
  )

  it('gives what was received before the Close frame of the server', async () => {
    const { stream, readable, writable } = await against(async (peer) => {
      await acceptRaw(
        peer,
        {},
        text('1'),
        text('2'),
        frame({ opcode: OP.BINARY, payload: [3] }),
        closeFrame(1000),
      )
      await peer.readToClose()
      peer.end()
    })
    expect(await stream.closed).toEqual({ closeCode: 1000, reason: '' })
    const got: unknown[] = []
    for await (const message of readable) got.push(message)
    expect(got).toEqual(['1', '2', new Uint8Array([3])])
    expect(await nameOfRejection(writable.getWriter().closed)).toBe('InvalidStateError')
  })

  it('answers pings, and the Close frame, while it has room', async () => {
    const { stream } = await against(async (peer) => {
      await acceptRaw(peer, {}, text('unread'), frame({ opcode: OP.PING, payload: 'x' }))
      expect((await peer.readFrame()).opcode).toBe(OP.PONG)
      peer.write(closeFrame(4001, 'seen'))
      await peer.readToClose()
      peer.end()
    })
    expect(await stream.closed).toEqual({ closeCode: 4001, reason: 'seen' })
  })

  it('is bounded by highWaterMarkBytes, empty messages included, and sees the Close frame once it is read', async () => {
    const { stream, readable } = await against(
      async (peer) => {
        await acceptRaw(peer, {}, ...Array.from({ length: 1000 }, () => text('')), closeFrame(1000))
        await peer.readToClose()
        peer.end()
      },
      { limits: { highWaterMarkBytes: 640 } },
    )
    let isClosed = false
    void stream.closed.then(() => (isClosed = true))
    await sleep(100)
    expect(isClosed).toBe(false)
    let count = 0
    for await (const message of readable) count += message === '' ? 1 : 1000
    expect(count).toBe(1000)
    expect(await stream.closed).toEqual({ closeCode: 1000, reason: '' })
  })

  it('drops what is received after close(), so that the end comes although nobody reads', async () => {
    const message = frame({ opcode: OP.BINARY, payload: new Uint8Array(MIB) })
    const { stream, readable } = await against(async (peer) => {
      await acceptRaw(peer)
      for (let i = 0; i < 30; i++) peer.write(message)
      await peer.readToClose()
      peer.write(closeFrame(1000, 'bye'))
      peer.end()
    })
    await sleep(50)
    stream.close({ closeCode: 1000 })
    expect(await stream.closed).toEqual({ closeCode: 1000, reason: 'bye' })
    const got: unknown[] = []
    for await (const one of readable) got.push(one)
    expect(got.length).toBeLessThan(3)
  })

  it('goes on without its cancelled readable: nothing is kept', async () => {
    const { stream, readable, writable } = await against(async (peer) => {
      await acceptRaw(peer)
      peer.write(text('late'))
      const { payload } = await peer.readToClose()
      peer.write(frame({ opcode: OP.CLOSE, payload }))
      peer.end()
    })
    await readable.cancel()
    expect(await stream.closed).toEqual({ closeCode: 1005, reason: '' })
    expect(await nameOfRejection(writable.getWriter().write('x'))).toBe('InvalidStateError')
  })
})

describe('the writable of a WebSocketStream', () => {
  it('lets 50 MB wait for a server that stalls, one message at a time, and writes all when it reads', async () => {
    let received = 0
    let peer: RawPeer | undefined
    const { stream, writable } = await against(async (one) => {
      peer = one
      await acceptRaw(one)
      one.pause()
      // Only counted: nobody looks at the frames.
      one.socket.removeAllListeners('data').on('data', (chunk: Buffer) => (received += chunk.length))
      one.pause()
    })
    peer?.pause()
    const writer = writable.getWriter()
    let done = 0
    const writes = Array.from({ length: 50 }, () => writer.write(new Uint8Array(MIB)).then(() => done++))
    const taken = await settled(() => done)
    // What the buffers of the system took.
    expect(taken).toBeLessThan(20)
    expect(writer.desiredSize).toBeLessThan(-25)
    expect(received).toBe(0)
    peer?.resume()
    await Promise.all(writes)
    await writer.ready
    expect([done, writer.desiredSize]).toEqual([50, 1])
    while (received < 50 * MIB) await sleep(5)
    peer?.write(closeFrame(1000))
    peer?.end()
    expect(await nameOfRejection(stream.closed)).toBe('nothing')
  })

  it('rejects a write that is on its way, and those that wait, when the connection is lost', async () => {
    let peer: RawPeer | undefined
    const { stream, readable, writable } = await against(async (one) => {
      peer = one
      await acceptRaw(one)
      one.pause()
    })
    const writer = writable.getWriter()
    const writes = Array.from({ length: 30 }, () => nameOfRejection(writer.write(new Uint8Array(MIB))))
    const closing = nameOfRejection(writer.close())
    await sleep(100)
    peer?.reset()
    expect((await Promise.all(writes)).at(-1)).toBe('WebSocketError')
    expect(await closing).toBe('WebSocketError')
    expect(await nameOfRejection(readable.getReader().read())).toBe('WebSocketError')
    expect(await nameOfRejection(stream.closed)).toBe('WebSocketError')
  })

  it('closes at once when it is aborted, also while a write waits for the server', async () => {
    const { stream, writable } = await against(
      async (peer) => {
        await acceptRaw(peer)
        peer.pause()
      },
      { limits: { closeTimeoutMs: 100 } },
    )
    const writer = writable.getWriter()
    const write = nameOfRejection(writer.write(new Uint8Array(30 * MIB)))
    await sleep(50)
    void writer.abort(new Error('enough')).catch(() => undefined)
    expect(await nameOfRejection(stream.closed)).toBe('WebSocketError')
    expect(await write).toBe('WebSocketError')
  })

  it('rejects what is written after close(), at the end of the connection', async () => {
    const { url } = await serve({ onMessage: () => undefined })
    const stream = new WebSocketStream(url)
    const { writable } = await stream.opened
    stream.close()
    expect(await nameOfRejection(writable.getWriter().write('late'))).toBe('InvalidStateError')
  })

  it('refuses a Blob, which the standard would send as its name', async () => {
    const { url } = await serve({ onMessage: () => undefined })
    const stream = new WebSocketStream(url)
    const { writable } = await stream.opened
    await expect(writable.getWriter().write(new Blob(['x']) as unknown as string)).rejects.toThrow(TypeError)
    stream.close()
    await stream.closed
  })
})

describe('the promises of a WebSocketStream', () => {
  it('may reject without anybody listening, and the errors say why', async () => {
    const unhandled: unknown[] = []
    const listener = (reason: unknown): unknown => unhandled.push(reason)
    process.on('unhandledRejection', listener)
    try {
      const stream = new WebSocketStream('ws://127.0.0.1:1/')
      const lost = await against(async (peer) => {
        await acceptRaw(peer)
        peer.reset()
      })
      await sleep(100)
      expect(unhandled).toEqual([])
      const error = await stream.opened.catch((one: unknown) => one)
      expect(error).toMatchObject({ closeCode: null, cause: { code: 'HAWSER_CONNECTION_FAILED' } })
      await expect(lost.stream.closed).rejects.toMatchObject({ closeCode: 1006, reason: '' })
    } finally {
      process.off('unhandledRejection', listener)
    }
  })

  it('throw at once where an option is wrong', () => {
    const made = (options: object) => () => new WebSocketStream('ws://127.0.0.1:1/', options)
    expect(made({ timeout: 5 })).toThrow(/WebSocketStreamOptions has no option "timeout"/)
    expect(made({ limits: { highWaterMarkBytes: -1 } })).toThrow(RangeError)
  })
})
