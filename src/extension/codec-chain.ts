/** Several extensions on one connection, one after another (RFC 6455 section 9.1). */
import type { DecodeListener, DecodeResult, EncodeListener, MessageCodec } from './message-codec.js'

/** An outgoing message that one of the codecs works on later. */
interface Encoding {
  readonly index: number
  readonly listener: EncodeListener
  readonly mayCompress: boolean
}

/** An incoming message that one of the codecs works on later. */
interface Decoding {
  readonly index: number
  readonly listener: DecodeListener
  readonly maxBytes: number
  readonly reservedBits: number
}

/** The codecs of a connection with more than one extension, as one codec. */
export class CodecChain implements MessageCodec {
  readonly reservedBits: number
  /** A message to many would have to be encoded by all of them alike. */
  readonly shared = null
  encodedBits = 0
  readonly #codecs: readonly MessageCodec[]
  #encoding: Encoding | null = null
  #decoding: Decoding | null = null

  /** @param codecs in the order of the answer: an outgoing message passes through the first of them first */
  constructor(codecs: readonly MessageCodec[]) {
    this.#codecs = codecs
    this.reservedBits = codecs.reduce((bits, codec) => bits | codec.reservedBits, 0)
  }

  encode(
    message: string | Uint8Array,
    listener: EncodeListener,
    isLasting = false,
    mayCompress = true,
  ): Uint8Array | null | 'later' {
    this.encodedBits = 0
    const result = this.#encodeFrom(0, message, listener, isLasting, mayCompress)
    return result === 'later' || this.encodedBits !== 0 ? (result as Uint8Array | 'later') : null
  }

  decode(
    message: Uint8Array,
    listener: DecodeListener,
    maxBytes: number,
    isLasting = false,
    reservedBits = this.reservedBits,
  ): DecodeResult | 'later' {
    return this.#decodeFrom(this.#codecs.length - 1, message, listener, maxBytes, isLasting, reservedBits)
  }

  dropContext(): void {
    for (const codec of this.#codecs) codec.dropContext()
  }

  close(): void {
    for (const codec of this.#codecs) codec.close()
  }

  /** One of the codecs has done its work: the message goes on through the next. */
  encoded(payload: Uint8Array | null, message: Uint8Array): void {
    const { index, listener, mayCompress } = this.#encoding as Encoding
    this.#encoding = null
    if (payload !== null) this.encodedBits |= (this.#codecs[index] as MessageCodec).encodedBits
    const result = this.#encodeFrom(index + 1, payload ?? message, listener, true, mayCompress)
    if (result === 'later') return
    listener.encoded(this.encodedBits === 0 ? null : (result as Uint8Array), message)
  }

  /** One of the codecs has done its work: the message goes on through the one before it. */
  decoded(result: DecodeResult): void {
    const { index, listener, maxBytes, reservedBits } = this.#decoding as Decoding
    this.#decoding = null
    const next =
      result instanceof Error
        ? result
        : this.#decodeFrom(index - 1, result, listener, maxBytes, true, reservedBits)
    if (next !== 'later') listener.decoded(next instanceof Error ? next : Buffer.from(next))
  }

  #encodeFrom(
    start: number,
    message: string | Uint8Array,
    listener: EncodeListener,
    isLasting: boolean,
    mayCompress: boolean,
  ): string | Uint8Array {
    let current = message
    for (let index = start; index < this.#codecs.length; index++) {
      const codec = this.#codecs[index] as MessageCodec
      // What a codec before this one gave lies in memory that others write in.
      const payload = codec.encode(current, this, isLasting && current === message, mayCompress)
      if (payload === 'later') {
        this.#encoding = { index, listener, mayCompress }
        return payload
      }
      if (payload === null) continue
      current = payload
      this.encodedBits |= codec.encodedBits
    }
    return current
  }

  #decodeFrom(
    start: number,
    message: Uint8Array,
    listener: DecodeListener,
    maxBytes: number,
    isLasting: boolean,
    reservedBits: number,
  ): DecodeResult | 'later' {
    let current = message
    for (let index = start; index >= 0; index--) {
      const codec = this.#codecs[index] as MessageCodec
      const bits = reservedBits & codec.reservedBits
      if (bits === 0) continue
      const result = codec.decode(current, this, maxBytes, isLasting && current === message, bits)
      if (result === 'later') {
        this.#decoding = { index, listener, maxBytes, reservedBits }
        return result
      }
      if (result instanceof Error) return result
      current = result
    }
    return current
  }
}
