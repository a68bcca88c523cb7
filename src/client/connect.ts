import { connect as connectTcp, isIP, type Socket as TcpSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls, type ConnectionOptions as TlsOptions, type TLSSocket } from 'node:tls'
import { perMessageDeflate } from '../deflate/extension.js'
import type { PerMessageDeflateOptions } from '../deflate/options.js'
import { HandshakeError, withUrl } from '../errors.js'
import { Extensions, type Agreement } from '../extension/extension.js'
import { formatUpgradeRequest, verifyUpgradeResponse } from '../handshake/client-handshake.js'
import type { ExtensionOffer } from '../handshake/extension-header.js'
import { createKey } from '../handshake/key.js'
import { checkProtocols } from '../handshake/subprotocol.js'
import {
  oneOf,
  optionalObject,
  optionalSignal,
  readOptions,
  refuseSurplus,
  showValue,
  string,
  unchecked,
  type Advice,
  type Checks,
  type Read,
} from '../check.js'
import {
  CLIENT_LIMITS,
  gatherLimits,
  LIMIT_ADVICE,
  LIMITS_AND_TIMEOUTS,
  type LimitOptions,
  type Limits,
  type TimeoutOptions,
} from '../limits.js'
import { readBodyStart, readResponseHead, type ResponseStart } from '../socket/handshake-io.js'
import { toHeaderPairs, type HeaderPair, type HeadersInput } from '../socket/headers-input.js'
import { HANDLER_NAMES } from '../service/service-names.js'
import { checkService, type Handlers, type Service } from '../service/service.js'
import { SHARED_CHECKS, type SharedOptions } from '../socket/socket-options.js'
import { transportOver } from '../transport/handle-transport.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'
import type { ClientSocket } from './client-socket.js'
import { ClientSocketCore, type Incoming } from './connected-socket.js'
import { parseTarget, type Target } from './websocket-url.js'

/** The options of {@link connect}. */
export interface ConnectOptions<Data = unknown> extends TimeoutOptions, SharedOptions {
  /** Limits, with their units in their names; `Infinity` and `false` turn a limit off. */
  readonly limits?: LimitOptions
  /** Subprotocols to offer, in order of preference. */
  readonly protocols?: string | readonly string[]
  /** Further headers of the request, or a function that returns them for each attempt. */
  readonly headers?: HeadersInput | (() => HeadersInput | Promise<HeadersInput>)
  /** The Origin header. Default: none. */
  readonly origin?: string
  /** Passed to node:tls as it is. */
  readonly tls?: TlsOptions
  /** permessage-deflate (RFC 7692). Default: on. */
  readonly perMessageDeflate?: boolean | PerMessageDeflateOptions
  /** Ends the attempt: the promise rejects with the signal's reason. It has no effect once the connection is open. */
  readonly signal?: AbortSignal
  /** Handlers of messages and events; without a message handler, messages are read with `receive()` or `for await`. */
  readonly handlers?: Service<ClientSocket<Data>>
  /**
   * What happens to messages without a handler: `'queue'` (default) keeps them for `receive`, and stops reading when its queue
   * is full; `'discard'` drops them, for a client that only sends.
   */
  readonly incoming?: Incoming
  /** Becomes `socket.data`. */
  readonly data?: Data
}

const NO_HANDLERS: Handlers<ClientSocket> = Object.freeze({})

const CHECKS = {
  ...LIMITS_AND_TIMEOUTS,
  ...SHARED_CHECKS,
  protocols: (_name: string, value: unknown) =>
    checkProtocols(typeof value === 'string' ? [value] : ((value ?? []) as readonly string[])),
  headers: (name: string, value: unknown): ConnectOptions['headers'] => {
    // An iterable may be read once only: that is when the request is written.
    if (value !== undefined && typeof value !== 'function' && (typeof value !== 'object' || value === null)) {
      throw new TypeError(
        `${name} must be an object, pairs of name and value, or a function, not ${showValue(value)}`,
      )
    }
    return value as ConnectOptions['headers']
  },
  origin: string(undefined),
  tls: optionalObject<TlsOptions>('an object of node:tls options'),
  perMessageDeflate: (_name: string, value: unknown) =>
    new Extensions(perMessageDeflate(value as ConnectOptions['perMessageDeflate'], 'client')),
  signal: optionalSignal,
  handlers: (name: string, value: unknown) =>
    value === undefined ? NO_HANDLERS : checkService<ClientSocket>(name, value),
  incoming: oneOf<Incoming>(['queue', 'discard'], 'queue'),
  data: unchecked<unknown>(),
} satisfies Checks<ConnectOptions>

