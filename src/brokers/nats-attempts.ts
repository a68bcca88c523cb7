import { setTimeout as delay } from 'node:timers/promises'
import { toError } from '../errors.js'
import { FIRST_WAIT_MS, longerWait } from './attempt-waits.js'
import { NotSentError, type NatsLine } from './nats-line.js'
import { JetStreamError } from './nats-stream.js'

/** What is tried, and until when. */
export interface Attempts {
  /** What it does, for an error. */
  readonly what: string
  /** By `performance.now()`. */
  readonly deadline: number
  /** How long that was at the beginning, for an error. */
  readonly timeoutMs: number
  failure(text: string, cause: unknown): Error
}

/** What is in JetStream is not Hawser's: trying again does not help. */
export class ForeignError extends Error {}

/** Calls until it succeeds or the time is up, and only while the server is reached. It must do no harm that it is called again. */
export async function retried<T>(line: NatsLine, attempts: Attempts, call: () => Promise<T>): Promise<T> {
  const { what, deadline, timeoutMs } = attempts
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = longerWait(waitMs)) {
    try {
      await line.reached(deadline, timeoutMs)
      return await call()
    } catch (error) {
      const text = `${what} failed: ${toError(error).message}`
      if (error instanceof NotSentError) throw attempts.failure(`${text}: it was not sent`, error)
      const isRefused = error instanceof JetStreamError && !error.isPassing
      const isFinal = error instanceof ForeignError || isRefused || line.isClosed
      if (isFinal || performance.now() + waitMs >= deadline) throw attempts.failure(text, error)
      await delay(waitMs)
    }
  }
}
