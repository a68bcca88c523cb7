/** What handlers return and what becomes of it: codecs, routers, streams, several at a time, and every way to fail. */
import * as v from 'valibot'
import { z } from 'zod'
import {
  closeWith,
  connect,
  InvalidMessageError,
  WebSocketServer,
  type ClientSocket,
  type ServerOptions,
  type ServerSocket,
} from '../../src/index.js'
import { json, router } from '../../src/json/index.js'
import { Programs } from '../helpers/child.js'
import { Journal } from '../helpers/journal.js'
import { serve, showInfo, stopServing } from '../helpers/serving.js'

const clients: ClientSocket[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.terminate()
  stopServing()
})

async function start(
  service: object,
  options: ServerOptions = {},
): Promise<{ client: ClientSocket; server: WebSocketServer; url: string }> {
  const { server, url } = await serve(service as never, options)
  const client = await connect(url)
  clients.push(client)
  return { client, server, url }
}

/** How the server ended it. */
const end = async (client: ClientSocket): Promise<string> => {
  try {
    for (;;) await client.receive()
  } catch (error) {
    const { closeCode, reason } = error as { closeCode: number; reason: string }
    return `${closeCode} ${reason}`
  }
}

interface Latch {
  readonly opened: Promise<void>
  open(): void
}
function latch(): Latch {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open: () => open() }
}

const noop = (): void => undefined

