/** Which handler is called when, what becomes of what it returns or throws, and what waits for it. */
import { PreparedMessage } from '../../../src/connection/prepared-message.js'
import { batch } from '../../../src/connection/text-batch.js'
import { InvalidMessageError } from '../../../src/errors.js'
import { Hub } from '../../../src/hub/hub.js'
import { resolveLimits, SERVER_LIMITS, type LimitOptions } from '../../../src/limits.js'
import { ServerSocketCore, type AcceptedSocket } from '../../../src/server/accepted-socket.js'
import type { ServerSocket } from '../../../src/server/server-socket.js'
import { json } from '../../../src/json/json-codec.js'
import type { Codec } from '../../../src/service/codec.js'
import { closeWith, type Handlers } from '../../../src/service/service.js'
import { StreamTransport } from '../../../src/transport/stream-transport.js'
import { closeFrame, frame, KEY, OP, readFrames } from '../../helpers/frame-builder.js'
import { MemoryDuplex, nextTurn } from '../../helpers/memory-duplex.js'

interface Served {
  readonly socket: ServerSocket
  readonly stream: MemoryDuplex
  /** What handlers and the owner were told, in order. */
  readonly told: string[]
  /** What the peer got, a frame a line. */
  readonly lines: () => string[]
}

const opened: MemoryDuplex[] = []
afterEach(async () => {
  for (const stream of opened.splice(0)) stream.destroy()
  await turns()
})

/** What is under way gets on as far as it can by itself. */
async function turns(): Promise<void> {
  for (let i = 0; i < 8; i++) await nextTurn()
}

/** A real socket of a server over a stream in memory. */
function serve(
  make: (told: string[]) => Handlers<ServerSocket>,
  limitOptions: LimitOptions = {},
  head: Uint8Array = new Uint8Array(0),
): Served {
  const stream = new MemoryDuplex()
  opened.push(stream)
  const limits = resolveLimits(limitOptions, SERVER_LIMITS)
  const told: string[] = []
  const core = new ServerSocketCore(
    new StreamTransport(stream),
    {
      info: { url: '/', protocol: '', extensions: '', secure: false, remoteAddress: '' },
      data: undefined,
      params: {},
      request: undefined,
    },
    { role: 'server', limits },
    { limits, slowConsumer: 'close' },
    make(told),
    {
      hub: new Hub<AcceptedSocket>(),
      path: '/',
      closing: () => undefined,
      received: () => undefined,
      dropped: (count) => told.push(`dropped ${count}`),
      closed: () => told.push('gone'),
      finished: () => told.push('done'),
      failed: (_, error, isHeard) => told.push(`failed ${error.message}${isHeard ? '' : ', unheard'}`),
    },
  )
  core.open(head)
  const { socket } = core
  const lines = (): string[] =>
    readFrames(stream.written).frames.map((one) =>
      one.opcode === OP.CLOSE ? `8 ${one.closeCode} ${one.closeReason}`.trim() : `${one.opcode} ${one.text}`,
    )
  return { socket, stream, told, lines }
}

interface Gate {
  readonly opened: Promise<void>
  open: () => void
}
function gate(): Gate {
  let open = (): void => undefined
  const opening = new Promise<void>((resolve) => (open = resolve))
  return { opened: opening, open: () => open() }
}

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })
const bytes = (payload: string): Buffer => frame({ opcode: OP.BINARY, payload, key: KEY })
const control = (opcode: number, payload: string): Buffer => frame({ opcode, payload, key: KEY })
const close = (code: number, reason = ''): Buffer => closeFrame(code, reason, { key: KEY })

