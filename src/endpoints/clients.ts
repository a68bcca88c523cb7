import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkOptionNames, refuseSurplus, showValue } from '../check.js'
import type { ClientSocket } from '../client/client-socket.js'
import {
  CONNECT_ADVICE,
  CONNECT_CHECKS,
  withHandlers,
  type ConnectOptions,
} from '../client/connect-options.js'
import { prepareConnect, type PreparedConnect } from '../client/connect.js'
import type { ReconnectOptions } from '../client/reconnect-options.js'
import type { ReconnectUrl } from '../client/reconnect-urls.js'
import type { ReconnectingSocket } from '../client/reconnecting-socket.js'
import { ReadyState } from '../connection/ready-state.js'
import type { Codec, MessageOf } from '../service/codec.js'
import { HANDLER_NAMES } from '../service/service-names.js'
import type { Service } from '../service/service.js'
import { showAs } from '../inspect.js'
import { findModule, loadModule } from './load-module.js'
import { handlersOf } from './names.js'

/** The options of {@link Clients.connect}: those of `connect`, with a handler in the place of `handlers`. */
export interface ClientsConnectOptions<Data = unknown, C = undefined, H = undefined> extends Omit<
  ConnectOptions<Data, C, H>,
  'handlers'
> {
  /**
   * The handlers; or the path of a module that has them, as its default export or as its exports: relative to the working
   * directory of the process, or a `file:` URL. Without extension, Hawser looks for `.mjs`, `.js` and `.cjs`.
   */
  readonly handler: string | URL | Service<ClientSocket<Data>, H>
}

/** A client in the registry. */
export interface ClientInfo {
  /** The id of its socket; it stays the same when the client reconnects. */
  readonly id: string
  /** The URL of its connection, or of the last one. */
  readonly url: string
  /** The handler, as it was given. */
  readonly handler: string | URL | object
  /** `'connecting'` is a client that has lost its connection, and that will have another. */
  readonly state: 'connecting' | 'open' | 'closing'
}

/** The clients of this process that were made by `clients.connect`, from their first `onOpen` until they are over for good. */
export interface Clients {
  /**
   * Opens a connection, as `connect` does, that the registry has as long as it lives.
   * @throws as `connect` does, at once, also for a handler that is wrong; the promise rejects as that of `connect`, and with an
   *   Error for a module that is not there, with what the module throws, or with a TypeError or a RangeError for wrong handlers in it
   */
  connect<Data = undefined, C extends Codec | undefined = undefined, H extends Codec | undefined = undefined>(
    url: ReconnectUrl,
    options: ClientsConnectOptions<Data, C, H> & {
      /** The client connects again when its connection is lost. */
      readonly reconnect: true | ReconnectOptions
    },
  ): Promise<ReconnectingSocket<Data, MessageOf<C>>>
  connect<Data = undefined, C extends Codec | undefined = undefined, H extends Codec | undefined = undefined>(
    url: string | URL,
    options: ClientsConnectOptions<Data, C, H>,
  ): Promise<ClientSocket<Data, MessageOf<C>>>
  /** All clients, the oldest first. */
  list(): ClientInfo[]
  /** The client with an id. @throws TypeError for what is not a string */
  get(id: string): ClientSocket | undefined
  /**
   * The newest client with a handler: handlers by identity, a module by its path.
   * @throws TypeError for what is neither a path, nor a `file:` URL, nor an object
   */
  byHandler(handler: string | URL | object): ClientSocket | undefined
}

interface Entry {
  readonly socket: ClientSocket
  readonly handler: string | URL | object
  /** By which the handler is found: itself, or the whole paths of its module. */
  readonly keys: readonly unknown[]
}

const STATES = { 0: 'connecting', 1: 'open', 2: 'closing' } as const

/** By id, the oldest first. */
const ENTRIES = new Map<string, Entry>()

