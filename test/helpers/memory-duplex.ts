import { Duplex } from 'node:stream'

/** A stream in memory that shows what a socket hides: each write to the system, and each read from it. */
export class MemoryDuplex extends Duplex {
  /** One entry for each write that reached the system, however many were joined in it. */
  readonly writes: Buffer[] = []
  /** Bytes that were asked for and given, of {@link supply}. */
  suppliedBytes = 0
  private isStuck = false
  private readonly stuck: (() => void)[] = []
  private source: (() => Uint8Array) | null = null

  constructor(options: { readonly highWaterMark?: number } = {}) {
    super({ ...options, allowHalfOpen: true })
  }

  /** All that was written. */
  get written(): Buffer {
    return Buffer.concat(this.writes)
  }

  /** From now on the system takes no more. */
  stick(): void {
    this.isStuck = true
  }

  /** The system takes what waits, and takes again. */
  unstick(): void {
    this.isStuck = false
    for (const done of this.stuck.splice(0)) done()
  }

  /** Bytes of the peer. */
  deliver(...parts: readonly Uint8Array[]): void {
    this.push(Buffer.concat(parts))
  }

  /** The peer sends without end: whatever is asked for. */
  supply(source: () => Uint8Array): void {
    this.source = source
    this.read(0)
  }

  override _read(): void {
    if (this.source === null) return
    const bytes = this.source()
    this.suppliedBytes += bytes.length
    // As a socket does it: never inside the call.
    setImmediate(() => this.push(bytes))
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.accept(chunk, done)
  }

  override _writev(chunks: { readonly chunk: Buffer }[], done: () => void): void {
    this.accept(Buffer.concat(chunks.map(({ chunk }) => chunk)), done)
  }

  private accept(bytes: Buffer, done: () => void): void {
    if (bytes.length > 0) this.writes.push(bytes)
    if (this.isStuck) this.stuck.push(done)
    else done()
  }
}

/** Resolves after the running code, and after the work that it deferred. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** So many turns of the event loop, one after another. */
export async function nextTurns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn()
}

/** Resolves when what was put off to the end of this turn of the event loop is done. */
export async function endOfTurn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => process.nextTick(resolve))
}
