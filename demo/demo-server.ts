import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { closeWith, WebSocketServer, type ServerService } from 'hawser'
import { hostInUrl, isLoopbackOrigin, isWildcard, ownOrigins } from './allowed-origins.js'
import { CHAT_PATH, createChat } from './chat.js'
import { listenOnHost } from './listen.js'
import { PageFiles, respondWithText } from './page-files.js'
import { TappedDuplex } from './tapped-duplex.js'
import { WireSession } from './wire-session.js'

export interface DemoOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** Origins whose pages may connect, beside this server's own. */
  readonly origins?: readonly string[]
  /** The directory of index.html. */
  readonly pageDirectory: string
  /** Called once for each origin whose pages were refused. */
  readonly onRefusedOrigin?: (origin: string) => void
}

export const ECHO_PATH = '/echo'
export const FRAMES_PATH = '/frames'
/** Says, as JSON, whether pages of the origin in its query (`of`) may connect: a browser does not tell them why not. */
export const ORIGIN_PATH = '/origin'
/** The subprotocols of the two, for clients that offer them. */
export const ECHO_PROTOCOL = 'echo.hawser'
export const FRAMES_PROTOCOL = 'frames.hawser'

const MIB = 1024 * 1024
const MAX_ECHO_BYTES = 16 * MIB
/** How long a peer may take to answer the Close frame when the server ends. */
const CLOSE_TIMEOUT_MS = 3_000
/** How many different refused origins are reported: their senders choose them. */
const MAX_TOLD_ORIGINS = 20

/** The id that a page gives its connection: 128 bits that cannot be guessed, because a page that knows them may watch. */
const SESSION_ID = /^[0-9a-f]{32}$/

const ECHO: ServerService = { onMessage: (_socket, message) => message }

/**
 * The demonstration: the page at `/`, an echo at `/echo`, a chat at `/chat/ROOM?name=…`, and at `/frames?id=…` reports of the
 * frames on the echo connection with the same id, for the page that made up the id. A connection to `/echo` without an id is not
 * watched.
 */
export class DemoServer {
  /** The URL of the page. */
  readonly url: string
  readonly port: number
  private readonly httpServers: readonly Server[]
  private readonly sockets: Sockets

  private constructor(httpServers: readonly [Server, ...Server[]], host: string, sockets: Sockets) {
    const { port } = httpServers[0].address() as AddressInfo
    this.port = port
    this.url = `http://${isWildcard(host) ? 'localhost' : hostInUrl(host)}:${String(port)}/`
    this.httpServers = httpServers
    this.sockets = sockets
  }

  /** @throws ListenError; the system's error if the page's files cannot be read */
  static async start(options: DemoOptions): Promise<DemoServer> {
    const { host, port, origins = [], pageDirectory, onRefusedOrigin = () => undefined } = options
    const files = await PageFiles.load(pageDirectory)
    const allowed: string[] = [...origins]
    const own: string[] = []
    const isAllowed = (origin: string): boolean => allowed.includes(origin) || isLoopbackOrigin(origin)
    const sockets = new Sockets(isAllowed, onRefusedOrigin)
    const create = (): Server =>
      createServer((request, response) => {
        respond(files, own, isAllowed, request, response)
      }).on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        sockets.upgrade(request, socket, head)
      })
    const httpServers = await listenOnHost(create, host, port)
    // Known only now, where the port was chosen by the system; no request was read yet.
    own.push(...ownOrigins(host, (httpServers[0].address() as AddressInfo).port))
    allowed.push(...own)
    return new DemoServer(httpServers, host, sockets)
  }

  /** Stops listening, closes all connections with 1001, waits, and cuts the remaining ones. */
  async close(): Promise<void> {
    const stopped = this.httpServers.map((server) => new Promise((resolve) => server.close(resolve)))
    await this.sockets.close()
    for (const server of this.httpServers) server.closeAllConnections()
    await Promise.all(stopped)
  }

  /** Cuts all connections. */
  terminate(): void {
    this.sockets.terminate()
    for (const server of this.httpServers) {
      server.close()
      server.closeAllConnections()
    }
  }
}

/** The WebSocket side: the echo, the watchers and the chat have a server each, since their limits differ. */
class Sockets {
  private readonly echo: WebSocketServer
  private readonly frames: WebSocketServer
  private readonly chat: WebSocketServer
  private readonly sessions = new Map<string, WireSession>()

