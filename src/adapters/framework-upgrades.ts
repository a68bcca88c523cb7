/**
 * Upgrades that run through the routing of an HTTP framework. The request goes through all that the framework runs for a
 * request, with a response that is written into memory. A handler of the adapter chooses a service, and answers with 101; what
 * the response then says is what happens: its headers go into the 101, and any other answer ends the upgrade. All of this is
 * the decision of one `onUpgrade`, so that limits, origins, the time of the handshake, earlier requests of the connection
 * and the end of the server are what they are for every upgrade.
 */
import type { IncomingMessage, Server as HttpServer, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { optionalFunction, readOptions, refusePromise, showValue, type Checks } from '../check.js'
import { InvalidStateError, toError } from '../errors.js'
import { isToken } from '../handshake/tokens.js'
import { responseInto } from '../native/response-into.js'
import { hasOthers, isServed, isTaken } from '../server/http-upgrade.js'
import { isHttpServer } from '../server/listener.js'
import type { Params } from '../server/path-matching.js'
import { AnswerDecision, RoutedDecision } from '../server/routed-decision.js'
import { ServedRoute, type ServerCore } from '../server/server-core.js'
import {
  AcceptDecision,
  checkServerService,
  refuseDecision,
  reject,
  RejectDecision,
  thrownOrDecided,
  type Accept,
  type Reject,
  type ServerService,
  type UpgradeInfo,
} from '../server/server-service.js'
import { setParams } from '../server/upgrade-info.js'
import { coreOfServer, WebSocketServer } from '../server/websocket-server.js'
import { AnswerSink, readAnswerHead } from './answer-sink.js'

/** The options of `attach` of an adapter. */
export interface AttachOptions {
  /**
   * Whether an upgrade is for the framework: false leaves it to other listeners of the HTTP server. What it throws, and
   * that it answers anything but true or false, a promise for one, goes to `onError` of the server, and the upgrade gets 500. Default: every one but those to the paths of
   * routes of a server of Hawser's that is attached to the same HTTP server.
   */
  readonly filter?: (request: IncomingMessage) => boolean
}

const ATTACH = {
  filter: optionalFunction<NonNullable<AttachOptions['filter']>>(),
} satisfies Checks<AttachOptions>

/** Fields of a framework's answer that say something of its message or its connection, and so nothing in a 101. */
const NOT_IN_101: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'date',
  'etag',
  'keep-alive',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** The service of an upgrade that is left to others where nobody else listens: nobody would ever answer it. */
const NOBODY: ServerService = { onUpgrade: () => reject(404) }

const ACCEPT = new AcceptDecision<unknown>(undefined, undefined, undefined)

/** How a request runs through a framework. It may throw, or answer later. */
export type Run = (request: IncomingMessage, response: ServerResponse) => unknown

/** What a handler chose for an upgrade. */
interface Choice {
  readonly route: ServedRoute
  readonly params: Params
  readonly decision: AcceptDecision<unknown> | RejectDecision
  /** The answer that the adapter gives then: with another one, the framework has changed it, and the choice is void. */
  readonly status: number
}

/** One upgrade, while it runs through the framework. */
export class PendingUpgrade {
  readonly info: UpgradeInfo
  /** Why the upgrade fails, whatever the framework answers. */
  failure: Error | null = null
  /** Whether nobody waits for the framework any more. */
  isOver = false
  /** Ends the wait for the framework. */
  stop: (reason: Error) => void = () => undefined
  private readonly report: (error: Error) => void
  private choice: Choice | null = null

  /** @param report gets an error that comes too late to decide anything */
  constructor(info: UpgradeInfo, report: (error: Error) => void) {
    this.info = info
    this.report = report
  }

  /** Whether a handler has chosen a service, or has refused. */
  get isChosen(): boolean {
    return this.choice !== null
  }

  /**
   * Chooses a service, whose own `onUpgrade` then decides.
   * @param params of the framework's route
   * @param data gives `socket.data`, unless the service's `onUpgrade` does
   * @param acceptStatus the status with which this adapter says that it upgrades
   * @returns the status that the framework has to answer with, without a body: 500 if `onUpgrade` decides nothing, which
   *   fails the upgrade
   * @throws what `onUpgrade` and `data` throw, as {@link handedOn} gives it; InvalidStateError if a handler has chosen already
   */
  async choose(
    route: ServedRoute,
    params: Params,
    data: () => unknown,
    acceptStatus: number,
  ): Promise<number> {
    try {
      return await this.decideBy(route, params, data, acceptStatus)
    } catch (error) {
      throw handedOn(thrownOrDecided(error))
    }
  }

  /** Fails the upgrade with 500, whatever the framework answers. The server's `onError` gets the error. */
  fail(error: unknown): void {
    const failure = toError(error)
    if (this.isOver || this.failure !== null) {
      this.report(failure)
      return
    }
    this.failure = failure
    this.stop(failure)
  }

  private async decideBy(
    route: ServedRoute,
    params: Params,
    data: () => unknown,
    acceptStatus: number,
  ): Promise<number> {
    setParams(this.info, params)
    const { service } = route
    // Nothing is no decision: the `return` before a reject(...) may have been forgotten.
    const made: unknown = service.onUpgrade === undefined ? ACCEPT : await service.onUpgrade(this.info)
    if (!(made instanceof AcceptDecision) && !(made instanceof RejectDecision)) {
      this.fail(new TypeError(`onUpgrade must return accept(...) or reject(...), not ${showValue(made)}`))
      return 500
    }
    const decision: AcceptDecision<unknown> | RejectDecision =
      made instanceof AcceptDecision && made.data === undefined
        ? new AcceptDecision<unknown>(checkedData(await data()), made.headers, made.protocol)
        : made
    if (this.choice !== null) throw new InvalidStateError('a handler has upgraded this request already')
    const status = decision instanceof RejectDecision ? decision.status : acceptStatus
    this.choice = { route, params, decision, status }
    return status
  }

  /** @param bytes the answer of the framework, head and body */
  decide(bytes: Uint8Array): Accept<unknown> | Reject | AnswerDecision {
    const { choice, failure } = this
    if (failure !== null) throw failure
    const { status, headers } = readAnswerHead(bytes)
    if (choice?.status !== status) {
      if (status === 101) throw new TypeError('the framework answered 101, and no service was chosen')
      return new AnswerDecision(bytes)
    }
    const { route, params, decision } = choice
    const further = [...headers].filter(([name]) => isForDecision(name))
    if (decision instanceof AcceptDecision) return new RoutedDecision(route, params, decision, further)
    return new RejectDecision(decision.status, decision.body, [...further, ...(decision.headers ?? [])])
  }
}

/** Whether a value is a Response of the standard, of any realm or package: by its tag, as undici and node-fetch have it. */
export const isResponse = (value: unknown): value is Response =>
  value instanceof Response || Object.prototype.toString.call(value) === '[object Response]'

/** @throws TypeError for data that was meant as a refusal: `accept`, `reject` and a Response decide nothing there */
function checkedData(data: unknown): unknown {
  refuseDecision(data, 'the data of a socket')
  if (!isResponse(data)) return data
  throw new TypeError('the data of a socket must not be a Response: onUpgrade of a service decides')
}

/**
 * What was thrown, as it may be handed on to a framework: to some, nothing and a text such as 'route' are no errors. An object
 * stays what it is: their error handling reads its status.
 */
export const handedOn = (error: unknown): unknown =>
  typeof error === 'object' && error !== null ? error : toError(error)

/** The parameters that a framework's routing found, all as text: those of a wildcard may be a list. */
export function textParams(params: unknown): Params {
  if (typeof params !== 'object' || params === null) return {}
  // Express 4 has undefined for an optional one that the path does not have.
  return Object.fromEntries(
    Object.entries(params)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, Array.isArray(value) ? value.join('/') : String(value)]),
  )
}

