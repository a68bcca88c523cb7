import { connect as connectTcp, isIP, type Socket as TcpSocket } from 'node:net'
import { connect as connectTls, type ConnectionOptions as TlsOptions, type TLSSocket } from 'node:tls'
import type { Target } from './websocket-url.js'

/** Begins to connect: TCP or a Unix socket, and TLS over it. */
export function openTransport(target: Target, tls: TlsOptions | undefined): TcpSocket | TLSSocket {
  const { socketPath, hostname, port, secure } = target
  const address = {
    ...(socketPath === undefined ? { host: hostname, port } : { path: socketPath }),
    noDelay: true,
    // The peer's FIN must not end our side while a Close frame is still to be sent.
    allowHalfOpen: true,
  }
  if (!secure) return connectTcp(address)
  // TLS refuses an address as a server name (RFC 6066 section 3).
  const servername = isIP(hostname) === 0 ? { servername: hostname } : {}
  return connectTls({ ...address, ...servername, ALPNProtocols: ['http/1.1'], ...tls })
}
