/** What the web-platform-tests do not ask of WebSocket: tasks, order, bounds, and Hawser's own options. */
import { inspect } from 'node:util'
import { CloseEvent, WebSocket, WebSocketStream, type MessageEvent } from '../../src/whatwg/index.js'
import { accept, HandshakeError, ProtocolError } from '../../src/index.js'
import { closeFrame, frame, OP } from '../helpers/frame-builder.js'
import { acceptRaw, RawServer, type RawPeer } from '../helpers/raw-peer.js'
import { serve, stopServing } from '../helpers/serving.js'
import { ended, journalOf, next, nextData, sleep } from './wpt/world.js'

let raw: RawServer | null = null

afterEach(async () => {
  stopServing()
  await raw?.close()
  raw = null
})

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload })

/** A server of literal bytes, and a socket to it. */
async function against(serving: (peer: RawPeer) => unknown, options = {}): Promise<WebSocket> {
  raw = await RawServer.start(serving)
  return new WebSocket(raw.url, options)
}

describe('the events of a WebSocket', () => {
  it('run each in a task: microtasks run between two of them, and messages of the first segment come after open', async () => {
    const socket = await against(async (peer) => {
      await acceptRaw(peer, {}, text('1'), text('2'), closeFrame(1000))
      await peer.readToClose()
      peer.end()
    })
    const order: string[] = []
    for (const type of ['open', 'message', 'close'] as const) {
      socket.addEventListener(type, (event) => {
        const name = type === 'message' ? (event as MessageEvent<string>).data : type
        order.push(name)
        void Promise.resolve()
          .then(() => undefined)
          .then(() => order.push(`after ${name}`))
      })
    }
    await next(socket, 'close')
    await sleep(1)
    expect(order).toEqual(['open', 'after open', '1', 'after 1', '2', 'after 2', 'close', 'after close'])
  })

  it('are never dispatched inside close() or send()', async () => {
    const { url } = await serve({ onMessage: (_, message) => message })
    const socket = new WebSocket(url)
    const types = journalOf(socket)
    await next(socket, 'open')
    socket.send('x')
    socket.close()
    expect(types).toEqual(['open'])
    await next(socket, 'close')
    // The echo came when the socket was closing already.
    expect(types).toEqual(['open', 'close'])
  })

  it('give binary data as binaryType says when the event is dispatched', async () => {
    const socket = await against(async (peer) => {
      const bytes = frame({ opcode: OP.BINARY, payload: [1, 2] })
      await acceptRaw(peer, {}, bytes, bytes, bytes)
    })
    const kinds: string[] = []
    socket.onmessage = ({ data }) => {
      kinds.push(data instanceof Blob ? 'blob' : 'arraybuffer')
      socket.binaryType = kinds.length === 1 ? 'arraybuffer' : 'blob'
      if (kinds.length === 3) socket.close()
    }
    await sleep(100)
    expect(kinds).toEqual(['blob', 'arraybuffer', 'blob'])
  })

  it('say in Hawser’s own properties of an error event why an attempt failed', async () => {
    const socket = await against((peer) => peer.write('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'))
    const event = await next(socket, 'error')
    expect(event.error).toBeInstanceOf(HandshakeError)
    expect((event.error as HandshakeError).httpStatus).toBe(503)
    expect(event.message).toBe(event.error?.message)
  })

  it.each([
    ['a text that is not UTF-8', frame({ opcode: OP.TEXT, payload: [0xff] }), 'HAWSER_INVALID_UTF8'],
    ['a masked frame', frame({ opcode: OP.TEXT, payload: 'x', key: [1, 2, 3, 4] }), 'HAWSER_UNEXPECTED_MASK'],
    ['a message over the limit', text('x'.repeat(2000)), 'HAWSER_MESSAGE_TOO_BIG'],
  ])('report %s as error and as close with 1006, whatever code this side sends', async (_, bytes, code) => {
    const socket = await against(
      async (peer) => {
        await acceptRaw(peer, {}, bytes)
        await peer.readToClose()
        peer.end()
      },
      { limits: { maxMessageBytes: 1000 } },
    )
    const failed = next(socket, 'error')
    expect(await ended(socket)).toEqual([1006, '', false])
    const { error } = await failed
    expect(error).toBeInstanceOf(ProtocolError)
    expect((error as ProtocolError).code).toBe(code)
  })

  it('report a connection that is lost without a Close frame as error and as close with 1006', async () => {
    const socket = await against(async (peer) => {
      await acceptRaw(peer, {}, text('x'))
      peer.end()
    })
    const types = journalOf(socket)
    expect(await ended(socket)).toEqual([1006, '', false])
    expect(types).toEqual(['open', 'message', 'error', 'close'])
  })
})

