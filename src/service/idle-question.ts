import { isThenable } from '../check.js'
import { CloseCode } from '../frame/close-code.js'
import type { Handlers } from './service.js'
import type { Socket } from '../socket/socket.js'

/**
 * Asks `onIdleTimeout` whether to keep an idle connection. If not, closes it with 1001.
 * @returns undefined if the handler is done; else a promise that rejects with what the handler throws
 * @throws what the handler throws
 */
export function askWhetherToKeep<S extends Socket>(
  socket: S,
  handlers: Handlers<S>,
): Promise<void> | undefined {
  const take = (answer: unknown): void => {
    if (answer !== 'keep') void socket.close(CloseCode.GOING_AWAY, 'idle')
  }
  const answer: unknown = handlers.onIdleTimeout?.(socket)
  if (isThenable(answer)) return Promise.resolve(answer).then(take)
  take(answer)
  return undefined
}
