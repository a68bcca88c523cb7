import { CloseCode, type ClosePayload } from '../frame/close-code.js'
import type { Role } from '../frame/frame-parser.js'
import type { CloseInfo, CloseInitiator } from './events.js'
import { ReadyState } from './ready-state.js'

/**
 * The closing handshake (RFC 6455 section 7) as a table: for each state and each input, the next state and what to
 * do. Nothing else in the engine decides how a connection ends.
 */

/** The state of a connection, seen from this side. */
export type ClosingState =
  /** Frames flow both ways. */
  | 'open'
  /** This side's Close frame is sent, the peer's is not received: messages may still arrive. */
  | 'closeSent'
  /** The peer's Close frame is received, this side's is not sent: the caller may finish what it was sending. */
  | 'closeReceived'
  /** Both Close frames are exchanged; the transport has not ended. */
  | 'closeDone'
  /** The connection has failed (section 7.1.7): received bytes are ignored. */
  | 'failed'
  /** The transport has ended. */
  | 'ended'

export type ClosingInput =
  /** The caller closes. */
  | 'localClose'
  /** The peer's Close frame arrives. */
  | 'remoteClose'
  /** This side answers the peer's Close frame. */
  | 'answer'
  /** The peer breaks the protocol or exceeds a limit. */
  | 'violation'
  /** The peer ends its side of the transport. */
  | 'end'
  /** The transport is lost in both directions. */
  | 'lost'

/** Which Close frame goes out: the caller's, the echo of the peer's, the violation's, or none. */
export type CloseFrameToSend = 'own' | 'echo' | 'violation' | 'none'

/** How the connection ends, as far as this step decides it. A later step does not change it. */
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
      remoteClose: step('closeReceived'),
      answer: step('open'),
      violation: step('failed', 'violation', 'failed'),
      // The peer may still read: queued output leaves, but no Close frame can carry 1006.
      end: step('failed', 'none', 'abnormal'),
      lost: step('ended', 'none', 'abnormal'),
    },
    closeSent: {
      localClose: step('closeSent'),
      remoteClose: step('closeDone', 'none', 'clean'),
      answer: step('closeSent'),
      // This side's only Close frame is sent: the violation can no longer be reported to the peer.
      violation: step('failed', 'none', 'failed'),
      end: step('failed', 'none', 'abnormal'),
      lost: step('ended', 'none', 'abnormal'),
    },
    closeReceived: {
      localClose: step('closeDone', 'own', 'clean'),
      remoteClose: step('closeReceived'),
      answer: step('closeDone', 'echo', 'clean'),
      violation: step('closeDone', 'violation', 'clean'),
      // After its Close frame the peer has nothing more to send, but it still reads.
      end: step('closeReceived'),
      lost: step('ended', 'none', 'abnormal'),
    },
    closeDone: {
      localClose: step('closeDone'),
      remoteClose: step('closeDone'),
      answer: step('closeDone'),
      violation: step('closeDone'),
      end: step('ended'),
      lost: step('ended'),
    },
    failed: {
      localClose: step('failed'),
      remoteClose: step('failed'),
      answer: step('failed'),
      violation: step('failed'),
      end: step('ended'),
      lost: step('ended'),
    },
    ended: {
      localClose: step('ended'),
      remoteClose: step('ended'),
      answer: step('ended'),
      violation: step('ended'),
      end: step('ended'),
      lost: step('ended'),
    },
  }

/** Who begins the end, for each input that can end an open connection. Other inputs keep the last value. */
const INITIATORS: { readonly [I in ClosingInput]?: CloseInitiator } = {
  localClose: 'local',
  remoteClose: 'remote',
  violation: 'engine',
}

