import type { ServerSocket } from 'hawser'
import type { WireReport } from './frame-tap.js'

/** What the page is sent, as JSON text. */
export interface FeedMessage {
  /** What passed since the last message, in order. */
  readonly frames: readonly WireReport[]
  /** How many more passed behind those, that the page was too slow for. */
  readonly missed: number
  /** The last round trip of a ping, or null before the first. */
  readonly rttMs: number | null
}

/** The most that waits for the page: some 100 KB of JSON. */
export const MAX_WAITING_REPORTS = 256
/** Reports are gathered for so long: a flood of small frames then costs few messages. */
const GATHER_MS = 20

/** Sends reports to a page: gathered, and bounded; what a slow page has no room for is counted, not kept. */
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
    // Behind a gap nothing is kept until it was told, so that its place in the order is known.
    if (this.missed > 0 || this.waiting.length >= MAX_WAITING_REPORTS) this.missed++
    else this.waiting.push(report)
    this.schedule()
  }

  tellRoundTrip(rttMs: number | undefined): void {
    this.rttMs = rttMs ?? null
    this.schedule()
  }

  /** The page took what it was sent. */
  drained(): void {
    this.mustWait = false
    this.flush()
  }

  /** Sends what waits, and closes with 1000. */
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
