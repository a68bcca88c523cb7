/** What `accept`, `reject`, `router`, `trackEvents` and `route` say to a wrong argument. */
import { accept, reject, WebSocketServer } from '../../../src/index.js'
import { checkMade } from '../../../src/server/server-service.js'
import { json, router } from '../../../src/json/index.js'
import { serveEndpoint, trackEvents } from '../../../src/endpoints/index.js'

describe('accept', () => {
  test('takes its options, and refuses an unknown name', () => {
    expect(accept()).toMatchObject({ data: undefined })
    expect(accept({ data: 1, protocol: 'a' })).toMatchObject({ data: 1, protocol: 'a' })
    expect(() => accept({ date: 1 } as never)).toThrow(
      new TypeError(
        'AcceptOptions has no option "date"; there are data, headers, protocol; did you mean data?',
      ),
    )
  })

  test.each([null, 5, 'x', [[]]])('refuses %p as options', (options) => {
    expect(() => accept(options as never)).toThrow(/^AcceptOptions must be an object, not /)
  })
})

describe('the headers of a decision', () => {
  const valueText = (shown: string): string =>
    `the value of the header "X-A" must be latin1 without control characters, not ${shown}`
  const reservedText = (name: string): string =>
    `the header "${name}" is reserved for the handshake and cannot be set`
  const wrong: readonly (readonly [headers: unknown, message: string])[] = [
    [{ 'X-A': 'a\r\nX-B: b' }, valueText('text with U+000D at offset 1')],
    [{ 'X-A': ['a', '\0'] }, valueText('text with U+0000 at offset 0')],
    [{ 'X-A': 5 }, valueText('a number')],
    [{ 'X-A': ['a', 5] }, 'the values of the header "X-A" must be strings, not a number'],
    [
      new Map([['X A', 'x']]),
      'the name of a header must be a token (RFC 9110 5.6.2), not text with U+0020 at offset 1',
    ],
    [[['X-A']], 'headers must hold pairs of name and value, not an array'],
    [{ upgrade: 'x' }, reservedText('upgrade')],
    [{ 'Sec-WebSocket-Protocol': 'x' }, reservedText('Sec-WebSocket-Protocol')],
    [{ 'Content-Length': 'x' }, reservedText('Content-Length')],
  ]

  test.each(wrong)('are refused by the call itself when they are %p', (headers, message) => {
    expect(() => accept({ headers: headers as never })).toThrow(new TypeError(message))
    expect(() => reject(401, '', headers as never)).toThrow(new TypeError(message))
  })

  test.each([5, 'X-A: b', null])(
    'are refused by the call itself when they are %p, not an object',
    (headers) => {
      expect(() => accept({ headers: headers as never })).toThrow(TypeError)
      expect(() => reject(401, '', headers as never)).toThrow(TypeError)
    },
  )

  test('are read once, so that a decision may answer several upgrades', () => {
    const once = (): Iterable<[string, string]> => new Map([['X-A', 'b']]).entries()
    for (const { headers } of [accept({ headers: once() }), reject(401, '', once())]) {
      expect([...(headers as Iterable<unknown>)]).toEqual([['X-A', 'b']])
      expect([...(headers as Iterable<unknown>)]).toEqual([['X-A', 'b']])
    }
  })

  test('may be absent', () => {
    expect(accept()).toMatchObject({ headers: undefined })
    expect(reject(401)).toMatchObject({ headers: undefined, body: undefined })
  })
})

describe('reject', () => {
  test('refuses a body with 304 at once, and takes an empty one', () => {
    const text = 'body must be empty with status 304 (RFC 9110 15.4.5)'
    expect(() => reject(304, 'x')).toThrow(new TypeError(text))
    expect(() => reject(304, Buffer.from('x'))).toThrow(new TypeError(text))
    expect(reject(304, '')).toMatchObject({ status: 304, body: '' })
  })
})

const noop = (): void => undefined

