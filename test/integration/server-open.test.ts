import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { inspect } from 'node:util'
import { accept, connect, WebSocketServer, type ServerService } from '../../src/index.js'
import { until } from '../helpers/liveness.js'
import { requestHead } from '../helpers/raw-peer.js'
import { KEEPS_BYTES_BEFORE_RESET } from '../helpers/systems.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  jest.restoreAllMocks()
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function serve(service: ServerService): Promise<string> {
  const server = new WebSocketServer()
  server.route('/', service)
  const { port } = await server.listen(0, '127.0.0.1')
  cleanups.push(() => server.close({ timeoutMs: 100 }))
  return `ws://127.0.0.1:${String(port)}`
}

describe('onOpen, before reading starts,', () => {
  test('may pause and resume without loss', async () => {
    const url = await serve({
      onOpen: async (socket) => {
        socket.pause()
        await new Promise((resolve) => setTimeout(resolve, 20))
        socket.resume()
        await new Promise((resolve) => setTimeout(resolve, 20))
      },
      onTextMessage: (_, text) => text,
    })
    const socket = await connect(url)
    for (const text of ['a', 'b']) socket.send(text)
    await expect(socket.receive()).resolves.toBe('a')
    await expect(socket.receive()).resolves.toBe('b')
    await socket.close()
  })

  test('may pause, and nothing is read until resume', async () => {
    const got: string[] = []
    let resume = (): void => undefined
    const url = await serve({
      onOpen: (socket) => {
        socket.pause()
        resume = () => {
          socket.resume()
        }
      },
      onTextMessage: (_, text) => {
        got.push(text)
        return text
      },
    })
    const socket = await connect(url)
    socket.send('x')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(got).toEqual([])
    resume()
    await expect(socket.receive()).resolves.toBe('x')
    await socket.close()
  })

  test.each(['close', 'an async close'])('may call %s, and the closing handshake is clean', async (name) => {
    const url = await serve({
      onOpen: (socket) => {
        void socket.close(4001, 'not now')
        return name === 'close' ? undefined : Promise.resolve()
      },
    })
    const socket = await connect(url)
    await expect(socket.receive()).rejects.toMatchObject({ closeCode: 4001, reason: 'not now' })
    expect(await socket.close()).toMatchObject({ wasClean: true, initiator: 'remote' })
  })

  test('may throw: the code is 1011, and onError gets the error', async () => {
    const errors: string[] = []
    const url = await serve({
      onOpen: () => {
        throw new Error('no')
      },
      onError: (_, error) => void errors.push(error.message),
    })
    const socket = await connect(url)
    await expect(socket.receive()).rejects.toMatchObject({ closeCode: 1011 })
    expect(errors).toEqual(['no'])
  })

  test('may terminate, and onClose is called all the same', async () => {
    const closed = new Promise((resolve) => {
      void serve({
        onOpen: (socket) => {
          socket.terminate()
        },
        onClose: (_, info) => {
          resolve(info)
        },
      }).then((url) => connect(url).catch(() => undefined))
    })
    await expect(closed).resolves.toMatchObject({ code: 1006, initiator: 'local', wasClean: false })
  })
})

describe('a log of a socket', () => {
  test('shows neither the engine inside nor a private key', async () => {
    const server = new WebSocketServer({ tls: { key: 'PRIVATE KEY' } })
    expect(inspect({ server })).toBe('{ server: WebSocketServer { connections: 0, address: null } }')
    let id = ''
    const url = await serve({
      onOpen(socket) {
        id = socket.id
        socket.send(inspect(socket, { breakLength: Infinity }))
      },
    })
    const socket = await connect(`${url}/?x=1`)
    const fields = (of: string, where: string): string =>
      `{ readyState: 'open', id: '${of}', url: '${where}', protocol: '', bufferedAmount: 0, remoteAddress: '127.0.0.1' }`
    expect(await socket.receive()).toBe(`ServerSocket ${fields(id, '/?x=1')}`)
    expect(inspect(socket, { breakLength: Infinity })).toBe(
      `ClientSocket ${fields(socket.id, `${url}/?x=1`)}`,
    )
    await socket.close()
  })
})

