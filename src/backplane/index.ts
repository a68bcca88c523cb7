/**
 * Backplanes: what joins the servers of several threads and processes, so that groups, names and broadcasts reach all of
 * their connections. `hawser/backplane`.
 */
export { BackplaneRelay, memoryBackplane } from './relay.js'
export { clusterBackplane, relayCluster } from './cluster-pipe.js'
export { relayWorker, workerBackplane } from './worker-pipe.js'
export type { BackplaneOptions } from './pipe-flow.js'
export type {
  Backplane,
  BackplaneEvents,
  BackplaneLinkStats,
  BackplaneStats,
  NameStore,
  StoredClaim,
} from './backplane.js'
export {
  BACKPLANE_VERSION,
  type Envelope,
  type EnvelopeBody,
  type GroupChange,
  type NameChange,
  type Payload,
} from './envelope.js'
