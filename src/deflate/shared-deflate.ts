/** Compressors for messages that stand by themselves: one of each shape serves all connections of the process. */
import type { SharedDeflate } from './codec.js'
import type { Cancel, Deflater, DeflateParameters, ZlibEngine } from './engine.js'
import type { JobQueue } from './job-queue.js'

class ShapedDeflate implements SharedDeflate {
  readonly #engine: ZlibEngine
  readonly #parameters: DeflateParameters
  readonly #jobs: JobQueue
  readonly #deflater: Deflater

  constructor(engine: ZlibEngine, parameters: DeflateParameters, jobs: JobQueue) {
    this.#engine = engine
    this.#parameters = parameters
    this.#jobs = jobs
    this.#deflater = engine.createDeflater(parameters)
  }

  deflate(message: Uint8Array): Uint8Array | null {
    return this.#deflater.deflate(message, false)
  }

  deflateAsync(message: Uint8Array, done: (result: Uint8Array | null) => void): Cancel {
    let isCancelled = false
    const cancel = this.#jobs.add((finished) =>
      this.#engine.deflateAsync(message, this.#parameters, (result) => {
        finished()
        if (!isCancelled) done(result)
      }),
    )
    return () => {
      isCancelled = true
      cancel()
    }
  }
}

const byEngine = new WeakMap<ZlibEngine, Map<string, SharedDeflate>>()

/** The same for the same parameters: by this, what goes to many is compressed once. */
export function sharedDeflateOf(
  engine: ZlibEngine,
  parameters: DeflateParameters,
  jobs: JobQueue,
): SharedDeflate {
  let shapes = byEngine.get(engine)
  if (shapes === undefined) byEngine.set(engine, (shapes = new Map<string, SharedDeflate>()))
  const { windowBits, level, memLevel } = parameters
  const shape = [windowBits, level, memLevel].join()
  let shared = shapes.get(shape)
  if (shared === undefined) shapes.set(shape, (shared = new ShapedDeflate(engine, parameters, jobs)))
  return shared
}
