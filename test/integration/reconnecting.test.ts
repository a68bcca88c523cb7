/** A client that connects again, against servers that fail in every way. */
import { Agent } from 'node:http'
import { createConnection, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  connect,
  ConnectionClosedError,
  HandshakeError,
  WebSocketServer,
  type ClientSocket,
  type ConnectOptions,
  type ReconnectingSocket,
  type ReconnectOptions,
} from '../../src/index.js'
import {
  answers,
  closesWith,
  FaultyServer,
  halfCloses,
  lies,
  opens,
  resets,
  stalls,
  type Behaviour,
} from '../helpers/faulty-server.js'

type ReconnectCause = Parameters<NonNullable<ReconnectOptions['onReconnecting']>>[0]['cause']

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function listen(...behaviours: Behaviour[]): Promise<{ server: FaultyServer; url: string }> {
  const server = new FaultyServer(...behaviours)
  const url = await server.listen()
  cleanups.push(() => server.die())
  return { server, url }
}

interface Journal {
  readonly lines: string[]
  readonly delays: number[]
}

/** Options that write down what happens. */
function journal(options: ReconnectOptions = {}): ReconnectOptions & Journal {
  const lines: string[] = []
  const delays: number[] = []
  const observed: ReconnectOptions = {
    minDelayMs: 1,
    maxDelayMs: 5,
    onReconnecting: ({ attempt, delayMs, cause }) => {
      const { error, close } = cause
      const why =
        error instanceof HandshakeError ? `${error.code} ${String(error.httpStatus)}` : error?.message
      lines.push(`${String(attempt)}: ${String(close?.code ?? why)}`)
      delays.push(delayMs)
    },
    onReconnected: ({ attempt }) => lines.push(`back ${String(attempt)}`),
    onGivenUp: ({ attempts, cause }) =>
      lines.push(
        `given up ${String(attempts)}: ${String(cause.close?.code ?? (cause.error as HandshakeError).httpStatus)}`,
      ),
    ...options,
  }
  // Not enumerable: they are not options.
  return Object.defineProperties(observed, { lines: { value: lines }, delays: { value: delays } }) as never
}

async function open(
  url: string,
  reconnect: ReconnectOptions,
  options: ConnectOptions = {},
): Promise<ReconnectingSocket> {
  const socket = await connect(url, { ...options, reconnect })
  cleanups.push(() => {
    socket.terminate()
  })
  return socket
}

const until = async (isTrue: () => boolean): Promise<void> => {
  for (let i = 0; i < 400 && !isTrue(); i++) await sleep(5)
  expect(isTrue()).toBe(true)
}

const word = (text: string): Behaviour =>
  opens((socket) => socket.write(Buffer.from([0x81, text.length, ...Buffer.from(text)])))

