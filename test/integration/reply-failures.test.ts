/** Replies that throw when they are looked at, begun or cleaned up: each error is heard once, and the server closes as ever. */
import { Readable } from 'node:stream'
import {
  closeWith,
  connect,
  type ClientSocket,
  type ServerOptions,
  type ServerSocket,
  type WebSocketServer,
} from '../../src/index.js'
import { json } from '../../src/json/index.js'
import { serve, stopServing } from '../helpers/serving.js'

const clients: ClientSocket[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.terminate()
  stopServing()
})

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const fail = (): never => {
  throw new Error('of the reply')
}

/** What becomes of a message that is answered so. */
async function answer(onMessage: () => unknown, options: ServerOptions = {}): Promise<string[]> {
  const errors: string[] = []
  const onError = (_: unknown, error: Error): void => void errors.push(error.message)
  const { server, url } = await serve({ onMessage, onError } as never, options)
  const client = await connect(url)
  clients.push(client)
  client.send('x')
  const end = await client.receive().then(
    () => 'a message',
    (error: unknown) => String((error as { closeCode: number }).closeCode),
  )
  client.terminate()
  await later(100)
  await server.close({ timeoutMs: 2000 })
  return [end, ...errors]
}

/** A Blob of a class of the application's own. */
const brokenBlob = (): Blob => Object.assign(new Blob(['x']), { arrayBuffer: fail })
const PROXY = (): object => new Proxy({}, { getPrototypeOf: fail })
const GETTER = (): object => Object.defineProperty({}, Symbol.asyncIterator, { get: fail })

describe.each([
  ['at once', (reply: () => unknown) => reply],
  ['later', (reply: () => unknown) => () => later(1).then(reply)],
])('a reply that comes %s, and throws when it is looked at', (_, given) => {
  it.each<[name: string, reply: () => unknown]>([
    ['a Blob whose bytes cannot be read', brokenBlob],
    ['a Proxy without a prototype', PROXY],
    ['a getter for its iterator', GETTER],
    ['an iterator that cannot be begun', () => ({ [Symbol.asyncIterator]: fail })],
  ])('%s', async (_, reply) => {
    expect(await answer(given(reply))).toEqual(['1011', 'of the reply'])
  })

  it('an iterator that is made by an async function', async () => {
    const reply = (): object => ({
      [Symbol.asyncIterator]: () => Promise.reject(new Error('heard by nobody')),
    })
    expect(await answer(given(reply))).toEqual([
      '1011',
      '[Symbol.asyncIterator] of a reply must return an iterator, not a promise: it must not be async',
    ])
  })

  it.each([
    ['a Proxy', PROXY],
    ['a getter', GETTER],
  ])('also where there is no room for a reply: %s', async (_, reply) => {
    let isFirst = true
    const errors: string[] = []
    const { server, url } = await serve(
      {
        concurrency: 2,
        onMessage: () => {
          if (!isFirst) return given(reply)()
          isFirst = false
          return 'x'.repeat(16 << 20)
        },
        onError: (_: unknown, error: Error) => void errors.push(error.message),
      } as never,
      { perMessageDeflate: false, limits: { highWaterMarkBytes: 1 } },
    )
    const client = await connect(url, { limits: { maxMessageBytes: 32 << 20 } })
    clients.push(client)
    client.pause()
    client.send('first')
    client.send('second')
    await later(200)
    client.resume()
    await client.receive().catch(() => undefined)
    await later(100)
    client.terminate()
    await server.close({ timeoutMs: 2000 })
    expect(errors).toEqual(['of the reply'])
  })
})

