import { parentPort, type MessagePort, type Worker } from 'node:worker_threads'
import type { Backplane } from '../hub/backplane.js'
import { checkBackplaneOptions, PipeBackplane, type BackplaneOptions } from './pipe-backplane.js'
import type { BackplaneRelay } from './relay.js'
import type { Pipe } from './wire.js'

/** A Worker, or a MessagePort: what both have. */
type Port = MessagePort | Worker

/**
 * The backplane of a thread, over a MessagePort whose other end is given to {@link relayWorker}, before or after.
 * @param port default: the thread's own to its parent
 * @throws TypeError where there is none
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
 */
export function relayWorker(relay: BackplaneRelay, port: Port): void {
  checkPort(port)
  relay.addPipe(portPipe(port))
}

function checkPort(port: Port | null): asserts port is Port {
  if (typeof port !== 'object' || port === null || typeof port.postMessage !== 'function') {
    throw new TypeError('port must be a MessagePort or a Worker')
  }
}

function portPipe(port: Port): Pipe {
  // Both have these, but the overloads of their types have no common form.
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
