/** A client that reads message by message: by type, by a schema, by a codec; and everything that waits settles at the end. */
import { z } from 'zod'
import {
  accept,
  connect,
  ConnectionClosedError,
  InvalidMessageError,
  reject,
  type ClientSocket,
  type ServerSocket,
} from '../../src/index.js'
import { json, type Codec } from '../../src/json/index.js'
import { serve, stopServing } from '../helpers/serving.js'

const sockets: ClientSocket<unknown, unknown>[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.terminate()
  stopServing()
})

type Messages = readonly (string | Uint8Array)[]

/** A server that sends these messages and then does nothing more; and its URL. */
const sending = async (...messages: Messages): Promise<string> => {
  const { url } = await serve({
    onOpen: (socket) => {
      for (const message of messages) socket.send(message)
    },
  })
  return url
}
const keep = <S extends ClientSocket<unknown, unknown>>(socket: S): S => {
  sockets.push(socket)
  return socket
}
const pull = async (...messages: Messages): Promise<ClientSocket> =>
  keep(await connect(await sending(...messages)))
const Price = z.object({ price: z.number() })

describe('receiveText and receiveBinary', () => {
  it('return a message of their type', async () => {
    const socket = await pull('text', Buffer.from([1, 2]), '')
    expect(await socket.receiveText()).toBe('text')
    expect(await socket.receiveBinary()).toEqual(Buffer.from([1, 2]))
    expect(await socket.receiveText()).toBe('')
  })

  it('consume a message of the other type and reject with it; the connection lives', async () => {
    const socket = await pull(Buffer.from([1, 2]), 'text', 'next')
    const wanted = { name: 'InvalidMessageError', kind: 'type', closeCode: 1003 }
    await expect(socket.receiveText()).rejects.toMatchObject({ ...wanted, raw: Buffer.from([1, 2]) })
    await expect(socket.receiveBinary()).rejects.toMatchObject({ ...wanted, raw: 'text' })
    expect(await socket.receiveText()).toBe('next')
    expect(socket.readyState).toBe(1)
  })

  it('time out and are aborted as receive is, and the late message goes to the next call', async () => {
    const { url } = await serve({ onMessage: (_, message) => message })
    const socket = keep(await connect(url))
    await expect(socket.receiveText({ timeoutMs: 5 })).rejects.toMatchObject({ name: 'TimeoutError' })
    await expect(socket.receiveBinary({ signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    })
    await expect(socket.receiveJson(Price, { timeoutMs: 5 })).rejects.toMatchObject({ name: 'TimeoutError' })
    socket.send('late')
    expect(await socket.receiveText()).toBe('late')
  })
})

describe('receiveJson', () => {
  it('returns what the text says, and with a schema what that makes of it', async () => {
    const Later = z.object({ price: z.number().transform(async (price) => Promise.resolve(price * 2)) })
    const socket = await pull('{"a":[1]}', '{"price":2,"more":true}', '{"price":2}')
    expect(await socket.receiveJson()).toEqual({ a: [1] })
    const { price }: { price: number } = await socket.receiveJson(Price)
    expect(price).toBe(2)
    expect(await socket.receiveJson(Later, { timeoutMs: 1000 })).toEqual({ price: 4 })
  })

  it('rejects with the error that a codec of a server gets, with the message; the connection lives', async () => {
    const socket = await pull('no JSON', Buffer.from('{}'), '{"price":"much"}', '{"price":1}')
    await expect(socket.receiveJson(Price)).rejects.toMatchObject({
      name: 'InvalidMessageError',
      kind: 'unreadable',
      closeCode: 1003,
      raw: 'no JSON',
    })
    await expect(socket.receiveJson()).rejects.toMatchObject({ kind: 'unreadable', raw: Buffer.from('{}') })
    await expect(socket.receiveJson(Price)).rejects.toMatchObject({
      kind: 'invalidValue',
      closeCode: 1007,
      issues: [{ path: ['price'] }],
      raw: '{"price":"much"}',
    })
    expect(await socket.receiveJson(Price)).toEqual({ price: 1 })
  })

  it('consumes no message for a wrong schema, and rejects with what a schema itself throws', async () => {
    const socket = await pull('{}', '1')
    await expect(socket.receiveJson({ timeoutMs: 5 } as never)).rejects.toThrow(
      'schema must follow Standard Schema',
    )
    const broken = {
      '~standard': {
        version: 1 as const,
        vendor: 'test',
        validate: (): never => {
          throw new RangeError('the schema is broken')
        },
      },
    }
    await expect(socket.receiveJson(broken)).rejects.toThrow(new RangeError('the schema is broken'))
    expect(await socket.receiveJson()).toBe(1)
  })

  it('is refused beside a codec, and consumes nothing', async () => {
    const socket = keep(await connect(await sending('{"price":1}'), { codec: json(Price) }))
    await expect(socket.receiveJson(Price)).rejects.toMatchObject({ name: 'InvalidStateError' })
    expect((await socket.receive()).price).toBe(1)
  })
})

describe('a codec for reading', () => {
  it('makes the values of receive and of for await, typed; receiveText and receiveBinary pass it by', async () => {
    const url = await sending('{"price":1}', '{"price":2}', 'raw', Buffer.from([7]), '{"price":3}')
    const socket = keep(await connect(url, { codec: json(Price) }))
    const { price }: { price: number } = await socket.receive()
    expect(price).toBe(1)
    for await (const message of socket) {
      expect(message.price.toFixed(1)).toBe('2.0')
      break
    }
    expect(await socket.receiveText()).toBe('raw')
    expect(await socket.receiveBinary()).toEqual(Buffer.from([7]))
    expect(await socket.receive({ timeoutMs: 1000 })).toEqual({ price: 3 })
  })

  it('throws in the loop for a message that it refuses; the connection lives and can be read on', async () => {
    const url = await sending('{"price":1}', '{"price":"much"}', '{"price":2}')
    const socket = keep(await connect(url, { codec: json(Price) }))
    const read: number[] = []
    const loop = async (): Promise<void> => {
      for await (const { price } of socket) read.push(price)
    }
    await expect(loop()).rejects.toMatchObject({ kind: 'invalidValue', raw: '{"price":"much"}' })
    expect(socket.readyState).toBe(1)
    expect(await socket.receive()).toEqual({ price: 2 })
    expect(read).toEqual([1])
  })

  it('may be any: what its decode throws is the cause of the error', async () => {
    const failure = new Error('odd')
    const codec: Codec<number> = {
      decode: (raw) => {
        if (raw === 'odd') throw failure
        return raw.length
      },
      encode: String,
    }
    const socket = keep(await connect(await sending('odd', 'even'), { codec }))
    const error = await socket.receive().catch((one: unknown) => one)
    expect(error).toBeInstanceOf(InvalidMessageError)
    expect(error).toMatchObject({ kind: 'unreadable', raw: 'odd', cause: failure })
    expect(await socket.receive()).toBe(4)
  })

  it('reads also for a client with handlers that take no messages', async () => {
    const { url } = await serve({ onOpen: (socket) => void (socket.ping('p'), socket.send('5')) })
    const pings: string[] = []
    const handlers = { onPing: (_: unknown, data: Buffer) => pings.push(data.toString()) }
    const socket = keep(await connect(url, { codec: json(z.number()), handlers }))
    expect((await socket.receive()) + 1).toBe(6)
    expect(pings).toEqual(['p'])
  })
})

describe('options that mean nothing beside each other are refused at once', () => {
  const onMessage = (): void => undefined
  test.each([
    [{ codec: json(), handlers: { onMessage } }, 'ConnectOptions has both codec and handlers.onMessage'],
    [{ codec: json(), handlers: { onTextMessage: onMessage } }, 'both codec and handlers.onTextMessage'],
    [
      { incoming: 'discard', handlers: { onMessage } },
      "incoming must not be 'discard' beside handlers.onMessage",
    ],
    [{ incoming: 'discard', handlers: { onBinaryMessage: onMessage } }, 'beside handlers.onBinaryMessage'],
    [{ incoming: 'discard', codec: json() }, "both codec and incoming 'discard'"],
    [
      { codec: {} },
      'codec must be an object with decode and encode, not an object without decode and encode',
    ],
    [{ codec: { decode: onMessage } }, 'with decode and encode, not an object without encode'],
    [{ codec: JSON }, 'not an object without decode and encode; use json() of hawser/json'],
    [
      { codec: z.object({ a: z.string() }) },
      'codec must be a codec, not a schema: json(schema) of hawser/json',
    ],
    [{ handlers: { codec: z.string(), onMessage } }, 'handlers.codec must be a codec, not a schema'],
  ])('%#', (options, text) => {
    expect(() => connect('ws://localhost:1', options as never)).toThrow(TypeError)
    expect(() => connect('ws://localhost:1', options as never)).toThrow(text)
  })

  it("'discard' beside handlers that take no messages drops them and keeps the handlers", async () => {
    const { url } = await serve({
      onOpen: (socket) => void (socket.send('a'), socket.ping('p')),
      onMessage: (_, message) => message,
    })
    const pings: string[] = []
    const socket = keep(
      await connect(url, {
        incoming: 'discard',
        handlers: { onPing: (_, data) => pings.push(data.toString()) },
      }),
    )
    for (let i = 0; i < 3000; i++) socket.send('back')
    await expect(socket.receive()).rejects.toMatchObject({ name: 'InvalidStateError' })
    await expect(socket.receiveText()).rejects.toMatchObject({ name: 'InvalidStateError' })
    expect(await socket.close(1000)).toMatchObject({ code: 1000, wasClean: true })
    expect(pings).toEqual(['p'])
  })
})

describe('1,000 reads and 1,000 writes that wait settle at the end, whichever way it comes', () => {
  const WAYS: Readonly<Record<string, (client: ClientSocket, server: ServerSocket) => void>> = {
    'the client closes': (client) => void client.close(4000),
    'the server closes': (_, server) => void server.close(4000),
    'the client terminates': (client) => client.terminate(),
    'the server terminates': (_, server) => server.terminate(),
    'the client gives a close a total time': (client) => void client.close(4000, '', { timeoutMs: 30 }),
    'await using ends': (client) => void client[Symbol.asyncDispose](),
  }
  const directs = [true, false]
  test.each(
    Object.entries(WAYS).flatMap(([name, end]) => directs.map((directIo) => [name, directIo, end] as const)),
  )('%s (directIo: %s)', async (name, directIo, end) => {
    let opened = (_socket: ServerSocket): void => undefined
    const peer = new Promise<ServerSocket>((resolve) => (opened = resolve))
    const { url } = await serve({ onOpen: (socket) => opened(socket), onMessage: () => undefined })
    const client = keep(
      await connect(url, { directIo, slowConsumer: 'buffer', perMessageDeflate: false, closeTimeoutMs: 300 }),
    )
    const server = await peer
    // Nothing is read there: the writes wait for room.
    server.pause()
    const block = Buffer.alloc(32 * 1024)
    const writes = Array.from({ length: 1000 }, () => client.write(block))
    const kinds = [client.receive, client.receiveText, client.receiveBinary, client.receiveJson]
    const reads = Array.from({ length: 1000 }, (_, i) =>
      (kinds[i % kinds.length] as () => Promise<unknown>).call(client),
    )
    const loop = (async (): Promise<void> => {
      for await (const message of client) throw new Error(`nothing is sent, but: ${String(message)}`)
    })()
    const drained = client.drained()
    const all = Promise.allSettled([...reads, ...writes, drained, loop])
    await new Promise((resolve) => setTimeout(resolve, 20))
    end(client, server)
    const results = await all
    const readsOf = results.slice(0, 1000)
    const unsent = results.slice(1000, 2000).filter(({ status }) => status === 'rejected')
    // A server that closes reads on: it takes all of them.
    expect(unsent.length === 0).toBe(name === 'the server closes')
    expect(readsOf.filter(({ status }) => status === 'fulfilled')).toEqual([])
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(ConnectionClosedError)
    }
    const info = await client.closed
    for (const result of readsOf) {
      expect((result as PromiseRejectedResult).reason).toMatchObject({ closeCode: info.code })
    }
    // What waits after the end settles as well.
    await expect(client.receive()).rejects.toMatchObject({ closeCode: info.code })
    await expect(client.write('late')).rejects.toMatchObject({ closeCode: info.code })
    await expect(client.drained()).rejects.toMatchObject({ closeCode: info.code })
  })

  it('of a server as well: its writes reject when the client is gone', async () => {
    let opened = (_socket: ServerSocket): void => undefined
    const peer = new Promise<ServerSocket>((resolve) => (opened = resolve))
    const { url } = await serve(
      { onOpen: (socket) => opened(socket) },
      { slowConsumer: 'buffer', perMessageDeflate: false },
    )
    const client = keep(await connect(url))
    client.pause()
    const server = await peer
    const writes = Promise.allSettled(
      Array.from({ length: 1000 }, () => server.write(Buffer.alloc(32 * 1024))),
    )
    await new Promise((resolve) => setTimeout(resolve, 20))
    client.terminate()
    const rejected = (await writes).filter(({ status }) => status === 'rejected')
    expect(rejected.length).toBeGreaterThan(0)
    for (const result of rejected) {
      expect((result as PromiseRejectedResult).reason).toMatchObject({ name: 'ConnectionClosedError' })
    }
  })
})