/** Whether a field of a framework's answer may go into the 101. */
export function isForDecision(name: string): boolean {
  const lowerCase = name.toLowerCase()
  return isToken(name) && !NOT_IN_101.has(lowerCase) && !lowerCase.startsWith('sec-websocket-')
}

/** The upgrades of one server that run through frameworks. */
export class FrameworkUpgrades {
  private readonly server: WebSocketServer<never>
  private readonly core: ServerCore
  private readonly pending = new WeakMap<object, PendingUpgrade>()
  private readonly attached = new WeakSet<HttpServer>()
  /** By their services: where a handler gives the service of each upgrade, it is mostly the same one. */
  private readonly routes = new WeakMap<object, ServedRoute>()

  /** @throws TypeError for what is not a WebSocketServer */
  constructor(server: unknown) {
    if (!(server instanceof WebSocketServer)) {
      throw new TypeError(`server must be a WebSocketServer, not ${showValue(server)}`)
    }
    this.server = server as WebSocketServer<never>
    this.core = coreOfServer(server as WebSocketServer)
  }

  /** @throws TypeError or RangeError for a wrong service */
  routeOf(service: unknown): ServedRoute {
    const known = this.routes.get(service as object)
    if (known !== undefined) return known
    const checked = checkServerService(service)
    const route = new ServedRoute('', checked, this.core)
    this.routes.set(checked, route)
    return route
  }

