import { number, readOptions, type Checks } from '../check.js'
import { sizeOf, type Pipe, type PipeMessage, type PipeMessageBody } from './pipe.js'

/** The options of a backplane. */
export interface BackplaneOptions {
  /** How many bytes may wait to be handled by the other side before more is lost. Default 16 MiB. */
  readonly maxQueuedBytes?: number | undefined
}

const CHECKS = {
  maxQueuedBytes: number({ min: 1024, integer: false }, 16 * 1024 * 1024),
} satisfies Checks<BackplaneOptions>

/**
 * @returns `maxQueuedBytes`
 * @throws TypeError or RangeError with the option's name, value and range; TypeError for an unknown name
 */
export function checkBackplaneOptions(options: BackplaneOptions): number {
  return readOptions('options', options, CHECKS).maxQueuedBytes
}

/** The handled bytes are reported once in each turn of the event loop, and whenever they reach this. */
const REPORT_BYTES = 64 * 1024

/**
 * Flow control at one end of a pipe, for one node. Neither `process.send` nor a MessagePort tells how much waits at the
 * other end, so each side reports how much it has handled, and the difference is what still waits.
 */
export class PipeFlow {
  private readonly node: string
  private readonly pipe: Pipe
  private readonly maxQueuedBytes: number
  /** Sent, and not yet reported as handled. */
  private queuedBytes = 0
  /** Handled, and not yet reported. */
  private handledBytes = 0
  private willReport = false

  constructor(node: string, pipe: Pipe, maxQueuedBytes: number) {
    this.node = node
    this.pipe = pipe
    this.maxQueuedBytes = maxQueuedBytes
  }

  /** @returns false: too much waits, and this was not sent */
  send(body: PipeMessageBody): boolean {
    const bytes = sizeOf(body)
    // Joining and leaving need no room: each happens once.
    const needsRoom = body.type !== 'join' && body.type !== 'joined' && body.type !== 'leave'
    if (needsRoom && this.queuedBytes + bytes > this.maxQueuedBytes) return false
    this.queuedBytes += bytes
    this.pipe.post({ hawserBackplane: 1, node: this.node, bytes, body })
    return true
  }

  /** What was sent so far is lost: none of it waits any more. */
  forgetSent(): void {
    this.queuedBytes = 0
  }

  /**
   * Takes a message of the other side.
   * @returns false: it was a report of handled bytes, and there may be room again
   */
  receive({ body, bytes }: PipeMessage): boolean {
    if (body.type === 'handled') {
      const handled = Number.isSafeInteger(body.bytes) && body.bytes >= 0 ? body.bytes : 0
      this.queuedBytes = Math.max(0, this.queuedBytes - handled)
      return false
    }
    this.handledBytes += bytes
    if (this.handledBytes >= REPORT_BYTES) this.report()
    else if (!this.willReport) {
      this.willReport = true
      setImmediate(() => {
        this.willReport = false
        this.report()
      })
    }
    return true
  }

  private report(): void {
    if (this.handledBytes === 0) return
    const body = { type: 'handled', bytes: this.handledBytes } as const
    this.handledBytes = 0
    this.pipe.post({ hawserBackplane: 1, node: this.node, bytes: 0, body })
  }
}
