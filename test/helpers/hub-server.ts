/** A server with a hub, on a free port of 127.0.0.1: closed behind each test. */
import {
  connect,
  WebSocketServer,
  type ClientSocket,
  type ServerOptions,
  type ServerSocket,
} from '../../src/index.js'
import type { Backplane } from '../../src/hub/backplane.js'
import { Hub } from '../../src/hub/hub.js'

const ends: (() => unknown)[] = []

/** For afterEach. */
export async function stopHubs(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end()
}

export interface HubServer {
  readonly hub: Hub<ServerSocket>
  /** Those of the route `/`. */
  readonly sockets: Set<ServerSocket>
  /** What closed connections left when their `onClose` ran. */
  readonly leftovers: unknown[]
  /** Connects a client. @returns both ends */
  open(): Promise<{ readonly client: ClientSocket; readonly socket: ServerSocket }>
  readonly port: number
}

export async function serveHub(options: ServerOptions = {}, backplane?: Backplane): Promise<HubServer> {
  const sockets = new Set<ServerSocket>()
  const hub = new Hub<ServerSocket>({ backplane, reach: () => sockets })
  hub.start()
  const server = new WebSocketServer(options)
  const leftovers: unknown[] = []
  let opened: (socket: ServerSocket) => void = () => undefined
  server.route('/', {
    onOpen(socket) {
      sockets.add(socket)
      opened(socket)
    },
    onMessage: () => undefined,
    onClose(socket) {
      sockets.delete(socket)
      hub.forget(socket)
      leftovers.push(hub.groupsOf(socket))
    },
  })
  const { port } = await server.listen(0, '127.0.0.1')
  ends.push(async () => {
    server.terminate()
    await hub.close()
  })
  const open = async (): Promise<{ client: ClientSocket; socket: ServerSocket }> => {
    const accepted = new Promise<ServerSocket>((resolve) => (opened = resolve))
    const client = await connect(`ws://127.0.0.1:${String(port)}/`)
    ends.push(() => client.terminate())
    return { client, socket: await accepted }
  }
  return { hub, sockets, leftovers, open, port }
}
