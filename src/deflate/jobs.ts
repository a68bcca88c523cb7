/** Bounds how many jobs are on the thread pool at once; the others wait in order. */

/** Asks a job to end early. Until it has ended it holds a thread and memory. Idempotent. */
export type Cancel = () => void

/**
 * Starts the work. `finish` must be called when it has ended, also where it was cancelled. It returns whether the result is
 * wanted: false after a cancel, and from the second call on.
 */
type Start = (finish: () => boolean) => Cancel | void

/**
 * libuv has four threads unless told otherwise; twice as many jobs keep them busy while results are handed over.
 * Without a bound, each large message of each connection would hold a compressor of its own (268 KiB) while it
 * waits for a thread.
 */
const MAX_JOBS = 8

/** A queue of jobs, first come, first served. */
export class JobQueue {
  readonly #limit: number
  /** A Set keeps its order, and a job in the middle can be taken out at no cost. */
  readonly #waiting = new Set<() => void>()
  #running = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Jobs started and not finished. */
  get running(): number {
    return this.#running
  }

  /** Jobs not yet started. */
  get waiting(): number {
    return this.#waiting.size
  }

  /**
   * Starts the job now, or when others have finished.
   * @returns cancels it: a job that waits never starts; one that runs is asked to end early, and keeps its place until
   *   it has ended
   */
  add(start: Start): Cancel {
    let isFinished = false
    let isCancelled = false
    const finish = (): boolean => {
      if (isFinished) return false
      isFinished = true
      this.#running--
      for (const next of this.#waiting) {
        this.#waiting.delete(next)
        next()
        break
      }
      return !isCancelled
    }
    let cancel: Cancel = () => this.#waiting.delete(run)
    const run = (): void => {
      this.#running++
      const cancelWork = start(finish)
      cancel = () => {
        if (!isFinished) cancelWork?.()
      }
    }
    if (this.#running < this.#limit) run()
    else this.#waiting.add(run)
    return () => {
      isCancelled = true
      cancel()
    }
  }
}

/** The thread pool is the process's, and so is the queue before it. */
export const JOBS = new JobQueue(MAX_JOBS)
