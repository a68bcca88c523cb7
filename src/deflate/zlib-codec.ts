/** permessage-deflate over node:zlib: one codec for each connection, and what the codecs of one server share. */
import { InvalidStateError } from '../errors.js'
import { checkNumber, showValue } from '../limits.js'
import type { CodecFactory, InflateResult, MessageCodec, SharedDeflate } from './codec.js'
import { Borrower, ContextPool } from './context-pool.js'
import { compressorBits } from './engine.js'
import type { Cancel, Deflater, DeflateParameters, Inflater, ZlibEngine } from './engine.js'
import { JobQueue, MAX_JOBS } from './job-queue.js'
import type { AgreedParameters } from './negotiation.js'
import type { ResolvedDeflateOptions } from './options.js'
import { handlesWork } from './zlib-codec-handle.js'
import { HandleEngine } from './zlib-codec-kept.js'
import { PublicEngine } from './zlib-codec-public.js'

/**
 * The way to use zlib.
 * @param canKeepHandles from `handlesWork`
 */
export function createEngine(canKeepHandles: boolean): ZlibEngine {
  return canKeepHandles ? new HandleEngine() : new PublicEngine()
}

let engineOfThisNode: ZlibEngine | null = null

/** Tried out once, with the first factory: the answer does not change while the process lives. */
function defaultEngine(): ZlibEngine {
  engineOfThisNode ??= createEngine(handlesWork())
  return engineOfThisNode
}

/** The thread pool is the process's, and so is the queue before it. */
const JOBS = new JobQueue(MAX_JOBS)

/** An empty stored block less its tail: an empty message (RFC 7692 section 7.2.3.6). */
const EMPTY_MESSAGE_OCTET = 0x00

function checkMessage(message: Uint8Array): void {
  // zlib's native side ends the process when given anything else.
  if (!(message instanceof Uint8Array)) {
    throw new TypeError(`message must be a Uint8Array, not ${showValue(message)}`)
  }
}

function checkMaxBytes(maxBytes: number): void {
  if (!(Number.isInteger(maxBytes) && maxBytes >= 0)) {
    checkNumber('maxBytes', maxBytes, { min: 0, integer: true })
  }
}

/** What the codecs of one factory have in common. */
interface Shared {
  readonly config: ResolvedDeflateOptions
  readonly engine: ZlibEngine
  readonly pool: ContextPool
  /** The connection is over. */
  readonly leave: () => void
}

class ZlibCodec implements MessageCodec {
  readonly #shared: Shared
  readonly #parameters: DeflateParameters
  readonly #sharedDeflater: Deflater
  /** null: no context can be lent to this connection. */
  readonly #borrower: Borrower | null
  readonly #inflater: Inflater
  readonly #ownsInflater: boolean
  #deflateJob: Cancel | null = null
  #inflateJob: Cancel | null = null
  #isClosed = false

