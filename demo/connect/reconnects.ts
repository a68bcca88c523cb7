import type { ReconnectOptions } from 'hawser'
import { errorText } from '../error-text.js'
import { EXIT } from './exit-codes.js'
import { describeEnd, explainHandshake, withoutSecrets, type Failure } from './failures.js'
import type { Screen } from './screen.js'

/** Says what a client that reconnects does, and keeps why it gave up. */
export class Reconnects {
  readonly options: ReconnectOptions
  /** Why it gave up: an attempt failed in a way that trying again does not mend. */
  failure: Failure | null = null
  /** Whether it stopped by itself. */
  hasGivenUp = false

  constructor(screen: Screen) {
    this.options = {
      onReconnecting: ({ attempt, delayMs, cause }) => {
        const seconds = (delayMs / 1000).toFixed(1)
        const [why = ''] = reason(cause).split('\n')
        screen.result(`${why}; attempt ${String(attempt)} to connect again follows in ${seconds} s`)
        // Room may be long in coming: Ctrl+C is to be read meanwhile.
        screen.prompt?.resume()
      },
      onReconnected: ({ url }) => {
        screen.result(`connected again to ${withoutSecrets(url)}`)
      },
      onGivenUp: ({ attempts, cause }) => {
        this.hasGivenUp = true
        if (cause.close !== undefined) return
        const { code = EXIT.NOT_CONNECTED } = explainHandshake(cause.error) ?? {}
        const count = `${String(attempts)} failed ${attempts === 1 ? 'attempt' : 'attempts'}`
        this.failure = { code, message: `gave up after ${count}: ${reason(cause)}` }
      },
    }
  }
}

type Cause = Parameters<NonNullable<ReconnectOptions['onGivenUp']>>[0]['cause']

/** Why there is no connection, in words. */
function reason({ close, error }: Cause): string {
  if (close !== undefined) return describeEnd(close, error)
  return explainHandshake(error)?.message ?? errorText(error)
}
