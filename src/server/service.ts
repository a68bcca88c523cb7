import { checkNumber, checkOptionNames } from '../check.js'
import type { Codec } from '../service/codec.js'
import type { HeadersInput } from '../socket/headers-input.js'
import type { Service } from '../service/service.js'
import type { ServerSocket } from './server-socket.js'
import type { ServiceSettings } from './options.js'
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
  readonly headers: HeadersInput | undefined
  readonly protocol: string | undefined

  constructor(options: AcceptOptions<Data>) {
    this.data = options.data as Data
    this.headers = options.headers
    this.protocol = options.protocol
  }
}

/** The options of {@link accept}. */
export interface AcceptOptions<Data> {
  /** Becomes `socket.data`. */
  readonly data?: Data
  /** Further headers of the 101 response, for example Set-Cookie. */
  readonly headers?: HeadersInput
  /** One of the subprotocols that the client offered; instead of the server's own choice. */
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
  readonly headers: HeadersInput | undefined

  constructor(status: number, body: string | Uint8Array | undefined, headers: HeadersInput | undefined) {
    this.status = status
    this.body = body
    this.headers = headers
  }
}

const ACCEPT_OPTIONS: ReadonlySet<string> = new Set([
  'data',
  'headers',
  'protocol',
] satisfies (keyof AcceptOptions<unknown>)[])

/**
 * Accepts an upgrade; to be returned from `onUpgrade`.
 * @throws TypeError for what is no object, and for a name that is no option
 */
export function accept<Data = undefined>(options: AcceptOptions<Data> = {}): Accept<Data> {
  checkOptionNames('AcceptOptions', options, ACCEPT_OPTIONS)
  return new AcceptDecision(options)
}

/**
 * Rejects an upgrade; to be returned from `onUpgrade`.
 * @param status 300 to 599
 * @throws TypeError or RangeError for another status
 */
export function reject(status: number, body?: string | Uint8Array, headers?: HeadersInput): Reject {
  checkNumber('status', status, { min: 300, max: 599, integer: true })
  return new RejectDecision(status, body, headers)
}

/** What a server does with the connections of a route: handlers, the decision on upgrades, and settings of its own. */
export type ServerService<Data = unknown, Params = Readonly<Record<string, string>>, C = undefined> = Service<
  ServerSocket<Data, Params>,
  C
> &
  ServiceSettings & {
    /**
     * Decides on an upgrade, sync or async. Without it every upgrade is accepted. Anything but `accept(...)` or
     * `reject(...)`, a throw and a rejected promise are answered with 500, which says nothing of why.
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
