/** A server with connections to be grouped and named, on a free port of 127.0.0.1; it is closed after each test. */
import {
  connect,
  WebSocketServer,
  type ClientSocket,
  type Route,
  type ServerOptions,
  type ServerSocket,
} from '../../src/index.js'

const ends: (() => unknown)[] = []

/** For afterEach. */
export async function stopHubs(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end()
}

/** What is left of a connection, and where, when its `onClose` runs. */
export interface Leftover {
  readonly ofSocket: string[]
  readonly groups: string[]
  readonly names: string[]
  readonly inRoute: boolean
  readonly isCounted: boolean
  /** Whether a broadcast reached it. */
  readonly isReached: boolean
}

export interface HubServer {
  readonly server: WebSocketServer
  /** That of `/`, which all of them take. */
  readonly route: Route
  readonly leftovers: Leftover[]
  /** Connects a client. @returns both ends */
  open(): Promise<{ readonly client: ClientSocket; readonly socket: ServerSocket }>
  readonly port: number
}

export async function serveHub(options: ServerOptions = {}): Promise<HubServer> {
  const server = new WebSocketServer(options)
  const leftovers: Leftover[] = []
  let opened: (socket: ServerSocket) => void = () => undefined
  const route: Route = server.route('/', {
    onOpen(socket) {
      opened(socket)
    },
    onMessage: () => undefined,
    onClose(socket) {
      const inRoute = [...route.sockets].includes(socket)
      const { sent, dropped, failed } = server.broadcast('gone', { filter: (one) => one === socket })
      leftovers.push({
        ofSocket: socket.groups(),
        groups: server.groups(),
        names: server.connections.names(),
        inRoute,
        isCounted: server.connectionCount > 0,
        isReached: sent + dropped + failed > 0,
      })
    },
  })
  const { port } = await server.listen(0, '127.0.0.1')
  ends.push(() => server.close({ timeoutMs: 0 }))
  const open = async (): Promise<{ client: ClientSocket; socket: ServerSocket }> => {
    const accepted = new Promise<ServerSocket>((resolve) => (opened = resolve))
    const client = await connect(`ws://127.0.0.1:${String(port)}/`)
    ends.push(() => client.terminate())
    return { client, socket: await accepted }
  }
  return { server, route, leftovers, open, port }
}
