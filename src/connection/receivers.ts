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

  /** Whether receivers of these options are lent here: all that a receiver reads of them. */
  fits(role: Role, limits: Limits, reservedBits: number): boolean {
    return (
      this.role === role &&
      this.reservedBits === reservedBits &&
      this.limits.maxMessageBytes === limits.maxMessageBytes &&
      this.limits.maxFrameBytes === limits.maxFrameBytes
    )
  }
}

/** How many kinds of receivers are known: those of the connections that were made last. */
const MAX_KNOWN = 16

const known: Receivers[] = []

/** @returns the same object for the same role, limits of size and extension, nearly always */
export function receiversFor(role: Role, limits: Limits, codec: MessageCodec | null): Receivers {
  const reservedBits = codec === null ? 0 : codec.reservedBits
  for (const receivers of known) if (receivers.fits(role, limits, reservedBits)) return receivers
  const receivers = new Receivers(role, limits, reservedBits)
  if (known.length === MAX_KNOWN) known.shift()
  known.push(receivers)
  return receivers
}
