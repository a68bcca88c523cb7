import type { Duplex } from 'node:stream'
import { HandshakeError, toError } from '../errors.js'
import type { Agreement, Extensions } from '../extension/extension.js'
import { formatUpgradeRequest, verifyUpgradeResponse } from '../handshake/client-handshake.js'
import type { ExtensionOffer } from '../handshake/extension-header.js'
import { createKey } from '../handshake/key.js'
import type { ClientRecovery } from '../recovery/client-options.js'
import { widen } from '../recovery/connection-limits.js'
import { innerProtocol, isRecoveryProtocol, offerRecovery } from '../recovery/wire.js'
import { offAbort, onAbort } from '../socket/abort-listeners.js'
import { toHeaderPairs, type HeaderPair } from '../socket/headers-input.js'
import { transportOver } from '../transport/handle-transport.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'
import { announce } from './callbacks.js'
import type { ClientSocket } from './client-socket.js'
import type { ResolvedConnectOptions } from './connect-options.js'
import { ClientSocketCore } from './connected-socket.js'
import { CLIENT_CHANNELS, type ClientMessages } from './diagnostics.js'
import { RecoveringClientCore } from './recovering-client.js'
import { discard, exchange, heedErrors, refusal } from '../dial/exchange.js'
import { withUrl } from '../dial/named-errors.js'
import { openTransport } from '../dial/open-transport.js'
import { isRedirect, Redirects, type Hop } from '../dial/redirects.js'
import { responseHeadersOf } from '../dial/response-headers.js'
import type { Target } from '../dial/websocket-url.js'

/** Gets a socket before its `onOpen`. */
export type Opening = (socket: ClientSocket) => void

/** One attempt, with the redirects that it follows, within `handshakeTimeoutMs`; observers hear how it ended. */
export async function attempt(options: ResolvedConnectOptions, opening?: Opening): Promise<ClientSocket> {
  const { signal, limits } = options
  signal?.throwIfAborted()
  const aborter = new AbortController()
  const abort = (): void => {
    aborter.abort(signal?.reason)
  }
  if (signal !== undefined) onAbort(signal, abort)
  const deadline: Timed = {
    timerSlot: -1,
    timeIsUp: () => {
      const detail = `${String(limits.handshakeTimeoutMs)} ms`
      aborter.abort(new HandshakeError('HAWSER_HANDSHAKE_TIMEOUT', { detail, httpStatus: null }))
    },
  }
  const startedAt = monotonicNow()
  timerWheel.schedule(deadline, startedAt + limits.handshakeTimeoutMs)
  timerWheel.keepAlive()
  try {
    const socket = await openWithin(options, aborter.signal, opening)
    publishAttempt(options, startedAt, null)
    return socket
  } catch (error) {
    publishAttempt(options, startedAt, toError(error))
    throw error
  } finally {
    timerWheel.cancel(deadline)
    timerWheel.letGo()
    if (signal !== undefined) offAbort(signal, abort)
  }
}

function publishAttempt({ target }: ResolvedConnectOptions, startedAt: number, error: Error | null): void {
  if (!CLIENT_CHANNELS.attempt.hasSubscribers) return
  CLIENT_CHANNELS.attempt.publish({
    url: target.shown,
    durationMs: monotonicNow() - startedAt,
    error,
  } satisfies ClientMessages['hawser:client:attempt'])
}

async function openWithin(
  options: ResolvedConnectOptions,
  signal: AbortSignal,
  opening: Opening | undefined,
): Promise<ClientSocket> {
  const { target, tls } = options
  let { shown } = target
  try {
    const redirects = new Redirects(options.redirects)
    let hop: Hop = { target, headers: await within(requestHeaders(options), signal), tls }
    for (;;) {
      const core = await openAt(hop, options, redirects, signal, opening)
      if (core instanceof ClientSocketCore) return core.socket
      hop = core
      shown = `${hop.target.shown}, redirected from ${target.shown}`
    }
  } catch (error) {
    throw error instanceof HandshakeError ? withUrl(error, shown) : error
  }
}

