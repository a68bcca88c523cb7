/** A second extension, as small as one can be: payloads XOR a key of one byte, under a reserved bit. */
import { HandshakeError } from '../../src/errors.js'
import type { Agreement, Extension } from '../../src/extension/extension.js'
import type {
  DecodeListener,
  DecodeResult,
  EncodeListener,
  MessageCodec,
} from '../../src/extension/message-codec.js'
import type { ExtensionOffer } from '../../src/handshake/extension-header.js'

export const RSV2 = 0x20

export const xor = (bytes: Uint8Array, key: number): Buffer => Buffer.from(bytes.map((byte) => byte ^ key))

export interface XorOptions {
  readonly name?: string
  readonly reservedBits?: number
  /** Works after the call. Default false. */
  readonly isLater?: boolean
}

class XorCodec implements MessageCodec {
  readonly shared = null
  readonly reservedBits: number
  readonly encodedBits: number
  isClosed = false

  constructor(
    private readonly key: number,
    { reservedBits = RSV2, isLater = false }: XorOptions,
  ) {
    this.reservedBits = reservedBits
    this.encodedBits = reservedBits
    this.isLater = isLater
  }
  private readonly isLater: boolean

  encode(message: string | Uint8Array, listener: EncodeListener): Uint8Array | 'later' {
    const bytes = Buffer.from(message as string)
    if (!this.isLater) return xor(bytes, this.key)
    setImmediate(() => {
      if (!this.isClosed) listener.encoded(xor(bytes, this.key), bytes)
    })
    return 'later'
  }

  decode(message: Uint8Array, listener: DecodeListener): DecodeResult | 'later' {
    const result = xor(message, this.key)
    if (!this.isLater) return result
    setImmediate(() => {
      if (!this.isClosed) listener.decoded(result)
    })
    return 'later'
  }

  dropContext(): void {
    // It has none.
  }

  close(): void {
    this.isClosed = true
  }
}

/** `x-xor; key=<0 to 255>`: the client names the key. */
export function xorExtension(key: number, options: XorOptions = {}): Extension {
  const { name = 'x-xor', reservedBits = RSV2 } = options
  const agree = ({ parameters }: ExtensionOffer): Agreement | null => {
    const [first] = parameters
    if (first?.[0] !== 'key' || !/^\d{1,3}$/.test(String(first[1]))) return null
    const agreed = Number(first[1])
    return {
      response: `${name}; key=${String(agreed)}`,
      createCodec: () => new XorCodec(agreed, options),
    }
  }
  return {
    name,
    reservedBits,
    offer: () => `${name}; key=${String(key)}`,
    accept: (offers) => offers.map(agree).find((one) => one !== null) ?? null,
    verify: (answer) =>
      agree(answer) ?? new HandshakeError('HAWSER_UNEXPECTED_EXTENSION', { detail: 'a wrong key' }),
  }
}
