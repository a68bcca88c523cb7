/** Options of other types than documented: what `ws` makes of them, and what it fails at. */
import { createDeflateRaw, createInflateRaw, type ZlibOptions } from 'node:zlib'
import type { PerMessageDeflateOptions } from './deflate-parameters.js'

/** A limit as `ws` takes it: by `| 0`, which reads text, cuts off fractions, and makes 0 of what is not a number. */
export const toLimit = (value: unknown): number => Number(value) | 0

/** A switch whose default is true, as `ws` takes it. */
export const isNotOff = (value: unknown): boolean => value === undefined || Boolean(value)

/** `ws` compares it with lengths, whatever it is. */
export function toThreshold(threshold: unknown): number | undefined {
  if (threshold === undefined) return undefined
  const bytes = Math.ceil(Number(threshold))
  return Number.isNaN(bytes) ? Infinity : Math.max(0, bytes)
}

/** What zlib took: the clients of a program have one object of options. */
const taken = new WeakSet()

const WAYS = { zlibDeflateOptions: createDeflateRaw, zlibInflateOptions: createInflateRaw } as const

/**
 * Lets zlib look at its options. `ws` does so at the first message that it compresses, where nobody catches what zlib throws.
 * @throws TypeError or RangeError of zlib, with the name of the option
 */
export function checkZlibOptions(perMessageDeflate: unknown): void {
  if (typeof perMessageDeflate !== 'object' || perMessageDeflate === null) return
  for (const name of ['zlibDeflateOptions', 'zlibInflateOptions'] as const) {
    const given: unknown = (perMessageDeflate as Record<string, unknown>)[name]
    if (typeof given !== 'object' || given === null || taken.has(given)) continue
    try {
      WAYS[name]({ ...given, windowBits: 15 }).close()
    } catch (error) {
      const { message } = error as Error
      throw Object.assign(error as Error, {
        message: message.replace('options.', `perMessageDeflate.${name}.`),
      })
    }
    taken.add(given)
  }
}

/** How well to compress, for the engine, as zlib takes it: by whole numbers; NaN is its default. */
export function zlibLevels({
  zlibDeflateOptions,
}: PerMessageDeflateOptions): Pick<ZlibOptions, 'level' | 'memLevel'> {
  const { level, memLevel } = zlibDeflateOptions ?? {}
  const whole = (value: number | undefined): number | undefined =>
    value === undefined || Number.isNaN(value) ? undefined : Math.trunc(value)
  return { level: whole(level), memLevel: whole(memLevel) }
}
