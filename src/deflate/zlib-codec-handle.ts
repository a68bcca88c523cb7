/**
 * Kept zlib handles, used synchronously. node:zlib documents no way to push bytes through a stream at once and keep
 * the stream; what is used here, `_handle.writeSync` and `_writeState`, is undocumented. It is therefore tried out
 * before it is trusted (`handlesWork`), and `zlib-codec-public.ts` does the same work without it.
 */
import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib'
import type { DeflateRaw, InflateRaw, ZlibOptions } from 'node:zlib'
import { InvalidStateError } from '../errors.js'
import { TAIL_AND_FINAL_BLOCK, TAIL_AND_PROBE } from './engine.js'

/** What stands behind a stream of node:zlib, as far as it is used. */
interface NativeHandle {
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void
  reset(): void
  onerror: (message: string) => void
}

interface StreamInternals {
  readonly _handle: NativeHandle
  /** Pushes a chunk through at once, and closes the handle. */
  _processChunk(chunk: Uint8Array, flush: number): Uint8Array
  /** Set by each write: output bytes left, input bytes left. */
  readonly _writeState: Uint32Array
}

/** A call on a handle that was closed would end the process; on this one it throws. */
const CLOSED: NativeHandle = {
  writeSync: throwClosed,
  reset: throwClosed,
  onerror: ignore,
}

function throwClosed(): never {
  throw new InvalidStateError('this zlib handle is closed')
}

/** Does nothing: an error is told by `ZlibHandle.error`. */
export function ignore(): void {
  // Nothing.
}

/** A zlib stream whose native side is also used directly, and survives errors: they are noted, not emitted. */
export class ZlibHandle<Stream extends DeflateRaw | InflateRaw = DeflateRaw | InflateRaw> {
  readonly stream: Stream
  #native: NativeHandle
  readonly #state: Uint32Array
  /** What zlib said of the last write, where it failed. After that only `reset` and `close` are of use. */
  error: string | null = null
  /** Bytes that came out since the last reset: for an inflater, what the next bytes may refer to. */
  outputBytes = 0
  /** Called with `error`, when a write fails: the only sign of it where the write went through the stream. */
  onFailure: (error: string) => void = ignore

  /** @param stream fresh, for this handle alone */
  constructor(stream: Stream) {
    const { _handle: native, _writeState: state } = stream as unknown as StreamInternals
    this.stream = stream
    this.#native = native
    this.#state = state
    native.onerror = (message) => {
      this.error = message
      this.onFailure(message)
    }
    // Destroying a stream in mid-write may make it emit one.
    stream.on('error', ignore)
  }

  /** Runs bytes through zlib, at once. Offsets and lengths must lie inside their arrays. */
  write(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void {
    this.#native.writeSync(flush, input, inputOffset, inputLength, output, outputOffset, outputLength)
  }

  /** Bytes of the output that the last write left free. */
  get outputLeft(): number {
    return this.#state[0] as number
  }

  /** Bytes of the input that the last write left unread. */
  get inputLeft(): number {
    return this.#state[1] as number
  }

  /** Forgets context and error. */
  reset(): void {
    this.#native.reset()
    this.error = null
    this.outputBytes = 0
  }

  /** Frees the native side; where a write is under way on the thread pool, after it. Idempotent. */
  close(): void {
    this.#native = CLOSED
    this.onFailure = ignore
    this.stream.destroy()
  }
}

const { Z_SYNC_FLUSH, Z_FINISH, Z_BLOCK } = constants

const CHUNK_BYTES = 256

/** RFC 7692 sections 7.2.3.1 and 7.2.3.2: "Hello", and "Hello" again by the context of the first. */
const HELLO = Buffer.from([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])
const HELLO_AGAIN = Buffer.from([0xf2, 0x00, 0x11, 0x00, 0x00])

/** What is expected of the handles, on bytes known beforehand. */
function roundTripWorks(deflate: ZlibHandle, inflate: ZlibHandle): boolean {
  const output = Buffer.alloc(CHUNK_BYTES)
  const run = (handle: ZlibHandle, flush: number, input: Uint8Array): Buffer => {
    handle.write(flush, input, 0, input.length, output, 0, output.length)
    return Buffer.from(output.subarray(0, output.length - handle.outputLeft))
  }
  const text = Buffer.from('The quick brown fox jumps over the lazy dog')
  const alone = run(deflate, Z_SYNC_FLUSH, text)
  const byContext = run(deflate, Z_SYNC_FLUSH, text)
  deflate.reset()
  const keepsAndDropsContext =
    deflate.inputLeft === 0 &&
    byContext.length < alone.length &&
    run(deflate, Z_SYNC_FLUSH, text).equals(alone)

  const inflatesByContext =
    run(inflate, Z_SYNC_FLUSH, HELLO).toString() === 'Hello' &&
    run(inflate, Z_BLOCK, TAIL_AND_PROBE).length === 0 &&
    inflate.inputLeft === 1 &&
    run(inflate, Z_SYNC_FLUSH, HELLO_AGAIN).toString() === 'Hello'
  inflate.reset()
  const inflatesAlone =
    run(inflate, Z_SYNC_FLUSH, alone).equals(text) &&
    run(inflate, Z_FINISH, TAIL_AND_FINAL_BLOCK.subarray(4)).length === 0 &&
    inflate.inputLeft === 0 &&
    inflate.error === null
  inflate.reset()
  run(inflate, Z_SYNC_FLUSH, Buffer.of(0xff))
  const notesErrors = inflate.error !== null
  inflate.reset()
  const survivesErrors = run(inflate, Z_SYNC_FLUSH, HELLO).toString() === 'Hello' && inflate.error === null
  return keepsAndDropsContext && inflatesByContext && inflatesAlone && notesErrors && survivesErrors
}

/**
 * Native code checks its arguments by ending the process. So Node itself is watched calling `writeSync` before it is
 * called from here.
 */
function isCalledAsExpected(stream: DeflateRaw): boolean {
  const internals = stream as unknown as StreamInternals
  const native = internals._handle
  const text = Buffer.from('Hello')
  const calls: unknown[][] = []
  const writeSync = native.writeSync.bind(native)
  native.writeSync = (...args) => {
    calls.push(args)
    writeSync(...args)
  }
  const output = internals._processChunk(text, Z_SYNC_FLUSH)
  const [first = []] = calls
  const expected = [Z_SYNC_FLUSH, text, 0, text.length, first[4], 0, CHUNK_BYTES]
  return (
    first.length === expected.length &&
    expected.every((value, i) => value === first[i]) &&
    first[4] instanceof Uint8Array &&
    output.length > 0
  )
}

/**
 * Do kept handles do in this Node what is expected of them: the right bytes, context kept and dropped, errors noted
 * and survived?
 * @param streams how streams are made; another one in tests
 */
export function handlesWork(
  streams: {
    createDeflateRaw: (options: ZlibOptions) => DeflateRaw
    createInflateRaw: (options: ZlibOptions) => InflateRaw
  } = { createDeflateRaw, createInflateRaw },
): boolean {
  const options = { chunkSize: CHUNK_BYTES }
  const watched = streams.createDeflateRaw(options)
  const deflate = streams.createDeflateRaw(options)
  const inflate = streams.createInflateRaw(options)
  try {
    return isCalledAsExpected(watched) && roundTripWorks(new ZlibHandle(deflate), new ZlibHandle(inflate))
  } catch {
    return false
  } finally {
    for (const stream of [watched, deflate, inflate]) stream.destroy()
  }
}
