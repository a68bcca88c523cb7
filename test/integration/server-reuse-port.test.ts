/** `listen` with options, and a port that several servers share. */
import { connect, WebSocketServer } from '../../src/index.js'
import { knowsReusePort } from '../../src/server/listen-options.js'
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { SPREADS_CONNECTIONS } from '../helpers/systems.js'

const servers: WebSocketServer[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.terminate()
})

function create(name: string, options?: ConstructorParameters<typeof WebSocketServer>[0]): WebSocketServer {
  const server = new WebSocketServer(options)
  server.route('/', { onMessage: () => name })
  servers.push(server)
  return server
}

/** Who answers a connection. */
async function ask(url: string): Promise<unknown> {
  const socket = await connect(url, { tls: TRUST_SERVER })
  socket.send('who?')
  const name = await socket.receive()
  await socket.close()
  return name
}

describe('the options of listen', () => {
  it('mean a free port at all addresses where they say nothing', async () => {
    const server = create('a')
    const { port, address } = await server.listen({})
    expect(port).toBeGreaterThan(0)
    expect(['::', '0.0.0.0']).toContain(address)
    expect(await ask(`ws://localhost:${String(port)}/`)).toBe('a')
  })

  it('are a port and a host as the arguments are', async () => {
    const server = create('a')
    expect(await server.listen({ port: 0, host: '127.0.0.1', reusePort: false })).toMatchObject({
      address: '127.0.0.1',
    })
    await expect(create('b').listen({ port: 0, host: 'does-not-exist.invalid' })).rejects.toMatchObject({
      syscall: 'getaddrinfo',
    })
  })

  it('are refused with a second argument beside them, and the server can listen afterwards', async () => {
    const server = create('a')
    await expect(server.listen({ port: 0 } as never, '127.0.0.1')).rejects.toThrow(
      new TypeError(
        'listen(options) takes no further argument, and was given "127.0.0.1": it returns a promise',
      ),
    )
    expect((await server.listen({ port: 0 })).port).toBeGreaterThan(0)
  })

  it('have reusePort from Node 22.12 and 23.1 on', () => {
    const versions = ['20.20.2', '21.7.3', '22.11.0', '22.12.0', '23.0.0', '23.1.0', '24.0.0', '26.12.1']
    expect(versions.filter(knowsReusePort)).toEqual(['22.12.0', '23.1.0', '24.0.0', '26.12.1'])
  })
})

/** Two servers at one port: those that answered, or the error of the first `listen`. */
async function share(options?: ConstructorParameters<typeof WebSocketServer>[0]): Promise<unknown> {
  const [first, second] = [create('first', options), create('second', options)]
  const where = { host: '127.0.0.1', reusePort: true }
  try {
    const { port } = await first.listen({ ...where, port: 0 })
    await second.listen({ ...where, port })
    const scheme = options?.tls === undefined ? 'ws' : 'wss'
    const url = `${scheme}://localhost:${String(port)}/`
    const names = await Promise.all(Array.from({ length: 64 }, () => ask(url)))
    return [...new Set(names)].sort()
  } catch (error) {
    return error
  }
}

describe('a port that several servers share', () => {
  const expected = knowsReusePort(process.versions.node)
    ? SPREADS_CONNECTIONS
      ? ['first', 'second']
      : expect.objectContaining({ code: 'ENOTSUP' })
    : new RangeError(
        `reusePort must be false in Node ${process.versions.node}: it needs Node 22.12, or 23.1 and later`,
      )

  it.each([
    ['by handle', {}],
    ['by stream', { directIo: false }],
    ['with TLS', { tls: SERVER_TLS }],
  ])(
    'has its connections spread by the system %s, or is refused at once in an older Node or another system',
    async (_, options) => {
      expect(await share(options)).toEqual(expected)
    },
  )

  it('is refused by the system to a server without the option', async () => {
    const server = create('a')
    const { port } = await server.listen({ port: 0, host: '127.0.0.1' })
    await expect(create('b').listen({ port, host: '127.0.0.1' })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
  })
})
