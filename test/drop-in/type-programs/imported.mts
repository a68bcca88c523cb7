/** A program of ES modules, as they are written against the types of `ws`. */
import { IncomingMessage, type Server as HttpServer } from 'node:http'
import type { Duplex } from 'node:stream'
import WebSocket, {
  createWebSocketStream,
  WebSocket as Named,
  WebSocketServer,
  type AddressInfo,
  type CertMeta,
  type ClientOptions,
  type CloseEvent,
  type Data,
  type ErrorEvent,
  type Event,
  type EventListenerOptions,
  type FinishRequestCallback,
  type MessageEvent,
  type PerMessageDeflateOptions,
  type RawData,
  type Server,
  type ServerOptions,
  type VerifyClientCallbackAsync,
  type VerifyClientCallbackSync,
} from 'ws'

/** Types that name all of them. */
export type All = [
  AddressInfo,
  CertMeta,
  ClientOptions,
  CloseEvent,
  Data,
  ErrorEvent,
  Event,
  EventListenerOptions,
  FinishRequestCallback,
  MessageEvent,
  PerMessageDeflateOptions,
  RawData,
  VerifyClientCallbackAsync,
  VerifyClientCallbackSync,
  WebSocket.RawData,
  WebSocket.MessageEvent,
]

class Request extends IncomingMessage {
  user = 'nobody'
}

class Socket extends WebSocket {
  isAlive = true

  override send(data: Parameters<WebSocket['send']>[0], ...rest: unknown[]): void {
    super.send(data, ...(rest as [{ binary?: boolean }]))
  }
}

class OwnServer extends WebSocketServer<typeof Socket, typeof Request> {
  override shouldHandle(request: Request): boolean {
    return request.user !== 'nobody'
  }
}

/** A server with classes of one's own. */
export function serve(
  server: HttpServer<typeof Request>,
  options: ServerOptions<typeof Socket, typeof Request>,
): Server {
  const own = new OwnServer({ ...options, server, WebSocket: Socket })
  own.on('connection', (socket, request) => {
    socket.isAlive = request.user === ''
    for (const client of own.clients) client.isAlive = false
  })
  const plain: WebSocketServer = new WebSocketServer({ port: 0, path: '/a' })
  return plain
}

/** A client as a stream. */
export function open(url: string, options?: ClientOptions): Duplex {
  const socket = new Named(url, options)
  const same: WebSocket = socket
  return createWebSocketStream(same)
}

/** The last overload is the one that others build on. */
export type Sent = Parameters<WebSocket['send']>[1]
const sent: Sent = { binary: true, compress: false, fin: true, mask: undefined }
export const listeners = new Map<WebSocket, (event: WebSocket.CloseEvent) => void>([])
export const states = [WebSocket.OPEN, Named.CLOSED, sent]
