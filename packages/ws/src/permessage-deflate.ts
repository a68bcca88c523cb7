/**
 * The class PerMessageDeflate of `ws` (RFC 7692). It stands by itself: connections of this package compress with the engine's
 * codec. It takes any options of node:zlib, and gives every frame of a message by itself, so it runs documented streams; the
 * queue before the thread pool is the engine's.
 */
import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib'
import type { DeflateRaw, InflateRaw } from 'node:zlib'
import { JobQueue } from '../../../src/deflate/jobs.js'
import { toLimit } from './coerce.js'
import {
  acceptAnswer,
  acceptOffers,
  makeOffer,
  normalize,
  type DeflateParameters,
  type PerMessageDeflateOptions,
} from './deflate-parameters.js'
import { STATUS_CODE } from './errors.js'
import type { ExtensionParameters } from './extension.js'
import { FlushedStream } from './flushed-stream.js'

export type { PerMessageDeflateOptions }

/** Called once, with the bytes or the error. */
export type DeflateCallback = (error: Error | null, data?: Buffer) => void

/** What a flush ends with, and a message does not (RFC 7692 section 7.2.1). */
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff])
const DEFAULT_THRESHOLD_BYTES = 1024
const DEFAULT_CONCURRENCY = 10

let jobs: JobQueue | null = null

/** A call that has not called back. */
interface Job {
  /** Ends the call with an error, where it has not ended. */
  abort(error: Error): void
}

/** permessage-deflate for one connection. */
export class PerMessageDeflate {
  /** The name of the extension in Sec-WebSocket-Extensions. */
  static readonly extensionName = 'permessage-deflate'

  readonly _options: PerMessageDeflateOptions
  readonly _threshold: number
  readonly _maxPayload: number
  readonly _isServer: boolean
  /** What both ends agreed on; null before {@link accept}. */
  params: DeflateParameters | null = null
  #deflater: FlushedStream<DeflateRaw> | null = null
  #inflater: FlushedStream<InflateRaw> | null = null
  readonly #pending = new Set<Job>()

  constructor(options: PerMessageDeflateOptions = {}) {
    this._options = options
    const { threshold = DEFAULT_THRESHOLD_BYTES } = options
    this._threshold = threshold
    this._maxPayload = toLimit(options.maxPayload)
    this._isServer = Boolean(options.isServer)
    // All instances share the thread pool, and so the queue before it.
    jobs ??= new JobQueue(options.concurrencyLimit ?? DEFAULT_CONCURRENCY)
  }

  /** The stream that compresses; null before the first message. */
  get _deflate(): DeflateRaw | null {
    return this.#deflater?.stream ?? null
  }

  /** The stream that inflates; null before the first message. */
  get _inflate(): InflateRaw | null {
    return this.#inflater?.stream ?? null
  }

  /** The parameters of a client's offer. */
  offer(): DeflateParameters {
    return makeOffer(this._options)
  }

  /**
   * Chooses among a client's offers, or takes a server's answer.
   * @param configurations the parameters of each, as `extension.parse` gives them
   * @returns what both ends keep to
   * @throws TypeError or Error for parameters that are wrong or that the options do not allow
   */
  accept(configurations: readonly ExtensionParameters[]): DeflateParameters {
    const offers = configurations.map((offer) => normalize(offer, this._isServer))
    this.params = this._isServer
      ? acceptOffers(offers, this._options)
      : acceptAnswer(offers[0], this._options)
    return this.params
  }

  /** Frees compressor and decompressor. Calls that have not called back get an error. */
  cleanup(): void {
    this.#inflater?.close()
    this.#inflater = null
    this.#deflater?.close()
    this.#deflater = null
    for (const job of [...this.#pending]) {
      job.abort(new Error('The deflate stream was closed while data was being processed'))
    }
  }

  /**
   * Inflates the payload of a frame.
   * @param fin whether it is the last of its message
   */
  decompress(data: Uint8Array, fin: boolean, callback: DeflateCallback): void {
    this.#add(callback, (done) => this.#decompress(data, fin, done))
  }

  /**
   * Compresses the payload of a frame. Calls may overlap: the results are in their order.
   * @param fin whether it is the last of its message
   */
  compress(data: Uint8Array | string, fin: boolean, callback: DeflateCallback): void {
    this.#add(callback, (done) => this.#compress(data, fin, done))
  }

  /**
   * Starts work once there is a place for it. `done` and `abort` call back once, and give the place to others.
   * @throws what zlib throws at once, for options or data that it does not take
   */
  #add(callback: DeflateCallback, start: (done: DeflateCallback) => void): void {
    let finish: (() => boolean) | null = null
    let isDone = false
    /** Whether this was the first call. */
    const end = (): boolean => {
      if (isDone) return false
      isDone = true
      this.#pending.delete(job)
      finish?.()
      return true
    }
    const done: DeflateCallback = (error, data) => {
      if (!end()) return
      if (error === null) callback(null, data)
      else callback(error)
    }
    const job: Job = {
      abort: (error) => {
        if (finish === null) cancel()
        done(error)
      },
    }
    let isLater = false
    this.#pending.add(job)
    const cancel = (jobs as JobQueue).add((finished) => {
      finish = finished
      try {
        start(done)
      } catch (thrown) {
        if (isLater) {
          done(thrown as Error)
        } else {
          end()
          throw thrown
        }
      }
    })
    isLater = true
  }

  /** The parameters of one direction. */
  #agreed(role: 'client' | 'server'): { windowBits: number; keepsContext: boolean } {
    const params = this.params ?? {}
    const bits = params[`${role}_max_window_bits`]
    return {
      windowBits: typeof bits === 'number' ? bits : constants.Z_DEFAULT_WINDOWBITS,
      keepsContext: params[`${role}_no_context_takeover`] !== true,
    }
  }

  #compress(data: Uint8Array | string, fin: boolean, done: DeflateCallback): void {
    const { windowBits, keepsContext } = this.#agreed(this._isServer ? 'server' : 'client')
    const deflater = (this.#deflater ??= new FlushedStream(
      createDeflateRaw({ ...this._options.zlibDeflateOptions, windowBits }),
      0,
    ))
    deflater.run([data], (error, bytes) => {
      if (error !== null) {
        if (this.#deflater === deflater) this.#deflater = null
        done(error)
        return
      }
      if (fin && !keepsContext) deflater.stream.reset()
      done(null, fin ? bytes.subarray(0, bytes.length - TAIL.length) : bytes)
    })
  }

  #decompress(data: Uint8Array, fin: boolean, done: DeflateCallback): void {
    const { windowBits, keepsContext } = this.#agreed(this._isServer ? 'client' : 'server')
    const inflater = (this.#inflater ??= new FlushedStream(
      createInflateRaw({ ...this._options.zlibInflateOptions, windowBits }),
      this._maxPayload,
    ))
    inflater.run(fin ? [data, TAIL] : [data], (error, bytes) => {
      // After a final block (RFC 7692 section 7.2.1) zlib takes no more: the next message needs another stream.
      const isOver = error !== null || inflater.stream.readableEnded
      if (isOver && this.#inflater === inflater) {
        this.#inflater = null
        inflater.close()
      }
      if (error !== null) {
        // What zlib does not take is what a message must not hold.
        done(STATUS_CODE in error ? error : Object.assign(error, { [STATUS_CODE]: 1007 }))
        return
      }
      if (!isOver && fin && !keepsContext) inflater.stream.reset()
      done(null, bytes)
    })
  }
}
