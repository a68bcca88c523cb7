// slow: every wrong value by every way in
/** Faults of the past: what handlers return is sent, or lost, by accident; bytes that were not the receiver's. */
import { Worker } from 'node:worker_threads'
import { closeWith, PreparedMessage, type Socket } from '../../src/index.js'
import { json } from '../../src/json/index.js'
import { Programs } from '../helpers/child.js'
import { ENDS, join, KIB, open, pause, stopAll, until, type Opened } from '../helpers/liveness.js'
import { closeFrame, fragments, frame, KEY, OP } from '../helpers/frame-builder.js'
import { upgradeRaw } from '../helpers/raw-peer.js'
import { serve, stopServing } from '../helpers/serving.js'

afterEach(async () => {
  stopServing()
  await stopAll()
})

/** Frames that came but for the last, 'end', which this waits for. */
async function seen({ socket, peer }: Opened): Promise<(string | undefined)[]> {
  peer.readAll()
  await pause(30)
  socket.send('end')
  await peer.frame(({ text }) => text === 'end')
  return peer.frames.map(({ text, length }) => text ?? `${length} bytes`).slice(0, -1)
}

describe.each([
  ['without a codec', undefined],
  ['with a JSON codec', json()],
])('the value that a handler returns %s', (_, codec) => {
  const END = ['server', 'by the handle'] as const

  it('is ignored for onOpen, onPing, onPong, onDrain and onIdleTimeout', async () => {
    const called: string[] = []
    const returns = (name: string) => (): never => {
      called.push(name)
      return `reply of ${name}` as never
    }
    const connection = await open(
      END,
      {
        ...(codec === undefined ? {} : { codec }),
        onOpen: (socket: Socket) => (join(socket, 'room'), socket.ping(), 'reply of onOpen'),
        onPing: returns('onPing'),
        onPong: returns('onPong'),
        onDrain: returns('onDrain'),
        onIdleTimeout: () => (called.push('onIdleTimeout'), 'keep' as const),
        onMessage: () => undefined,
      } as object,
      { idleTimeoutMs: 100, limits: { highWaterMarkBytes: 0 } },
    )
    connection.peer.readAll()
    connection.peer.do({ do: 'send', frames: [{ op: 9, text: '' }] })
    connection.socket.send('one')
    await until('all were called', () => new Set(called).size === 4)
    const texts = (await seen(connection)).filter((text) => text !== '')
    expect(texts).toEqual(['one'])
  })

  it('is not a reply when it comes from one of Hawser’s own methods', async () => {
    const connection = await open(END, {
      ...(codec === undefined ? {} : { codec }),
      onOpen: (socket: Socket) => join(socket, 'room'),
      onMessage: (socket: Socket, message: unknown) => {
        const text = typeof message === 'string' ? message : JSON.stringify(message)
        if (text.includes('sendJson')) return socket.sendJson('x')
        if (text.includes('send')) return socket.send('"y"')
        if (text.includes('ping')) return socket.pong('z')
        if (text.includes('join')) return join(socket, 'other')
        return message === 'leave' || socket.readyState === 1
      },
    } as object)
    connection.peer.sendTexts('"sendJson"', '"send"', '"ping"', '"join"', '"leave"')
    await pause(50)
    expect(await seen(connection)).toEqual(['"x"', '"y"', 'z'])
  })
})