  constructor(isAllowed: (origin: string) => boolean, onRefusedOrigin: (origin: string) => void) {
    const told = new Set<string>()
    const origins = [
      (origin: string | undefined): boolean => {
        // Only browsers send an origin, and only they need the check.
        if (origin === undefined || isAllowed(origin)) return true
        if (!told.has(origin) && told.size < MAX_TOLD_ORIGINS) {
          told.add(origin)
          onRefusedOrigin(origin)
        }
        return false
      },
    ]
    this.echo = new WebSocketServer({
      origins,
      protocols: [ECHO_PROTOCOL],
      maxConnections: 256,
      limits: { maxMessageBytes: MAX_ECHO_BYTES, maxBufferedOutputBytes: 2 * MAX_ECHO_BYTES },
    })
    this.echo.route(ECHO_PATH, ECHO)
    this.frames = new WebSocketServer({
      origins,
      protocols: [FRAMES_PROTOCOL],
      maxConnections: 64,
      limits: { maxMessageBytes: 1024 },
    })
    this.frames.route(FRAMES_PATH, this.watcherService())
    this.chat = createChat(origins)
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const url = request.url ?? ''
    const [path] = url.split('?', 1)
    if (path === FRAMES_PATH) {
      this.frames.handleUpgrade(request, socket, head)
      return
    }
    if (url.startsWith(CHAT_PATH)) {
      this.chat.handleUpgrade(request, socket, head)
      return
    }
    const session = path === ECHO_PATH ? this.sessions.get(sessionId(url)) : undefined
    if (session?.take() !== true) {
      this.echo.handleUpgrade(request, socket, head)
      return
    }
    // Bytes that arrived with the request pass the tap like all others.
    if (head.length > 0) socket.unshift(head)
    const tapped = new TappedDuplex(socket, session.tap)
    this.echo.handleUpgrade(request, tapped, Buffer.alloc(0), session.watch(ECHO))
  }

  async close(): Promise<void> {
    // The watchers last: they get reports of the Close frames.
    const options = { timeoutMs: CLOSE_TIMEOUT_MS }
    await Promise.all([this.echo.close(options), this.chat.close(options)])
    await this.frames.close(options)
  }

  terminate(): void {
    this.echo.terminate()
    this.chat.terminate()
    this.frames.terminate()
  }

  private watcherService(): ServerService {
    return {
      onOpen: (socket) => {
        const id = sessionId(socket.url)
        if (!SESSION_ID.test(id)) {
          void socket.close(1008, 'the id must be 32 hexadecimal digits')
        } else if (this.sessions.has(id)) {
          void socket.close(1008, 'this id is in use')
        } else {
          const session = new WireSession(socket)
          socket.data = session
          this.sessions.set(id, session)
        }
      },
      onTextMessage: (socket, text) => {
        if (text !== 'ping') return closeWith(1008, 'the only request is: ping')
        sessionOf(socket.data)?.ping()
        return undefined
      },
      onDrain: (socket) => {
        sessionOf(socket.data)?.feed.drained()
      },
      onClose: (socket) => {
        const session = sessionOf(socket.data)
        if (session === undefined) return
        this.sessions.delete(sessionId(socket.url))
        session.unwatch()
      },
    }
  }
}

const sessionOf = (data: unknown): WireSession | undefined => (data instanceof WireSession ? data : undefined)

const parameter = (url: string, name: string): string =>
  new URLSearchParams(url.replace(/^[^?]*/, '')).get(name) ?? ''

const sessionId = (url: string): string => parameter(url, 'id')

/** Requests that are not upgrades. */
function respond(
  files: PageFiles,
  origins: readonly string[],
  isAllowed: (origin: string) => boolean,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  if (files.respond(request, response, origins)) return
  const [path] = (request.url ?? '').split('?', 1)
  if (path === ORIGIN_PATH) {
    const origin = parameter(request.url ?? '', 'of')
    respondWithText(response, 200, JSON.stringify({ isAllowed: isAllowed(origin) }), {
      'Content-Type': 'application/json',
    })
  } else if (path === ECHO_PATH || path === FRAMES_PATH || path?.startsWith(CHAT_PATH) === true) {
    respondWithText(response, 426, 'This is a WebSocket endpoint\n', {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
    })
  } else {
    respondWithText(response, 404, 'There is nothing here: the page is at /\n')
  }
}
