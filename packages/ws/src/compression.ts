/** What was agreed on compression, as `ws` negotiates it, by the codec of the engine. */
import { createCodecFactory, type CodecFactory, type MessageCodec } from '../../../src/deflate/index.js'
import { resolveDeflateOptions, type AgreedParameters, type WindowBits } from '../../../src/deflate/index.js'
import { checkZlibOptions, toThreshold, zlibLevels } from './coerce.js'
import type { DeflateParameters, PerMessageDeflateOptions } from './deflate-parameters.js'
import type { PerMessageDeflate } from './permessage-deflate.js'

type Role = 'client' | 'server'

/** Connections with the same options share what their factory lends: compressors, decompressors. */
const factories: Record<Role, WeakMap<object, CodecFactory>> = {
  client: new WeakMap(),
  server: new WeakMap(),
}
const DEFAULTS = {}

const isWindow = (bits: unknown): bits is WindowBits => typeof bits === 'number' && bits >= 8 && bits <= 15

/** The part of the options of `ws` that the engine's codec has: the options of zlib that say how well to compress. */
function makeFactory(options: PerMessageDeflateOptions, role: Role): CodecFactory {
  // Those of a server may have changed since it was made.
  checkZlibOptions(options)
  const thresholdBytes = toThreshold(options.threshold)
  const config = resolveDeflateOptions({ ...zlibLevels(options), thresholdBytes }, role)
  return createCodecFactory(config as NonNullable<typeof config>)
}

function factoryFor(options: PerMessageDeflateOptions | boolean, role: Role): CodecFactory {
  const given = typeof options === 'object' ? options : DEFAULTS
  let factory = factories[role].get(given)
  if (factory === undefined) factories[role].set(given, (factory = makeFactory(given, role)))
  return factory
}

function agreedBy(params: DeflateParameters): AgreedParameters {
  const bits = (value: unknown): number => (isWindow(value) ? value : 15)
  return {
    serverNoContextTakeover: params.server_no_context_takeover === true,
    clientNoContextTakeover: params.client_no_context_takeover === true,
    serverMaxWindowBits: bits(params.server_max_window_bits),
    clientMaxWindowBits: bits(params.client_max_window_bits),
  }
}

/**
 * Makes the codec of one connection, which closes it.
 * @param deflate that has accepted
 * @param options that the application gave: those of one server are one object
 */
export function codecFor(
  deflate: PerMessageDeflate,
  options: PerMessageDeflateOptions | boolean,
  role: Role,
): MessageCodec {
  return factoryFor(options, role).createCodec(agreedBy(deflate.params ?? {}))
}
