/** So many reads of the history at once; the others wait for their turn, in the order in which they came. */
export class ReadTurns {
  readonly max: number
  private running = 0
  private readonly waiting = new Set<() => void>()

  constructor(max: number) {
    this.max = max
  }

  /** Whether a read has to {@link wait}. */
  get isFull(): boolean {
    return this.running >= this.max
  }

  /** Takes a turn at once. There is one: {@link isFull} is false. */
  begin(): void {
    this.running++
  }

  /** @returns true when the turn has begun; false: there was none within this time, in milliseconds */
  wait(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const start = (): void => {
        clearTimeout(timer)
        this.waiting.delete(start)
        this.begin()
        resolve(true)
      }
      const timer = setTimeout(() => {
        this.waiting.delete(start)
        resolve(false)
      }, timeoutMs).unref()
      this.waiting.add(start)
    })
  }

  /** Ends a turn, and begins the next one that waits. */
  end(): void {
    this.running--
    const [next] = this.waiting
    next?.()
  }
}
