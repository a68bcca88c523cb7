import type { Socket as TcpSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { HandshakeError, withUrl } from '../errors.js'
import type { Agreement, Extensions } from '../extension/extension.js'
import { formatUpgradeRequest, verifyUpgradeResponse } from '../handshake/client-handshake.js'
import type { ExtensionOffer } from '../handshake/extension-header.js'
import { createKey } from '../handshake/key.js'
import type { Limits } from '../limits.js'
import { readBodyStart, readResponseHead, type ResponseStart } from '../socket/handshake-io.js'
import { toHeaderPairs, type HeaderPair } from '../socket/headers-input.js'
import { transportOver } from '../transport/handle-transport.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'
import type { ClientSocket } from './client-socket.js'
import type { ResolvedConnectOptions } from './connect-options.js'
import { ClientSocketCore } from './connected-socket.js'
import { openTransport } from './open-transport.js'

/** One attempt, within `handshakeTimeoutMs`. */
export async function attempt(options: ResolvedConnectOptions): Promise<ClientSocket> {
  const { signal, limits } = options
  signal?.throwIfAborted()
  const aborter = new AbortController()
  const abort = (): void => {
    aborter.abort(signal?.reason)
  }
  signal?.addEventListener('abort', abort)
  const deadline: Timed = {
    timerSlot: -1,
    timeIsUp: () => {
      aborter.abort(new HandshakeError('HAWSER_HANDSHAKE_TIMEOUT', { httpStatus: null }))
    },
  }
  timerWheel.schedule(deadline, monotonicNow() + limits.handshakeTimeoutMs)
  timerWheel.keepAlive()
  try {
    return await openWithin(options, aborter.signal)
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
  const { target, limits, directIo, autoPong, slowConsumer, data, handlers } = options
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
    options,
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
