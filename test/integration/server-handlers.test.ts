/** What handlers are told, in which order, and what becomes of what they return, throw or never finish. */
import {
  closeWith,
  WebSocketServer,
  type InvalidMessageError,
  type Reply,
  type ServerService,
  type ServerSocket,
} from '../../src/index.js'
import { closeFrame, fragments, frame, frames, KEY, OP } from '../helpers/frame-builder.js'
import { Journal } from '../helpers/journal.js'
import { openRaw, requestHead, upgradeRaw, type RawPeer } from '../helpers/raw-peer.js'
import { journaling, serve, showInfo, stopServing } from '../helpers/serving.js'

const peers: RawPeer[] = []
afterEach(() => {
  stopServing()
  jest.restoreAllMocks()
  for (const { socket } of peers.splice(0)) socket.destroy()
})

/** The warnings of the process from here on, which then go nowhere else. */
function warnings(): string[] {
  const heard: string[] = []
  jest.spyOn(process, 'emitWarning').mockImplementation((warning) => void heard.push(String(warning)))
  return heard
}

/** A peer behind its handshake; it answers a FIN. */
async function join(port: number): Promise<RawPeer> {
  const peer = await upgradeRaw(port)
  peer.socket.once('end', () => peer.end())
  peers.push(peer)
  return peer
}

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })
const bytes = (payload: string): Buffer => frame({ opcode: OP.BINARY, payload, key: KEY })
const ping = (payload: string): Buffer => frame({ opcode: OP.PING, payload, key: KEY })
const pong = (payload: string): Buffer => frame({ opcode: OP.PONG, payload, key: KEY })
const close = (code?: number, reason = ''): Buffer => closeFrame(code, reason, { key: KEY })

const ignore = (): void => undefined

interface Gate {
  readonly opened: Promise<void>
  open(): void
}
function gate(): Gate {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => (open = resolve))
  return { opened, open: () => open() }
}

/** Every message on one line, each with `begin` and `end`, handled by what is given. */
const spanned = (
  journal: Journal,
  handle: (socket: ServerSocket, message: string) => unknown,
): ServerService => ({
  onTextMessage: (socket, message) => {
    journal.add(`begin ${message}`)
    const result = handle(socket, message)
    if (!(result instanceof Promise)) {
      journal.add(`end ${message}`)
      return result as string
    }
    return result.finally(() => journal.add(`end ${message}`)) as Promise<string>
  },
  onClose: (_, info) => journal.add(showInfo(info)),
})