describe('a client that reconnects', () => {
  it.each<[string, Behaviour, string]>([
    ['cuts the connection', resets, 'HAWSER_CONNECTION_FAILED undefined'],
    ['closes half of it', halfCloses, 'HAWSER_CONNECTION_FAILED undefined'],
    ['gives a wrong accept key', lies, 'HAWSER_INVALID_ACCEPT 101'],
    ['answers nothing', stalls, 'HAWSER_HANDSHAKE_TIMEOUT undefined'],
    ['speaks no HTTP', (socket) => socket.write('SSH-2.0\r\n\r\n'), 'HAWSER_MALFORMED_RESPONSE undefined'],
    ['answers 503', answers(503), 'HAWSER_UNEXPECTED_STATUS 503'],
    ['answers 429', answers(429), 'HAWSER_UNEXPECTED_STATUS 429'],
    ['answers 408', answers(408), 'HAWSER_UNEXPECTED_STATUS 408'],
  ])('comes back to a server that %s', async (_, behaviour, code) => {
    const { server, url } = await listen(closesWith(1012), behaviour, behaviour, word('hello'))
    const reconnect = journal()
    const socket = await open(url, reconnect, {
      // Short only where it has to pass: the first attempt is not retried.
      handshakeTimeoutMs: behaviour === stalls ? 300 : 10_000,
    })
    expect(await socket.receive({ timeoutMs: 5_000 })).toBe('hello')
    expect(reconnect.lines).toEqual(['1: 1012', `2: ${code}`, `3: ${code}`, 'back 3'])
    expect(server.connections).toBe(4)
  })

  it('comes back to a server that dies and is started again', async () => {
    const { server, url } = await listen(opens())
    const reconnect = journal()
    const socket = await open(url, reconnect)
    const { id } = socket
    await server.die()
    await until(() => reconnect.lines.length > 2)
    expect(socket.readyState).toBe(0)
    const again = new FaultyServer(word('again'))
    await again.listen(server.port)
    cleanups.push(() => again.die())
    expect(await socket.receive({ timeoutMs: 5_000 })).toBe('again')
    expect(reconnect.lines.slice(0, 2)).toEqual(['1: 1006', '2: HAWSER_CONNECTION_FAILED undefined'])
    expect(socket.id).toBe(id)
    expect(socket.readyState).toBe(1)
  })

  it.each([1001, 1011, 1012, 1013, 1014])('comes back after the code %i', async (code) => {
    const { url } = await listen(closesWith(code), word('hello'))
    const reconnect = journal()
    const socket = await open(url, reconnect)
    expect(await socket.receive({ timeoutMs: 5_000 })).toBe('hello')
    expect(reconnect.lines).toEqual([`1: ${String(code)}`, 'back 1'])
  })

  it.each([1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 4000, 4999, null])(
    'gives up after the code %p, and tells so once',
    async (code) => {
      const { server, url } = await listen(closesWith(code))
      const reconnect = journal()
      const socket = await open(url, reconnect)
      const info = await socket.closed
      expect(info).toMatchObject({ code: code ?? 1005, initiator: 'remote', wasClean: true })
      expect(reconnect.lines).toEqual([`given up 0: ${String(code ?? 1005)}`])
      expect(await socket.close()).toBe(info)
      expect(socket.signal.reason).toBeInstanceOf(ConnectionClosedError)
      await expect(socket.receive()).rejects.toMatchObject({ closeCode: code ?? 1005 })
      expect(server.connections).toBe(1)
    },
  )

  it.each([400, 401, 403, 404, 200, 301])('gives up at the status %i', async (status) => {
    const { url } = await listen(closesWith(1001), answers(status))
    const reconnect = journal()
    const socket = await open(url, reconnect)
    const reading = socket.receive()
    expect(await socket.closed).toMatchObject({ code: 1001 })
    await expect(reading).rejects.toMatchObject({ closeCode: 1001, cause: { httpStatus: status } })
    expect(reconnect.lines).toEqual(['1: 1001', `given up 1: ${String(status)}`])
  })

  it.each([
    ['a loop', async (socket: ReconnectingSocket) => socket[Symbol.asyncIterator]().next()],
    ['receive', (socket: ReconnectingSocket) => socket.receive()],
    ['receiveJson', (socket: ReconnectingSocket) => socket.receiveJson()],
    ['write', (socket: ReconnectingSocket) => socket.write('x')],
    ['drained', (socket: ReconnectingSocket) => socket.drained()],
  ])('tells %s that begins after the end why there is no connection, again and again', async (_, ask) => {
    const { url } = await listen(closesWith(1012), answers(401))
    const socket = await open(url, journal())
    await socket.closed
    for (let i = 0; i < 2; i++) {
      await expect(ask(socket)).rejects.toMatchObject({ closeCode: 1012, cause: { httpStatus: 401 } })
    }
    expect(socket.signal.reason).toMatchObject({ closeCode: 1012, cause: { httpStatus: 401 } })
  })

  it('rejects when the first attempt fails, and retries it if it is asked to', async () => {
    const { url } = await listen(answers(503), answers(503), word('hello'))
    const reconnect = journal()
    await expect(open(url, reconnect)).rejects.toMatchObject({ httpStatus: 503 })
    const patient = journal({ retryFirst: true })
    const socket = await open(url, patient)
    expect(await socket.receive()).toBe('hello')
    expect(reconnect.lines).toEqual([])
    expect(patient.lines).toEqual(['1: HAWSER_UNEXPECTED_STATUS 503'])
  })

  it('rejects a first attempt that is retried once a status says that it is in vain', async () => {
    const { url } = await listen(answers(503), answers(401))
    await expect(open(url, journal({ retryFirst: true }))).rejects.toMatchObject({ httpStatus: 401 })
  })

  it.each<[string, (socket: Socket) => unknown, string | undefined, string | undefined]>([
    ['is reset', (socket) => socket.resetAndDestroy(), 'TransportError', 'ECONNRESET'],
    ['is ended without a Close frame', (socket) => socket.end(), undefined, undefined],
    ['goes silent', () => undefined, 'ProtocolError', undefined],
  ])('tells by the cause that an open connection %s', async (_, fail, name, code) => {
    const { url } = await listen(
      opens((socket) => setTimeout(() => fail(socket), 30)),
      word('hello'),
    )
    const causes: ReconnectCause[] = []
    const reconnect: ReconnectOptions = {
      minDelayMs: 1,
      maxDelayMs: 5,
      onReconnecting: ({ cause }) => causes.push(cause),
    }
    const socket = await open(url, reconnect, { heartbeatIntervalMs: 100, heartbeatTimeoutMs: 100 })
    expect(await socket.receive({ timeoutMs: 5_000 })).toBe('hello')
    const [{ close, error } = {}] = causes
    expect([close?.code, error?.name]).toEqual([1006, name])
    expect((error?.cause as NodeJS.ErrnoException | undefined)?.code).toBe(code)
    if (name === 'ProtocolError') expect(error).toMatchObject({ code: 'HAWSER_HEARTBEAT_TIMEOUT' })
  })

  it("comes back after slowConsumer: 'close' ended a connection whose server does not read", async () => {
    const { url } = await listen(
      opens((socket) => socket.pause()),
      word('hello'),
    )
    const reconnect = journal()
    const socket = await open(url, reconnect, {
      closeTimeoutMs: 100,
      perMessageDeflate: false,
      limits: { maxBufferedOutputBytes: 100_000 },
    })
    for (let i = 0; i < 20; i++) socket.send(new Uint8Array(2 ** 20))
    expect(await socket.receive({ timeoutMs: 5_000 })).toBe('hello')
    expect(reconnect.lines).toEqual(['1: 1008', 'back 1'])
  })

  it('gives up after maxAttempts failures in a row', async () => {
    const { server, url } = await listen(closesWith(1012), resets)
    const reconnect = journal({ maxAttempts: 3 })
    const socket = await open(url, reconnect)
    await socket.closed
    expect(reconnect.lines.slice(-1)).toEqual(['given up 3: undefined'])
    expect(server.connections).toBe(4)
  })

  it('counts a connection that lives too short as a failed attempt', async () => {
    const { url } = await listen(closesWith(1013))
    const reconnect = journal({ maxAttempts: 4, jitter: 0, minDelayMs: 2, maxDelayMs: 1_000 })
    const socket = await open(url, reconnect)
    await socket.closed
    expect(reconnect.delays).toEqual([2, 4, 8, 16])
  })

  it('begins anew after a connection that lived long enough', async () => {
    const later = opens((socket) => setTimeout(() => socket.end(Buffer.from([0x88, 2, 3, 0xf4])), 30))
    const { url } = await listen(later)
    const reconnect = journal({ stableAfterMs: 10, jitter: 0, minDelayMs: 2, maxDelayMs: 1_000 })
    await open(url, reconnect)
    await until(() => reconnect.delays.length > 3)
    expect(reconnect.delays.slice(0, 3)).toEqual([2, 2, 2])
  })

  it('waits as long as Retry-After says, in seconds or as a date, up to maxRetryAfterMs', async () => {
    const date = new Date(Date.now() + 3_600_000).toUTCString()
    const { url } = await listen(
      closesWith(1001),
      answers(503, 'Retry-After: 3600'),
      answers(429, `Retry-After: ${date}`),
      answers(503, 'Retry-After: 0'),
      opens(),
    )
    const reconnect = journal({ maxRetryAfterMs: 40 })
    await open(url, reconnect)
    await until(() => reconnect.lines.includes('back 4'))
    const [, afterSeconds = 0, afterDate = 0, afterNone = 0] = reconnect.delays
    expect(afterSeconds).toBeGreaterThan(35)
    expect(afterDate).toBeGreaterThan(35)
    expect(afterNone).toBeLessThanOrEqual(5)
  })

  it.each([
    ['short', 5_000],
    ['long', 0],
  ])(
    'waits as long as the reason of a close says, up to maxRetryAfterMs, after a life that counts as %s',
    async (_, stableAfterMs) => {
      const closes = (reason: string): Behaviour =>
        opens((socket) =>
          socket.end(Buffer.from([0x88, 2 + reason.length, 0x03, 0xf4, ...Buffer.from(reason)])),
        )
      const { url } = await listen(
        closes('new version; retry-after-ms=300'),
        closes('retry-after-ms=80000000'),
        closes('retry-after-ms=0'),
        closes('retry-after-ms=soon'),
        word('hello'),
      )
      const reconnect = journal({ maxRetryAfterMs: 600, stableAfterMs })
      const socket = await open(url, reconnect)
      expect(await socket.receive({ timeoutMs: 10_000 })).toBe('hello')
      const [after300 = 0, afterDay = 0, ...others] = reconnect.delays
      // The random part of at most 5 ms comes in addition; what passed since the close is taken off.
      expect(after300).toBeGreaterThan(200)
      expect(after300).toBeLessThanOrEqual(305)
      expect(afterDay).toBeGreaterThan(500)
      expect(afterDay).toBeLessThanOrEqual(600)
      expect(others).toHaveLength(2)
      expect(Math.max(...others)).toBeLessThanOrEqual(5)
    },
  )

  it('asks shouldReconnect, whose undefined is the default rule', async () => {
    const { url } = await listen(closesWith(4000), closesWith(1012), closesWith(1012))
    const codes: (number | undefined)[] = []
    const shouldReconnect: ReconnectOptions['shouldReconnect'] = ({ close }) => {
      codes.push(close?.code)
      return codes.length === 1 ? true : codes.length === 2 ? undefined : false
    }
    const socket = await open(url, journal({ shouldReconnect }))
    expect(await socket.closed).toMatchObject({ code: 1012 })
    expect(codes).toEqual([4000, 1012, 1012])
  })

  it('asks for headers and the URL anew at each attempt, and survives that the asking fails', async () => {
    const { server, url } = await listen(closesWith(1012), answers(503), opens())
    let asked = 0
    let located = 0
    const reconnect = journal()
    const socket = await connect(
      () => {
        if (++located === 3) throw new Error('no address today')
        return `${url}${String(located)}`
      },
      { reconnect, headers: () => Promise.resolve({ Authorization: `token ${String(++asked)}` }) },
    )
    cleanups.push(() => {
      socket.terminate()
    })
    await until(() => reconnect.lines.includes('back 3'))
    const seen = server.heads.map((head) => /GET (\S+).*token (\d)/s.exec(head)?.slice(1, 3).join(' '))
    expect(seen).toEqual(['/1 1', '/2 2', '/4 3'])
    expect(reconnect.lines).toContain('3: no address today')
    expect(socket.url).toBe(`${url}4`)
  })

  it('sends headers that can be iterated once at each attempt', async () => {
    const { server, url } = await listen(closesWith(1012), opens())
    function* headers(): Generator<[string, string]> {
      yield ['X-Once', 'here']
    }
    await open(url, journal(), { headers: headers() })
    await until(() => server.heads.length === 2)
    expect(server.heads.every((head) => head.includes('X-Once: here'))).toBe(true)
  })

  it('tries several URLs in turn, and waits only after each had its turn', async () => {
    const one = await listen(answers(503))
    const two = await listen(answers(500))
    const three = await listen(closesWith(1012), answers(503), word('here'))
    const reconnect = journal({ jitter: 0, minDelayMs: 3 })
    const socket = await connect([one.url, two.url, three.url], { reconnect })
    cleanups.push(() => {
      socket.terminate()
    })
    expect(await socket.receive({ timeoutMs: 5_000 })).toBe('here')
    expect(socket.url).toBe(three.url)
    expect(reconnect.delays.slice(0, 4)).toEqual([0, 0, 3, 0])
    await expect(connect([one.url, two.url], { reconnect: true })).rejects.toMatchObject({ httpStatus: 500 })
  })

  it('goes on with the other URLs while the server of one has asked for time', async () => {
    const busy = await listen(answers(503, 'Retry-After: 3600'), opens())
    const good = await listen(closesWith(1012), answers(503), answers(503), word('here'))
    const reconnect = journal()
    const socket = await connect([busy.url, good.url], { reconnect })
    cleanups.push(() => {
      socket.terminate()
    })
    expect(await socket.receive({ timeoutMs: 5_000 })).toBe('here')
    expect(socket.url).toBe(good.url)
    expect(busy.server.connections).toBe(1)
    expect(Math.max(...reconnect.delays)).toBeLessThanOrEqual(5)
  })

  it('asks a URL whose status is not retried no more, and goes on with the others', async () => {
    const gone = await listen(answers(404))
    const good = await listen(opens(), answers(503), word('here'))
    const reconnect = journal()
    const socket = await connect([gone.url, good.url], { reconnect })
    cleanups.push(() => {
      socket.terminate()
    })
    expect(socket.url).toBe(good.url)
    for (const one of good.server.sockets) one.resetAndDestroy()
    expect(await socket.receive({ timeoutMs: 5_000 })).toBe('here')
    expect(gone.server.connections).toBe(1)
    expect(reconnect.lines).toEqual([
      '1: HAWSER_UNEXPECTED_STATUS 404',
      '2: 1006',
      '3: HAWSER_UNEXPECTED_STATUS 503',
      'back 3',
    ])
  })

  it('gives up when the status of every URL is one that is not retried', async () => {
    const one = await listen(answers(404))
    const two = await listen(answers(503), answers(401))
    const first = connect([one.url, two.url], { reconnect: journal({ retryFirst: true }) })
    await expect(first).rejects.toMatchObject({ httpStatus: 401 })
    expect([one.server.connections, two.server.connections]).toEqual([1, 2])
    const shouldReconnect: ReconnectOptions['shouldReconnect'] = ({ error }) =>
      (error as HandshakeError).httpStatus === 404 ? false : undefined
    await expect(
      connect([one.url, two.url], { reconnect: journal({ shouldReconnect }) }),
    ).rejects.toMatchObject({ httpStatus: 404 })
    expect([one.server.connections, two.server.connections]).toEqual([2, 2])
  })

  it('refuses URLs that are none, and a list without reconnect', () => {
    expect(() => connect([], { reconnect: true })).toThrow(TypeError)
    expect(() => connect(['ws://a', 'ftp://b'], { reconnect: true })).toThrow(SyntaxError)
    expect(() => connect(['ws://a'] as never)).toThrow(/needs the option reconnect/)
    expect(() => connect((() => 'ws://a') as never)).toThrow(/needs the option reconnect/)
  })

  it('calls handlers with the same socket for each connection, one connection after the other', async () => {
    const { url } = await listen(closesWith(1012, 'one'), closesWith(1012, 'two'), opens())
    const seen: string[] = []
    const sockets = new Set<unknown>()
    let opened = 0
    const socket = await open(url, journal(), {
      closeTimeoutMs: 200,
      handlers: {
        onOpen: (one) => {
          sockets.add(one)
          seen.push(`open ${String(++opened)}`)
        },
        async onTextMessage(one, text) {
          sockets.add(one)
          await sleep(20)
          seen.push(text)
        },
        onClose: (one, { code }) => {
          sockets.add(one)
          seen.push(`close ${String(code)}`)
        },
      },
    })
    await until(() => opened === 3)
    await socket.close(1000)
    await until(() => seen.length === 8)
    expect(seen).toEqual([
      ...['open 1', 'one', 'close 1012', 'open 2', 'two', 'close 1012', 'open 3'],
      expect.stringMatching(/^close/),
    ])
    expect([...sockets]).toEqual([socket])
  })

  it('reports what its callbacks throw once, and goes on', async () => {
    const { url } = await listen(closesWith(1012), word('hello'))
    const errors: string[] = []
    const fail = (what: string) => (): never => {
      throw new Error(what)
    }
    const reconnect = journal({
      shouldReconnect: fail('should'),
      onReconnecting: fail('reconnecting'),
      onReconnected: () => Promise.reject(new Error('reconnected')),
    })
    const socket = await open(url, reconnect, {
      handlers: { onError: (_, error) => errors.push(error.message) },
    })
    expect(await socket.receive()).toBe('hello')
    await until(() => errors.length === 3)
    expect(errors).toEqual(['should', 'reconnecting', 'reconnected'])
  })

  it('refuses an answer of shouldReconnect that is neither true, false nor undefined', async () => {
    const { url } = await listen(closesWith(1012), closesWith(1000))
    const errors: string[] = []
    const shouldReconnect = (async () => false) as never
    const socket = await open(url, journal({ shouldReconnect }), {
      handlers: { onError: (_, error) => errors.push(error.message) },
    })
    expect(await socket.closed).toMatchObject({ code: 1000 })
    expect(errors[0]).toBe('shouldReconnect must return true, false or undefined, not a promise')
  })

  it('rejects when onOpen throws at first, and tries again when it throws later', async () => {
    const { url } = await listen(opens())
    let opened = 0
    const errors: string[] = []
    const handlers = {
      onOpen: (): void => {
        if (++opened !== 2) throw new Error(`open ${String(opened)}`)
      },
      onError: (_: unknown, error: Error) => errors.push(error.message),
    }
    await expect(open(url, journal({ retryFirst: true }), { handlers })).rejects.toThrow('open 1')
    // A promise of another library.
    const rejects = { then: (_: unknown, reject: (error: Error) => void) => reject(new Error('open 0')) }
    await expect(
      open(url, journal(), { handlers: { onOpen: () => rejects as unknown as Promise<void> } }),
    ).rejects.toThrow('open 0')
    errors.length = 0
    const { server, url: other } = await listen(closesWith(1012), opens())
    const reconnect = journal({ maxAttempts: 1 })
    const socket = await open(other, reconnect, { handlers, closeTimeoutMs: 50 })
    expect((await socket.closed).code).toBe(1011)
    expect(errors).toEqual(['open 3'])
    expect(reconnect.lines).toEqual(['1: 1012', 'given up 1: 1011'])
    expect(server.connections).toBe(2)
  })
})

