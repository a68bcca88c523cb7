/** What comes before its turn is kept up to this; what is over it is read from the history. */
const MAX_EARLY_MESSAGES = 1000
const MAX_EARLY_BYTES = 1024 * 1024

/** A message that is known before those that come before it. */
export interface EarlyMessage {
  readonly data: string | Uint8Array
  readonly compress: boolean
}

/** The messages of one group that came before their turn, by their offsets. */
export class EarlyMessages {
  private readonly messages = new Map<number, EarlyMessage>()
  private bytes = 0

  get size(): number {
    return this.messages.size
  }

  /** The lowest offset; Infinity: there is none. */
  get first(): number {
    return Math.min(...this.messages.keys())
  }

  /** @returns false: there is no room */
  keep(offset: number, data: string | Uint8Array, compress: boolean): boolean {
    if (this.messages.has(offset)) return true
    if (this.messages.size >= MAX_EARLY_MESSAGES || this.bytes + data.length > MAX_EARLY_BYTES) return false
    this.messages.set(offset, { data, compress })
    this.bytes += data.length
    return true
  }

  /** Takes a message out. */
  take(offset: number): EarlyMessage | undefined {
    const message = this.messages.get(offset)
    if (message === undefined) return undefined
    this.messages.delete(offset)
    this.bytes -= message.data.length
    return message
  }

  /** Drops those up to this offset. */
  dropUpTo(last: number): void {
    for (const offset of this.messages.keys()) if (offset <= last) this.take(offset)
  }

  clear(): void {
    this.messages.clear()
    this.bytes = 0
  }
}
