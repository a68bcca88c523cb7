/** The peer and the message of crossws, over a connection of Hawser's. */
import { showAs } from '../inspect.js'
import type { MessageData } from '../connection/message-data.js'
import type { ServerSocket } from '../server/server-socket.js'
import { ownBytes } from '../whatwg/own-bytes.js'
import { isPlain } from './crossws-answers.js'
import type { ConnectionHooks } from './crossws-hooks.js'
import type {
  CrosswsDrainOptions,
  CrosswsMessage,
  CrosswsPeer,
  CrosswsSendOptions,
  CrosswsSyncMessage,
  CrosswsWebSocket,
} from './crossws-types.js'

/** The pings of the heartbeat have 4 bytes: only of pings of that size a peer keeps what it sent, and only so many. */
const HEARTBEAT_BYTES = 4
const MAX_KEPT_PINGS = 16

const DEFAULT_POLL_MS = 100

/** The error that the hook `error` gets. */
export class WSError extends Error {
  override readonly name = 'WSError'
}

/** @returns the error for the hook `error`, with what failed as its cause */
export const wsErrorOf = (cause: unknown): WSError =>
  new WSError(cause instanceof Error ? cause.message : String(cause), { cause })

/** What the adapter has for its peers. */
export interface PeerHost {
  /** Sends to the other instances, where there is a driver. */
  relay(message: CrosswsSyncMessage): void
  /** Tells the hook `error` of what no caller hears of. */
  failed(peer: HawserPeer, error: unknown): void
  /** Whether the connections of other processes get what is sent to groups. */
  readonly isJoined: boolean
}

/** What an upgrade found for the connection. */
export interface Arrival {
  readonly request: Request
  readonly namespace: string
  readonly context: Record<string, unknown>
  readonly hooks: ConnectionHooks<HawserPeer>
}

/** The hooks of a connection, which the application does not get. */
export let hooksOf: (peer: HawserPeer) => ConnectionHooks<HawserPeer>

/** The group of a topic. The length keeps a namespace apart from the topic after it. */
export const groupName = (namespace: string, topic: string): string =>
  `crossws ${String(namespace.length)} ${namespace}${topic}`

/** The group of a topic in all namespaces: only where other processes may have namespaces that are not known here. */
export const groupNameOfAll = (topic: string): string => `crossws * ${topic}`

/** What is sent for a value: text and bytes as they are, a plain object as its JSON, others as their text. */
export function payloadOf(value: unknown): MessageData {
  if (typeof value === 'string') return value
  if (value === undefined || value === null) return ''
  // As crossws has it: JSON has no text for these.
  if (typeof value === 'function' || typeof value === 'symbol') return '{}'
  if (typeof value !== 'object') return (value as number | boolean | bigint).toString()
  if (Array.isArray(value)) return Uint8Array.from(value as number[])
  // What is neither is refused by `send`, with an error that says what is legal.
  return isPlain(value) ? JSON.stringify(value) : (value as Uint8Array)
}

/** As `payloadOf`, for a driver, which takes text and Uint8Arrays. */
export function syncDataOf(data: MessageData): string | Uint8Array {
  if (typeof data === 'string' || data instanceof Uint8Array) return data
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data)
}

/** `peer.websocket`. */
class PeerWebSocket implements CrosswsWebSocket {
  static {
    showAs(PeerWebSocket, 'WebSocket', ({ url, readyState, protocol }) => ({ url, readyState, protocol }))
  }

  binaryType = 'nodebuffer'
  readonly #peer: HawserPeer

  constructor(peer: HawserPeer) {
    this.#peer = peer
  }

  get readyState(): number {
    return this.#peer.raw.readyState
  }

  get bufferedAmount(): number {
    return this.#peer.raw.bufferedAmount
  }

  get protocol(): string {
    return this.#peer.raw.protocol
  }

  get extensions(): string {
    return this.#peer.raw.extensions
  }

  get url(): string {
    return this.#peer.request.url.replace(/^http/, 'ws')
  }

  send(data: unknown): void {
    this.#peer.send(data)
  }

  close(code?: number, reason?: string): void {
    this.#peer.close(code, reason)
  }
}

/** A connection as crossws's hooks have it. */
export class HawserPeer implements CrosswsPeer {
  static {
    hooksOf = (peer) => peer.#hooks
    showAs(HawserPeer, 'Peer', ({ id, remoteAddress }) => ({ id, ip: remoteAddress }))
  }

  readonly raw: ServerSocket
  readonly request: Request
  readonly namespace: string
  readonly context: Record<string, unknown>
  readonly peers: Set<HawserPeer>
  readonly #host: PeerHost
  readonly #hooks: ConnectionHooks<HawserPeer>
  #topics: Set<string> | null = null
  #websocket: PeerWebSocket | null = null
  #pings: Set<string> | null = null

  constructor(
    raw: ServerSocket,
    { request, namespace, context, hooks }: Arrival,
    peers: Set<HawserPeer>,
    host: PeerHost,
  ) {
    this.raw = raw
    this.request = request
    this.namespace = namespace
    this.context = context
    this.peers = peers
    this.#host = host
    this.#hooks = hooks
  }

  get id(): string {
    return this.raw.id
  }

  get remoteAddress(): string | undefined {
    return this.raw.remoteAddress || undefined
  }

