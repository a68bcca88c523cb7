/** The peers of raw-peer.ts over TLS: the test writes literal bytes into the encrypted stream. */
import { connect as connectTcp, createServer, type AddressInfo, type Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { connect as connectTls, createSecureContext, TLSSocket, type ConnectionOptions } from 'node:tls'
import { SERVER_TLS, TRUST_SERVER } from './certificates.js'
import { RawPeer } from './raw-peer.js'

/**
 * The bytes of a TCP connection as a stream that is not a net.Socket. TLS over a net.Socket takes its handle, and Node 20 ends
 * with a segmentation fault when that handle is reset: so the peer's TLS must not have it.
 */
class Below extends Duplex {
  constructor(private readonly tcp: Socket) {
    super({ allowHalfOpen: true })
    tcp.on('data', (chunk) => {
      if (!this.push(chunk)) tcp.pause()
    })
    tcp.on('end', () => this.push(null))
    tcp.on('error', () => undefined)
    tcp.on('close', () => this.destroy())
  }

  override _read(): void {
    this.tcp.resume()
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.tcp.write(chunk, done)
  }

  override _final(done: () => void): void {
    this.tcp.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.tcp.destroy()
    done(error)
  }
}

/** A peer over TLS. A reset goes out on the TCP connection below it. */
export class RawTlsPeer extends RawPeer {
  readonly below: Socket
  readonly secured: TLSSocket

  constructor(secured: TLSSocket, below: Socket) {
    super(secured)
    this.below = below
    this.secured = secured
  }

  override reset(): void {
    this.below.resetAndDestroy()
    this.socket.destroy()
  }
}

/** Opens a TLS connection to 127.0.0.1 that trusts the test's CA. */
export function openRawTls(port: number, options: ConnectionOptions = {}): Promise<RawTlsPeer> {
  const below = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  const secured = connectTls({
    socket: new Below(below),
    servername: 'localhost',
    ...TRUST_SERVER,
    ...options,
  })
  secured.allowHalfOpen = true
  const peer = new RawTlsPeer(secured, below)
  return new Promise((resolve, reject) => {
    secured.once('error', reject)
    below.once('error', reject)
    secured.once('secureConnect', () => {
      secured.off('error', reject)
      below.off('error', reject)
      resolve(peer)
    })
  })
}

/** A TLS server that runs the given function for each connection. */
export interface RawTlsServer {
  readonly port: number
  readonly url: string
  readonly peers: RawTlsPeer[]
  /** Cuts all and stops. */
  close(): Promise<void>
}

/** @param serve gets each connection, before the TLS handshake is done; a throw of it ends the connection */
export function listenRawTls(serve: (peer: RawPeer) => unknown): Promise<RawTlsServer> {
  const peers: RawTlsPeer[] = []
  const secureContext = createSecureContext(SERVER_TLS)
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (below) => {
    const secured = new TLSSocket(new Below(below), { isServer: true, secureContext })
    secured.allowHalfOpen = true
    const peer = new RawTlsPeer(secured, below)
    peers.push(peer)
    Promise.resolve(serve(peer)).catch(() => below.destroy())
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      resolve({
        port,
        url: `wss://localhost:${String(port)}/`,
        peers,
        close: () => {
          for (const { below } of peers) below.destroy()
          return new Promise((done) => server.close(() => done()))
        },
      })
    })
  })
}
