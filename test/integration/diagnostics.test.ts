/** The channels of docs/observability.md, each by what makes servers and clients publish to it. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { setTimeout as delay } from 'node:timers/promises'
import {
  accept,
  connect,
  reject,
  WebSocketServer,
  type ClientSocket,
  type CloseInfo,
  type ConnectOptions,
  type DiagnosticsMessages,
  type ServerOptions,
  type ServerService,
  type ServerSocket,
} from '../../src/index.js'
import type { Backplane } from '../../src/backplane/index.js'
import { memoryHistory } from '../../src/recovery/index.js'
import { CHANNEL_ROWS, FIELDS } from '../helpers/channel-docs.js'
import { askRaw, openRaw, requestHead } from '../helpers/raw-peer.js'

type Message = Readonly<Record<string, unknown>>

/** What every test of this file has heard. */
const heardChannels = new Set<string>()
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A value as the type that the docs give for it. */
function hasType(value: unknown, type: string): boolean {
  return type.split(' | ').some((one) => {
    if (one === 'null') return value === null
    if (one === 'string' || one === 'number' || one === 'boolean') return typeof value === one
    if (one === 'MessageData') return typeof value === 'string' || value instanceof Uint8Array
    if (one === 'QuotaKind' || one === 'QuotaAction') return typeof value === 'string'
    if (one.endsWith('Error')) return value instanceof Error && (one === 'Error' || value.name === one)
    return typeof value === 'object' && value !== null
  })
}

/** Subscribes to all channels until the end of the test. */
function listenToAll(): { channel: string; message: Message }[] {
  const heard: { channel: string; message: Message }[] = []
  for (const [channel] of CHANNEL_ROWS) {
    const listener = (message: unknown): void => {
      heard.push({ channel, message: message as Message })
    }
    subscribe(channel, listener)
    cleanups.push(() => unsubscribe(channel, listener))
  }
  cleanups.push(() => {
    for (const { channel, message } of heard) {
      heardChannels.add(channel)
      const fields = FIELDS.get(channel) ?? []
      expect([
        channel,
        Object.keys(message).filter((name) => !fields.some((one) => one.name === name)),
      ]).toEqual([channel, []])
      for (const { name, isOptional, type } of fields) {
        const isRight = name in message ? hasType(message[name], type) : isOptional
        expect([channel, name, isRight]).toEqual([channel, name, true])
      }
    }
  })
  return heard
}

const create = (options: ServerOptions = {}): WebSocketServer => {
  const server = new WebSocketServer(options)
  cleanups.push(() => server.close({ timeoutMs: 1_000 }))
  return server
}

async function serve(service: ServerService, options: ServerOptions = {}) {
  const server = create(options)
  server.route('/rooms/:room', service)
  const { port } = await server.listen(0, '127.0.0.1')
  return { server, port, url: `ws://127.0.0.1:${String(port)}` }
}

async function open(url: string, options: ConnectOptions = {}): Promise<ClientSocket> {
  const socket = await connect(url, options)
  cleanups.push(() => {
    socket.terminate()
  })
  return socket
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await delay(5)
}