describe('the end of a client that reconnects', () => {
  it('is its own close, whatever the code, and comes once', async () => {
    const { server, url } = await listen(opens((socket) => socket.on('data', () => socket.end())))
    const reconnect = journal()
    const socket = await open(url, reconnect, { closeTimeoutMs: 50 })
    const closing = socket.close(1012)
    expect(socket.readyState).toBe(2)
    const info = await closing
    expect(await socket.closed).toBe(info)
    expect([socket.readyState, info.initiator]).toEqual([3, 'local'])
    await sleep(30)
    expect([server.connections, reconnect.lines]).toEqual([1, []])
  })

  it.each(['close', 'terminate', 'signal'] as const)('comes at once by %s during a delay', async (how) => {
    const { server, url } = await listen(closesWith(1012))
    const aborter = new AbortController()
    const reconnect = journal({ minDelayMs: 60_000, maxDelayMs: 60_000, jitter: 0 })
    const socket = await open(url, reconnect, { signal: aborter.signal })
    await until(() => reconnect.lines.length === 1)
    const reading = socket.receive()
    if (how === 'close') expect((await socket.close(1000)).code).toBe(1012)
    else if (how === 'terminate') socket.terminate()
    else aborter.abort()
    const cause = how === 'signal' ? aborter.signal.reason : undefined
    for (const one of [reading, socket.receive()]) {
      const error = await one.catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ name: 'ConnectionClosedError', closeCode: 1012 })
      expect((error as Error).cause).toBe(cause)
    }
    expect(await socket.closed).toMatchObject({ code: 1012 })
    expect([socket.readyState, server.connections]).toEqual([3, 1])
    expect(reconnect.lines).toEqual(['1: 1012'])
  })

  it.each(['close', 'terminate', 'signal'] as const)('comes at once by %s during an attempt', async (how) => {
    const { server, url } = await listen(closesWith(1012), stalls)
    const aborter = new AbortController()
    const reconnect = journal()
    const socket = await open(url, reconnect, { signal: aborter.signal })
    await until(() => server.heads.length === 2)
    if (how === 'close') void socket.close(1000)
    else if (how === 'terminate') socket.terminate()
    else aborter.abort()
    expect(await socket.closed).toMatchObject({ code: 1012 })
    await until(() => server.sockets.size === 0)
    expect(reconnect.lines).toEqual(['1: 1012'])
  })

  it('rejects with the reason of the signal during the first attempts', async () => {
    const { server, url } = await listen(answers(503), stalls)
    const aborter = new AbortController()
    const connecting = open(url, journal({ retryFirst: true }), { signal: aborter.signal })
    await until(() => server.heads.length === 2)
    aborter.abort(new Error('enough'))
    await expect(connecting).rejects.toThrow('enough')
    const waiting = new AbortController()
    const { url: other } = await listen(answers(503))
    const reconnect = journal({ retryFirst: true, minDelayMs: 60_000, maxDelayMs: 60_000, jitter: 0 })
    const late = open(other, reconnect, { signal: waiting.signal })
    await until(() => reconnect.lines.length === 1)
    waiting.abort(new Error('enough'))
    await expect(late).rejects.toThrow('enough')
  })

  it('leaves an open connection alone when the signal is aborted, and makes no other', async () => {
    const { server, url } = await listen(opens())
    const aborter = new AbortController()
    const reconnect = journal()
    const socket = await open(url, reconnect, { signal: aborter.signal })
    aborter.abort(new Error('enough'))
    await sleep(20)
    expect(socket.readyState).toBe(1)
    const reading = socket.receive()
    await server.die()
    const told = { closeCode: 1006, cause: { message: 'enough' } }
    await expect(reading).rejects.toMatchObject(told)
    await expect(socket.receive()).rejects.toMatchObject(told)
    expect(await socket.closed).toMatchObject({ code: 1006 })
    expect(reconnect.lines).toEqual([])
  })

  it('has the error of the last attempt as its cause, also when onGivenUp aborts the signal', async () => {
    const { url } = await listen(closesWith(1012), answers(401))
    const aborter = new AbortController()
    const onGivenUp = (): void => {
      aborter.abort()
    }
    const socket = await open(url, journal({ onGivenUp }), { signal: aborter.signal })
    await socket.closed
    await expect(socket.receive()).rejects.toMatchObject({ closeCode: 1012, cause: { httpStatus: 401 } })
  })

  it('may come from within each callback', async () => {
    const { url } = await listen(closesWith(1012))
    const socket: ReconnectingSocket = await open(url, journal({ onReconnecting: () => socket?.terminate() }))
    expect(await socket.closed).toMatchObject({ code: 1012 })
    const other = await open(url, journal({ onReconnected: () => other.terminate() }))
    expect((await other.closed).initiator).toBe('local')
  })
})

