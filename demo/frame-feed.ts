import type { ServerSocket } from 'hawser'
import type { WireReport } from './frame-tap.js'

/** A message to the page, as JSON text. */
export interface FeedMessage {
  /** The frames since the last message, in order. */
  readonly frames: readonly WireReport[]
  /** How many later frames were left out because the page was too slow. */
  readonly missed: number
  /** The last round trip of a ping, or null before the first. */
  readonly rttMs: number | null
}

/** The most reports that wait for the page: some 100 KB of JSON. */
export const MAX_WAITING_REPORTS = 256
/** How long reports are gathered, in ms: a flood of small frames then costs few messages. */
const GATHER_MS = 20

/** Sends reports to a page, gathered and bounded: reports that a slow page has no room for are counted and not kept. */
export class FrameFeed {
  private readonly socket: Pick<ServerSocket, 'sendJson' | 'close'>
  private waiting: WireReport[] = []
  private missed = 0
  private rttMs: number | null = null
  private timer: NodeJS.Timeout | undefined
  private mustWait = false
  private isEnding = false
  private isOver = false

  constructor(socket: Pick<ServerSocket, 'sendJson' | 'close'>) {
    this.socket = socket
  }

  push(report: WireReport): void {
    // After a gap no report is kept until the gap is reported, so that the gap's place in the order is known.
    if (this.missed > 0 || this.waiting.length >= MAX_WAITING_REPORTS) this.missed++
    else this.waiting.push(report)
    this.schedule()
  }

  tellRoundTrip(rttMs: number | undefined): void {
    this.rttMs = rttMs ?? null
    this.schedule()
  }

  /** The page has read the sent messages. */
  drained(): void {
    this.mustWait = false
    this.flush()
  }

  /** Sends the waiting reports, and closes with 1000. */
  end(): void {
    this.isEnding = true
    this.flush()
  }

  /** The page is gone. */
  stop(): void {
    this.isOver = true
    this.waiting = []
    clearTimeout(this.timer)
  }

  private schedule(): void {
    if (this.timer !== undefined || this.mustWait || this.isEnding || this.isOver) return
    this.timer = setTimeout(() => {
      this.flush()
    }, GATHER_MS)
  }

  private flush(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.mustWait || this.isOver) return
    const message: FeedMessage = { frames: this.waiting, missed: this.missed, rttMs: this.rttMs }
    this.waiting = []
    this.missed = 0
    this.mustWait = !this.socket.sendJson(message)
    if (!this.isEnding) return
    this.isOver = true
    void this.socket.close(1000)
  }
}