/** @returns the open connection, or where the server sends the client */
async function openAt(
  hop: Hop,
  options: ResolvedConnectOptions,
  redirects: Redirects,
  signal: AbortSignal,
  opening: Opening | undefined,
): Promise<ClientSocketCore | Hop> {
  const { extensions, origin, limits } = options
  const protocols = options.recovery === null ? options.protocols : offerRecovery(options.protocols)
  const { target, headers } = hop
  const key = createKey()
  const requestHead = formatUpgradeRequest({
    target: target.target,
    host: target.host,
    key,
    protocols,
    extensions: extensions.offer(),
    headers: withAuthorization(headers, target),
    origin,
  })
  signal.throwIfAborted()
  const signals = { signal, givenSignal: options.signal }
  const transport = openTransport(hop, options, signals)
  const duplex = transport instanceof Promise ? await transport : transport
  let core
  let rest
  try {
    const response = await exchange(duplex, requestHead, limits.maxHeaderBytes, signal)
    // The response and the abort may come in one turn.
    signal.throwIfAborted()
    const { head } = response
    rest = response.rest
    if (options.redirects > 0 && isRedirect(head)) {
      const next = redirects.next(hop, head)
      if ('code' in next) throw await refusal(next.code, duplex, response, signals, next.detail)
      discard(duplex)
      return next
    }
    const offered = { key, protocols, extensionNames: extensions.names }
    const result = verifyUpgradeResponse(head, offered)
    if (result instanceof HandshakeError) {
      const { code } = result
      throw code === 'HAWSER_UNEXPECTED_STATUS' ? await refusal(code, duplex, response, signals) : result
    }
    const agreed = agree(result.extensions, extensions)
    core = makeCore(options, target, duplex, result.protocol, agreed)
    core.responseHeaders = responseHeadersOf(head.headers)
  } catch (error) {
    discard(duplex)
    throw error
  }
  opening?.(core.socket)
  // From here on the core owns the transport, and ends it.
  await core.open(rest, signal)
  return core
}

async function requestHeaders(options: ResolvedConnectOptions): Promise<HeaderPair[]> {
  const { headers } = options
  const given = toHeaderPairs(typeof headers === 'function' ? await headers() : headers)
  const pairs = [...(given ?? [])]
  if (hasHeader(pairs, 'host')) {
    throw new TypeError('headers must not have Host: it follows from the url')
  }
  return pairs
}

/** Adds the credentials of the URL, unless the caller gave the header. */
function withAuthorization(headers: readonly HeaderPair[], { authorization }: Target): readonly HeaderPair[] {
  if (authorization === undefined || hasHeader(headers, 'authorization')) return headers
  return [...headers, ['Authorization', authorization]]
}

// `formatUpgradeRequest` reports entries that are not a pair of strings.
const hasHeader = (headers: readonly unknown[], wanted: string): boolean =>
  headers.some((pair) => Array.isArray(pair) && String(pair[0]).toLowerCase() === wanted)

function agree(answers: readonly ExtensionOffer[], extensions: Extensions): Agreement | null {
  const agreed = extensions.verify(answers)
  if (agreed instanceof HandshakeError) throw agreed
  return agreed
}

function makeCore(
  options: ResolvedConnectOptions,
  target: Target,
  duplex: Duplex & { readonly remoteAddress?: string | undefined },
  protocol: string,
  agreed: Agreement | null,
): ClientSocketCore {
  const { limits, directIo, autoPong, slowConsumer, data, handlers, recovery } = options
  const codec = agreed === null ? null : agreed.createCodec()
  const { remoteAddress = '' } = duplex
  heedErrors(duplex)
  const isRecovering = recovery !== null && isRecoveryProtocol(protocol)
  const transport = transportOver(duplex, directIo)
  const info = {
    url: target.href,
    protocol: isRecovering ? innerProtocol(protocol) : protocol,
    extensions: agreed === null ? '' : agreed.response,
    secure: target.secure,
    remoteAddress,
  }
  const driver = { limits, slowConsumer }
  if (isRecovering) {
    const connection = { role: 'client', limits: widen(limits), codec, autoPong } as const
    return new RecoveringClientCore(transport, info, data, connection, driver, handlers, options, recovery)
  }
  const connection = { role: 'client', limits, codec, autoPong } as const
  const core = new ClientSocketCore(transport, info, data, connection, driver, handlers, options)
  if (recovery !== null) tellUnsupported(recovery, core.socket, options)
  return core
}

/** The server has no recovery: positions of it are worth nothing any more. */
function tellUnsupported(
  { positions, onRecovered }: ClientRecovery,
  socket: ClientSocket,
  { handlers }: ResolvedConnectOptions,
): void {
  for (const group of positions.takeAll()) {
    const event = { group, recovered: false, reason: 'unsupported' } as const
    announce(CLIENT_CHANNELS.recovery, handlers, socket, event, onRecovered)
  }
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
