import { HandshakeError, type HandshakeErrorCode } from '../errors.js'
import type { CloseInfo } from '../connection/events.js'
import { CloseCode } from '../frame/close-code.js'
import { readRetryHint } from '../socket/retry-hint.js'

/**
 * Why there is no connection: `cause.close !== undefined` narrows it, and `cause.error instanceof HandshakeError` the error.
 */
export type ReconnectCause =
  | {
      /** How the connection ended. */
      readonly close: CloseInfo
      /**
       * With the code 1006: the TransportError of a connection that was reset, or the error of a heartbeat that the peer did
       * not answer. Without it the peer ended the transport, and sent no Close frame.
       */
      readonly error?: Error | undefined
    }
  | {
      /** There is none. */
      readonly close?: undefined
      /** A HandshakeError, or the error of the caller's function for headers or for the URL. */
      readonly error: Error
    }

/** Ends that pass: the peer restarts, fails or is gone. */
const PASSING_CODES: ReadonlySet<number> = new Set([
  CloseCode.GOING_AWAY,
  CloseCode.ABNORMAL_CLOSURE,
  CloseCode.INTERNAL_ERROR,
  CloseCode.SERVICE_RESTART,
  CloseCode.TRY_AGAIN_LATER,
  CloseCode.BAD_GATEWAY,
])

/** The server speaks WebSocket, and not what this client asked for: it will say the same again. */
const LASTING_ERRORS: ReadonlySet<HandshakeErrorCode> = new Set<HandshakeErrorCode>([
  'HAWSER_UNEXPECTED_PROTOCOL',
  'HAWSER_UNEXPECTED_EXTENSION',
])

/** Whether to connect again, unless the caller says otherwise. */
export function isRetriedByDefault({ close, error }: ReconnectCause): boolean {
  if (close !== undefined) return PASSING_CODES.has(close.code) || isOfSlowServer(close)
  if (!(error instanceof HandshakeError)) return !isMistake(error)
  if (LASTING_ERRORS.has(error.code)) return false
  // A wrong 101 comes from something between, or from a server that is not ready.
  const { httpStatus = 101 } = error
  return httpStatus === 101 || isRetriedStatus(httpStatus)
}

/** Whether `slowConsumer: 'close'` ended the connection: the next one may be faster. */
const isOfSlowServer = ({ code, initiator }: CloseInfo): boolean =>
  initiator === 'engine' && code === CloseCode.POLICY_VIOLATION

/** Whether a failure that is not retried is that of one server: another URL may be better. */
export const isOfOneServer = ({ close, error }: ReconnectCause): boolean =>
  close === undefined && error instanceof HandshakeError

const isRetriedStatus = (status: number): boolean => status === 408 || status === 429 || status >= 500

/** Whether an error is a mistake of the caller, such as a wrong header. */
const isMistake = (error: Error): boolean =>
  // The fetch of Node reports a lost network as a TypeError with a cause.
  (error instanceof TypeError && error.cause === undefined) ||
  error instanceof RangeError ||
  error instanceof SyntaxError

/** When the peer that closed the connection wants it back, in milliseconds; undefined: it did not say. */
export const hintOf = ({ close }: ReconnectCause): number | undefined =>
  close === undefined ? undefined : readRetryHint(close.reason)

/** The `Retry-After` of the response, if there is one. */
export function retryAfterOf({ error }: ReconnectCause): string | undefined {
  if (!(error instanceof HandshakeError)) return undefined
  return error.response?.headers.find(([name]) => name.toLowerCase() === 'retry-after')?.[1]
}
