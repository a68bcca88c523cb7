/**
 * Which answers node:http still owes on a connection. Responses to pipelined requests leave in order (RFC 9112 section
 * 9.3.2), and so an upgrade must not be answered before those are complete.
 *
 * src/native sees the response that is under way on a socket. Where it does not, the documented channel that reports every
 * request (`http.server.request.start`) is used, which costs each request something.
 */
import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { canSeePendingResponse, pendingResponse } from '../native/pending-response.js'

/** The first response that a stream waits for, except that to `request`, if there is one. */
export type OwedAnswer = (stream: Duplex, request: IncomingMessage) => ServerResponse | null

/** By the place where Node keeps it. */
function atSocket(stream: Duplex, request: IncomingMessage): ServerResponse | null {
  const response = pendingResponse(stream)
  // An application may make a response to the upgrade itself, to run its middleware: that is not an earlier one.
  return response !== null && response.req !== request ? response : null
}

/** By the channel: from now on every request of every server in this thread is noted until its response is over. */
export function followRequests(): OwedAnswer {
  const owed = new WeakMap<object, Set<ServerResponse>>()
  subscribe('http.server.request.start', (message) => {
    const { socket, response } = message as { socket: object; response: ServerResponse }
    let responses = owed.get(socket)
    if (responses === undefined) owed.set(socket, (responses = new Set()))
    responses.add(response)
    response.once('close', () => owed.get(socket)?.delete(response))
  })
  return (stream, request) => {
    for (const response of owed.get(stream) ?? []) if (response.req !== request) return response
    return null
  }
}

let way: OwedAnswer | null = null

/** Chooses the way, once in a thread: before the first request comes. */
export function watchOwedAnswers(): void {
  way ??= canSeePendingResponse() ? atSocket : followRequests()
}

/**
 * The answer that has to leave before `request` may be answered on this stream.
 * @param stream the socket of the request, or what stands before it (Node 26 has a stream of its own for an upgrade
 *   with a body)
 */
export const owedAnswer: OwedAnswer = (stream, request) => {
  watchOwedAnswers()
  const find = way as OwedAnswer
  const { socket } = request as Partial<IncomingMessage>
  return find(stream, request) ?? (socket === undefined || socket === stream ? null : find(socket, request))
}
