/** What two readings of the design found, each as the program that showed it. */
import {
  connect,
  WebSocketServer,
  type ClientSocket,
  type ServerService,
  type ServerSocket,
} from '../../src/index.js'
import { json } from '../../src/json/index.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { serve, stopServing } from '../helpers/serving.js'

const WAYS = [
  ['by the handle', {}, {}],
  ['by the stream', { directIo: false }, { directIo: false }],
  ['over TLS', { tls: SERVER_TLS }, { tls: { ...TRUST_SERVER, servername: 'localhost' } }],
] as const

const servers: WebSocketServer[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.terminate()
  stopServing()
})

async function start(
  way: readonly [string, object, object],
  service: ServerService,
  options: object = {},
): Promise<{ readonly server: WebSocketServer; readonly open: (more?: object) => Promise<ClientSocket> }> {
  const server = new WebSocketServer({ ...way[1], ...options })
  servers.push(server)
  server.route('/', service)
  const { port } = await server.listen(0, '127.0.0.1')
  const url = `${'tls' in way[1] ? 'wss' : 'ws'}://127.0.0.1:${String(port)}/`
  return {
    server,
    open: (more = {}) => connect(url, { limits: { maxMessageBytes: false }, ...way[2], ...more }),
  }
}

const MIB = 1024 * 1024
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe.each(WAYS)('%s', (...way) => {
  it.each([true, false])(
    'delivers a small, a large and a small message to a peer that reads, both ways (compression: %p)',
    async (perMessageDeflate) => {
      const inbound: number[] = []
      const { open } = await start(
        way,
        {
          onOpen: (socket) => {
            socket.send('hello')
            socket.send(Buffer.alloc(8 * MIB))
            socket.send('ready')
          },
          onMessage: (_: ServerSocket, message: string | Buffer) => void inbound.push(message.length),
        },
        { perMessageDeflate, limits: { maxMessageBytes: false } },
      )
      const client = await open({ perMessageDeflate })
      const lengths = []
      for (let i = 0; i < 3; i++) lengths.push((await client.receive({ timeoutMs: 10_000 })).length)
      expect(lengths).toEqual([5, 8 * MIB, 5])
      client.send('hello')
      client.send(Buffer.alloc(8 * MIB))
      client.send('ready')
      expect(await client.close(1000)).toMatchObject({ code: 1000, wasClean: true, unsentBytes: 0 })
      expect(inbound).toEqual([5, 8 * MIB, 5])
    },
  )

  it('closes no connection for broadcasts around a large message to each', async () => {
    const { server, open } = await start(way, {})
    const clients = await Promise.all(Array.from({ length: 5 }, () => open()))
    server.broadcast('tick')
    for (const socket of server.sockets) socket.send(Buffer.alloc(2 * MIB))
    expect(server.broadcast('tock')).toMatchObject({ sent: 5, dropped: 0, failed: 0 })
    for (const client of clients) {
      const got = []
      for (let i = 0; i < 3; i++) got.push((await client.receive({ timeoutMs: 10_000 })).length)
      expect(got).toEqual([4, 2 * MIB, 4])
    }
  })

  it('begins no handler after server.close resolved, and counts the messages that none received', async () => {
    let started = 0
    let isClosed = false
    let late = 0
    const dropped: number[] = []
    const { server, open } = await start(way, {
      onTextMessage: async () => {
        started++
        if (isClosed) late++
        await wait(20)
      },
      onClose: (_: ServerSocket, info: { droppedMessages: number }) =>
        void dropped.push(info.droppedMessages),
    })
    const client = await open()
    for (let i = 0; i < 300; i++) client.send(String(i))
    while (started < 3) await wait(5)
    await server.close({ timeoutMs: 200 })
    isClosed = true
    await wait(150)
    expect(late).toBe(0)
    expect(started).toBeLessThan(300)
    expect(dropped).toHaveLength(1)
    expect(dropped[0]).toBeGreaterThan(0)
  })
})

