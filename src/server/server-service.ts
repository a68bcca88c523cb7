import {
  checkNumber,
  checkOptionNames,
  refusePromise,
  refuseSurplus,
  showValue,
  string,
  unchecked,
  type Checks,
} from '../check.js'
import type { MessageData } from '../connection/message-data.js'
import type { PreparedMessage } from '../connection/prepared-message.js'
import { formatCallerHeaders, type HeaderPairs } from '../handshake/caller-headers.js'
import { checkBodyOf } from '../handshake/server-handshake.js'
import { SERVER_LIMITS } from '../limits.js'
import type { Codec } from '../service/codec.js'
import { checkServiceNames, SETTING_NAMES } from '../service/service-names.js'
import { checkService, type Handlers, type Service } from '../service/service.js'
import type { Delivery, FanOutOptions } from '../socket/fan-out.js'
import { optionalHeaders, toHeaderPairs, type HeadersInput } from '../socket/headers-input.js'
import type { ServerStats, SocketList } from './diagnostics.js'
import { resolveServiceSettings, type ResolvedServiceSettings, type ServiceSettings } from './options.js'
import type { ServerSocket } from './server-socket.js'
import type { UpgradeInfo } from './upgrade-info.js'

export type { UpgradeInfo } from './upgrade-info.js'

/** The decision to accept an upgrade: made by {@link accept}. */
export interface Accept<Data> {
  /** Becomes `socket.data`. */
  readonly data: Data
  /** Further headers of the 101 response. */
  readonly headers: HeadersInput | undefined
  /** The subprotocol; undefined: the server chooses. */
  readonly protocol: string | undefined
}

/** What {@link accept} makes: nothing else accepts an upgrade. */
export class AcceptDecision<Data> implements Accept<Data> {
  readonly data: Data
  /** Read and checked: one decision may answer several upgrades, and an iterable may be read once only. */
  readonly headers: HeaderPairs | undefined
  readonly protocol: string | undefined

  constructor(data: Data, headers: HeaderPairs | undefined, protocol: string | undefined) {
    this.data = data
    this.headers = headers
    this.protocol = protocol
  }
}

/** The options of {@link accept}. */
export interface AcceptOptions<Data> {
  /** Becomes `socket.data`. */
  readonly data?: Data
  /** Further headers of the 101 response, for example Set-Cookie. */
  readonly headers?: HeadersInput
  /** One of the subprotocols that the client offered. Default: the server's choice. */
  readonly protocol?: string
}

/** The decision to reject an upgrade: made by {@link reject}. */
export interface Reject {
  /** The HTTP status: 300 to 599. */
  readonly status: number
  /** The body of the response; undefined: none. */
  readonly body: string | Uint8Array | undefined
  /** Further headers of the response. */
  readonly headers: HeadersInput | undefined
}

/** What {@link reject} makes: nothing else rejects an upgrade. */
export class RejectDecision implements Reject {
  readonly status: number
  readonly body: string | Uint8Array | undefined
  /** Read and checked, as those of an {@link AcceptDecision}. */
  readonly headers: HeaderPairs | undefined

  constructor(status: number, body: string | Uint8Array | undefined, headers: HeaderPairs | undefined) {
    this.status = status
    this.body = body
    this.headers = headers
  }
}

const ACCEPT = {
  data: unchecked<unknown>(),
  headers: optionalHeaders,
  protocol: string(undefined),
} satisfies Checks<AcceptOptions<unknown>>

/**
 * Reads and checks the headers of a response.
 * @throws TypeError: see {@link toHeaderPairs} and {@link formatCallerHeaders}
 */
function readHeaders(headers: HeadersInput | undefined): HeaderPairs | undefined {
  const pairs = toHeaderPairs(headers)
  // What writes the head formats them again, beside the headers of the handshake.
  formatCallerHeaders(pairs)
  return pairs
}

