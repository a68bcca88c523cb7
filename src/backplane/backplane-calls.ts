import { refusePromise, showValue } from '../check.js'
import { toError } from '../errors.js'
import type { Backplane, BackplaneLinkStats } from './backplane.js'
import { BACKPLANE_VERSION, type EnvelopeBody } from './envelope.js'

/** A failure that no `onError` hears is a warning of the process, at most once in this time. */
const WARNING_INTERVAL_MS = 60_000

/**
 * What a node without a connection need not say: it says that it lives when it is connected, and the others ask for the rest. The
 * application sent nothing of it, and it does not count as lost.
 */
const PRESENCE: ReadonlySet<EnvelopeBody['kind']> = new Set(['alive', 'changes', 'snapshot', 'ask', 'left'])

/** Calls a backplane for a node: what it throws, at once or later, is counted and reported, and has no other effect. */
export class BackplaneCalls {
  readonly counts = { published: 0, lost: 0, received: 0, malformed: 0, errors: 0 }
  private readonly backplane: Backplane
  private readonly node: string
  private readonly onError: ((error: Error) => unknown) | undefined
  private warnedAt = -Infinity
  /** `linkStats` failed when it was asked last, and that is reported: it is asked often, also by who hears of it. */
  private isLinkUnknown = false

  /** @param node the id of the node, which all envelopes are from */
  constructor(backplane: Backplane, node: string, onError: ((error: Error) => unknown) | undefined) {
    this.backplane = backplane
    this.node = node
    this.onError = onError
  }

  /** Whether the backplane says that nothing is sent at present. */
  get isCutOff(): boolean {
    return this.linkStats?.isConnected === false
  }

  /** The state of the connection to the others; null: the backplane has none, or does not say. */
  get linkStats(): BackplaneLinkStats | null {
    try {
      if (this.backplane.linkStats === undefined) return null
      const link = checkLink(this.backplane.linkStats())
      this.isLinkUnknown = false
      return link
    } catch (error) {
      if (!this.isLinkUnknown) {
        this.isLinkUnknown = true
        this.fail(error)
      }
      return null
    }
  }

  /**
   * @param to a node; null: all others
   * @param lost called if the backplane does not take it
   */
  publish(body: EnvelopeBody, to: string | null = null, lost?: () => void): void {
    if (PRESENCE.has(body.kind) && this.isCutOff) return
    let result
    try {
      result = this.backplane.publish({ version: BACKPLANE_VERSION, from: this.node, to, ...body })
    } catch (error) {
      this.count(false, lost)
      this.fail(error)
      return
    }
    if (typeof result === 'boolean') {
      this.count(result, lost)
      return
    }
    Promise.resolve(result).then(
      (isTaken) => {
        this.count(isTaken, lost)
      },
      (error: unknown) => {
        this.count(false, lost)
        this.fail(error)
      },
    )
  }

  /** Calls the backplane. */
  attempt(call: () => unknown): void {
    try {
      this.observe(call())
    } catch (error) {
      this.fail(error)
    }
  }

  /** Waits for what a call of the backplane gave, if that is a promise. */
  observe(result: unknown): void {
    if (typeof result !== 'object' || result === null) return
    Promise.resolve(result).catch((error: unknown) => {
      this.fail(error)
    })
  }

  fail(error: unknown): void {
    this.counts.errors++
    this.report(toError(error))
  }

  report(error: Error): void {
    if (this.onError !== undefined && this.onError(error) !== false) return
    const now = performance.now()
    if (now - this.warnedAt < WARNING_INTERVAL_MS) return
    this.warnedAt = now
    process.emitWarning(`the backplane failed, and the server has no onError: ${error.message}`, {
      code: 'HAWSER_BACKPLANE_ERROR',
      detail: error.stack ?? '',
    })
  }

  private count(isTaken: boolean, lost?: () => void): void {
    if (isTaken) this.counts.published++
    else {
      this.counts.lost++
      lost?.()
    }
  }
}

function checkLink(link: unknown): BackplaneLinkStats {
  const rule = 'linkStats of a backplane must return an object'
  refusePromise(link, `${rule}, not a promise: it must not be async`)
  if (typeof link !== 'object' || link === null) throw new TypeError(`${rule}, not ${showValue(link)}`)
  const { isConnected } = link as Partial<BackplaneLinkStats>
  if (typeof isConnected !== 'boolean') {
    throw new TypeError(`${rule} whose isConnected is true or false, not ${showValue(isConnected)}`)
  }
  return link as BackplaneLinkStats
}
