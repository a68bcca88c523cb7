/** A TCP server that meets each connection as it is told to, in literal bytes: it shares nothing with src. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** What a server does with one connection, after the head of the request. */
export type Behaviour = (socket: Socket, head: string) => unknown

const keyOf = (head: string): string => /sec-websocket-key: (\S+)/i.exec(head)?.[1] ?? ''

const acceptFor = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

const switching = (accept: string): string =>
  `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`

/** Accepts, and then does something. */
export const opens =
  (then: (socket: Socket) => unknown = () => undefined): Behaviour =>
  (socket, head) => {
    socket.write(switching(acceptFor(keyOf(head))))
    then(socket)
  }

export const lies: Behaviour = (socket) => socket.write(switching(acceptFor('a key of another client')))

/** Says nothing at all. */
export const stalls: Behaviour = () => undefined

export const resets: Behaviour = (socket) => socket.resetAndDestroy()

export const halfCloses: Behaviour = (socket) => socket.end()

export const answers =
  (status: number, ...fields: readonly string[]): Behaviour =>
  (socket) =>
    socket.end(
      [`HTTP/1.1 ${String(status)} No`, 'Content-Length: 0', 'Connection: close', ...fields, '', ''].join(
        '\r\n',
      ),
    )

/** Accepts, sends text messages, and a Close frame with this code; null sends one without a code. */
export const closesWith = (code: number | null, ...words: readonly string[]): Behaviour =>
  opens((socket) => {
    for (const word of words) socket.write(Buffer.from([0x81, word.length, ...Buffer.from(word)]))
    socket.end(Buffer.from(code === null ? [0x88, 0] : [0x88, 2, code >> 8, code & 0xff]))
  })

export class FaultyServer {
  /** The heads of the requests, in order. */
  readonly heads: string[] = []
  readonly sockets = new Set<Socket>()
  port = 0
  /** How many TCP connections there were. */
  connections = 0
  private readonly server: Server
  private readonly behaviours: Behaviour[]

  /** @param behaviours one for each connection; the last one for all that follow */
  constructor(...behaviours: Behaviour[]) {
    this.behaviours = behaviours
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      this.connections++
      this.sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => this.sockets.delete(socket))
      let head = ''
      socket.on('data', (chunk) => {
        if (head.endsWith('\r\n\r\n')) return
        head += chunk.toString('latin1')
        if (!head.endsWith('\r\n\r\n')) return
        this.heads.push(head)
        const [behaviour] = this.behaviours
        if (this.behaviours.length > 1) this.behaviours.shift()
        behaviour?.(socket, head)
      })
      socket.on('end', () => socket.end())
    })
  }

  async listen(port = 0): Promise<string> {
    await once(this.server.listen(port, '127.0.0.1'), 'listening')
    this.port = (this.server.address() as AddressInfo).port
    return `ws://127.0.0.1:${String(this.port)}/`
  }

  /** The following connections are met in another way. */
  become(...behaviours: Behaviour[]): void {
    this.behaviours.splice(0, Infinity, ...behaviours)
  }

  /** Dies: all connections are reset, and the port is closed. */
  async die(): Promise<void> {
    for (const socket of this.sockets) socket.resetAndDestroy()
    await new Promise((resolve) => this.server.close(resolve))
  }
}
