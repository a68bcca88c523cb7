/** Several routes on one port: parameters, queries, what matches what, and what is counted of each. */
import { channel } from 'node:diagnostics_channel'
import {
  accept,
  connect,
  reject,
  WebSocketServer,
  type ServerOptions,
  type ServerSocket,
} from '../../src/index.js'
import { Journal } from '../helpers/journal.js'
import { askRaw, openRaw, requestHead } from '../helpers/raw-peer.js'

const servers: WebSocketServer[] = []
const create = (options: ServerOptions = {}): WebSocketServer => {
  const server = new WebSocketServer(options)
  servers.push(server)
  return server
}
const listen = async (server: WebSocketServer): Promise<string> =>
  `ws://127.0.0.1:${String((await server.listen(0, '127.0.0.1')).port)}`

afterEach(() => {
  for (const server of servers.splice(0)) server.terminate()
})

/** The first message of a connection. */
async function first(url: string): Promise<string> {
  const socket = await connect(url)
  const message = String(await socket.receive())
  await socket.close(1000)
  return message
}

const status = (url: string): Promise<number> =>
  connect(url).then(
    (socket) => {
      socket.terminate()
      return 101
    },
    (error: unknown) => (error as { httpStatus: number }).httpStatus,
  )

describe('paths with parameters', () => {
  it('are decoded, and given to onUpgrade and to the socket', async () => {
    const server = create()
    server.route('/chat/:room/of/:user', {
      onUpgrade: ({ params }) => accept({ data: params.room }),
      onOpen: (socket) =>
        void socket.send(JSON.stringify([socket.data, socket.params, socket.query.get('q')])),
    })
    const url = await listen(server)
    expect(await first(`${url}/chat/caf%C3%A9%2Fbar/of/a+b?q=%20x`)).toBe(
      JSON.stringify(['café/bar', { room: 'café/bar', user: 'a+b' }, ' x']),
    )
  })

  it.each([
    ['/a/b/c', 'exact'],
    ['/a/x/c', 'one'],
    ['/a/b/d', 'two'],
    ['/a/x/d', 'rest x/d'],
    ['/a/b', 'rest b'],
    ['/a//c', 'rest /c'],
    ['/a/x/c/', 'rest x/c/'],
    ['/a/', 'rest '],
    ['/', 'all '],
    ['/other', 'all other'],
    ['/a', 'all a'],
  ])(
    'lead %s to %s: an equal segment goes before a parameter, and that before a rest',
    async (path, expected) => {
      const server = create()
      server.route('/*all', { onOpen: (socket) => void socket.send(`all ${socket.params.all}`) })
      server.route('/a/*rest', { onOpen: (socket) => void socket.send(`rest ${socket.params.rest}`) })
      server.route('/a/:one/c', { onOpen: (socket) => void socket.send('one') })
      server.route('/a/b/:two', { onOpen: (socket) => void socket.send('two') })
      server.route('/a/b/c', { onOpen: (socket) => void socket.send('exact') })
      expect(await first(`${await listen(server)}${path}`)).toBe(expected)
    },
  )

  it.each(['/b', '/chat', '/chat/', '/chat/a/', '/chat/a/b', '/Chat/a'])('give 404 for %s', async (path) => {
    const server = create()
    server.route('/chat/:room', {})
    expect(await status(`${await listen(server)}${path}`)).toBe(404)
  })

  it.each(['%', '%zz', '%ff', '%e2%82'])('give 400 for %s in a parameter', async (part) => {
    const server = create()
    server.route('/chat/:room', {})
    const { port } = await server.listen(0, '127.0.0.1')
    const { head } = await askRaw(port, requestHead(`/chat/${part}`))
    expect(head.status).toBe(400)
    expect(server.stats().rejectedUpgrades).toBe(1)
  })

  it('cannot reach a prototype', async () => {
    const server = create()
    server.route('/:a', {
      onOpen: (socket) => void socket.send(`${socket.params.a} ${String(Object.keys(socket.params))}`),
    })
    expect(await first(`${await listen(server)}/__proto__`)).toBe('__proto__ a')
  })

  it.each([
    ['chat', /^path must start with a slash/],
    ['/a?b', /^path must start with a slash/],
    ['/é', /^path must start with a slash/],
    ['/:', /a parameter whose name is not an identifier: ":"/],
    ['/:a-b', /a parameter whose name is not an identifier/],
    ['/:__proto__', /a parameter whose name is not an identifier/],
    ['/:a/:a', /two parameters named "a"/],
    ['/*rest/b', /a segment after "\*rest"/],
  ])('are refused when wrong: %s', (path, message) => {
    expect(() => create().route(path, {})).toThrow(message)
  })

  it('are the same when they differ by the names of parameters alone, until one is removed', () => {
    const server = create()
    server.route('/a/:x', {})
    expect(() => server.route('/a/:x', {})).toThrow(/has a service already/)
    expect(() => server.route('/a/:y', {})).toThrow(
      new TypeError('path "/a/:y" takes the same requests as "/a/:x", which has a service'),
    )
    expect(server.unroute('/a/:y')).toBe(false)
    expect(server.unroute('/a/:x')).toBe(true)
    expect(server.route('/a/:y', {}).path).toBe('/a/:y')
  })
})

