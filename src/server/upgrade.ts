import type { IncomingMessage } from 'node:http'
import type { PeerCertificate } from 'node:tls'
import { HandshakeError, toError } from '../errors.js'
import type { Agreement } from '../extension/extension.js'
import { HeaderFields } from '../handshake/header-fields.js'
import { DEFAULT_MAX_HEADER_COUNT } from '../handshake/http1.js'
import {
  formatRejection,
  formatUpgradeResponse,
  readUpgradeRequest,
  type UpgradeRequest,
} from '../handshake/server-handshake.js'
import { chooseProtocol } from '../handshake/subprotocol.js'
import { showValue } from '../limits.js'
import { isThenable } from '../socket/no-reply.js'
import { toHeaderPairs } from '../socket/headers-input.js'
import { timerWheel, type Timed } from '../transport/timer-wheel.js'
import type { Transport } from '../transport/transport.js'
import { isOriginAllowed } from './origin.js'
import type { ResolvedServerOptions, ResolvedServiceSettings } from './options.js'
import type { Params } from './routing.js'
import { Accept, Reject, type ServerService } from './service.js'
import type { UpgradeInfo } from './upgrade-info.js'
import type { UpgradePeer } from './upgrade-peer.js'

/** What came out of an upgrade that was accepted. */
export interface AcceptedUpgrade {
  readonly request: UpgradeRequest
  readonly info: UpgradeInfo
  readonly data: unknown
  readonly protocol: string
  readonly extensions: Agreement | null
  /** What the connection goes over. */
  readonly transport: Transport
  /** What came behind the request. */
  readonly early: Uint8Array
}

/** What of a route an upgrade is decided by. */
interface Route {
  readonly decider: Pick<ServerService, 'onUpgrade'>
  readonly settings: ResolvedServiceSettings
}

/** Reads and checks the head of a request that node:http parsed. */
export function readRequest(raw: IncomingMessage): UpgradeRequest | HandshakeError {
  if (raw.rawHeaders.length / 2 > maxFieldsOf(raw)) {
    return new HandshakeError('HAWSER_HEAD_TOO_LARGE', { detail: 'too many header fields' })
  }
  return readUpgradeRequest({
    method: raw.method ?? '',
    target: raw.url ?? '',
    httpVersion: raw.httpVersion,
    headers: HeaderFields.fromRawHeaders(raw.rawHeaders),
  })
}

/**
 * How many header fields a request may have. Node drops those after its server's `maxHeadersCount` and tells nobody, and
 * a dropped field may be a second Host or the length of a body: a request that has as many is refused.
 */
function maxFieldsOf(raw: IncomingMessage): number {
  const { socket } = raw as { socket?: { server?: { maxHeadersCount?: unknown } } }
  const kept = socket?.server?.maxHeadersCount
  return typeof kept === 'number' && kept > 0
    ? Math.min(DEFAULT_MAX_HEADER_COUNT, kept - 1)
    : DEFAULT_MAX_HEADER_COUNT
}

/** The status of an error, and its words: they say nothing of this side. */
export function rejectionOf(error: HandshakeError): Uint8Array {
  return formatRejection(error.httpStatus ?? 500, { body: `${error.message}\n` })
}

/** The decision where nobody else decides. */
const ACCEPT = new Accept<undefined>({})

/** What `onUpgrade` is given; what costs anything is made when it is asked for. */
class Request implements UpgradeInfo {
  readonly #peer: UpgradePeer
  readonly #request: UpgradeRequest
  #aborter: AbortController | null = null
  readonly params: Params
  #isOver = false