describe('each handler', () => {
  it('is called in the order of the wire, however many frames arrive in one read', async () => {
    const journal = new Journal()
    const { port } = await serve(journaling(journal))
    const peer = await join(port)
    peer.write(
      text('a'),
      ping('p'),
      bytes('b'),
      pong('q'),
      fragments(OP.TEXT, ['c', 'd', 'e'], { key: KEY }),
      close(1000, 'bye'),
    )
    expect((await peer.readFrame()).text).toBe('p')
    expect(await peer.readToClose()).toMatchObject({ closeCode: 1000, closeReason: '' })
    peer.end()
    expect(await journal.until(/^closed/)).toEqual([
      'open',
      'text a',
      'ping p',
      'bytes 62',
      'pong q',
      'text cde',
      'closed 1000 "bye" clean remote',
    ])
  })

  it('gets messages of its own type alone', async () => {
    const journal = new Journal()
    const { port } = await serve({
      onTextMessage: (_, message) => journal.add(`text ${message}`),
      onBinaryMessage: (_, message) => journal.add(`bytes ${message.toString('hex')}`),
    })
    ;(await join(port)).write(text('x'), bytes('x'), text(''), bytes(''))
    expect(await journal.until(4)).toEqual(['text x', 'bytes 78', 'text ', 'bytes '])
  })

  it.each([
    ['onTextMessage', bytes('x')],
    ['onBinaryMessage', text('x')],
  ])('closes with 1003 for a message of the other type when %s stands alone', async (name, message) => {
    const journal = new Journal()
    const { port } = await serve({
      [name]: () => journal.add('message'),
      onError: (_: unknown, error: InvalidMessageError) =>
        journal.add(`${error.name} ${error.kind} ${String(error.closeCode)} ${String(error.raw)}`),
      onClose: (_: unknown, info) => journal.add(showInfo(info)),
    })
    const peer = await join(port)
    peer.write(message)
    expect(await peer.readToClose()).toMatchObject({
      closeCode: 1003,
      closeReason: 'this type of message is not supported',
    })
    peer.end()
    expect(await journal.until(/^closed/)).toEqual([
      'InvalidMessageError type 1003 x',
      'closed 1003 "this type of message is not supported" unclean engine',
    ])
  })

  it('may be left out, and then messages are ignored and pings answered', async () => {
    const { port } = await serve({})
    const peer = await join(port)
    peer.write(text('x'), bytes('y'), ping('z'))
    expect(await peer.readFrame()).toMatchObject({ opcode: OP.PONG, text: 'z' })
  })

  it.each([
    [{ onMessage: ignore, onTextMessage: ignore }, /both onMessage and onTextMessage/],
    [{ onMessage: ignore, onBinaryMessage: ignore }, /both onMessage and onBinaryMessage/],
    [{ onMesage: ignore }, /no handler named "onMesage"/],
    [{ onMessage: 'x' }, /service\.onMessage must be a function, not "x"/],
    [null, /service must be an object with handlers, not null/],
  ])('is checked by route, which refuses a value that is not a service (%#)', (service, message) => {
    expect(() => new WebSocketServer().route('/', service as never)).toThrow(TypeError)
    expect(() => new WebSocketServer().route('/', service as never)).toThrow(message)
  })

  it('may be a method of a class, and keeps its `this`', async () => {
    class Room {
      private readonly prefix = 'room:'
      onMessage(_: ServerSocket, message: string | Buffer): string {
        return `${this.prefix}${message.toString()}`
      }
    }
    const { port } = await serve(new Room())
    const peer = await join(port)
    peer.write(text('x'))
    expect((await peer.readFrame()).text).toBe('room:x')
  })
})

describe('the value that a handler returns', () => {
  it.each([
    ['text', 'reply', OP.TEXT, 'reply'],
    ['empty text', '', OP.TEXT, ''],
    ['a Buffer', Buffer.from('reply'), OP.BINARY, 'reply'],
    ['a view', new Uint16Array([0x6161, 0x6262]).subarray(1), OP.BINARY, 'bb'],
    ['an ArrayBuffer', new TextEncoder().encode('ab').buffer, OP.BINARY, 'ab'],
    ['a promise of text', Promise.resolve('later'), OP.TEXT, 'later'],
  ])('is sent when it is %s', async (_, reply, opcode, expected) => {
    const { port } = await serve({ onMessage: (): Reply | Promise<Reply> => reply })
    const peer = await join(port)
    peer.write(text('x'))
    expect(await peer.readFrame()).toMatchObject({ opcode, text: expected, key: null, fin: true })
  })

  it.each([[undefined], [null], [true], [7], [Promise.resolve(null)], [false]])(
    'is not sent when it is %p',
    async (result) => {
      const { port } = await serve({ onMessage: () => result as null })
      const peer = await join(port)
      peer.write(text('x'), ping('behind'))
      expect(await peer.readFrame()).toMatchObject({ opcode: OP.PONG, text: 'behind' })
    },
  )

  it('closes the connection after the earlier messages when it is closeWith', async () => {
    const { port } = await serve({
      onMessage: (socket) => {
        socket.send('last')
        return closeWith(4000, 'done')
      },
    })
    const peer = await join(port)
    peer.write(text('x'))
    expect((await peer.readFrame()).text).toBe('last')
    expect(await peer.readFrame()).toMatchObject({ opcode: OP.CLOSE, closeCode: 4000, closeReason: 'done' })
  })

  it('is not a reply when it comes from onOpen, whose own messages are sent first', async () => {
    const onOpen = (socket: ServerSocket): string => (socket.send('welcome'), 'not sent')
    const { port } = await serve({ onOpen, onMessage: () => 'reply' })
    const peer = await openRaw(port)
    peers.push(peer)
    peer.write(requestHead(), text('x'))
    await peer.readHead()
    expect([(await peer.readFrame()).text, (await peer.readFrame()).text]).toEqual(['welcome', 'reply'])
  })
})

