import type { Role } from '../frame/frame-parser.js'

/**
 * The closing handshake (RFC 6455 section 7) as a table: for each state and each thing that can happen, the
 * next state and what is to be done. Nothing else in the engine decides how a connection ends.
 */

/** Where a connection stands, seen from this side. */
export type ClosingState =
  /** Frames flow both ways. */
  | 'open'
  /** Our Close frame is sent, the peer's has not come: messages may still come. */
  | 'closeSent'
  /** Both Close frames are exchanged; the transport is still to end. */
  | 'closeDone'
  /** The connection was failed (section 7.1.7): nothing that comes is looked at any more. */
  | 'failed'
  /** The transport is over. */
  | 'ended'

export type ClosingInput =
  /** The caller closes. */
  | 'localClose'
  /** The peer's Close frame came. */
  | 'remoteClose'
  /** The peer broke the protocol or a limit. */
  | 'violation'
  /** The peer ended its side of the transport. */
  | 'end'
  /** The transport is gone, both ways. */
  | 'lost'

/** Which Close frame goes out: the caller's, the echo of the peer's, the violation's, or none. */
export type CloseFrameToSend = 'own' | 'echo' | 'violation' | 'none'

/** What is known of the end from this step on; a later step does not change it. */
export type CloseOutcome = 'clean' | 'failed' | 'abnormal' | 'none'

export interface ClosingStep {
  readonly next: ClosingState
  readonly send: CloseFrameToSend
  readonly outcome: CloseOutcome
}

const step = (
  next: ClosingState,
  send: CloseFrameToSend = 'none',
  outcome: CloseOutcome = 'none',
): ClosingStep => ({
  next,
  send,
  outcome,
})

export const CLOSING_TABLE: { readonly [S in ClosingState]: { readonly [I in ClosingInput]: ClosingStep } } =
  {
    open: {
      localClose: step('closeSent', 'own'),
      remoteClose: step('closeDone', 'echo', 'clean'),
      violation: step('failed', 'violation', 'failed'),
      end: step('ended', 'none', 'abnormal'),
      lost: step('ended', 'none', 'abnormal'),
    },
    closeSent: {
      localClose: step('closeSent'),
      remoteClose: step('closeDone', 'none', 'clean'),
      // Our one Close frame is out: the violation cannot be told any more.
      violation: step('failed', 'none', 'failed'),
      end: step('ended', 'none', 'abnormal'),
      lost: step('ended', 'none', 'abnormal'),
    },
    closeDone: {
      localClose: step('closeDone'),
      remoteClose: step('closeDone'),
      violation: step('closeDone'),
      end: step('ended'),
      lost: step('ended'),
    },
    failed: {
      localClose: step('failed'),
      remoteClose: step('failed'),
      violation: step('failed'),
      end: step('ended'),
      lost: step('ended'),
    },
    ended: {
      localClose: step('ended'),
      remoteClose: step('ended'),
      violation: step('ended'),
      end: step('ended'),
      lost: step('ended'),
    },
  }

/**
 * Whether this side should end the transport (RFC 6455 section 7.1.1): `now`; or `soon`, when the peer should
 * and a timer is to see that it does; or `no`.
 */
export function transportShouldClose(state: ClosingState, role: Role): 'no' | 'soon' | 'now' {
  if (state === 'open') return 'no'
  if (state === 'closeSent') return 'soon'
  // After a clean close the server ends first, so that TIME_WAIT stays on its side.
  if (state === 'closeDone') return role === 'server' ? 'now' : 'soon'
  return 'now'
}