describe('wrong arguments are refused', () => {
  test.each([
    [20, 'options must be an object, not 20'],
    [null, 'options must be an object, not null'],
    [{ timeout: 20 }, 'options has no option "timeout"; there are signal, timeoutMs'],
  ])('by a wait with %j', async (options, message) => {
    const url = await serve({})
    const socket = await connect(url)
    await expect(socket.receive(options as never)).rejects.toThrow(message)
    await expect(socket.drained(options as never)).rejects.toThrow(message)
    expect(() => socket.close(1000, '', options as never)).toThrow(message)
    await socket.close()
  })

  test.each([
    [null, 'options must be an object, not null'],
    [() => undefined, 'options must be an object, not a function'],
    [{ compress: 'yes' }, 'compress must be true or false, not "yes"'],
  ])('by send with %p', async (options, message) => {
    const url = await serve({ onTextMessage: (_, text) => text })
    const socket = await connect(url)
    expect(() => socket.send('x', options as never)).toThrow(message)
    socket.send('sound')
    await expect(socket.receive()).resolves.toBe('sound')
    await socket.close()
  })

  test('by server.close and route, and listeners that throw harm no connection', async () => {
    const server = new WebSocketServer({
      onError: () => {
        throw new Error('the listener for errors')
      },
    })
    await expect(server.close({ timeout: 5 } as never)).rejects.toThrow(
      'CloseOptions has no option "timeout"',
    )
    expect(() => server.route('/é', {})).toThrow('path must start with a slash, be percent-encoded ASCII')
    expect(() => server.route('/', { onmessage: () => undefined } as never)).toThrow(
      'no handler named "onmessage"',
    )
    server.route('/', {
      onUpgrade: () => {
        throw new Error('the upgrade')
      },
    })
    const warnings: string[] = []
    jest.spyOn(process, 'emitWarning').mockImplementation((warning) => void warnings.push(String(warning)))
    const { port } = await server.listen(0, '127.0.0.1')
    await expect(connect(`ws://127.0.0.1:${String(port)}`)).rejects.toMatchObject({ httpStatus: 500 })
    expect(warnings).toEqual(['onError failed, called with "the upgrade": the listener for errors'])
    await server.close()
  })
})

/** A connection to a server, with a request that is sent and a reset that comes at a call. */
async function resettable(
  server: WebSocketServer,
): Promise<{ send: () => void; reset: () => void; port: number }> {
  const { port } = await server.listen(0, '127.0.0.1')
  const peer = connectTcp(port, '127.0.0.1')
  await once(peer, 'connect')
  return { send: () => void peer.write(requestHead('/')), reset: () => void peer.resetAndDestroy(), port }
}

describe.each([
  ['by the handle', true],
  ['by the stream', false],
])('A connection that is reset, %s,', (_, directIo) => {
  it('reports a reset during its upgrade to onError before onClose', async () => {
    const heard: string[] = []
    const server = new WebSocketServer({ directIo })
    cleanups.push(() => server.close({ timeoutMs: 100 }))
    let reset = (): void => undefined
    const closed = new Promise<void>((resolve) => {
      server.route('/', {
        // The 101 cannot be written.
        onUpgrade: () => {
          reset()
          return accept()
        },
        onOpen: () => void heard.push('open'),
        onError: (__, error) => void heard.push((error as { readonly code?: string }).code ?? error.message),
        onClose: (__, { code }) => {
          heard.push(`closed ${String(code)}`)
          resolve()
        },
      })
    })
    const peer = await resettable(server)
    reset = peer.reset
    peer.send()
    await closed
    expect(heard).toEqual(['open', 'HAWSER_TRANSPORT', 'closed 1006'])
  })

  if (!KEEPS_BYTES_BEFORE_RESET) return
  it('right behind its request is not asked about: it has no address that would count', async () => {
    const heard: string[] = []
    const server = new WebSocketServer({
      directIo,
      handshakeQuotas: { perSecond: 1, perSecondPerAddress: 1 },
    })
    cleanups.push(() => server.close({ timeoutMs: 100 }))
    server.route('/', {
      onUpgrade: () => (heard.push('upgrade'), accept()),
      onOpen: () => void heard.push('open'),
    })
    const peer = await resettable(server)
    // The server finds both at once.
    peer.send()
    peer.reset()
    const count = (): number => server.stats().rejectedUpgrades + server.stats().opened
    await until('the upgrade is decided', () => count() === 1)
    expect([heard, server.stats().rejectedUpgrades]).toEqual([[], 1])
    // It took nothing from the quota of all.
    await (await connect(`ws://127.0.0.1:${String(peer.port)}`)).close()
    expect(heard).toEqual(['upgrade', 'open'])
  })
})
