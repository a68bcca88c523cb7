/** Counts what node:zlib makes: a compressor and a decompressor hold much memory, so that their number matters. */
import zlib from 'node:zlib'

type Maker = 'createDeflateRaw' | 'createInflateRaw'

/**
 * Runs something, and notes the streams that are made by `maker` meanwhile.
 * @param run gets the streams that were made so far; may be asynchronous: they are noted until it ends
 */
export async function madeStreams<Name extends Maker>(
  maker: Name,
  run: (made: readonly ReturnType<(typeof zlib)[Name]>[]) => void | Promise<void>,
): Promise<ReturnType<(typeof zlib)[Name]>[]> {
  const make = zlib[maker] as (options?: zlib.ZlibOptions) => ReturnType<(typeof zlib)[Name]>
  const made: ReturnType<(typeof zlib)[Name]>[] = []
  const property = Object.getOwnPropertyDescriptor(zlib, maker) as PropertyDescriptor
  const value = (options?: zlib.ZlibOptions) => {
    const stream = make(options)
    made.push(stream)
    return stream
  }
  Object.defineProperty(zlib, maker, { ...property, value })
  try {
    await run(made)
  } finally {
    Object.defineProperty(zlib, maker, property)
  }
  return made
}
