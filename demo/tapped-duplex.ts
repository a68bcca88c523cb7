import { Duplex } from 'node:stream'

/** Watches the bytes of a stream. Reads them during the call only, and never changes them. */
export interface ByteTap {
  /** Bytes that the peer sent. */
  received(bytes: Uint8Array): void
  /** Bytes that go to the peer. */
  sent(bytes: Uint8Array): void
}

/** What sockets have, and not every stream. */
interface MaybeSocket {
  readonly remoteAddress?: string
  readonly connecting?: boolean
  readonly secureConnecting?: boolean
  readonly encrypted?: boolean
}

/** A stream that shows a tap all bytes in both directions, and otherwise behaves like the stream that it wraps. */
export class TappedDuplex extends Duplex {
  private readonly inner: Duplex
  private readonly tap: ByteTap

  /**
   * @param inner belongs to this stream from now on: no other code reads, writes or ends it. Put bytes back with
   *   `unshift` that were read from it already
   */
  constructor(inner: Duplex, tap: ByteTap) {
    super({ allowHalfOpen: true })
    this.inner = inner
    this.tap = tap
    inner.pause()
    inner.on('data', (chunk: Buffer) => {
      tap.received(chunk)
      if (!this.push(chunk)) inner.pause()
    })
    inner.on('end', () => {
      this.push(null)
    })
    inner.on('error', (error) => {
      this.destroy(error)
    })
    inner.on('close', () => {
      this.destroy()
    })
    for (const name of ['connect', 'secureConnect']) inner.on(name, () => this.emit(name))
  }

  /** The address of the socket, for servers that count connections by address. */
  get remoteAddress(): string | undefined {
    return (this.inner as MaybeSocket).remoteAddress
  }

  /** Whether the socket still connects, as that of node:net has it: `connect` is emitted when it does no more. */
  get connecting(): boolean {
    return (this.inner as MaybeSocket).connecting === true
  }

  /** Whether the handshake of TLS is still under way: `secureConnect` is emitted after it. */
  get secureConnecting(): boolean {
    return (this.inner as MaybeSocket).secureConnecting === true
  }

  /** Whether it is a stream of node:tls. */
  get encrypted(): boolean {
    return (this.inner as MaybeSocket).encrypted === true
  }

  override _read(): void {
    this.inner.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.tap.sent(chunk)
    this.passOn(this.inner.write(chunk), done)
  }

  /** Writes that were corked together leave together. */
  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: () => void): void {
    let hasRoom = true
    this.inner.cork()
    for (const { chunk } of chunks) {
      this.tap.sent(chunk)
      hasRoom = this.inner.write(chunk)
    }
    this.inner.uncork()
    this.passOn(hasRoom, done)
  }

  override _final(done: () => void): void {
    this.inner.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.inner.destroy()
    done(error)
  }

  /** At once while the inner stream has room: the writer then sees an empty stream again, as with a socket. */
  private passOn(hasRoom: boolean, done: () => void): void {
    if (hasRoom) done()
    else this.inner.once('drain', done)
  }
}
