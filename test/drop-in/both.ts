/** `ws` and the drop-in, whole: each case runs over both, on real sockets. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import type * as ws from 'ws'
import { portOf } from './endpoints.js'
import { IMPLEMENTATIONS } from './implementations.js'

/** The face that both have, in the types of `ws`. */
export type Face = typeof ws.WebSocket & { readonly Server: typeof ws.WebSocketServer }

export const BOTH = IMPLEMENTATIONS.map(([name, { WebSocket }]) => [name, WebSocket as Face] as const)

export const urlOf = (server: ws.WebSocketServer): string => `ws://127.0.0.1:${String(portOf(server))}`

/** A server that listens, a client that is open, and the connection that the server has of it. */
export interface Pair {
  readonly server: ws.WebSocketServer
  readonly client: ws.WebSocket
  readonly accepted: ws.WebSocket
  readonly request: IncomingMessage
  close(): Promise<void>
}

export async function listen(face: Face, options: ws.ServerOptions = {}): Promise<ws.WebSocketServer> {
  const server = new face.Server({ port: 0, host: '127.0.0.1', ...options })
  await once(server, 'listening')
  return server
}

/** Waits for 'close', whatever errors come before it. */
export const closed = (socket: ws.WebSocket): Promise<void> =>
  new Promise((resolve) => {
    socket.on('close', () => {
      resolve()
    })
  })

export async function closeServer(server: ws.WebSocketServer): Promise<void> {
  for (const client of server.clients) client.terminate()
  await new Promise((resolve) => {
    server.close(resolve)
  })
}

export async function open(
  face: Face,
  serverOptions: ws.ServerOptions = {},
  clientOptions: ws.ClientOptions = {},
): Promise<Pair> {
  const server = await listen(face, serverOptions)
  const connection = once(server, 'connection')
  const client = new face(urlOf(server), clientOptions)
  await once(client, 'open')
  const [accepted, request] = (await connection) as [ws.WebSocket, IncomingMessage]
  return { server, client, accepted, request, close: () => closeServer(server) }
}

/** A peer that writes what it likes: the handshake is done. */
export interface RawPeer {
  readonly socket: Socket
  /** All bytes after the handshake. */
  received(): Buffer
}

/** Connects to a server by hand. */
export async function connectRaw(server: ws.WebSocketServer, headers = ''): Promise<RawPeer> {
  const socket = connect(portOf(server), '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(
    `GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${headers}` +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  let bytes = Buffer.alloc(0)
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      if (bytes.includes('\r\n\r\n')) resolve()
    })
  })
  return { socket, received: () => bytes.subarray(bytes.indexOf('\r\n\r\n') + 4) }
}

/** Sends a request and reads the whole answer. */
export async function answerTo(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  socket.write(request.replaceAll('\n', '\r\n'))
  await once(socket, 'close')
  return text
}

/** The events of an emitter in their order, as text. */
export function journalOf(socket: ws.WebSocket): string[] {
  const journal: string[] = []
  socket.on('open', () => journal.push('open'))
  socket.on('message', (data, isBinary) =>
    journal.push(`message ${(data as Buffer).toString()} ${String(isBinary)}`),
  )
  socket.on('ping', (data) => journal.push(`ping ${String(data)}`))
  socket.on('pong', (data) => journal.push(`pong ${String(data)}`))
  socket.on('error', (error: Error & { code?: string }) =>
    journal.push(`error ${error.name} ${error.message} ${String(error.code)}`),
  )
  socket.on('close', (code, reason) => journal.push(`close ${String(code)} ${String(reason)}`))
  return journal
}
