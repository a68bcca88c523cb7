/**
 * The other end of the web-platform-tests for websockets: a server of literal bytes, over TCP and over TLS, that does what the
 * path says. It knows nothing of src.
 */
import { closeFrame, frame, hex, OP } from './frame-builder.js'
import { acceptFor, RawServer, responseHead, type RawHead, type RawPeer } from './raw-peer.js'
import { listenRawTls, type RawTlsServer } from './raw-tls.js'

interface Request {
  readonly head: RawHead
  readonly query: string
  /** The first subprotocol that the client offers. */
  readonly protocol: string
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function accept(peer: RawPeer, { head, protocol }: Request, fields: Record<string, string> = {}): void {
  const chosen = protocol === '' ? {} : { 'Sec-WebSocket-Protocol': protocol }
  peer.write(responseHead(head, { ...chosen, ...fields }))
}

/** Sends every message back, and answers the Close frame with the same. */
async function echo(peer: RawPeer): Promise<void> {
  for (;;) {
    const { opcode, payload } = await peer.readFrame()
    peer.write(frame({ opcode, payload }))
    if (opcode !== OP.CLOSE) continue
    peer.end()
    return
  }
}

/** Waits for the client's Close frame, and ends. */
async function awaitClose(peer: RawPeer): Promise<void> {
  await peer.readToClose()
  peer.end()
}

/** Sends one text, then echoes. */
const say =
  (what: (request: Request) => string) =>
  async (peer: RawPeer, request: Request): Promise<void> => {
    accept(peer, request)
    peer.write(frame({ opcode: OP.TEXT, payload: what(request) }))
    await echo(peer)
  }

/** Answers with a 101 that lacks something or has too much. */
const answer =
  (fields: Record<string, string>) =>
  async (peer: RawPeer, request: Request): Promise<void> => {
    accept(peer, request, fields)
    await echo(peer)
  }

const PATHS: Readonly<Record<string, (peer: RawPeer, request: Request) => unknown>> = {
  async echo(peer, request) {
    accept(peer, request)
    await echo(peer)
  },
  'say-query': say(({ query }) => query),
  /** The value of a field of the request, by its name. */
  'say-field': say(({ head, query }) => head.get(query) ?? 'none'),
  'say-protocol': say(({ protocol }) => protocol),
  'no-protocol': answer({ 'Sec-WebSocket-Protocol': '' }),
  'other-protocol': answer({ 'Sec-WebSocket-Protocol': 'other' }),
  'wrong-key': answer({ 'Sec-WebSocket-Accept': acceptFor('another') }),
  'not-found': (peer) => {
    peer.write('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
  },
  silent: (peer) => peer.closed(),
  /** `?4000,reason` */
  async close(peer, request) {
    accept(peer, request)
    const [code = '', reason = ''] = decodeURIComponent(request.query).split(',')
    peer.write(closeFrame(code === '' ? undefined : Number(code), reason))
    await awaitClose(peer)
  },
  /** Waits for a message, and closes. */
  async 'close-after'(peer, request) {
    accept(peer, request)
    await peer.readFrame()
    peer.write(closeFrame(1000, 'done'))
    await awaitClose(peer)
  },
  async fin(peer, request) {
    accept(peer, request)
    peer.end()
    await peer.ended()
  },
  async reset(peer, request) {
    accept(peer, request)
    await peer.readFrame()
    peer.reset()
  },
  /** Sends the bytes of the query, as hexadecimal digits, after the first message. */
  async raw(peer, request) {
    accept(peer, request)
    await peer.readFrame()
    peer.write(hex(request.query))
    await awaitClose(peer)
  },
  /** Answers the Close frame after so many milliseconds. */
  async 'slow-close'(peer, request) {
    accept(peer, request)
    const { payload } = await peer.readToClose()
    await sleep(Number(request.query))
    peer.write(frame({ opcode: OP.CLOSE, payload }))
    peer.end()
  },
  /** Ends with a FIN at the Close frame, which it does not answer. */
  async 'fin-after-close'(peer, request) {
    accept(peer, request)
    await awaitClose(peer)
  },
  /** Sends so many MiB, after each the milliseconds that it had to wait for room, then closes. */
  async flood(peer, request) {
    accept(peer, request)
    const one = frame({ opcode: OP.BINARY, payload: new Uint8Array(1024 * 1024) })
    for (let i = 0; i < Number(request.query); i++) {
      const at = performance.now()
      const hasRoom = peer.socket.write(one)
      if (!hasRoom) await new Promise((resolve) => peer.socket.once('drain', resolve))
      peer.write(frame({ opcode: OP.TEXT, payload: String(performance.now() - at) }))
    }
    peer.write(closeFrame(1000))
    await awaitClose(peer)
  },
  /** Sends so many messages at once, then answers the Close frame. */
  async many(peer, request) {
    accept(peer, request)
    const one = frame({ opcode: OP.TEXT, payload: 'message' })
    peer.write(...Array.from({ length: Number(request.query) }, () => one))
    await echo(peer)
  },
  /** Reads nothing for so many milliseconds. */
  async stall(peer, request) {
    accept(peer, request)
    peer.pause()
    await sleep(Number(request.query))
    peer.resume()
    const { payload } = await peer.readToClose()
    peer.write(frame({ opcode: OP.CLOSE, payload }))
    peer.end()
  },
}

async function serve(peer: RawPeer): Promise<void> {
  const head = await peer.readHead()
  const [, target = '/'] = head.startLine.split(' ')
  const [path = '', query = ''] = target.slice(1).split('?', 2)
  const [protocol = ''] = (head.get('sec-websocket-protocol') ?? '').split(', ')
  await (PATHS[path] ?? PATHS['echo'])?.(peer, { head, query, protocol })
}

export class WptServer {
  private readonly plain: RawServer
  private readonly secure: RawTlsServer

  private constructor(plain: RawServer, secure: RawTlsServer) {
    this.plain = plain
    this.secure = secure
  }

  static async start(): Promise<WptServer> {
    return new WptServer(await RawServer.start(serve), await listenRawTls(serve))
  }

  /** The URL of a path: see `PATHS`. */
  at(scheme: 'ws' | 'wss', path: string): string {
    const { port } = scheme === 'ws' ? this.plain : this.secure
    return `${scheme}://localhost:${String(port)}/${path}`
  }

  /** How many connections were made. */
  get count(): number {
    return this.plain.peers.length + this.secure.peers.length
  }

  async close(): Promise<void> {
    await Promise.all([this.plain.close(), this.secure.close()])
  }
}
