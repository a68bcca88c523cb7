/**
 * permessage-deflate (RFC 7692), usable by itself: the negotiation as pure functions over parsed headers, and a codec
 * over node:zlib that compresses and decompresses whole messages.
 */
export {
  acceptOffer,
  createOffer,
  PERMESSAGE_DEFLATE,
  resolveDeflateOptions,
  verifyResponse,
} from './negotiation.js'
export type {
  AgreedParameters,
  PerMessageDeflateOptions,
  ResolvedDeflateOptions,
  WindowBits,
} from './negotiation.js'
export { createCodecFactory } from './deflate-codec.js'
export type { CodecFactory, DeflateCodec } from './deflate-codec.js'
export type {
  DecodeListener,
  DecodeResult,
  EncodeListener,
  MessageCodec,
  SharedEncoder,
} from '../extension/message-codec.js'
export { formatExtension, parseExtensionHeader } from '../handshake/extension-header.js'
export type { ExtensionOffer } from '../handshake/extension-header.js'
