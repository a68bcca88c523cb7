/** From this size on the bytes of a server's message may be held as they are: a second piece of a write costs less than a copy. */
export const HELD_PAYLOAD_BYTES = 16 * 1024

/** A payload that is not copied, with its length at the time of `send`: a caller may transfer the bytes away by mistake. */
export class HeldPayload {
  readonly length: number
  private readonly payload: Uint8Array

  constructor(payload: Uint8Array) {
    this.payload = payload
    this.length = payload.length
  }

  /** As many bytes as the header says: zeros where the caller transferred them away. */
  get bytes(): Uint8Array {
    return this.payload.length === this.length ? this.payload : Buffer.alloc(this.length)
  }
}