describe.each(ENDS)('the value that a handler returns without a codec: %s, %s', (...end) => {
  it('is ignored when it is undefined, null, a boolean or a number', async () => {
    const values = [undefined, null, true, false, 0, 1, Number.NaN]
    const connection = await open(end, { onTextMessage: (_, text) => values[Number(text)] })
    connection.peer.sendTexts(...values.map((_, i) => String(i)))
    await pause(50)
    expect(await seen(connection)).toEqual([])
    expect(connection.journal.lines).toEqual([])
  })

  it('is sent, in order, when it is a string, bytes, a PreparedMessage, a Blob or an iterable', async () => {
    const values: (() => unknown)[] = [
      () => 'text',
      () => Buffer.from('bytes'),
      () => new PreparedMessage('prepared'),
      () => new Blob(['blob']),
      function* () {
        yield 'i1'
        yield 'i2'
      },
      async function* () {
        yield 'a1'
        yield 'a2'
      },
      () => Promise.resolve('promised'),
    ]
    const connection = await open(end, { onTextMessage: (_, text) => values[Number(text)]!() as string })
    connection.peer.readAll()
    for (let i = 0; i < values.length; i++) {
      connection.peer.sendTexts(String(i))
      await pause(15)
    }
    expect(await seen(connection)).toEqual([
      'text',
      'bytes',
      'prepared',
      'blob',
      'i1',
      'i2',
      'a1',
      'a2',
      'promised',
    ])
    expect(connection.journal.lines).toEqual([])
  })

  it('closes the connection when it is closeWith', async () => {
    const { peer, ended } = await open(end, { onTextMessage: () => closeWith(4001, 'enough') })
    peer.readAll()
    peer.sendTexts('1')
    expect(await ended()).toMatchObject({ code: 4001, wasClean: true })
    // The peer is a process of its own, and reports what it read in its own time.
    await peer.ended()
    expect(peer.frames).toMatchObject([{ op: 8, code: 4001, text: 'enough' }])
  })

  it.each([
    ['a plain object', { hello: true }],
    ['a Date', new Date(0)],
  ])('causes a TypeError that names the handler when it is %s', async (_, value) => {
    const errors: Error[] = []
    const { peer, ended } = await open(end, {
      onTextMessage: () => value as never,
      onError: (__, error) => void errors.push(error),
    })
    peer.readAll()
    peer.sendTexts('1')
    await ended()
    expect(errors).toHaveLength(1)
    expect(errors[0]).toBeInstanceOf(TypeError)
    expect(errors[0]!.message).toContain('onTextMessage')
    expect(await peer.frame(({ op }) => op === 8)).toMatchObject({ code: 1011 })
    expect(peer.frames).toHaveLength(1)
  })
})

describe.each(ENDS)('a received message: %s, %s', (...end) => {
  const SIZES = [0, 1, 20, 125, 126, 4 * KIB, 65_535, 65_536, 200 * KIB]

  it('owns its memory, small and large, and keeps no more alive', async () => {
    const got: Buffer[] = []
    const { peer } = await open(end, { onBinaryMessage: (_, bytes) => void got.push(bytes) })
    peer.do({ do: 'send', frames: SIZES.map((size) => ({ op: 2, size })) })
    await until('all came', () => got.length === SIZES.length)
    // And each alone in a read: short ones that come together are copied together.
    for (const size of SIZES) {
      const before = got.length
      peer.do({ do: 'send', frames: [{ op: 2, size }] })
      await until('it came', () => got.length > before)
    }
    expect(got.map(({ length }) => length)).toEqual([...SIZES, ...SIZES])
    for (const bytes of got) {
      expect(bytes.every((octet) => octet === 120)).toBe(true)
      // Node's own pool for small copies is nothing, and is never transferred; the buffer of a read is.
      expect(bytes.buffer.byteLength).toBeLessThanOrEqual(Math.max(Buffer.poolSize, bytes.length + 64))
    }
  })

  it('can be transferred to a worker without harm to later messages', async () => {
    const code = `const { parentPort } = require('node:worker_threads')
      parentPort.on('message', (bytes) => parentPort.postMessage(bytes.length))`
    const worker = new Worker(code, { eval: true })
    const lengths: number[] = []
    worker.on('message', (length: number) => lengths.push(length))
    try {
      const { peer, socket, journal } = await open(end, {
        onBinaryMessage: (_, bytes) => {
          const size = bytes.length
          worker.postMessage(bytes, [bytes.buffer as ArrayBuffer])
          // What Node's pool holds is copied instead.
          if (size > Buffer.poolSize) expect(bytes.length).toBe(0)
        },
        onTextMessage: (_, text) => text,
      })
      peer.readAll()
      const some = SIZES.slice(1).flatMap((size) => [
        { op: 2, size },
        { op: 1, text: `after ${size}` },
      ])
      peer.do({ do: 'send', frames: some })
      await until('all came', () => lengths.length === SIZES.length - 1, 4_000)
      expect(lengths).toEqual(SIZES.slice(1))
      await until('all replies came', () => peer.frames.length === SIZES.length - 1)
      expect(peer.frames.map(({ text }) => text)).toEqual(SIZES.slice(1).map((size) => `after ${size}`))
      expect(socket.readyState).toBe(1)
      expect(journal.lines).toEqual([])
    } finally {
      await worker.terminate()
    }
  })
})

