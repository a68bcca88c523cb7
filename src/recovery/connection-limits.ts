import { InvalidMessageError, noteRaw } from '../errors.js'
import { overrideLimits, type Limits } from '../limits.js'
import { CloseCode } from '../frame/close-code.js'
import { MAX_HEADER_BYTES } from './wire.js'

const widened = new WeakMap<Limits, Limits>()

/** The limits of connections with recovery: a message of the legal size may have a header. Once for each set of limits. */
export function widen(limits: Limits): Limits {
  let wide = widened.get(limits)
  if (wide === undefined) {
    wide = overrideLimits(limits, {
      maxMessageBytes: limits.maxMessageBytes + MAX_HEADER_BYTES,
      maxFrameBytes: limits.maxFrameBytes + MAX_HEADER_BYTES,
    })
    widened.set(limits, wide)
  }
  return wide
}

/** A message that the subprotocol of recovery does not allow. */
export function refusalOf(detail: string, raw: string | Buffer, isOverLimit = false): InvalidMessageError {
  const code = isOverLimit ? CloseCode.POLICY_VIOLATION : CloseCode.INVALID_FRAME_PAYLOAD_DATA
  const error = new InvalidMessageError(code, `recovery: ${detail}`, { kind: 'unreadable' })
  noteRaw(error, raw)
  return error
}
