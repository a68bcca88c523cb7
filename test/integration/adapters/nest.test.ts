/** hawser/nest: gateways of a real NestJS application over real sockets. */
import 'reflect-metadata'
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Catch, Module, UseFilters, type INestApplication } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import {
  SubscribeMessage,
  WebSocketGateway,
  WebSocketServer as Server,
  WsException,
} from '@nestjs/websockets'
import { Observable, of } from 'rxjs'
import { connect, HandshakeError, type ClientSocket, type WebSocketServer } from '../../../src/index.js'
import { HawserAdapter, type NestSocket } from '../../../src/adapters/nest.js'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const disconnected = new EventEmitter()

/** The gateway; its decorators are applied below, since the tests are compiled without them. */
class Chat {
  server!: WebSocketServer
  handleConnection(client: NestSocket, request: IncomingMessage): void {
    // As a gateway of @nestjs/platform-ws authenticates.
    if (request.headers['x-user'] === 'eve') {
      void client.socket.close(4401, 'not you')
      return
    }
    client.emit('welcome', client.socket.url)
  }

  handleDisconnect(client: NestSocket): void {
    disconnected.emit('client', client.id)
  }

  join(client: NestSocket, room: string): { event: string; data: unknown } {
    client.join(room)
    return { event: 'joined', data: client.rooms }
  }

  say(client: NestSocket, { room, text }: { room: string; text: string }): void {
    client.to(room).emit('said', text)
  }

  async later(_client: NestSocket, data: number): Promise<object> {
    await Promise.resolve()
    return { event: 'later', data: data + 1 }
  }

  many(): unknown {
    return of({ event: 'many', data: 1 }, { event: 'many', data: 2 })
  }

  wrong(): void {
    throw new WsException('this is wrong')
  }
}

const CIRCULAR: { self?: unknown } = {}
CIRCULAR.self = CIRCULAR

function gateway(type: new () => Chat, events: readonly string[], options: object, port = 0): void {
  WebSocketGateway(port, options)(type)
  Server()(type.prototype, 'server')
  for (const name of events) {
    const from = name in Chat.prototype ? Chat.prototype : (type.prototype as object)
    const method = Object.getOwnPropertyDescriptor(from, name) as PropertyDescriptor
    Object.defineProperty(type.prototype, name, method)
    SubscribeMessage(name)(type.prototype, name, method)
  }
}

const EVENTS = ['join', 'say', 'later', 'many', 'wrong'] as const

async function start(...gateways: (new () => Chat)[]): Promise<{ app: INestApplication; host: string }> {
  class App {}
  Module({ providers: gateways })(App)
  const app = await NestFactory.create(App, { logger: false } as never)
  cleanups.push(() => app.close())
  app.useWebSocketAdapter(new HawserAdapter(app))
  await app.listen(0, '127.0.0.1')
  const { port } = (app.getHttpServer() as ReturnType<typeof createServer>).address() as AddressInfo
  return { app, host: `127.0.0.1:${String(port)}` }
}

const ask = async (socket: ClientSocket, event: string, data?: unknown): Promise<unknown> => {
  socket.sendJson({ event, data })
  return socket.receiveJson()
}