it.each([true, false])(
  'the payloads of pings, pongs and fragments own their memory, directIo %p',
  async (directIo) => {
    const got: Buffer[] = []
    const { port } = await serve(
      {
        onPing: (_, data) => void got.push(data),
        onPong: (_, data) => void got.push(data),
        onBinaryMessage: (_, bytes) => void got.push(bytes),
      },
      { directIo },
    )
    const peer = await upgradeRaw(port)
    peer.write(
      frame({ opcode: OP.PING, payload: 'ping', key: KEY }),
      frame({ opcode: OP.PONG, payload: 'pong', key: KEY }),
      fragments(OP.BINARY, ['frag', 'ments'], { key: KEY }),
      closeFrame(1000, '', { key: KEY }),
    )
    await peer.readToClose()
    expect(got.map(String)).toEqual(['ping', 'pong', 'fragments'])
    for (const bytes of got) expect(bytes.buffer.byteLength).toBeLessThanOrEqual(Buffer.poolSize)
    peer.socket.destroy()
  },
)

describe('an idle connection', () => {
  const programs = new Programs()
  afterAll(() => programs.remove())

  it.each([true, false])(
    'keeps alive neither read buffers nor small messages that were kept, directIo %p',
    async (directIo) => {
      const program = programs.run(
        `
      import { WebSocketServer, connect } from './src/index.js'
      const kept = []
      const server = new WebSocketServer({ directIo: ${String(directIo)}, perMessageDeflate: false, limits: { maxMessageBytes: 1e6 } })
      server.route('/', { onBinaryMessage: (_, bytes) => void (bytes.length < 100 && kept.push(bytes)) })
      const { port } = await server.listen(0, '127.0.0.1')
      const clients = []
      const settle = async () => {
        for (let i = 0; i < 5; i++) { gc(); await new Promise((resolve) => setTimeout(resolve, 20)) }
        return process.memoryUsage().arrayBuffers
      }
      for (let i = 0; i < 100; i++) clients.push(await connect('ws://127.0.0.1:' + port, { perMessageDeflate: false }))
      const before = await settle()
      const sent = 100 * 6
      for (const client of clients) {
        client.send(Buffer.alloc(20)); client.send(Buffer.alloc(300_000)); client.send(Buffer.alloc(20))
        client.send(Buffer.alloc(60_000)); client.send(Buffer.alloc(20)); client.send(Buffer.alloc(200_000))
      }
      while (server.stats().messagesReceived < sent) await new Promise((resolve) => setTimeout(resolve, 10))
      const grown = (await settle()) - before
      console.log('grown ' + grown)
      console.log('kept ' + kept.length)
      for (const client of clients) client.terminate()
      server.terminate()`,
        ['--expose-gc'],
      )
      expect(await program.value('kept')).toBe('300')
      // The pool of large buffers keeps 4 MiB for all; before it was up to 256 KiB more for each of 100.
      expect(Number(await program.value('grown'))).toBeLessThan(6 * 1024 * KIB)
      await program.ended
    },
  )
})
