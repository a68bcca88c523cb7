import { constants, type DeflateRaw, type InflateRaw } from 'node:zlib'
import { receivedError, type ReceivedError } from './errors.js'

/** Called with what was made of the bytes; with an error, and nothing, where they are of no use to zlib. */
type RunCallback = (error: Error | null, bytes: Buffer) => void

const EMPTY: Buffer = Buffer.alloc(0)

/** A message has more bytes than `maxPayload`. */
export function messageTooBig(): ReceivedError {
  return receivedError('WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 1009, 'Max payload size exceeded')
}

/** A stream of node:zlib that gives what it makes of some bytes at each flush. */
export class FlushedStream<Stream extends DeflateRaw | InflateRaw> {
  readonly stream: Stream
  readonly #maxBytes: number
  #chunks: Buffer[] = []
  #bytes = 0
  /** Of the runs that have not ended, in their order. */
  #callbacks: RunCallback[] = []
  #isClosed = false

  /**
   * @param stream this object's own
   * @param maxBytes the most that one run may make; 0: no limit
   */
  constructor(stream: Stream, maxBytes: number) {
    this.stream = stream
    this.#maxBytes = maxBytes
    stream.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length
      if (this.#maxBytes >= 1 && this.#bytes > this.#maxBytes) {
        this.#fail(messageTooBig())
      } else if (!this.#isClosed) {
        this.#chunks.push(chunk)
      }
    })
    stream.on('error', (error: Error) => this.#fail(error))
  }

  /**
   * Runs bytes through the stream. Runs may overlap: their results are in their order.
   * @param callback called once, with memory that is its own; never after {@link close}
   */
  run(parts: readonly (Uint8Array | string)[], callback: RunCallback): void {
    this.#callbacks.push(callback)
    for (const part of parts) this.stream.write(part)
    this.stream.flush(constants.Z_SYNC_FLUSH, () => {
      if (this.#isClosed) return
      const bytes = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks)
      this.#chunks = []
      this.#bytes = 0
      this.#callbacks.shift()?.(null, bytes)
    })
  }

  /** Frees the stream. No callback is called any more. Idempotent. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#chunks = []
    this.stream.close()
  }

  #fail(error: Error): void {
    if (this.#isClosed) return
    this.close()
    for (const callback of this.#callbacks) callback(error, EMPTY)
  }
}
