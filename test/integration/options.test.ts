/** What every public function does with options that are wrong. */
import { accept, closeWith, connect, ReadyState, reject, WebSocketServer, type ServerSocket } from 'hawser'
import { OPTION_CALLS, type OptionCall, type World } from '../helpers/option-calls.js'

let world: World

beforeAll(async () => {
  const server = new WebSocketServer()
  const opened = new Promise<ServerSocket>((resolve) => {
    server.route('/', { onOpen: resolve })
  })
  const { port } = await server.listen(0, '127.0.0.1')
  const client = await connect(`ws://127.0.0.1:${String(port)}`)
  world = { server, client, serverSocket: await opened }
})

afterAll(async () => {
  await world.client.close()
  await world.server.close()
})

/** The error of a call: thrown at once, or that of the promise. */
async function errorOf({ call }: OptionCall, options: unknown): Promise<unknown> {
  try {
    await call(options as never, world)
  } catch (error) {
    return error
  }
  return null
}

const NO_OPTIONS: readonly (readonly [string, unknown, RegExp])[] = [
  ['null', null, /must be .*not null$/],
  ['an array', [], /must be .*not an array$/],
  ['a string', 'fast', /must be .*not "fast"$/],
  ['a function', (): void => undefined, /must be .*not a function/],
  ['a promise', Promise.resolve({}), /must be .*not a promise: await it$/],
]

describe.each(OPTION_CALLS.map((one) => [one.name, one] as const))('%s', (_name, one) => {
  it('refuses an unknown option, and names those that there are', async () => {
    const error = await errorOf(one, { ...one.needs, qwzx: 1 })
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toMatch(/ has no option "qwzx"; there (is|are) [a-z]\w+/i)
  })

  it.each(NO_OPTIONS)('refuses %s in the place of the options', async (_kind, value, message) => {
    const error = await errorOf(one, value)
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).toMatch(message)
  })

  it.each(one.wrong)(
    'refuses %p with the name, what is legal and the value',
    async (options, kind, message) => {
      const error = await errorOf(one, { ...one.needs, ...options })
      expect(error).toBeInstanceOf(kind)
      expect((error as Error).message).toContain(message)
    },
  )

  it('reports what a getter of the options throws', async () => {
    const failure = new Error('no access')
    const [name = ''] = Object.keys(one.wrong[0]?.[0] ?? {})
    const options = Object.defineProperty({ ...one.needs }, name, {
      enumerable: true,
      get: () => {
        throw failure
      },
    })
    expect(await errorOf(one, options)).toBe(failure)
  })
})

describe('the options of a connection that is open', () => {
  it('leave the connection as it was when they are refused', async () => {
    const { client, serverSocket } = world
    serverSocket.send('still here')
    expect(await client.receive()).toBe('still here')
    expect(world.server.connectionCount).toBe(1)
  })
})

describe('names of ws and of others', () => {
  it.each([
    [{ port: 8080 }, 'port'],
    [{ maxPayload: 5 }, 'use limits.maxMessageBytes'],
    [{ maxMessageBytes: 5 }, 'use limits.maxMessageBytes'],
    [{ noServer: true }, 'call handleUpgrade(request, socket, head)'],
    [{ verifyClient: () => true }, 'decide in the onUpgrade of a service'],
    [{ onMessage: () => 'x' }, 'give handlers to route(path, service)'],
    [{ idleTimeout: 5 }, 'did you mean idleTimeoutMs?'],
    [{ autopong: false }, 'did you mean autoPong?'],
    [{ trustProxy: true }, 'name the proxies in trustedProxies'],
    [{ rateLimit: 5 }, 'use quotas for messages, and handshakeQuotas for handshakes'],
    [{ messagesPerSecond: 5 }, 'give it in quotas'],
  ])('in ServerOptions %j get the answer of Hawser', (options, answer) => {
    expect(() => new WebSocketServer(options as never)).toThrow(answer)
  })

  it.each([
    [{ handshakeTimeout: 5 }, 'did you mean handshakeTimeoutMs?'],
    [{ rejectUnauthorized: false }, 'use tls.rejectUnauthorized'],
    [{ onTextMessage: () => undefined }, 'use handlers.onTextMessage'],
    [{ protocol: 'chat' }, 'did you mean protocols?'],
    [{ header: {} }, 'did you mean headers?'],
  ])('in ConnectOptions %j get the answer of Hawser', (options, answer) => {
    expect(() => connect('ws://localhost:1', options as never)).toThrow(answer)
  })
})