describe('an async handler', () => {
  it('delays all messages until it ends when it is onOpen', async () => {
    const journal = new Journal()
    const { opened, open } = gate()
    const { port } = await serve({
      ...journaling(journal),
      onOpen: async (socket) => {
        journal.add('opening')
        await opened
        journal.add('opened')
        socket.send('hello')
      },
    })
    const peer = await openRaw(port)
    peers.push(peer)
    peer.write(requestHead(), text('a'))
    await peer.readHead()
    peer.write(ping('p'), text('b'))
    await journal.until('opening')
    // One more that is served whole meanwhile.
    const other = await openRaw(port)
    peers.push(other)
    other.write(requestHead('/nowhere'))
    expect((await other.readResponse()).head.status).toBe(404)
    expect(journal.lines).toEqual(['opening'])
    open()
    expect(await journal.until(5)).toEqual(['opening', 'opened', 'ping p', 'text a', 'text b'])
    // The answer to a ping does not wait for onOpen.
    expect((await peer.readFrame()).text).toBe('p')
    expect((await peer.readFrame()).text).toBe('hello')
  })

  it('runs before the next one begins, while pings are answered', async () => {
    const journal = new Journal()
    const gates = [gate(), gate(), gate()]
    let next = 0
    const { port } = await serve(
      spanned(journal, async (_, message) => {
        await gates[next++]?.opened
        return `re ${message}`
      }),
    )
    const peer = await join(port)
    peer.write(text('1'), text('2'), ping('p'), text('3'))
    expect(await peer.readFrame()).toMatchObject({ opcode: OP.PONG, text: 'p' })
    expect(journal.lines).toEqual(['begin 1'])
    for (const [index, { open }] of gates.entries()) {
      open()
      expect((await peer.readFrame()).text).toBe(`re ${index + 1}`)
    }
    expect(journal.lines).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3'])
  })

  it('does not delay another connection', async () => {
    const { port } = await serve({
      onTextMessage: (_, message) => (message === 'never' ? new Promise<never>(() => undefined) : message),
    })
    const [stuck, other] = [await join(port), await join(port)]
    stuck.write(text('never'), ping('in'))
    await stuck.readFrame()
    other.write(text('x'))
    expect((await other.readFrame()).text).toBe('x')
  })

  it('ends before onClose is called, and so do those of later messages', async () => {
    const journal = new Journal()
    const { opened, open } = gate()
    const { port, server } = await serve(
      spanned(journal, (_, message) => (message === '1' ? opened : null)),
      { closeTimeoutMs: 200 },
    )
    const peer = await join(port)
    peer.write(text('1'), text('2'), close(1000))
    await peer.readToClose()
    peer.end()
    await peer.closed()
    expect(journal.lines).toEqual(['begin 1'])
    open()
    expect(await journal.until(/^closed/)).toEqual([
      'begin 1',
      'end 1',
      'begin 2',
      'end 2',
      'closed 1000 clean remote',
    ])
    expect(server.connectionCount).toBe(0)
  })

  it.each([
    ['pause and resume', (socket: ServerSocket) => (socket.pause(), socket.resume())],
    ['resume', (socket: ServerSocket) => socket.resume()],
  ])('that calls %s is not called again before it returns', async (_, act) => {
    const journal = new Journal()
    const { opened, open } = gate()
    const { port } = await serve(
      spanned(journal, (socket, message) => {
        if (message === '1') return opened
        act(socket)
        return undefined
      }),
    )
    const peer = await join(port)
    peer.write(text('1'), text('2'), text('3'), ping('p'))
    await peer.readFrame()
    open()
    await journal.until('end 3')
    expect(journal.lines.slice(0, 6)).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2', 'begin 3', 'end 3'])
  })

  it('that calls terminate is the last one, and waiting messages are dropped and counted', async () => {
    const journal = new Journal()
    const { port } = await serve({
      ...spanned(journal, async (socket) => {
        await Promise.resolve()
        socket.terminate()
      }),
      onClose: (_, { droppedMessages }) => journal.add(`dropped ${String(droppedMessages)}`),
    })
    const peer = await join(port)
    peer.write(text('1'), text('2'), text('3'))
    await journal.until(/^dropped/)
    expect(journal.lines).toEqual(['begin 1', 'end 1', 'dropped 2'])
  })
})

