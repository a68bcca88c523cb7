/** The cases on what the classes look like, and on events and their handlers. */
import { CloseEvent, WebSocket, WebSocketError, WebSocketStream } from '../../../src/whatwg/index.js'
import { nameOfThrown, next, nextData, numbered, sleep, type WptCase } from './world.js'

const EVENTS = 'interfaces/WebSocket/events'
const TYPES = ['open', 'message', 'error', 'close'] as const
/** Node's own, whose tag is `Event` before Node 22. */
const { MessageEvent } = globalThis as unknown as { MessageEvent: new (type: string) => Event }
const unconnected = (): WebSocket => new WebSocket('ws://127.0.0.1:1/')

interface Look {
  readonly attributes: readonly string[]
  readonly readonly: readonly string[]
  /** Operations, and how many arguments each needs. */
  readonly operations: Readonly<Record<string, number>>
  readonly length: number
}

const LOOKS: readonly (readonly [interfaceObject: new (...args: never[]) => object, look: Look])[] = [
  [
    WebSocket,
    {
      attributes: ['binaryType', ...TYPES.map((type) => `on${type}`)],
      readonly: ['url', 'readyState', 'bufferedAmount', 'extensions', 'protocol'],
      operations: { close: 0, send: 1 },
      length: 1,
    },
  ],
  [
    WebSocketStream,
    { attributes: [], readonly: ['url', 'opened', 'closed'], operations: { close: 0 }, length: 1 },
  ],
  [WebSocketError, { attributes: [], readonly: ['closeCode', 'reason'], operations: {}, length: 0 }],
  [CloseEvent, { attributes: [], readonly: ['wasClean', 'code', 'reason'], operations: {}, length: 1 }],
]

function expectLook(constructor: new (...args: never[]) => object, look: Look): void {
  const prototype = constructor.prototype as object
  const describe = (name: string): PropertyDescriptor => Object.getOwnPropertyDescriptor(prototype, name)!
  expect([constructor.length, describe(Symbol.toStringTag as unknown as string)]).toEqual([
    look.length,
    { value: constructor.name, writable: false, enumerable: false, configurable: true },
  ])
  for (const name of [...look.attributes, ...look.readonly]) {
    const { get, set, enumerable, configurable } = describe(name)
    expect([name, typeof get, enumerable, configurable]).toEqual([name, 'function', true, true])
    expect([name, typeof set]).toEqual([name, look.attributes.includes(name) ? 'function' : 'undefined'])
  }
  for (const [name, length] of Object.entries(look.operations)) {
    const { value, writable, enumerable, configurable } = describe(name)
    expect([name, (value as () => void).length, writable, enumerable, configurable]).toEqual([
      ...[name, length, true, true, true],
    ])
  }
  const known = [...look.attributes, ...look.readonly, ...Object.keys(look.operations), 'constructor']
  const constants = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED']
  expect(
    Object.getOwnPropertyNames(prototype)
      .filter((name) => !constants.includes(name))
      .sort(),
  ).toEqual(known.sort())
}

/** Tries every member on an object of another class. @returns what each does */
async function strangers(constructor: new (...args: never[]) => object, look: Look): Promise<string[]> {
  const prototype = constructor.prototype as object
  const outcomes: string[] = []
  for (const name of [...look.attributes, ...look.readonly]) {
    const { get, set } = Object.getOwnPropertyDescriptor(prototype, name)!
    const got: { value?: unknown } = {}
    const thrown = nameOfThrown(() => (got.value = get!.call({})))
    const isPromise = got.value instanceof Promise
    outcomes.push(
      isPromise
        ? ((await (got.value as Promise<unknown>).catch((error: unknown) => (error as Error).name)) as string)
        : thrown,
    )
    if (set !== undefined) outcomes.push(nameOfThrown(() => set.call({}, 'blob')))
  }
  for (const name of Object.keys(look.operations)) {
    const method = (prototype as Record<string, (...args: unknown[]) => unknown>)[name]!
    outcomes.push(nameOfThrown(() => method.call({}, {})))
  }
  return outcomes
}