const ADVICE = {
  instead: {
    ...LIMIT_ADVICE,
    ...Object.fromEntries(HANDLER_NAMES.map((name) => [name, `use handlers.${name}`])),
    ...Object.fromEntries(
      ['ca', 'cert', 'key', 'rejectUnauthorized', 'servername'].map((name) => [name, `use tls.${name}`]),
    ),
    followRedirects: 'redirects are not followed: the response of the HandshakeError has the Location',
  },
} satisfies Advice

/**
 * Opens a connection (RFC 6455 section 4.1).
 * @param url ws, wss, http, https, `ws+unix:/path/to/socket:/target`; credentials become basic authentication
 * @returns the open connection; messages received together with the handshake are kept for it
 * @throws SyntaxError, TypeError or RangeError for a wrong url or option, at once; the promise rejects with HandshakeError
 *   (its message names the URL without credentials and query, its `response` is the server's answer), with the
 *   system's error as `cause` where there is one, or with the reason of the signal
 * @example
 * ```ts
 * const socket = await connect('ws://localhost:8080/rooms/dogs', { handshakeTimeoutMs: 5000 })
 * console.log(await socket.receive()) // welcome to dogs
 * await socket.close(1000)
 * ```
 */
export function connect<Data = undefined>(
  url: string | URL,
  options?: ConnectOptions<Data>,
): Promise<ClientSocket<Data>>
export function connect<Data>(
  url: string | URL,
  options: ConnectOptions<Data> = {},
  surplus?: unknown,
): Promise<ClientSocket<Data>> {
  refuseSurplus(surplus, 'connect(url, options)', 'subprotocols are the option protocols')
  return open(resolveOptions(url, options)) as Promise<ClientSocket<Data>>
}

/** The options of an attempt, checked and with every default filled in. */
interface ResolvedConnectOptions extends Omit<Read<typeof CHECKS>, 'limits' | 'perMessageDeflate'> {
  readonly target: Target
  readonly limits: Limits
  readonly extensions: Extensions
}

function resolveOptions<Data>(url: string | URL, given: ConnectOptions<Data>): ResolvedConnectOptions {
  const options = given as ConnectOptions
  const { perMessageDeflate: extensions, ...read } = readOptions('ConnectOptions', options, CHECKS, ADVICE)
  return { ...read, target: parseTarget(url), limits: gatherLimits(read, CLIENT_LIMITS), extensions }
}

async function open(options: ResolvedConnectOptions): Promise<ClientSocket> {
  const { signal, limits } = options
  signal?.throwIfAborted()
  const attempt = new AbortController()
  const abort = (): void => {
    attempt.abort(signal?.reason)
  }
  signal?.addEventListener('abort', abort)
  const deadline: Timed = {
    timerSlot: -1,
    timeIsUp: () => {
      attempt.abort(new HandshakeError('HAWSER_HANDSHAKE_TIMEOUT', { httpStatus: null }))
    },
  }
  timerWheel.schedule(deadline, monotonicNow() + limits.handshakeTimeoutMs)
  timerWheel.keepAlive()
  try {
    return await openWithin(options, attempt.signal)
  } catch (error) {
    throw error instanceof HandshakeError ? withUrl(error, options.target.shown) : error
  } finally {
    timerWheel.cancel(deadline)
    timerWheel.letGo()
    signal?.removeEventListener('abort', abort)
  }
}

async function openWithin(options: ResolvedConnectOptions, signal: AbortSignal): Promise<ClientSocket> {
  const headers = await within(requestHeaders(options), signal)
  const { target, protocols, extensions, origin, tls } = options
  const key = createKey()
  const requestHead = formatUpgradeRequest({
    target: target.target,
    host: target.host,
    key,
    protocols,
    extensions: extensions.offer(),
    headers,
    origin,
  })
  signal.throwIfAborted()
  const duplex = openTransport(target, tls)
  let core
  let rest
  try {
    const response = await exchange(duplex, target.secure, requestHead, options.limits, signal)
    rest = response.rest
    const offered = { key, protocols, extensionNames: extensions.names }
    const result = verifyUpgradeResponse(response.head, offered)
    if (result instanceof HandshakeError)
      throw await withBody(result, duplex, response, signal, options.signal)
    const agreed = agree(result.extensions, extensions)
    core = makeCore(options, duplex, result.protocol, agreed)
  } catch (error) {
    duplex.on('error', () => undefined)
    duplex.destroy()
    throw error
  }
  // From here on the core owns the transport, and ends it.
  await core.open(rest, signal)
  return core.socket
}

async function requestHeaders(options: ResolvedConnectOptions): Promise<HeaderPair[]> {
  const { headers } = options
  const given = toHeaderPairs(typeof headers === 'function' ? await headers() : headers)
  const pairs = [...(given ?? [])]
  // `formatUpgradeRequest` reports entries that are not a pair of strings.
  const has = (wanted: string): boolean =>
    pairs.some((pair: unknown) => Array.isArray(pair) && String(pair[0]).toLowerCase() === wanted)
  if (has('host')) {
    throw new TypeError('headers must not have Host: it follows from the url')
  }
  const { authorization } = options.target
  if (authorization !== undefined && !has('authorization')) {
    pairs.push(['Authorization', authorization])
  }
  return pairs
}

