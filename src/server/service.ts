import type { IncomingMessage } from 'node:http'
import type { PeerCertificate } from 'node:tls'
import { checkNumber, showValue } from '../limits.js'
import type { HeadersInput } from '../socket/headers-input.js'
import type { HeaderFields } from '../handshake/header-fields.js'
import type { Service } from '../socket/service.js'
import type { ServerSocket } from './server-socket.js'

/** What `onUpgrade` decides on. */
export interface UpgradeInfo {
  /** Path and query as sent. */
  readonly url: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: HeaderFields
  /** The subprotocols offered, in the client's order. */
  readonly protocols: readonly string[]
  readonly origin: string | undefined
  readonly remoteAddress: string
  readonly secure: boolean
  /** The peer's certificate, where TLS asked for one and one came. */
  readonly certificate: PeerCertificate | undefined
  /** Aborted when the connection is reset, the server closes or the handshake takes too long, before the decision. */
  readonly signal: AbortSignal
  /** The request as node:http read it; undefined where it came through a port of Hawser's own. */
  readonly raw: IncomingMessage | undefined
}

/** The decision to accept an upgrade. */
export class Accept<Data> {
  readonly data: Data
  readonly headers: HeadersInput | undefined
  readonly protocol: string | undefined

  constructor(options: AcceptOptions<Data>) {
    this.data = options.data as Data
    this.headers = options.headers
    this.protocol = options.protocol
  }
}

export interface AcceptOptions<Data> {
  /** Becomes `socket.data`. */
  readonly data?: Data
  /** Further headers of the 101 response, for example Set-Cookie. */
  readonly headers?: HeadersInput
  /** One of the subprotocols that the client offered; instead of the server's own choice. */
  readonly protocol?: string
}

/** The decision to reject an upgrade. */
export class Reject {
  readonly status: number
  readonly body: string | Uint8Array | undefined
  readonly headers: HeadersInput | undefined

  constructor(status: number, body: string | Uint8Array | undefined, headers: HeadersInput | undefined) {
    this.status = status
    this.body = body
    this.headers = headers
  }
}

/** Accepts an upgrade; to be returned from `onUpgrade`. */
export function accept<Data = undefined>(options: AcceptOptions<Data> = {}): Accept<Data> {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw new TypeError(`accept takes an object with data, headers and protocol, not ${showValue(options)}`)
  }
  return new Accept(options)
}

/**
 * Rejects an upgrade; to be returned from `onUpgrade`.
 * @param status 300 to 599
 * @throws TypeError or RangeError for another status
 */
export function reject(status: number, body?: string | Uint8Array, headers?: HeadersInput): Reject {
  checkNumber('status', status, { min: 300, max: 599, integer: true })
  return new Reject(status, body, headers)
}

/** What a server does with the connections of a route. */
export type ServerService<Data = unknown> = Service<ServerSocket<Data>> & {
  /**
   * Decides on an upgrade, sync or async. Without it every upgrade is accepted. Anything but `accept(...)` or
   * `reject(...)`, a throw and a rejected promise are answered with 500, which says nothing of why.
   */
  onUpgrade?(request: UpgradeInfo): Accept<Data> | Reject | Promise<Accept<Data> | Reject>
}