describe('a stream of replies whose peer is gone', () => {
  /** What is heard of a stream that has sent a part when its peer goes. */
  const heard = async (stream: (isGone: Promise<void>) => AsyncIterable<string>): Promise<string[]> => {
    const errors: string[] = []
    let gone = (): void => undefined
    const isGone = new Promise<void>((resolve) => (gone = resolve))
    const { server, url } = await serve({
      onMessage: () => stream(isGone),
      onClose: gone,
      onError: (_: unknown, error: Error) => void errors.push(error.message),
    })
    const client = await connect(url)
    client.send('x')
    await client.receive()
    client.terminate()
    await later(100)
    await server.close({ timeoutMs: 2000 })
    return errors
  }

  it('fails afterwards: onError hears it, as of a handler', async () => {
    const errors = await heard(async function* () {
      yield 'part'
      await later(30)
      throw new Error('of the stream')
    })
    expect(errors).toEqual(['of the stream'])
  })

  it('fails in its clean-up: onError hears it', async () => {
    const errors = await heard(async function* () {
      try {
        yield 'part'
        await later(30)
        yield 'more'
      } finally {
        fail()
      }
    })
    expect(errors).toEqual(['of the reply'])
  })

  it.each([
    ['throws', fail],
    ['rejects', () => Promise.reject(new Error('of the reply'))],
  ])('%s in return(): onError hears it', async (_, give) => {
    let parts = 0
    const iterator = {
      next: () =>
        parts++ === 0 ? Promise.resolve({ done: false, value: 'part' }) : new Promise(() => undefined),
      return: give,
    }
    expect(await heard(() => ({ [Symbol.asyncIterator]: () => iterator }) as never)).toEqual(['of the reply'])
  })

  it('fails by socket.signal: that is no error', async () => {
    const errors: string[] = []
    const { server, url } = await serve({
      async *onMessage(socket: { signal: AbortSignal }) {
        yield 'part'
        await new Promise((_, reject) => {
          socket.signal.addEventListener('abort', () => reject(socket.signal.reason as Error))
        })
      },
      onError: (_: unknown, error: Error) => void errors.push(error.message),
    })
    const client = await connect(url)
    client.send('x')
    await client.receive()
    client.terminate()
    await later(100)
    await server.close({ timeoutMs: 2000 })
    expect(errors).toEqual([])
  })
})

/** A stream goes on for so long after the peer's Close frame. */
const BRIEF = { limits: { closeTimeoutMs: 300 } }

describe('a stream of replies that is cancelled', () => {
  const WAYS: Record<
    string,
    (socket: ServerSocket, client: ClientSocket, server: WebSocketServer) => unknown
  > = {
    'by its server': (socket) => socket.close(4000),
    'by its peer': (_, client) => client.close(1000),
    'by the close of the server': (_socket, _client, server) => server.close({ timeoutMs: 1000 }),
    'by a loss': (_, client) => client.terminate(),
  }

  /** What is heard when a stream has sent a part, and its connection ends so. @returns the code of `onClose` and the errors */
  const ended = async (
    stream: (socket: ServerSocket) => unknown,
    way: (socket: ServerSocket, client: ClientSocket, server: WebSocketServer) => unknown,
  ): Promise<unknown[]> => {
    const heard: unknown[] = []
    let socket!: ServerSocket
    let closed = (): void => undefined
    const isClosed = new Promise<void>((resolve) => (closed = resolve))
    const { server, url } = await serve(
      {
        onMessage: (one: ServerSocket) => {
          socket = one
          return stream(one)
        },
        onClose: (_: unknown, { code }: { code: number }) => {
          heard.unshift(code)
          closed()
        },
        onError: (_: unknown, error: Error) => void heard.push(error.message),
      } as never,
      BRIEF,
    )
    const client = await connect(url)
    clients.push(client)
    client.send('x')
    await client.receive()
    await way(socket, client, server)
    await isClosed
    await later(50)
    await server.close({ timeoutMs: 1000 })
    return heard
  }

  /** Sends a part, and then waits: `return` fails the wait. */
  const abortable =
    (reason: () => unknown, give: () => unknown = () => ({ done: true })) =>
    () => {
      let parts = 0
      let abort: (reason: unknown) => void = () => undefined
      return {
        [Symbol.asyncIterator]: () => ({
          next: () =>
            parts++ === 0
              ? Promise.resolve({ done: false, value: 'part' })
              : new Promise((_, reject) => {
                  abort = reject
                }),
          return: () => {
            abort(reason())
            return Promise.resolve(give())
          },
        }),
      }
    }
  const codes: Record<string, number> = {
    'by its server': 4000,
    'by its peer': 1000,
    'by the close of the server': 1001,
    'by a loss': 1006,
  }
  const FROM_SIGNAL: Record<string, (socket: ServerSocket) => unknown> = {
    'aborts what it waits for': abortable(() => new DOMException('gone', 'AbortError')),
    'wraps the abort': abortable(
      () => new Error('cancelled', { cause: new DOMException('gone', 'AbortError') }),
    ),
    'is a Readable that the signal destroys': (socket) => {
      const readable = new Readable({ read: () => undefined })
      readable.push('part')
      socket.signal.addEventListener('abort', () => readable.destroy())
      return readable
    },
    async *'reads a Readable that the signal destroys'(socket) {
      const readable = new Readable({ read: () => undefined })
      readable.push('part')
      socket.signal.addEventListener('abort', () => readable.destroy())
      for await (const part of readable) yield part
    },
  }
  const cases = Object.keys(WAYS).flatMap((way) =>
    Object.keys(FROM_SIGNAL).map((what) => [way, what] as const),
  )

  it.each(cases)('%s, and %s, fails nothing, and nothing is heard', async (way, what) => {
    expect(await ended(FROM_SIGNAL[what]!, WAYS[way]!)).toEqual([codes[way]])
  })

  it.each(Object.keys(WAYS))(
    '%s, and fails by itself, is heard once, and the code is that of the close',
    async (way) => {
      const failure = new Error('of the stream')
      const stream = abortable(
        () => failure,
        () => Promise.reject(failure),
      )
      expect(await ended(stream, WAYS[way]!)).toEqual([codes[way], 'of the stream'])
    },
  )

  it('by a loss, and fails with undefined, is heard once', async () => {
    const stream = abortable(
      () => undefined,
      () => Promise.reject(),
    )
    expect(await ended(stream, WAYS['by a loss']!)).toEqual([1006, 'undefined'])
  })

  it('does not lose the messages that wait', async () => {
    const seen: unknown[] = []
    let open = (): void => undefined
    const gate = new Promise<void>((resolve) => (open = resolve))
    const { server, url } = await serve(
      {
        onMessage: async (_: unknown, message: unknown) => {
          seen.push(message)
          if (message !== 'stream') await gate
          else return abortable(() => new Error('of the stream'))()
          return undefined
        },
        onError: () => undefined,
      } as never,
      BRIEF,
    )
    const client = await connect(url)
    clients.push(client)
    client.send('stream')
    await client.receive()
    for (const message of ['1', '2', '3']) client.send(message)
    await client.close(1000)
    open()
    await server.close({ timeoutMs: 1000 })
    expect(seen).toEqual(['stream', '1', '2', '3'])
  })
})