describe('a handler that fails', () => {
  const boom = new Error('the secret of this side')
  const raise = (): never => {
    throw boom
  }
  const rejectLater = (): Promise<never> => Promise.resolve().then(raise)
  const cases: [name: string, service: ServerService, input: Buffer][] = []
  for (const [how, fail] of [
    ['throws', raise],
    ['rejects', rejectLater],
  ] as const) {
    cases.push(
      [`onOpen ${how}`, { onOpen: fail }, text('x')],
      [`onMessage ${how}`, { onMessage: fail }, text('x')],
      [`onTextMessage ${how}`, { onTextMessage: fail }, text('x')],
      [`onBinaryMessage ${how}`, { onBinaryMessage: fail }, bytes('x')],
      [`onPing ${how}`, { onPing: fail }, ping('x')],
      [`onPong ${how}`, { onPong: fail }, pong('x')],
    )
  }

  it.each(cases)('closes its connection with 1011 and no other when %s', async (_, service, input) => {
    const journal = new Journal()
    let victim: ServerSocket | null = null
    const { port } = await serve({
      ...service,
      onOpen: (socket) => {
        // The second is not asked to fail.
        if (victim !== null) return undefined
        victim = socket
        return service.onOpen?.(socket)
      },
      onError: (socket, error) => {
        expect(socket).toBe(victim)
        expect(error).toBe(boom)
        journal.add('error')
      },
      onClose: (socket, info) => {
        // The second ends well, after all is said.
        if (victim === null) return
        expect(socket).toBe(victim)
        journal.add(showInfo(info))
      },
    })
    const peer = await join(port)
    const other = await join(port)
    peer.write(input)
    expect(await peer.readToClose()).toMatchObject({ closeCode: 1011, closeReason: 'internal error' })
    await peer.ended()
    peer.end()
    expect(await journal.until(/^closed/)).toEqual(['error', 'closed 1011 "internal error" unclean engine'])
    // Nothing that `service` handles.
    other.write(frame({ opcode: OP.CLOSE, payload: [0x03, 0xe8], key: KEY }))
    victim = null
    expect((await other.readToClose()).closeCode).toBe(1000)
  })

  it.each([
    ['throws', raise],
    ['rejects', rejectLater],
  ])('is reported to onError when onClose %s', async (_, fail) => {
    const journal = new Journal()
    const { port } = await serve({
      onClose: () => {
        journal.add('close')
        return fail()
      },
      onError: (_socket, error) => journal.add(error.message),
    })
    const peer = await join(port)
    peer.write(close(1000))
    await peer.readToClose()
    peer.end()
    expect(await journal.until(2)).toEqual(['close', boom.message])
  })

  it.each([
    ['throws', raise],
    ['rejects', rejectLater],
  ])('causes a process warning when onError itself %s', async (_, fail) => {
    const heard = warnings()
    const journal = new Journal()
    const { port } = await serve({
      onMessage: raise,
      onError: fail,
      onClose: (_socket, info) => journal.add(showInfo(info)),
    })
    const peer = await join(port)
    peer.write(text('x'))
    expect((await peer.readToClose()).closeCode).toBe(1011)
    peer.end()
    await journal.until('closed 1011 "internal error" unclean engine')
    await join(port)
    expect(heard).toEqual([`a handler of the route "/" failed, and no onError heard it: ${boom.message}`])
  })

  it('is reported with an Error when it throws another value', async () => {
    const told = new Promise<Error>((resolve) => {
      void serve({
        onMessage: () => {
          throw 'a string'
        },
        onError: (_, error) => resolve(error),
      }).then(async ({ port }) => (await join(port)).write(text('x')))
    })
    expect(await told).toEqual(new Error('a string'))
  })

  it('stops the delivery of later messages', async () => {
    const journal = new Journal()
    const { opened, open } = gate()
    const { port } = await serve({
      ...spanned(journal, (_, message) => (message === '1' ? opened.then(raise) : null)),
      onError: (_, error) => journal.add(`error ${error.message}`),
    })
    const peer = await join(port)
    peer.write(text('1'), text('2'), ping('p'))
    await peer.readFrame()
    open()
    expect((await peer.readToClose()).closeCode).toBe(1011)
    peer.write(text('3'), close(1000))
    peer.end()
    expect(await journal.until(/^closed/)).toEqual([
      'begin 1',
      'end 1',
      `error ${boom.message}`,
      'closed 1011 "internal error" unclean engine',
    ])
  })
})