describe('messages', () => {
  test('go to the handler of their type, and its return value is the reply', async () => {
    const { stream, lines } = serve(() => ({
      onTextMessage: (_, message) => message.toUpperCase(),
      onBinaryMessage: (_, message) => Buffer.concat([message, message]),
    }))
    stream.deliver(text('a'), bytes('b'), text('c'))
    await turns()
    expect(lines()).toEqual(['1 A', '2 bb', '1 C'])
  })

  test('that come together are answered together, also where the replies are returned', async () => {
    const waiting: number[] = []
    const { stream, lines } = serve(() => ({
      onMessage: (_, message) => {
        waiting.push(batch.count)
        return message
      },
    }))
    stream.deliver(Buffer.concat(['a', 'b', 'c', 'd', 'e'].map(text)))
    await turns()
    // The first is encoded by itself; the others wait for each other, and are encoded in one call.
    expect(waiting).toEqual([0, 0, 1, 2, 3])
    expect(lines()).toEqual(['1 a', '1 b', '1 c', '1 d', '1 e'])
  })

  test('that arrive with the handshake are the first', async () => {
    const { stream, lines } = serve(() => ({ onMessage: (_, message) => message }), {}, text('head'))
    stream.deliver(text('behind'))
    await turns()
    expect(lines()).toEqual(['1 head', '1 behind'])
  })

  test.each([
    ['binary', bytes('x'), { onTextMessage: (): undefined => undefined }],
    ['text', text('x'), { onBinaryMessage: (): undefined => undefined }],
  ])(
    'RFC 6455 7.4.1: close with 1003 when %s has no handler and the other type has one',
    async (_, message, handlers) => {
      const { stream, lines } = serve(() => handlers)
      stream.deliver(message)
      await turns()
      expect(lines()).toEqual(['8 1003 this type of message is not supported'])
    },
  )

  test('are dropped without a handler', async () => {
    const { stream, lines } = serve(() => ({}))
    stream.deliver(text('a'), bytes('b'), control(OP.PING, 'p'))
    await turns()
    expect(lines()).toEqual(['10 p'])
  })

  test.each([undefined, null, true, false, 0])('are not answered with %p', async (value) => {
    const { stream, lines } = serve(() => ({ onMessage: () => value }))
    stream.deliver(text('a'), text('b'))
    await turns()
    expect(lines()).toEqual([])
  })

  test.each([
    [{}, 'an object'],
    [() => 1, 'a function'],
    [10n, 'a bigint'],
  ])('cause a TypeError that names the handler for %p without a codec', async (value, shown) => {
    const { stream, told, lines } = serve(() => ({ onMessage: () => value }))
    stream.deliver(text('a'), text('b'))
    await turns()
    expect(lines()).toEqual(['8 1011 internal error'])
    expect(told[0]).toMatch(/^failed what onMessage returns must be a string, bytes, .*, unheard$/)
    expect(told[0]).toContain(shown)
  })

  test('are answered with a PreparedMessage, a Blob, or the parts of an array or a generator', async () => {
    const replies: unknown[] = [
      new PreparedMessage('prepared'),
      new Blob(['blob']),
      ['one', 'two'],
      (function* () {
        yield 'three'
        yield Buffer.from('four')
      })(),
    ]
    const { stream, lines } = serve(() => ({ onMessage: () => replies.shift() }))
    for (let i = 0; i < 4; i++) {
      stream.deliver(text('next'))
      await turns()
      await turns()
    }
    expect(lines()).toEqual(['1 prepared', '2 blob', '1 one', '1 two', '1 three', '2 four'])
  })

  test('are not answered with booleans under a codec, and an array is one value', async () => {
    const replies: unknown[] = [true, false, undefined, ['a', true], 0, null]
    const { stream, lines } = serve(() => ({ codec: json(), onMessage: () => replies.shift() }))
    stream.deliver(...Array.from({ length: 6 }, () => text('{}')))
    await turns()
    expect(lines()).toEqual(['1 ["a",true]', '1 0', '1 null'])
  })

  test('are answered with a close by closeWith', async () => {
    const { stream, lines } = serve(() => ({ onMessage: () => closeWith(4000, 'enough') }))
    stream.deliver(text('a'))
    await turns()
    expect(lines()).toEqual(['8 4000 enough'])
  })
})

