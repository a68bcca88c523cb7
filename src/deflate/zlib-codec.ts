/** permessage-deflate over node:zlib: one codec for each connection, and what the codecs of one server share. */
import { InvalidStateError } from '../errors.js'
import { checkNumber, showValue } from '../limits.js'
import { canUseZlibHandles } from '../native/zlib-handle.js'
import type { CodecFactory, InflateResult, MessageCodec, SharedDeflate } from './codec.js'
import { Borrower, ContextPool } from './context-pool.js'
import { compressorBits, contextBytes, inflaterBytes, NO_HISTORY } from './engine.js'
import type { Cancel, Deflater, DeflateParameters, ZlibEngine } from './engine.js'
import { JobQueue, MAX_JOBS } from './job-queue.js'
import type { AgreedParameters } from './negotiation.js'
import type { ResolvedDeflateOptions } from './options.js'
import { PeerContext, type SharedInflation } from './peer-context.js'
import { sharedDeflateOf } from './shared-deflate.js'
import { HandleEngine } from './zlib-codec-kept.js'
import { PublicEngine } from './zlib-codec-public.js'

/**
 * The way to use zlib.
 * @param canKeepHandles from `canUseZlibHandles`
 */
export function createEngine(canKeepHandles: boolean): ZlibEngine {
  return canKeepHandles ? new HandleEngine() : new PublicEngine()
}

let engineOfThisNode: ZlibEngine | null = null