  constructor(shared: Shared, agreed: AgreedParameters) {
    const { config, engine } = shared
    const isServer = config.role === 'server'
    const ownTakeover = !(isServer ? agreed.serverNoContextTakeover : agreed.clientNoContextTakeover)
    const peerTakeover = !(isServer ? agreed.clientNoContextTakeover : agreed.serverNoContextTakeover)
    const ownBits = isServer ? agreed.serverMaxWindowBits : agreed.clientMaxWindowBits
    const peerBits = isServer ? agreed.clientMaxWindowBits : agreed.serverMaxWindowBits
    this.#shared = shared
    this.#parameters = {
      windowBits: compressorBits(ownBits),
      level: config.level,
      memLevel: config.memLevel,
    }
    this.#sharedDeflater = engine.sharedDeflater(this.#parameters)
    this.#borrower = ownTakeover && engine.keepsDeflateContext ? new Borrower(this.#parameters) : null
    this.#ownsInflater = peerTakeover
    this.#inflater = peerTakeover ? engine.createInflater(peerBits) : engine.sharedInflater
  }

  get sharedDeflate(): SharedDeflate {
    return this.#sharedDeflater
  }

  worthSharing(byteLength: number): boolean {
    return byteLength >= this.#shared.config.thresholdBytes
  }

  worthDeflating(byteLength: number): boolean {
    const { thresholdBytes, contextThresholdBytes } = this.#shared.config
    if (byteLength >= thresholdBytes) return true
    if (byteLength < contextThresholdBytes || this.#borrower === null || this.#isClosed) return false
    return this.#shared.pool.touch(this.#borrower)
  }

  prefersAsyncDeflate(byteLength: number): boolean {
    return byteLength > this.#shared.config.asyncThresholdBytes
  }

  prefersAsyncInflate(byteLength: number): boolean {
    return byteLength > this.#shared.config.asyncThresholdBytes
  }

  deflate(message: Uint8Array): Uint8Array | null {
    checkMessage(message)
    this.#checkFree(this.#deflateJob, 'deflateAsync')
    if (message.length === 0) return Buffer.of(EMPTY_MESSAGE_OCTET)
    const borrower = this.#borrower
    // Shorter ones were counted by worthDeflating.
    if (borrower !== null && message.length >= this.#shared.config.thresholdBytes)
      this.#shared.pool.touch(borrower)
    const lent = borrower === null ? null : borrower.deflater
    return lent === null ? this.#sharedDeflater.deflate(message, false) : lent.deflate(message, true)
  }

  inflate(message: Uint8Array, maxBytes: number): InflateResult {
    checkMessage(message)
    checkMaxBytes(maxBytes)
    this.#checkFree(this.#inflateJob, 'inflateAsync')
    return this.#inflater.inflate(message, maxBytes)
  }

  deflateAsync(message: Uint8Array, done: (result: Uint8Array | null) => void): void {
    checkMessage(message)
    this.#checkFree(this.#deflateJob, 'deflateAsync')
    this.#deflateJob = JOBS.add((finished) =>
      this.#shared.engine.deflateAsync(message, this.#parameters, (result) => {
        finished()
        this.#deflateJob = null
        // It was compressed by itself: what the context lent knows is no longer what the peer's inflater knows.
        if (result !== null) this.dropDeflateContext()
        done(result)
      }),
    )
  }

  inflateAsync(message: Uint8Array, maxBytes: number, done: (result: InflateResult) => void): void {
    checkMessage(message)
    checkMaxBytes(maxBytes)
    this.#checkFree(this.#inflateJob, 'inflateAsync')
    this.#inflateJob = JOBS.add((finished) =>
      this.#inflater.inflateAsync(message, maxBytes, (result) => {
        finished()
        this.#inflateJob = null
        done(result)
      }),
    )
  }

  dropDeflateContext(): void {
    this.#borrower?.deflater?.dropContext()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#deflateJob?.()
    this.#inflateJob?.()
    if (this.#ownsInflater) this.#inflater.close()
    if (this.#borrower !== null) this.#shared.pool.release(this.#borrower)
    this.#shared.leave()
  }

  #checkFree(job: Cancel | null, name: string): void {
    if (this.#isClosed) throw new InvalidStateError('the codec is closed')
    if (job !== null) throw new InvalidStateError(`${name} has not called done yet`)
  }
}

/**
 * Makes the codecs of one server, or of one client. They share a pool of compression contexts, bounded by
 * `maxSharedContextBytes`, which is freed when the last of them is closed.
 * @param config from `resolveDeflateOptions`
 * @param engine the way zlib is used; for tests. Default: kept handles where they work, else the documented calls
 */
export function createCodecFactory(
  config: ResolvedDeflateOptions,
  engine: ZlibEngine = defaultEngine(),
): CodecFactory {
  const pool = new ContextPool(config.maxSharedContextBytes, (parameters) =>
    engine.createDeflater(parameters),
  )
  let openCodecs = 0
  const leave = (): void => {
    if (--openCodecs === 0) pool.clear()
  }
  return {
    createCodec(agreed) {
      openCodecs++
      return new ZlibCodec({ config, engine, pool, leave }, agreed)
    },
    get sharedContextBytes() {
      return pool.bytes
    },
  }
}
