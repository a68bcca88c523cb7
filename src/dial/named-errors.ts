import { detailOf, HandshakeError, type HandshakeErrorOptions } from '../errors.js'
import type { BodySignals } from './exchange.js'

function copy(error: HandshakeError, changed: HandshakeErrorOptions): HandshakeError {
  const { code, response, cause } = error
  const httpStatus = error.httpStatus === undefined ? null : undefined
  return new HandshakeError(code, { response, cause, httpStatus, ...changed })
}

/** A copy of an error that names the URL. */
export const withUrl = (error: HandshakeError, url: string): HandshakeError =>
  copy(error, { detail: detailOf(error), url })

/** A copy of an error whose detail begins with what it is about. */
export function withSubject(error: HandshakeError, subject: string): HandshakeError {
  const detail = detailOf(error)
  return copy(error, { detail: detail === undefined ? subject : `${subject}: ${detail}` })
}

/** Why an attempt ended: the reason of its signal. If that is its timeout, the error says what it waited for. */
export function reasonOf({ signal, givenSignal }: BodySignals, awaited: string): unknown {
  const reason: unknown = signal.reason
  const isTimeout = reason instanceof HandshakeError && givenSignal?.aborted !== true
  return isTimeout ? withSubject(reason, awaited) : reason
}