function openTransport(target: Target, tls: TlsOptions | undefined): TcpSocket | TLSSocket {
  const { socketPath, hostname, port, secure } = target
  const address = {
    ...(socketPath === undefined ? { host: hostname, port } : { path: socketPath }),
    noDelay: true,
    // The peer's FIN must not end our side while a Close frame is still to be sent.
    allowHalfOpen: true,
  }
  if (!secure) return connectTcp(address)
  // TLS refuses an address as a server name (RFC 6066 section 3).
  const servername = isIP(hostname) === 0 ? { servername: hostname } : {}
  return connectTls({ ...address, ...servername, ALPNProtocols: ['http/1.1'], ...tls })
}

/** Connects, sends the request, reads the response's head. */
function exchange(
  duplex: TcpSocket | TLSSocket,
  secure: boolean,
  requestHead: string,
  limits: Limits,
  signal: AbortSignal,
): Promise<ResponseStart> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      settle()
      reject(new HandshakeError('HAWSER_CONNECTION_FAILED', { detail: describeError(error), cause: error }))
    }
    const ended = (): void => {
      failed(new Error('the server ended it'))
    }
    const aborted = (): void => {
      settle()
      reject(signal.reason as Error)
    }
    const connected = (): void => {
      duplex.setNoDelay(true)
      duplex.write(requestHead, 'latin1')
    }
    const stopReading = readResponseHead(duplex, limits.maxHeaderBytes, (result) => {
      settle()
      if (result instanceof HandshakeError) reject(result)
      else resolve(result)
    })
    const settle = (): void => {
      stopReading()
      duplex.off('error', failed)
      duplex.off('end', ended)
      duplex.off('close', ended)
      duplex.off(secure ? 'secureConnect' : 'connect', connected)
      signal.removeEventListener('abort', aborted)
      duplex.on('error', ignore)
    }
    duplex.on('error', failed)
    duplex.on('end', ended)
    duplex.on('close', ended)
    duplex.on(secure ? 'secureConnect' : 'connect', connected)
    signal.addEventListener('abort', aborted)
  })
}

const ignore = (): void => undefined

/** Node joins the failures of several addresses (happy eyeballs) into one error without a message. */
function describeError(error: Error): string {
  if (error instanceof AggregateError) {
    return error.errors.map((one: unknown) => (one instanceof Error ? one.message : String(one))).join('; ')
  }
  return error.message
}

/**
 * Makes the error for a response that is not a 101, with the start of its body.
 * @param signal ends the attempt; `givenSignal` is the caller's signal in it. If only the time is up, the server's answer
 *   says more than a timeout error
 */
async function withBody(
  error: HandshakeError,
  duplex: Duplex,
  start: ResponseStart,
  signal: AbortSignal,
  givenSignal: AbortSignal | undefined,
): Promise<HandshakeError> {
  const { response } = error
  if (response === undefined || error.code !== 'HAWSER_UNEXPECTED_STATUS') return error
  const body = await new Promise<Buffer>((resolve) => {
    const finish = readBodyStart(duplex, start, resolve)
    signal.addEventListener('abort', finish)
  })
  givenSignal?.throwIfAborted()
  const { status, statusText, headers } = response
  const detail = statusText === '' ? String(status) : `${String(status)} ${statusText}`
  return new HandshakeError(error.code, { detail, response: { status, statusText, headers, body } })
}

function agree(answers: readonly ExtensionOffer[], extensions: Extensions): Agreement | null {
  const agreed = extensions.verify(answers)
  if (agreed instanceof HandshakeError) throw agreed
  return agreed
}

function makeCore(
  options: ResolvedConnectOptions,
  duplex: TcpSocket | TLSSocket,
  protocol: string,
  agreed: Agreement | null,
): ClientSocketCore {
  const { target, limits, directIo, autoPong, slowConsumer, data, handlers, incoming } = options
  const codec = agreed === null ? null : agreed.createCodec()
  const { remoteAddress = '' } = duplex
  duplex.off('error', ignore)
  return new ClientSocketCore(
    transportOver(duplex, directIo),
    {
      url: target.href,
      protocol,
      extensions: agreed === null ? '' : agreed.response,
      secure: target.secure,
      remoteAddress,
    },
    data,
    { role: 'client', limits, codec, autoPong },
    { limits, slowConsumer },
    handlers,
    incoming,
  )
}

/** A promise that a signal can end. */
function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error)
    }
    // Handled also if the signal is aborted first: an unhandled rejection would end the process.
    void promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', abort)
    })
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort)
  })
}