describe("values of Hawser's own methods that an arrow function returns", () => {
  it.each([
    ['without a codec', undefined],
    ['under a codec', json()],
  ])('are not replies, %s', async (_, codec) => {
    const errors: string[] = []
    const infos: number[] = []
    const { server, url } = await serve({
      ...(codec === undefined ? {} : { codec }),
      onOpen: (socket: ServerSocket) => void socket.join('all'),
      onMessage: (socket: ServerSocket, message: unknown) =>
        message === 'end' || message === '"end"' ? socket.close(1000) : socket.group('all').send('"x"'),
      onError: (_socket: ServerSocket, error: Error) => void errors.push(error.message),
      onClose: (_socket: ServerSocket, info: { code: number }) => void infos.push(info.code),
    } as never)
    const client = await connect(url)
    client.send('"go"')
    expect(await client.receive()).toBe('"x"')
    expect(server.broadcast('"y"')).toMatchObject({ sent: 1, dropped: 0, failed: 0 })
    expect(await client.receive()).toBe('"y"')
    client.send('"end"')
    expect(await client.closed).toMatchObject({ code: 1000, wasClean: true })
    await wait(20)
    expect([errors, infos]).toEqual([[], [1000]])
  })

  it('an error that a handler throws because its signal is aborted is not reported', async () => {
    const errors: string[] = []
    let ended = 0
    const { server, url } = await serve(
      {
        onTextMessage: async (socket, kind) => {
          if (kind === 'reason')
            await new Promise((_, reject) =>
              socket.signal.addEventListener('abort', () => reject(socket.signal.reason as Error)),
            )
          else
            await new Promise((_, reject) =>
              socket.signal.addEventListener('abort', () => reject(new DOMException('gone', 'AbortError'))),
            )
        },
        onError: (_, error) => void errors.push(error.message),
        onClose: () => {
          ended++
        },
      },
      { closeTimeoutMs: 200 },
    )
    for (const kind of ['reason', 'abort']) {
      const client = await connect(url)
      client.send(kind)
      await client.close(1000)
    }
    while (ended < 2) await wait(10)
    expect([errors, server.stats().errors]).toEqual([[], 0])
  })
})

describe('a client that reads', () => {
  const flood = {
    onOpen: (socket: ServerSocket) => {
      for (let i = 0; i < 3000; i++) socket.send(String(i))
    },
  }
  const options = { limits: { maxQueuedMessages: 100 }, closeTimeoutMs: 300 }

  it('gets onClose when its loop never goes on, with the count of unread messages', async () => {
    const { url } = await serve(flood)
    const infos: { droppedMessages: number }[] = []
    const client = await connect(url, {
      ...options,
      handlers: { onClose: (_, info) => void infos.push(info) },
    })
    const loop = async (): Promise<void> => {
      for await (const message of client) {
        expect(message).toBe('0')
        await new Promise(() => undefined)
      }
    }
    void loop()
    await wait(50)
    await client.close(1000)
    for (let i = 0; i < 200 && infos.length === 0; i++) await wait(10)
    expect(infos).toHaveLength(1)
    expect(infos[0]?.droppedMessages).toBeGreaterThan(0)
  })

  it('that closes and reads once more ends cleanly, and onClose counts the unread messages', async () => {
    const { url } = await serve(flood)
    const infos: { droppedMessages: number }[] = []
    const client = await connect(url, {
      limits: { maxQueuedMessages: 100 },
      handlers: { onClose: (_, info) => void infos.push(info) },
    })
    const closed = client.close(1000)
    expect(await client.receive()).toBe('0')
    expect(await closed).toMatchObject({ code: 1000, wasClean: true })
    for (let i = 0; i < 100 && infos.length === 0; i++) await wait(10)
    expect(infos[0]?.droppedMessages).toBeGreaterThan(2000)
  })
})

it('leaves others their turn when its onDrain always sends again', async () => {
  let drains = 0
  const { url } = await serve(
    {
      onOpen: (socket) => void socket.send('x'),
      onDrain: (socket) => {
        drains++
        socket.send('x'.repeat(100))
      },
    },
    { limits: { highWaterMarkBytes: 0 } },
  )
  const client = await connect(url, { incoming: 'discard' })
  const startedAt = performance.now()
  for (let turns = 0; turns < 20; turns++) await wait(5)
  expect(drains).toBeGreaterThan(100)
  client.terminate()
  await client.closed
  expect(performance.now() - startedAt).toBeLessThan(15_000)
})

it('rejects connect when onOpen itself aborts the signal', async () => {
  const { url } = await serve({})
  const aborter = new AbortController()
  const onOpen = async (): Promise<void> => {
    aborter.abort(new Error('changed my mind'))
    await new Promise(() => undefined)
  }
  await expect(connect(url, { signal: aborter.signal, handlers: { onOpen } })).rejects.toThrow(
    'changed my mind',
  )
})