  constructor(peer: UpgradePeer, request: UpgradeRequest, params: Params) {
    this.#peer = peer
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
    return new URLSearchParams(this.#request.search)
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
    return this.#peer.remoteAddress
  }

  get secure(): boolean {
    return this.#peer.secure
  }

  get certificate(): PeerCertificate | undefined {
    return this.#peer.certificate
  }

  get raw(): IncomingMessage | undefined {
    return this.#peer.raw
  }

  get signal(): AbortSignal {
    this.#aborter ??= new AbortController()
    if (this.#isOver) this.#aborter.abort()
    return this.#aborter.signal
  }

  /** Whether this is what an aborted signal rejects with. */
  isAbort(error: unknown): boolean {
    return this.#aborter?.signal.aborted === true && error === this.#aborter.signal.reason
  }

  /** Nobody waits for the decision any more. */
  abort(): void {
    this.#isOver = true
    this.#aborter?.abort()
  }
}

/**
 * One upgrade between request and response: decides, and answers. The peer may be gone at any point of it.
 */
export class Upgrade implements Timed {
  timerSlot = -1
  private readonly peer: UpgradePeer
  private readonly options: ResolvedServerOptions
  private readonly request: UpgradeRequest
  private readonly info: Request
  private isOver = false
  private protocols: ResolvedServiceSettings['protocols'] = []
  private readonly done: (accepted: AcceptedUpgrade | null) => void

  /** @param done told once: what was accepted, its response written; or null */
  constructor(
    peer: UpgradePeer,
    request: UpgradeRequest,
    params: Params,
    options: ResolvedServerOptions,
    done: (accepted: AcceptedUpgrade | null) => void,
  ) {
    this.peer = peer
    this.options = options
    this.request = request
    this.done = done
    this.info = new Request(peer, request, params)
  }

  /** Rejects the upgrade, if it is still open. */
  fail(error: HandshakeError): void {
    if (this.isOver) return
    this.peer.reject(rejectionOf(error))
    this.finish(null)
  }

  timeIsUp(): void {
    this.fail(new HandshakeError('HAWSER_HANDSHAKE_TIMEOUT'))
  }

  /** Asks the service, and answers by what it says. */
  decide({ decider: service, settings }: Route): void {
    this.protocols = settings.protocols
    try {
      if (!isOriginAllowed(this.request.origin, this.options.origins)) {
        this.fail(new HandshakeError('HAWSER_FORBIDDEN_ORIGIN'))
        return
      }
      const decision: unknown = service.onUpgrade === undefined ? ACCEPT : service.onUpgrade(this.info)
      if (decision instanceof Accept || decision instanceof Reject) this.answer(decision)
      else this.wait(decision)
    } catch (error) {
      this.failInternally(error)
    }
  }

  /** The decision takes time, and not all of it there is. */
  private wait(decision: unknown): void {
    timerWheel.schedule(this, this.peer.startedAt + this.options.limits.handshakeTimeoutMs)
    this.peer.watch(() => {
      this.finish(null)
    })
    Promise.resolve(decision).then(
      (value) => {
        this.answer(value)
      },
      (error: unknown) => {
        this.failInternally(error)
      },
    )
  }

  private answer(decision: unknown): void {
    if (this.isOver) return
    try {
      if (decision instanceof Accept) {
        this.accept(decision)
      } else if (decision instanceof Reject) {
        const { status, body, headers } = decision
        this.peer.reject(formatRejection(status, { body, headers: toHeaderPairs(headers) }))
        this.finish(null)
      } else {
        throw new TypeError(`onUpgrade must return accept(...) or reject(...), not ${showValue(decision)}`)
      }
    } catch (error) {
      this.failInternally(error)
    }
  }

  private accept(decision: Accept<unknown>): void {
    const { request } = this
    const protocol = decision.protocol ?? this.chooseProtocol()
    const extensions = this.options.extensions.accept(request.extensions)
    const head = formatUpgradeResponse(request, {
      protocol,
      extensions: extensions?.response,
      headers: decision.headers === undefined ? undefined : toHeaderPairs(decision.headers),
    })
    const { transport, early } = this.peer.accept(head)
    this.finish({
      request,
      info: this.info,
      data: decision.data,
      protocol: protocol ?? '',
      extensions,
      transport,
      early,
    })
  }

  private chooseProtocol(): string | undefined {
    const { protocols } = this
    if (typeof protocols === 'function') {
      const chosen: unknown = protocols(this.request.protocols, this.info)
      if (isThenable(chosen)) {
        Promise.resolve(chosen).catch(() => undefined)
        throw new TypeError(
          'protocols must return one of the subprotocols offered, or undefined, not a promise: decide in onUpgrade instead, which may be async',
        )
      }
      return chosen as string | undefined
    }
    return protocols.length === 0 ? undefined : chooseProtocol(this.request.protocols, protocols)
  }

  private failInternally(error: unknown): void {
    // Who stops because nobody waits for the decision any more has not failed.
    if (this.isOver && this.info.isAbort(error)) return
    this.fail(new HandshakeError('HAWSER_UPGRADE_FAILED'))
    this.options.onError(toError(error), 'the decision on an upgrade')
  }

  private finish(accepted: AcceptedUpgrade | null): void {
    if (this.isOver) return
    this.isOver = true
    timerWheel.cancel(this)
    if (accepted === null) this.info.abort()
    this.done(accepted)
  }
}
