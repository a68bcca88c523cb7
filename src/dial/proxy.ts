import { connect as connectTcp, isIP, isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { HandshakeError } from '../errors.js'
import { optionalObject, readOptions, showUrl, showValue, unchecked, type Checks } from '../check.js'
import { formatCallerHeaders } from '../handshake/caller-headers.js'
import { toHeaderPairs, type HeadersInput } from '../socket/headers-input.js'
import { connectTls } from './contained-calls.js'
import { discard, exchange, refusal, type BodySignals } from './exchange.js'
import { reasonOf, withSubject } from './named-errors.js'
import type { NetOptions } from './net-options.js'
import { proxyFromEnvironment } from './proxy-environment.js'
import { basicAuthorization, type Target } from './websocket-url.js'

/** A proxy, with what its URL cannot say. */
export interface ProxyOptions {
  /** `http://host:port`, or `https:` for TLS to the proxy; credentials in it become basic authentication there. */
  readonly url: string | URL
  /** Further headers of the CONNECT request, which the server does not see. */
  readonly headers?: HeadersInput
  /** For TLS to the proxy: passed to node:tls as it is. */
  readonly tls?: TlsOptions
}

/** A proxy, checked. */
export interface Proxy {
  /** The URL as errors show it: without credentials. */
  readonly shown: string
  readonly secure: boolean
  readonly hostname: string
  readonly port: number
  /** The lines of the CONNECT request after Host. */
  readonly headerLines: string
  readonly tls: TlsOptions | undefined
}

const CHECKS = {
  url: unchecked<string | URL>(),
  headers: unchecked<HeadersInput | undefined>(),
  tls: optionalObject<TlsOptions>('an object of node:tls options'),
} satisfies Checks<ProxyOptions>

/** Headers of CONNECT that the request has already. */
const RESERVED: ReadonlyMap<string, string> = new Map([['host', 'it follows from the url of connect']])

/**
 * Checks the option `proxy`.
 * @returns `'env'` for the environment, which is read for each connection
 * @throws TypeError or SyntaxError
 */
export function checkProxy(name: string, value: unknown): Proxy | 'env' | undefined {
  if (value === undefined || value === 'env') return value
  if (typeof value === 'string' || value instanceof URL) return readProxy(name, value, undefined, undefined)
  if (typeof value !== 'object' || value === null) {
    throw new TypeError(`${name} must be a URL, an object with a url, or 'env', not ${showValue(value)}`)
  }
  const { url, headers, tls } = readOptions(name, value as ProxyOptions, CHECKS, { prefix: `${name}.` })
  return readProxy(`${name}.url`, url, headers, tls)
}

function readProxy(
  name: string,
  url: string | URL,
  headers: HeadersInput | undefined,
  tls: TlsOptions | undefined,
): Proxy {
  const text = url instanceof URL ? url.href : url
  if (typeof text !== 'string')
    throw new TypeError(`${name} must be a string or a URL, not ${showValue(url)}`)
  const parsed = URL.canParse(text) ? new URL(text) : null
  const isHttp = parsed?.protocol === 'http:' || parsed?.protocol === 'https:'
  // The text may hold a password, wherever something in it is wrong.
  if (parsed === null || !isHttp) {
    throw new SyntaxError(`${name} must be a URL that starts with http:// or https://, not ${showUrl(text)}`)
  }
  if (`${parsed.pathname}${parsed.search}${parsed.hash}` !== '/') {
    throw new SyntaxError(`${name} must have no path, query or fragment, not ${showUrl(text)}`)
  }
  const secure = parsed.protocol === 'https:'
  const given = formatCallerHeaders(toHeaderPairs(headers), RESERVED)
  const authorization = basicAuthorization(parsed.username, parsed.password, name)
  const isAuthorizing = authorization !== undefined && !given.names.has('proxy-authorization')
  return {
    shown: `${parsed.protocol}//${parsed.host}`,
    secure,
    hostname: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? (secure ? 443 : 80) : Number(parsed.port),
    headerLines: `${isAuthorizing ? `Proxy-Authorization: ${authorization}\r\n` : ''}${given.lines}`,
    tls,
  }
}

/**
 * The proxy to use for a target, or undefined.
 * @throws SyntaxError for a variable of the environment that is not the URL of a proxy
 */
export function chooseProxy(proxy: Proxy | 'env' | undefined, target: Target): Proxy | undefined {
  if (proxy !== 'env') return proxy
  const found = proxyFromEnvironment(target, process.env)
  if (found === undefined) return undefined
  const { name, value } = found
  // Without a scheme it is http, for curl and for everybody else.
  return readProxy(
    `the environment variable ${name}`,
    /^[a-z][a-z\d+.-]*:\/\//i.test(value) ? value : `http://${value}`,
    undefined,
    undefined,
  )
}

/**
 * Opens a tunnel through a proxy (RFC 9110 section 9.3.6).
 * @returns the stream to the server, open and at rest, without TLS to the server
 * @throws HandshakeError, whose response is the proxy's, or the reason of a signal
 */
export async function openTunnel(
  proxy: Proxy,
  target: Target,
  net: NetOptions,
  maxHeaderBytes: number,
  signals: BodySignals,
): Promise<Duplex> {
  const { hostname, port, secure, headerLines, shown } = proxy
  const address = { ...net, host: hostname, port, noDelay: true, allowHalfOpen: true }
  const servername = isIP(hostname) === 0 ? { servername: hostname } : {}
  const duplex = secure
    ? connectTls({ ...address, ...servername, ALPNProtocols: ['http/1.1'], ...proxy.tls })
    : connectTcp(address)
  try {
    const authority = `${isIPv6(target.hostname) ? `[${target.hostname}]` : target.hostname}:${String(target.port)}`
    const request = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${headerLines}\r\n`
    const start = await exchange(duplex, request, maxHeaderBytes, signals.signal)
    const { status } = start.head
    if (status < 200 || status > 299) throw await refusal('HAWSER_PROXY_REFUSED', duplex, start, signals)
    // A proxy may join them to its answer; Content-Length and Transfer-Encoding mean nothing here.
    if (start.rest.length > 0) duplex.unshift(start.rest)
    return duplex
  } catch (error) {
    discard(duplex)
    if (error === signals.signal.reason)
      throw reasonOf(signals, `the proxy ${shown} opened no tunnel in time`)
    throw error instanceof HandshakeError ? withSubject(error, `the proxy ${shown}`) : error
  }
}