describe('the channels of servers', () => {
  it('report the life of a server and its connections, in order', async () => {
    const heard = listenToAll()
    const { server, url } = await serve({ onMessage: (_socket, message) => message })
    const socket = await open(`${url}/rooms/dogs?q=1`)
    socket.send('hello')
    expect(await socket.receive()).toBe('hello')
    await socket.close(4001, 'done')
    // The client may hear of the end first.
    await until(() => server.connectionCount === 0)
    await server.close()
    const ofServer = heard.filter(({ channel }) => !channel.startsWith('hawser:client:'))
    expect(ofServer.map(({ channel }) => channel)).toEqual([
      'hawser:server',
      'hawser:upgrade',
      'hawser:open',
      'hawser:message',
      'hawser:handler',
      'hawser:close',
      'hawser:closing',
      'hawser:closed',
    ])
    const [made, upgrade, opened, message, handler, closed, closing, over] = ofServer.map(
      (one) => one.message,
    )
    expect(upgrade).toMatchObject({
      ...{ url: '/rooms/dogs?q=1', route: '/rooms/:room', isAccepted: true, status: 101, error: null },
      ...{ remoteAddress: '127.0.0.1', clientAddress: '127.0.0.1' },
    })
    expect(opened?.['route']).toBe('/rooms/:room')
    expect(message).toMatchObject({ route: '/rooms/:room', data: 'hello' })
    expect(handler).toMatchObject({ route: '/rooms/:room', handler: 'onMessage', error: null })
    // Two frames: a message of 5 bytes with its mask, and a Close frame. The handshake counts as well.
    expect(closed).toMatchObject({
      ...{ route: '/rooms/:room', info: { code: 4001, reason: 'done', wasClean: true } },
      ...{ messagesReceived: 1, messagesSent: 1 },
    })
    const { bytesReceived, bytesSent } = closed as { bytesReceived: number; bytesSent: number }
    expect(bytesReceived).toBeGreaterThan(100)
    expect(bytesSent).toBeGreaterThan(100)
    const { messagesReceived, messagesSent, ...stats } = server.stats()
    expect({ messagesReceived, messagesSent }).toEqual({ messagesReceived: 1, messagesSent: 1 })
    expect([stats.bytesReceived, stats.bytesSent]).toEqual([bytesReceived, bytesSent])
    for (const one of [made, closing, over]) expect(one?.['server']).toBe(server)
    for (const one of [message, handler, closed]) expect(one?.['socket']).toBe(opened?.['socket'])
  })

  it('report each refused upgrade with its status, its reason and the address of its client', async () => {
    const heard = listenToAll()
    const { port } = await serve(
      {
        onUpgrade: ({ params }) => {
          if (params['room'] === 'throws') throw new Error('mine')
          return params['room'] === 'closed' ? reject(418) : accept()
        },
      },
      { trustedProxies: ['loopback'], onError: () => undefined },
    )
    const forwarded = { 'X-Forwarded-For': '10.0.0.1, 203.0.113.7' }
    const ask = async (target: string, fields = {}): Promise<number> =>
      (await askRaw(port, requestHead(target, { ...forwarded, ...fields }))).head.status
    expect(await ask('/rooms/closed')).toBe(418)
    expect(await ask('/rooms/throws')).toBe(500)
    expect(await ask('/nowhere')).toBe(404)
    expect(await ask('/rooms/%zz')).toBe(400)
    expect(await ask('/rooms/dogs', { 'Sec-WebSocket-Version': '12' })).toBe(426)
    const upgrades = heard.filter(({ channel }) => channel === 'hawser:upgrade').map(({ message }) => message)
    const shown = upgrades.map(({ route, status, error, isAccepted, clientAddress, remoteAddress }) => [
      ...[route, status, (error as { code: string } | null)?.code ?? null],
      ...[isAccepted, clientAddress, remoteAddress],
    ])
    const refused = [false, '203.0.113.7', '127.0.0.1']
    expect(shown).toEqual([
      ['/rooms/:room', 418, null, ...refused],
      ['/rooms/:room', 500, 'HAWSER_UPGRADE_FAILED', ...refused],
      [null, 404, 'HAWSER_NOT_FOUND', ...refused],
      ['/rooms/:room', 400, 'HAWSER_INVALID_TARGET', ...refused],
      [null, 426, 'HAWSER_UNSUPPORTED_VERSION', ...refused],
    ])
    const errors = heard.filter(({ channel }) => channel === 'hawser:server-error')
    expect(errors.map(({ message }) => [(message['error'] as Error).message, message['what']])).toEqual([
      ['mine', 'the decision on an upgrade'],
    ])
  })

  it('report an upgrade whose peer is gone before the answer, with the time that it took', async () => {
    const heard = listenToAll()
    const { port } = await serve({ onUpgrade: () => new Promise(() => undefined) })
    const peer = await openRaw(port)
    peer.write(requestHead('/rooms/dogs'))
    await delay(50)
    peer.socket.resetAndDestroy()
    await until(() => heard.some(({ channel }) => channel === 'hawser:upgrade'))
    const upgrade = heard.find(({ channel }) => channel === 'hawser:upgrade')?.message
    expect(upgrade).toMatchObject({ route: '/rooms/:room', status: null, error: null, isAccepted: false })
    expect(upgrade?.['durationMs']).toBeGreaterThan(40)
  })

  it('report what a backplane throws, also where there is no onError, which is then a warning', async () => {
    const heard = listenToAll()
    const warnings: string[] = []
    const spy = jest.spyOn(process, 'emitWarning').mockImplementation((warning) => {
      warnings.push(String(warning))
    })
    cleanups.push(() => spy.mockRestore())
    const backplane: Backplane = {
      start: () => undefined,
      publish: () => true,
      watch: () => {
        throw new Error('no way')
      },
      unwatch: () => undefined,
      close: () => undefined,
    }
    const { url } = await serve({ onOpen: (socket) => void socket.join('room') }, { backplane })
    await open(`${url}/rooms/dogs`)
    await until(() => heard.some(({ channel }) => channel === 'hawser:server-error'))
    const error = heard.find(({ channel }) => channel === 'hawser:server-error')?.message
    expect(error).toMatchObject({ what: 'the backplane', error: { message: 'no way' } })
    await until(() => warnings.length === 1)
    expect(warnings[0]).toBe('the backplane failed, and the server has no onError: no way')
  })

  it('report violations of peers and failures of handlers as errors of their connections', async () => {
    const heard = listenToAll()
    const { port, url } = await serve({
      onMessage: () => {
        throw new Error('mine')
      },
      onError: () => undefined,
    })
    const peer = await openRaw(port)
    peer.write(requestHead('/rooms/dogs'))
    await peer.readHead()
    peer.write(Buffer.from([0xc1, 0x80, 0, 0, 0, 0]))
    const errorsOf = (): unknown[] =>
      heard
        .filter(({ channel }) => channel === 'hawser:error')
        .map(({ message }) => (message['error'] as Error & { code?: string }).code ?? message['error'])
    await until(() => errorsOf().length === 1)
    const socket = await open(`${url}/rooms/dogs`)
    socket.send('x')
    await socket.closed
    await until(() => errorsOf().length === 2)
    expect(errorsOf()).toEqual(['HAWSER_RESERVED_BITS', new Error('mine')])
  })

  it.each([
    ['drop', { messagesPerSecond: 0.001, messageBurst: 1, onExceeded: 'drop' }, 'messages', [1, 2]],
    ['close', { messagesPerSecond: 0.001, messageBurst: 1 }, 'messages', [1]],
    ['allow', { messagesPerSecond: 0.001, messageBurst: 1, onExceeded: () => 'allow' }, 'messages', [1, 2]],
    ['pause', { messagesPerSecond: 20, messageBurst: 1, onExceeded: 'pause' }, 'messages', [1]],
  ] as const)(
    'report an excess of a quota, and that the action is %s',
    async (action, quotas, quota, excesses) => {
      const heard = listenToAll()
      const { url } = await serve({ onMessage: () => undefined, onError: () => undefined }, { quotas })
      const socket = await open(`${url}/rooms/dogs`)
      for (let i = 0; i < 3; i++) socket.send('x')
      const reports = (): Message[] =>
        heard.filter(({ channel }) => channel === 'hawser:quota').map(({ message }) => message)
      await until(() => reports().length === excesses.length)
      expect(reports()).toMatchObject(
        excesses.map((count) => ({ route: '/rooms/:room', quota, action, excesses: count })),
      )
    },
  )

  it('have subscribers that may end the connection above a quota: its end waits for no quota', async () => {
    const end = (message: unknown): void => void (message as { socket: ServerSocket }).socket.close(1008)
    subscribe('hawser:quota', end)
    cleanups.push(() => unsubscribe('hawser:quota', end))
    const infos: CloseInfo[] = []
    const { url } = await serve(
      { onMessage: () => undefined, onClose: (_, info) => void infos.push(info) },
      { quotas: { messagesPerSecond: 0.001, messageBurst: 1, onExceeded: 'pause' } },
    )
    const socket = await open(`${url}/rooms/dogs`)
    for (let i = 0; i < 3; i++) socket.send('x')
    await until(() => infos.length > 0)
    expect(infos).toMatchObject([{ code: 1008, wasClean: true }])
  })

  it('report a close that is spread over a time, and the end only after the last handler', async () => {
    const heard = listenToAll()
    let isDone = false
    const { server, url } = await serve({
      onClose: async () => {
        await delay(50)
        isDone = true
      },
    })
    await open(`${url}/rooms/a`)
    await open(`${url}/rooms/b`)
    const order: unknown[] = []
    const listener = (): void => void order.push(isDone)
    subscribe('hawser:closed', listener)
    cleanups.push(() => unsubscribe('hawser:closed', listener))
    await server.close({ spreadMs: 20 })
    const closings = heard.filter(({ channel }) => channel === 'hawser:closing').map(({ message }) => message)
    expect(closings.map(({ remaining, spreadMs }) => [remaining, spreadMs])).toEqual([
      [2, 20],
      [0, 20],
    ])
    expect(order).toEqual([true])
  })

  it('report the end of a server that is terminated after the ends of its connections', async () => {
    const heard = listenToAll()
    const { server, url } = await serve({})
    await open(`${url}/rooms/a`)
    server.terminate()
    server.terminate()
    await until(() => heard.some(({ channel }) => channel === 'hawser:closed'))
    const ends = heard.map(({ channel }) => channel).filter((name) => name.includes('hawser:close'))
    expect(ends).toEqual(['hawser:close', 'hawser:closed'])
  })
})

