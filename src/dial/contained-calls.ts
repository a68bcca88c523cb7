/** The functions that the caller gives to node:net and node:tls, which call them where what they throw would end the process. */
import type { LookupFunction } from 'node:net'
import { connect, type ConnectionOptions as TlsOptions, type TLSSocket } from 'node:tls'
import { isThenable, refusePromise, showValue } from '../check.js'
import { toError } from '../errors.js'

type Looked = Parameters<LookupFunction>[2]

const isEntry = (value: unknown): boolean =>
  typeof (value as { readonly address?: unknown } | null | undefined)?.address === 'string'

/** Whether `lookup` found what node:net asks for: an address, or with the option `all` a list of them. */
const isFound = (value: unknown, all: boolean): boolean =>
  all ? Array.isArray(value) && value.length > 0 && value.every(isEntry) : typeof value === 'string'

/** What `lookup` throws or rejects with is its answer; it answers by its callback, with addresses. */
export function containedLookup(given: LookupFunction): LookupFunction {
  const lookup: (...args: Parameters<LookupFunction>) => unknown = given
  return (host, options, done) => {
    let isOver = false
    const fail = (error: unknown): void => {
      if (isOver) return
      isOver = true
      done(toError(error), '')
    }
    const answer: Looked = (error, address, family) => {
      if (isOver) return
      if (error) fail(error)
      else if (!isFound(address, options.all === true)) {
        const wanted =
          options.all === true ? 'a list of { address, family }, since options.all is true' : 'an address'
        const shown = Array.isArray(address) && address.length === 0 ? 'an empty one' : showValue(address)
        fail(new TypeError(`lookup must call back with ${wanted}, not ${shown}`))
      } else {
        isOver = true
        done(null, address, family)
      }
    }
    // As dns.promises.lookup does it. Other things that are returned are those of dns.lookup, which calls back.
    const returned = (value: unknown): void => {
      if (typeof value === 'string' || isEntry(value) || Array.isArray(value)) {
        fail(new TypeError(`lookup must call back with an address: it returned ${showValue(value)}`))
      }
    }
    try {
      const result = lookup(host, options, answer)
      if (isThenable(result)) Promise.resolve(result).then(returned, fail)
      else returned(result)
    } catch (error) {
      fail(error)
    }
  }
}

const RULE = 'tls.checkServerIdentity must return an Error or undefined'

/**
 * The options of a TLS connection whose `checkServerIdentity` does not end the process.
 * @param failed gets what it throws, and a TypeError where it answers anything but an Error or nothing: the connection must end, also
 *   where `rejectUnauthorized` is false, with which node:tls takes no notice of an answer
 */
export function containedTls<T extends TlsOptions>(tls: T, failed: (error: Error) => void): T {
  const check: unknown = tls.checkServerIdentity
  if (typeof check !== 'function') return tls
  const ask = (given: readonly unknown[]): Error | undefined => {
    const answer: unknown = Reflect.apply(check, tls, given)
    if (answer === undefined || answer === null) return undefined
    refusePromise(answer, `${RULE}, not a promise: it must not be async`)
    const error = toError(answer)
    if (error === answer) return error
    throw new TypeError(`${RULE}, not ${showValue(answer)}`)
  }
  return {
    ...tls,
    checkServerIdentity: (...given: unknown[]): Error | undefined => {
      try {
        return ask(given)
      } catch (thrown) {
        const error = toError(thrown)
        failed(error)
        return error
      }
    },
  }
}

/** As `connect` of node:tls, with {@link containedTls}. */
export function connectTls(options: TlsOptions): TLSSocket {
  const socket: TLSSocket = connect(
    containedTls(options, (error) => {
      socket.destroy(error)
    }),
  )
  return socket
}
