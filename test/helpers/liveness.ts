/**
 * Connections whose other end is a slow peer (slow-peer.ts): by every transport, in both roles, with the times scaled
 * down. What the tests of docs/backpressure.md have in common.
 */
import {
  connect,
  WebSocketServer,
  type CloseInfo,
  type ConnectOptions,
  type ServerOptions,
  type Service,
  type Socket,
} from '../../src/index.js'
import { SERVER_TLS, TRUST_SERVER } from './certificates.js'
import { Journal } from './journal.js'
import { showInfo } from './serving.js'
import { SlowPeer, stopPeers, type PeerOptions } from './slow-peer.js'

export const KIB = 1024
export const MIB = 1024 * KIB

/** How the bytes go. */
export type Way = 'by the handle' | 'by the stream' | 'over TLS'
export type Role = 'server' | 'client'

export const WAYS: readonly Way[] = ['by the handle', 'by the stream', 'over TLS']
/** For `describe.each`: who is tested, and by what. */
export const ENDS: readonly (readonly [Role, Way])[] = (['server', 'client'] as const).flatMap((role) =>
  WAYS.map((way) => [role, way] as const),
)

/** What both roles take. */
type SharedOptions = Omit<
  ServerOptions & ConnectOptions,
  'tls' | 'protocols' | 'handlers' | 'data' | 'onError'
>
/** Handlers of either role. */
export type Handlers = Service<Socket>

export interface Opened {
  readonly socket: Socket
  readonly peer: SlowPeer
  /** Errors as `error CODE`, and at the end `closed …`, by `showInfo`. */
  readonly journal: Journal
  /** The CloseInfo of `onClose`, once it was called. */
  ended(): Promise<CloseInfo>
  /** In the role of a server. */
  readonly server: WebSocketServer | null
}

const cleanups: (() => unknown)[] = []

/** Ends all that was opened; for afterEach. */
export async function stopAll(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  stopPeers()
}

/** Ends this as well after the test. */
export function afterwards(cleanup: () => unknown): void {
  cleanups.push(cleanup)
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A promise and the function that fulfils it. */
export function gate<T = void>(): { readonly opened: Promise<T>; open(value: T): void } {
  let open!: (value: T) => void
  const opened = new Promise<T>((resolve) => (open = resolve))
  return { opened, open: (value) => open(value) }
}

/** Without compression, and with no timer but those that a test asks for. */
export const QUIET = {
  perMessageDeflate: false,
  heartbeatIntervalMs: false,
} as const satisfies SharedOptions

/** Joins a group: sockets of servers can. */
export function join(socket: Socket, group: string): unknown {
  return (socket as unknown as { join(name: string): unknown }).join(group)
}

/** Waits until something is so; a test that waits in vain says for what. */
export async function until(what: string, isSo: () => boolean, timeoutMs = 8_000): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`in vain for ${timeoutMs} ms: ${what}`)
    await pause(5)
  }
}

/** Handlers that write down errors and the end, and tell of the first socket. */
function recorded(
  handlers: Handlers,
  journal: Journal,
  told: { info: CloseInfo | null },
  opened: (socket: Socket) => void,
): Handlers {
  return {
    ...handlers,
    onOpen: (socket: Socket) => {
      opened(socket)
      return handlers.onOpen?.(socket)
    },
    onError: (socket, error) => {
      journal.add(`error ${(error as { code?: string }).code ?? error.message}`)
      return handlers.onError?.(socket, error)
    },
    onClose: (socket, info) => {
      told.info = info
      journal.add(showInfo(info))
      return handlers.onClose?.(socket, info)
    },
  }
}

/**
 * Opens a connection between the end under test and a slow peer, which reads nothing yet.
 * @param options on top of {@link QUIET}
 */
export async function open(
  [role, way]: readonly [Role, Way],
  handlers: Handlers = {},
  options: SharedOptions = {},
  peerOptions: PeerOptions = {},
): Promise<Opened> {
  const journal = new Journal()
  const told: { info: CloseInfo | null } = { info: null }
  const ended = async (): Promise<CloseInfo> => {
    await journal.until(/^closed/)
    return told.info!
  }
  const tls = way === 'over TLS'
  const { opened, open: tell } = gate<Socket>()
  const service = recorded(handlers, journal, told, tell)
  const all = { ...QUIET, ...options, directIo: way !== 'by the stream' }
  if (role === 'server') {
    const server = new WebSocketServer({ ...all, ...(tls ? { tls: SERVER_TLS } : {}) })
    cleanups.push(() => server.terminate())
    server.route('/', service)
    const { port } = await server.listen(0, '127.0.0.1')
    const peer = await SlowPeer.connect(port, { tls, ...peerOptions })
    return { socket: await opened, peer, journal, ended, server }
  }
  const peer = await SlowPeer.listen({ tls, ...peerOptions })
  const url = `${tls ? 'wss' : 'ws'}://localhost:${String(peer.port)}/`
  const connecting = connect(url.replace('localhost', tls ? 'localhost' : '127.0.0.1'), {
    ...all,
    handlers: service,
    ...(tls ? { tls: { ...TRUST_SERVER, host: '127.0.0.1' } } : {}),
  })
  // With an `onOpen` that waits the socket is there before `connect` is done.
  const socket = await Promise.race([opened, connecting])
  connecting.catch(() => undefined)
  cleanups.push(() => socket.terminate())
  await peer.event('open')
  return { socket, peer, journal, ended, server: null }
}