describe('one at a time', () => {
  test('the next message waits for the handler, and pings are answered meanwhile', async () => {
    const gates = [gate(), gate()]
    const { stream, told, lines } = serve((list) => ({
      onMessage: async (_, message) => {
        list.push(`begin ${String(message)}`)
        await gates[Number(message)]?.opened
        list.push(`end ${String(message)}`)
        return message
      },
      onPing: (_, data) => void list.push(`ping ${data.toString()}`),
      onPong: (_, data) => void list.push(`pong ${data.toString()}`),
    }))
    stream.deliver(text('0'), text('1'), control(OP.PING, 'a'), control(OP.PONG, 'b'), text('2'))
    await turns()
    expect(told).toEqual(['begin 0', 'ping a', 'pong b'])
    expect(lines()).toEqual(['10 a'])
    gates[0]!.open()
    await turns()
    expect(told.slice(3)).toEqual(['end 0', 'begin 1'])
    gates[1]!.open()
    await turns()
    expect(told.slice(5)).toEqual(['end 1', 'begin 2', 'end 2'])
    expect(lines()).toEqual(['10 a', '1 0', '1 1', '1 2'])
  })

  test('two messages are handled with a concurrency of 2, and replies leave as they are ready', async () => {
    const gates = Array.from({ length: 3 }, gate)
    const { stream, told, lines } = serve((list) => ({
      concurrency: 2,
      onMessage: async (_, message) => {
        list.push(`begin ${String(message)}`)
        await gates[Number(message)]!.opened
        return message
      },
    }))
    stream.deliver(text('0'), text('1'), text('2'))
    await turns()
    expect(told).toEqual(['begin 0', 'begin 1'])
    gates[1]!.open()
    await turns()
    expect(told).toEqual(['begin 0', 'begin 1', 'begin 2'])
    gates[2]!.open()
    await turns()
    gates[0]!.open()
    await turns()
    expect(lines()).toEqual(['1 1', '1 2', '1 0'])
  })

  test('reading stops while the inbox is full, and goes on when there is room', async () => {
    const wait = gate()
    let handled = 0
    const { stream } = serve(
      () => ({
        onMessage: async () => {
          await wait.opened
          handled++
        },
      }),
      { maxQueuedMessages: 4 },
    )
    let left = 50
    const one = text('x')
    stream.supply(() => (left-- > 0 ? one : control(OP.PING, '')))
    await turns()
    expect(handled).toBe(0)
    expect(stream.isPaused()).toBe(true)
    wait.open()
    for (let i = 0; i < 200 && handled < 50; i++) await nextTurn()
    expect(handled).toBe(50)
  })

  test('pause keeps messages that were read already until resume', async () => {
    const { socket, stream, told } = serve((list) => ({
      onMessage: (one, message) => {
        list.push(String(message))
        if (message === '2') one.pause()
      },
    }))
    stream.deliver(text('1'), text('2'), text('3'))
    await turns()
    expect(told).toEqual(['1', '2'])
    socket.resume()
    await turns()
    expect(told).toEqual(['1', '2', '3'])
  })

  test('a reply that the peer does not take delays the next message until it has left', async () => {
    const { stream, told, lines } = serve(
      (list) => ({
        onMessage: (_, message) => {
          list.push(String(message))
          return 'x'.repeat(50_000)
        },
        onDrain: () => void list.push('drain'),
      }),
      { highWaterMarkBytes: 1000 },
    )
    stream.stick()
    stream.deliver(text('1'), text('2'))
    await turns()
    expect(told).toEqual(['1'])
    stream.unstick()
    await turns()
    expect(told).toEqual(['1', 'drain', '2', 'drain'])
    expect(lines()).toHaveLength(2)
  })
})

describe('the opening', () => {
  test('nothing is delivered before onOpen ends, and its messages leave first', async () => {
    const wait = gate()
    const { stream, told, lines } = serve((list) => ({
      onOpen: async () => {
        list.push('open')
        await wait.opened
        return 'welcome'
      },
      onMessage: (_, message) => {
        list.push(String(message))
        return message
      },
    }))
    stream.deliver(text('a'))
    await turns()
    expect(told).toEqual(['open'])
    wait.open()
    await turns()
    expect(told).toEqual(['open', 'a'])
    // What onOpen returns is no reply.
    expect(lines()).toEqual(['1 a'])
  })

  test.each([
    ['throws', () => fails()],
    ['rejects', () => Promise.reject(new Error('no'))],
  ])('RFC 6455 7.4.1: an onOpen that %s closes with 1011, and no message is delivered', async (_, onOpen) => {
    const { stream, told, lines } = serve((list) => ({
      onOpen,
      onMessage: () => void list.push('message'),
      onClose: (_socket, { code }) => void list.push(`close ${code}`),
    }))
    stream.deliver(text('a'), close(1011))
    stream.push(null)
    await turns()
    expect(lines()).toEqual(['8 1011 internal error'])
    expect(told).not.toContain('message')
    expect(told).toContain('failed no, unheard')
  })
})

