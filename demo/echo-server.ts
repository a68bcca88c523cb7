import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebSocketServer } from 'hawser'
import { hostInUrl, isLoopbackOrigin, isWildcard, ownOrigins } from './allowed-origins.js'
import { listenOnHost } from './listen.js'
import { respondWithText } from './page-files.js'

const MIB = 1024 * 1024
const MAX_ECHO_BYTES = 16 * MIB
const CLOSE_TIMEOUT_MS = 3000

export interface EchoOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Origins whose pages may connect, beside those of this machine. */
  readonly origins: readonly string[]
}

/** An echo at every path, without a page: each message comes back, and the first subprotocol offered is taken. */
export class EchoServer {
  readonly url: string
  private readonly echo: WebSocketServer
  private readonly httpServers: readonly Server[]

  private constructor(echo: WebSocketServer, httpServers: readonly [Server, ...Server[]], host: string) {
    const { port } = httpServers[0].address() as AddressInfo
    this.url = `ws://${isWildcard(host) ? 'localhost' : hostInUrl(host)}:${String(port)}/`
    this.echo = echo
    this.httpServers = httpServers
  }

  /** @throws ListenError */
  static async start({ host, port, origins }: EchoOptions): Promise<EchoServer> {
    const allowed: string[] = [...origins]
    const echo = new WebSocketServer({
      origins: [(origin) => origin === undefined || isLoopbackOrigin(origin) || allowed.includes(origin)],
      protocols: ([first]) => first,
      maxConnections: 1024,
      limits: { maxMessageBytes: MAX_ECHO_BYTES, maxBufferedOutputBytes: 2 * MAX_ECHO_BYTES },
    })
    echo.route('/*path', { onMessage: (_socket, message) => message })
    const httpServers = await listenOnHost(
      () => {
        const server = createServer((_request, response) => {
          respondWithText(response, 426, 'This is a WebSocket endpoint\n', {
            Connection: 'Upgrade',
            Upgrade: 'websocket',
            'Sec-WebSocket-Version': '13',
          })
        })
        echo.attach(server)
        return server
      },
      host,
      port,
    )
    allowed.push(...ownOrigins(host, (httpServers[0].address() as AddressInfo).port))
    return new EchoServer(echo, httpServers, host)
  }

  /** Stops to listen, closes all connections with 1001, waits, and cuts what is left. */
  async close(): Promise<void> {
    const stopped = this.httpServers.map((server) => new Promise((resolve) => server.close(resolve)))
    await this.echo.close({ timeoutMs: CLOSE_TIMEOUT_MS })
    for (const server of this.httpServers) server.closeAllConnections()
    await Promise.all(stopped)
  }

  /** Cuts all connections. */
  terminate(): void {
    this.echo.terminate()
    for (const server of this.httpServers) {
      server.close()
      server.closeAllConnections()
    }
  }
}