describe('the times of handlers', () => {
  const calls = (
    heard: readonly { channel: string; message: Message }[],
  ): DiagnosticsMessages['hawser:handler'][] =>
    heard
      .filter(({ channel }) => channel === 'hawser:handler')
      .map(({ message }) => message as unknown as DiagnosticsMessages['hawser:handler'])

  it('are from the call to the end of the promise, also where it rejects', async () => {
    const heard = listenToAll()
    const { url } = await serve({
      onOpen: () => undefined,
      onMessage: async (_socket, text) => {
        await delay(30)
        if (text === 'fail') throw new Error('mine')
        return text
      },
      onClose: () => undefined,
      onError: () => undefined,
    })
    const socket = await open(`${url}/rooms/dogs`)
    socket.send('a')
    expect(await socket.receive()).toBe('a')
    socket.send('fail')
    await socket.closed
    await until(() => calls(heard).some(({ handler }) => handler === 'onClose'))
    expect(calls(heard).map(({ handler, error }) => [handler, error?.message])).toEqual([
      ['onOpen', undefined],
      ['onMessage', undefined],
      ['onMessage', 'mine'],
      ['onError', undefined],
      ['onClose', undefined],
    ])
    const [, first, second] = calls(heard)
    // Timers may round a millisecond down.
    expect(first?.durationMs).toBeGreaterThan(25)
    expect(second?.durationMs).toBeGreaterThan(25)
  })

  it.each<[what: string, make: () => ServerService]>([
    ['is frozen', () => Object.freeze({ onTextMessage: (_socket, text) => `got ${text}` } as ServerService)],
    [
      'is an instance with private fields',
      () =>
        new (class {
          #word = 'got'
          get concurrency(): number {
            return this.#word.length
          }
          onTextMessage(_socket: unknown, text: string): string {
            return `${this.#word} ${text}`
          }
        })(),
    ],
  ])('leave the service as it is, where it %s', async (_what, make) => {
    const heard = listenToAll()
    const { url } = await serve(make())
    const socket = await open(`${url}/rooms/dogs`)
    socket.send('it')
    expect(await socket.receive()).toBe('got it')
    expect(calls(heard).map(({ handler }) => handler)).toEqual(['onTextMessage'])
  })

  it('start the work of a thenable once', async () => {
    const heard = listenToAll()
    let started = 0
    const { url } = await serve({
      onMessage: () => ({
        then: (resolve: (value: string) => void) => {
          started++
          resolve('done')
        },
      }),
    } as ServerService)
    const socket = await open(`${url}/rooms/dogs`)
    socket.send('x')
    expect(await socket.receive()).toBe('done')
    expect([started, calls(heard).length]).toEqual([1, 1])
  })

  it('of handlers that are made for each connection are reported, and those of a connection from before are not', async () => {
    const server = create()
    server.route('/made', () => ({ onMessage: (_socket, text) => text }))
    const { port } = await server.listen(0, '127.0.0.1')
    const before = await open(`ws://127.0.0.1:${String(port)}/made`)
    const heard = listenToAll()
    const after = await open(`ws://127.0.0.1:${String(port)}/made`)
    for (const socket of [before, after]) {
      socket.send('x')
      expect(await socket.receive()).toBe('x')
    }
    expect(calls(heard).map(({ handler, route }) => [handler, route])).toEqual([['onMessage', '/made']])
  })
})