describe('onClose is called once', () => {
  const FAST = { closeTimeoutMs: 50, heartbeatIntervalMs: 20, heartbeatTimeoutMs: 30 }
  const ends: [
    name: string,
    end: (peer: RawPeer, socket: ServerSocket, server: WebSocketServer) => unknown,
    lines: string[],
    timers?: typeof FAST,
  ][] = [
    ['the peer closes', (peer) => peer.write(close(3000, 'why')), ['closed 3000 "why" clean remote']],
    ['the peer closes, no code', (peer) => peer.write(close()), ['closed 1005 clean remote']],
    [
      'this side closes',
      async (peer, socket) => {
        void socket.close(4001, 'go')
        peer.write(close((await peer.readToClose()).closeCode))
      },
      ['closed 4001 clean local'],
    ],
    [
      'a violation',
      (peer) => peer.write(frame({ opcode: 3, key: KEY })),
      ['error HAWSER_RESERVED_OPCODE', 'closed 1002 "a reserved opcode: 3" unclean engine'],
    ],
    [
      'no UTF-8',
      (peer) => peer.write(frame({ opcode: OP.TEXT, payload: [0xff], key: KEY })),
      ['error HAWSER_INVALID_UTF8', 'closed 1007 "text that is not valid UTF-8" unclean engine'],
    ],
    ['a RST', (peer) => peer.reset(), ['error HAWSER_TRANSPORT', 'closed 1006 unclean remote']],
    ['a FIN without Close', (peer) => peer.end(), ['closed 1006 unclean remote']],
    [
      'a FIN in the middle of a frame',
      (peer) => (peer.write(text('hello').subarray(0, 4)), peer.end()),
      ['closed 1006 unclean remote'],
    ],
    [
      'no answer to our Close',
      (_, socket) => void socket.close(1000),
      ['error HAWSER_TRANSPORT', 'closed 1006 unclean local'],
      { ...FAST, heartbeatIntervalMs: 10_000 },
    ],
    [
      'no answer to pings',
      () => undefined,
      ['error HAWSER_HEARTBEAT_TIMEOUT', 'closed 1006 unclean engine'],
      FAST,
    ],
    ['terminate', (_, socket) => socket.terminate(), ['closed 1006 unclean local']],
    [
      'the server closes',
      async (peer, _, server) => {
        void server.close()
        peer.write(close((await peer.readToClose()).closeCode))
      },
      ['closed 1001 clean local'],
    ],
    ['the server terminates', (_p, _s, server) => server.terminate(), ['closed 1006 unclean local']],
  ]

  it.each(ends.map(([name, end, lines, timers = {}]) => ({ name, end, lines, timers })))(
    '$name',
    async ({ end, lines, timers }) => {
      const journal = new Journal()
      const opened: ServerSocket[] = []
      const { port, server } = await serve(
        {
          onOpen: (socket) => void opened.push(socket),
          onError: (_socket, error) => journal.add(`error ${(error as { code?: string }).code}`),
          onClose: (socket, info) => {
            expect(socket.readyState).toBe(3)
            expect(server.connectionCount).toBe(0)
            journal.add(showInfo(info))
          },
        },
        timers,
      )
      const peer = await join(port)
      const socket = opened[0] as ServerSocket
      await end(peer, socket, server)
      await journal.until(/^closed/)
      peer.end()
      await peer.closed()
      // Whatever else is tried on a connection that is over tells nothing more.
      expect(showInfo(await socket.close(1000))).toBe(lines.at(-1))
      socket.terminate()
      expect([socket.send('x'), socket.ping(), socket.pong()]).toEqual([false, false, false])
      await expect(socket.drained()).rejects.toMatchObject({ name: 'ConnectionClosedError' })
      await server.close()
      expect(journal.lines).toEqual(lines)
    },
  )

  /** A connection whose first reply does not leave, so that its inbox is full and reading has stopped. */
  async function stuck(
    journal: Journal,
  ): Promise<{ peer: RawPeer; socket: ServerSocket; server: WebSocketServer }> {
    const sockets: ServerSocket[] = []
    // More than the buffers of the system hold between two that do not read.
    const block = Buffer.alloc(16 * 1024 * 1024)
    const { port, server } = await serve(
      {
        onTextMessage: (socket, message) => {
          sockets.push(socket)
          journal.add(message)
          return message === '1' ? block : message
        },
        onError: () => undefined,
        onClose: (_, info) => journal.add(showInfo(info)),
      },
      { limits: { maxQueuedMessages: 2 }, perMessageDeflate: false, slowConsumer: 'buffer' },
    )
    const peer = await join(port)
    peer.pause()
    peer.write(text('1'), text('2'), text('3'), text('4'))
    await journal.until('1')
    expect(journal.lines).toEqual(['1'])
    return { peer, socket: sockets[0] as ServerSocket, server }
  }

  it.each([
    ['reset', (peer: RawPeer) => peer.reset()],
    ['terminated', (_: RawPeer, socket: ServerSocket) => socket.terminate()],
  ])('when the connection is %s while a reply waits for room and the inbox is full', async (_, end) => {
    const journal = new Journal()
    const { peer, socket, server } = await stuck(journal)
    end(peer, socket)
    await journal.until(/^closed/)
    // A lost connection has its messages handled; one that the caller gave up does not.
    const handled = end.length === 1 ? ['1', '2', '3', '4'] : ['1']
    expect(journal.lines.slice(0, -1)).toEqual(handled)
    expect(journal.lines.at(-1)).toMatch(/^closed 1006 unclean/)
    expect(server.connectionCount).toBe(0)
  })

  it('for a clean end when this side closes while a reply waits for room and the inbox is full', async () => {
    const journal = new Journal()
    const { peer, socket } = await stuck(journal)
    void socket.close(1000)
    peer.resume()
    await peer.readToClose()
    peer.write(close(1000))
    expect(await journal.until(/^closed/)).toEqual(['1', '2', '3', '4', 'closed 1000 clean local'])
  })
})

