import type { Agent, ClientRequestArgs } from 'node:http'
import { connect as connectTcp, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { Limits } from '../limits.js'
import { connectByAgent } from './agent.js'
import { connectTls, containedTls } from './contained-calls.js'
import { discard, type BodySignals } from './exchange.js'
import type { NetOptions } from './net-options.js'
import { chooseProxy, openTunnel, type Proxy } from './proxy.js'
import type { Hop } from './redirects.js'

/** How connections are made. */
export interface TransportChoice {
  readonly proxy: Proxy | 'env' | undefined
  readonly agent: Agent | undefined
  readonly net: NetOptions
  readonly limits: Limits
}

/**
 * Begins to connect: TCP or a Unix socket, and TLS over it; by an agent or through a proxy if there is one.
 * @returns the stream, which may still connect; a promise of it where there is a proxy or an agent
 */
export function openTransport(
  { target, tls }: Hop,
  { proxy, agent, net, limits }: TransportChoice,
  signals: BodySignals,
): Duplex | Promise<Duplex> {
  const { socketPath, hostname, port, secure } = target
  // TLS refuses an address as a server name (RFC 6066 section 3).
  const servername = isIP(hostname) === 0 ? { servername: hostname } : {}
  const secured: TlsOptions = { ...servername, ALPNProtocols: ['http/1.1'], ...tls }
  const address = {
    ...net,
    ...(socketPath === undefined ? { host: hostname, port } : { path: socketPath }),
    noDelay: true,
    // The peer's FIN must not end our side while a Close frame is still to be sent.
    allowHalfOpen: true,
  }
  if (agent !== undefined) {
    const { path, ...rest } = { path: undefined, ...address }
    const request: ClientRequestArgs = { ...rest, socketPath: path, path: target.target }
    let failure: Error | null = null
    let stream: Duplex | null = null
    const contained = containedTls(secure ? secured : {}, (error) => {
      failure = error
      stream?.destroy(error)
    })
    return connectByAgent(agent, { ...contained, ...request }, target, signals).then((duplex) => {
      stream = duplex
      if (failure !== null) duplex.destroy(failure)
      return secure && !isSecured(duplex) ? tlsOver(duplex, secured, hostname) : duplex
    })
  }
  const through = chooseProxy(proxy, target)
  if (through !== undefined) {
    return openTunnel(through, target, net, limits.maxHeaderBytes, signals).then((duplex) =>
      secure ? tlsOver(duplex, secured, hostname) : duplex,
    )
  }
  return secure ? connectTls({ ...address, ...secured }) : connectTcp(address)
}

/** Whether an agent has begun TLS by itself, or was refused by its proxy: then there is the response alone to read. */
const isSecured = (duplex: Duplex): boolean =>
  (duplex as { readonly encrypted?: unknown }).encrypted === true || !duplex.writable

/** @param host that the certificate must name, unless the options have a servername; else node:tls takes the proxy's */
function tlsOver(duplex: Duplex, tls: TlsOptions, host: string): Duplex {
  try {
    return connectTls({ ...tls, host, socket: duplex })
  } catch (error) {
    discard(duplex)
    throw error
  }
}
