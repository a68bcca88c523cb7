import nodeCluster, { type Cluster, type Worker } from 'node:cluster'
import type { Backplane, Envelope } from '../hub/backplane.js'
import { checkBackplaneOptions, PipeBackplane, type BackplaneOptions } from './pipe-backplane.js'
import { BackplaneRelay } from './relay.js'
import type { EncodedBytes, Pipe, WireMessage } from './wire.js'

/** What node:cluster carries is JSON, unless told otherwise: bytes travel as base64. */
function encode(message: WireMessage): WireMessage {
  const { body } = message
  if (body.type !== 'envelope' || !('payload' in body.envelope)) return message
  const { payload } = body.envelope
  if (!(payload instanceof Uint8Array)) return message
  const base64 = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64')
  const envelope = { ...body.envelope, payload: { base64 } satisfies EncodedBytes }
  return { ...message, body: { ...body, envelope: envelope as unknown as Envelope } }
}

const ignore = (): undefined => undefined

/**
 * The backplane of a worker of node:cluster: over the messages between it and the primary, which calls
 * {@link relayBackplane}, before or after.
 * @throws TypeError in a process that is no worker
 */
export function clusterBackplane(options: BackplaneOptions = {}): Backplane {
  const maxQueuedBytes = checkBackplaneOptions(options)
  if (nodeCluster.worker === undefined || process.send === undefined) {
    throw new TypeError('clusterBackplane is for the workers of node:cluster; the primary relays')
  }
  const pipe: Pipe = {
    post(message) {
      // At the end of the primary there is nobody to tell, nor anything to throw for.
      if (process.connected) process.send?.(encode(message), undefined, undefined, ignore)
    },
    listen(receive) {
      process.on('message', receive)
      return () => process.off('message', receive)
    },
  }
  return new PipeBackplane(pipe, maxQueuedBytes)
}

/**
 * Joins the workers of node:cluster, those that are there and those to come: called in the primary, once.
 * @param cluster of node:cluster
 * @param relay one that joins others as well; default: a new one
 * @returns the relay, to be closed when it is no longer wanted; `relay.backplane()` lets the primary take part
 */
export function relayBackplane(cluster: Cluster = nodeCluster, relay = new BackplaneRelay()): BackplaneRelay {
  if (!cluster.isPrimary) throw new TypeError('relayBackplane is for the primary of node:cluster')
  const add = (worker: Worker): void => {
    relay.addPipe(workerPipe(worker))
  }
  for (const worker of Object.values(cluster.workers ?? {})) if (worker !== undefined) add(worker)
  cluster.on('fork', add)
  relay.onClose(() => cluster.off('fork', add))
  return relay
}

function workerPipe(worker: Worker): Pipe {
  return {
    post(message) {
      if (worker.isConnected()) worker.send(encode(message), ignore)
    },
    listen(receive, ended) {
      worker.on('message', receive)
      worker.on('disconnect', ended)
      worker.on('exit', ended)
      return () => {
        worker.off('message', receive)
        worker.off('disconnect', ended)
        worker.off('exit', ended)
      }
    },
  }
}