describe('what was received before this side closed', () => {
  const COUNT = 1500

  /** Reads slowly, closes meanwhile with the default limits, and tells what was read and what was dropped. */
  const readAndClose = async (
    options: { reconnect?: true },
    read: (socket: ClientSocket, take: () => Promise<void>) => Promise<void>,
  ): Promise<readonly [read: number, dropped: number]> => {
    const { url } = await serve({
      onOpen: async (socket) => {
        for (let i = 0; i < COUNT; i++) await socket.write(`message ${String(i)}${'x'.repeat(1000)}`)
      },
    })
    const socket = keep(await connect(url, { ...options, perMessageDeflate: false } as object))
    let count = 0
    let first: (() => void) | undefined
    const hasBegun = new Promise<void>((resolve) => {
      first = resolve
    })
    const reading = read(socket, async () => {
      if (++count === 20) first?.()
      if (count % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    })
    await hasBegun
    const { droppedMessages } = await socket.close(1000)
    await reading
    return [count, droppedMessages]
  }

  const byLoop = async (socket: ClientSocket, take: () => Promise<void>): Promise<void> => {
    for await (const _ of socket) await take()
  }
  const byCalls = async (socket: ClientSocket, take: () => Promise<void>): Promise<void> => {
    try {
      for (;;) {
        await socket.receive()
        await take()
      }
    } catch (error) {
      if (!(error instanceof ConnectionClosedError)) throw error
    }
  }

  it.each([
    ['by a loop', {}, byLoop],
    ['by calls of receive', {}, byCalls],
    ['by a loop over a client that reconnects', { reconnect: true }, byLoop],
    ['by calls of receive of a client that reconnects', { reconnect: true }, byCalls],
  ] as const)('is read to its end %s', async (_, options, read) => {
    const [count, dropped] = await readAndClose(options, read)
    // What the server had not sent by then never comes: every message that came was read, and none was dropped.
    expect(dropped).toBe(0)
    expect(count).toBeGreaterThan(20)
  })
})

describe('a loop over a client that reconnects', () => {
  /** The server accepts once, sends a message, closes with this code and then answers 503. */
  const loopUntilEnd = async (code: number, more: object): Promise<readonly [string[], unknown]> => {
    let visits = 0
    const { url } = await serve({
      onUpgrade: () => (++visits > 1 ? reject(503) : accept()),
      onOpen: (socket) => {
        socket.send('one')
        void socket.close(code)
      },
    })
    const socket = keep(
      await connect(url, { reconnect: { minDelayMs: 1, maxDelayMs: 1, maxAttempts: 2, ...more } }),
    )
    const read: string[] = []
    try {
      for await (const message of socket) read.push(String(message))
      return [read, null]
    } catch (error) {
      return [read, error]
    }
  }

  it('throws when the client gave up, with the last failure as the cause, also after a 1001', async () => {
    const [read, error] = await loopUntilEnd(1001, {})
    expect(read).toEqual(['one'])
    expect(error).toMatchObject({
      name: 'ConnectionClosedError',
      closeCode: 1001,
      cause: { httpStatus: 503 },
    })
  })

  it('throws at a 1001 while the client tries again, where calls fail meanwhile', async () => {
    const [read, error] = await loopUntilEnd(1001, { whileReconnecting: 'fail', maxAttempts: 50 })
    expect(read).toEqual(['one'])
    expect(error).toMatchObject({ name: 'ConnectionClosedError', closeCode: 1001 })
  })

  it.each([{}, { whileReconnecting: 'fail' }])(
    'ends quietly after a 1000 that ended the client, with %j',
    async (more) => {
      expect(await loopUntilEnd(1000, more)).toEqual([['one'], null])
    },
  )
})
