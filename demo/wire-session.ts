import type { ServerService, ServerSocket } from 'hawser'
import { FrameFeed } from './frame-feed.js'
import { FrameTap } from './frame-tap.js'

/** How often the round trip is measured while a page watches. */
const PING_INTERVAL_MS = 5_000

/** A page's view of one echo connection: its frames and its round trip, reported over a second connection. */
export class WireSession {
  readonly feed: FrameFeed
  readonly tap: FrameTap
  private echo: ServerSocket | null = null
  private pinger: NodeJS.Timeout | undefined
  private pings = 0
  private isTaken = false
  private isOver = false

  /** @param watcher the page's connection for reports */
  constructor(watcher: ServerSocket) {
    this.feed = new FrameFeed(watcher)
    this.tap = new FrameTap((report) => {
      this.feed.push(report)
    })
  }

  /** Reserves the session for one connection. @returns false: it has one, or is over */
  take(): boolean {
    if (this.isTaken || this.isOver) return false
    this.isTaken = true
    return true
  }

  /** The service of the watched echo connection: the given one, which also reports pongs. */
  watch(service: ServerService): ServerService {
    return {
      ...service,
      onOpen: (socket) => {
        if (this.isOver) return
        this.echo = socket
        this.pinger = setInterval(this.ping, PING_INTERVAL_MS)
        this.ping()
      },
      onPong: (socket) => {
        this.feed.tellRoundTrip(socket.rttMs)
      },
      onClose: () => {
        this.end()
        this.feed.end()
      },
    }
  }

  /** Measures the round trip. */
  readonly ping = (): void => {
    // Each has its own payload: a pong is matched with the ping it answers.
    this.echo?.ping(`ping ${String(++this.pings)}`)
  }

  /** The page is gone; the echo connection stays as it is. */
  unwatch(): void {
    this.end()
    this.feed.stop()
  }

  private end(): void {
    this.isOver = true
    this.echo = null
    this.tap.stop()
    clearInterval(this.pinger)
  }
}