/** The closing handshake of one connection: its state in the table, and what `closed` will report. */
export class ClosingHandshake {
  state: ClosingState = 'open'
  /** The transport's state as the driver reports it. It takes effect once all bytes before it are consumed. */
  transport: 'open' | 'end' | 'lost' = 'open'
  /** Who began the end. While the connection is open: who is reported if the transport is lost now. */
  initiator: CloseInitiator = 'remote'
  private outcome: CloseOutcome = 'none'
  code: number = CloseCode.ABNORMAL_CLOSURE
  reason = ''
  /** This side's own Close frame, while the peer's is not received. */
  private own: Readonly<ClosePayload> | null = null
  /** The queued bytes that the transport had not taken when it ended. */
  unsentBytes = 0
  /** Whether this side's Close frame is among the unsent bytes. */
  isCloseUnsent = false

  /** Whether received bytes are still parsed. */
  get isReceiving(): boolean {
    return this.state === 'open' || this.state === 'closeSent'
  }

  /** Whether only two steps are left: to write the queued output, and to end the transport. */
  get isOver(): boolean {
    return this.state === 'closeDone' || this.state === 'failed'
  }

  /** Whether data frames may still be sent: section 5.5.1 forbids them only after this side's Close frame. */
  get isSendable(): boolean {
    return (this.state === 'open' || this.state === 'closeReceived') && this.transport !== 'lost'
  }

  /** Whether the peer's Close frame is received and can still be answered. */
  get owesAnswer(): boolean {
    return this.state === 'closeReceived' && this.transport !== 'lost'
  }

  /** Whether the end has not begun in any way. */
  get isUntouched(): boolean {
    return this.state === 'open' && this.transport === 'open'
  }

  /** The state in the terms of the WHATWG's WebSocket. */
  get readyState(): ReadyState {
    if (this.state === 'ended' || this.transport === 'lost') return ReadyState.CLOSED
    return this.state === 'open' ? ReadyState.OPEN : ReadyState.CLOSING
  }

  /** How the connection ended, or would end if the transport were lost now. */
  get info(): CloseInfo {
    const { code, reason, outcome, initiator, unsentBytes } = this
    const wasClean = outcome === 'clean' && !this.isCloseUnsent
    return { code, reason, wasClean, initiator, droppedMessages: 0, unsentBytes }
  }

  /** The code and reason of the end, as far as they are known. */
  get endsWith(): Readonly<ClosePayload> {
    return this.state === 'closeSent' && this.own !== null ? this.own : this
  }

  /** The caller closes. */
  closeLocally(code: number = CloseCode.NO_STATUS_RECEIVED, reason = ''): void {
    this.own = { code, reason }
    this.step('localClose')
  }

  /**
   * Takes one step in the table.
   * @param code the code to report from now on, with `reason`. Default: both stay as they are
   * @returns which Close frame to send
   */
  step(input: ClosingInput, code = this.code, reason = this.reason): CloseFrameToSend {
    const { next, send, outcome } = CLOSING_TABLE[this.state][input]
    if (this.state === 'open') this.initiator = INITIATORS[input] ?? this.initiator
    if (this.outcome === 'none') this.outcome = outcome
    this.state = next
    this.code = code
    this.reason = reason
    return send
  }
}

/** A closing handshake that may be read but not stepped. */
export type ClosingView = Readonly<Omit<ClosingHandshake, 'step'>>

/** The state that all connections share until their end begins. */
export const UNTOUCHED: ClosingView = new ClosingHandshake()

/**
 * Whether this side should end the transport (RFC 6455 section 7.1.1): `'no'`, `'now'`, or `'soon'` if the peer
 * should end it and a timer must make sure that it ends.
 */
export function transportShouldClose(state: ClosingState, role: Role): 'no' | 'soon' | 'now' {
  if (state === 'open' || state === 'closeReceived') return 'no'
  if (state === 'closeSent') return 'soon'
  // After a clean close the server ends first, so that TIME_WAIT stays on its side.
  if (state === 'closeDone') return role === 'server' ? 'now' : 'soon'
  return 'now'
}
