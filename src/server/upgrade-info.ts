import type { IncomingMessage } from 'node:http'
import type { PeerCertificate } from 'node:tls'
import type { HeaderFields } from '../handshake/header-fields.js'
import { showAs } from '../inspect.js'
import type { UpgradeRequest } from '../handshake/server-handshake.js'
import type { Params } from './path-matching.js'

/** What `onUpgrade` decides on. */
export interface UpgradeInfo<Params = Readonly<Record<string, string>>> {
  /** Path and query as sent. */
  readonly url: string
  /** The path as sent, without the query. */
  readonly path: string
  /** The parameters of the route's path, percent-decoded. */
  readonly params: Params
  /** The query, parsed when it is first read. */
  readonly query: URLSearchParams
  /** The header fields of the request. */
  readonly headers: HeaderFields
  /** The subprotocols offered, in the client's order. */
  readonly protocols: readonly string[]
  /** The Origin header; undefined if there is none. */
  readonly origin: string | undefined
  /** The IP address of the peer, which may be a proxy; empty for a Unix socket. */
  readonly remoteAddress: string
  /** The client's IP address, as `socket.clientAddress`: behind proxies that the server trusts the one that they report. */
  readonly clientAddress: string
  /** Whether the transport is TLS. */
  readonly secure: boolean
  /** The peer's certificate, if TLS requested one and the peer sent one. */
  readonly certificate: PeerCertificate | undefined
  /** Aborted when the connection is reset, the server closes or the handshake takes too long, before the decision. */
  readonly signal: AbortSignal
  /** The request of node:http: always there with `attach` and `handleUpgrade`, never on a port of Hawser's own. */
  readonly raw: IncomingMessage | undefined
}

/** The parts of it that come from the connection. */
type UpgradeSource = Pick<UpgradeInfo, 'remoteAddress' | 'clientAddress' | 'secure' | 'certificate' | 'raw'>

/** Aborts the request's signal: its decision has no effect any more. */
export let abortInfo: (info: RequestInfo) => void
/** Whether an error is the reason of the signal, which is aborted. */
export let isAbortOf: (info: RequestInfo, error: unknown) => boolean
/** Sets the parameters that the routing of a framework found, before a service's own `onUpgrade` reads them. */
export let setParams: (info: UpgradeInfo, params: Params) => void

/** The request as `onUpgrade` gets it. Parts that cost anything are made when they are first read. */
export class RequestInfo implements UpgradeInfo {
  static {
    abortInfo = (info) => {
      info.#isOver = true
      info.#aborter?.abort()
    }
    isAbortOf = (info, error) =>
      info.#aborter?.signal.aborted === true && error === info.#aborter.signal.reason
    setParams = (info, params) => {
      ;(info as { params: Params }).params = params
    }
    showAs(RequestInfo, 'UpgradeInfo', ({ url, params, protocols, origin, remoteAddress, secure }) => {
      return { url, params, protocols, origin, remoteAddress, secure }
    })
  }

  readonly #source: UpgradeSource
  readonly #request: UpgradeRequest
  #aborter: AbortController | null = null
  #query: URLSearchParams | null = null
  readonly params: Params
  #isOver = false

  constructor(source: UpgradeSource, request: UpgradeRequest, params: Params) {
    this.#source = source
    this.#request = request
    this.params = params
  }

  get url(): string {
    return this.#request.target
  }

  get path(): string {
    return this.#request.path
  }

  get query(): URLSearchParams {
    return (this.#query ??= new URLSearchParams(this.#request.search))
  }

  get headers(): HeaderFields {
    return this.#request.headers
  }

  get protocols(): readonly string[] {
    return this.#request.protocols
  }

  get origin(): string | undefined {
    return this.#request.origin
  }

  get remoteAddress(): string {
    return this.#source.remoteAddress
  }

  get clientAddress(): string {
    return this.#source.clientAddress
  }

  get secure(): boolean {
    return this.#source.secure
  }

  get certificate(): PeerCertificate | undefined {
    return this.#source.certificate
  }

  get raw(): IncomingMessage | undefined {
    return this.#source.raw
  }

  get signal(): AbortSignal {
    this.#aborter ??= new AbortController()
    if (this.#isOver) this.#aborter.abort()
    return this.#aborter.signal
  }
}
