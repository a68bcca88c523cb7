import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { toError } from '../errors.js'
import { FIRST_WAIT_MS, longerWait } from './attempt-waits.js'
import type { Argument, RedisCommands } from './redis-commands.js'

/** A script, and the hash by which Redis knows it. */
export interface Script {
  readonly text: string
  readonly hash: string
}

export const makeScript = (text: string): Script => ({
  text,
  hash: createHash('sha1').update(text).digest('hex'),
})

/** A script that is to run. It may run twice: a command whose answer was lost is sent again. */
export interface ScriptCall {
  readonly script: Script
  readonly keys: readonly [string, string]
  readonly args: readonly Argument[]
  /** How many bytes the client holds until it has an answer. */
  readonly bytes: number
  /** Until when an answer is waited for, by `performance.now()`. */
  readonly deadline: number
  /** How long that was at the beginning, in milliseconds, for an error. */
  readonly timeoutMs: number
  /**
   * The error.
   * @param text begins with `failed`
   * @param mayHaveRun whether the script may have run all the same
   */
  failure(text: string, mayHaveRun: boolean, cause?: unknown): Error
}

/** Refusals that pass: the data is being loaded, or another node becomes the master. */
const PASSING = /^(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|READONLY|BUSY|MOVED|ASK) /
/** What Redis itself says begins with a code; what a client says does not. */
const IS_REPLY = /^[A-Z]{2,}[A-Z\d]* /

const TIME_UP = new Error('time is up')

/** Runs scripts over a client, and waits no longer than is said, whatever the client does. */
export class ScriptRunner {
  private readonly commands: RedisCommands
  private readonly hold: (bytes: number) => () => void
  /** Called when the client is ready. */
  private readonly waiting = new Set<() => void>()
  private forgetReady: (() => void) | null = null

  /** @param hold counts the bytes of a command that nobody waits for any more and that the client still holds */
  constructor(commands: RedisCommands, hold: (bytes: number) => () => void) {
    this.commands = commands
    this.hold = hold
  }

  /** @returns the answer. Rejects when there is none until the deadline, and when Redis refuses */
  async run(call: ScriptCall): Promise<unknown> {
    const { deadline } = call
    const time = `${String(Math.round(call.timeoutMs))} ms`
    let mayHaveRun = false
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = longerWait(waitMs)) {
      if (!(await this.isReady(deadline))) {
        const state = mayHaveRun ? '' : ': it was not sent'
        throw call.failure(`failed, as the client of Redis was not connected for ${time}${state}`, mayHaveRun)
      }
      const wasClosed = this.commands.isClosed()
      try {
        return await this.answer(call)
      } catch (error) {
        if (error === TIME_UP) throw call.failure(`failed, as Redis did not answer within ${time}`, true)
        const { message } = toError(error)
        const isReply = IS_REPLY.test(message)
        // A client that is closed sends nothing.
        if (!isReply && !wasClosed && !(error instanceof TypeError)) mayHaveRun = true
        const isFinal = isReply
          ? !PASSING.test(message)
          : error instanceof TypeError || this.commands.isClosed()
        if (isFinal || performance.now() + waitMs >= deadline) {
          throw call.failure(`failed: ${message}`, mayHaveRun, error)
        }
        await delay(waitMs)
      }
    }
  }

  private answer(call: ScriptCall): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let isLate = false
      let release: (() => void) | null = null
      const timer = setTimeout(
        () => {
          isLate = true
          release = this.hold(call.bytes)
          reject(TIME_UP)
        },
        Math.max(1, call.deadline - performance.now()),
      )
      const settle = (then: () => void): void => {
        clearTimeout(timer)
        if (isLate) release?.()
        else then()
      }
      this.send(call).then(
        (reply) => {
          settle(() => {
            resolve(reply)
          })
        },
        (error: unknown) => {
          settle(() => {
            reject(toError(error))
          })
        },
      )
    })
  }

  private async send({ script, keys, args }: ScriptCall): Promise<unknown> {
    try {
      return await this.commands.run('EVALSHA', script.hash, keys, args)
    } catch (error) {
      if (!toError(error).message.startsWith('NOSCRIPT')) throw error
      return this.commands.run('EVAL', script.text, keys, args)
    }
  }

  /** @returns false: the client was not connected until the deadline */
  private async isReady(deadline: number): Promise<boolean> {
    const { commands } = this
    // A closed client says so itself.
    if (commands.isReady() || commands.isClosed()) return true
    return new Promise((resolve) => {
      const end = (isReady: boolean): void => {
        clearTimeout(timer)
        this.waiting.delete(wake)
        if (this.waiting.size === 0) {
          this.forgetReady?.()
          this.forgetReady = null
        }
        resolve(isReady)
      }
      const wake = (): void => {
        end(true)
      }
      const timer = setTimeout(
        () => {
          end(false)
        },
        Math.max(1, deadline - performance.now()),
      )
      this.waiting.add(wake)
      // One listener for all: the client is the application's.
      this.forgetReady ??= commands.onceReady(() => {
        this.forgetReady = null
        for (const waiting of [...this.waiting]) waiting()
      })
    })
  }
}
