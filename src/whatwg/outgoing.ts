import type { ClientSocket } from '../client/client-socket.js'
import { ReadyState } from '../connection/ready-state.js'
import type { CloseArguments } from './closing.js'

/** A message as it was given to `send`. */
export type Sendable = string | Uint8Array | Blob

const isBlob = (data: Sendable): data is Blob => data instanceof Blob

/** The bytes of a message, without its frame. */
function sizeOf(data: Sendable): number {
  if (typeof data === 'string') return Buffer.byteLength(data)
  return isBlob(data) ? data.size : data.byteLength
}

/**
 * The messages of a WebSocket on their way out: what is sent after a Blob waits until the Blob is read. Counts
 * `bufferedAmount` as the standard does.
 */
export class Outgoing {
  #socket: ClientSocket | null = null
  /** What waits for a Blob, which is the first. */
  #waiting: (Sendable | CloseArguments)[] = []
  #waitingBytes = 0
  /** Bytes that the socket has, as far as known. */
  #handedBytes = 0
  /** Bytes that were sent when the connection took none any more. */
  #lostBytes = 0
  /** Something was handed over in this turn of the event loop: until its end the amount does not fall. */
  #isFresh = false
  readonly #failed: (error: Error) => void

  /** @param failed called when a Blob cannot be read */
  constructor(failed: (error: Error) => void) {
    this.#failed = failed
  }

  /** The bytes of messages that the transport did not take. Where messages are compressed, at most the compressed bytes. */
  get bufferedAmount(): number {
    this.#measure()
    return this.#waitingBytes + this.#handedBytes + this.#lostBytes
  }

  opened(socket: ClientSocket): void {
    this.#socket = socket
  }

  /** The connection is over. @param unsentBytes what the transport did not take */
  ended(unsentBytes: number): void {
    this.#lostBytes += this.#waitingBytes + Math.min(this.#handedBytes, unsentBytes)
    this.#socket = null
    this.#waiting = []
    this.#waitingBytes = 0
    this.#handedBytes = 0
  }

  /** @param data bytes are read during the call only */
  send(data: Sendable): void {
    if (this.#waiting.length === 0 && !isBlob(data)) {
      this.#hand(data)
      return
    }
    this.#waitingBytes += sizeOf(data)
    this.#wait(data instanceof Uint8Array ? data.slice() : data)
  }

  /** A message that nobody sends any more: it counts all the same. */
  lose(data: Sendable): void {
    this.#lostBytes += sizeOf(data)
  }

  /** Starts the closing handshake after everything that was sent. */
  close(how: CloseArguments): void {
    if (this.#waiting.length === 0) void this.#socket?.close(how.code, how.reason)
    else this.#wait(how)
  }

  #wait(item: Sendable | CloseArguments): void {
    this.#waiting.push(item)
    if (this.#waiting.length === 1) void this.#goOn()
  }

  async #goOn(): Promise<void> {
    try {
      for (;;) {
        const [item] = this.#waiting
        if (item === undefined) return
        const isMessage = typeof item === 'string' || item instanceof Uint8Array || item instanceof Blob
        const bytes = isMessage && isBlob(item) ? new Uint8Array(await item.arrayBuffer()) : item
        // The connection may have ended meanwhile.
        if (this.#socket === null || this.#waiting[0] !== item) return
        this.#waiting.shift()
        if (isMessage) {
          this.#waitingBytes -= sizeOf(item)
          this.#hand(bytes as string | Uint8Array)
        } else {
          void this.#socket.close(item.code, item.reason)
        }
      }
    } catch (error) {
      this.#failed(error as Error)
    }
  }

  /** What was handed over earlier may have left. */
  #measure(): void {
    if (this.#socket === null || this.#isFresh) return
    this.#handedBytes = Math.min(this.#handedBytes, this.#socket.bufferedAmount)
  }

  /** The socket failed in place of taking a message, and threw away what waited. Both count on. */
  #loseDropped(droppedBytes: number, size: number): void {
    const dropped = Math.min(this.#handedBytes, Math.max(0, droppedBytes))
    this.#handedBytes -= dropped
    this.#lostBytes += dropped + size
  }

  #hand(data: string | Uint8Array): void {
    const size = sizeOf(data)
    const socket = this.#socket
    if (socket?.readyState !== ReadyState.OPEN) {
      this.#lostBytes += size
      return
    }
    this.#measure()
    const before = socket.bufferedAmount
    socket.send(data)
    // The state changes in the call. TypeScript does not know that.
    if ((socket.readyState as ReadyState) === ReadyState.OPEN) this.#handedBytes += size
    else this.#loseDropped(before - socket.bufferedAmount, size)
    if (this.#isFresh) return
    this.#isFresh = true
    setImmediate(() => {
      this.#isFresh = false
    })
  }
}