export const INTERFACES: readonly WptCase[] = [
  {
    files: ['idlharness', 'interfaces'],
    title: 'members are where Web IDL wants them, enumerable, with the right lengths, and refuse strangers',
    run: async () => {
      for (const [constructor, look] of LOOKS) {
        expectLook(constructor, look)
        const outcomes = await strangers(constructor, look)
        expect(outcomes).toEqual(outcomes.map(() => 'TypeError'))
        expect(nameOfThrown(() => (constructor as unknown as () => void)())).toBe('TypeError')
      }
      expect(Object.getPrototypeOf(WebSocket)).toBe(EventTarget)
      expect(Object.getPrototypeOf(WebSocketError)).toBe(DOMException)
      expect(Object.prototype.toString.call(unconnected())).toBe('[object WebSocket]')
    },
  },
  {
    files: numbered('interfaces/WebSocket/constants', 1, 6),
    title: 'constants are on the interface and its prototype, and cannot be set, deleted or defined anew',
    run: () => {
      const values = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const
      const targets: object[] = [WebSocket, WebSocket.prototype]
      for (const [name, value] of Object.entries(values)) {
        expect((unconnected() as unknown as Record<string, number>)[name]).toBe(value)
        for (const target of targets) {
          expect(Object.getOwnPropertyDescriptor(target, name)).toEqual({
            ...{ value, enumerable: true, writable: false, configurable: false },
          })
          expect(Reflect.set(target, name, 5)).toBe(false)
          expect(Reflect.deleteProperty(target, name)).toBe(false)
          expect(nameOfThrown(() => Object.defineProperty(target, name, { get: () => 5 }))).toBe('TypeError')
        }
        expect(nameOfThrown(() => Object.assign(unconnected(), { [name]: 5 }))).toBe('TypeError')
      }
    },
  },
  {
    files: numbered('interfaces/WebSocket/readyState', 1, 5),
    title: 'readyState is 0 at first and read-only',
    run: () => {
      const socket = unconnected()
      expect(socket.readyState).toBe(WebSocket.CONNECTING)
      expect(nameOfThrown(() => Object.assign(socket, { readyState: 5 }))).toBe('TypeError')
      expect(Reflect.deleteProperty(socket, 'readyState')).toBe(true)
      expect(socket.readyState).toBe(socket.CONNECTING)
    },
  },
  {
    files: ['eventhandlers', ...numbered(EVENTS, 1, 4), ...numbered(EVENTS, 12, 15)],
    title:
      'a handler is null at first and for what is no object; an object that is no function is kept and not called',
    run: () => {
      const socket = unconnected()
      const set = (type: string, value: unknown): unknown => {
        Object.assign(socket, { [`on${type}`]: value })
        return (socket as unknown as Record<string, unknown>)[`on${type}`]
      }
      for (const type of TYPES) {
        expect(socket[`on${type}`]).toBeNull()
        const handler = (): void => undefined
        const object = { handleEvent: () => expect('not called').toBe('called') }
        expect([handler, object].map((value) => set(type, value))).toEqual([handler, object])
        socket.dispatchEvent(new Event(type))
        for (const value of [2, undefined, 'text', true, Symbol.iterator]) {
          set(type, handler)
          expect(set(type, value)).toBeNull()
        }
      }
    },
  },
  {
    files: numbered(EVENTS, 6, 11),
    title: 'handlers and listeners get any event of their type that is dispatched, and this is the socket',
    run: () => {
      const socket = unconnected()
      for (const type of TYPES) {
        const got: unknown[] = []
        const onEvent = function (this: WebSocket, event: Event): void {
          got.push(this, event.type)
        }
        Object.assign(socket, { [`on${type}`]: onEvent })
        socket.addEventListener(type, onEvent)
        socket.dispatchEvent(new Event(type))
        expect(got).toEqual([socket, type, socket, type])
        Object.assign(socket, { [`on${type}`]: null })
        socket.dispatchEvent(new Event(type))
        expect(got.length).toBe(6)
        const event = new Event(type, { cancelable: true })
        Object.assign(socket, { [`on${type}`]: () => false })
        expect(socket.dispatchEvent(event)).toBe(false)
      }
    },
  },
  {
    files: numbered(EVENTS, 16, 16),
    title: 'a handler runs in the place that it got when it was first set',
    run: async (world) => {
      const socket = world.connect('echo')
      const order: string[] = []
      for (const type of ['open', 'message', 'close'] as const) {
        socket.addEventListener(type, () => order.push(`${type} 1`))
        socket[`on${type}`] = () => order.push('never')
        socket.addEventListener(type, () => order.push(`${type} 3`))
        socket[`on${type}`] = () => order.push(`${type} 2`)
      }
      await next(socket, 'open')
      socket.send('x')
      await nextData(socket)
      socket.onclose = null
      socket.onclose = () => order.push('close 4')
      socket.close()
      await next(socket, 'close')
      const expected = [
        'open 1',
        'open 2',
        'open 3',
        'message 1',
        'message 2',
        'message 3',
        'close 1',
        'close 3',
        'close 4',
      ]
      expect(order).toEqual(expected)
    },
  },
  {
    files: [...numbered(EVENTS, 17, 18), ...numbered(EVENTS, 20, 20)],
    title:
      'events have the right class, target and phase, and do not bubble; a broken protocol is error and close',
    run: async (world) => {
      // The text "test", then a frame with the reserved opcode 3.
      const socket = world.connect('raw?81047465737483034c4f4c')
      const seen: string[] = []
      const done = new Promise<CloseEvent>((resolve) => {
        const onEvent = function (this: WebSocket, event: Event): void {
          expect([this, event.target, event.currentTarget].map((one) => one === socket)).toEqual([
            true,
            true,
            true,
          ])
          expect([event.eventPhase, event.bubbles, event.cancelable]).toEqual([2, false, false])
          seen.push(`${event.type} ${Object.prototype.toString.call(event)}`)
          if (event.type === 'open') socket.send('go')
          if (event.type === 'close') resolve(event as CloseEvent)
        }
        for (const type of TYPES) socket.addEventListener(type, onEvent)
      })
      expect(await done).toMatchObject({ code: 1006, reason: '', wasClean: false })
      expect(seen).toEqual([
        ...[
          'open [object Event]',
          `message ${Object.prototype.toString.call(new MessageEvent('message'))}`,
          'error [object Event]',
          'close [object CloseEvent]',
        ],
      ])
    },
  },
  {
    files: numbered(EVENTS, 19, 19),
    title: 'a listener that is removed is not called',
    run: async () => {
      const socket = unconnected()
      const got: string[] = []
      const listener = ({ type }: Event): unknown => got.push(type)
      for (const type of TYPES) {
        socket.addEventListener(type, listener)
        socket.removeEventListener(type, listener)
        socket.dispatchEvent(new Event(type))
      }
      await sleep(20)
      expect(got).toEqual([])
    },
  },
  {
    files: ['multi-globals/message-received'],
    title: 'a MessageEvent has the data and the origin of the connection',
    run: async (world) => {
      const event = await next(world.connect('say-query?hello'), 'message')
      expect(event).toMatchObject({
        data: 'hello',
        origin: new URL(world.at('')).origin,
        lastEventId: '',
        source: null,
      })
    },
  },
]
