/** A small HTTP proxy that opens tunnels (CONNECT), over TCP or TLS. Each answer to a request may be replaced. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'

export interface ConnectProxyOptions {
  /** Speak TLS with these options. */
  readonly tls?: TlsOptions
  /**
   * Answers a request: with literal bytes, after which nothing comes; with undefined for a tunnel; a promise is waited for.
   */
  readonly answer?: (head: string, socket: Socket) => string | undefined | Promise<string | undefined>
  /** What a tunnel begins with. */
  readonly established?: string
  /** Where tunnels lead instead of where the client asks. */
  readonly upstreamPort?: number
  readonly upstreamHost?: string
}

const ESTABLISHED = 'HTTP/1.1 200 Connection established\r\n\r\n'

export class ConnectProxy {
  /** The heads of the requests, with their blank lines. */
  readonly heads: string[] = []
  /** The connections of clients. */
  readonly clients: Socket[] = []
  private readonly server: Server
  private readonly options: ConnectProxyOptions
  private readonly sockets = new Set<Socket>()
  private readonly tunnels = new WeakSet<Socket>()

  private constructor(options: ConnectProxyOptions) {
    this.options = options
    const accept = (socket: Socket): void => {
      this.clients.push(socket)
      this.serve(socket)
    }
    this.server =
      options.tls === undefined
        ? createServer({ allowHalfOpen: true }, accept)
        : createTlsServer(options.tls, accept).on('tlsClientError', () => undefined)
  }

  static async listen(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
    const proxy = new ConnectProxy(options)
    await once(proxy.server.listen(0, '127.0.0.1'), 'listening')
    return proxy
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy()
    this.server.close()
  }

  private watch(socket: Socket): void {
    this.sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => this.sockets.delete(socket))
  }

  private serve(socket: Socket): void {
    this.watch(socket)
    let received = ''
    const onData = (chunk: Buffer): void => {
      received += chunk.toString('latin1')
      const end = received.indexOf('\r\n\r\n')
      if (end < 0) return
      socket.off('data', onData)
      socket.pause()
      const head = received.slice(0, end + 4)
      this.heads.push(head)
      void this.reply(head, Buffer.from(received.slice(end + 4), 'latin1'), socket)
    }
    socket.on('data', onData)
    socket.on('end', () => {
      // Where there is a tunnel its other end decides.
      if (!this.tunnels.has(socket)) socket.end()
    })
  }

  private async reply(head: string, early: Buffer, socket: Socket): Promise<void> {
    const answer = await this.options.answer?.(head, socket)
    if (answer !== undefined) {
      socket.resume()
      socket.write(answer, 'latin1')
      return
    }
    const [, host, port] = /^CONNECT \[?([^\]]*?)\]?:(\d+) HTTP\/1\.1\r\n/.exec(head) as RegExpExecArray
    const upstream = connect(this.options.upstreamPort ?? Number(port), this.options.upstreamHost ?? host)
    this.watch(upstream)
    this.tunnels.add(socket)
    upstream.on('close', () => socket.destroy())
    socket.on('close', () => upstream.destroy())
    upstream.on('connect', () => {
      socket.write(this.options.established ?? ESTABLISHED, 'latin1')
      upstream.write(early)
      socket.pipe(upstream)
      upstream.pipe(socket)
    })
  }
}