/** Tried out once, with the first factory: the answer does not change while the process lives. */
function defaultEngine(): ZlibEngine {
  engineOfThisNode ??= createEngine(canUseZlibHandles())
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

/** The context of what one connection sends. */
class OwnContext extends Borrower<Deflater> {
  receive(deflater: Deflater): void {
    deflater.dropContext()
  }

  giveUp(): void {
    // A sender may drop its context before any message.
  }
}

/** What the codecs of one factory have in common. */
interface Shared {
  readonly config: ResolvedDeflateOptions
  readonly engine: ZlibEngine
  /** Compressors to lend; null: none. */
  readonly pool: ContextPool<Deflater> | null
  readonly inflation: SharedInflation
  /** The connection is over. */
  readonly leave: () => void
}

class ZlibCodec implements MessageCodec {
  readonly #shared: Shared
  readonly #parameters: DeflateParameters
  readonly #sharedDeflate: SharedDeflate
  /** null: no context can be lent to this connection. */
  readonly #ownContext: OwnContext | null
  /** The window of the peer's compressor; 0: the peer compresses each message by itself. */
  readonly #peerBits: number
  /** Made with the first compressed message that needs it. */
  #peerContext: PeerContext | null = null
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
    const windowBits = compressorBits(ownBits)
    this.#shared = shared
    this.#parameters = { windowBits, level: config.level, memLevel: config.memLevel }
    this.#sharedDeflate = sharedDeflateOf(engine, this.#parameters, JOBS)
    this.#ownContext = ownTakeover && shared.pool !== null ? new OwnContext(windowBits) : null
    this.#peerBits = peerTakeover ? peerBits : 0
  }

  get sharedDeflate(): SharedDeflate {
    return this.#sharedDeflate
  }

  worthSharing(byteLength: number): boolean {
    return byteLength >= this.#shared.config.thresholdBytes
  }

  worthDeflating(byteLength: number): boolean {
    const { thresholdBytes, contextThresholdBytes } = this.#shared.config
    if (byteLength >= thresholdBytes) return true
    if (byteLength < contextThresholdBytes || this.#isClosed) return false
    return this.#touch()
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
    // Shorter ones were counted by worthDeflating.
    if (message.length >= this.#shared.config.thresholdBytes) this.#touch()
    const lent = this.#ownContext === null ? null : this.#ownContext.lent
    return lent === null ? this.#sharedDeflate.deflate(message) : lent.deflate(message, true)
  }

  inflate(message: Uint8Array, maxBytes: number): InflateResult {
    checkMessage(message)
    checkMaxBytes(maxBytes)
    this.#checkFree(this.#inflateJob, 'inflateAsync')
    if (this.#peerBits !== 0) return this.#contextOfPeer().inflate(message, maxBytes)
    return this.#shared.engine.inflate(message, maxBytes, NO_HISTORY)
  }

  deflateAsync(message: Uint8Array, done: (result: Uint8Array | null) => void): void {
    checkMessage(message)
    this.#checkFree(this.#deflateJob, 'deflateAsync')
    this.#deflateJob = JOBS.add((finished) =>
      this.#shared.engine.deflateAsync(message, this.#parameters, (result) => {
        finished()
        if (this.#isClosed) return
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
    const { engine } = this.#shared
    const context = this.#peerBits === 0 ? null : this.#contextOfPeer()
    const history = context === null ? NO_HISTORY : context.takeHistory()
    this.#inflateJob = JOBS.add((finished) =>
      engine.inflateAsync(message, maxBytes, history, (result, reachBytes) => {
        finished()
        if (this.#isClosed) return
        this.#inflateJob = null
        if (context !== null) context.remember(result, reachBytes)
        done(result)
      }),
    )
  }

  dropDeflateContext(): void {
    this.#ownContext?.lent?.dropContext()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#deflateJob?.()
    this.#inflateJob?.()
    if (this.#ownContext !== null) this.#shared.pool?.release(this.#ownContext)
    this.#peerContext?.close()
    this.#shared.leave()
  }

  #contextOfPeer(): PeerContext {
    this.#peerContext ??= new PeerContext(this.#shared.inflation, this.#peerBits)
    return this.#peerContext
  }

  /** A message goes out. @returns is a context lent to this connection? */
  #touch(): boolean {
    const { pool } = this.#shared
    return this.#ownContext !== null && pool?.touch(this.#ownContext) === true
  }

  #checkFree(job: Cancel | null, name: string): void {
    if (this.#isClosed) throw new InvalidStateError('the codec is closed')
    if (job !== null) throw new InvalidStateError(`${name} has not called done yet`)
  }
}

/**
 * Makes the codecs of one server, or of one client. They share a pool of compressors and one of decompressors, bounded
 * by `maxSharedContextBytes` and `maxSharedInflaterBytes`, which are freed when the last codec is closed.
 * @param config from `resolveDeflateOptions`
 * @param engine the way zlib is used; for tests. Default: kept handles where they work, else the documented calls
 */
export function createCodecFactory(
  config: ResolvedDeflateOptions,
  engine: ZlibEngine = defaultEngine(),
): CodecFactory {
  const { level, memLevel, maxSharedContextBytes, maxSharedInflaterBytes } = config
  const { lender } = engine
  const pool =
    lender &&
    new ContextPool(
      maxSharedContextBytes,
      (windowBits) => contextBytes({ windowBits, level, memLevel }),
      (windowBits) => lender.createDeflater({ windowBits, level, memLevel }),
    )
  const inflaters =
    lender &&
    new ContextPool(maxSharedInflaterBytes, inflaterBytes, (windowBits) => lender.createInflater(windowBits))
  const inflation: SharedInflation = { engine, pool: inflaters, historyBytes: 0 }
  let openCodecs = 0
  const leave = (): void => {
    if (--openCodecs > 0) return
    pool?.clear()
    inflaters?.clear()
  }
  return {
    createCodec(agreed) {
      openCodecs++
      return new ZlibCodec({ config, engine, pool, inflation, leave }, agreed)
    },
    get sharedContextBytes() {
      return pool === null ? 0 : pool.bytes
    },
    get sharedInflaterBytes() {
      return inflaters === null ? 0 : inflaters.bytes
    },
    get inflateHistoryBytes() {
      return inflation.historyBytes
    },
    get hasRoomForContexts() {
      return inflation.historyBytes < config.maxInflateHistoryBytes
    },
  }
}