function fails(): never {
  throw new Error('no')
}

describe('RFC 6455 7.4.1: a handler that fails', () => {
  test.each([
    ['throws', fails],
    ['rejects', () => Promise.reject(new Error('no'))],
  ])(
    'closes with 1011 and a reason without details, and onError is called before onClose: %s',
    async (_, onMessage) => {
      const { stream, told, lines } = serve((list) => ({
        onMessage,
        onError: (_socket, error) => void list.push(`error ${error.message}`),
        onClose: (_socket, info) => void list.push(`close ${info.code} ${info.initiator}`),
      }))
      stream.deliver(text('a'), text('b'))
      await turns()
      expect(lines()).toEqual(['8 1011 internal error'])
      stream.deliver(close(1011))
      stream.push(null)
      await turns()
      const dropped = onMessage === fails ? [] : ['dropped 1']
      expect(told).toEqual([...dropped, 'failed no', 'error no', 'gone', 'close 1011 engine', 'done'])
    },
  )

  test('closes also when it is not awaited, and onError itself is not called again', async () => {
    const { stream, told, lines } = serve(() => ({
      onPing: () => Promise.reject(new Error('later')),
      onError: fails,
    }))
    stream.deliver(control(OP.PING, ''))
    await turns()
    expect(lines()).toEqual(['10 ', '8 1011 internal error'])
    // What the handler for errors throws is an error of its own.
    expect(told).toEqual(['failed later', 'failed no, unheard'])
  })

  test('has failed when its reply cannot be sent', async () => {
    const codec: Codec = { decode: String, encode: () => 5 as unknown as string }
    const { stream, lines } = serve(() => ({ codec, onMessage: () => 'x' }))
    stream.deliver(text('a'))
    await turns()
    expect(lines()).toEqual(['8 1011 internal error'])
  })
})

describe('a codec', () => {
  const codec: Codec<number> = {
    decode: (message) => {
      const value = Number(message)
      if (value === 13) return Promise.reject(new InvalidMessageError(1008, 'unlucky'))
      if (Number.isNaN(value)) throw new Error('secret')
      return value > 99 ? Promise.resolve(value) : value
    },
    encode: (value) => `<${String(value)}>`,
  }

  test('decodes messages, sync or async, and encodes replies, in order', async () => {
    const { stream, lines } = serve(() => ({ codec, onMessage: (_, value) => (value as number) + 1 }))
    stream.deliver(text('1'), text('100'), bytes('2'))
    await turns()
    expect(lines()).toEqual(['1 <2>', '1 <101>', '1 <3>'])
  })

  test.each([
    ['x', '8 1003 a message that the codec cannot read'],
    ['13', '8 1008 unlucky'],
  ])('closes for a message %s that it refuses', async (message, line) => {
    const { stream, lines } = serve(() => ({ codec, onMessage: () => 'never' }))
    stream.deliver(text(message), text('1'))
    await turns()
    expect(lines()).toEqual([line])
  })

  test('passes a refused message to onInvalidMessage unchanged', async () => {
    const { stream, lines } = serve(() => ({
      codec,
      onMessage: (_, value) => value,
      onInvalidMessage: (_, error, raw) => `${error.closeCode} ${String(raw)}`,
    }))
    stream.deliver(text('x'), text('13'), text('1'))
    await turns()
    expect(lines()).toEqual(['1 <1003 x>', '1 <1008 13>', '1 <1>'])
  })
})

