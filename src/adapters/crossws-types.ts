/**
 * The hooks, the peer and the message of crossws, as its documentation says. They are written here by their shape, and nothing
 * of crossws is imported, its types included: those need the types of a browser. Hooks are methods, so that hooks that are typed
 * by crossws's own types fit; that they do is tested with its types.
 */
import type { ServerSocket } from '../server/server-socket.js'

/** Headers as the standard takes them. */
export type CrosswsHeaders = ConstructorParameters<typeof Headers>[0]

/** The request of an upgrade: a Request of the standard, with what servers of srvx add to it. */
export type CrosswsRequest = Request & {
  /** Becomes `peer.context`. */
  readonly context?: Record<string, unknown>
}

/** The options of `send` and `publish`. */
export interface CrosswsSendOptions {
  /** Whether to compress the message, where that was agreed. Default true. */
  readonly compress?: boolean
}

/** The options of `publish` of the adapter. */
export interface CrosswsPublishOptions extends CrosswsSendOptions {
  /** The namespace whose subscribers get the message. Default: all. */
  readonly namespace?: string
}

/** How `waitForDrain` waits. */
export interface CrosswsDrainOptions {
  /** How many bytes may still wait, at most. Default 0. */
  readonly threshold?: number
  /** The time between two looks, in milliseconds, below the high-water mark. Default 100 ms. */
  readonly pollInterval?: number
  /** Ends the wait: the promise then rejects with its reason. */
  readonly signal?: AbortSignal
}

/** The members of a WebSocket of the standard that `peer.websocket` has. */
export interface CrosswsWebSocket {
  /** How `message.data` gives a message: `nodebuffer` (default), `arraybuffer`, `blob`, `uint8array` or `text`. */
  binaryType?: string
  /** 1 open, 2 closing, 3 closed. */
  readonly readyState?: number
  /** The bytes that wait to be sent. */
  readonly bufferedAmount?: number
  /** The agreed subprotocol, or empty. */
  readonly protocol?: string
  /** The extensions in use, or empty. */
  readonly extensions?: string
  /** The URL of the request, with ws or wss. */
  readonly url?: string
}

/** A connection as hooks have it. */
export interface CrosswsPeer {
  /** A random UUID. */
  readonly id: string
  /** The namespace of its topics. */
  readonly namespace: string
  /** The address of the client. */
  readonly remoteAddress: string | undefined
  /** The request of the upgrade. */
  readonly request: Request
  /** What the hook `upgrade` gave, and the application's own. */
  readonly context: Record<string, unknown>
  /** The connection, as the standard has it. */
  readonly websocket: CrosswsWebSocket
  /** All connections of the namespace. */
  readonly peers: ReadonlySet<unknown>
  /** The topics that it has subscribed to. */
  readonly topics: ReadonlySet<string>
  /** The bytes that wait to be sent. */
  readonly bufferedAmount: number
  /** Hawser's own socket: groups, `write`, `drained`, `rttMs`. Only on peers of this adapter. */
  readonly raw?: ServerSocket

  /**
   * Sends a message: text as text, bytes as bytes, an object as its JSON, and other values as their text.
   * @returns the bytes that wait to be sent then
   * @throws TypeError for an object that is neither bytes nor a plain one
   */
  send(data: unknown, options?: CrosswsSendOptions): number | undefined | void
  /** Subscribes to a topic, which is a group of Hawser's. @throws RangeError above the limits of groups */
  subscribe(topic: string): void
  /** Ends a subscription. */
  unsubscribe(topic: string): void
  /** Sends a message to the other subscribers of a topic: encoded once, compressed once. @throws as `send` */
  publish(topic: string, data: unknown, options?: CrosswsSendOptions): void
  /** Waits until no more than `threshold` bytes wait to be sent, or the connection is over. */
  waitForDrain(options?: CrosswsDrainOptions): Promise<void>
  /** Sends a ping; of data that a ping cannot carry the hook `error` hears, and without one the `onError` of the server. */
  ping(data?: unknown): number | undefined | void
  /** Closes the connection. @throws TypeError or RangeError for a code or a reason that must not be sent */
  close(code?: number, reason?: string): void
  /** Cuts the connection. */
  terminate(): void
}

