/* eslint-disable @typescript-eslint/no-unused-vars -- much here is only looked at by the compiler */
/** What the types promise. The checks are those of the compiler (`npm run types`); the test only runs the code. */
import * as v from 'valibot'
import { z } from 'zod'
import {
  accept,
  WebSocketServer,
  type ServerService,
  type ServerSocket,
  type ServiceFactory,
} from '../../../src/index.js'
import { json, router } from '../../../src/json/index.js'
import type { PathParams } from '../../../src/server/path-matching.js'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>): void => undefined

describe('the types of a route', () => {
  test('give params the names in the literal path', () => {
    same<PathParams<'/chat/:room/of/:user'>, { readonly room: string; readonly user: string }>(true)
    same<PathParams<'/files/*rest'>, { readonly rest: string }>(true)
    same<PathParams<string>, Readonly<Record<string, string>>>(true)
    const server = new WebSocketServer()
    const route = server.route('/chat/:room', {
      onUpgrade(request) {
        same<typeof request.params.room, string>(true)
        return accept({ data: { user: 'ada' } })
      },
      onOpen(socket) {
        same<typeof socket.params.room, string>(true)
        same<typeof socket.data, { user: string }>(true)
        // @ts-expect-error no such parameter
        same<typeof socket.params.rom, string>(false)
      },
      onTextMessage(socket, text) {
        same<typeof text, string>(true)
        return socket.data.user
      },
    })
    for (const socket of route.sockets) same<typeof socket.params.room, string>(true)
    expect(route.path).toBe('/chat/:room')
  })

  test('let a service without a path have any params', () => {
    const service: ServerService = { onMessage: (_, message) => message }
    expect(new WebSocketServer().route('/a/:b', service).connectionCount).toBe(0)
  })

  test("give the message the type of the codec's schema, or text or bytes without one", () => {
    const server = new WebSocketServer()
    server.route('/zod', {
      codec: json(z.object({ n: z.number() })),
      onMessage(_, message) {
        same<typeof message, { n: number }>(true)
        return { twice: message.n * 2 }
      },
    })
    server.route('/valibot', {
      codec: json(v.object({ n: v.number() })),
      onMessage(socket, message) {
        same<typeof message, { n: number }>(true)
        same<typeof socket.params, Readonly<Record<string, string>>>(false)
      },
      onInvalidMessage: (_, error) => ({ error: error.message }),
    })
    server.route('/plain', {
      onMessage(_, message) {
        same<typeof message, string | Buffer>(true)
      },
    })
    server.route('/factory/:id', (socket) => ({
      onMessage: (_, message) => `${socket.params.id} ${String(message)}`,
    }))
    const wrong = {
      // @ts-expect-error onMessage excludes the other two
      both: (): void => void server.route('/x', { onMessage: () => '', onTextMessage: () => '' }),
      // @ts-expect-error a codec needs onMessage
      codec: (): void => void server.route('/y', { codec: json(), onTextMessage: () => '' }),
      // @ts-expect-error without a codec an object is no reply
      reply: (): void => void server.route('/z', { onMessage: () => ({ a: 1 }) }),
    }
    expect(wrong.both).toThrow(TypeError)
    expect(wrong.codec).toThrow(TypeError)
  })

  test('let a service have settings, also beside a codec or a router, but not a service that a function makes', () => {
    const server = new WebSocketServer()
    server.route('/a/:id', {
      idleTimeoutMs: false,
      maxMessageBytes: 1000,
      codec: json(z.object({ n: z.number() })),
      protocols(offered, request) {
        same<typeof request.path, string>(true)
        return offered[0]
      },
      onMessage(socket, message) {
        same<typeof message, { n: number }>(true)
        same<typeof socket.params.id, string>(true)
      },
    })
    server.route('/b', { autoPong: false, ...router('type', { add: (_, { n }) => n }) })
    const factory = Object.assign((socket: ServerSocket) => ({ onMessage: () => socket.id }), {
      maxFrameBytes: 10,
    })
    const service: ServiceFactory = factory
    expect(server.route('/c', service).path).toBe('/c')
    // @ts-expect-error a time is a number
    expect(() => server.route('/d', { idleTimeoutMs: '5', onMessage: () => '' })).toThrow(TypeError)
  })

  test("give the handlers of a router the types of the schema's union", () => {
    const schema = z.discriminatedUnion('type', [
      z.object({ type: z.literal('add'), a: z.number() }),
      z.object({ type: z.literal('say'), text: z.string() }),
    ])
    const part = router(
      'type',
      {
        add(_, message) {
          same<typeof message, { type: 'add'; a: number }>(true)
          return message.a
        },
        say: (_, message) => message.text,
      },
      { schema },
    )
    new WebSocketServer().route('/a', { ...part, onClose: () => undefined })
    new WebSocketServer().route('/a', part)
    // @ts-expect-error no member of the union has this type
    router('type', { other: () => undefined }, { schema })
    router('kind', {
      x(socket, message) {
        same<typeof message.kind, string>(true)
        same<(typeof message)['other'], unknown>(true)
        return socket.url
      },
    })
    expect(typeof part.onMessage).toBe('function')
  })

  test('take data from accept beside a codec, a router or both, and the message from the declaration with route<Data>', () => {
    interface Data {
      user: string
    }
    const server = new WebSocketServer()
    const onUpgrade = () => accept({ data: { user: 'ada' } })
    const schema = z.object({ type: z.literal('add'), n: z.number() })
    server.route('/a/:b', {
      onUpgrade: () => accept({ data: { user: 'ada' } }),
      codec: json(schema),
      onMessage(socket, message) {
        same<typeof message, { type: 'add'; n: number }>(true)
        same<typeof socket.data, Data>(true)
        same<typeof socket.params.b, string>(true)
      },
    })
    server.route('/b', {
      onUpgrade,
      ...router('type', { add: (_, { n }) => n }, { schema }),
      onClose(socket) {
        same<typeof socket.data, Data>(true)
      },
    })
    server.route<Data>('/c', {
      codec: json(schema),
      onMessage: (socket, message: { n: number }) => [socket.data.user, message.n],
    })
    server.route<Data>('/d', {
      ...router('type', { add: (socket, { n }) => [socket.url, n] }, { schema }),
      onOpen: (socket) => socket.data.user,
    })
    server.route<Data>('/e', router('type', { add: (_, { n }) => n }, { schema }))
    server.route<Data>('/f', {
      onUpgrade,
      onMessage(socket, message) {
        same<typeof message, string | Buffer>(true)
        return socket.data.user
      },
    })
    server.route<Data>('/g', (socket) => ({ onMessage: () => socket.data.user }))
    // @ts-expect-error other data than was promised
    server.route<Data>('/h', { onUpgrade: () => accept({ data: { user: 5 } }) })
    expect(server.routes().at(-1)?.path).toBe('/h')
  })

  test('take the data of members and of named connections from the server or from the call', () => {
    interface User {
      user: string
    }
    const server = new WebSocketServer<User>()
    for (const member of server.group('dogs').members()) same<typeof member.data, User>(true)
    for (const socket of server.sockets) same<typeof socket.data.user, string>(true)
    const named = server.connections.get('ada')
    same<typeof named, ServerSocket<User> | undefined>(true)
    server.broadcast('x', { filter: (socket) => socket.data.user === 'ada' })
    for (const member of server.group<{ n: number }>('n').members()) same<typeof member.data.n, number>(true)
    server.route('/', {
      onUpgrade: () => accept({ data: { user: 'ada' } }),
      onOpen(socket) {
        same<typeof socket.data, User>(true)
        server.connections.set(socket.data.user, socket)
        for (const { data } of socket.group<User>('dogs').members()) same<typeof data, User>(true)
        // A room says nothing of its members by itself.
        for (const { data } of socket.group('dogs').members()) same<typeof data, unknown>(true)
      },
    })
    server.route('/other', {
      onUpgrade: () => accept({ data: 5 }),
      onOpen(socket) {
        same<typeof socket.data, number>(true)
      },
    })
    const any = new WebSocketServer()
    for (const member of any.group('dogs').members()) same<typeof member.data, unknown>(true)
    // A server of any data is a server.
    const list: readonly WebSocketServer[] = [server, any]
    expect(list.map(({ sockets }) => sockets.size)).toEqual([0, 0])
  })
})
