import type { IncomingMessage } from 'node:http'
import type { PeerCertificate } from 'node:tls'
import type { HeaderFields } from '../handshake/header-fields.js'

/** What `onUpgrade` decides on. */
export interface UpgradeInfo<Params = Readonly<Record<string, string>>> {
  /** Path and query as sent. */
  readonly url: string
  readonly path: string
  /** The parameters of the route's path, percent-decoded. */
  readonly params: Params
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
  /** The request of node:http: always there with `attach` and `handleUpgrade`, never on a port of Hawser's own. */
  readonly raw: IncomingMessage | undefined
}
