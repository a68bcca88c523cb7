import { HandshakeError } from '../errors.js'
import { parseTarget, type Target } from '../dial/websocket-url.js'

/** A URL, several that are tried in turn, or a function that is asked for each attempt. */
export type ReconnectUrl =
  string | URL | readonly (string | URL)[] | (() => string | URL | Promise<string | URL>)

/** Where a client that reconnects connects to. */
export interface Urls {
  readonly count: number
  /**
   * The target of the next attempt.
   * @param timeoutMs how long a function of the caller may take
   * @param signal ends the wait for it
   * @throws what the function throws; SyntaxError or TypeError for what is not a URL; HandshakeError if it takes too long
   */
  at(index: number, timeoutMs: number, signal: AbortSignal): Promise<Target>
}

/** @throws SyntaxError or TypeError for what is not a URL; TypeError for an empty list */
export function resolveUrls(url: ReconnectUrl): Urls {
  if (typeof url === 'function') {
    return {
      count: 1,
      at: async (_index, timeoutMs, signal) => parseTarget(await ask(url, timeoutMs, signal)),
    }
  }
  const targets = Array.isArray(url)
    ? (url as readonly (string | URL)[]).map((one) => parseTarget(one))
    : [parseTarget(url as string | URL)]
  if (targets.length === 0)
    throw new TypeError('url must be a URL or a list of at least one, not an empty array')
  return { count: targets.length, at: (index) => Promise.resolve(targets[index] as Target) }
}

function ask(
  url: () => string | URL | Promise<string | URL>,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | URL> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
    const abort = (): void => {
      settle()
      reject(signal.reason as Error)
    }
    const timer =
      timeoutMs === Infinity
        ? undefined
        : setTimeout(() => {
            settle()
            reject(
              new HandshakeError('HAWSER_HANDSHAKE_TIMEOUT', {
                detail: `the url function: ${String(timeoutMs)} ms`,
                httpStatus: null,
              }),
            )
          }, timeoutMs)
    signal.addEventListener('abort', abort)
    // A function that throws at once rejects as well.
    void new Promise<string | URL>((answered) => {
      answered(url())
    })
      .then(resolve, reject)
      .finally(settle)
  })
}
