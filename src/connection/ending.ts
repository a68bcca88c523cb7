import type { ProtocolError, TransportError } from '../errors.js'
import { CloseCode, encodeClosePayload, type ClosePayload } from '../frame/close-code.js'
import type { Role } from '../frame/frame-parser.js'
import { ClosingHandshake, transportShouldClose } from './closing-handshake.js'
import type { Closed, CloseInfo, CloseReceived, ConnectionEvent } from './events.js'
import type { Sender } from './sender.js'

/** The end of a connection: its closing handshake, the output that still leaves or is dropped, and the last events. */
export class Ending {
  readonly closing = new ClosingHandshake()
  private readonly sender: Sender
  /** The error with which the transport was lost. */
  lossError: ProtocolError | TransportError | null = null
  private isReported = false
  /** The part of the unsent bytes that was dropped before this side's Close frame was queued. */
  private droppedBytes = 0

  constructor(sender: Sender) {
    this.sender = sender
  }

  /**
   * How the connection ended, or would end if the transport were lost now: none of the waiting output leaves, and the
   * Close frame is the last of it.
   */
  get info(): CloseInfo {
    const { closing, sender, droppedBytes } = this
    const { code, reason, wasClean, initiator, droppedMessages } = closing.info
    const unsentBytes = closing.unsentBytes + sender.byteLength
    const isClean = wasClean && unsentBytes <= droppedBytes
    return { code, reason, wasClean: isClean, initiator, droppedMessages, unsentBytes }
  }

  /** Queues this side's Close frame (RFC 6455 section 7.1.2). */
  close(code: number | undefined, reason: string | undefined): void {
    this.closing.closeLocally(code, reason)
    this.sender.sendClose(encodeClosePayload(code, reason))
  }

  /** Queues the answer to the peer's Close frame, with its code (RFC 6455 section 5.5.1). */
  answer(): void {
    const { code } = this.closing.info
    this.closing.step('answer')
    this.sender.sendClose(encodeClosePayload(code === CloseCode.NO_STATUS_RECEIVED ? undefined : code))
  }

  /** Fails the connection (RFC 6455 section 7.1.7). */
  fail(closeCode: number, reason: string): void {
    const { closing, sender } = this
    if (closing.owesAnswer) {
      // `closed` reports the peer's Close frame; this side's Close frame reports the failure.
      closing.step('violation')
      sender.sendClose(encodeClosePayload(closeCode, reason))
      return
    }
    if (!closing.isReceiving) return
    const send = closing.step('violation', closeCode, reason)
    if (send === 'violation') sender.sendClose(encodeClosePayload(closeCode, reason))
  }

  /** Reports that the peer ended its side of the transport. */
  half(): void {
    if (this.closing.transport === 'open') this.closing.transport = 'end'
  }

  /** Reports the peer's Close frame, and returns its event. */
  closeReceived({ code, reason }: ClosePayload): CloseReceived {
    this.closing.step('remoteClose', code, reason)
    return { type: 'closeReceived', code, reason }
  }

  /**
   * Reports that the transport is lost.
   * @param unsentBytes output that was taken and not sent
   * @param initiator who ended it, if the connection was open; undefined: the peer
   */
  lose(
    error: ProtocolError | TransportError | null,
    unsentBytes: number,
    initiator?: 'engine' | 'local',
  ): void {
    const { closing } = this
    if (initiator !== undefined && closing.state === 'open') closing.initiator = initiator
    if (closing.transport === 'lost') return
    closing.transport = 'lost'
    closing.unsentBytes += unsentBytes
    this.lossError = error
  }

  /**
   * Gives the connection up: received events that were not pulled are dropped. If the transport is already lost they
   * can still be pulled, so that the owner can count them.
   */
  abandon(unsentBytes: number): void {
    if (this.closing.transport === 'lost') {
      this.lossError = null
      return
    }
    this.lose(null, unsentBytes, 'local')
    this.closing.step('lost')
    this.dropAtEnd()
  }

  /** Whether the side with this role should end the transport once its output is taken: see `Connection`. */
  transportShouldClose(role: Role): 'no' | 'soon' | 'now' {
    const { closing, sender } = this
    const answer = transportShouldClose(closing.state, role)
    // The peer has ended its side: nothing more can arrive.
    const isDue = answer === 'now' || (closing.transport !== 'open' && closing.isOver)
    return !isDue ? answer : sender.isCompressing ? 'soon' : 'now'
  }

  /** Drops the output of a connection that is about to be failed. */
  drop(): void {
    this.closing.unsentBytes += this.sender.byteLength
    this.sender.clear()
    this.droppedBytes = this.closing.unsentBytes
  }

  /** Returns the next event of the end; null if there is none, or if output must leave first. */
  next(): ConnectionEvent | null {
    const { closing, sender } = this
    const { transport } = closing
    if (transport === 'open') return null
    if (transport === 'end') {
      // A peer that only ended its side still reads: queued output and the answer to its Close frame leave first.
      if (closing.isReceiving) closing.step('end')
      if (closing.state === 'closeReceived') return null
      if (sender.byteLength > 0 || sender.output.isBlocked) return null
    }
    if (closing.state !== 'ended') {
      const error = closing.isReceiving || closing.state === 'closeReceived' ? this.lossError : null
      closing.step(transport)
      this.dropAtEnd()
      if (error !== null) return { type: 'error', error }
    }
    if (this.isReported) return null
    this.isReported = true
    const { code, reason, wasClean, initiator, droppedMessages, unsentBytes } = closing.info
    const closed: Closed = { type: 'closed', code, reason, wasClean, initiator, droppedMessages, unsentBytes }
    return closed
  }

  /** Drops the waiting output at the end. This side's Close frame is always the last of it. */
  private dropAtEnd(): void {
    const { closing, sender } = this
    closing.unsentBytes += sender.byteLength
    sender.clear()
    if (closing.unsentBytes > this.droppedBytes) closing.isCloseUnsent = true
  }
}