describe('a client that the application ends between two attempts', () => {
  const slow = { minDelayMs: 200, maxDelayMs: 200, jitter: 0 }
  const opensOnce = opens((socket) => setTimeout(() => socket.end(Buffer.from([0x88, 2, 3, 0xf4])), 20))

  it.each(['close', 'terminate'] as const)(
    'does not come back after %s in the delay that follows a connection lost during the first onOpen',
    async (how) => {
      const { server, url } = await listen(opensOnce, opens())
      const reconnect = journal({ ...slow, retryFirst: true })
      const sockets: ClientSocket[] = []
      const connecting = connect(url, {
        reconnect,
        handlers: {
          onOpen: async (socket) => {
            sockets.push(socket)
            await sleep(60)
          },
        },
      })
      const outcome = connecting.catch((error: unknown) => error)
      await until(() => reconnect.lines.length === 1)
      const [socket] = sockets as [ClientSocket]
      if (how === 'close') expect(await socket.close(1000)).toMatchObject({ code: 1012 })
      else socket.terminate()
      expect(socket.readyState).toBe(3)
      expect(await outcome).toMatchObject({ closeCode: 1012 })
      await sleep(250)
      expect([socket.readyState, server.connections, server.sockets.size]).toEqual([3, 1, 0])
    },
  )

  it.each(['close', 'signal'] as const)(
    'ends by %s while the first onOpen runs on after its connection was lost, and announces no attempt',
    async (how) => {
      const { server, url } = await listen(opensOnce, opens())
      const aborter = new AbortController()
      const reconnect = journal({ ...slow, retryFirst: true })
      const held: { socket?: ClientSocket } = {}
      const connecting = connect([url, url], {
        reconnect,
        signal: aborter.signal,
        handlers: {
          onOpen: async (socket) => {
            held.socket = socket
            await sleep(150)
          },
        },
      })
      const outcome = connecting.catch((error: unknown) => error)
      await until(() => held.socket?.readyState === 0 && server.sockets.size === 0)
      if (how === 'close') expect(await held.socket?.close(1000)).toMatchObject({ code: 1012 })
      else aborter.abort(new Error('enough'))
      expect(await outcome).toMatchObject(how === 'close' ? { closeCode: 1012 } : { message: 'enough' })
      expect([reconnect.lines, server.connections]).toEqual([[], 1])
    },
  )

  it('rejects at once when shouldReconnect aborts the signal during the first attempts', async () => {
    const { url } = await listen(answers(503))
    const aborter = new AbortController()
    const reconnect = journal({
      minDelayMs: 60_000,
      maxDelayMs: 60_000,
      jitter: 0,
      retryFirst: true,
      shouldReconnect: () => {
        aborter.abort(new Error('enough'))
        return true
      },
    })
    await expect(open(url, reconnect, { signal: aborter.signal })).rejects.toThrow('enough')
    expect(reconnect.lines).toEqual([])
  })

  it('has no connection after a close in the turn in which the answer to the next attempt is received', async () => {
    const { server, url } = await listen(closesWith(1012), opens())
    const held: { socket?: ClientSocket } = {}
    let made = 0
    const calls: string[] = []
    // Adds a listener of its own after those of the client: both hear of the same chunk.
    class Watching extends Agent {
      override createConnection(): Socket {
        const socket = createConnection(server.port, '127.0.0.1')
        if (++made === 2) {
          socket.once('newListener', () => {
            setImmediate(() => socket.on('data', () => void held.socket?.close()))
          })
        }
        return socket
      }
    }
    const socket = await open(url, journal(), {
      agent: new Watching(),
      handlers: { onOpen: () => calls.push('open'), onClose: () => calls.push('close') },
    })
    held.socket = socket
    expect(await socket.closed).toMatchObject({ code: 1012 })
    await until(() => server.connections === 2 && server.sockets.size === 0)
    expect(socket.readyState).toBe(3)
    expect(calls).toEqual(['open', 'close'])
  })

  it('is not told that the client gave up when it ended it in shouldReconnect', async () => {
    const { url } = await listen(closesWith(1012))
    const held: { socket?: ClientSocket } = {}
    const reconnect = journal({
      shouldReconnect: () => {
        held.socket?.terminate()
        return false
      },
    })
    const socket = await open(url, reconnect)
    held.socket = socket
    expect(await socket.closed).toMatchObject({ code: 1012 })
    expect(reconnect.lines).toEqual([])
  })
})