  /** The upgrade that a request of node:http is, while it runs through the framework. */
  pendingOf(request: object): PendingUpgrade | undefined {
    return this.pending.get(request)
  }

  /** Reports an error that is none of an upgrade's to the `onError` of the server. */
  reportError(error: unknown, what: string): void {
    this.core.reportError(toError(error), what)
  }

  /**
   * Takes the upgrades of an HTTP server.
   * @param run default: through the listeners for its requests
   * @throws TypeError for what is not an HTTP server, and for wrong options; InvalidStateError if it is attached already or
   *   the server was closed
   */
  attach(httpServer: HttpServer, options: AttachOptions, run?: Run): void {
    if (!isHttpServer(httpServer)) {
      throw new TypeError(`httpServer must be an http or https server, not ${showValue(httpServer)}`)
    }
    const { filter } = readOptions('AttachOptions', options, ATTACH)
    const { signal } = this.server
    if (signal.aborted) throw new InvalidStateError('the server was closed')
    if (this.attached.has(httpServer)) throw new InvalidStateError('this HTTP server is attached already')
    const service = this.serviceOf(run ?? ((...pair) => runByListeners(httpServer, ...pair)))
    const listener = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
      const path = (request.url ?? '').split('?', 1)[0] as string
      if (isTaken(socket) || isServed(httpServer, path)) return
      const chosen = filter === undefined ? service : chooseBy(filter, request, service)
      if (chosen !== null) this.server.handleUpgrade(request, socket, head, chosen)
      else if (!hasOthers(httpServer)) this.server.handleUpgrade(request, socket, head, NOBODY)
    }
    this.attached.add(httpServer)
    httpServer.on('upgrade', listener)
    signal.addEventListener('abort', () => httpServer.off('upgrade', listener), { once: true })
  }

  /** The service of a request whose own service is not known yet. */
  private serviceOf(run: Run): ServerService {
    return { onUpgrade: (info) => this.runThrough(run, info) as Promise<Accept<unknown>> }
  }

  private async runThrough(run: Run, info: UpgradeInfo): Promise<Accept<unknown> | Reject | AnswerDecision> {
    const { raw, signal } = info
    if (raw === undefined) throw new TypeError('the request did not come by node:http')
    const sink = new AnswerSink()
    const response = responseInto(raw, sink)
    response.shouldKeepAlive = false
    const pending = new PendingUpgrade(info, (error) => {
      this.reportError(error, 'the decision on an upgrade')
    })
    this.pending.set(raw, pending)
    const abort = (): void => {
      sink.destroy()
    }
    try {
      const answered = new Promise<void>((resolve, reject) => {
        pending.stop = reject
        response.once('finish', resolve)
        sink.once('close', () => {
          reject(signal.aborted ? (signal.reason as Error) : new Error('the framework ended the response'))
        })
      })
      // Where `run` throws, nothing waits for the answer.
      answered.catch(() => undefined)
      signal.addEventListener('abort', abort)
      await Promise.all([answered, run(raw, response)])
      return pending.decide(sink.bytes)
    } catch (error) {
      throw pending.failure ?? error
    } finally {
      pending.isOver = true
      signal.removeEventListener('abort', abort)
      this.pending.delete(raw)
      // After it the response emits 'close', as each response does.
      sink.destroy()
    }
  }
}

/** @returns null: the upgrade is for others. A service that fails where the filter did: nobody above a listener would hear of it */
function chooseBy(
  filter: (request: IncomingMessage) => unknown,
  request: IncomingMessage,
  service: ServerService,
): ServerService | null {
  try {
    const answer = filter(request)
    if (typeof answer === 'boolean') return answer ? service : null
    refusePromise(answer, 'filter must return true or false, not a promise: it must not be async')
    throw new TypeError(`filter must return true or false, not ${showValue(answer)}`)
  } catch (error) {
    const failure = toError(error)
    return {
      onUpgrade: () => {
        throw failure
      },
    }
  }
}

/** Runs a request as node:http does: every framework listens there. */
function runByListeners(httpServer: HttpServer, request: IncomingMessage, response: ServerResponse): void {
  if (httpServer.emit('request', request, response)) return
  response.statusCode = 404
  response.end()
}