describe('HawserAdapter', () => {
  it('binds the messages of a gateway on the port of the application, with every kind of result', async () => {
    class Gateway extends Chat {}
    gateway(Gateway, EVENTS, { path: '/chat' })
    const { host } = await start(Gateway)
    const socket = await connect(`ws://${host}/chat`)
    expect(await socket.receiveJson()).toEqual({ event: 'welcome', data: '/chat' })
    expect(await ask(socket, 'join', 'dogs')).toEqual({ event: 'joined', data: ['dogs'] })
    expect(await ask(socket, 'later', 1)).toEqual({ event: 'later', data: 2 })
    expect(await ask(socket, 'many')).toEqual({ event: 'many', data: 1 })
    expect(await socket.receiveJson()).toEqual({ event: 'many', data: 2 })
    expect(await ask(socket, 'wrong', 5)).toMatchObject({
      event: 'exception',
      data: { status: 'error', message: 'this is wrong' },
    })
    for (const ignored of ['not JSON', '5', 'null', '{"data":1}', '{"event":"constructor"}'])
      socket.send(ignored)
    expect(await ask(socket, 'later', 2)).toEqual({ event: 'later', data: 3 })
    const ended = once(disconnected, 'client')
    await socket.close()
    expect(await ended).toEqual([expect.any(String)])
    const none = await connect(`ws://${host}/nowhere`).catch((error: unknown) => error)
    expect(none).toBeInstanceOf(HandshakeError)
  })

  it('gives the request to handleConnection, which may close the connection', async () => {
    class Gateway extends Chat {}
    gateway(Gateway, EVENTS, {})
    const { host } = await start(Gateway)
    const eve = await connect(`ws://${host}/`, { headers: { 'X-User': 'eve' } })
    expect(await eve.closed).toMatchObject({ code: 4401, reason: 'not you' })
    const ada = await connect(`ws://${host}/`, { headers: { 'X-User': 'ada' } })
    expect(await ada.receiveJson()).toEqual({ event: 'welcome', data: '/' })
    await ada.close()
  })

  it('has groups as rooms, which the server of the gateway reaches', async () => {
    class Gateway extends Chat {}
    gateway(Gateway, EVENTS, {})
    const { app, host } = await start(Gateway)
    const [ada, bob] = [await connect(`ws://${host}/`), await connect(`ws://${host}/`)]
    for (const socket of [ada, bob]) {
      await socket.receiveJson()
      await ask(socket, 'join', 'dogs')
    }
    bob.sendJson({ event: 'say', data: { room: 'dogs', text: 'woof' } })
    expect(await ada.receiveJson()).toEqual({ event: 'said', data: 'woof' })
    const { server } = app.get(Gateway)
    expect(server.group('dogs').size).toBe(2)
    server.group('dogs').send('to all')
    expect([await ada.receive(), await bob.receive()]).toEqual(['to all', 'to all'])
    await Promise.all([ada.close(), bob.close()])
  })

  it('serves gateways on a port of their own, each by its path, and closes all of it with the application', async () => {
    const free = createServer().listen(0)
    const { port } = free.address() as AddressInfo
    await new Promise((resolve) => free.close(resolve))
    class First extends Chat {}
    class Second extends Chat {}
    gateway(First, ['later'], { path: '/first' }, port)
    gateway(Second, ['later'], { path: '/second', limits: { maxMessageBytes: 10 } }, port)
    const { app } = await start(First, Second)
    const first = await connect(`ws://127.0.0.1:${String(port)}/first`)
    const second = await connect(`ws://127.0.0.1:${String(port)}/second`)
    expect(await first.receiveJson()).toEqual({ event: 'welcome', data: '/first' })
    expect(await second.receiveJson()).toEqual({ event: 'welcome', data: '/second' })
    second.send('longer than ten')
    expect(await second.closed).toMatchObject({ code: 1009 })
    expect((await fetch(`http://127.0.0.1:${String(port)}/`)).status).toBe(426)
    await app.close()
    expect(await first.closed).toMatchObject({ code: 1001 })
    await expect(fetch(`http://127.0.0.1:${String(port)}/`)).rejects.toThrow()
  })

  it.each<[name: string, answer: () => unknown, heard: RegExp]>([
    ['a BigInt', () => ({ event: 'a', data: 10n }), /BigInt/],
    ['a promise of a BigInt', () => Promise.resolve({ event: 'a', data: 10n }), /BigInt/],
    ['an Observable of BigInts', () => of({ event: 'a', data: 10n }, { event: 'a', data: 11n }), /BigInt/],
    ['a circular object', () => CIRCULAR, /circular/],
    ['a function', () => () => 1, /JSON/],
    ['a symbol', () => Symbol('x'), /JSON/],
    [
      'an object whose toJSON throws',
      () => ({
        toJSON: () => {
          throw new Error('of toJSON')
        },
      }),
      /^of toJSON$/,
    ],
  ])(
    'closes with 1011 where a handler answers with %s, and onError hears it once',
    async (_, answer, heard) => {
      class Gateway extends Chat {
        answer(): unknown {
          return answer()
        }
      }
      const errors: Error[] = []
      gateway(Gateway, [...EVENTS, 'answer'], { onError: (error: Error) => errors.push(error) })
      const { host } = await start(Gateway)
      const socket = await connect(`ws://${host}/`)
      const other = await connect(`ws://${host}/`)
      await other.receiveJson()
      socket.sendJson({ event: 'answer' })
      expect(await socket.closed).toMatchObject({ code: 1011, reason: 'internal error' })
      // Of the same process, which rxjs would have ended in a timer.
      expect(await ask(other, 'later', 1)).toEqual({ event: 'later', data: 2 })
      expect(errors).toEqual([expect.objectContaining({ message: expect.stringMatching(heard) as unknown })])
      await other.close()
    },
  )

  it('ends what a handler answers with when the connection is over, also where the end throws', async () => {
    const ended: string[] = []
    const errors: Error[] = []
    class Gateway extends Chat {
      forever(_client: unknown, name: string): unknown {
        return new Observable((observer) => {
          observer.next({ event: 'begun', data: name })
          return () => {
            ended.push(name)
            if (name === 'first') throw new Error('of the end')
          }
        })
      }
    }
    gateway(Gateway, [...EVENTS, 'forever'], { onError: (error: Error) => errors.push(error) })
    const { host } = await start(Gateway)
    const socket = await connect(`ws://${host}/`)
    await socket.receiveJson()
    for (const data of ['first', 'second']) {
      expect(await ask(socket, 'forever', data)).toEqual({ event: 'begun', data })
    }
    expect(ended).toEqual([])
    socket.terminate()
    while (ended.length < 2) await new Promise((resolve) => setImmediate(resolve))
    expect(ended).toEqual(['first', 'second'])
    expect(errors).toHaveLength(1)
  })

  it("closes with 1011 where a filter of Nest's throws, and onError hears what it threw", async () => {
    class Gateway extends Chat {}
    const errors: Error[] = []
    gateway(Gateway, EVENTS, { onError: (error: Error) => errors.push(error) })
    class Filter {
      catch(): void {
        throw undefined
      }
    }
    Catch()(Filter)
    UseFilters(Filter)(Gateway)
    const { host } = await start(Gateway)
    const socket = await connect(`ws://${host}/`)
    socket.sendJson({ event: 'wrong' })
    expect(await socket.closed).toMatchObject({ code: 1011 })
    expect(errors).toEqual([expect.objectContaining({ message: 'undefined' })])
  })

  it('refuses what is not an application, wrong options of a gateway, and namespaces, with their names', async () => {
    expect(() => new HawserAdapter({} as never)).toThrow(/^app must be a Nest application/)
    const adapter = new HawserAdapter({ getHttpServer: () => createServer() })
    expect(() => adapter.create(0, { maxMesageBytes: 1 } as never)).toThrow(/maxMesageBytes/)
    expect(() => adapter.create(0, { path: 'chat' })).toThrow(/path/)
    expect(() => adapter.create(0, { namespace: '/chat' } as never)).toThrow(/^namespace is of Socket\.IO/)
    expect(() => adapter.create(0, { cors: true } as never)).toThrow(/^cors is of Socket\.IO.*origins/)
    expect(() => adapter.create(0, { tls: {} } as never)).toThrow(/^tls is of the HTTP server/)
    const without = new HawserAdapter({ getHttpServer: () => undefined })
    expect(() => without.create(0)).toThrow(/has no http or https server/)
    await adapter.dispose()
  })
})
