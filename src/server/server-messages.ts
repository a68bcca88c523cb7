import type { HandshakeError } from '../errors.js'
import type { CloseInfo } from '../connection/events.js'
import type { MessageData } from '../connection/message-data.js'
import type { ServerStats, SocketList } from './diagnostics.js'
import type { QuotaAction, QuotaKind } from './quota-options.js'
import type { Route } from './server-service.js'
import type { ServerSocket } from './server-socket.js'

/** A `WebSocketServer`, as observers get it: what it has and what it counts. */
export interface ObservedServer {
  /** How many connections are open or closing. */
  readonly connectionCount: number
  /** All connections that are open or closing. */
  readonly sockets: SocketList<ServerSocket>
  /** The routes, in the order in which they were added. */
  routes(): Route[]
  /** Counts since the server was made. */
  stats(): ServerStats
}

/** What servers publish to channels of `node:diagnostics_channel`: the message of each channel, by its name. */
export interface ServerMessages {
  /** A server was made. */
  readonly 'hawser:server': {
    /** The server. */
    readonly server: ObservedServer
  }
  /** An upgrade was answered, or its peer was gone before that. */
  readonly 'hawser:upgrade': {
    /** The request target, with its query. */
    readonly url: string
    /** The path of the route, with the names of its parameters; empty for `handleUpgrade` with a service; null: none. */
    readonly route: string | null
    /** The IP address of the peer, which may be a proxy; empty for a Unix socket. */
    readonly remoteAddress: string
    /** The IP address of the client: behind proxies that the server trusts the one that they report. */
    readonly clientAddress: string
    /** Whether it was accepted. */
    readonly isAccepted: boolean
    /** The HTTP status of the answer; null: there was none. */
    readonly status: number | null
    /** Why Hawser refused it; null: it was accepted, the application refused it, or the peer was gone. */
    readonly error: HandshakeError | null
    /** From the accept of the connection, or from the request on the port of an HTTP server, to the answer: in ms. */
    readonly durationMs: number
  }
  /** A connection is open: before `onOpen`. */
  readonly 'hawser:open': {
    /** The connection. */
    readonly socket: ServerSocket
    /** The path of its route. */
    readonly route: string
  }
  /** A message was received whole: before its handler. */
  readonly 'hawser:message': {
    /** The connection. */
    readonly socket: ServerSocket
    /** The path of its route. */
    readonly route: string
    /** Text as a string, or bytes, which a subscriber must not change. */
    readonly data: MessageData
  }
  /** A handler has returned, and its promise, if it returned one, is settled. */
  readonly 'hawser:handler': {
    /** The connection. */
    readonly socket: ServerSocket
    /** The path of its route. */
    readonly route: string
    /** The name of the handler, such as `onMessage`. */
    readonly handler: string
    /** From the call to the return or to the end of the promise: in ms. */
    readonly durationMs: number
    /** What the handler threw or rejected with; null: it did not fail. */
    readonly error: Error | null
  }
  /** A quota of a connection was exceeded. */
  readonly 'hawser:quota': {
    /** The connection. */
    readonly socket: ServerSocket
    /** The path of its route. */
    readonly route: string
    /** The quota. */
    readonly quota: QuotaKind
    /** What happens. */
    readonly action: QuotaAction
    /** How often this connection has exceeded a quota, this time included. */
    readonly excesses: number
  }
  /** A connection failed, or a handler of it. */
  readonly 'hawser:error': {
    /** The connection. */
    readonly socket: ServerSocket
    /** The path of its route. */
    readonly route: string
    /** The violation of the peer, the error of the network, or what a handler threw. */
    readonly error: Error
  }
  /** A connection is over: before `onClose`. */
  readonly 'hawser:close': {
    /** The connection. */
    readonly socket: ServerSocket
    /** The path of its route. */
    readonly route: string
    /** How it ended. */
    readonly info: CloseInfo
    /** Messages that were received whole. */
    readonly messagesReceived: number
    /** Messages taken to be sent. */
    readonly messagesSent: number
    /** Bytes on the transport, frame headers included. */
    readonly bytesReceived: number
    /** Bytes on the transport, frame headers included. */
    readonly bytesSent: number
  }
  /** An error that is none of a connection's: what the `onError` of the server gets. */
  readonly 'hawser:server-error': {
    /** The server. */
    readonly server: ObservedServer
    /** The error. */
    readonly error: Error
    /** What failed, in words. */
    readonly what: string
  }
  /** A server begins to close, is hastened, or has given every connection its turn. */
  readonly 'hawser:closing': {
    /** The server. */
    readonly server: ObservedServer
    /** Open connections whose turn has not come. */
    readonly remaining: number
    /** Over which time they are closed: in ms. */
    readonly spreadMs: number
  }
  /** A server is closed: its connections are over, and their handlers are done or had their time. */
  readonly 'hawser:closed': {
    /** The server. */
    readonly server: ObservedServer
  }
  /** A member with recovery came back to a group. */
  readonly 'hawser:recovery': {
    /** The connection. */
    readonly socket: ServerSocket
    /** The name of the group. */
    readonly group: string
    /** Whether the member gets all that it missed. */
    readonly recovered: boolean
    /** How many messages it missed, and gets now; only if `recovered` is true. */
    readonly count?: number
    /** Why something is missing; only if `recovered` is false. */
    readonly reason?: string
  }
}
