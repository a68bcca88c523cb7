/**
 * A peer that speaks literal bytes over a real socket: the other end of a server or of a client under test. It knows
 * TCP and the frame reader of the tests, and nothing of src; it answers nothing by itself.
 */
import { createHash } from 'node:crypto'
import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { readFrame, type WireFrame } from './frame-builder.js'

/** A head of HTTP/1.1, as far as tests look at it. */
export interface RawHead {
  /** `HTTP/1.1 101 Switching Protocols`, or the request line. */
  readonly startLine: string
  /** Of a response. */
  readonly status: number
  /** In order of arrival, names in lower case. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** The value of a field, or several joined with ', '. */
  get(name: string): string | undefined
}

function parseHead(text: string): RawHead {
  const [startLine = '', ...lines] = text.split('\r\n')
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  return {
    startLine,
    status: Number(startLine.split(' ')[1]),
    fields,
    get(name) {
      const values = fields.filter(([one]) => one === name.toLowerCase()).map(([, value]) => value)
      return values.length === 0 ? undefined : values.join(', ')
    },
  }
}

/** Bytes that are appended read by read and taken from the front: megabytes of them are not copied for each read. */
class ByteQueue {
  private store = Buffer.alloc(0)
  private start = 0
  private end = 0

  get length(): number {
    return this.end - this.start
  }

  /** A view that does not change when bytes are appended later. */
  get bytes(): Buffer {
    return this.store.subarray(this.start, this.end)
  }

  append(chunk: Buffer): void {
    if (this.end + chunk.length > this.store.length) {
      const { bytes } = this
      this.store = Buffer.allocUnsafe(2 * (bytes.length + chunk.length))
      bytes.copy(this.store)
      this.start = 0
      this.end = bytes.length
    }
    chunk.copy(this.store, this.end)
    this.end += chunk.length
  }

  drop(count: number): void {
    this.start += count
  }
}

export class RawPeer {
  readonly socket: Socket
  /** The received bytes, read by read, heads included. */
  readonly chunks: Buffer[] = []
  /** The other end sent a FIN. */
  isEnded = false
  /** The connection is over, both ways. */
  isClosed = false
  error: NodeJS.ErrnoException | null = null
  private readonly unread = new ByteQueue()
  private readonly looks = new Set<() => void>()

  /** @param socket best with `allowHalfOpen`, so that a FIN is not answered by itself */
  constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk)
      this.unread.append(chunk)
      this.look()
    })
    socket.on('end', () => {
      this.isEnded = true
      this.look()
    })
    socket.on('error', (error) => {
      this.error = error
      this.look()
    })
    socket.on('close', () => {
      this.isClosed = true
      this.look()
    })
  }

  /** Text goes out as latin1. */
  write(...parts: readonly (string | Uint8Array)[]): void {
    this.socket.write(
      Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part))),
    )
  }

  /** Sends a FIN. */
  end(): void {
    this.socket.end()
  }

  /** Sends a RST. */
  reset(): void {
    const { socket } = this
    // While a FIN is on its way Node can neither reset nor close.
    if (socket.writableEnded && !socket.writableFinished)
      socket.once('finish', () => socket.resetAndDestroy())
    else socket.resetAndDestroy()
  }

  /** Reads no more, so that the buffers of the system fill up. */
  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** How many received bytes no test has read. */
  get unreadBytes(): number {
    return this.unread.length
  }

  /** Waits until `find` finds something: it is asked after everything that comes. */
  until<T>(find: () => T | null): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = find()
        if (found !== null) {
          this.looks.delete(look)
          resolve(found)
        } else if (this.isClosed || (this.isEnded && this.socket.readableEnded)) {
          this.looks.delete(look)
          reject(
            new Error(`the connection ended before, with ${show(this.unread.bytes)} unread`, {
              cause: this.error,
            }),
          )
        }
      }
      this.looks.add(look)
      look()
    })
  }

  readHead(): Promise<RawHead> {
    return this.until(() => {
      const { bytes } = this.unread
      const end = bytes.indexOf('\r\n\r\n')
      if (end < 0) return null
      const head = bytes.toString('latin1', 0, end)
      this.unread.drop(end + 4)
      return parseHead(head)
    })
  }

  /** So many bytes, as text. */
  readText(length: number): Promise<string> {
    return this.until(() => {
      if (this.unread.length < length) return null
      const text = this.unread.bytes.toString('latin1', 0, length)
      this.unread.drop(length)
      return text
    })
  }

  /** Head and body of a response with a Content-Length. */
  async readResponse(): Promise<{ readonly head: RawHead; readonly body: string }> {
    const head = await this.readHead()
    return { head, body: await this.readText(Number(head.get('content-length') ?? 0)) }
  }

  readFrame(): Promise<WireFrame> {
    return this.until(() => {
      const first = readFrame(this.unread.bytes)
      if (first === null) return null
      this.unread.drop(first.wireLength)
      return first
    })
  }

  /** Frames up to the Close frame. */
  async readToClose(): Promise<WireFrame> {
    for (;;) {
      const next = await this.readFrame()
      if (next.opcode === 8) return next
    }
  }

  /** Waits for the FIN. @returns the bytes before it that no test has read */
  ended(): Promise<Buffer> {
    return this.until(() => (this.isEnded ? this.unread.bytes : null))
  }

  /** Waits until the other end is gone or ended its side. */
  async left(): Promise<void> {
    await this.until(() => (this.isEnded || this.isClosed ? true : null))
  }

  /** Waits for the end, both ways; also by an error. */
  closed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.isClosed) resolve()
      else this.socket.once('close', () => resolve())
    })
  }

  private look(): void {
    for (const look of [...this.looks]) look()
  }
}

