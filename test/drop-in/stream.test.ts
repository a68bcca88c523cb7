import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import type { Duplex, DuplexOptions } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { WebSocket, WebSocketServer } from 'ws'
import { IMPLEMENTATIONS } from './implementations.js'

/** Two ends of a connection: `socket` is wrapped in a stream, `peer` is the other end. */
interface Ends {
  readonly socket: WebSocket
  readonly peer: WebSocket
}

// Both streams run over the WebSocket of ws.
describe.each(IMPLEMENTATIONS)('createWebSocketStream of %s', (_name, { createWebSocketStream }) => {
  let server: WebSocketServer
  let url: string

  beforeEach(async () => {
    server = new WebSocketServer({ port: 0 })
    await once(server, 'listening')
    url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  })

  afterEach(async () => {
    for (const client of server.clients) client.terminate()
    await new Promise((resolve) => server.close(resolve))
  })

  const connect = async (): Promise<Ends> => {
    const socket = new WebSocket(url)
    const [[peer]] = (await Promise.all([once(server, 'connection'), once(socket, 'open')])) as [
      [WebSocket],
      unknown,
    ]
    return { socket, peer }
  }

  const wrap = (socket: WebSocket, options?: DuplexOptions): Duplex =>
    createWebSocketStream(socket as Parameters<typeof createWebSocketStream>[0], options)

  /** The events of a stream, in their order. */
  const watch = (stream: Duplex): string[] => {
    const events: string[] = []
    for (const name of ['end', 'finish', 'close']) stream.on(name, () => events.push(name))
    stream.on('error', (error) => events.push(`error: ${error.message}`))
    return events
  }

  it('sends each chunk as a message: text of strings with decodeStrings false, else bytes', async () => {
    const { socket, peer } = await connect()
    const stream = wrap(socket, { decodeStrings: false })
    const messages: unknown[] = []
    peer.on('message', (data: Buffer, isBinary) => messages.push([data.toString(), isBinary]))
    stream.write('text')
    stream.write(Buffer.from('bytes'))
    while (messages.length < 2) await turn()
    expect(messages).toEqual([
      ['text', false],
      ['bytes', true],
    ])
  })

  it('reads text as strings with readableObjectMode, a chunk for each message, and bytes as Buffers', async () => {
    const { socket, peer } = await connect()
    const stream = wrap(socket, { readableObjectMode: true })
    const chunks: unknown[] = []
    stream.on('data', (chunk) => chunks.push(chunk))
    for (const data of ['a', '', Buffer.from('b')]) peer.send(data)
    while (chunks.length < 3) await turn()
    expect(chunks).toEqual(['a', '', Buffer.from('b')])
  })

  it('reads bytes, without object mode', async () => {
    const { socket, peer } = await connect()
    const stream = wrap(socket)
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    peer.send('aé')
    peer.send(Buffer.from([1, 2]))
    while (Buffer.concat(chunks).length < 5) await turn()
    expect(Buffer.concat(chunks)).toEqual(Buffer.from([0x61, 0xc3, 0xa9, 1, 2]))
  })

  it('writes once the connection is open', async () => {
    const socket = new WebSocket(url)
    const stream = wrap(socket)
    stream.write('early')
    const [peer] = (await once(server, 'connection')) as [WebSocket]
    const [data] = (await once(peer, 'message')) as [Buffer]
    expect(data.toString()).toBe('early')
  })

  it('closes the connection at its end, and is closed after both ends', async () => {
    const { socket, peer } = await connect()
    const stream = wrap(socket)
    const events = watch(stream)
    const closed = once(peer, 'close')
    stream.resume()
    stream.end('last')
    const [data] = (await once(peer, 'message')) as [Buffer]
    expect(data.toString()).toBe('last')
    expect((await closed)[0]).toBe(1005)
    await once(stream, 'close')
    expect(events).toEqual(['finish', 'end', 'close'])
  })

  it('is not closed at its end while there is something to read', async () => {
    const { socket, peer } = await connect()
    const stream = wrap(socket)
    const events = watch(stream)
    peer.send('unread')
    stream.end()
    await once(stream, 'finish')
    await once(socket, 'close').catch(() => undefined)
    await turn()
    expect(events).toEqual(['finish'])
    stream.resume()
    await once(stream, 'close')
    expect(events).toEqual(['finish', 'end', 'close'])
  })

  it('ends when the peer closes, and may still be ended itself', async () => {
    const { socket, peer } = await connect()
    const stream = wrap(socket)
    const events = watch(stream)
    stream.resume()
    peer.close(1000)
    await once(stream, 'end')
    await turn()
    expect(events).toEqual(['end'])
  })

  it('finishes as well when the peer closes, with allowHalfOpen false', async () => {
    const { socket, peer } = await connect()
    const stream = wrap(socket, { allowHalfOpen: false })
    const events = watch(stream)
    stream.resume()
    peer.close(1000)
    await once(stream, 'close')
    expect(events).toEqual(['end', 'finish', 'close'])
  })

  it('terminates the connection where it is destroyed, and reports no error', async () => {
    const { socket, peer } = await connect()
    const stream = wrap(socket)
    const events = watch(stream)
    const closed = once(peer, 'close')
    stream.destroy()
    await once(stream, 'close')
    expect((await closed)[0]).toBe(1006)
    expect(events).toEqual(['close'])
    expect(socket.readyState).toBe(WebSocket.CLOSED)
  })

  it('reports the error with which it is destroyed', async () => {
    const { socket } = await connect()
    const stream = wrap(socket)
    const events = watch(stream)
    stream.destroy(new Error('boo'))
    await new Promise((resolve) => stream.on('close', resolve))
    expect(events).toEqual(['error: boo', 'close'])
  })

  it('reports that it is destroyed before the connection is open', async () => {
    const stream = wrap(new WebSocket(url))
    const events = watch(stream)
    stream.destroy()
    await new Promise((resolve) => stream.on('close', resolve))
    expect(events).toEqual(['error: WebSocket was closed before the connection was established', 'close'])
  })

  it('reports a connection that fails', async () => {
    const stream = wrap(new WebSocket('ws://127.0.0.1:1'))
    const closed = new Promise((resolve) => stream.on('close', resolve))
    const error = await new Promise<Error & { code?: string }>((resolve) => stream.on('error', resolve))
    expect(error.code).toBe('ECONNREFUSED')
    await closed
    expect(stream.destroyed).toBe(true)
  })

  it('reports what the peer does wrong, and lets the WebSocket answer with its code', async () => {
    const { socket, peer } = await connect()
    const stream = wrap(socket)
    const events = watch(stream)
    const closed = once(peer, 'close')
    ;(peer as unknown as { _socket: Duplex })._socket.write(Buffer.from([0x85, 0]))
    expect((await closed)[0]).toBe(1002)
    while (!events.includes('close')) await turn()
    expect(events).toEqual(['error: Invalid WebSocket frame: invalid opcode 5', 'close'])
  })

  it('gives the error of a write after the connection began to close to its callback, and is destroyed', async () => {
    const { socket } = await connect()
    const stream = wrap(socket)
    const events = watch(stream)
    socket.close()
    const error = await new Promise<Error | null | undefined>((resolve) => stream.write('late', resolve))
    expect(error?.message).toBe('WebSocket is not open: readyState 2 (CLOSING)')
    while (!events.includes('close')) await turn()
    expect(events).toEqual(['error: WebSocket is not open: readyState 2 (CLOSING)', 'close'])
  })

  it('pauses the WebSocket while nobody reads, and resumes it', async () => {
    const { socket, peer } = await connect()
    const stream = wrap(socket, { readableHighWaterMark: 8 })
    peer.send(Buffer.alloc(8))
    while (!socket.isPaused) await turn()
    peer.send(Buffer.alloc(8))
    expect(stream.readableLength).toBe(8)
    stream.read()
    while (socket.isPaused) await turn()
    await once(stream, 'readable')
    expect(stream.readableLength).toBe(8)
  })

  it('holds back the peer: little is read ahead of a slow reader', async () => {
    const { socket, peer } = await connect()
    const stream = wrap(socket)
    const message = Buffer.alloc(64 * 1024, 1)
    const count = 400
    for (let i = 0; i < count; i++) peer.send(message)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(stream.readableLength).toBeLessThan(1024 * 1024)
    let bytes = 0
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes >= count * message.length) break
    }
    expect(bytes).toBe(count * message.length)
  })

  it('holds back the writer: write returns false until its bytes are sent', async () => {
    const { socket } = await connect()
    const stream = wrap(socket, { writableHighWaterMark: 1024 })
    expect(stream.write(Buffer.alloc(2048))).toBe(false)
    await once(stream, 'drain')
    expect(socket.bufferedAmount).toBe(0)
  })

  it('can stand in a pipeline, in both directions', async () => {
    server.on('connection', (peer) => {
      const stream = wrap(peer)
      stream.pipe(stream)
    })
    const stream = wrap(new WebSocket(url))
    const sent = Buffer.from(Array.from({ length: 500_000 }, (_, i) => i & 0xff))
    const received: Buffer[] = []
    let bytes = 0
    stream.on('data', (chunk: Buffer) => {
      received.push(chunk)
      bytes += chunk.length
      if (bytes === sent.length) stream.end()
    })
    for (let at = 0; at < sent.length; at += 10_000) stream.write(sent.subarray(at, at + 10_000))
    await new Promise((resolve) => stream.on('close', resolve))
    expect(Buffer.concat(received).equals(sent)).toBe(true)
  })

  it('is done for a pipeline when the peer has closed', async () => {
    const { socket, peer } = await connect()
    const stream = wrap(socket)
    const chunks: string[] = []
    const done = pipeline(stream, async (source: AsyncIterable<Buffer>) => {
      for await (const chunk of source) chunks.push(chunk.toString())
    })
    peer.send('a')
    peer.close()
    await done
    expect(chunks.join('')).toBe('a')
  })
})

describe('createWebSocketStream of the drop-in', () => {
  const [, [, { createWebSocketStream }]] = IMPLEMENTATIONS as readonly [
    unknown,
    (typeof IMPLEMENTATIONS)[number],
  ]

  it('finishes over a connection that is closed, where that of ws waits for ever', async () => {
    const server = new WebSocketServer({ port: 0 })
    await once(server, 'listening')
    const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
    await once(socket, 'open')
    const stream = createWebSocketStream(socket as Parameters<typeof createWebSocketStream>[0])
    stream.resume()
    socket.terminate()
    await once(socket, 'close')
    stream.end()
    await once(stream, 'close')
    expect(stream.writableFinished).toBe(true)
    await new Promise((resolve) => server.close(resolve))
  })
})