describe('reading through a reconnect', () => {
  it('gives the messages of each connection in order, in a loop as well', async () => {
    const { url } = await listen(closesWith(1012, 'a', 'b'), closesWith(1001, 'c'), closesWith(1000, 'd'))
    const socket = await open(url, journal())
    const words: unknown[] = []
    for await (const one of socket) words.push(one)
    expect(words).toEqual(['a', 'b', 'c', 'd'])
  })

  it('serves readers in the order in which they came', async () => {
    const { url } = await listen(closesWith(1012, 'a'), closesWith(1000, 'b', 'c'))
    const socket = await open(url, journal())
    const reads = await Promise.all([socket.receive(), socket.receive(), socket.receive()])
    expect(reads).toEqual(['a', 'b', 'c'])
  })

  it('ends a wait by its own time and signal alone', async () => {
    const { url } = await listen(closesWith(1012))
    const socket = await open(url, journal({ minDelayMs: 60_000, maxDelayMs: 60_000, jitter: 0 }))
    await expect(socket.receive({ timeoutMs: 30 })).rejects.toThrow(/longer than 30 ms/)
    const aborter = new AbortController()
    const reading = socket.drained({ signal: aborter.signal })
    aborter.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
    expect(socket.readyState).toBe(0)
  })

  it("fails meanwhile if the caller chose 'fail', and reads on afterwards", async () => {
    const { url } = await listen(closesWith(1012, 'a'), closesWith(1012, 'b'))
    const reconnect = journal({ whileReconnecting: 'fail', minDelayMs: 60, maxDelayMs: 60, jitter: 0 })
    const socket = await open(url, reconnect)
    expect(await socket.receive()).toBe('a')
    await expect(socket.receive()).rejects.toMatchObject({ closeCode: 1012 })
    await expect(socket.receive()).rejects.toMatchObject({ closeCode: 1012 })
    await expect(socket.drained()).rejects.toMatchObject({ closeCode: 1012 })
    await until(() => reconnect.lines.includes('back 1'))
    expect(await socket.receive()).toBe('b')
  })

  it('keeps the messages of the last two lost connections, and counts the others', async () => {
    const { url } = await listen(
      ...['a', 'b', 'c', 'd'].map((one) => closesWith(1012, one)),
      closesWith(1000, 'e'),
    )
    const socket = await open(url, journal())
    const { droppedMessages } = await socket.closed
    const words: unknown[] = []
    for await (const one of socket) words.push(one)
    expect(words).toEqual(['c', 'd', 'e'])
    expect(droppedMessages).toBe(2)
  })

  it('stays paused over connections', async () => {
    const { url } = await listen(closesWith(1012), word('hello'))
    const words: string[] = []
    const held: { socket?: ReconnectingSocket } = {}
    const reconnect = journal({ onReconnecting: () => held.socket?.pause() })
    const socket = await open(url, reconnect, {
      handlers: { onTextMessage: (_, text) => void words.push(text) },
    })
    held.socket = socket
    await until(() => reconnect.lines.includes('back 1'))
    await sleep(30)
    expect(words).toEqual([])
    socket.resume()
    await until(() => words.length === 1)
  })
})

