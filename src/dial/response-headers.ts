import { HeaderFields } from '../handshake/header-fields.js'

/** One for all connections whose response had nothing else than the handshake. */
export const NO_HEADERS = HeaderFields.fromRawHeaders([])

const isOfHandshake = (name: string): boolean =>
  name === 'upgrade' || name === 'connection' || name.startsWith('sec-websocket-')

/** The headers of a response that the handshake does not define; they are kept as long as the connection. */
export function responseHeadersOf(headers: HeaderFields): HeaderFields {
  const rest = headers.entries().filter(([name]) => !isOfHandshake(name.toLowerCase()))
  return rest.length === 0 ? NO_HEADERS : HeaderFields.fromRawHeaders(rest.flat())
}
