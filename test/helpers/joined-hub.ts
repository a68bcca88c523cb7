/** A hub that takes part in a backplane: composed as a server does it, without the server. */
import { createLocalNode, type LocalNode, type LocalNodeOptions } from '../../src/backplane/local-node.js'
import type { Backplane, BackplaneStats } from '../../src/backplane/index.js'
import { Hub, type HubOptions } from '../../src/hub/hub.js'
import type { HubSocket } from './hub-socket.js'

export interface JoinedHubOptions extends Omit<HubOptions<HubSocket>, 'remote'>, LocalNodeOptions {
  readonly backplane?: Backplane
}

export class JoinedHub extends Hub<HubSocket> {
  private readonly node: LocalNode | null

  constructor({ backplane, presenceTtlMs, onError, ...options }: JoinedHubOptions) {
    const node = createLocalNode(backplane, { presenceTtlMs, onError })
    super({ ...options, remote: node })
    this.node = node
  }

  get backplaneStats(): BackplaneStats | null {
    return this.node?.stats ?? null
  }

  start(): void {
    this.node?.start(this)
  }

  async close(timeoutMs?: number): Promise<void> {
    await this.node?.close(timeoutMs)
  }
}
