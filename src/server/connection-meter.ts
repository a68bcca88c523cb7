import { LimitError, type LimitErrorCode } from '../errors.js'
import type { ConnectionQuotas, QuotaInfo, QuotaKind } from './quota-options.js'
import type { RateLimit } from './rate-limit.js'

/** What a message counts beside its content: its shortest header, as in `Connection.receivedDataBytes`. */
const HEADER_BYTES = 2

const CODES: Readonly<Record<QuotaKind, LimitErrorCode>> = {
  messages: 'HAWSER_TOO_MANY_MESSAGES',
  bytes: 'HAWSER_TOO_MANY_BYTES',
  controlFrames: 'HAWSER_TOO_MANY_CONTROL_FRAMES',
}

/**
 * Measures what one connection receives against its quotas. It has no clock and no timer: the caller passes times in
 * milliseconds, all from the same monotonic clock.
 *
 * A message counts its own size and a header. Bytes of data frames that no message accounts for count as well: those of an
 * unfinished message when they are received, and then not again with the message; headers of fragments, and text whose bytes
 * are more than its characters, by the end of the chunk. So at least all bytes of data frames count, and at least what a
 * compressed message inflates to.
 */
export class ConnectionMeter {
  /** How often a quota was exceeded. */
  excesses = 0
  protected readonly quotas: ConnectionQuotas
  /** The states of the three buckets: see {@link RateLimit}. */
  private messagesFullAt = -Infinity
  private bytesFullAt = -Infinity
  private controlFullAt = -Infinity
  /** Of the bytes of data frames that the connection received: those that were looked at. */
  private seenBytes = 0
  /** Of these, the bytes that nothing has counted. */
  private surplusBytes = 0
  /** Bytes that counted before the message to which they belong. */
  private prepaidBytes = 0
  /** What was judged last, for {@link owe} and {@link errorOf}. */
  private last: 'message' | 'part' | 'controlFrame' = 'message'
  private lastBytes = 0

  constructor(quotas: ConnectionQuotas) {
    this.quotas = quotas
  }

  /**
   * Judges a message, and counts it if it exceeds no quota.
   * @param size in bytes, or in characters of text; after inflating
   * @param receivedDataBytes all bytes of data frames that the connection has received
   * @returns the quota that it exceeds, or null
   */
  judgeMessage(size: number, receivedDataBytes: number, now: number): QuotaKind | null {
    const { messages, bytes } = this.quotas
    this.skipMessage(size, receivedDataBytes)
    if (messages?.admits(this.messagesFullAt, now, 1) === false) return this.exceeded('messages')
    if (bytes?.admits(this.bytesFullAt, now, this.lastBytes) === false) return this.exceeded('bytes')
    this.owe(now)
    return null
  }

  /** Notes a message that counts for no quota: see {@link judgeMessage}. */
  skipMessage(size: number, receivedDataBytes: number): void {
    this.last = 'message'
    if (this.quotas.bytes === null) return
    this.see(receivedDataBytes)
    this.lastBytes = Math.max(0, size + HEADER_BYTES - this.prepaidBytes)
    this.prepaidBytes = 0
    this.surplusBytes = Math.max(0, this.surplusBytes - this.lastBytes)
  }

  /**
   * Judges what a chunk has beside its whole messages, and counts it as {@link judgeMessage} does.
   * @param isInMessage whether the last message is unfinished; else what is not counted belongs to messages that are over
   */
  judgePart(receivedDataBytes: number, isInMessage: boolean, now: number): QuotaKind | null {
    const { bytes } = this.quotas
    if (bytes === null) return null
    this.see(receivedDataBytes)
    if (this.surplusBytes === 0) return null
    this.last = 'part'
    this.lastBytes = this.surplusBytes
    if (isInMessage) this.prepaidBytes += this.surplusBytes
    this.surplusBytes = 0
    if (!bytes.admits(this.bytesFullAt, now, this.lastBytes)) return this.exceeded('bytes')
    this.owe(now)
    return null
  }

  /** Judges a ping or a pong, and counts it as {@link judgeMessage} does. */
  judgeControlFrame(now: number): QuotaKind | null {
    this.last = 'controlFrame'
    if (this.quotas.controlFrames?.admits(this.controlFullAt, now, 1) === false) {
      return this.exceeded('controlFrames')
    }
    this.owe(now)
    return null
  }

  /** Counts what was judged last, whether there is room for it or not. */
  owe(now: number): void {
    const { messages, bytes, controlFrames } = this.quotas
    if (this.last === 'controlFrame') {
      if (controlFrames !== null) this.controlFullAt = controlFrames.take(this.controlFullAt, now, 1)
      return
    }
    if (bytes !== null) this.bytesFullAt = bytes.take(this.bytesFullAt, now, this.lastBytes)
    if (messages !== null && this.last === 'message') {
      this.messagesFullAt = messages.take(this.messagesFullAt, now, 1)
    }
  }

  /** When every quota has room for one message, byte and control frame, if nothing is received until then. */
  get roomAt(): number {
    const { messages, bytes, controlFrames } = this.quotas
    return Math.max(
      messages?.nextAt(this.messagesFullAt) ?? -Infinity,
      bytes?.nextAt(this.bytesFullAt) ?? -Infinity,
      controlFrames?.nextAt(this.controlFullAt) ?? -Infinity,
    )
  }

  /** Describes an excess for the application. */
  infoOf(quota: QuotaKind): QuotaInfo {
    const { perSecond, burst } = this.limitOf(quota)
    return { quota, perSecond, burst, excesses: this.excesses }
  }

  /** The error with which a connection fails for what was judged last. */
  errorOf(quota: QuotaKind, now: number): LimitError {
    const limit = this.limitOf(quota)
    const fullAt =
      quota === 'messages' ? this.messagesFullAt : quota === 'bytes' ? this.bytesFullAt : this.controlFullAt
    const cost = quota === 'bytes' ? this.lastBytes : 1
    // Above the burst also where rounding says otherwise.
    const actual = Math.max(limit.burst + 1, Math.ceil(limit.taken(fullAt, now) + cost))
    return new LimitError(CODES[quota], limit.burst, actual)
  }

  private exceeded(quota: QuotaKind): QuotaKind {
    this.excesses++
    return quota
  }

  private see(receivedDataBytes: number): void {
    this.surplusBytes += receivedDataBytes - this.seenBytes
    this.seenBytes = receivedDataBytes
  }

  /** Called only for a quota that was exceeded. */
  private limitOf(quota: QuotaKind): RateLimit {
    return this.quotas[quota] as RateLimit
  }
}