describe('route', () => {
  test.each([
    [[], 'service must be an object with handlers, not an array'],
    [Promise.resolve({}), 'service must be an object with handlers, not a promise: await it'],
    [
      { [Symbol.toStringTag]: 'Module', default: {} },
      'service must be an object with handlers, not a module: give its default export',
    ],
    [{ codec: json() }, 'service has codec and no onMessage: a codec needs onMessage'],
    [
      { codec: json(), onInvalidMessage: noop },
      'service has codec and no onMessage: a codec needs onMessage',
    ],
  ])('refuses %p as a service', (service, message) => {
    expect(() => new WebSocketServer().route('/', service as never)).toThrow(new TypeError(message))
  })

  class Chat {
    onOpen = noop
  }
  const classText = (made: string): string =>
    `service must not be a class: give ${made}, or () => ${made} for one of each connection`
  const manyText =
    'service must not be a function of 2 parameters: it gets the socket alone and returns its handlers, as in ' +
    '(socket) => ({ onMessage(socket, message) {} }); onUpgrade and the data of an adapter see the request'
  const asyncText = 'the function that makes handlers must not be async: await in onUpgrade or onOpen instead'
  const generatorText = 'the function that makes handlers must not be a generator'
  test.each<[string, unknown, string]>([
    ['a class', Chat, classText('new Chat()')],
    ['a class without a name', (() => class {})(), classText('new X()')],
    ['a class that extends another', class Room extends Chat {}, classText('new Room()')],
    ['a function of several parameters', (socket: unknown, request: unknown) => [socket, request], manyText],
    ['an async function', async () => Promise.resolve({ onOpen: noop }), asyncText],
    ['an async method', { async make() {} }.make, asyncText],
    [
      'a generator',
      function* () {
        yield { onOpen: noop }
      },
      generatorText,
    ],
    ['an async generator', { async *make() {} }.make, generatorText],
  ])('refuses %s in the place of a function that makes handlers', async (_what, factory, message) => {
    const server = new WebSocketServer()
    expect(() => server.route('/', factory as never)).toThrow(new TypeError(message))
    expect(() => serveEndpoint(server, 'chat', { default: factory })).toThrow(new TypeError(message))
    expect(server.routes()).toEqual([])
    await server.close()
  })

  test('takes a function that makes handlers, of every form that is neither', () => {
    const server = new WebSocketServer()
    const forms = [
      () => new Chat(),
      function classes() {},
      { class: () => new Chat() }.class,
      Chat.bind(null),
    ]
    expect(() => {
      forms.forEach((form, i) => server.route(`/${String(i)}`, form as never))
    }).not.toThrow()
  })

  test('takes a module whose exports are the handlers', () => {
    const service = Object.assign(Object.create(null) as object, {
      [Symbol.toStringTag]: 'Module',
      onOpen: noop,
    })
    expect(() => new WebSocketServer().route('/', service)).not.toThrow()
  })
})

describe('what a factory makes', () => {
  test('is checked by its own names each time, and by those of its class the first time', () => {
    let reads = 0
    const prototype = new Proxy(
      { onTextMessage: noop, join: noop },
      {
        ownKeys(target) {
          reads++
          return Reflect.ownKeys(target)
        },
      },
    )
    const make = (more: object = {}): object => Object.assign(Object.create(prototype) as object, more)
    for (let i = 0; i < 3; i++) expect(() => checkMade(make({ users: i }))).not.toThrow()
    expect(reads).toBe(1)
    expect(() => checkMade(make({ onMesage: noop }))).toThrow('handlers has no handler named "onMesage"')
    expect(() => checkMade(make({ onClose: 5 }))).toThrow('handlers.onClose must be a function, not 5')
    expect(() => checkMade(make({ idleTimeoutMs: 5 }))).toThrow('handlers.idleTimeoutMs comes too late')
    expect(reads).toBe(1)
  })

  test('is refused each time where its class has a wrong name', () => {
    class Chat {
      onOpen = noop
      onMesage(): void {
        noop()
      }
    }
    for (let i = 0; i < 2; i++) {
      expect(() => checkMade(new Chat())).toThrow('handlers has no handler named "onMesage"')
    }
  })
})

describe('router', () => {
  test('needs a handler or onUnknown', () => {
    const message = 'handlers must have at least one function, or options an onUnknown'
    expect(() => router('type', {})).toThrow(new TypeError(message))
    expect(() => router('type', { add: undefined } as never)).toThrow(new TypeError(message))
    expect(() => router('type', {}, { onUnknown: noop })).not.toThrow()
    expect(() => router('type', Object.assign(Object.create(null), { add: noop }) as never)).not.toThrow()
  })

  class Handlers {
    add = noop
  }
  test.each([
    [[noop], 'handlers must be a plain object with functions, not an array'],
    [new Map([['add', noop]]), 'handlers must be a plain object with functions, not one of a class'],
    [new Handlers(), 'handlers must be a plain object with functions, not one of a class'],
    [{ add: 5 }, 'handlers.add must be a function, not 5'],
  ])('refuses %p as handlers', (handlers, message) => {
    expect(() => router('type', handlers as never)).toThrow(new TypeError(message))
  })

  test.each([null, undefined, noop, 'x'])('refuses %p as options', (handlers) => {
    expect(() => router('type', handlers as never)).toThrow(
      /^handlers must be an object with functions, not /,
    )
  })
})

describe('trackEvents', () => {
  test.each([null, undefined, noop, 5])('refuses %p as a service', (service) => {
    expect(() => trackEvents(service as never)).toThrow(/^service must be an object with handlers, not /)
  })

  test('checks a service as route does', () => {
    expect(() => trackEvents({ onMesage: noop })).toThrow(/^service has no handler named "onMesage"/)
    expect(() => trackEvents({ onUpgrade: () => accept(), onOpen: noop })).not.toThrow()
  })
})