/**
 * Makes the decision to accept an upgrade: return it from `onUpgrade`.
 * @throws TypeError for options that are not an object, an unknown option, an option of a wrong type, and headers that are
 *   malformed or that the handshake writes itself
 */
export function accept<Data = undefined>(options?: AcceptOptions<Data>): Accept<Data>
export function accept<Data>(options: AcceptOptions<Data> = {}, surplus?: unknown): Accept<Data> {
  refuseSurplus(surplus, 'accept(options)', 'the options are data, headers and protocol')
  // Once for each connection: the checks are called as they are, and no object is made between.
  checkOptionNames('AcceptOptions', options, ACCEPT)
  const { data, headers, protocol } = options
  return new AcceptDecision(
    data as Data,
    headers === undefined ? undefined : readHeaders(ACCEPT.headers('headers', headers)),
    ACCEPT.protocol('protocol', protocol),
  )
}

/**
 * Makes the decision to reject an upgrade: return it from `onUpgrade`.
 * @param status the HTTP status, 300 to 599
 * @param body text, which is sent as UTF-8, or bytes. Default: empty
 * @throws TypeError or RangeError for another status; TypeError for a body of a wrong type, for a body with 304, and for
 *   headers that are malformed or that the handshake writes itself
 */
export function reject(status: number, body?: string | Uint8Array, headers?: HeadersInput): Reject
export function reject(
  status: number,
  body?: string | Uint8Array,
  headers?: HeadersInput,
  surplus?: unknown,
): Reject {
  refuseSurplus(surplus, 'reject(status, body, headers)', 'it has no options')
  checkNumber('status', status, { min: 300, max: 599, integer: true })
  if (body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)) {
    throw new TypeError(`body must be a string or a Uint8Array, not ${showValue(body)}`)
  }
  checkBodyOf(status, body)
  return new RejectDecision(status, body, headers === undefined ? undefined : readHeaders(headers))
}

/** The service of a route: its handlers, the decision on its upgrades, and its settings. */
export type ServerService<Data = unknown, Params = Readonly<Record<string, string>>, C = undefined> = Service<
  ServerSocket<Data, Params>,
  C
> &
  ServiceSettings & {
    /**
     * Decides on an upgrade, sync or async. Without it every upgrade is accepted. If it returns anything but `accept(...)`
     * or `reject(...)`, throws or rejects, the upgrade is answered with 500, which does not show the reason to the peer.
     */
    onUpgrade?(request: UpgradeInfo<Params>): Accept<Data> | Reject | Promise<Accept<Data> | Reject>
  }

/**
 * A service with a codec where `Data` is given by hand: what the codec reads can then not be inferred, and a message is
 * what its handler declares.
 */
export type CodecService<Data, Params> = ServerService<
  Data,
  Params,
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- unknown would take no handler that declares its message
  Codec<any>
> & {
  /** The codec of the service. */
  readonly codec: Codec
}

/**
 * Makes the handlers of one connection; called before its `onOpen`. Settings are properties of the function, since they
 * are wanted before there is a connection: `Object.assign((socket) => handlers, { idleTimeoutMs: 60_000 })`.
 */
export interface ServiceFactory<
  Data = unknown,
  Params = Readonly<Record<string, string>>,
  C = undefined,
> extends ServiceSettings {
  (socket: ServerSocket<Data, Params>): Service<ServerSocket<Data, Params>, C>
}

/** A path with its service, and the connections that were upgraded at this path. */
export interface Route<Data = unknown, Params = Readonly<Record<string, string>>> {
  /** As it was given. */
  readonly path: string
  /** The connections that are open or closing; live, so that a loop over it sees those that come and go. */
  readonly sockets: SocketList<ServerSocket<Data, Params>>
  /** The number of these connections. */
  readonly connectionCount: number
  /**
   * Sends a message to all of them that are open: encoded and compressed once. One that is slow or broken never stops
   * the others.
   * @throws TypeError for anything that is neither text nor bytes, and for wrong options; what `filter` throws
   */
  broadcast(
    data: MessageData | PreparedMessage,
    options?: FanOutOptions<ServerSocket<Data, Params>>,
  ): Delivery
  /** Counts of this route since it was added. */
  stats(): ServerStats
}