describe('sending through a reconnect', () => {
  /** A server that writes down what it gets, and cuts the connection at 'cut'. */
  async function recorder(): Promise<{ url: string; got: string[] }> {
    const server = new WebSocketServer()
    const got: string[] = []
    server.route('/', {
      onTextMessage(socket, text) {
        got.push(text)
        if (text === 'cut') socket.terminate()
      },
    })
    const { port } = await server.listen(0, '127.0.0.1')
    cleanups.push(() => server.close({ timeoutMs: 0 }))
    return { url: `ws://127.0.0.1:${String(port)}/`, got }
  }

  it('drops messages without an outbox, and counts them', async () => {
    const { url, got } = await recorder()
    const reconnect = journal()
    const socket = await open(url, reconnect)
    socket.send('cut')
    await until(() => socket.readyState === 0 || reconnect.lines.length > 0)
    if (socket.readyState === 0) expect([socket.send('lost'), socket.droppedMessages]).toEqual([false, 1])
    expect(() => socket.send(5 as never)).toThrow(TypeError)
    await until(() => reconnect.lines.includes('back 1'))
    expect(socket.send('kept')).toBe(true)
    await until(() => got.includes('kept'))
    expect(got).toEqual(['cut', 'kept'])
  })

  it('keeps messages in an outbox, in order and once, after what onOpen and onReconnected send', async () => {
    const { url, got } = await recorder()
    const bytes = Buffer.from('x')
    const answersOfSend: boolean[] = []
    const held: { socket?: ReconnectingSocket } = {}
    const reconnect = journal({
      outbox: { maxMessages: 3, maxBytes: 10 },
      onReconnecting: () => {
        for (const text of ['1', '2', 'far too long', '3', '4'])
          answersOfSend.push(held.socket?.send(text) === true)
        expect(held.socket?.bufferedAmount).toBe(3)
      },
      onReconnected: () => held.socket?.send('hello again'),
    })
    let opened = 0
    const socket = await open(url, reconnect, {
      handlers: { onOpen: (one) => one.send(`login ${String(++opened)}`) },
    })
    held.socket = socket
    bytes[0] = 0
    socket.send('cut')
    await until(() => got.includes('3'))
    expect(answersOfSend).toEqual([true, true, false, true, false])
    expect(socket.droppedMessages).toBe(2)
    socket.send('last')
    await until(() => got.includes('last'))
    expect(got).toEqual(['login 1', 'cut', 'login 2', 'hello again', '1', '2', '3', 'last'])
    expect(() => socket.send({} as never)).toThrow(TypeError)
  })

  it.each([true, false])(
    'lets what others send while onOpen runs wait for it, in order and after the outbox: %p',
    async (outbox) => {
      const { url, got } = await recorder()
      const held: { socket?: ReconnectingSocket } = {}
      let isOpening = false
      const reconnect = journal({
        outbox,
        onReconnecting: () => held.socket?.send('waited'),
      })
      const socket = await open(url, reconnect, {
        handlers: {
          onOpen: async (one) => {
            one.send('at once')
            isOpening = true
            await sleep(30)
            expect(one.send('login')).toBe(true)
            await one.write('written login')
            await one.drained()
            isOpening = false
          },
        },
      })
      held.socket = socket
      await until(() => got.includes('written login'))
      got.length = 0
      socket.send('cut')
      await until(() => isOpening)
      expect(socket.readyState).toBe(1)
      expect(socket.send('1')).toBe(true)
      const writing = socket.write('2')
      const draining = socket.drained().then(() => {
        expect(isOpening).toBe(false)
      })
      expect(socket.bufferedAmount).toBeGreaterThan(0)
      await writing
      expect(isOpening).toBe(false)
      await draining
      socket.send('3')
      await until(() => got.includes('3'))
      const waited = outbox ? ['waited'] : []
      expect(got).toEqual([...['cut', 'at once', 'login', 'written login'], ...waited, ...['1', '2', '3']])
      expect(socket.droppedMessages).toBe(outbox ? 0 : 1)
    },
  )

  it.each([true, false])(
    'keeps what others sent when the connection is lost during onOpen, with an outbox alone, and never what onOpen sends: %p',
    async (outbox) => {
      const { url, server } = await listen(opens(), opens())
      const { url: good, got } = await recorder()
      const held: { socket?: ReconnectingSocket } = {}
      let opened = 0
      const reconnect = journal({ outbox })
      const urls = [url, url, good]
      const socket = await connect(() => urls.shift() ?? good, {
        reconnect,
        handlers: {
          onOpen: async (one) => {
            if (++opened !== 2) return
            held.socket?.send('lost with its connection')
            await sleep(20)
            for (const of of server.sockets) of.resetAndDestroy()
            await sleep(40)
            expect(one.send('late login')).toBe(false)
          },
        },
      })
      cleanups.push(() => {
        socket.terminate()
      })
      held.socket = socket
      for (const of of server.sockets) of.resetAndDestroy()
      await until(() => opened === 2)
      socket.send('from elsewhere')
      await until(() => reconnect.lines.some((line) => line.startsWith('back')))
      socket.send('end')
      await until(() => got.includes('end'))
      expect(got).toEqual(outbox ? ['from elsewhere', 'end'] : ['end'])
      // The late login was dropped as well.
      expect(socket.droppedMessages).toBe(outbox ? 1 : 2)
    },
  )

  it('bounds what waits for onOpen without an outbox, and rejects writers if the caller chose so', async () => {
    const { url, server } = await listen(opens())
    const held: { socket?: ReconnectingSocket } = {}
    let isOpening = false
    const reconnect = journal({ whileReconnecting: 'fail', minDelayMs: 9_000, maxDelayMs: 9_000, jitter: 0 })
    const connecting = open(url, reconnect, {
      limits: { maxBufferedOutputBytes: 5_000, highWaterMarkBytes: 1_000 },
      handlers: {
        onOpen: (one) => {
          held.socket = one as ReconnectingSocket
          isOpening = true
          return new Promise(() => undefined)
        },
      },
    })
    const outcome = connecting.catch((error: unknown) => error)
    await until(() => isOpening)
    const { socket } = held as { socket: ReconnectingSocket }
    const sent = Array.from({ length: 2_000 }, () => socket.send('x'))
    expect(sent.indexOf(false)).toBe(1_000)
    expect(socket.send('x'.repeat(4_001))).toBe(false)
    expect(socket.droppedMessages).toBe(1_001)
    const writing = socket.write('y')
    for (const one of server.sockets) one.resetAndDestroy()
    await expect(writing).rejects.toBeInstanceOf(ConnectionClosedError)
    expect(await outcome).toBeInstanceOf(ConnectionClosedError)
  })

  it('sends a full outbox at the pace of the connection', async () => {
    const { url, got } = await recorder()
    const held: { socket?: ReconnectingSocket } = {}
    const texts = Array.from({ length: 60 }, (_, index) => `${String(index)} ${'x'.repeat(10_000)}`)
    const reconnect = journal({
      outbox: true,
      onReconnecting: () => {
        for (const text of texts) expect(held.socket?.send(text)).toBe(true)
      },
    })
    const limits = { maxBufferedOutputBytes: 20_000, highWaterMarkBytes: 10_000 }
    const socket = await open(url, reconnect, { limits, perMessageDeflate: false })
    held.socket = socket
    socket.send('cut')
    await until(() => reconnect.lines.length > 0)
    await socket.drained({ timeoutMs: 5_000 })
    expect(socket.bufferedAmount).toBeLessThanOrEqual(10_000)
    await until(() => got.length === 61)
    expect(got.slice(1)).toEqual(texts)
    expect(socket.droppedMessages).toBe(0)
  })

  it('lets other work of the process run while it sends a large outbox', async () => {
    const { url, got } = await recorder()
    const count = 30_000
    const held: { socket?: ReconnectingSocket } = {}
    /** What waited, in each turn of the event loop. */
    const amounts = new Set<number>()
    const watch = (): void => {
      amounts.add(socket.bufferedAmount)
      if (!got.includes(`m${String(count - 1)}`)) setImmediate(watch)
    }
    const reconnect = journal({
      outbox: { maxMessages: count },
      onReconnecting: () => {
        for (let i = 0; i < count; i++) held.socket?.send(`m${String(i)}`)
        setImmediate(watch)
      },
    })
    const limits = { highWaterMarkBytes: 10_000 }
    const socket = await open(url, reconnect, { limits, perMessageDeflate: false })
    held.socket = socket
    socket.send('cut')
    await until(() => reconnect.lines.length > 0)
    await socket.drained({ timeoutMs: 10_000 })
    await until(() => got.length === count + 1)
    expect(got.at(-1)).toBe(`m${String(count - 1)}`)
    // 300 KB, of which at most 10 KB are sent in a turn.
    expect(amounts.size).toBeGreaterThan(10)
  })

  it('drops and counts what waits when it gives up', async () => {
    const { url } = await listen(closesWith(1012), answers(401))
    const socket: ReconnectingSocket = await open(
      url,
      journal({ outbox: true, onReconnecting: () => socket?.sendJson({ a: 1 }) }),
    )
    await socket.closed
    expect(socket.droppedMessages).toBe(1)
    expect([socket.send('late'), socket.bufferedAmount]).toEqual([false, 0])
  })

  it.each([false, true])(
    'sends what the system had not taken again if it is asked to: %p',
    async (resend) => {
      const { server, url } = await listen(opens((socket) => socket.pause()))
      const reconnect = journal({ outbox: { maxMessages: 1_000, maxBytes: 2 ** 28, resend } })
      const limits = { maxBufferedOutputBytes: 2 ** 28 }
      const socket = await open(url, reconnect, { limits, perMessageDeflate: false })
      socket.send('taken')
      await until(() => socket.bufferedAmount === 0)
      const texts = Array.from({ length: 40 }, (_, index) => `${String(index)} ${'x'.repeat(500_000)}`)
      for (const text of texts) socket.send(text)
      await sleep(20)
      expect(socket.bufferedAmount).toBeGreaterThan(0)
      const got: string[] = []
      await server.die()
      const again = new WebSocketServer()
      again.route('/', { onTextMessage: (_, text) => void got.push(text) })
      await again.listen(server.port, '127.0.0.1')
      cleanups.push(() => again.close({ timeoutMs: 0 }))
      await until(() => reconnect.lines.some((line) => line.startsWith('back')))
      socket.send('end')
      await until(() => got.includes('end'))
      // What the system took at once is not sent again.
      const from = resend ? texts.indexOf(got[0] as string) : texts.length
      expect(from).toBeGreaterThanOrEqual(0)
      expect(got).toEqual([...texts.slice(from), 'end'])
      expect(got.length > 1).toBe(resend)
    },
  )

  it('lets write wait for the next connection, within its bound, or fail', async () => {
    const { url, got } = await recorder()
    const held: { socket?: ReconnectingSocket } = {}
    const writes: Promise<void>[] = []
    const onReconnecting = (): void => {
      const { socket } = held
      for (const text of ['one', 'x'.repeat(2_000), 'two']) if (socket) writes.push(socket.write(text))
    }
    const limits = { maxBufferedOutputBytes: 1_000, highWaterMarkBytes: 1_000 }
    const socket = await open(url, journal({ onReconnecting, outbox: true }), { limits })
    held.socket = socket
    await socket.write('cut')
    await until(() => writes.length === 3)
    const [one, large, two] = await Promise.allSettled(writes)
    expect([one?.status, two?.status]).toEqual(['fulfilled', 'fulfilled'])
    expect(large).toMatchObject({ status: 'rejected', reason: { name: 'LimitError' } })
    await until(() => got.length === 3)
    expect(got).toEqual(['cut', 'one', 'two'])
    await socket.close(1000)
    await expect(socket.write('late')).rejects.toBeInstanceOf(ConnectionClosedError)
    const { server, url: other } = await listen(opens())
    const failing = await open(
      other,
      journal({ whileReconnecting: 'fail', minDelayMs: 9_000, maxDelayMs: 9_000 }),
    )
    await server.die()
    await until(() => failing.readyState === 0)
    await expect(failing.write('x')).rejects.toBeInstanceOf(ConnectionClosedError)
  })

  it('reads text, bytes and JSON through a reconnect', async () => {
    const { url } = await listen(
      closesWith(1012, 'a'),
      closesWith(1012, '{}'),
      closesWith(1012, 'no'),
      opens(),
    )
    const socket = await open(url, journal())
    expect(await socket.receiveText()).toBe('a')
    expect(await socket.receiveJson()).toEqual({})
    await expect(socket.receiveBinary()).rejects.toMatchObject({ kind: 'type' })
  })
})
