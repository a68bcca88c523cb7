/**
 * What the application holds in its hands has the members that the types say, and no others: not in autocomplete, not in
 * `Object.keys`, not in a log (docs/adr/0016).
 */
import path from 'node:path'
import { inspect } from 'node:util'
import {
  accept,
  clients,
  closeWith,
  connect,
  ConnectionClosedError,
  HandshakeError,
  InvalidMessageError,
  InvalidStateError,
  LimitError,
  NameTakenError,
  PreparedMessage,
  ProtocolError,
  reject,
  TransportError,
  UnknownConnectionError,
  WebSocketServer,
  type ClientSocket,
} from '../../src/index.js'
import { evaluatorOf } from '../helpers/evaluate.js'

const root = path.join(__dirname, '../..')
const LIST = `return subject.listMembers(input + '/src/index.ts', {
  typeRoots: [input + '/node_modules/@types'], types: ['node'],
})`
const members = evaluatorOf('scripts')('public-types.mjs', LIST, root) as Readonly<Record<string, string[]>>

const LANGUAGE: readonly unknown[] = [Object.prototype, Error.prototype]
/** Keys that no name reaches: the hook of `util.inspect`, and how a message to many is handed over. */
const HIDDEN: readonly symbol[] = [Symbol.for('nodejs.util.inspect.custom')]

/** The symbols of the language, by their names. */
const WELL_KNOWN: ReadonlyMap<unknown, string> = new Map(
  Object.getOwnPropertyNames(Symbol).map((name) => [
    (Symbol as unknown as Record<string, unknown>)[name],
    `[Symbol.${name}]`,
  ]),
)

/** An object and what it inherits, up to what the language has. */
function chainOf(object: object): object[] {
  const chain = []
  for (
    let at: object | null = object;
    at !== null && !LANGUAGE.includes(at);
    at = Object.getPrototypeOf(at)
  ) {
    chain.push(at)
  }
  return chain
}

const keysOf = (object: object): (string | symbol)[] => chainOf(object).flatMap((at) => Reflect.ownKeys(at))

/** The names of all members but the constructor, with the symbols of the language. */
function namesOf(object: object): string[] {
  const names = keysOf(object).flatMap((key) => {
    if (typeof key === 'string') return key === 'constructor' ? [] : [key]
    const name = WELL_KNOWN.get(key)
    return name === undefined ? [] : [name]
  })
  return [...new Set(names)].sort()
}

const ERRORS: Readonly<Record<string, Error>> = {
  ConnectionClosedError: new ConnectionClosedError(1006, ''),
  HandshakeError: new HandshakeError('HAWSER_NOT_FOUND'),
  InvalidMessageError: new InvalidMessageError(1007, 'wrong'),
  InvalidStateError: new InvalidStateError('closed'),
  LimitError: new LimitError('HAWSER_FRAME_TOO_BIG', 1, 2),
  NameTakenError: new NameTakenError('ada'),
  ProtocolError: new ProtocolError('HAWSER_INVALID_UTF8'),
  TransportError: new TransportError('lost', new Error('reset')),
  UnknownConnectionError: new UnknownConnectionError('ada'),
}

const server = new WebSocketServer()
/** Each object that the application can get, by the name of its type. */
let objects: Readonly<Record<string, object>>

beforeAll(async () => {
  const held: Record<string, object> = { WebSocketServer: server }
  held['Route'] = server.route('/:room', {
    onUpgrade: (request) => {
      held['UpgradeInfo'] = request
      return accept()
    },
    onOpen: (socket) => {
      held['ServerSocket'] = socket
      held['Delivery'] = server.broadcast('open')
    },
  })
  const { port } = await server.listen(0, '127.0.0.1')
  const client = await connect(`ws://127.0.0.1:${String(port)}/dogs`)
  await client.receive()
  const url = `ws://127.0.0.1:${String(port)}/dogs`
  const again = await connect(url, { reconnect: true })
  const gone = await connect(`ws://127.0.0.1:${String(port)}/dogs`)
  objects = {
    ...held,
    Clients: clients,
    ClientSocket: client,
    ReconnectingSocket: again,
    Group: server.group('dogs'),
    ConnectionRegistry: server.connections,
    SocketList: server.sockets,
    ServerStats: server.stats(),
    PreparedMessage: new PreparedMessage('hello'),
    CloseInfo: await gone.close(1000),
    Accept: accept(),
    Reject: reject(403),
    CloseReply: closeWith(1000),
  }
})

afterAll(() => {
  // A client that reconnects would do so for ever.
  ;(objects['ReconnectingSocket'] as ClientSocket).terminate()
  return server.close()
})

describe('an object that the application gets', () => {
  it.each([
    'WebSocketServer',
    'Route',
    'SocketList',
    'ServerSocket',
    'ClientSocket',
    'ReconnectingSocket',
    'Clients',
    'Group',
    'ConnectionRegistry',
    'PreparedMessage',
    'UpgradeInfo',
    'ServerStats',
    'CloseInfo',
    'Delivery',
    'Accept',
    'Reject',
    'CloseReply',
  ])('has the members of the type %s, own and inherited, and no others', (type) => {
    expect(namesOf(objects[type] as object)).toEqual(members[type])
  })

  it.each(Object.keys(ERRORS))('has no member that the type %s does not have', (type) => {
    const known = [...(members[type] as string[]), ...Object.getOwnPropertyNames(Error.prototype)]
    expect(namesOf(ERRORS[type] as Error).filter((name) => !known.includes(name))).toEqual([])
  })

  it('has no key beside its members but symbols that are not exported, which nothing enumerates', () => {
    for (const object of [...Object.values(objects), ...Object.values(ERRORS)]) {
      const symbols = keysOf(object).filter((key): key is symbol => typeof key === 'symbol')
      const others = symbols.filter((key) => !WELL_KNOWN.has(key))
      const unknown = others.filter((key) => !HIDDEN.includes(key) && key.description !== 'deliver')
      expect(unknown).toEqual([])
      expect(Object.getOwnPropertySymbols(object)).toEqual([])
    }
  })

  it('has no value of its own but those that it may show', () => {
    const own = Object.fromEntries(
      Object.entries(objects).map(([type, object]) => [type, Object.keys(object)]),
    )
    expect(own).toMatchObject({
      WebSocketServer: [],
      Route: [],
      SocketList: [],
      ServerSocket: ['data', 'params', 'request'],
      ClientSocket: ['data'],
      ReconnectingSocket: ['data'],
      Group: ['name'],
      ConnectionRegistry: [],
      UpgradeInfo: ['params'],
    })
    for (const [type, object] of Object.entries(objects)) {
      for (const name in object) expect(members[type]).toContain(name)
    }
  })

  it('shows in a log by the name of its type, in one line, also where private things are shown', () => {
    for (const [type, object] of Object.entries(objects)) {
      if (['ServerStats', 'Accept', 'Reject', 'CloseReply'].includes(type)) continue
      const shown = inspect(object, { showHidden: true, breakLength: Infinity, depth: 1 })
      expect(shown).toMatch(new RegExp(`^${type} \\{ [^\\n]*\\}$`))
      expect(shown).not.toMatch(/driver|transport|core|handle|Symbol/i)
      expect(shown.length).toBeLessThan(250)
    }
  })

  it('shows its own prototype without reading values that this does not have', () => {
    for (const object of Object.values(objects)) {
      for (const prototype of chainOf(object).slice(1)) expect(() => inspect(prototype)).not.toThrow()
    }
  })
})
