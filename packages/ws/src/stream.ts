/** A WebSocket as a Duplex: `createWebSocketStream` of `ws`. */
import { Duplex, type DuplexOptions } from 'node:stream'
import type { EventEmitter } from 'node:events'

const CONNECTING = 0
const CLOSED = 3

/** What the stream needs of a WebSocket. */
export interface StreamableWebSocket extends EventEmitter {
  readonly readyState: number
  readonly isPaused: boolean
  /** What carries the connection; null before the handshake is done. */
  readonly _socket?: Duplex | null
  send(data: unknown, callback: (error?: Error | null) => void): void
  close(): void
  terminate(): void
  pause(): void
  resume(): void
}

/** The error of a call that throws, as what it would hand to its callback. */
const toError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)))

/** A Duplex whose data are the messages of a WebSocket: each chunk written is a message, each message a chunk to read. */
class WebSocketDuplex extends Duplex {
  readonly #socket: StreamableWebSocket
  /** Whether the end of this stream is one that nobody asked for: an error closes the connection by itself. */
  #terminates = true

  constructor(socket: StreamableWebSocket, options: DuplexOptions) {
    super({
      ...options,
      autoDestroy: false,
      emitClose: false,
      objectMode: false,
      writableObjectMode: false,
    })
    this.#socket = socket
    const isText = this.readableObjectMode
    socket.on('message', (data: Buffer | Buffer[] | ArrayBuffer, isBinary: boolean) => {
      if (this.destroyed) return
      // The reader has as much as it wants: the peer waits until `_read`.
      if (!this.push(!isBinary && isText ? (data as Buffer).toString() : data)) socket.pause()
    })
    socket.on('error', (error: Error) => {
      if (this.destroyed) return
      // The WebSocket closes itself after its error, with the code that says why: it is not terminated.
      this.#terminates = false
      this.destroy(error)
    })
    socket.once('close', () => {
      if (!this.destroyed) this.push(null)
    })
    this.once('end', () => this.#destroyIfDone())
    this.once('finish', () => this.#destroyIfDone())
    this.on('error', this.#onError)
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume()
  }

  override _write(chunk: unknown, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#whenOpen(() => this.#socket.send(chunk, callback), callback)
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#whenOpen(() => {
      const socket = this.#socket
      const transport = socket._socket
      if (socket.readyState === CLOSED || transport?.writableFinished === true) {
        callback()
        return
      }
      let isDone = false
      const finish = (): void => {
        if (isDone) return
        isDone = true
        transport?.removeListener('finish', finish)
        socket.removeListener('close', finish)
        callback()
      }
      // Done when the last byte is written, and before the end of the readable side at the latest.
      transport?.once('finish', finish)
      socket.prependOnceListener('close', finish)
      socket.close()
    }, callback)
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    const socket = this.#socket
    let reason = error
    const finish = (): void => {
      callback(reason)
      process.nextTick(() => this.emit('close'))
    }
    if (socket.readyState === CLOSED) {
      finish()
      return
    }
    // Ending a handshake that is under way is an error of the WebSocket, which then is that of the stream.
    socket.once('error', (latest: Error) => (reason = latest))
    socket.once('close', finish)
    if (this.#terminates) socket.terminate()
  }

  /** An error of a write ends the stream as well. Where nobody listens for it, it is thrown as ever. */
  readonly #onError = (error: Error): void => {
    this.removeListener('error', this.#onError)
    this.destroy()
    if (this.listenerCount('error') === 0) this.emit('error', error)
  }

  /** Calls now, or once the handshake is done. What the call throws is the error of the stream. */
  #whenOpen(call: () => void, callback: (error: Error) => void): void {
    const attempt = (): void => {
      try {
        call()
      } catch (thrown) {
        callback(toError(thrown))
      }
    }
    if (this.#socket.readyState === CONNECTING) this.#socket.once('open', attempt)
    else attempt()
  }

  /** With both sides at their ends, the stream is destroyed: its 'close' follows. */
  #destroyIfDone(): void {
    if (!this.destroyed && this.readableEnded && this.writableFinished) this.destroy()
  }
}

/**
 * Wraps a WebSocket in a Duplex. Backpressure works both ways: `write` returns false until what waits is sent, and a reader
 * that does not read pauses the WebSocket.
 * @param options of the Duplex. `readableObjectMode`: text is read as strings, one chunk for each message
 */
export function createWebSocketStream(socket: StreamableWebSocket, options: DuplexOptions = {}): Duplex {
  return new WebSocketDuplex(socket, options)
}