  get websocket(): CrosswsWebSocket {
    return (this.#websocket ??= new PeerWebSocket(this))
  }

  get topics(): Set<string> {
    return (this.#topics ??= new Set())
  }

  get bufferedAmount(): number {
    return this.raw.bufferedAmount
  }

  send(data: unknown, options?: CrosswsSendOptions): number {
    const { raw } = this
    if (options?.compress === undefined) raw.send(payloadOf(data))
    else raw.send(payloadOf(data), { compress: options.compress })
    return raw.bufferedAmount
  }

  subscribe(topic: string): void {
    const { raw, namespace } = this
    raw.join(groupName(namespace, topic))
    if (this.#host.isJoined) raw.join(groupNameOfAll(topic))
    this.topics.add(topic)
  }

  unsubscribe(topic: string): void {
    if (this.#topics?.delete(topic) !== true) return
    const { raw, namespace } = this
    raw.leave(groupName(namespace, topic))
    if (this.#host.isJoined) raw.leave(groupNameOfAll(topic))
  }

  publish(topic: string, data: unknown, options?: CrosswsSendOptions): void {
    const { raw, namespace } = this
    const payload = payloadOf(data)
    raw.group(groupName(namespace, topic)).send(payload, { except: raw, compress: options?.compress })
    this.#host.relay({ namespace, topic, data: syncDataOf(payload) })
  }

  async waitForDrain(options: CrosswsDrainOptions = {}): Promise<void> {
    const { threshold = 0, pollInterval = DEFAULT_POLL_MS, signal } = options
    const { raw } = this
    if (raw.bufferedAmount <= threshold) return
    signal?.throwIfAborted()
    // Down to the high-water mark there is an event, and nothing is looked at in between.
    await raw.drained(signal === undefined ? {} : { signal }).catch(() => signal?.throwIfAborted())
    while (raw.bufferedAmount > threshold && raw.readyState === 1) await pause(pollInterval, signal)
  }

  ping(data?: unknown): number {
    try {
      const payload = payloadOf(data)
      const bytes = typeof payload === 'string' ? Buffer.from(payload) : Buffer.from(syncDataOf(payload))
      this.raw.ping(bytes)
      if (bytes.length === HEARTBEAT_BYTES) this.#keepPing(bytes.toString('latin1'))
    } catch (error) {
      this.#host.failed(this, error)
    }
    return this.raw.bufferedAmount
  }

  close(code?: number, reason?: string): void {
    void this.raw.close(code, reason)
  }

  terminate(): void {
    this.raw.terminate()
  }

  toString(): string {
    return this.id
  }

  [Symbol.toPrimitive](): string {
    return this.id
  }

  /** Whether a pong answers the heartbeat, which crossws's hooks do not hear of. */
  isOfHeartbeat(data: Buffer): boolean {
    return data.length === HEARTBEAT_BYTES && this.#pings?.delete(data.toString('latin1')) !== true
  }

  #keepPing(text: string): void {
    this.#pings ??= new Set()
    this.#pings.add(text)
    if (this.#pings.size <= MAX_KEPT_PINGS) return
    const [oldest] = this.#pings
    this.#pings.delete(oldest as string)
  }
}

/** Waits; an abort of the signal ends it with the reason. The timer does not keep the process alive. */
function pause(timeMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      if (signal?.aborted === true) reject(signal.reason as Error)
      else resolve()
    }
    const timer = setTimeout(end, timeMs).unref()
    signal?.addEventListener('abort', end)
  })
}

/** A message as crossws's hooks have it. */
export class HawserMessage implements CrosswsMessage {
  static {
    showAs(HawserMessage, 'Message', ({ peer, rawData }) => ({ peer, rawData }))
  }

  readonly rawData: string | Buffer
  readonly peer: HawserPeer
  readonly event = undefined
  #id: string | null = null
  #bytes: Uint8Array | null = null

  constructor(rawData: string | Buffer, peer: HawserPeer) {
    this.rawData = rawData
    this.peer = peer
  }

  get id(): string {
    return (this.#id ??= crypto.randomUUID())
  }

  get data(): unknown {
    switch (this.peer.websocket.binaryType) {
      case 'arraybuffer':
        return this.arrayBuffer()
      case 'blob':
        return this.blob()
      case 'uint8array':
        return this.uint8Array()
      case 'text':
        return this.text()
      case 'nodebuffer': {
        const { buffer, byteOffset, byteLength } = this.uint8Array()
        return Buffer.from(buffer, byteOffset, byteLength)
      }
      default:
        return this.rawData
    }
  }

  text(): string {
    return this.rawData.toString()
  }

  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as crossws has it
  json<T = unknown>(): T {
    return JSON.parse(this.text()) as T
  }

  uint8Array(): Uint8Array {
    const { rawData } = this
    return (this.#bytes ??= typeof rawData === 'string' ? new TextEncoder().encode(rawData) : rawData)
  }

  arrayBuffer(): ArrayBuffer {
    // Of a small message the memory is a part of a pool, and others' bytes lie beside it.
    const own = ownBytes(this.uint8Array())
    this.#bytes = own
    return own.buffer
  }

  blob(): Blob {
    return new Blob([ownBytes(this.uint8Array())])
  }

  toString(): string {
    return this.text()
  }

  [Symbol.toPrimitive](): string {
    return this.text()
  }
}
