/** Servers, clients and raw peers for tests of both implementations. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import * as http from 'node:http'
import * as net from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Implementation } from './implementations.js'

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- programs in JavaScript call in ways that types refuse
export type Loose = any

/** An error as name, code and message; anything else as it is. */
export function show(value: unknown): unknown {
  // Errors of Node are of another realm than those of a test.
  if (Object.prototype.toString.call(value) !== '[object Error]') return value
  const { code, message, name } = value as Error & { readonly code?: unknown }
  return `${name}${typeof code === 'string' ? ` ${code}` : ''}: ${message}`
}

/** The error that a call throws. */
export function thrown(call: () => unknown): string {
  try {
    call()
    return 'nothing thrown'
  } catch (error) {
    return String(show(error))
  }
}

/** The port on which a server listens. */
export const portOf = (server: Loose): number => (server.address() as AddressInfo).port

/** The answer of a server to a handshake, with further headers. */
export const switching = (accept: string, headers = ''): string =>
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  `Sec-WebSocket-Accept: ${accept}\r\n${headers}\r\n`

/** The code and the reason with which a connection ends. */
export const closeOf = (socket: Loose): Promise<[code: number, reason: string]> =>
  new Promise((resolve) =>
    socket.on('close', (code: number, reason: Buffer) => resolve([code, reason.toString()])),
  )

/** The next error. */
export const errorOf = (socket: Loose): Promise<unknown> =>
  new Promise((resolve) => socket.on('error', (error: Error) => resolve(show(error))))

/** What a server answers to a request by node:http: status and body; 101 alone for an upgrade. */
export const upgrade = (
  url: string,
  headers: http.OutgoingHttpHeaders,
  path = '/',
  method = 'GET',
): Promise<unknown[]> =>
  new Promise((resolve) => {
    const request = http.request(url.replace('ws', 'http') + path, {
      method,
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version': 13,
        ...headers,
      },
    })
    request.on('response', (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => resolve([response.statusCode, body]))
    })
    request.on('upgrade', (_response, socket) => {
      socket.destroy()
      resolve([101])
    })
    request.on('error', (error) => resolve([show(error)]))
    request.end()
  })

/** A server of TCP that answers handshakes as a test wants. */
export async function rawServer<Result>(
  answer: (accept: string, socket: net.Socket) => string | null | undefined | void,
  run: (url: string) => Promise<Result>,
): Promise<Result> {
  const server = net.createServer((socket) => {
    let head = ''
    socket.on('error', () => {})
    socket.on('data', (data) => {
      head += data.toString()
      if (!head.includes('\r\n\r\n')) return
      const key = /Sec-WebSocket-Key: (.*)\r/i.exec(head)![1]!
      head = ''
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
      const response = answer(accept, socket)
      if (typeof response === 'string') socket.write(response)
    })
  })
  server.listen(0)
  await once(server, 'listening')
  try {
    return await run(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.close()
  }
}

/** Both ends of a connection. */
export interface Ends {
  readonly ws: Loose
  readonly peer: Loose
  readonly server: Loose
  readonly req: http.IncomingMessage
  readonly url: string
}

/** Servers and clients of one implementation. */
export function endpointsOf(implementation: Implementation) {
  const { WebSocket, WebSocketServer } = implementation as Loose

  /** Runs with a server, and closes it. */
  async function withServer<Result>(
    options: object,
    run: (server: Loose, url: string) => Promise<Result>,
  ): Promise<Result> {
    const server = new WebSocketServer({ port: 0, ...options })
    await once(server, 'listening')
    try {
      return await run(server, `ws://127.0.0.1:${portOf(server)}`)
    } finally {
      for (const client of server.clients) client.terminate()
      await new Promise((resolve) => server.close(resolve))
    }
  }

  /** Runs with a connection. */
  const pair = <Result>(
    serverOptions: object,
    clientOptions: object,
    protocols: string[],
    run: (ends: Ends) => Promise<Result>,
    path = '',
  ): Promise<Result> =>
    withServer(serverOptions, async (server, url) => {
      const ws = new WebSocket(url + path, protocols, clientOptions)
      ws.on('error', () => {})
      const [[peer, req]] = (await Promise.all([once(server, 'connection'), once(ws, 'open')])) as [
        [Loose, http.IncomingMessage],
        unknown,
      ]
      peer.on('error', () => {})
      try {
        return await run({ ws, peer, server, req, url })
      } finally {
        ws.terminate()
        peer.terminate()
      }
    })

  /** The errors of a handshake that fails, then the end of the WebSocket, and its state. */
  const clientError = (url: string, options?: object, protocols: string[] = []): Promise<unknown[]> =>
    new Promise((resolve) => {
      const socket = new WebSocket(url, protocols, options)
      const events: unknown[] = []
      socket.on('error', (error: Error) => events.push(show(error)))
      socket.on('close', (code: number, reason: Buffer) =>
        resolve([...events, [code, reason.toString()], socket.readyState]),
      )
    })

  return { withServer, pair, clientError }
}
