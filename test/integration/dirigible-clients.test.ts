/** The rows of what Hawser takes over from Dirigible's websockets that are the client's: each by its name. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import {
  clients,
  closeWith,
  HandshakeError,
  reject,
  WebSocketServer,
  type ClientSocket,
  type ServerSocket,
} from '../../src/index.js'
import { json } from '../../src/json/index.js'
import { Programs } from '../helpers/child.js'

const folder = mkdtempSync(path.join(tmpdir(), 'hawser-clients-'))
const put = (file: string, text: string): void => writeFileSync(path.join(folder, file), text)
const programs = new Programs()
let server: WebSocketServer
let url: string

beforeEach(async () => {
  server = new WebSocketServer()
  server.route('/', {
    onOpen: (socket) => void socket.send('welcome'),
    onMessage: (_, message) =>
      message === 'end' ? closeWith(4000, 'as asked') : `you said ${String(message)}`,
  })
  server.route('/refused', { onUpgrade: () => reject(403) })
  url = `ws://127.0.0.1:${String((await server.listen(0, '127.0.0.1')).port)}/`
})
afterEach(() => {
  for (const { id } of clients.list()) clients.get(id)?.terminate()
  server.terminate()
})
afterAll(() => {
  programs.remove()
  rmSync(folder, { recursive: true, force: true })
})

const idsOf = (): string[] => clients.list().map(({ id }) => id)
const until = async (check: () => boolean): Promise<void> => {
  while (!check()) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('`createWebsocket(uri, handler, engine)`', () => {
  it('the times of its handlers are published', async () => {
    const calls: unknown[] = []
    const hear = (call: unknown): void => void calls.push((call as { handler: string }).handler)
    subscribe('hawser:client:handler', hear)
    try {
      put('timed.cjs', 'exports.onOpen = () => undefined; exports.onMessage = () => undefined')
      await clients.connect(url, { handler: path.join(folder, 'timed') })
      await until(() => calls.length === 2)
      expect(calls).toEqual(['onOpen', 'onMessage'])
    } finally {
      unsubscribe('hawser:client:handler', hear)
    }
  })

  it('clients.connect takes the path of a module, with or without extension, or its file: URL', async () => {
    put('client.cjs', 'exports.onOpen = (socket) => { socket.data.opened += 1 }')
    const file = path.join(folder, 'client.cjs')
    const href = pathToFileURL(file)
    const relative = path.relative(process.cwd(), path.join(folder, 'client'))
    for (const handler of [file, path.join(folder, 'client'), relative, href, href.href]) {
      const socket = await clients.connect(url, { handler, data: { opened: 0 } })
      expect(socket.data.opened).toBe(1)
      expect(clients.byHandler(handler)).toBe(socket)
      expect(clients.list()).toEqual([{ id: socket.id, url, handler, state: 'open' }])
      expect(await socket.receive()).toBe('welcome')
      await socket.close(1000)
    }
  })

  it('clients.connect takes handlers, which are called as methods of what was given', async () => {
    class Chat {
      readonly #heard: string[] = []
      onMessage(_socket: ClientSocket, message: string | Buffer): void {
        this.#heard.push(String(message))
      }
      get heard(): readonly string[] {
        return this.#heard
      }
    }
    const handler = new Chat()
    const socket = await clients.connect(url, { handler, protocols: [] })
    socket.send('hello')
    await until(() => handler.heard.length === 2)
    expect(handler.heard).toEqual(['welcome', 'you said hello'])
    expect(clients.byHandler(handler)).toBe(socket)
    expect(clients.byHandler(new Chat())).toBeUndefined()
  })

  it('clients.connect loads ES modules, and one that has changed anew for new clients', async () => {
    const program = programs.run(`
      import { renameSync, utimesSync, writeFileSync } from 'node:fs'
      import { clients, WebSocketServer } from './src/index.js'
      const folder = ${JSON.stringify(folder)}
      const server = new WebSocketServer()
      server.route('/', { onMessage: (_, message) => message })
      const { port } = await server.listen(0, '127.0.0.1')
      const put = (text, changed) => {
        writeFileSync(folder + '/.live.mjs', text)
        utimesSync(folder + '/.live.mjs', changed, changed)
        renameSync(folder + '/.live.mjs', folder + '/live.mjs')
      }
      const open = async () => {
        const socket = await clients.connect('ws://127.0.0.1:' + port + '/', { handler: folder + '/live', data: [] })
        console.log(socket.data.join(), clients.byHandler(folder + '/live') === socket)
        return socket
      }
      put('let n = 0; export const onOpen = (socket) => socket.data.push("first", ++n)', 1000)
      await open()
      const old = await open()
      put('export default { onOpen(socket) { socket.data.push("second") } }', 2000)
      await open()
      console.log(clients.list().length, old.data.join())
      await server.close()
      console.log(clients.list().length)
    `)
    const { lines, status, errors } = await program.ended
    expect(errors).toBe('')
    expect(lines).toEqual(['first,1 true', 'first,2 true', 'second true', '3 first,2', '0'])
    expect(status).toBe(0)
  })

  it.each([
    ['a path that is empty', { handler: '' }, /^handler must be .*, not ""$/],
    ['no handler', {}, /^handler must be .*, not undefined$/],
    [
      'a URL that is not a file',
      { handler: new URL('http://a/b.mjs') },
      /^handler must be .*"http:\/\/a\/b.mjs"$/,
    ],
    ['a misspelt handler', { handler: { onMesage: () => '' } }, /^handler has no handler .*onMessage\?$/],
    ['handlers', { handler: {}, handlers: {} }, /no option "handlers".*; use handler$/],
    [
      'a handler among the options',
      { onMessage: () => '' },
      /no option "onMessage".*; use handler\.onMessage$/,
    ],
    [
      'a misspelt option',
      { handler: 'a', reconect: true },
      /no option "reconect".*; did you mean reconnect\?$/,
    ],
    ['a wrong option beside a path', { handler: 'a', origin: 5 }, /^origin must be a string, not 5$/],
    ['a codec beside onMessage', { handler: { onMessage: () => '' }, codec: json() }, /has both codec and/],
  ])('clients.connect throws at once for %s', (_name, options, message) => {
    expect(() => clients.connect(url, options as never)).toThrow(message)
    expect(() => clients.connect(url, options as never)).toThrow(TypeError)
    expect(clients.list()).toEqual([])
  })

  it('clients.connect throws at once for a wrong URL beside a path, and before the module is loaded', () => {
    expect(() => clients.connect('mailto:a@b', { handler: path.join(folder, 'none') })).toThrow(SyntaxError)
    expect(() => clients.connect([url] as never, { handler: path.join(folder, 'none') })).toThrow(TypeError)
  })

  it.each([
    ['is not there', 'gone', '', /^there is no module .*gone, nor with \.mjs, \.js, \.cjs$/],
    ['throws', 'throws.cjs', 'throw new RangeError("mine")', /^mine$/],
    [
      'has no handlers',
      'none.cjs',
      'module.exports = []',
      /none\.cjs must be an object with handlers, not an array$/,
    ],
    [
      'has a function',
      'made.cjs',
      'module.exports = () => ({})',
      /made\.cjs must be an object with handlers/,
    ],
    [
      'takes messages beside a codec',
      'both.cjs',
      'exports.onMessage = () => 1',
      /has both codec and handlers\.onMessage/,
    ],
  ])('the promise of clients.connect rejects for a module that %s', async (_name, file, text, message) => {
    if (text !== '') put(file, text)
    const options = { handler: path.join(folder, file), codec: json() }
    await expect(clients.connect(url, options)).rejects.toThrow(message)
    expect(clients.list()).toEqual([])
    expect(server.stats().connections).toBe(0)
  })
})

describe('`getClients()`, `getClient(id)`, `getClientByHandler(handler)`', () => {
  it('clients.list() has id, url, handler and state of all clients, and clients.get(id) each of them', async () => {
    const one = {}
    const two = {}
    const first = await clients.connect(url, { handler: one })
    const second = await clients.connect(`${url}?b`, { handler: two })
    expect(clients.list()).toEqual([
      { id: first.id, url, handler: one, state: 'open' },
      { id: second.id, url: `${url}?b`, handler: two, state: 'open' },
    ])
    expect([clients.get(first.id), clients.get(second.id), clients.get('none')]).toEqual([
      first,
      second,
      undefined,
    ])
    const closed = second.close(1000)
    expect(clients.list().map(({ state }) => state)).toEqual(['open', 'closing'])
    await closed
    expect(idsOf()).toEqual([first.id])
    expect(clients.get(second.id)).toBeUndefined()
    expect(() => clients.get(5 as never)).toThrow(new TypeError('id must be a string, not 5'))
  })

  it('clients.byHandler(handler) is the newest, then the one before; undefined when there is none', async () => {
    const handler = {}
    expect(clients.byHandler(handler)).toBeUndefined()
    const older = await clients.connect(url, { handler })
    const newer = await clients.connect(url, { handler })
    await clients.connect(url, { handler: {} })
    expect(clients.byHandler(handler)).toBe(newer)
    await newer.close(1000)
    expect(clients.byHandler(handler)).toBe(older)
    older.terminate()
    expect(clients.byHandler(handler)).toBeUndefined()
    expect(() => clients.byHandler(5 as never)).toThrow(
      /^handler must be an object with handlers, or the path/,
    )
  })

  it('a client is in the registry from its onOpen on, and no longer in its onClose', async () => {
    const seen: unknown[] = []
    const look = (at: string, socket: ClientSocket): void => {
      seen.push([
        at,
        clients.get(socket.id) === socket,
        clients.byHandler(handler) === socket,
        idsOf().length,
      ])
    }
    const handler = {
      onOpen: (socket: ClientSocket) => {
        look('onOpen', socket)
      },
      onMessage: (socket: ClientSocket) => {
        look('onMessage', socket)
        socket.send('end')
      },
      onClose: (socket: ClientSocket) => {
        look('onClose', socket)
      },
    }
    const socket = await clients.connect(url, { handler })
    expect((await socket.closed).code).toBe(4000)
    await until(() => seen.length === 3)
    expect(seen).toEqual([
      ['onOpen', true, true, 1],
      ['onMessage', true, true, 1],
      ['onClose', false, false, 0],
    ])
  })

  it.each([false, { minDelayMs: 1 }])(
    'a client that fails to connect, or whose onOpen throws, is not in it (reconnect: %j)',
    async (reconnect) => {
      await expect(clients.connect(`${url}refused`, { handler: {}, reconnect })).rejects.toThrow(
        HandshakeError,
      )
      expect(clients.list()).toEqual([])
      const mine = new Error('mine')
      const handler = {
        onOpen: () => {
          expect(clients.list()).toHaveLength(1)
          throw mine
        },
      }
      await expect(clients.connect(url, { handler, reconnect })).rejects.toBe(mine)
      await until(() => clients.list().length === 0)
      expect(clients.byHandler(handler)).toBeUndefined()
    },
  )

  it('the id survives reconnecting, and a client that is over for good is out', async () => {
    const handler = {}
    const opened: string[] = []
    const socket = await clients.connect([url], {
      handler,
      reconnect: {
        minDelayMs: 1,
        onReconnecting: () => void opened.push(clients.list()[0]?.state ?? 'none'),
      },
    })
    const { id } = socket
    const later = await clients.connect(url, { handler })
    for (const peer of [...server.sockets].slice(0, 1)) peer.terminate()
    await until(() => opened.length > 0 && clients.list()[0]?.state === 'open')
    expect(opened).toContain('connecting')
    expect(clients.get(id)).toBe(socket)
    expect(idsOf()).toEqual([id, later.id])
    expect(clients.byHandler(handler)).toBe(later)
    socket.send('end')
    expect((await socket.closed).code).toBe(4000)
    expect(idsOf()).toEqual([later.id])
    expect(clients.byHandler(handler)).toBe(later)
  })

  it('nothing is kept of a client that is over', async () => {
    const program = programs.run(`
      import { setFlagsFromString } from 'node:v8'
      import { runInNewContext } from 'node:vm'
      import { clients, WebSocketServer } from './src/index.js'
      setFlagsFromString('--expose-gc')
      const gc = runInNewContext('gc')
      const server = new WebSocketServer()
      server.route('/', {})
      const { port } = await server.listen(0, '127.0.0.1')
      const open = async (reconnect) => {
        const handler = {}
        const socket = await clients.connect('ws://127.0.0.1:' + port + '/', { handler, reconnect })
        await socket.close(1000)
        return new WeakRef(handler)
      }
      const kept = [await open(false), await open(true)]
      for (let i = 0; i < 200 && kept.some((one) => one.deref()); i++) {
        await new Promise((resolve) => setTimeout(resolve, 10))
        gc()
      }
      console.log(kept.map((one) => one.deref() === undefined).join())
      await server.close()
    `)
    const { lines, errors } = await program.ended
    expect(errors).toBe('')
    expect(lines).toEqual(['true,true'])
  })
})

describe('`WebsocketClient.send`, `close`', () => {
  it('the socket of clients.connect, get and byHandler is the client itself', async () => {
    const heard: unknown[] = []
    const closed = new Promise<ServerSocket>((resolve) => {
      server.route('/heard', {
        onMessage: (_, message) => void heard.push(message),
        onClose: (socket) => {
          resolve(socket)
        },
      })
    })
    const handler = {}
    const { id } = await clients.connect(`${url}heard`, { handler })
    expect(clients.get(id)?.send('by id')).toBe(true)
    expect(clients.byHandler(handler)?.send(Buffer.from('by handler'))).toBe(true)
    await clients.byHandler(handler)?.close(4001, 'done')
    expect(await (await closed).closed).toMatchObject({ code: 4001, reason: 'done' })
    expect(heard).toEqual(['by id', Buffer.from('by handler')])
  })
})
