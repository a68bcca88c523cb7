import type { MessageCodec } from '../extension/message-codec.js'
import type { Role } from '../frame/frame-parser.js'
import type { Limits } from '../limits.js'
import type { Waker } from './events.js'
import { Receiver } from './receiver.js'

/**
 * Receivers, lent. Between two messages a receiver knows nothing of its connection but what it is lent with, so one serves
 * all connections with the same limits, one chunk after the other. A silent connection has none: 328 bytes less for each
 * (Node 20, 2026-11). One that is inside a message, or inside a frame, keeps its own.
 */
export class Receivers {
  private readonly role: Role
  private readonly limits: Limits
  private readonly reservedBits: number
  /** The one that is not lent. No more are kept: chunks are received one inside the other only where a handler passes bytes on. */
  private spare: Receiver | null = null

  constructor(role: Role, limits: Limits, reservedBits: number) {
    this.role = role
    this.limits = limits
    this.reservedBits = reservedBits
  }

  /**
   * Lends a receiver.
   * @param waker woken when a message came about by itself, at the end of work off the loop
   * @param dataBytes what the connection received before: see {@link Receiver.dataBytes}
   */
  lend(codec: MessageCodec | null, waker: Waker, dataBytes: number): Receiver {
    const { spare } = this
    if (spare === null) return new Receiver(this.role, this.limits, codec, waker, dataBytes)
    this.spare = null
    spare.serve(codec, waker, dataBytes)
    return spare
  }

  /** @param receiver at rest: see {@link Receiver.isAtRest} */
  giveBack(receiver: Receiver): void {
    receiver.leave()
    this.spare = receiver
  }

  /** Whether receivers of these options are lent here. */
  fits(role: Role, reservedBits: number): boolean {
    return this.role === role && this.reservedBits === reservedBits
  }
}

const known = new WeakMap<Limits, Receivers[]>()

/** @returns the same object for the same limits, role and extension */
export function receiversFor(role: Role, limits: Limits, codec: MessageCodec | null): Receivers {
  const reservedBits = codec === null ? 0 : codec.reservedBits
  let list = known.get(limits)
  if (list === undefined) known.set(limits, (list = []))
  const fitting = list.find((receivers) => receivers.fits(role, reservedBits))
  if (fitting !== undefined) return fitting
  const receivers = new Receivers(role, limits, reservedBits)
  list.push(receivers)
  return receivers
}

/** The receiving side of a connection: it borrows a receiver while there is something to look at. */
export abstract class Receiving implements Waker {
  /** Lent while bytes are looked at, and while a message or a frame is not complete; else null. */
  protected receiver: Receiver | null = null
  protected readonly limits: Limits
  private readonly receivers: Receivers
  /** The received bytes of data frames when the last receiver was given back. */
  private dataBytes = 0

  constructor(role: Role, limits: Limits, codec: MessageCodec | null) {
    this.limits = limits
    this.receivers = receiversFor(role, limits, codec)
  }

  /** The received bytes of data frames; each header counts as 2 bytes. */
  get receivedDataBytes(): number {
    return this.receiver === null ? this.dataBytes : this.receiver.dataBytes
  }

  /** Copies the unconsumed rest of a lent chunk. Its memory then belongs to the caller again. */
  keepInput(): void {
    const { receiver } = this
    if (receiver === null) return
    receiver.keepInput()
    if (!receiver.isAtRest) return
    this.dataBytes = receiver.dataBytes
    this.receiver = null
    this.receivers.giveBack(receiver)
  }

  /** Reports that work on the thread pool has ended. */
  abstract wake(): void

  protected borrowReceiver(codec: MessageCodec | null): Receiver {
    const receiver = this.receivers.lend(codec, this, this.dataBytes)
    this.receiver = receiver
    return receiver
  }
}