const TARGETS = {
  client: () => world.client,
  serverSocket: () => world.serverSocket,
  server: () => world.server,
  route: () => world.server.routes()[0],
  group: () => world.server.group('dogs'),
  connections: () => world.server.connections,
  hawser: () => ({ accept, closeWith, connect, reject }),
}

const callback = (): void => undefined

/** Arguments that other libraries have and Hawser has not, with a part of what the error says. */
const SURPLUS: readonly (readonly [keyof typeof TARGETS, string, readonly unknown[], string])[] = [
  ['client', 'send', ['x', callback], 'send takes no callback; it returns false'],
  ['client', 'send', ['x', { binary: true }], 'a string is sent as text'],
  ['client', 'send', ['x', { fin: false }], 'each call sends a whole message'],
  [
    'serverSocket',
    'send',
    ['x', {}, callback],
    'send(data, options) takes no further argument, and was given a function: there is no callback',
  ],
  ['client', 'sendJson', [1, {}, callback], 'there is no callback'],
  ['client', 'ping', ['', true, callback], 'there is neither a mask nor a callback'],
  ['client', 'ping', ['', undefined, callback], 'was given a function'],
  ['serverSocket', 'pong', ['', false], 'pong(data) takes no further argument'],
  ['client', 'close', [1000, '', callback], 'the call returns a promise'],
  ['server', 'close', [callback], 'close returns a promise'],
  ['server', 'listen', [0, callback], 'listen takes no callback'],
  ['server', 'listen', [0, '::', callback], 'it returns a promise'],
  ['server', 'attach', [{}, { path: '/' }], 'route(path, service)'],
  ['server', 'broadcast', ['x', callback], 'there is no callback'],
  ['server', 'broadcast', ['x', { binary: true }], 'sent as text'],
  ['server', 'broadcast', ['x', {}, callback], 'there is no callback'],
  ['route', 'broadcast', ['x', {}, callback], 'there is no callback'],
  ['group', 'send', ['x', {}, callback], 'there is no callback'],
  ['group', 'close', [1000, '', {}], 'close each of members()'],
  ['connections', 'send', ['ada', 'x', {}], 'belong to a PreparedMessage'],
  ['connections', 'close', ['ada', 1000, '', 5], 'close the socket of get(name)'],
  ['hawser', 'connect', ['ws://localhost:1', {}, {}], 'the option protocols'],
  ['hawser', 'accept', [{}, {}], 'data, headers and protocol'],
  ['hawser', 'reject', [403, '', {}, 5], 'it has no options'],
  ['hawser', 'closeWith', [1000, '', callback], 'a reply is not waited for'],
]

describe('arguments that a function does not have', () => {
  it.each(SURPLUS)(
    '%s.%s refuses %p, and says what Hawser has instead',
    async (target, method, args, message) => {
      const on = TARGETS[target]() as unknown as Readonly<Record<string, (...args: unknown[]) => unknown>>
      let error: unknown
      try {
        await on[method]?.(...args)
      } catch (thrown) {
        error = thrown
      }
      expect(error).toBeInstanceOf(TypeError)
      expect((error as Error).message).toContain(message)
    },
  )

  it('leave the connection open, and send nothing', async () => {
    const { client, serverSocket } = world
    serverSocket.send('still here')
    expect(await client.receive()).toBe('still here')
    expect(serverSocket.readyState).toBe(ReadyState.OPEN)
  })
})
