/** What the cases of the web-platform-tests stand on: see wpt.test.ts. */
import {
  WebSocket,
  WebSocketStream,
  type CloseEvent,
  type WebSocketEventMap,
  type WebSocketInit,
  type WebSocketStreamOptions,
} from '../../../src/whatwg/index.js'
import { TRUST_SERVER } from '../../helpers/certificates.js'
import type { WptServer } from '../../helpers/wpt-server.js'

/** One or more files of the web-platform-tests that ask the same. */
export interface WptCase {
  /** Below `websockets/`, without their endings. */
  readonly files: readonly string[]
  /** The files that ask the same over TLS, or true where the same files do. */
  readonly secure?: readonly string[] | true
  /** What holds, as a sentence. */
  readonly title: string
  run(world: World): Promise<void> | void
}

/** Files that are numbered: `numbered('a', 1, 3)` is `a/001`, `a/002`, `a/003`. */
export const numbered = (folder: string, first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, i) => `${folder}/${String(first + i).padStart(3, '0')}`)

/** Waits for an event. */
export const next = <K extends keyof WebSocketEventMap>(
  socket: WebSocket,
  type: K,
): Promise<WebSocketEventMap[K]> =>
  new Promise((resolve) => {
    socket.addEventListener(type, (event) => resolve(event), { once: true })
  })

/** Waits for the data of a message. */
export const nextData = async (socket: WebSocket): Promise<unknown> => (await next(socket, 'message')).data

/** The types of the events, in order. */
export function journalOf(socket: WebSocket): string[] {
  const types: string[] = []
  for (const type of ['open', 'message', 'error', 'close'] as const) {
    socket.addEventListener(type, () => types.push(type))
  }
  return types
}

/** Waits for the end of a connection. @returns code, reason and whether it was clean */
export async function ended(socket: WebSocket): Promise<[number, string, boolean]> {
  const { code, reason, wasClean }: CloseEvent = await next(socket, 'close')
  return [code, reason, wasClean]
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The name of what is thrown. */
export function nameOfThrown(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    return (error as Error).name
  }
  return 'nothing'
}

/** The name of what a promise rejects with. */
export const nameOfRejection = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'nothing',
    (error: unknown) => (error as Error).name,
  )

export class World {
  readonly scheme: 'ws' | 'wss'
  readonly server: WptServer
  private readonly sockets: (WebSocket | WebSocketStream)[] = []

  constructor(server: WptServer, scheme: 'ws' | 'wss') {
    this.server = server
    this.scheme = scheme
  }

  at(path: string): string {
    return this.server.at(this.scheme, path)
  }

  connect(path: string, protocols?: string | string[]): WebSocket {
    const tls: WebSocketInit = { ...(protocols === undefined ? {} : { protocols }), tls: TRUST_SERVER }
    const second = this.scheme === 'wss' ? tls : protocols
    return this.keep(
      second === undefined ? new WebSocket(this.at(path)) : new WebSocket(this.at(path), second),
    )
  }

  async opened(path: string, protocols?: string | string[]): Promise<WebSocket> {
    const socket = this.connect(path, protocols)
    await next(socket, 'open')
    return socket
  }

  stream(path: string, options: WebSocketStreamOptions = {}): WebSocketStream {
    return this.keep(new WebSocketStream(this.at(path), { ...options, tls: TRUST_SERVER }))
  }

  /** Ends what the case left open. */
  end(): void {
    for (const socket of this.sockets) socket.close()
  }

  keep<T extends WebSocket | WebSocketStream>(socket: T): T {
    this.sockets.push(socket)
    return socket
  }
}