describe('the channels of clients', () => {
  it('report the attempt, the connection, its handlers, its error and its end', async () => {
    const heard = listenToAll()
    const { url } = await serve({ onMessage: (_socket, message) => message })
    const opened = new Promise((resolve) => {
      void open(`${url.replace('//', '//ada:secret@')}/rooms/dogs?token=1`, {
        handlers: {
          onMessage: (_socket, text) => {
            resolve(text)
            throw new Error('mine')
          },
          onError: () => undefined,
        },
      }).then((socket) => socket.send('hello'))
    })
    expect(await opened).toBe('hello')
    await until(() => heard.some(({ channel }) => channel === 'hawser:client:close'))
    const ofClient = heard.filter(({ channel }) => channel.startsWith('hawser:client:'))
    expect(ofClient.map(({ channel }) => channel.slice('hawser:client:'.length))).toEqual([
      ...['open', 'attempt', 'handler', 'error', 'handler', 'close'],
    ])
    const [, attempt, , error, , close] = ofClient.map(({ message }) => message)
    expect(attempt).toMatchObject({ url: `${url}/rooms/dogs`, error: null })
    expect(error).toMatchObject({ error: { message: 'mine' } })
    expect(close).toMatchObject({ info: { code: 1011, initiator: 'engine' }, messagesSent: 1 })
    expect(close?.['bytesReceived']).toBeGreaterThan(0)
  })

  it('report the end of a connection that is lost, where messages are read one by one', async () => {
    const heard = listenToAll()
    const { server, url } = await serve({})
    const socket = await open(`${url}/rooms/dogs`)
    for (const one of server.sockets) one.terminate()
    await socket.closed
    const codes = heard
      .filter(({ channel }) => channel === 'hawser:client:error' || channel === 'hawser:client:close')
      .map(({ channel, message }) => [channel, (message['info'] as { code: number } | undefined)?.code])
    expect(codes.at(-1)).toEqual(['hawser:client:close', 1006])
  })

  it('report each failed attempt with what connect rejects with', async () => {
    const heard = listenToAll()
    const { url } = await serve({})
    const failed = await connect(`${url}/nowhere`).catch((error: unknown) => error)
    const attempts = heard.filter(({ channel }) => channel === 'hawser:client:attempt')
    expect(attempts.map(({ message }) => message['error'])).toEqual([failed])
    expect(failed).toMatchObject({ httpStatus: 404 })
  })

  it.each([null, undefined, 'no'])('report an attempt as failed where headers throws %p', async (thrown) => {
    const heard = listenToAll()
    const { url } = await serve({})
    const headers = (): never => {
      throw thrown
    }
    await expect(connect(url, { headers })).rejects.toBe(thrown)
    const attempts = heard.filter(({ channel }) => channel === 'hawser:client:attempt')
    expect(attempts.map(({ message }) => message['error'])).toEqual([new Error(String(thrown))])
  })

  it('report waits, returns and the end of a client that reconnects', async () => {
    const heard = listenToAll()
    const { server, url } = await serve({})
    const socket = await open(`${url}/rooms/dogs`, {
      reconnect: { minDelayMs: 1, maxDelayMs: 2, maxAttempts: 2, onGivenUp: () => undefined },
    })
    for (const one of server.sockets) one.terminate()
    const of = (name: string): Message[] =>
      heard.filter(({ channel }) => channel === `hawser:client:${name}`).map(({ message }) => message)
    await until(() => of('reconnected').length === 1)
    expect(of('reconnecting')).toMatchObject([{ attempt: 1, cause: { close: { code: 1006 } } }])
    expect(of('reconnected')).toMatchObject([{ attempt: 1, url: `${url}/rooms/dogs` }])
    server.terminate()
    await until(() => of('given-up').length === 1)
    expect(of('given-up')[0]).toMatchObject({ attempts: 2 })
    // One socket for all connections, which are sockets of their own.
    for (const one of [...of('reconnecting'), ...of('reconnected'), ...of('given-up')]) {
      expect(one['socket']).toBe(socket)
    }
    expect(of('open').length).toBe(2)
    expect(of('close').length).toBe(2)
  })
})

it('the channels of recoverable groups report each member that came back, on both sides', async () => {
  const heard = listenToAll()
  const { server, url } = await serve(
    { onOpen: (socket) => void socket.join('room') },
    { recovery: { history: memoryHistory(), groups: ['room'] } },
  )
  const position = await server.group('room').publish('a')
  await server.group('room').publish('b')
  for (const change of [{}, { epoch: 'other' }]) {
    const positions = [{ group: 'room', ...position, ...change }]
    const socket = await open(`${url}/rooms/dogs`, { recovery: { positions } })
    await Promise.race([socket.receive(), delay(200)])
  }
  for (const name of ['hawser:recovery', 'hawser:client:recovery']) {
    const of = (): Message[] => heard.filter(({ channel }) => channel === name).map(({ message }) => message)
    await until(() => of().length === 2)
    expect(of()).toMatchObject([
      { group: 'room', recovered: true, count: 1 },
      { group: 'room', recovered: false, reason: 'epoch' },
    ])
  }
})

it('every channel was heard in these tests, but that of brokers', () => {
  const missing = CHANNEL_ROWS.map(([name]) => name).filter((name) => !heardChannels.has(name))
  expect(missing).toEqual(['hawser:backplane'])
})
