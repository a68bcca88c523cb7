/** A request on a stream that may still connect, and its response: of the handshake, and of CONNECT to a proxy. */
import type { Duplex } from 'node:stream'
import { HandshakeError, toError, type HandshakeErrorCode } from '../errors.js'
import { readBodyStart, readResponseHead, type ResponseStart } from '../socket/handshake-io.js'

/** What this file needs of a socket, and not every stream has. */
type MaybeSocket = Duplex & {
  readonly connecting?: boolean
  readonly secureConnecting?: boolean
  setNoDelay?(on: boolean): unknown
}

const ignore = (): void => undefined

/** From now on errors of the stream harm nobody, until {@link heedErrors}. */
export function ignoreErrors(duplex: Duplex): void {
  heedErrors(duplex)
  duplex.on('error', ignore)
}

/** The stream has an owner again, who listens to its errors. */
export function heedErrors(duplex: Duplex): void {
  duplex.off('error', ignore)
}

const LOST = 'the connection was lost before the handshake was complete: '

/** Gives a stream up. */
export function discard(duplex: Duplex): void {
  ignoreErrors(duplex)
  duplex.destroy()
}

/** What to wait for before anything may be written: TLS must have looked at the peer's certificate. */
function readyEvent({ connecting, secureConnecting }: MaybeSocket): string | null {
  if (secureConnecting === true) return 'secureConnect'
  return connecting === true ? 'connect' : null
}

/**
 * Connects, sends the request, reads the response's head. Nothing listens to the stream afterwards, and it is paused.
 * @throws HandshakeError, or the reason of the signal
 */
export function exchange(
  duplex: MaybeSocket,
  request: string,
  maxHeaderBytes: number,
  signal: AbortSignal,
): Promise<ResponseStart> {
  return new Promise((resolve, reject) => {
    const ready = readyEvent(duplex)
    let isConnected = false
    // A stream may be destroyed with anything.
    const failed = (error: unknown): void => {
      settle()
      reject(connectionFailed(error, isConnected ? LOST : ''))
    }
    const ended = (): void => {
      settle()
      reject(connectionFailed(new Error('the peer ended the connection before the handshake was complete')))
    }
    const aborted = (): void => {
      settle()
      reject(signal.reason as Error)
    }
    const connected = (): void => {
      isConnected = true
      duplex.setNoDelay?.(true)
      // An agent that was refused by its proxy gives a stream with the proxy's response, which can only be read.
      if (duplex.writable) duplex.write(request, 'latin1')
    }
    const stopReading = readResponseHead(duplex, maxHeaderBytes, (result) => {
      settle()
      if (result instanceof HandshakeError) reject(result)
      else resolve(result)
    })
    const settle = (): void => {
      stopReading()
      duplex.off('error', failed)
      duplex.off('end', ended)
      duplex.off('close', ended)
      if (ready !== null) duplex.off(ready, connected)
      signal.removeEventListener('abort', aborted)
      ignoreErrors(duplex)
    }
    heedErrors(duplex)
    duplex.on('error', failed)
    duplex.on('end', ended)
    duplex.on('close', ended)
    signal.addEventListener('abort', aborted)
    // Neither tells of it again.
    if (signal.aborted) aborted()
    else if (duplex.destroyed) ended()
    else if (ready !== null) duplex.on(ready, connected)
    else {
      connected()
      duplex.resume()
    }
  })
}

/** @param what says how far it came, and ends in a colon and a space; default: nothing */
export function connectionFailed(reason: unknown, what = ''): HandshakeError {
  const cause = toError(reason)
  return new HandshakeError('HAWSER_CONNECTION_FAILED', { detail: what + describeError(cause), cause })
}

/** An error in one line. Node joins the failures of several addresses (happy eyeballs) into one without a message. */
function describeError(error: Error): string {
  if (error instanceof AggregateError) {
    return error.errors.map((one: unknown) => toError(one).message).join('; ')
  }
  const { library, reason } = error as { readonly library?: unknown; readonly reason?: unknown }
  // The message of OpenSSL has places in its sources, and a line break.
  if (library === 'SSL routines' && typeof reason === 'string') return `TLS: ${reason}${adviceFor(reason)}`
  return error.message.trim().replace(/\s*[\r\n]\s*/g, ' ')
}

/** What OpenSSL finds where the answer to TLS is HTTP: the version, and since 3.2 the length of a record. */
const adviceFor = (reason: string): string =>
  reason === 'wrong version number' || reason === 'packet length too long'
    ? ', as of a port without TLS: ws:// instead of wss://, or http:// instead of https://?'
    : ''

/** Who may end the wait for a body. */
export interface BodySignals {
  /** Ends the attempt. */
  readonly signal: AbortSignal
  /** The caller's signal in it. If only the time is up, the answer says more than a timeout error. */
  readonly givenSignal: AbortSignal | undefined
}

/**
 * Makes the error for a response that says no, with the start of its body.
 * @param detail default: the status and its text
 * @throws the reason of the caller's signal
 */
export async function refusal(
  code: HandshakeErrorCode,
  duplex: Duplex,
  start: ResponseStart,
  { signal, givenSignal }: BodySignals,
  detail?: string,
): Promise<HandshakeError> {
  const body = await new Promise<Buffer>((resolve) => {
    const finish = readBodyStart(duplex, start, resolve)
    signal.addEventListener('abort', finish)
    if (signal.aborted) finish()
  })
  givenSignal?.throwIfAborted()
  const { status, statusText, headers } = start.head
  return new HandshakeError(code, {
    detail: detail ?? (statusText === '' ? String(status) : `${String(status)} ${statusText}`),
    response: { status, statusText, headers: headers.entries(), body },
  })
}