describe('idleTimeoutMs', () => {
  it('closes with 1001 without a handler', async () => {
    const journal = new Journal()
    const { port } = await serve(
      { onClose: (_, info) => journal.add(showInfo(info)) },
      { idleTimeoutMs: 30, heartbeatIntervalMs: false },
    )
    const peer = await join(port)
    expect(await peer.readToClose()).toMatchObject({ closeCode: 1001, closeReason: 'idle' })
    peer.write(close(1001))
    await journal.until('closed 1001 clean local')
  })

  it("keeps the connection for 'keep' and asks again later, and closes it for any other value", async () => {
    const journal = new Journal()
    const { port } = await serve(
      {
        onIdleTimeout: () => {
          journal.add('idle')
          return journal.lines.length < 3 ? 'keep' : undefined
        },
      },
      { idleTimeoutMs: 20, heartbeatIntervalMs: false },
    )
    const peer = await join(port)
    expect((await peer.readToClose()).closeCode).toBe(1001)
    expect(journal.lines).toEqual(['idle', 'idle', 'idle'])
  })

  it('closes with 1011 and calls onError when the handler throws', async () => {
    const errors: string[] = []
    const { port } = await serve(
      {
        onIdleTimeout: () => {
          throw new Error('no')
        },
        onError: (_, error) => void errors.push(error.message),
      },
      { idleTimeoutMs: 20, heartbeatIntervalMs: false },
    )
    expect((await (await join(port)).readToClose()).closeCode).toBe(1011)
    expect(errors).toEqual(['no'])
  })

  it('does not count the pongs of a heartbeat as messages', async () => {
    const { port } = await serve({}, { idleTimeoutMs: 100, heartbeatIntervalMs: 20 })
    const peer = await join(port)
    let next = await peer.readFrame()
    while (next.opcode === OP.PING) {
      peer.write(pong(next.payload.toString('latin1')))
      next = await peer.readFrame()
    }
    expect(next).toMatchObject({ opcode: OP.CLOSE, closeCode: 1001 })
  })
})

