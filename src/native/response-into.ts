/**
 * A response of node:http that is written into any stream: for requests that run through the middleware of a framework and
 * whose answer is not for the socket, or not yet. `assignSocket` is not in the documentation of Node, but in its types;
 * Fastify's `inject` and each test library of its kind use it. It is JavaScript on every platform, so that `HAWSER_NATIVE=off`
 * does not turn it off: there is no other way to run middleware without a socket.
 */
import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/**
 * Makes a response to a request.
 * @param sink gets the bytes of the response, its head included. When it closes, the response emits 'close'
 */
export function responseInto(request: IncomingMessage, sink: Duplex): ServerResponse {
  const response = new ServerResponse(request)
  ;(response as { assignSocket(stream: Duplex): void }).assignSocket(sink)
  return response
}
