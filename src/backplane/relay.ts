import { showValue } from '../check.js'
import type { Backplane } from './backplane.js'
import { memoryPipes } from './memory-pipe.js'
import { PipeBackplane } from './pipe-backplane.js'
import { checkBackplaneOptions, type BackplaneOptions } from './pipe-flow.js'
import { RelayCore } from './relay-core.js'

let readCore: (relay: BackplaneRelay) => RelayCore

/**
 * Passes envelopes on between nodes: each to the node that it is for, those of a group to the nodes that have members of
 * it, the others to all except their sender. It keeps only which nodes are there and which groups they want. A node whose
 * process dies is reported as gone at once; one that joined before the relay listened, or at another relay that was
 * closed, is asked to join again.
 */
export class BackplaneRelay {
  static {
    readCore = (relay) => relay.#core
  }

  readonly #core: RelayCore

  /**
   * @param options `maxQueuedBytes`: how many bytes may wait for one node before more is lost to it
   * @throws TypeError or RangeError with the option's name, value and range
   */
  constructor(options: BackplaneOptions = {}) {
    this.#core = new RelayCore(checkBackplaneOptions(options))
  }

  /** How many nodes have joined. */
  get size(): number {
    return this.#core.size
  }

  /**
   * A backplane for a server in this process.
   * @throws TypeError or RangeError with the option's name, value and range
   */
  backplane(options: BackplaneOptions = {}): Backplane {
    const maxQueuedBytes = checkBackplaneOptions(options)
    const [nodeEnd, relayEnd] = memoryPipes()
    this.#core.addPipe(relayEnd)
    return new PipeBackplane(nodeEnd, maxQueuedBytes, true)
  }

  /** Forgets all nodes, and listens to no pipe any more. */
  close(): void {
    this.#core.close()
  }
}

/**
 * The inside of a relay, for the files of pipes.
 * @throws TypeError for what is not a relay
 */
export function coreOf(relay: BackplaneRelay): RelayCore {
  if (!(relay instanceof BackplaneRelay)) {
    throw new TypeError(`relay must be a BackplaneRelay, not ${showValue(relay)}`)
  }
  return readCore(relay)
}

/**
 * A backplane for one of several servers of this process.
 * @param relay the same for all of them
 * @throws TypeError for what is not a relay; TypeError or RangeError for a wrong option
 */
export function memoryBackplane(relay: BackplaneRelay, options: BackplaneOptions = {}): Backplane {
  coreOf(relay)
  return relay.backplane(options)
}