const show = (bytes: Buffer): string => JSON.stringify(bytes.toString('latin1', 0, 200))

/** Opens a TCP connection, or one to a Unix socket. */
export function openRaw(target: number | string): Promise<RawPeer> {
  const socket =
    typeof target === 'number'
      ? connectTcp({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      : connectTcp({ path: target, allowHalfOpen: true })
  const peer = new RawPeer(socket)
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(peer)
    })
  })
}

/** The key of RFC 6455 section 1.3. */
export const SAMPLE_KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

/** The head of a handshake as a client sends it; `fields` replace those of the same name, '' leaves one out. */
export function requestHead(
  path = '/',
  fields: Readonly<Record<string, string>> = {},
  method = 'GET',
): string {
  const all: Record<string, string> = {
    Host: 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': SAMPLE_KEY,
    'Sec-WebSocket-Version': '13',
    ...fields,
  }
  const lines = Object.entries(all)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** Opens a connection and its handshake. */
export async function upgradeRaw(
  target: number | string,
  path = '/',
  fields: Readonly<Record<string, string>> = {},
): Promise<RawPeer> {
  const peer = await openRaw(target)
  peer.write(requestHead(path, fields))
  const head = await peer.readHead()
  if (head.status !== 101) throw new Error(`not upgraded: ${head.startLine}`)
  return peer
}

/** Sends a wrong handshake, or half of one. @returns the response */
export async function askRaw(
  port: number | string,
  request: string,
): Promise<{ readonly head: RawHead; readonly body: string }> {
  const peer = await openRaw(port)
  peer.write(request)
  const response = await peer.readResponse()
  await peer.ended()
  peer.end()
  return response
}

/** RFC 6455 section 4.2.2. */
export const acceptFor = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')

/** The head of the response that accepts; `fields` replace or add, '' leaves one out. */
export function responseHead(request: RawHead, fields: Readonly<Record<string, string>> = {}): string {
  const all: Record<string, string> = {
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Accept': acceptFor(request.get('sec-websocket-key') ?? ''),
    ...fields,
  }
  const lines = Object.entries(all)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`
}

/** A server that runs the given function for each connection. */
export class RawServer {
  readonly peers: RawPeer[] = []
  private readonly server: Server

  private constructor(server: Server) {
    this.server = server
  }

  /**
   * @param serve gets each connection; a throw of it ends the connection
   * @param path of a Unix socket; default: a free port
   */
  static start(serve: (peer: RawPeer) => unknown, path?: string): Promise<RawServer> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const peer = new RawPeer(socket)
      raw.peers.push(peer)
      Promise.resolve(serve(peer)).catch(() => socket.destroy())
    })
    const raw = new RawServer(server)
    return new Promise((resolve) => {
      if (path === undefined) server.listen(0, '127.0.0.1', () => resolve(raw))
      else server.listen(path, () => resolve(raw))
    })
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  get url(): string {
    return `ws://127.0.0.1:${String(this.port)}/`
  }

  /** Cuts all and stops. */
  close(): Promise<void> {
    for (const { socket } of this.peers) socket.destroy()
    return new Promise((resolve) => this.server.close(() => resolve()))
  }
}

/** Accepts the handshake of a client; `more` goes out in the same write as the response. */
export async function acceptRaw(
  peer: RawPeer,
  fields: Readonly<Record<string, string>> = {},
  ...more: readonly (string | Uint8Array)[]
): Promise<RawHead> {
  const request = await peer.readHead()
  peer.write(responseHead(request, fields), ...more)
  return request
}
