import { Linger, REJECTION_LINGER_MS } from '../socket/handshake-io.js'
import type { HandleTransport } from '../transport/handle-transport.js'
import { monotonicNow, timerWheel } from '../transport/timer-wheel.js'
import type { Transport, TransportOwner } from '../transport/transport.js'
import { EarlyData } from './early-data.js'
import type { ServerCore } from './server-core.js'
import { Upgrade } from './upgrade.js'

const NO_BYTES = new Uint8Array(0)

/** An upgrade that came to a port of Hawser's own, without node:http. */
export class DirectUpgrade extends Upgrade implements TransportOwner {
  readonly raw = undefined
  readonly secure = false
  readonly certificate = undefined
  readonly remoteAddress: string
  private readonly transport: HandleTransport
  /** The bytes that came with the request. */
  private early: Uint8Array
  /** The bytes that came later, while the decision takes time. */
  private later: EarlyData | null = null
  private readonly lingerMs: number
  /** Of the rejection. */
  private linger: Linger | null = null
  /** The bytes of the rejection that the system did not take at once. */
  private pendingBytes = 0

  /**
   * @param early the bytes that came after the request
   * @param startedAt when the connection was accepted, of `monotonicNow`
   * @param lingerMs see {@link REJECTION_LINGER_MS}
   */
  constructor(
    core: ServerCore,
    target: string,
    transport: HandleTransport,
    early: Uint8Array,
    startedAt: number,
    lingerMs = REJECTION_LINGER_MS,
  ) {
    super(core, target, startedAt)
    this.lingerMs = lingerMs
    this.transport = transport
    this.early = early
    this.remoteAddress = transport.remoteAddress
    transport.setOwner(this)
  }

  writeRejection(response: Uint8Array): void {
    const { transport } = this
    transport.write(Buffer.from(response))
    transport.end()
    // What still comes is discarded: a socket that is closed with bytes unread is reset, and the response lost.
    transport.resume()
    this.pendingBytes = transport.pendingBytes
    this.linger = new Linger(this.pendingBytes === 0)
    timerWheel.schedule(this, monotonicNow() + this.lingerMs)
  }

  destroy(): void {
    this.transport.destroy()
  }

  receive(chunk: Buffer): void {
    if (this.linger !== null) return
    this.later ??= new EarlyData()
    if (!this.later.push(chunk)) this.transport.pause()
  }

  receiveEnd(): void {
    // A peer that ended its side still reads the answer; once that has left as well, the transport ends by itself.
  }

  transportLost(): void {
    timerWheel.cancel(this)
    this.closed()
  }

  unblock(): void {
    // The answer has left; nothing waits for that.
  }

  override timeIsUp(now: number): void {
    const { linger } = this
    if (linger === null) {
      super.timeIsUp(now)
      return
    }
    const { pendingBytes } = this.transport
    const goesOn = linger.goesOn(this.pendingBytes - pendingBytes, pendingBytes === 0)
    if (goesOn) timerWheel.schedule(this, now + this.lingerMs)
    else this.destroy()
  }

  protected get isClosed(): boolean {
    return this.transport.isDestroyed
  }

  /** The request is the first of its connection. */
  protected takeTurn(): void {
    this.turnCame(true)
  }

  protected watch(): void {
    // Only a transport that reads sees a reset.
    this.transport.resume()
  }

  protected writeAccept(head: string): Transport {
    const { transport } = this
    transport.write(Buffer.from(head, 'latin1'))
    // Until the driver reads: what comes before that waits in the network, not here.
    transport.pause()
    return transport
  }

  protected takeEarlyData(): Uint8Array {
    const { early, later } = this
    this.early = NO_BYTES
    this.later = null
    return later === null ? early : Buffer.concat([early, later.take()])
  }
}
