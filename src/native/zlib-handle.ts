/**
 * The native side of a zlib stream, used synchronously. node:zlib documents no way to push bytes through a stream at once
 * and keep the stream; what is used here, `_handle.writeSync` and `_writeState`, is undocumented. It is tried out before
 * it is trusted (`zlibHandlesWork`); without it deflate works by documented calls alone.
 */
import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib'
import type { DeflateRaw, InflateRaw, ZlibOptions } from 'node:zlib'
import { InvalidStateError } from '../errors.js'
import { isNativeOn } from './native-switch.js'

/** What stands behind a stream of node:zlib, as far as it is used. */
interface NativeHandle {
  writeSync: ZlibHandle['write']
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

/** A call on a closed handle would end the process; a call on this one throws. */
const CLOSED: NativeHandle = {
  writeSync: throwClosed,
  reset: throwClosed,
  onerror: ignore,
}

function throwClosed(): never {
  throw new InvalidStateError('this zlib handle is closed')
}

/** Does nothing: `ZlibHandle.error` has the error. */
function ignore(): void {
  // Nothing.
}

/** A zlib stream whose native side is used directly. It survives errors: they are noted, not emitted. */
export class ZlibHandle<Stream extends DeflateRaw | InflateRaw = DeflateRaw | InflateRaw> {
  readonly stream: Stream
  #native: NativeHandle
  readonly #state: Uint32Array
  /** The message of zlib where the last write failed. After that only `reset` and `close` are of use. */
  error: string | null = null
  /** Bytes produced since the last reset, as the user counts them: what the next input of an inflater may refer to. */
  outputBytes = 0
  /** Called with `error` when a write fails: the only sign of it where the write went through the stream. */
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
    // A stream that is destroyed during a write may emit one.
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

/** The end of a flush (RFC 7692 section 7.2.1), and one byte that is left unread when zlib stops at the end of a block. */
const FLUSH_END_AND_PROBE = Uint8Array.of(0x00, 0x00, 0xff, 0xff, 0x00)

/** RFC 1951 section 3.2.4: an empty stored block, the last one. */
const FINAL_BLOCK = Uint8Array.of(0x01, 0x00, 0x00, 0xff, 0xff)

/** Compares what the handles do with what is expected, on known bytes. */
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
    run(inflate, Z_BLOCK, FLUSH_END_AND_PROBE).length === 0 &&
    inflate.inputLeft === 1 &&
    run(inflate, Z_SYNC_FLUSH, HELLO_AGAIN).toString() === 'Hello'
  inflate.reset()
  const inflatesAlone =
    run(inflate, Z_SYNC_FLUSH, alone).equals(text) &&
    run(inflate, Z_FINISH, FINAL_BLOCK).length === 0 &&
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
 * Native code that is called with wrong arguments ends the process. So `writeSync` is called from here only after Node
 * itself was seen to call it with the same arguments.
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
 * Tries the handles of this Node: the right bytes, context kept and dropped, errors noted and survived.
 * @param streams how streams are made; tests give others
 */
export function zlibHandlesWork(
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

let canUse: boolean | undefined

/** Whether {@link ZlibHandle} may be used in this process: the room is on, and the handles work. Found out once. */
export function canUseZlibHandles(): boolean {
  canUse ??= isNativeOn && zlibHandlesWork()
  return canUse
}
