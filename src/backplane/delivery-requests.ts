import type { NamedOutcome, RemoteOutcome } from '../hub/remote.js'

/** So many may wait at once; the next is answered at once with `'unanswered'`. */
const MAX_WAITING = 100_000

/** A message that was sent to a name in other nodes, and whose answers are awaited. */
interface Waiting {
  /** The nodes that have not answered. */
  readonly nodes: Set<string>
  readonly resolve: (outcome: RemoteOutcome) => void
  readonly timer: NodeJS.Timeout
}

/** What became of messages to names in other nodes, by request. */
export class DeliveryRequests {
  private last = 0
  private readonly waiting = new Map<number, Waiting>()
  private readonly maxWaiting: number

  constructor(maxWaiting = MAX_WAITING) {
    this.maxWaiting = maxWaiting
  }

  /**
   * @param nodes the nodes that are asked
   * @param send sends the message with the number of this request. It may call {@link giveUp}
   * @returns the first answer of a node that has the name; `'unknown'` if none of them has it; `'unanswered'` if one of them
   *   did not answer in time
   */
  ask(nodes: Iterable<string>, timeoutMs: number, send: (request: number) => void): Promise<RemoteOutcome> {
    const asked = new Set(nodes)
    if (asked.size === 0) return Promise.resolve('unknown')
    if (this.waiting.size >= this.maxWaiting) return Promise.resolve('unanswered')
    return new Promise((resolve) => {
      const request = ++this.last
      const timer = setTimeout(() => {
        this.settle(request, 'unanswered')
      }, timeoutMs)
      this.waiting.set(request, { nodes: asked, resolve, timer })
      send(request)
    })
  }

  /** A node says what became of a message. */
  answer(node: string, request: number, outcome: NamedOutcome): void {
    const waiting = this.waiting.get(request)
    if (waiting === undefined) return
    waiting.nodes.delete(node)
    if (outcome !== 'unknown' || waiting.nodes.size === 0) this.settle(request, outcome)
  }

  /** No answer can come any more to this request. */
  giveUp(request: number): void {
    this.settle(request, 'unanswered')
  }

  /** No answer can come any more to those that wait. */
  giveUpAll(): void {
    for (const request of [...this.waiting.keys()]) this.settle(request, 'unanswered')
  }

  private settle(request: number, outcome: RemoteOutcome): void {
    const waiting = this.waiting.get(request)
    if (waiting === undefined) return
    this.waiting.delete(request)
    clearTimeout(waiting.timer)
    waiting.resolve(outcome)
  }
}