describe('pause', () => {
  it('makes the messages that arrived together wait, and resume delivers them in order', async () => {
    const journal = new Journal()
    const sockets: ServerSocket[] = []
    const { port } = await serve({
      onTextMessage: (socket, message) => {
        journal.add(message)
        if (message === '2') socket.pause()
        sockets[0] = socket
      },
    })
    const peer = await join(port)
    peer.write(frames(...['1', '2', '3', '4'].map((payload) => ({ opcode: OP.TEXT, payload, key: KEY }))))
    await journal.until('2')
    const other = await join(port)
    other.write(ping('p'))
    await other.readFrame()
    expect(journal.lines).toEqual(['1', '2'])
    sockets[0]?.resume()
    // Not inside the call that resumes.
    expect(journal.lines).toEqual(['1', '2'])
    await journal.until('4')
    expect(journal.lines).toEqual(['1', '2', '3', '4'])
  })

  it('does not stop sending, and the peer is not taken for dead', async () => {
    const sockets: ServerSocket[] = []
    const { port } = await serve(
      {
        onOpen: (socket) => {
          socket.pause()
          sockets.push(socket)
        },
        onTextMessage: (_, message) => message,
      },
      { heartbeatIntervalMs: 20, heartbeatTimeoutMs: 20 },
    )
    const [peer, timer] = [await join(port), await join(port)]
    peer.write(text('x'))
    sockets[0]?.send('y')
    expect((await peer.readFrame()).text).toBe('y')
    // The other is read, and answers no ping: its end is later than that of the first would be.
    sockets[1]?.resume()
    await timer.ended()
    expect(sockets[0]?.readyState).toBe(1)
    sockets[0]?.resume()
    for (;;) {
      const next = await peer.readFrame()
      if (next.opcode === OP.TEXT) {
        expect(next.text).toBe('x')
        break
      }
    }
  })

  it('does not prevent a clean end when this side closes', async () => {
    const journal = new Journal()
    const { port } = await serve({
      onTextMessage: (socket) => {
        socket.pause()
        void socket.close(1000)
      },
      onClose: (_, info) => journal.add(showInfo(info)),
    })
    const peer = await join(port)
    peer.write(text('x'))
    await peer.readToClose()
    peer.write(close(1000))
    expect(await journal.until(1)).toEqual(['closed 1000 clean local'])
  })
})
