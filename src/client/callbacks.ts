import type { Channel } from 'node:diagnostics_channel'
import { isThenable } from '../check.js'
import { toError } from '../errors.js'
import { callOnError } from '../service/handler-errors.js'
import { handlesMessages } from '../service/message-calls.js'
import type { Handlers } from '../service/service.js'
import { warnAtIntervals } from '../socket/warnings.js'
import type { ClientSocket } from './client-socket.js'
import type { ResolvedClientOptions } from './connect-options.js'
import { NORMAL_ENDS } from './message-loop.js'
import type { ResolvedReconnectOptions } from './reconnect-options.js'
import type { ReconnectCause } from './retry-rule.js'

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

/** Says what happened to a client: to observers, and then to the callback of the application, if it has one. */
export function announce<Event extends object>(
  channel: Channel,
  service: Handlers<ClientSocket>,
  socket: ClientSocket,
  event: Event,
  callback: ((event: Event) => unknown) | undefined,
): void {
  if (channel.hasSubscribers) channel.publish({ socket, ...event })
  if (callback !== undefined) tell(service, socket, () => callback(event))
}

/** Whether the end is no failure, or the application has what tells it: a callback that was called, or its reads. */
export function isEndHeard(
  { handlers, incoming }: ResolvedClientOptions,
  { onGivenUp, shouldReconnect, maxAttempts }: ResolvedReconnectOptions,
  { close }: ReconnectCause,
  attempts: number,
): boolean {
  if (close !== undefined && NORMAL_ENDS.includes(close.code)) return true
  if (onGivenUp !== undefined || handlers.onClose !== undefined) return true
  if (shouldReconnect !== undefined && attempts < maxAttempts) return true
  return !handlesMessages(handlers) && incoming === 'queue'
}

/** Warns of a client that gave up while nothing of the application was to hear of it. */
export function warnOfGivingUp(service: Handlers<ClientSocket>, error: Error): void {
  const what = 'a client that reconnects gave up, and no onGivenUp or onClose heard it'
  warnAtIntervals(service, 'HAWSER_GIVEN_UP', what, error)
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