const { handlers: _handlers, ...CHECKS } = CONNECT_CHECKS
const LEGAL = { handler: null, ...CHECKS }
const ADVICE = {
  instead: {
    ...CONNECT_ADVICE.instead,
    ...Object.fromEntries(HANDLER_NAMES.map((name) => [name, `use handler.${name}`])),
    handlers: 'use handler',
  },
}

/** The handlers, or the whole path of a module. @throws TypeError for what is neither */
function keyOf(handler: unknown): string | object {
  const isFileUrl = handler instanceof URL || (typeof handler === 'string' && handler.startsWith('file:'))
  if (isFileUrl && new URL(handler).protocol === 'file:') return fileURLToPath(handler)
  if (typeof handler === 'string' && handler !== '') return path.resolve(handler)
  if (typeof handler === 'object' && handler !== null && !isFileUrl) return handler
  const shown = handler instanceof URL ? showValue(handler.href) : showValue(handler)
  throw new TypeError(
    `handler must be an object with handlers, or the path or file: URL of a module, not ${shown}`,
  )
}

/** The entries that are not over, the oldest first. */
const living = (): Entry[] =>
  [...ENTRIES.values()].filter(({ socket }) => socket.readyState !== ReadyState.CLOSED)

function add(entry: Entry): void {
  const { id, closed } = entry.socket
  // A client that reconnects is there already.
  if (ENTRIES.has(id)) return
  ENTRIES.set(id, entry)
  void closed.then(() => ENTRIES.delete(id))
}

function connectClient(url: ReconnectUrl, options: object, surplus?: unknown): Promise<ClientSocket> {
  refuseSurplus(surplus, 'clients.connect(url, options)', 'subprotocols are the option protocols')
  checkOptionNames('ClientsConnectOptions', options, LEGAL, ADVICE)
  const given = options as Readonly<Record<string, unknown>>
  const handler = given['handler'] as Entry['handler']
  const key = keyOf(handler)
  const prepared = prepareConnect(
    url,
    Object.fromEntries(Object.keys(CHECKS).map((name) => [name, given[name]])),
  )
  if (typeof key === 'string') return connectModule(prepared, handler, key)
  return open(prepared, { handler, keys: [key] }, 'handler', key)
}

async function connectModule(
  prepared: PreparedConnect,
  handler: Entry['handler'],
  module: string,
): Promise<ClientSocket> {
  const file = await findModule([module])
  return open(prepared, { handler, keys: [module, file] }, file, handlersOf(await loadModule(file)))
}

function open(
  prepared: PreparedConnect,
  entry: Omit<Entry, 'socket'>,
  name: string,
  handlers: unknown,
): Promise<ClientSocket> {
  return prepared.open(withHandlers(prepared.options, name, handlers), (socket) => {
    add({ ...entry, socket })
  })
}

class ClientRegistry implements Clients {
  connect<Data, C extends Codec | undefined>(
    url: ReconnectUrl,
    options: object,
    surplus?: unknown,
  ): Promise<ReconnectingSocket<Data, MessageOf<C>>> {
    return connectClient(url, options, surplus) as Promise<ReconnectingSocket<Data, MessageOf<C>>>
  }

  list(): ClientInfo[] {
    return living().map(({ socket, handler }) => {
      const { id, url, readyState } = socket
      return Object.freeze({ id, url, handler, state: STATES[readyState as keyof typeof STATES] })
    })
  }

  get(id: string): ClientSocket | undefined {
    if (typeof id !== 'string') throw new TypeError(`id must be a string, not ${showValue(id)}`)
    const socket = ENTRIES.get(id)?.socket
    return socket?.readyState === ReadyState.CLOSED ? undefined : socket
  }

  byHandler(handler: string | URL | object): ClientSocket | undefined {
    const key = keyOf(handler)
    return living().findLast(({ keys }) => keys.includes(key))?.socket
  }
}
showAs(ClientRegistry, 'Clients', () => ({ size: living().length }))

/** The registry of clients. See {@link Clients}. */
export const clients: Clients = Object.freeze(new ClientRegistry())
