import { parentPort, type MessagePort, type Worker } from 'node:worker_threads'
import { showValue } from '../check.js'
import type { Backplane } from './backplane.js'
import { PipeBackplane } from './pipe-backplane.js'
import { checkBackplaneOptions, type BackplaneOptions } from './pipe-flow.js'
import type { Pipe } from './pipe.js'
import { coreOf, type BackplaneRelay } from './relay.js'

/** A Worker or a MessagePort: what both have. */
type Port = MessagePort | Worker

/**
 * The backplane of a thread, over a MessagePort whose other end is given to {@link relayWorker}, before or after.
 * @param port default: the thread's own port to its parent
 * @throws TypeError where there is none; TypeError or RangeError for a wrong option
 */
export function workerBackplane(
  port: MessagePort | null = parentPort,
  options: BackplaneOptions = {},
): Backplane {
  const maxQueuedBytes = checkBackplaneOptions(options)
  checkPort(port)
  return new PipeBackplane(portPipe(port), maxQueuedBytes)
}

/**
 * Lets a thread take part.
 * @param port a Worker, or the other end of the port that the thread was given
 * @throws TypeError for what is neither, and for what is not a relay
 */
export function relayWorker(relay: BackplaneRelay, port: Port): void {
  const core = coreOf(relay)
  checkPort(port)
  core.addPipe(portPipe(port))
}

function checkPort(port: Port | null): asserts port is Port {
  if (typeof port !== 'object' || port === null || typeof port.postMessage !== 'function') {
    throw new TypeError(`port must be a MessagePort or a Worker, not ${showValue(port)}`)
  }
}

function portPipe(port: Port): Pipe {
  // Both have these methods, but the overloads of their types have no common form.
  const emitter = port as MessagePort
  return {
    post(message) {
      port.postMessage(message)
    },
    listen(receive, ended) {
      emitter.on('message', receive)
      emitter.on('close', ended)
      emitter.on('exit' as 'close', ended)
      return () => {
        emitter.off('message', receive)
        emitter.off('close', ended)
        emitter.off('exit' as 'close', ended)
      }
    },
  }
}