describe('unroute', () => {
  it('removes a path, and leaves its connections and its Route as they are', async () => {
    const server = create()
    const route = server.route('/a/:b', { onMessage: (_, message) => message })
    const url = await listen(server)
    const socket = await connect(`${url}/a/1`)
    expect(server.unroute('/a/:b')).toBe(true)
    expect(await status(`${url}/a/1`)).toBe(404)
    socket.send('still here')
    expect(await socket.receive()).toBe('still here')
    expect(route.broadcast('all')).toEqual({ sent: 1, dropped: 0, failed: 0 })
    expect(await socket.receive()).toBe('all')
    await server.close()
    expect(server.connectionCount).toBe(0)
  })
})

describe('route.sockets and route.broadcast', () => {
  it('reach the connections of this route alone, without those excepted and filtered out', async () => {
    const server = create()
    const a = server.route('/a/:name', {})
    const b = server.route('/b', {})
    const url = await listen(server)
    const clients = await Promise.all(['/a/1', '/a/2', '/a/3', '/b'].map((path) => connect(`${url}${path}`)))
    expect([...a.sockets].map((socket) => socket.params.name).sort()).toEqual(['1', '2', '3'])
    expect(b.connectionCount).toBe(1)
    const one = [...a.sockets].find((socket) => socket.params.name === '1')
    expect(
      a.broadcast('x', { except: one as never, filter: (socket) => socket.params.name !== '2' }),
    ).toEqual({
      sent: 1,
      dropped: 0,
      failed: 0,
    })
    expect(await clients[2]?.receive()).toBe('x')
    expect(server.broadcast('everybody')).toEqual({ sent: 4, dropped: 0, failed: 0 })
    for (const client of clients) expect(await client.receive()).toBe('everybody')
    await server.close()
    expect([...a.sockets]).toEqual([])
    expect(a.broadcast('nobody')).toEqual({ sent: 0, dropped: 0, failed: 0 })
  })
})

describe('socket.request', () => {
  it('is set with keepRequest, and is not kept without it', async () => {
    const kept: unknown[] = []
    for (const keepRequest of [true, false]) {
      const server = create({ keepRequest })
      server.route('/', {
        onOpen: (socket) => {
          kept.push(socket.request?.headers.get('X-Test'))
          socket.send('done')
        },
      })
      const socket = await connect(await listen(server), { headers: { 'X-Test': 'yes' } })
      await socket.receive()
      await socket.close()
    }
    expect(kept).toEqual(['yes', undefined])
    expect(() => create({ keepRequest: 1 as never })).toThrow('keepRequest must be true or false, not 1')
  })
})

