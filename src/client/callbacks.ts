import { isThenable } from '../check.js'
import { toError } from '../errors.js'
import { callOnError } from '../service/handler-errors.js'
import type { Handlers } from '../service/service.js'
import { warnAtIntervals } from '../socket/warnings.js'
import type { ClientSocket } from './client-socket.js'

/** Calls the application. What it throws, now or later, is reported once. */
export function tell(service: Handlers<ClientSocket>, socket: ClientSocket, call: () => unknown): void {
  try {
    const result = call()
    if (!isThenable(result)) return
    Promise.resolve(result).catch((error: unknown) => {
      report(service, socket, error)
    })
  } catch (error) {
    report(service, socket, error)
  }
}

/** Reports an error of the application to its `onError`; without one, or if that throws, it becomes a process warning. */
export function report(service: Handlers<ClientSocket>, socket: ClientSocket, error: unknown): void {
  const handleFailure = (thrown: Error): void => {
    const what = 'a callback of a client that reconnects failed, and no onError heard it'
    warnAtIntervals(service, 'HAWSER_UNHANDLED_HANDLER_ERROR', what, thrown)
  }
  if (service.onError === undefined) handleFailure(toError(error))
  else callOnError({ socket, handleFailure }, service, toError(error))
}
