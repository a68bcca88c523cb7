import type { Transport } from './transport.js'

/** Why nothing is pulled or read. */
export const Hold = {
  /** The connection has not begun. */
  START: 1,
  /** The caller paused. */
  CALLER: 2,
  /** The inbox is full. */
  INBOX: 4,
} as const
export type Hold = (typeof Hold)[keyof typeof Hold]

/** Whether a connection pulls and reads: while there is no reason not to. */
export class Reading {
  private reasons: number = Hold.START
  private readonly transport: Transport

  constructor(transport: Transport) {
    this.transport = transport
  }

  get isOn(): boolean {
    return this.reasons === 0
  }

  isHeldBy(reason: Hold): boolean {
    return (this.reasons & reason) !== 0
  }

  /** Stops at once. TCP tells the peer. */
  hold(reason: Hold): void {
    this.reasons |= reason
    this.transport.pause()
  }

  /** @returns whether this was a reason; reading goes on when the transport is resumed */
  release(reason: Hold): boolean {
    const wasHeld = this.isHeldBy(reason)
    this.reasons &= ~reason
    return wasHeld
  }

  /** Nothing more comes: what is there is pulled even for a caller who paused, but not into a full inbox. */
  ended(): void {
    this.reasons &= Hold.INBOX
  }
}