describe('a reply in parts', () => {
  test('is sent beside other messages, part by part', async () => {
    const { stream, lines } = serve(() => ({
      async *onTextMessage(_, message) {
        for (let i = 0; i < 3; i++) {
          await nextTurn()
          yield `${message}${i}`
        }
      },
    }))
    stream.deliver(text('a'), text('b'))
    for (let i = 0; i < 30 && lines().length < 6; i++) await nextTurn()
    expect(lines().filter((line) => line.startsWith('1 a'))).toEqual(['1 a0', '1 a1', '1 a2'])
    expect(lines().filter((line) => line.startsWith('1 b'))).toEqual(['1 b0', '1 b1', '1 b2'])
  })

  test('is cancelled at the end of the connection, and onClose waits for its cleanup', async () => {
    const [wait, clean] = [gate(), gate()]
    const { stream, told } = serve((list) => ({
      async *onMessage() {
        try {
          yield 'first'
          await wait.opened
          yield 'never'
        } finally {
          list.push('clean')
          await clean.opened
          list.push('cleaned')
        }
      },
      onClose: () => void list.push('close'),
    }))
    stream.deliver(text('a'))
    await turns()
    stream.destroy()
    await turns()
    wait.open()
    await turns()
    expect(told).toEqual(['gone', 'close', 'clean'])
    clean.open()
    await turns()
    expect(told).toEqual(['gone', 'close', 'clean', 'cleaned', 'done'])
  })

  test('closes with 1011 when it fails', async () => {
    const { stream, lines } = serve(() => ({
      async *onMessage() {
        yield 'first'
        await nextTurn()
        fails()
      },
    }))
    stream.deliver(text('a'))
    await turns()
    expect(lines()).toEqual(['1 first', '8 1011 internal error'])
  })
})

describe('RFC 6455 7.1.4: the end', () => {
  test('onClose is called once, after all received messages, and the connection is done after it', async () => {
    const [message, end] = [gate(), gate()]
    const { stream, told, lines } = serve((list) => ({
      onMessage: async (_, data) => {
        await message.opened
        list.push(String(data))
        return data
      },
      onClose: async (_, info) => {
        list.push(
          `close ${info.code} ${info.reason} ${info.wasClean ? 'clean' : 'unclean'} ${info.initiator}`,
        )
        await end.opened
      },
    }))
    stream.deliver(text('1'), text('2'), close(3000, 'bye'))
    stream.push(null)
    await turns()
    expect(told).toEqual([])
    message.open()
    await turns()
    expect(told).toEqual(['1', '2', 'gone', 'close 3000 bye clean remote'])
    end.open()
    await turns()
    expect(told.at(-1)).toBe('done')
    expect(told).toHaveLength(5)
    // The answer to the peer's Close frame waited for the replies to what came before it.
    expect(lines()).toEqual(['1 1', '1 2', '8 3000'])
  })

  test('an onClose that fails is reported, and the connection is done all the same', async () => {
    for (const onClose of [fails, () => Promise.reject(new Error('no'))]) {
      const { stream, told } = serve(() => ({ onClose }))
      stream.destroy()
      await turns()
      expect(told).toEqual(['gone', 'failed no, unheard', 'done'])
    }
  })

  test('an error of the network is reported before onClose', async () => {
    const { stream, told } = serve((list) => ({
      onError: (_, error) => void list.push(`error ${error.message}`),
      onClose: (_, { code }) => void list.push(`close ${code}`),
    }))
    await turns()
    stream.destroy(new Error('reset'))
    await turns()
    expect(told.filter((line) => !line.startsWith('gone'))).toEqual([
      'failed reset',
      'error reset',
      'close 1006',
      'done',
    ])
  })

  test('the reply of a running handler does not leave after a local close', async () => {
    const wait = gate()
    const { socket, stream, lines } = serve(() => ({
      onMessage: async (_, message) => {
        await wait.opened
        return message
      },
    }))
    stream.deliver(text('a'))
    await turns()
    const ended = socket.close(1000)
    wait.open()
    await turns()
    stream.deliver(close(1000))
    stream.push(null)
    expect(await ended).toMatchObject({ code: 1000, wasClean: true, initiator: 'local' })
    expect(lines()).toEqual(['8 1000'])
  })
})

describe('a connection without messages', () => {
  /** Until something is told, or the test runs out of its time. */
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
  }

  test('is closed with 1001, unless the handler keeps it', async () => {
    let asked = 0
    const { lines } = serve(
      () => ({
        onIdleTimeout: () => {
          asked++
          return asked < 3 ? (asked === 1 ? 'keep' : Promise.resolve('keep' as const)) : undefined
        },
      }),
      { idleTimeoutMs: 5 },
    )
    await until(() => lines().length > 0)
    expect(lines()).toEqual(['8 1001 idle'])
    expect(asked).toBe(3)
  })

  test('is closed with 1011 when the handler fails later', async () => {
    const { lines } = serve(() => ({ onIdleTimeout: () => Promise.reject(new Error('no')) }), {
      idleTimeoutMs: 5,
    })
    await until(() => lines().length > 0)
    expect(lines()).toEqual(['8 1011 internal error'])
  })
})
