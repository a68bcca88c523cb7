/** The functions that the caller gives to node:net and node:tls, which call them where what they throw would end the process. */
import type { LookupFunction } from 'node:net'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { isThenable, refusePromise, showValue } from '../check.js'
import { toError } from '../errors.js'

type Looked = Parameters<LookupFunction>[2]

/** What `lookup` throws or rejects with is its answer, and so is what node:net cannot do with its answer. */
export function containedLookup(given: LookupFunction): LookupFunction {
  const lookup: (...args: Parameters<LookupFunction>) => unknown = given
  return (host, options, done) => {
    let isOver = false
    const fail = (error: unknown): void => {
      if (isOver) return
      isOver = true
      done(toError(error), '')
    }
    const answer: Looked = (error, ...found) => {
      if (isOver) return
      try {
        done(error ? toError(error) : null, ...found)
        isOver = true
      } catch (refusal) {
        fail(refusal)
      }
    }
    try {
      const result = lookup(host, options, answer)
      if (isThenable(result)) Promise.resolve(result).catch(fail)
    } catch (error) {
      fail(error)
    }
  }
}

/** What `checkServerIdentity` throws is its answer, and so is that it answers anything but an Error or nothing. */
export function containedTls<T extends TlsOptions | undefined>(tls: T): T {
  const check: unknown = tls?.checkServerIdentity
  if (typeof check !== 'function') return tls
  const rule = 'tls.checkServerIdentity must return an Error or undefined'
  return {
    ...tls,
    checkServerIdentity: (...given: unknown[]): Error | undefined => {
      try {
        const answer: unknown = Reflect.apply(check, tls, given)
        if (answer === undefined || answer === null) return undefined
        refusePromise(answer, `${rule}, not a promise: it must not be async`)
        const error = toError(answer)
        return error === answer ? error : new TypeError(`${rule}, not ${showValue(answer)}`)
      } catch (error) {
        return toError(error)
      }
    },
  }
}