describe('codec: json', () => {
  it('parses text, and sends the returned value, bytes unchanged', async () => {
    const { client } = await start({
      codec: json(),
      onOpen: (socket: ServerSocket) => void socket.sendJson({ hello: true }),
      onMessage: (_: unknown, message: unknown) =>
        message === 'bytes' ? Buffer.from('raw') : message === 'nothing' ? undefined : [message],
    })
    expect(await client.receive()).toBe('{"hello":true}')
    for (const text of ['null', '"nothing"', '"bytes"', '{"__proto__":{"a":1}}', ' 5 ']) client.send(text)
    expect(await client.receive()).toBe('[null]')
    expect(await client.receive()).toEqual(Buffer.from('raw'))
    expect(await client.receive()).toBe('[{"__proto__":{"a":1}}]')
    expect(await client.receive()).toBe('[5]')
  })

  const schemas = [
    ['zod', z.object({ n: z.number() })],
    ['valibot', v.object({ n: v.number() })],
    ['zod, async', z.object({ n: z.number().refine((n) => Promise.resolve(n < 100)) })],
    [
      'valibot, async',
      v.pipeAsync(
        v.object({ n: v.number() }),
        v.checkAsync(({ n }) => Promise.resolve(n < 100)),
      ),
    ],
  ] as const

  it.each(schemas)(
    'handles messages that validate, in order, and closes with 1007 for another: %s',
    async (_, schema) => {
      const errors: Error[] = []
      const { client } = await start({
        codec: json(schema as never),
        onMessage: (_: unknown, message: { n: number }) => message.n + 1,
        onError: (_: unknown, error: Error) => void errors.push(error),
      })
      for (let n = 0; n < 5; n++) client.send(JSON.stringify({ n }))
      for (let n = 0; n < 5; n++) expect(await client.receive()).toBe(String(n + 1))
      client.send('{"n":"x"}')
      expect(await end(client)).toBe('1007 a message that the schema does not allow')
      expect(errors).toEqual([expect.any(InvalidMessageError)])
      expect((errors[0] as InvalidMessageError).issues).toHaveLength(1)
      expect((errors[0] as InvalidMessageError).code).toBe('HAWSER_INVALID_MESSAGE')
    },
  )

  it.each([
    ['{', '1003 a message that is no JSON'],
    ['', '1003 a message that is no JSON'],
    [Buffer.from('{}'), '1003 a binary message where JSON is spoken'],
  ])('%p closes with %s', async (data, expected) => {
    const { client, server } = await start({ codec: json(), onMessage: noop })
    client.send(data)
    expect(await end(client)).toBe(expected)
    expect(server.stats().errors).toBe(1)
  })

  it('lets onInvalidMessage decide: its reply is sent, and the connection stays open', async () => {
    const { client } = await start({
      codec: json(z.object({ n: z.number() })),
      onMessage: () => 'ok',
      onInvalidMessage: (_: unknown, error: InvalidMessageError, raw: string | Buffer) =>
        error.closeCode === 1003 && Buffer.isBuffer(raw) ? closeWith(4000) : { wrong: error.closeCode, raw },
    })
    client.send('{')
    expect(await client.receive()).toBe('{"wrong":1003,"raw":"{"}')
    client.send('{}')
    expect(await client.receive()).toBe('{"wrong":1007,"raw":"{}"}')
    client.send('{"n":1}')
    expect(await client.receive()).toBe('"ok"')
    client.send(Buffer.from('x'))
    expect(await end(client)).toBe('4000 ')
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('database down')
      },
    ],
    ['rejects', () => Promise.reject(new Error('database down'))],
  ])('closes with 1011 for a schema that %s, because the peer is not to blame', async (_, validate) => {
    const errors: Error[] = []
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const
    const { client } = await start({
      codec: json(schema as never),
      onMessage: noop,
      onError: (_: unknown, error: Error) => void errors.push(error),
    })
    client.send('1')
    expect(await end(client)).toBe('1011 internal error')
    expect(errors.map((error) => error.message)).toEqual(['database down'])
  })

  it('fails the handler when it returns a value that JSON cannot express', async () => {
    const { client } = await start({ codec: json(), onMessage: () => noop, onError: noop })
    client.send('1')
    expect(await end(client)).toBe('1011 internal error')
  })

  it("takes an error of the application's own codec for a message that does not parse", async () => {
    const { client } = await start({
      codec: {
        decode: (message: string | Buffer) => {
          if (message === 'bad') throw new Error('no')
          return Number(message)
        },
        encode: (value: unknown) => Buffer.from([value as number]),
      },
      onMessage: (_: unknown, message: number) => message * 2,
    })
    client.send('21')
    expect(await client.receive()).toEqual(Buffer.from([42]))
    client.send('bad')
    expect(await end(client)).toBe('1003 a message that the codec cannot read')
  })

  it.each([
    [{ codec: 5 }, /^service\.codec must be an object with decode and encode, not 5/],
    [
      { codec: { '~standard': {}, decode: noop, encode: noop } },
      /^service\.codec must be a codec, not a schema/,
    ],
    [{ codec: { decode: noop } }, /^service\.codec must be an object with decode and encode/],
    [{ codec: json(), onTextMessage: noop }, /^service has both codec and onTextMessage/],
    [{ onInvalidMessage: noop }, /^service has onInvalidMessage and no codec/],
    [{ concurrency: 0 }, /^service\.concurrency must be an integer from 1/],
    [{ concurrency: 1.5 }, /^service\.concurrency must be an integer from 1/],
    [{ concurrency: '2' }, /^service\.concurrency must be an integer from 1/],
    [
      new (class Chat {
        onMesage(): void {
          noop()
        }
      })(),
      /^service has no handler named "onMesage"/,
    ],
    [
      new (class extends class {
        onCloze(): void {
          noop()
        }
      } {})(),
      /^service has no handler named "onCloze"/,
    ],
  ])('refuses %p as a service', (service, message) => {
    expect(() => new WebSocketServer().route('/', service as never)).toThrow(message)
  })

  it.each([5, null, {}, { '~standard': {} }, { '~standard': { version: 2, validate: noop } }])(
    'refuses %p as a schema',
    (schema) => {
      expect(() => json(schema as never)).toThrow(/^schema must follow Standard Schema version 1/)
    },
  )

  it('lets an InvalidMessageError have a close code that may be sent', () => {
    expect(() => new InvalidMessageError(1000, 'x')).toThrow(RangeError)
    expect(new InvalidMessageError(4001, 'x').closeCode).toBe(4001)
  })
})

describe('router', () => {
  const part = router(
    'type',
    { add: (_, { a, b }) => Number(a) + Number(b), onClose: () => 'no lifecycle handler' },
    { onUnknown: (_, message) => ({ unknown: message }) },
  )

  it('chooses by the field, and names in a message reach the given handlers alone', async () => {
    const { client } = await start(part)
    client.send('{"type":"add","a":1,"b":2}')
    expect(await client.receive()).toBe('3')
    client.send('{"type":"onClose"}')
    expect(await client.receive()).toBe('"no lifecycle handler"')
    for (const message of [
      '{"type":"__proto__"}',
      '{"type":"constructor"}',
      '{"type":5}',
      '[]',
      'null',
      '{"__proto__":{"type":"add"}}',
    ]) {
      client.send(message)
      expect(await client.receive()).toBe(`{"unknown":${message}}`)
    }
  })

  it('treats a message of unknown type as invalid without onUnknown: 1007, or onInvalidMessage', async () => {
    const strict = router('type', { a: () => 'a' })
    const { client } = await start(strict)
    client.send('{"type":"b"}')
    expect(await end(client)).toBe('1007 no handler for this message')
    const { client: other } = await start({ ...strict, onInvalidMessage: () => 'what?' })
    other.send('{"type":"b"}')
    expect(await other.receive()).toBe('"what?"')
  })

  it('calls a handler only for a message that validates, with a schema', async () => {
    const schema = z.discriminatedUnion('type', [z.object({ type: z.literal('n'), n: z.number() })])
    const { client } = await start(router('type', { n: (_, message) => message.n * 2 }, { schema }))
    client.send('{"type":"n","n":4}')
    expect(await client.receive()).toBe('8')
    client.send('{"type":"n","n":"4"}')
    expect(await end(client)).toMatch(/^1007 /)
  })

  it.each([
    [['', {}], /^field must be the name of a property/],
    [['type', null], /^handlers must be an object with functions/],
    [['type', { a: 5 }], /^handlers\.a must be a function, not 5/],
    [['type', {}, { onUnknwn: noop }], /^options has no option "onUnknwn"/],
    [['type', {}, { onUnknown: 5 }], /^onUnknown must be a function, not 5/],
  ])('refuses %j', (args, message) => {
    expect(() => (router as (...all: unknown[]) => unknown)(...args)).toThrow(message)
  })
})

