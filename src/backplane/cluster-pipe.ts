import nodeCluster, { type Cluster, type Worker } from 'node:cluster'
import type { Backplane } from './backplane.js'
import { PipeBackplane } from './pipe-backplane.js'
import { checkBackplaneOptions, type BackplaneOptions } from './pipe-flow.js'
import { encodeBytes, type Pipe } from './pipe.js'
import { BackplaneRelay, coreOf } from './relay.js'

// Messages of node:cluster are JSON, unless the application sets otherwise: so bytes travel as base64.

/** Sending to a process that ends may fail: the message is lost, and that is not an error. */
const ignore = (): undefined => undefined

/**
 * The backplane of a worker of node:cluster, over the messages between the worker and the primary. The primary calls
 * {@link relayCluster}, before or after.
 * @throws TypeError in a process that is not a worker; TypeError or RangeError for a wrong option
 */
export function clusterBackplane(options: BackplaneOptions = {}): Backplane {
  const maxQueuedBytes = checkBackplaneOptions(options)
  if (nodeCluster.worker === undefined || process.send === undefined) {
    throw new TypeError('clusterBackplane is for the workers of node:cluster; the primary relays')
  }
  return new PipeBackplane(primaryPipe(), maxQueuedBytes)
}

/**
 * Joins the workers of node:cluster, those that run and those that are forked later. Call it once, in the primary.
 * @param cluster of node:cluster
 * @param relay one that joins other nodes as well; default: a new one
 * @returns the relay: `close()` it when it is no longer needed; `relay.backplane()` lets the primary take part
 * @throws TypeError in a process that is not the primary, and for what is not a relay
 */
export function relayCluster(cluster: Cluster = nodeCluster, relay = new BackplaneRelay()): BackplaneRelay {
  if (!cluster.isPrimary) throw new TypeError('relayCluster is for the primary of node:cluster')
  const core = coreOf(relay)
  const add = (worker: Worker): void => {
    core.addPipe(workerPipe(worker))
  }
  for (const worker of Object.values(cluster.workers ?? {})) if (worker !== undefined) add(worker)
  cluster.on('fork', add)
  core.onClose(() => cluster.off('fork', add))
  return relay
}

/** From a worker to the primary. */
function primaryPipe(): Pipe {
  return {
    post(message) {
      if (process.connected) process.send?.(encodeBytes(message), undefined, undefined, ignore)
    },
    listen(receive) {
      process.on('message', receive)
      return () => process.off('message', receive)
    },
  }
}

/** From the primary to a worker. */
function workerPipe(worker: Worker): Pipe {
  return {
    post(message) {
      if (worker.isConnected()) worker.send(encodeBytes(message), ignore)
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
