/** Servers that share a broker, and what a test waits for. */
import { setTimeout as delay } from 'node:timers/promises'
import type { ServerOptions } from '../../src/index.js'
import type { Backplane } from '../../src/backplane/index.js'
import { serveHub, type HubServer } from './hub-server.js'

/** Waits for events of other processes: the test's own timeout ends it. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(5)
}

/** A server with a backplane, and the errors that its `onError` was called with. */
export interface BrokerNode extends HubServer {
  readonly errors: Error[]
}

export async function serveNode(backplane: Backplane, options: ServerOptions = {}): Promise<BrokerNode> {
  const errors: Error[] = []
  const hub = await serveHub({ backplane, onError: (error) => errors.push(error), ...options })
  return { ...hub, errors }
}

export const isConnected = ({ server }: BrokerNode): boolean =>
  server.backplaneStats?.link?.isConnected === true

/** Waits until the nodes are connected to the broker and know each other. */
export async function joined(...nodes: readonly BrokerNode[]): Promise<void> {
  await until(() =>
    nodes.every((node) => isConnected(node) && node.server.backplaneStats?.nodes === nodes.length - 1),
  )
}
