/** permessage-deflate as an extension (RFC 7692). */
import { HandshakeError } from '../errors.js'
import { responseOf, type Agreement, type Extension } from '../extension/extension.js'
import type { ExtensionOffer } from '../handshake/extension-header.js'
import { createCodecFactory, RSV1_BIT, type CodecFactory } from './deflate-codec.js'
import {
  acceptOffer,
  createOffer,
  PERMESSAGE_DEFLATE,
  verifyResponse,
  type AgreedParameters,
} from './negotiation.js'
import {
  resolveDeflateOptions,
  type PerMessageDeflateOptions,
  type ResolvedDeflateOptions,
} from './options.js'

class PerMessageDeflate implements Extension {
  readonly name = PERMESSAGE_DEFLATE
  readonly reservedBits = RSV1_BIT
  readonly #config: ResolvedDeflateOptions
  readonly #codecs: CodecFactory

  constructor(config: ResolvedDeflateOptions) {
    this.#config = config
    this.#codecs = createCodecFactory(config)
  }

  offer(): string {
    return createOffer(this.#config)
  }

  accept(offers: readonly ExtensionOffer[]): Agreement | null {
    const accepted = acceptOffer(offers, this.#config, this.#codecs.hasRoomForContexts)
    if (accepted === null) return null
    const { agreed, response } = accepted
    return { response, createCodec: () => this.#codecs.createCodec(agreed) }
  }

  verify(answer: ExtensionOffer): Agreement | HandshakeError {
    const result = verifyResponse([answer], this.#config)
    if (result instanceof HandshakeError) return result
    // Null stands for no answer, and there is one.
    const agreed = result.agreed as AgreedParameters
    return { response: responseOf(answer), createCodec: () => this.#codecs.createCodec(agreed) }
  }
}

/**
 * @param value of the option `perMessageDeflate`
 * @returns a list of one, or of none where the extension is off
 * @throws TypeError or RangeError with the option's name, value and range
 */
export function perMessageDeflate(
  value: boolean | PerMessageDeflateOptions | undefined,
  role: 'client' | 'server',
): readonly Extension[] {
  const config = resolveDeflateOptions(value, role)
  return config === null ? [] : [new PerMessageDeflate(config)]
}
