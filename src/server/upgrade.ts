import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { acceptOffer } from '../deflate/negotiation.js'
import type { AgreedParameters } from '../deflate/negotiation.js'
import { HandshakeError, toError } from '../errors.js'
import { HeaderFields } from '../handshake/header-fields.js'
import {
  formatRejection,
  formatUpgradeResponse,
  readUpgradeRequest,
  type UpgradeRequest,
} from '../handshake/server-handshake.js'
import { chooseProtocol } from '../handshake/subprotocol.js'
import { showValue } from '../limits.js'
import { StreamGuard, writeAndEnd } from '../socket/handshake-io.js'
import { toHeaderPairs } from '../socket/headers-input.js'
import { isOriginAllowed } from './origin.js'
import type { ResolvedServerOptions } from './options.js'
import type { Params } from './routing.js'
import { Accept, Reject, type ServerService } from './service.js'
import type { UpgradeInfo } from './upgrade-info.js'

/** What came out of an upgrade that was accepted. */
export interface AcceptedUpgrade {
  readonly request: UpgradeRequest
  readonly info: UpgradeInfo
  readonly data: unknown
  readonly protocol: string
  readonly extensions: string
  readonly deflate: AgreedParameters | null
}

/** Reads and checks the head of a request that node:http parsed. */
export function readRequest(raw: IncomingMessage): UpgradeRequest | HandshakeError {
  return readUpgradeRequest({
    method: raw.method ?? '',
    target: raw.url ?? '',
    httpVersion: raw.httpVersion,
    headers: HeaderFields.fromRawHeaders(raw.rawHeaders),
  })
}

/** Answers with the status of an error, and its words: they say nothing of this side. */
export function rejectWith(duplex: Duplex, error: HandshakeError): void {
  writeAndEnd(duplex, formatRejection(error.httpStatus, { body: `${error.message}\n` }))
}

/**
 * One upgrade between request and response: decides, and answers. The stream may fail or end at any point of it.
 */
export class Upgrade {
  private readonly duplex: Duplex
  private readonly options: ResolvedServerOptions
  private readonly request: UpgradeRequest
  private readonly info: UpgradeInfo
  private readonly guard: StreamGuard
  private readonly aborter = new AbortController()
  private readonly timer: NodeJS.Timeout | undefined
  private isOver = false
  private readonly done: (accepted: AcceptedUpgrade | null) => void

  /** @param done told once: what was accepted, its response written; or null */
  constructor(
    raw: IncomingMessage,
    duplex: Duplex,
    request: UpgradeRequest,
    params: Params,
    options: ResolvedServerOptions,
    done: (accepted: AcceptedUpgrade | null) => void,
  ) {
    this.duplex = duplex
    this.options = options
    this.request = request
    this.done = done
    this.info = describe(raw, duplex, request, params, this.aborter.signal)
    this.guard = new StreamGuard(duplex, () => {
      this.finish(null)
    })
    const { handshakeTimeoutMs } = options.limits
    if (handshakeTimeoutMs !== Infinity) {
      this.timer = setTimeout(
        () => {
          this.fail(new HandshakeError('HAWSER_HANDSHAKE_TIMEOUT'))
        },
        Math.min(handshakeTimeoutMs, 0x7fff_ffff),
      )
    }
  }

  /** Rejects the upgrade, if it is still open. */
  fail(error: HandshakeError): void {
    if (this.isOver) return
    rejectWith(this.duplex, error)
    this.finish(null)
  }

  /** Asks the service, and answers by what it says. */
  decide(service: Pick<ServerService, 'onUpgrade'>): void {
    try {
      if (!isOriginAllowed(this.request.origin, this.options.origins)) {
        this.fail(new HandshakeError('HAWSER_FORBIDDEN_ORIGIN'))
        return
      }
      const decision: unknown =
        service.onUpgrade === undefined ? new Accept({}) : service.onUpgrade(this.info)
      if (decision instanceof Accept || decision instanceof Reject) {
        this.answer(decision)
      } else {
        Promise.resolve(decision).then(
          (value) => {
            this.answer(value)
          },
          (error: unknown) => {
            this.failInternally(error)
          },
        )
      }
    } catch (error) {
      this.failInternally(error)
    }
  }

  private answer(decision: unknown): void {
    if (this.isOver) return
    try {
      if (decision instanceof Accept) {
        this.accept(decision)
      } else if (decision instanceof Reject) {
        const { status, body, headers } = decision
        writeAndEnd(this.duplex, formatRejection(status, { body, headers: toHeaderPairs(headers) }))
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
    const deflate =
      this.options.deflate === null ? null : acceptOffer(request.extensions, this.options.deflate)
    const extensions = deflate === null ? '' : deflate.response
    const head = formatUpgradeResponse(request, {
      protocol,
      extensions,
      headers: toHeaderPairs(decision.headers),
    })
    this.duplex.write(head, 'latin1')
    this.finish({
      request,
      info: this.info,
      data: decision.data,
      protocol: protocol ?? '',
      extensions,
      deflate: deflate === null ? null : deflate.agreed,
    })
  }

  private chooseProtocol(): string | undefined {
    const { protocols } = this.options
    return typeof protocols === 'function'
      ? protocols(this.request.protocols, this.info)
      : chooseProtocol(this.request.protocols, protocols)
  }

  private failInternally(error: unknown): void {
    this.fail(new HandshakeError('HAWSER_UPGRADE_FAILED'))
    this.options.onError(toError(error))
  }

  private finish(accepted: AcceptedUpgrade | null): void {
    if (this.isOver) return
    this.isOver = true
    clearTimeout(this.timer)
    if (accepted === null) this.aborter.abort()
    // After a rejection the stream is still ours, until it is gone.
    else this.guard.release()
    this.done(accepted)
  }
}

function describe(
  raw: IncomingMessage,
  duplex: Duplex,
  request: UpgradeRequest,
  params: Params,
  signal: AbortSignal,
): UpgradeInfo {
  const socket = duplex as Partial<TLSSocket>
  const secure = socket.encrypted === true
  return {
    url: request.target,
    path: request.path,
    params,
    get query() {
      return new URLSearchParams(request.search)
    },
    headers: request.headers,
    protocols: request.protocols,
    origin: request.origin,
    remoteAddress: socket.remoteAddress ?? '',
    secure,
    get certificate() {
      const certificate = secure ? socket.getPeerCertificate?.() : undefined
      return certificate !== undefined && Object.keys(certificate).length > 0 ? certificate : undefined
    },
    signal,
    raw,
  }
}