describe('stats', () => {
  it('count by route and by server, for open and for ended connections', async () => {
    const server = create({ perMessageDeflate: false })
    const a = server.route('/a', { onMessage: (_, message) => message })
    const b = server.route('/b', { onUpgrade: () => reject(403) })
    const url = await listen(server)
    const socket = await connect(`${url}/a`)
    socket.send('12345')
    await socket.receive()
    expect(a.stats()).toMatchObject({
      connections: 1,
      opened: 1,
      closed: 0,
      messagesReceived: 1,
      messagesSent: 1,
    })
    expect(a.stats().bytesReceived).toBeGreaterThan(11)
    const { bytesSent } = a.stats()
    expect(bytesSent).toBeGreaterThan(7)
    await socket.close(1000)
    expect(await status(`${url}/b`)).toBe(403)
    expect(await status(`${url}/c`)).toBe(404)
    expect(b.stats()).toMatchObject({ opened: 0, rejectedUpgrades: 1 })
    expect(server.stats()).toMatchObject({
      connections: 0,
      opened: 1,
      closed: 1,
      rejectedUpgrades: 2,
      messagesReceived: 1,
      messagesSent: 1,
      errors: 0,
    })
    expect(server.stats().bytesSent).toBeGreaterThan(bytesSent)
  })

  it.each([true, false])(
    'count each rejected upgrade once, by route and by server (directIo %p)',
    async (directIo) => {
      const server = create({
        directIo,
        maxConnections: 1,
        origins: ['https://app.example'],
        onError: () => undefined,
      })
      const counts = (): number[] => [route.stats().rejectedUpgrades, server.stats().rejectedUpgrades]
      let asked = (): void => undefined
      const route = server.route('/:how', {
        onUpgrade: ({ params, signal }) => {
          if (params.how === 'open') return accept()
          if (params.how === 'throw') throw new Error('a mistake')
          if (params.how === 'no') return reject(403)
          asked()
          return new Promise<never>((_, fail) => {
            signal.addEventListener('abort', () => {
              fail(new Error('aborted'))
            })
          })
        },
      })
      const { port } = await server.listen(0, '127.0.0.1')
      const answer = async (path: string, origin = 'https://app.example'): Promise<number> =>
        (await askRaw(port, requestHead(path, { Origin: origin }))).head.status

      expect(await answer('/no')).toBe(403)
      expect(counts()).toEqual([1, 1])
      expect(await answer('/throw')).toBe(500)
      expect(counts()).toEqual([2, 2])
      expect(await answer('/open', 'https://other.example')).toBe(403)
      expect(counts()).toEqual([3, 3])
      expect(await answer('/not/here')).toBe(404)
      expect(counts()).toEqual([3, 4])

      // The peer is lost while `onUpgrade` decides.
      const undecided = await openRaw(port)
      const isAsked = new Promise<void>((resolve) => (asked = resolve))
      undecided.write(requestHead('/wait', { Origin: 'https://app.example' }))
      await isAsked
      undecided.socket.resetAndDestroy()
      while (counts()[1] === 4) await new Promise((resolve) => setTimeout(resolve, 5))
      expect(counts()).toEqual([4, 5])

      const open = await connect(`ws://127.0.0.1:${String(port)}/open`, { origin: 'https://app.example' })
      expect(await answer('/open')).toBe(503)
      expect(counts()).toEqual([5, 6])
      open.terminate()
    },
  )
})

describe('diagnostics_channel', () => {
  it('reports upgrades, opens, messages, errors and closes', async () => {
    const journal = new Journal()
    const names = ['upgrade', 'open', 'message', 'error', 'close']
    const show: Record<string, (told: never) => string> = {
      upgrade: (told: { url: string; isAccepted: boolean }) =>
        `upgrade ${told.url} ${String(told.isAccepted)}`,
      open: (told: { socket: ServerSocket }) => `open ${told.socket.url}`,
      message: (told: { data: string }) => `message ${told.data}`,
      error: (told: { error: Error }) => `error ${told.error.message}`,
      close: (told: { info: { code: number } }) => `close ${told.info.code}`,
    }
    const listeners = names.map((name) => {
      const listener = (told: unknown): void => {
        // The channels are the process's: a connection of an earlier test may end only now.
        const { url, socket } = told as { url?: string; socket?: ServerSocket }
        if ((url ?? socket?.url ?? '').startsWith('/told'))
          journal.add((show[name] as (told: unknown) => string)(told))
      }
      channel(`hawser:${name}`).subscribe(listener)
      return () => channel(`hawser:${name}`).unsubscribe(listener)
    })
    try {
      const server = create()
      server.route('/told', {
        onMessage: () => {
          throw new Error('mine')
        },
        onError: () => undefined,
      })
      const url = await listen(server)
      await status(`${url}/told/no`)
      const socket = await connect(`${url}/told`)
      socket.send('hi')
      await journal.until(/^close/)
      expect(journal.lines).toEqual([
        'upgrade /told/no false',
        'upgrade /told true',
        'open /told',
        'message hi',
        'error mine',
        'close 1011',
      ])
    } finally {
      for (const end of listeners) end()
    }
  })
})
