import { ReadableStream, WritableStream } from 'node:stream/web'
import type { ReadableStreamDefaultController } from 'node:stream/web'
import type { ClientSocket } from '../client/client-socket.js'
import { ReadyState } from '../connection/ready-state.js'
import { ownBytes } from './own-bytes.js'
import { bytesOf, toUSVString } from './web-idl.js'
import { write } from './write.js'

/** What the writable of a WebSocketStream takes. */
export type StreamInput = string | ArrayBuffer | ArrayBufferView
/** What its readable gives. */
export type StreamOutput = string | Uint8Array<ArrayBuffer>

/** What a chunk in the readable counts besides its content. */
const CHUNK_OVERHEAD_BYTES = 64

/** Its types lack `signal`, which Node has since 18. */
interface WritableStreamDefaultController {
  readonly signal: AbortSignal
  error(error: unknown): void
}

export interface StreamPairOwner {
  /** The writable is closed: starts the closing handshake without a code. */
  close(): void
  /** The writable is aborted, or the readable cancelled. */
  closeUsing(reason: unknown): void
}

/**
 * The two streams over a connection. The readable stops the connection's reading when it is full, so that TCP stops the peer; a
 * write to the writable is done when the transport has taken the message.
 */
export class StreamPair {
  readonly readable: ReadableStream<StreamOutput>
  readonly writable: WritableStream<StreamInput>
  readonly #socket: ClientSocket
  readonly #owner: StreamPairOwner
  #reading: ReadableStreamDefaultController<StreamOutput> | null = null
  #writing: WritableStreamDefaultController | null = null
  #isHeld = false
  /** Why the writable takes nothing any more, once the connection is over. */
  readonly #over: Promise<Error>
  #isOver = false
  #setOver!: (error: Error) => void
  /** How the close of the writable ends: while it waits for the end of the connection. */
  #closing: { readonly resolve: () => void; readonly reject: (error: Error) => void } | null = null

  /** @param unreadBytes how much the readable keeps before it stops the reading */
  constructor(socket: ClientSocket, unreadBytes: number, owner: StreamPairOwner) {
    this.#socket = socket
    this.#owner = owner
    this.#over = new Promise((resolve) => {
      this.#setOver = resolve
    })
    this.readable = new ReadableStream<StreamOutput>(
      {
        start: (controller) => {
          this.#reading = controller
        },
        pull: () => {
          this.#pull()
        },
        cancel: (reason) => {
          this.#reading = null
          owner.closeUsing(reason)
        },
      },
      {
        highWaterMark: unreadBytes,
        size: (chunk) => chunk.length + CHUNK_OVERHEAD_BYTES,
      },
    )
    this.writable = new WritableStream<StreamInput>({
      start: (given) => {
        const controller = given as unknown as WritableStreamDefaultController
        this.#writing = controller
        // `abort` of the sink waits for the write that is on its way, and the peer may take none.
        controller.signal.addEventListener('abort', () => {
          owner.closeUsing(controller.signal.reason)
        })
      },
      write: (chunk) => this.#write(chunk),
      close: () => this.#close(),
    })
  }

  /** @param message bytes belong to the pair */
  receive(message: string | Buffer): void {
    const reading = this.#reading
    if (reading === null) return
    reading.enqueue(typeof message === 'string' ? message : ownBytes(message))
    if (this.#isHeld || (reading.desiredSize ?? 1) > 0) return
    this.#isHeld = true
    this.#socket.pause()
  }

  /** The connection ended cleanly. @param error why the writable takes nothing any more */
  close(error: Error): void {
    this.#end(error)
    this.#reading?.close()
    if (this.#closing === null) this.#writing?.error(error)
    else this.#closing.resolve()
  }

  /** The connection ended otherwise. */
  error(error: Error): void {
    this.#end(error)
    this.#reading?.error(error)
    this.#writing?.error(error)
    this.#closing?.reject(error)
  }

  #end(error: Error): void {
    this.#isOver = true
    this.#setOver(error)
  }

  #pull(): void {
    if (!this.#isHeld) return
    this.#isHeld = false
    this.#socket.resume()
  }

  async #write(chunk: unknown): Promise<void> {
    const bytes = bytesOf('chunk', chunk)
    if (bytes === undefined && chunk instanceof Blob) {
      throw new TypeError('chunk must not be a Blob: its stream() gives bytes')
    }
    const data = bytes ?? toUSVString(chunk)
    try {
      if (!this.#isOver && this.#socket.readyState === ReadyState.OPEN) {
        await write(this.#socket, data)
        return
      }
    } catch {
      // The connection ended before the message had left.
    }
    throw await this.#over
  }

  #close(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#closing = { resolve, reject }
      this.#owner.close()
    })
  }
}
