/**
 * Backplanes: what joins the servers of several threads and processes, so that groups, names and broadcasts reach all of
 * their connections. `hawser/backplane`.
 */
export { BackplaneRelay } from './relay.js'
export { memoryBackplane } from './memory.js'
export { clusterBackplane, relayBackplane } from './cluster.js'
export { relayWorker, workerBackplane } from './worker.js'
export type { BackplaneOptions } from './pipe-backplane.js'
export {
  BACKPLANE_VERSION,
  type Backplane,
  type BackplaneStats,
  type Envelope,
  type EnvelopeBody,
  type GroupChange,
  type NameChange,
  type Payload,
} from '../hub/backplane.js'
