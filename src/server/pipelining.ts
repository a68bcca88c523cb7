/**
 * Pipelining: the responses that node:http still owes on a connection. Responses to pipelined requests leave in order
 * (RFC 9112 section 9.3.2), so an upgrade must not be answered before they are complete.
 *
 * src/native sees the response that is under way on a socket. Where it does not, the documented channel that reports every
 * request (`http.server.request.start`) is used, at a small cost for each request.
 */
import { subscribe } from 'node:diagnostics_channel'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { canSeePendingResponse, pendingResponse } from '../native/pending-response.js'
import { ignoreErrors } from '../socket/handshake-io.js'
import { timerWheel, type Timed } from '../transport/timer-wheel.js'
import { EarlyData } from './early-data.js'

/** The first response that a stream waits for, except that to `request`, if there is one. */
export type OwedAnswer = (stream: Duplex, request: IncomingMessage) => ServerResponse | null

/** Finds the response where Node keeps it. */
function atSocket(stream: Duplex, request: IncomingMessage): ServerResponse | null {
  const response = pendingResponse(stream)
  // An application may make a response to the upgrade itself, to run its middleware: that is not an earlier one.
  return response !== null && response.req !== request ? response : null
}

/** Finds it by the channel: from now on every request of every server in this thread is kept until its response ends. */
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

/** Chooses the way, once in a thread, before the first request is received. */
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

/** Node hands the connection to the listener for 'upgrade', and stops part of its own work for the earlier responses. */
type UpgradeStream = Duplex & { setTimeout?(timeoutMs: number): unknown }

/**
 * Waits until every earlier request of an upgrade's connection is answered. Bytes that the peer sends in the meantime are
 * kept, up to a limit. The connection is cut when an earlier response is not complete in time: a second response in the
 * middle of the first would be read as a part of it.
 */
export class EarlierAnswers implements Timed {
  timerSlot = -1
  private readonly duplex: UpgradeStream
  private readonly request: IncomingMessage
  private readonly early = new EarlyData()
  private readonly done: (early: Buffer | null) => void
  private isOver = false

  /**
   * @param owed the answer that is under way
   * @param dueAt when the connection is cut, of `monotonicNow`
   * @param done called once: with what the peer sent meanwhile, or with null if the connection is over
   */
  constructor(
    duplex: Duplex,
    request: IncomingMessage,
    owed: ServerResponse,
    dueAt: number,
    done: (early: Buffer | null) => void,
  ) {
    this.duplex = duplex
    this.request = request
    this.done = done
    ignoreErrors(duplex)
    duplex.on('close', this.lose)
    duplex.on('drain', this.forwardDrain)
    duplex.on('data', this.keep)
    timerWheel.schedule(this, dueAt)
    owed.once('close', this.look)
    // It may have become empty before anybody listened.
    if (duplex.writableLength === 0) process.nextTick(this.forwardDrain)
  }

  timeIsUp(): void {
    this.duplex.destroy()
    this.lose()
  }

  /** Called when a response is complete, or lost with its connection. */
  private readonly look = (): void => {
    if (this.isOver) return
    const { duplex } = this
    const owed = owedAnswer(duplex, this.request)
    if (owed !== null) {
      owed.once('close', this.look)
      return
    }
    // The earlier answer said `Connection: close`: Node ends the connection, and nothing after it is a request.
    if (duplex.destroyed || !duplex.writable) {
      this.lose()
      return
    }
    this.finish()
    // Until the next owner reads.
    duplex.pause()
    // Node's timeout for the next request of a connection that is kept.
    duplex.setTimeout?.(0)
    this.done(this.early.take())
  }

  private readonly lose = (): void => {
    if (this.isOver) return
    this.finish()
    this.duplex.resume()
    this.done(null)
  }

  private readonly keep = (chunk: Uint8Array): void => {
    if (!this.early.push(chunk)) this.duplex.pause()
  }

  /** Node's own listener for this is gone: without it an answer that waits for room would wait for ever. */
  private readonly forwardDrain = (): void => {
    const owed = this.isOver ? null : owedAnswer(this.duplex, this.request)
    if (owed?.writableNeedDrain === true) owed.emit('drain')
  }

  private finish(): void {
    const { duplex } = this
    this.isOver = true
    timerWheel.cancel(this)
    duplex.off('close', this.lose)
    duplex.off('drain', this.forwardDrain)
    duplex.off('data', this.keep)
  }
}