export type AnyService = ServerService | ServiceFactory

/** Only for the check of a service's own settings. */
const ANY_SERVER: ResolvedServiceSettings = {
  limits: SERVER_LIMITS,
  protocols: [],
  autoPong: true,
  quotas: null,
}

/**
 * What stands in the place of a service.
 * @throws TypeError for a class, an async function, a generator and a function of several parameters, none of which makes handlers
 *   when it is called; TypeError
 *   or RangeError: see {@link checkService} and {@link resolveServiceSettings}
 */
export function checkServerService(service: unknown): AnyService {
  refuseDecision(service, 'service')
  if (typeof service === 'function') {
    checkFactory(service)
    checkServiceNames('service', service, [], SETTING_NAMES)
  } else checkService<ServerSocket>('service', service, ['onUpgrade'], SETTING_NAMES)
  resolveServiceSettings('service', service as AnyService, ANY_SERVER)
  return service as AnyService
}

/**
 * Refuses what decides on an upgrade where nothing asks for a decision: it would count as no refusal.
 * @throws TypeError for what `accept` and `reject` make
 */
export function refuseDecision(value: unknown, what: string): void {
  if (!(value instanceof AcceptDecision) && !(value instanceof RejectDecision)) return
  const made = value instanceof RejectDecision ? 'reject' : 'accept'
  throw new TypeError(`${what} must not be ${made}(...): onUpgrade of a service decides, and returns it`)
}

/** What was thrown, or why a decision must not be. */
export const thrownOrDecided = (thrown: unknown): unknown =>
  thrown instanceof AcceptDecision || thrown instanceof RejectDecision
    ? new TypeError('onUpgrade must return accept(...) and reject(...), and not throw them')
    : thrown

/** Refuses at once the functions that would fail for each connection. Calls nothing. */
function checkFactory(factory: object): void {
  if (/^class\b/.test(Function.prototype.toString.call(factory))) {
    const { name } = factory as { readonly name?: unknown }
    const made = `new ${typeof name === 'string' && name !== '' ? name : 'X'}()`
    throw new TypeError(
      `service must not be a class: give ${made}, or () => ${made} for one of each connection`,
    )
  }
  const { length } = factory as { readonly length?: unknown }
  if (typeof length === 'number' && length > 1) {
    throw new TypeError(
      `service must not be a function of ${String(length)} parameters: it gets the socket alone and returns its handlers, ` +
        'as in (socket) => ({ onMessage(socket, message) {} }); onUpgrade and the data of an adapter see the request',
    )
  }
  const kind = Object.prototype.toString.call(factory).slice('[object '.length, -1)
  if (kind === 'AsyncFunction') {
    throw new TypeError(
      'the function that makes handlers must not be async: await in onUpgrade or onOpen instead',
    )
  }
  if (kind === 'GeneratorFunction' || kind === 'AsyncGeneratorFunction') {
    throw new TypeError('the function that makes handlers must not be a generator')
  }
}

/** Of what factories made: once for each class, since each connection has an instance. */
const passedPrototypes = new WeakSet()

/**
 * Checks what a factory made.
 * @throws TypeError or RangeError: see {@link checkService}; TypeError for a setting, which would come too late
 */
export function checkMade(made: unknown): Handlers<ServerSocket> {
  // It would have no handlers, and its rejection would be unhandled.
  refusePromise(made, 'the function of a route must return handlers, not a promise')
  refuseDecision(made, 'what the function of a route returns')
  const handlers = checkService<ServerSocket>('handlers', made, [], SETTING_NAMES, passedPrototypes)
  const late = SETTING_NAMES.find((name) => name in handlers)
  if (late === undefined) return handlers
  throw new TypeError(
    `handlers.${late} comes too late, after the handshake: make ${late} a property of the function that makes the handlers`,
  )
}