describe('a stream as the reply', () => {
  it('is sent part by part, while other messages are handled', async () => {
    const gate = latch()
    const { client } = await start({
      onMessage: (_: unknown, message: string) =>
        message !== 'stream'
          ? message
          : (async function* () {
              yield 'one'
              await gate.opened
              yield Buffer.from('two')
            })(),
    })
    client.send('stream')
    expect(await client.receive()).toBe('one')
    client.send('between')
    expect(await client.receive()).toBe('between')
    gate.open()
    expect(await client.receive()).toEqual(Buffer.from('two'))
  })

  it('is encoded part by part under a codec, and a closeWith ends it', async () => {
    let cleanedUp = false
    const { client } = await start({
      codec: json(),
      async *onMessage() {
        try {
          yield 'text'
          yield { n: 1 }
          yield closeWith(4001, 'done')
          yield 'never'
        } finally {
          cleanedUp = true
        }
      },
    })
    client.send('1')
    expect(await client.receive()).toBe('"text"')
    expect(await client.receive()).toBe('{"n":1}')
    expect(await end(client)).toBe('4001 done')
    expect(cleanedUp).toBe(true)
  })

  it.each([
    [
      'that fails',
      async function* () {
        yield 'a'
        throw new Error('mine')
      },
    ],
    [
      'with a part that is not a message',
      async function* () {
        yield 'a'
        yield 5
      },
    ],
    [
      'that cannot start',
      () => ({
        [Symbol.asyncIterator]() {
          throw new Error('mine')
        },
      }),
    ],
  ])('%s closes with 1011, and onError gets the error', async (_, onMessage) => {
    const errors: Error[] = []
    const { client } = await start({
      onMessage,
      onError: (_: unknown, error: Error) => void errors.push(error),
    })
    client.send('x')
    expect(await end(client)).toBe('1011 internal error')
    expect(errors).toHaveLength(1)
  })

  it('follows the pace of the peer, and is cancelled when the connection ends', async () => {
    let made = 0
    const cancelled = latch()
    const { client } = await start(
      {
        async *onMessage() {
          try {
            for (;;) {
              made++
              yield Buffer.alloc(64 * 1024)
            }
          } finally {
            cancelled.open()
          }
        },
      },
      { perMessageDeflate: false },
    )
    client.pause()
    client.send('x')
    const settled = async (): Promise<number> => {
      for (let before = -1; before !== made;) {
        before = made
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      return made
    }
    while (made === 0) await new Promise((resolve) => setImmediate(resolve))
    // What the system's buffers take, and no more; it would go on for ever.
    expect(await settled()).toBeLessThan(1000)
    client.terminate()
    await cancelled.opened
  })

  it('is one of at most maxQueuedMessages, and above that the next message waits for the end of one', async () => {
    const journal = new Journal()
    const ends: (() => void)[] = []
    const { client } = await start(
      {
        async *onMessage(_: unknown, message: string) {
          journal.add(`begin ${message}`)
          const gate = latch()
          ends.push(gate.open)
          yield message
          await gate.opened
        },
      },
      { limits: { maxQueuedMessages: 2 } },
    )
    for (const message of ['a', 'b', 'c']) client.send(message)
    await journal.until(2)
    client.ping()
    while (client.rttMs === undefined) await new Promise((resolve) => setImmediate(resolve))
    expect(journal.lines).toEqual(['begin a', 'begin b'])
    ends[0]?.()
    await journal.until('begin c')
  })
})

describe('concurrency', () => {
  const run = async (
    concurrency: number,
    limits = {},
  ): Promise<{ journal: Journal; gates: Map<string, Latch>; client: ClientSocket }> => {
    const journal = new Journal()
    const gates = new Map<string, Latch>()
    const { client } = await start(
      {
        concurrency,
        onMessage: async (_: unknown, message: string) => {
          const gate = latch()
          gates.set(message, gate)
          journal.add(`begin ${message}`)
          await gate.opened
          return message
        },
        onClose: (_: unknown, info: never) => journal.add(showInfo(info)),
      },
      { limits },
    )
    return { journal, gates, client }
  }

  it('of two handles two messages at a time, and replies leave as they are ready', async () => {
    const { journal, gates, client } = await run(2)
    for (const message of ['a', 'b', 'c']) client.send(message)
    await journal.until(2)
    expect(journal.lines).toEqual(['begin a', 'begin b'])
    gates.get('b')?.open()
    expect(await client.receive()).toBe('b')
    await journal.until('begin c')
    gates.get('c')?.open()
    gates.get('a')?.open()
    expect([await client.receive(), await client.receive()].sort()).toEqual(['a', 'c'])
  })

  it('of Infinity means maxQueuedMessages, and onClose is called after all of them', async () => {
    const { journal, gates, client } = await run(Infinity, { maxQueuedMessages: 3 })
    for (const message of ['a', 'b', 'c', 'd']) client.send(message)
    await journal.until(3)
    client.ping()
    while (client.rttMs === undefined) await new Promise((resolve) => setImmediate(resolve))
    expect(journal.lines).toEqual(['begin a', 'begin b', 'begin c'])
    client.terminate()
    for (const message of ['a', 'b', 'c']) gates.get(message)?.open()
    await journal.until('begin d')
    expect(journal.lines).toHaveLength(4)
    gates.get('d')?.open()
    await journal.until(/^closed 1006/)
  })

  it('is also bounded by the bytes of the messages under way', async () => {
    const { journal, gates, client } = await run(10, { maxQueuedBytes: 1000 })
    for (const message of ['a', 'b', 'c']) client.send(message.repeat(600))
    await journal.until(2)
    client.ping()
    while (client.rttMs === undefined) await new Promise((resolve) => setImmediate(resolve))
    expect(journal.lines).toHaveLength(2)
    gates.get('a'.repeat(600))?.open()
    await journal.until(3)
  })
})

describe('handlers that fail', () => {
  it('harm their own connection alone when they throw, reject or never return', async () => {
    const { client, url } = await start({
      onMessage: (_: unknown, message: string) => {
        if (message === 'throw') throw new Error('mine')
        if (message === 'reject') return Promise.reject(new Error('mine'))
        return message === 'hang' ? new Promise(noop) : message
      },
      onError: noop,
    })
    for (const message of ['throw', 'reject', 'hang']) {
      const other = await connect(url)
      clients.push(other)
      other.send(message)
      if (message !== 'hang') expect(await end(other)).toBe('1011 internal error')
      client.send(message === 'hang' ? 'alive' : message.toUpperCase())
      expect(await client.receive()).toBe(message === 'hang' ? 'alive' : message.toUpperCase())
    }
  })

  it('reach onError, before onClose, when they reject after the close', async () => {
    const journal = new Journal()
    const gate = latch()
    const { client } = await start({
      onMessage: async () => {
        journal.add('begin')
        await gate.opened
        throw new Error('late')
      },
      onError: (_: unknown, error: Error) => journal.add(`error ${error.message}`),
      onClose: () => journal.add('close'),
    })
    client.send('x')
    await journal.until('begin')
    client.terminate()
    await new Promise((resolve) => setImmediate(resolve))
    gate.open()
    await journal.until('close')
    expect(journal.lines).toEqual(['begin', 'error late', 'close'])
  })

  it("reach the server's onError when the service has none", async () => {
    const errors: Error[] = []
    const service = {
      onMessage: () => {
        throw new Error('unheard')
      },
    }
    const { client } = await start(service, { onError: (error) => void errors.push(error) })
    client.send('x')
    expect(await end(client)).toBe('1011 internal error')
    expect(errors.map((error) => error.message)).toEqual(['unheard'])
  })
})

describe("the warning for a handler's error without any onError", () => {
  const programs = new Programs()
  afterAll(() => {
    programs.remove()
  })

  it('names the path of an upgrade that a program took by hand or by a framework', async () => {
    const program = programs.run(`
      import { createServer } from 'node:http'
      import { connect, WebSocketServer } from './src/index.js'
      import { ExpressWebSockets } from './src/adapters/express.js'
      process.on('warning', (warning) => console.log(warning.message))
      const server = new WebSocketServer()
      const sockets = new ExpressWebSockets(server)
      const route = sockets.route((ws) => { ws.on('message', () => {}) })
      const http = createServer((request, response) => route(request, response, () => response.end()))
      sockets.attach(http)
      await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve))
      const socket = await connect('ws://127.0.0.1:' + http.address().port + '/echo?secret=1')
      await socket.closed
      await server.close()
      http.close()
    `)
    expect((await program.ended).lines).toEqual([
      'a handler of the upgrade to "/echo" failed, and no onError heard it: ws.on is not a function',
    ])
  })

  it('is HAWSER_UNHANDLED_HANDLER_ERROR, once for each route in a minute', async () => {
    const program = programs.run(`
      import { connect, WebSocketServer } from './src/index.js'
      process.on('warning', (warning) => console.log(warning.code, warning.message))
      const server = new WebSocketServer()
      server.route('/a', { onMessage: () => { throw new Error('unheard') } })
      server.route('/b', { onOpen: () => Promise.reject(new Error('neither')) })
      const { port } = await server.listen(0, '127.0.0.1')
      for (const path of ['/a', '/a', '/b']) {
        const socket = await connect('ws://127.0.0.1:' + port + path)
        socket.send('x')
        await socket.receive().catch(() => undefined)
        await socket.close()
      }
      await server.close()
    `)
    const because = 'failed, and no onError heard it'
    expect((await program.ended).lines).toEqual([
      `HAWSER_UNHANDLED_HANDLER_ERROR a handler of the route "/a" ${because}: unheard`,
      `HAWSER_UNHANDLED_HANDLER_ERROR a handler of the route "/b" ${because}: neither`,
    ])
  })
})

describe('a route with a function', () => {
  it('makes handlers for each connection, which keep its state', async () => {
    const { url, client } = await start((socket: ServerSocket) => {
      let count = 0
      return { onMessage: () => `${socket.url} ${String(++count)}` }
    })
    const other = await connect(url)
    clients.push(other)
    client.send('a')
    client.send('a')
    other.send('a')
    expect([await client.receive(), await client.receive(), await other.receive()]).toEqual([
      '/ 1',
      '/ 2',
      '/ 1',
    ])
  })

  it.each([
    [
      'throws',
      () => {
        throw new Error('mine')
      },
      'mine',
    ],
    ['returns nothing', noop, 'handlers must be an object with handlers, not undefined'],
    [
      'returns a promise',
      () => Promise.resolve({}),
      'the function of a route must return handlers, not a promise',
    ],
    ['misspells', () => ({ onMesage: noop }), 'handlers has no handler named "onMesage"'],
  ])("that %s closes with 1011, and the server's onError gets the error", async (_, factory, message) => {
    const errors: Error[] = []
    const { client } = await start(factory, { onError: (error) => void errors.push(error) })
    expect(await end(client)).toBe('1011 internal error')
    expect(errors[0]?.message).toContain(message)
  })
})

describe('server.close', () => {
  it('waits for handlers that run and for onClose', async () => {
    const journal = new Journal()
    const gate = latch()
    const { client, server } = await start({
      onMessage: async () => {
        journal.add('begin')
        await gate.opened
        journal.add('end')
      },
      onClose: async () => {
        await new Promise((resolve) => setImmediate(resolve))
        journal.add('closed')
      },
    })
    client.send('x')
    await journal.until('begin')
    const closed = server.close().then(() => journal.add('server closed'))
    await client.receive().catch(noop)
    gate.open()
    await closed
    expect(journal.lines).toEqual(['begin', 'end', 'closed', 'server closed'])
  })

  it('does not wait longer than timeoutMs', async () => {
    const journal = new Journal()
    const { client, server } = await start({
      onMessage: () => {
        journal.add('begin')
        return new Promise(noop)
      },
    })
    client.send('x')
    await journal.until('begin')
    await server.close({ timeoutMs: 50 })
    expect(server.connectionCount).toBe(0)
  })
})

describe('onIdleTimeout', () => {
  it('may be async, is not called again before it settles, and then decides', async () => {
    const journal = new Journal()
    const gate = latch()
    const { client } = await start(
      {
        onIdleTimeout: async () => {
          journal.add('idle')
          if (journal.lines.length > 1) return undefined
          await gate.opened
          return 'keep' as const
        },
      },
      { idleTimeoutMs: 20 },
    )
    await journal.until('idle')
    await new Promise((resolve) => setTimeout(resolve, 60))
    expect(journal.lines).toEqual(['idle'])
    gate.open()
    expect(await end(client)).toBe('1001 idle')
    expect(journal.lines).toEqual(['idle', 'idle'])
  })
})
