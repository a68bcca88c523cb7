/** The rows of what Hawser takes over from Dirigible's websockets: each by its name. */
import { mkdirSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { closeWith, connect, WebSocketServer, type ClientSocket, type ServerSocket } from '../../src/index.js'
import {
  currentEvent,
  listEndpoints,
  serveDirectory,
  serveEndpoint,
  trackEvents,
  type CurrentEvent,
} from '../../src/endpoints/index.js'
import { Programs } from '../helpers/child.js'

const servers: WebSocketServer[] = []
const create = (): WebSocketServer => {
  const server = new WebSocketServer()
  servers.push(server)
  return server
}
const programs = new Programs()
const folder = mkdtempSync(path.join(tmpdir(), 'hawser-endpoints-'))
afterEach(() => {
  for (const server of servers.splice(0)) server.terminate()
})
afterAll(() => {
  programs.remove()
  rmSync(folder, { recursive: true, force: true })
})

describe('a `*.websocket` file { handler, endpoint, description } binds a module to `/service/{endpoint}`', () => {
  it('serveEndpoint serves handlers, or those of a module, by a name', async () => {
    const server = create()
    serveEndpoint(server, 'echo', { onMessage: (_, message) => message }, { description: 'says it again' })
    serveEndpoint(server, 'chat/v1', {
      __esModule: true,
      onOpen: (socket: ServerSocket) => void socket.send('exports'),
    } as never)
    serveEndpoint(server, 'main', {
      default: { onOpen: (socket: ServerSocket) => void socket.send('default export') },
    })
    expect(listEndpoints(server)).toEqual([
      { name: 'echo', path: '/service/echo', description: 'says it again' },
      { name: 'chat/v1', path: '/service/chat/v1', description: '' },
      { name: 'main', path: '/service/main', description: '' },
    ])
    const { port } = await server.listen(0, '127.0.0.1')
    for (const [name, expected] of [
      ['chat/v1', 'exports'],
      ['main', 'default export'],
    ] as const) {
      const socket = await connect(`ws://127.0.0.1:${String(port)}/service/${name}`)
      expect(await socket.receive()).toBe(expected)
      await socket.close()
    }
    expect(() => serveEndpoint(server, 'echo', {})).toThrow(/has a service already/)
    expect(server.unroute('/service/echo')).toBe(true)
    expect(listEndpoints(server)).toHaveLength(2)
  })

  it.each(['', '/a', 'a/', '..', 'a/../b', 'a b', ':a', '*', 5])(
    'serveEndpoint refuses %p as a name',
    (name) => {
      expect(() => serveEndpoint(create(), name as string, {})).toThrow(/^name must be letters/)
    },
  )

  it('serveEndpoint refuses wrong handlers, options and descriptions', () => {
    expect(() => serveEndpoint(create(), 'a', { default: { onMesage: () => '' } })).toThrow(
      /no handler named/,
    )
    expect(() => serveEndpoint(create(), 'a', {}, { descripton: '' } as never)).toThrow(
      /no option "descripton"/,
    )
    expect(() => serveEndpoint(create(), 'a', {}, { description: 5 } as never)).toThrow(
      /description must be a string/,
    )
  })

  it('serveDirectory loads the files of a directory, and uses changed files for new connections', async () => {
    const directory = path.join(folder, 'live')
    mkdirSync(directory)
    const program = programs.run(`
      import { renameSync, rmSync, writeFileSync } from 'node:fs'
      import { connect, WebSocketServer } from './src/index.js'
      import { listEndpoints, serveDirectory } from './src/endpoints/index.js'
      const directory = ${JSON.stringify(directory)}
      const put = (file, text) => {
        writeFileSync(directory + '/.' + file, text)
        renameSync(directory + '/.' + file, directory + '/' + file)
      }
      put('one.mjs', 'export const onMessage = () => "first"')
      put('one.websocket.json', JSON.stringify({ handler: 'one.mjs', endpoint: 'one', description: 'one' }))
      const errors = []
      const server = new WebSocketServer()
      await serveDirectory(server, directory, { onError: (error) => errors.push(error.message) })
      console.log('endpoints', JSON.stringify(listEndpoints(server)))
      const { port } = await server.listen(0, '127.0.0.1')
      const open = (name) => connect('ws://127.0.0.1:' + port + '/service/' + name)
      const ask = async (socket) => (socket.send('x'), await socket.receive())
      const until = async (check) => { while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 20)) }
      const old = await open('one')
      console.log('old', await ask(old))
      put('one.mjs', 'export default { onMessage: () => "second" }')
      await until(async () => (await ask(await open('one'))) === 'second')
      console.log('still', await ask(old))
      put('two.websocket.json', '{')
      await until(() => errors.length > 0)
      console.log('error', errors[0])
      put('two.websocket.json', JSON.stringify({ handler: './one.mjs', endpoint: 'two' }))
      await until(() => listEndpoints(server).length === 2)
      console.log('two', await ask(await open('two')))
      rmSync(directory + '/one.websocket.json')
      await until(() => listEndpoints(server).length === 1)
      console.log('gone', (await open('one').catch((error) => error)).httpStatus, await ask(old))
      await server.close()
    `)
    const { lines, status, errors } = await program.ended
    expect(errors).toBe('')
    expect(lines).toEqual([
      `endpoints ${JSON.stringify([{ name: 'one', path: '/service/one', description: 'one' }])}`,
      'old first',
      'still first',
      'error two.websocket.json must be JSON',
      'two second',
      'gone 404 first',
    ])
    expect(status).toBe(0)
  })

  it('serveDirectory uses changed modules of other folders for new connections, also where a folder is new or was replaced', async () => {
    const directory = path.join(folder, 'project')
    mkdirSync(path.join(directory, 'handlers', 'deep'), { recursive: true })
    const program = programs.run(`
      import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
      import { connect, WebSocketServer } from './src/index.js'
      import { listEndpoints, serveDirectory } from './src/endpoints/index.js'
      const directory = ${JSON.stringify(directory)}
      const put = (file, text) => {
        writeFileSync(directory + '/.new', text)
        renameSync(directory + '/.new', directory + '/' + file)
      }
      const serve = (word) => 'export const onMessage = () => "' + word + '"'
      const describe = (endpoint, handler) => put(endpoint + '.websocket', JSON.stringify({ handler, endpoint }))
      put('handlers/a.mjs', serve('a1'))
      put('handlers/deep/b.mjs', serve('b1'))
      describe('a', 'handlers/a')
      describe('b', 'project/handlers/deep/b')
      const server = new WebSocketServer()
      await serveDirectory(server, directory, { onError: () => undefined })
      const { port } = await server.listen(0, '127.0.0.1')
      const ask = async (name) => {
        const socket = await connect('ws://127.0.0.1:' + port + '/service/' + name).catch(() => null)
        if (socket === null) return 'none'
        socket.send('x')
        const answer = await socket.receive()
        socket.terminate()
        return answer
      }
      const until = async (name, answer) => {
        while ((await ask(name)) !== answer) await new Promise((resolve) => setTimeout(resolve, 20))
        console.log(answer)
      }
      const settled = () => new Promise((resolve) => setTimeout(resolve, 150))
      // A change in the directory itself would have all of it read.
      await settled()
      writeFileSync(directory + '/handlers/a.mjs', serve('a2'))
      await until('a', 'a2')
      writeFileSync(directory + '/handlers/deep/b.mjs', serve('b2'))
      await until('b', 'b2')
      describe('c', 'late/c')
      await settled()
      mkdirSync(directory + '/late')
      await settled()
      writeFileSync(directory + '/late/c.mjs', serve('c1'))
      await until('c', 'c1')
      rmSync(directory + '/late', { recursive: true })
      mkdirSync(directory + '/late')
      await settled()
      writeFileSync(directory + '/late/c.mjs', serve('c2'))
      await until('c', 'c2')
      await server.close()
      console.log('the process ends')
    `)
    const { lines, status, errors } = await program.ended
    expect(errors).toBe('')
    expect(lines).toEqual(['a2', 'b2', 'c1', 'c2', 'the process ends'])
    expect(status).toBe(0)
  })

  it('serveDirectory loads *.websocket files as Dirigible writes them, below the prefix, without extensions', async () => {
    const directory = path.join(folder, 'my-project')
    mkdirSync(path.join(directory, 'services'), { recursive: true })
    const program = programs.run(`
      import { renameSync, writeFileSync } from 'node:fs'
      import { connect, WebSocketServer } from './src/index.js'
      import { listEndpoints, serveDirectory } from './src/endpoints/index.js'
      const directory = ${JSON.stringify(directory)}
      const put = (file, text) => {
        writeFileSync(directory + '/.' + file, text)
        renameSync(directory + '/.' + file, directory + '/' + file)
      }
      const describe = (file, endpoint, handler) =>
        put(file, JSON.stringify({ handler, endpoint, description: 'the ' + endpoint }))
      writeFileSync(directory + '/services/far.mjs', 'export function onMessage() { return "far" }')
      put('both.js', 'exports.onMessage = () => "both.js"')
      put('both.cjs', 'exports.onMessage = () => "both.cjs"')
      put('old.js', 'exports.onMessage = () => "old first"')
      put('dotted.v1.cjs', 'exports.onMessage = () => "dotted"')
      describe('a.websocket', 'far', 'my-project/services/far')
      describe('b.websocket', 'both', './both')
      describe('c.websocket', 'old', 'my-project/old')
      describe('d.websocket.json', 'dotted', 'dotted.v1')
      const server = new WebSocketServer()
      const errors = []
      await serveDirectory(server, directory, {
        prefix: '/websockets/v4/service/',
        onError: (error) => errors.push(error.message),
      })
      console.log(JSON.stringify(listEndpoints(server)[0]))
      const { port } = await server.listen(0, '127.0.0.1')
      const open = (name) => connect('ws://127.0.0.1:' + port + '/websockets/v4/service/' + name)
      const ask = async (socket) => (socket.send('x'), await socket.receive())
      const until = async (check) => { while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 20)) }
      for (const name of ['far', 'both', 'old', 'dotted']) console.log(name, await ask(await open(name)))
      put('old.js', 'exports.onMessage = () => "old second"')
      await until(async () => (await ask(await open('old'))) === 'old second')
      describe('e.websocket', 'none', 'my-project/none')
      await until(() => errors.length > 0)
      console.log(errors[0].replaceAll(directory, ''))
      await server.close()
    `)
    const { lines, status, errors } = await program.ended
    expect(errors).toBe('')
    expect(lines).toEqual([
      JSON.stringify({ name: 'far', path: '/websockets/v4/service/far', description: 'the far' }),
      'far far',
      'both both.js',
      'old old first',
      'dotted dotted',
      'e.websocket: there is no module /my-project/none or /none, nor with .mjs, .js, .cjs',
    ])
    expect(status).toBe(0)
  })

  it('serveDirectory refuses two files for one endpoint, whatever their names end in', async () => {
    const directory = path.join(folder, 'twice')
    mkdirSync(directory)
    writeFileSync(path.join(directory, 'a.cjs'), 'exports.onOpen = () => undefined')
    const description = JSON.stringify({ handler: 'a', endpoint: 'chat' })
    for (const file of ['a.websocket', 'a.websocket.json']) {
      writeFileSync(path.join(directory, file), description)
    }
    const server = create()
    await expect(serveDirectory(server, directory)).rejects.toThrow(
      /^a\.websocket\.json has the endpoint of a\.websocket$/,
    )
    expect(server.routes()).toEqual([])
  })

  it('serveDirectory rejects with an error that says what is wrong', async () => {
    await expect(serveDirectory(create(), path.join(folder, 'none'))).rejects.toMatchObject({
      code: 'ENOENT',
    })
    await expect(serveDirectory(create(), '')).rejects.toThrow(/^directory must be the path/)
  })

  it.each([
    ['no JSON', '{', /^2\.websocket\.json must be JSON/],
    ['a wrong name', { handler: 'ok.cjs', endpoint: '..' }, /^2\.websocket\.json: name must be letters/],
    [
      'a name that is taken',
      { handler: 'ok.cjs', endpoint: 'taken' },
      /^2\.websocket\.json: path .* has a service/,
    ],
    [
      'the endpoint of another file',
      { handler: 'ok.cjs', endpoint: 'one' },
      /^2\.websocket\.json has the endpoint/,
    ],
    ['a module that is not there', { handler: 'none.cjs', endpoint: 'two' }, /^2\.websocket\.json: /],
    [
      'a module without handlers',
      { handler: 'bad.cjs', endpoint: 'two' },
      /^2\.websocket\.json: service must be/,
    ],
  ])('serveDirectory registers nothing when one file is wrong: %s', async (name, second, message) => {
    const directory = path.join(folder, name.replaceAll(' ', '-'))
    mkdirSync(directory)
    const put = (file: string, text: string): void => writeFileSync(path.join(directory, file), text)
    put('ok.cjs', 'module.exports = { onOpen: (socket) => void socket.send("hello") }')
    put('bad.cjs', 'module.exports = []')
    put('1.websocket.json', JSON.stringify({ handler: 'ok.cjs', endpoint: 'one' }))
    put('2.websocket.json', typeof second === 'string' ? second : JSON.stringify(second))
    const server = create()
    serveEndpoint(server, 'taken', {})
    await expect(serveDirectory(server, directory)).rejects.toThrow(message)
    expect(listEndpoints(server).map((one) => one.name)).toEqual(['taken'])
    expect(server.unroute('/service/one')).toBe(false)
    put('2.websocket.json', JSON.stringify({ handler: 'ok.cjs', endpoint: 'two' }))
    await serveDirectory(server, directory)
    expect(listEndpoints(server).map((one) => one.name)).toEqual(['taken', 'one', 'two'])
  })
})

describe('`getMessage`, `getError`, `getMethod`, `isOnOpen` ... in the handler’s context', () => {
  it('currentEvent() returns the handler that the calling code runs for, when tracking is on', async () => {
    const server = create()
    const deep = async (): Promise<string> => {
      await new Promise((resolve) => setImmediate(resolve))
      const event = currentEvent()
      return event === undefined ? 'none' : `${event.handler} ${String(event.value)} ${event.socket.url}`
    }
    class Deep {
      readonly reply = deep
      async onOpen(socket: ServerSocket): Promise<void> {
        socket.send(await this.reply())
      }
      onMessage(): Promise<string> {
        return this.reply()
      }
    }
    server.route('/tracked', trackEvents(new Deep()))
    server.route('/plain', { onMessage: deep })
    const { port } = await server.listen(0, '127.0.0.1')
    const tracked = await connect(`ws://127.0.0.1:${String(port)}/tracked`)
    expect(await tracked.receive()).toBe('onOpen undefined /tracked')
    tracked.send('hello')
    expect(await tracked.receive()).toBe('onMessage hello /tracked')
    const plain = await connect(`ws://127.0.0.1:${String(port)}/plain`)
    plain.send('hello')
    expect(await plain.receive()).toBe('none')
    expect(currentEvent()).toBeUndefined()
  })

  it.each([false, { minDelayMs: 1, stableAfterMs: 0 }])(
    'currentEvent() returns the handler of a client that the calling code runs for (reconnect: %j)',
    async (reconnect) => {
      const server = create()
      server.route('/', {
        onOpen: (socket) => {
          socket.send('hello')
          socket.ping('p')
        },
        onMessage: () => closeWith(4000, 'bye'),
      })
      const { port } = await server.listen(0, '127.0.0.1')
      const seen: (CurrentEvent | undefined)[] = []
      const deep = async (): Promise<void> => {
        await new Promise((resolve) => setImmediate(resolve))
        seen.push(currentEvent())
      }
      class Deep {
        readonly #look = deep
        readonly onOpen = (): Promise<void> => this.#look()
        async onMessage(socket: ClientSocket): Promise<void> {
          await this.#look()
          socket.send('x')
        }
        onPing(): Promise<void> {
          return this.#look()
        }
        onClose(): Promise<void> {
          return this.#look()
        }
      }
      const url = `ws://127.0.0.1:${String(port)}/`
      const socket = await connect(url, { handlers: trackEvents(new Deep()), reconnect })
      const end = await socket.closed
      while (seen.length < 4) await new Promise((resolve) => setImmediate(resolve))
      expect(seen.every((event) => event?.socket === socket)).toBe(true)
      expect(Object.fromEntries(seen.map((event) => [event?.handler, event?.value]))).toEqual({
        onOpen: undefined,
        onPing: Buffer.from('p'),
        onMessage: 'hello',
        onClose: end,
      })
      expect(currentEvent()).toBeUndefined()
    },
  )
})

describe('one handler module with `onOpen`, `onMessage`, `onError`, `onClose`', () => {
  it('fits the Service type', async () => {
    const server = create()
    const told: string[] = []
    const closed = new Promise<void>((resolve) => {
      serveEndpoint(server, 'all', {
        onOpen: () => void told.push('open'),
        onMessage: () => {
          told.push('message')
          throw new Error('mine')
        },
        onError: (_, error) => void told.push(`error ${error.message}`),
        onClose: (_, { code }) => {
          told.push(`close ${String(code)}`)
          resolve()
        },
      })
    })
    const { port } = await server.listen(0, '127.0.0.1')
    const socket = await connect(`ws://127.0.0.1:${String(port)}/service/all`)
    socket.send('x')
    await closed
    expect(told).toEqual(['open', 'message', 'error mine', 'close 1011'])
  })
})
