import { CloseCode } from '../frame/close-code.js'
import type { Role } from '../frame/frame-parser.js'
import type { CloseInfo, CloseInitiator } from './events.js'
import { ReadyState } from './ready-state.js'

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
  /** The peer's Close frame came, ours is still to be sent: the caller may finish what it was sending. */
  | 'closeReceived'
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
  /** The peer's Close frame is to be answered now. */
  | 'answer'
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
      remoteClose: step('closeReceived'),
      answer: step('open'),
      violation: step('failed', 'violation', 'failed'),
      // The peer may still read: what was sent before leaves, but there is no Close frame that could say 1006.
      end: step('failed', 'none', 'abnormal'),
      lost: step('ended', 'none', 'abnormal'),
    },
    closeSent: {
      localClose: step('closeSent'),
      remoteClose: step('closeDone', 'none', 'clean'),
      answer: step('closeSent'),
      // Our one Close frame is out: the violation cannot be reported to the peer any more.
      violation: step('failed', 'none', 'failed'),
      end: step('failed', 'none', 'abnormal'),
      lost: step('ended', 'none', 'abnormal'),
    },
    closeReceived: {
      localClose: step('closeDone', 'own', 'clean'),
      remoteClose: step('closeReceived'),
      answer: step('closeDone', 'echo', 'clean'),
      violation: step('closeDone', 'violation', 'clean'),
      // After its Close frame the peer has nothing more to send: it still reads.
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

/** Who began the end, for what can end an open connection; the rest says nothing new. */
const INITIATORS: { readonly [I in ClosingInput]?: CloseInitiator } = {
  localClose: 'local',
  remoteClose: 'remote',
  violation: 'engine',
}

/** How one connection ends: where it stands in the table, and what is told of its end. */
export class ClosingHandshake {
  state: ClosingState = 'open'
  /** What the driver said of the transport: acted on when all bytes before it were pulled. */
  transport: 'open' | 'end' | 'lost' = 'open'
  /** Who began the end; of an open connection, who is told to have begun it if the transport is lost now. */
  initiator: CloseInitiator = 'remote'
  private outcome: CloseOutcome = 'none'
  private code: number = CloseCode.ABNORMAL_CLOSURE
  private reason = ''
  /** Bytes that were queued and not taken when the transport ended. */
  unsentBytes = 0
  /** This side's Close frame is among them. */
  isCloseUnsent = false

  /** Whether what the peer sends is still looked at. */
  get isReceiving(): boolean {
    return this.state === 'open' || this.state === 'closeSent'
  }

  /** Whether nothing is left but to write what waits, and then to end the transport. */
  get isOver(): boolean {
    return this.state === 'closeDone' || this.state === 'failed'
  }

  /** Whether data frames may still be sent: section 5.5.1 forbids them after this side's Close frame alone. */
  get isSendable(): boolean {
    return (this.state === 'open' || this.state === 'closeReceived') && this.transport !== 'lost'
  }

  /** Whether the peer's Close frame came and can still be answered. */
  get owesAnswer(): boolean {
    return this.state === 'closeReceived' && this.transport !== 'lost'
  }

  /** Whether nothing of the end has begun. */
  get isUntouched(): boolean {
    return this.state === 'open' && this.transport === 'open'
  }

  /** Where the connection stands, as the WHATWG counts it. */
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

  /**
   * One step of the table.
   * @param code what is told of the end from now on, with `reason`; left out: what was told before
   * @returns which Close frame goes out
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

/** What is only looked at. */
export type ClosingView = Readonly<Omit<ClosingHandshake, 'step'>>

/** All connections whose end has not begun share this one. */
export const UNTOUCHED: ClosingView = new ClosingHandshake()

/**
 * Whether this side should end the transport (RFC 6455 section 7.1.1): `now`; or `soon`, when the peer should
 * and a timer is to see that it does; or `no`.
 */
export function transportShouldClose(state: ClosingState, role: Role): 'no' | 'soon' | 'now' {
  if (state === 'open' || state === 'closeReceived') return 'no'
  if (state === 'closeSent') return 'soon'
  // After a clean close the server ends first, so that TIME_WAIT stays on its side.
  if (state === 'closeDone') return role === 'server' ? 'now' : 'soon'
  return 'now'
}