/** A message as hooks have it. */
export interface CrosswsMessage {
  /** A random UUID. */
  readonly id: string
  /** Text as a string, bytes as a Buffer. */
  readonly rawData: unknown
  /** As `peer.websocket.binaryType` says. */
  readonly data: unknown
  /** As text. */
  text(): string
  /** The value of its JSON. @throws SyntaxError for text that is not JSON */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as crossws has it
  json<T = unknown>(): T
  /** As bytes. */
  uint8Array(): Uint8Array
  /** As an ArrayBuffer that holds this message alone. */
  arrayBuffer(): ArrayBuffer | SharedArrayBuffer
  /** As a Blob. */
  blob(): Blob
}

/**
 * What the hook `upgrade` may return, as a plain object, beside nothing and a Response, which ends the upgrade with that answer. A
 * Response may be of any package, such as undici.
 */
export interface CrosswsUpgrade {
  /** Further headers of the 101. */
  readonly headers?: CrosswsHeaders
  /** One of the subprotocols that the client offered. */
  readonly protocol?: string
  /** The namespace of the connection's topics; an empty one is none. */
  readonly namespace?: string
  /** Is put into `peer.context`. */
  readonly context?: Record<string, unknown>
  /** The hook has answered the upgrade itself, by the socket in `request.runtime.node.upgrade`. */
  readonly handled?: boolean
}

/** How a connection ended. */
export interface CrosswsClose {
  /** The code of the peer's Close frame: 1005 for a frame without a code, 1006 where no frame was received. */
  readonly code?: number
  /** The reason in the peer's Close frame, or empty. */
  readonly reason?: string
}

/** The hooks of crossws. */
export interface CrosswsHooks {
  /**
   * Decides on an upgrade: returns nothing, a {@link CrosswsUpgrade} or a Response; a Response that it throws ends the upgrade. For
   * anything else, such as false or an object with other names, the upgrade gets 500, and `onError` of the server a TypeError.
   */
  upgrade?(request: CrosswsRequest): unknown
  /** The connection is open. If it returns a promise, messages wait for it. */
  open?(peer: CrosswsPeer): unknown
  /** A message was received. */
  message?(peer: CrosswsPeer, message: CrosswsMessage): unknown
  /** `bufferedAmount` is at or below the high-water mark again. */
  drain?(peer: CrosswsPeer): unknown
  /** The connection is over. */
  close?(peer: CrosswsPeer, details: CrosswsClose): unknown
  /**
   * The peer, the network or a hook failed; `close` follows. Where both hooks of a name fail it is called for each. Without it the
   * server's `onError` gets the error, and what this one throws or rejects with.
   */
  error?(peer: CrosswsPeer, error: Error): unknown
  /** A ping was received; its pong is on its way. */
  ping?(peer: CrosswsPeer, data: Uint8Array): unknown
  /** A pong was received; those of Hawser's own heartbeat are not reported. */
  pong?(peer: CrosswsPeer, data: Uint8Array): unknown
}

/**
 * Finds the hooks of a request: called once for each upgrade. For what is neither nothing nor an object of hooks the upgrade gets 500,
 * and `onError` of the server a TypeError.
 */
export type CrosswsResolve = (
  request: CrosswsRequest,
) => object | undefined | null | Promise<object | undefined | null>

/** A message to the subscribers at other instances. */
export interface CrosswsSyncMessage {
  /** The namespace; empty: all. */
  readonly namespace: string
  /** The topic. */
  readonly topic: string
  /** The message. */
  readonly data: string | Uint8Array
}

/** What carries messages to other instances. */
export interface CrosswsSyncDriver {
  /** Begins: `deliver` gets what others publish. */
  subscribe(deliver: (message: CrosswsSyncMessage) => void): void | Promise<void>
  /** Sends to the others. */
  publish(message: CrosswsSyncMessage): void | Promise<void>
  /** Ends. */
  close?(): void | Promise<void>
}

/** The instance that a driver is for. */
export interface CrosswsInstance {
  /** A random UUID. */
  readonly id: string
}

/** Makes the driver of one instance: what this instance published is not for itself. */
export type CrosswsSync = (instance: CrosswsInstance) => CrosswsSyncDriver