it.each<[name: string, onMessage: () => unknown, message: RegExp]>([
  [
    'an array of promises, as map makes it with an async function',
    () => ['a', 'b'].map(async (id) => Promise.reject(new Error(id))),
    /^a reply must not be an array of promises: await Promise\.all/,
  ],
  [
    'a promise of one',
    () => Promise.resolve([Promise.reject(new Error('a'))]),
    /^a reply must not be an array of promises/,
  ],
  [
    'a generator of promises',
    function* () {
      yield Promise.reject(new Error('a'))
    },
    /^a part of a stream must not be a promise: await it/,
  ],
  [
    'a generator of nothing',
    function* () {
      yield undefined
    },
    /^a part of a stream must be a string, bytes, a PreparedMessage or closeWith\(\.\.\.\), not undefined/,
  ],
])('%s is not a reply, and what it rejects with ends nothing', async (_, onMessage, message) => {
  expect(await answer(onMessage)).toEqual(['1011', expect.stringMatching(message)])
})

it('a stream that fails, and then in its clean-up: the cause is heard first', async () => {
  const errors = await answer(() => ({
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.reject(new Error('the cause')),
      return: () => Promise.reject(new Error('the clean-up')),
    }),
  }))
  expect(errors).toEqual(['1011', 'the cause', 'the clean-up'])
})

it('a stream that closes and fails in its clean-up closes as it said, and onError hears of it', async () => {
  const errors = await answer(async function* () {
    try {
      yield closeWith(4001, 'enough')
    } finally {
      fail()
    }
  })
  expect(errors).toEqual(['4001', 'of the reply'])
})

it.each([
  ['false', () => false],
  ['1', () => 1],
  ['an array', () => []],
  ['null', () => null],
  ['undefined', () => undefined],
  ['an object', () => ({})],
  ['a promise of true', () => Promise.resolve(true)],
  ['no list of issues', () => ({ issues: null })],
  [
    'a getter that throws',
    () => ({
      get issues(): never {
        return fail()
      },
    }),
  ],
])(
  'a schema whose validate gives %s fails: no handler is called, and the peer is not to blame',
  async (_, validate) => {
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const
    const errors: string[] = []
    const seen: unknown[] = []
    const { url } = await serve({
      codec: json(schema as never),
      onMessage: (_: unknown, message: unknown) => void seen.push(message),
      onError: (_: unknown, error: Error) => void errors.push(error.message),
    } as never)
    const client = await connect(url)
    clients.push(client)
    client.send('1')
    await expect(client.receive()).rejects.toMatchObject({ closeCode: 1011 })
    expect(seen).toEqual([])
    expect(errors).toEqual([
      expect.stringMatching(
        /^(validate of a schema must return { value } or { issues }, not .*|of the reply)$/,
      ),
    ])
  },
)