describe('the readyState of a WebSocket', () => {
  it('is 2 between the Close frame of the server and the end of the connection', async () => {
    let end = (): void => undefined
    const socket = await against(async (peer) => {
      await acceptRaw(peer, {}, closeFrame(4000, 'soon'))
      end = () => peer.end()
    })
    const states: number[] = []
    socket.onopen = () => states.push(socket.readyState)
    await next(socket, 'open')
    while (socket.readyState === 1) await sleep(5)
    states.push(socket.readyState)
    socket.send('nobody gets it')
    expect(socket.bufferedAmount).toBe(14)
    socket.close(1000)
    end()
    expect(await ended(socket)).toEqual([4000, 'soon', true])
    expect([...states, socket.readyState, socket.bufferedAmount]).toEqual([1, 2, 3, 14])
  })
})

describe('what a WebSocket sends', () => {
  it('keeps its order around a Blob, is copied while it waits, and precedes the Close frame', async () => {
    const got: (string | Buffer)[] = []
    const { url } = await serve({ onMessage: (_, message) => void got.push(message) })
    const socket = new WebSocket(url)
    await next(socket, 'open')
    const bytes = new Uint8Array([7])
    socket.send('first')
    socket.send(new Blob(['blob']))
    socket.send(bytes)
    socket.send('last')
    expect(socket.bufferedAmount).toBe(5 + 4 + 1 + 4)
    bytes.fill(0)
    socket.close(3000)
    expect(socket.readyState).toBe(2)
    expect(await ended(socket)).toEqual([3000, '', true])
    expect(got).toEqual(['first', Buffer.from('blob'), Buffer.from([7]), 'last'])
    expect(socket.bufferedAmount).toBe(0)
  })

  it('stays in bufferedAmount while the server does not read, and after the connection was cut', async () => {
    let peer: RawPeer | undefined
    const socket = await against(
      async (one) => {
        peer = one
        await acceptRaw(one)
        one.pause()
      },
      { perMessageDeflate: false },
    )
    await next(socket, 'open')
    const message = new Uint8Array(1024 * 1024)
    for (let i = 0; i < 30; i++) socket.send(message)
    expect(socket.bufferedAmount).toBe(30 * message.length)
    await sleep(100)
    const waiting = socket.bufferedAmount
    expect(waiting).toBeGreaterThan(10 * message.length)
    expect(waiting).toBeLessThan(30 * message.length)
    peer?.reset()
    expect(await ended(socket)).toEqual([1006, '', false])
    const left = socket.bufferedAmount
    expect(left).toBeGreaterThan(10 * message.length)
    socket.send('four')
    expect(socket.bufferedAmount).toBe(left + 4)
    await sleep(10)
    expect(socket.bufferedAmount).toBe(left + 4)
  })

  it('closes the connection as full when more waits than maxBufferedOutputBytes', async () => {
    const socket = await against(
      async (peer) => {
        await acceptRaw(peer)
        peer.pause()
        await sleep(300)
        peer.resume()
        await peer.readToClose()
        peer.end()
      },
      { perMessageDeflate: false, limits: { maxBufferedOutputBytes: 1024 * 1024 } },
    )
    await next(socket, 'open')
    const failed = next(socket, 'error')
    for (let i = 0; i < 40; i++) socket.send(new Uint8Array(1024 * 1024))
    expect(socket.readyState).toBe(2)
    expect(await ended(socket)).toEqual([1006, '', false])
    expect((await failed).error).toMatchObject({ code: 'HAWSER_SLOW_CONSUMER' })
  })

  it('counts what was thrown away when it was full in bufferedAmount, which no longer falls for it', async () => {
    const socket = await against(
      async (peer) => {
        await acceptRaw(peer)
        peer.pause()
      },
      { perMessageDeflate: false, limits: { maxBufferedOutputBytes: 24 * 1024 * 1024, closeTimeoutMs: 200 } },
    )
    await next(socket, 'open')
    const message = new Uint8Array(1024 * 1024)
    for (let i = 0; i < 60; i++) socket.send(message)
    expect(socket.readyState).toBe(2)
    expect(socket.bufferedAmount).toBe(60 * message.length)
    await sleep(50)
    // The systems' buffers take a few MiB; 24 MiB were thrown away.
    const left = socket.bufferedAmount
    expect(left).toBeGreaterThan(40 * message.length)
    expect(await ended(socket)).toEqual([1006, '', false])
    expect(socket.bufferedAmount).toBeGreaterThan(40 * message.length)
    expect(socket.bufferedAmount).toBeLessThanOrEqual(left)
    const atEnd = socket.bufferedAmount
    socket.send('four')
    expect(socket.bufferedAmount).toBe(atEnd + 4)
  })

  it('refuses shared and resizable memory', async () => {
    const { url } = await serve({ onMessage: () => undefined })
    const socket = new WebSocket(url)
    await next(socket, 'open')
    const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer
    const resizable = new Resizable(8, { maxByteLength: 16 })
    for (const data of [new SharedArrayBuffer(8), new Uint8Array(new SharedArrayBuffer(8)), resizable]) {
      expect(() => socket.send(data as ArrayBuffer)).toThrow(TypeError)
    }
    expect(socket.bufferedAmount).toBe(0)
    socket.close()
  })
})

