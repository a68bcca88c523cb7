import {
  connect,
  ConnectionClosedError,
  WebSocketServer,
  type ClientSocket,
  type CloseInfo,
  type ConnectOptions,
  type ServerService,
  type ServerSocket,
} from '../../src/index.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function pair(
  service: ServerService = {},
  options: ConnectOptions = {},
): Promise<{ client: ClientSocket; peer: ServerSocket; closed: Promise<CloseInfo> }> {
  const server = new WebSocketServer({ limits: { maxMessageBytes: 64 * 1024 * 1024 } })
  let opened = (_socket: ServerSocket): void => undefined
  let ended = (_info: CloseInfo): void => undefined
  const peer = new Promise<ServerSocket>((resolve) => (opened = resolve))
  const closed = new Promise<CloseInfo>((resolve) => (ended = resolve))
  server.route('/', {
    ...service,
    onOpen: (socket) => {
      opened(socket)
    },
    onClose: (_, info) => {
      ended(info)
    },
  })
  const { port } = await server.listen(0, '127.0.0.1')
  cleanups.push(() => server.close({ timeoutMs: 100 }))
  const client: ClientSocket = await connect<unknown>(`ws://127.0.0.1:${String(port)}`, options)
  return { client, peer: await peer, closed }
}

describe('receive', () => {
  test('returns the messages that wait, in order, and then waits for the next', async () => {
    const { client, peer } = await pair()
    for (const message of ['a', 'b', Buffer.from([1, 2])]) peer.send(message)
    await expect(client.receive()).resolves.toBe('a')
    await expect(client.receive()).resolves.toBe('b')
    await expect(client.receive()).resolves.toEqual(Buffer.from([1, 2]))
    const next = client.receive()
    peer.send('c')
    await expect(next).resolves.toBe('c')
  })

  test('a receive that times out leaves the connection open, and the late message goes to the next receive', async () => {
    const { client, peer } = await pair()
    await expect(client.receive({ timeoutMs: 5 })).rejects.toMatchObject({ name: 'TimeoutError' })
    const aborter = new AbortController()
    const aborted = client.receive({ signal: aborter.signal })
    aborter.abort()
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' })
    peer.send('late')
    await expect(client.receive()).resolves.toBe('late')
    await expect(client.receive({ signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    })
  })

  test('returns the messages that wait after the end, and then rejects with code and reason', async () => {
    const { client, peer } = await pair()
    const waiting = [client.receive(), client.receive(), client.receive()]
    peer.send('one')
    void peer.close(4321, 'enough')
    await expect(waiting[0]).resolves.toBe('one')
    for (const read of [waiting[1], waiting[2], client.receive()]) {
      await expect(read).rejects.toThrow(ConnectionClosedError)
      await expect(read).rejects.toMatchObject({ closeCode: 4321, reason: 'enough' })
    }
    await expect(client.drained()).rejects.toThrow(ConnectionClosedError)
  })

  test('rejects on a connection with handlers', async () => {
    const { client } = await pair({}, { handlers: { onMessage: () => undefined } })
    await expect(client.receive()).rejects.toMatchObject({ code: 'HAWSER_INVALID_STATE' })
  })
})

describe('for await', () => {
  test.each([1000, 1001, undefined])('ends when the connection closes with %p', async (code) => {
    const { client, peer } = await pair()
    peer.send('x')
    peer.send('y')
    void peer.close(code)
    const seen = []
    for await (const message of client) seen.push(message)
    expect(seen).toEqual(['x', 'y'])
  })

  test('throws for any other close code, after the messages', async () => {
    const { client, peer } = await pair()
    peer.send('x')
    void peer.close(1011, 'broken')
    const seen: unknown[] = []
    const loop = async (): Promise<void> => {
      for await (const message of client) seen.push(message)
    }
    await expect(loop()).rejects.toMatchObject({ closeCode: 1011, reason: 'broken' })
    expect(seen).toEqual(['x'])
  })

  test('leaving the loop leaves the connection open', async () => {
    const { client, peer } = await pair()
    peer.send('x')
    peer.send('y')
    for await (const message of client) {
      expect(message).toBe('x')
      break
    }
    expect(client.readyState).toBe(1)
    for await (const message of client) {
      expect(message).toBe('y')
      break
    }
  })
})

describe('a client that does not read', () => {
  test('answers pings and Close frames all the same', async () => {
    const { client, peer, closed } = await pair({}, {})
    peer.send('unread')
    peer.ping('are you there')
    while (peer.rttMs === undefined) await new Promise((resolve) => setImmediate(resolve))
    await expect(peer.close(1000)).resolves.toMatchObject({ code: 1000, wasClean: true })
    await expect(closed).resolves.toMatchObject({ code: 1000, initiator: 'local' })
    await expect(client.receive()).resolves.toBe('unread')
  })

  test('stops reading from the network when its queue is full, and loses nothing when it reads on', async () => {
    const { client, peer } = await pair({}, { limits: { maxQueuedMessages: 8 }, perMessageDeflate: false })
    const count = 400
    let sent = 0
    const send = async (): Promise<void> => {
      for (; sent < count; sent++) {
        if (!peer.send(Buffer.alloc(64 * 1024, sent & 0xff))) await peer.drained()
      }
    }
    const sending = send()
    // The kernel's buffers hold some; the rest cannot leave, since nobody reads.
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(sent).toBeLessThan(count)
    for (let i = 0; i < count; i++) {
      const message = (await client.receive()) as Buffer
      expect(message.length).toBe(64 * 1024)
      expect(message[0]).toBe(i & 0xff)
    }
    await sending
  })

  test('closes cleanly with a full queue, though the Close frame lies behind it', async () => {
    const { client, peer } = await pair({}, { limits: { maxQueuedMessages: 2 } })
    for (let i = 0; i < 200; i++) peer.send(`message ${String(i)}`)
    peer.ping()
    await new Promise((resolve) => setTimeout(resolve, 50))
    await expect(client.close(1000)).resolves.toMatchObject({
      code: 1000,
      wasClean: true,
      initiator: 'local',
    })
    await expect(client.receive()).resolves.toBe('message 0')
  })

  test('still returns the received messages when the connection is lost while the queue is full', async () => {
    const { client, peer } = await pair({}, { limits: { maxQueuedMessages: 2 } })
    for (let i = 0; i < 10; i++) peer.send(`message ${String(i)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
    peer.terminate()
    const seen: unknown[] = []
    await expect(
      (async () => {
        for await (const message of client) seen.push(message)
      })(),
    ).rejects.toMatchObject({ closeCode: 1006 })
    expect(seen.length).toBeGreaterThan(2)
    expect(seen).toEqual(seen.map((_, i) => `message ${String(i)}`))
  })
})

describe('handlers of a client', () => {
  test('run onOpen first, then one message at a time, and send their replies', async () => {
    const log: string[] = []
    const { client, peer } = await pair(
      { onTextMessage: (_, text) => void log.push(`server got ${text}`) },
      {
        data: { name: 'me' },
        handlers: {
          onOpen: () => void log.push('open'),
          onTextMessage: async (socket, text) => {
            log.push(`begin ${text} ${(socket.data as { name: string }).name}`)
            await new Promise((resolve) => setTimeout(resolve, 10))
            log.push(`end ${text}`)
            return `re: ${text}`
          },
          onClose: (_, info) => void log.push(`close ${String(info.code)} ${info.initiator}`),
        },
      },
    )
    peer.send('1')
    peer.send('2')
    await peer.close(1000)
    while (!log.some((line) => line.startsWith('close')))
      await new Promise((resolve) => setImmediate(resolve))
    expect(log).toEqual([
      'open',
      ...['begin 1 me', 'end 1', 'begin 2 me', 'server got re: 1', 'end 2', 'server got re: 2'],
      'close 1000 remote',
    ])
    expect(client.readyState).toBe(3)
  })

  test('deliver no waiting message after a handler calls pause', async () => {
    const got: string[] = []
    const { client, peer } = await pair(
      {},
      {
        handlers: {
          onTextMessage: async (socket, text) => {
            got.push(text)
            if (text === '1') socket.pause()
            await new Promise((resolve) => setTimeout(resolve, 5))
          },
        },
      },
    )
    for (const text of ['1', '2', '3']) peer.send(text)
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(got).toEqual(['1'])
    client.resume()
    while (got.length < 3) await new Promise((resolve) => setImmediate(resolve))
    expect(got).toEqual(['1', '2', '3'])
  })

  test('may return every form of bytes as a reply', async () => {
    const shared = new SharedArrayBuffer(2)
    new Uint8Array(shared).set([7, 8])
    const replies = [
      shared,
      Uint8Array.of(7, 8).buffer,
      Uint8Array.of(7, 8),
      new DataView(Uint8Array.of(7, 8).buffer),
    ]
    const { client } = await pair({ onTextMessage: (_, text) => replies[Number(text)] })
    for (const index of replies.keys()) {
      client.send(String(index))
      await expect(client.receive()).resolves.toEqual(Buffer.from([7, 8]))
    }
  })

  test('close with 1011 and call onError when one of them throws', async () => {
    const errors: Error[] = []
    const { peer, closed } = await pair(
      {},
      {
        handlers: {
          onTextMessage: () => {
            throw new Error('a secret')
          },
          onError: (_, error) => errors.push(error),
        },
      },
    )
    peer.send('x')
    await expect(closed).resolves.toMatchObject({ code: 1011, reason: 'internal error', initiator: 'remote' })
    expect(errors.map((error) => error.message)).toEqual(['a secret'])
  })
})

describe('closing', () => {
  test('close waits for the peer, returns the same promise twice, and throws at once for wrong codes', async () => {
    const { client, closed } = await pair()
    expect(() => client.close(1006)).toThrow(RangeError)
    expect(() => client.close(undefined, 'why')).toThrow(TypeError)
    expect(() => client.close(1000, '', { timeoutMs: -1 })).toThrow('timeoutMs must be a number from 0')
    const first = client.close(4000, 'ü'.repeat(100))
    const second = client.close(1000)
    await expect(first).resolves.toMatchObject({ code: 4000, wasClean: true, initiator: 'local' })
    await expect(second).resolves.toEqual(await first)
    await expect(client.close()).resolves.toEqual(await first)
    expect(await closed).toMatchObject({ code: 4000, reason: 'ü'.repeat(61) })
    expect(client.send('too late')).toBe(false)
    expect(client.ping()).toBe(false)
  })

  test('await using closes the socket', async () => {
    const { client, closed } = await pair()
    await client[Symbol.asyncDispose]()
    await expect(closed).resolves.toMatchObject({ code: 1000, wasClean: true })
  })

  test('messages that are sent just before close arrive, megabytes too', async () => {
    const sizes: number[] = []
    const { client, closed } = await pair({ onBinaryMessage: (_, bytes) => void sizes.push(bytes.length) })
    client.send(Buffer.alloc(5 * 1024 * 1024))
    client.send(Buffer.alloc(10))
    await client.close(1000)
    await closed
    expect(sizes).toEqual([5 * 1024 * 1024, 10])
  })

  test('pause stops the messages, and close still ends cleanly while paused', async () => {
    const got: string[] = []
    const { client, peer } = await pair({}, { handlers: { onTextMessage: (_, text) => void got.push(text) } })
    client.pause()
    peer.send('while paused')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(got).toEqual([])
    client.resume()
    while (got.length === 0) await new Promise((resolve) => setImmediate(resolve))
    client.pause()
    await expect(client.close(1000)).resolves.toMatchObject({ wasClean: true })
  })

  test('a loop over send and drained ends with the connection, also while it is closing', async () => {
    // Compressed, 200,000 of these messages would find room before one waits.
    const { client, peer } = await pair({}, { perMessageDeflate: false })
    peer.pause()
    const block = Buffer.alloc(64 * 1024)
    const loop = async (): Promise<never> => {
      for (;;) if (!client.send(block)) await client.drained()
    }
    const looping = loop()
    setTimeout(() => {
      void peer.close(4000)
    }, 20)
    await expect(looping).rejects.toMatchObject({ name: 'ConnectionClosedError', closeCode: 4000 })
    const other = await pair()
    void other.client.close(4001)
    await expect(other.client.drained()).rejects.toMatchObject({ closeCode: 4001 })
  })

  test('the signal of close ends the wait of the caller, and the connection closes all the same', async () => {
    const { client, closed } = await pair()
    const aborter = new AbortController()
    const waiting = client.close(4002, '', { signal: aborter.signal })
    aborter.abort()
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
    await expect(closed).resolves.toMatchObject({ code: 4002, wasClean: true })
  })

  test('the error that a reader gets at the end says what was wrong', async () => {
    const { client, peer } = await pair({}, { limits: { maxMessageBytes: 10 } })
    peer.send('x'.repeat(11))
    await expect(client.receive()).rejects.toMatchObject({
      closeCode: 1009,
      cause: { code: 'HAWSER_MESSAGE_TOO_BIG', limit: 10, actual: 11 },
    })
    await expect(client.receive()).rejects.toMatchObject({ cause: { limit: 10 } })
  })

  test('an abrupt end is reported as 1006', async () => {
    const { client, peer } = await pair()
    const read = client.receive()
    peer.terminate()
    await expect(read).rejects.toMatchObject({ closeCode: 1006 })
    expect(client.readyState).toBe(3)
  })
})