describe('Hawser’s options of a WebSocket', () => {
  it('give headers, subprotocols and compression', async () => {
    const seen: unknown[] = []
    const { url } = await serve(
      {
        onUpgrade: ({ headers, protocols }) => {
          seen.push(headers.get('cookie'), headers.get('x-mine'), protocols)
          return accept()
        },
      },
      { protocols: ['b'] },
    )
    const socket = new WebSocket(url, {
      protocols: ['a', 'b'],
      headers: { Cookie: 'a=b', 'X-Mine': '1' },
      perMessageDeflate: false,
    })
    await next(socket, 'open')
    expect(seen).toEqual(['a=b', '1', ['a', 'b']])
    expect([socket.protocol, socket.extensions]).toEqual(['b', ''])
    socket.close()
  })

  it('throw at once where name or value is wrong', () => {
    const made = (options: object) => () => new WebSocket('ws://127.0.0.1:1/', options)
    expect(made({ handlers: {} })).toThrow(/WebSocketInit has no option "handlers"/)
    expect(made({ limits: { maxMessageBytes: -1 } })).toThrow(RangeError)
    expect(made({ limits: 5 })).toThrow(/limits must be an object/)
    expect(made({ perMessageDeflate: 5 })).toThrow(TypeError)
    expect(made({ protocols: ['a', 'a'] })).toThrow(DOMException)
  })
})

describe('a WebSocket in a log', () => {
  it('shows its URL and its state', () => {
    const shown = inspect(new WebSocket('ws://127.0.0.1:1/'))
    expect(shown).toMatch(/^WebSocket \{\s+url: 'ws:\/\/127.0.0.1:1\/',\s+readyState: 0/)
  })
})

describe('a log', () => {
  it('shows no password of the URL of a WebSocket or a WebSocketStream', () => {
    for (const socket of [
      new WebSocket('ws://ada:secret@127.0.0.1:1/'),
      new WebSocketStream('ws://ada:secret@127.0.0.1:1/'),
    ]) {
      expect(socket.url).toBe('ws://ada:secret@127.0.0.1:1/')
      expect(inspect(socket)).toContain("url: 'ws://127.0.0.1:1/'")
    }
  })
})

describe('the types of a WebSocket', () => {
  it('know the events and the constants', async () => {
    const { url } = await serve({ onMessage: (_, message) => message })
    const socket = new WebSocket(url)
    socket.addEventListener('open', () => socket.send('hello'))
    socket.addEventListener('message', function ({ data, origin }) {
      const kept: string | Blob | ArrayBuffer = data
      expect([kept, origin, this.readyState]).toEqual(['hello', url.slice(0, -1), WebSocket.OPEN])
      this.close(1000)
    })
    expect(await nextData(socket)).toBe('hello')
    const event: CloseEvent = await next(socket, 'close')
    const state: 3 = socket.CLOSED
    expect([event instanceof CloseEvent, socket.readyState]).toEqual([true, state])
  })
})
