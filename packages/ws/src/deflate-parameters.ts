/** The negotiation of permessage-deflate as `ws` does it (RFC 7692 section 7.1): options, parameters, rules and errors. */
import type { ZlibOptions } from 'node:zlib'
import type { ExtensionParameters } from './extension.js'

/** The options of PerMessageDeflate. */
export interface PerMessageDeflateOptions {
  /** Whether this is the end of a server. Default false. */
  isServer?: boolean | undefined
  /** The most bytes that a message may have when it is inflated. Default 0: no limit. */
  maxPayload?: number | undefined
  serverNoContextTakeover?: boolean | undefined
  clientNoContextTakeover?: boolean | undefined
  serverMaxWindowBits?: number | boolean | undefined
  clientMaxWindowBits?: number | boolean | undefined
  /** Options of the compressor. */
  zlibDeflateOptions?: ZlibOptions | undefined
  /** Options of the decompressor. */
  zlibInflateOptions?: ZlibOptions | undefined
  /** Shorter messages are not compressed, where each is compressed by itself. Default 1024 bytes. */
  threshold?: number | undefined
  /** The most calls of zlib at once, of all instances: the first instance of the process sets it. Default 10. */
  concurrencyLimit?: number | undefined
}

/** The parameters of one offer or answer. A window without a size has `true`. */
export interface DeflateParameters {
  server_no_context_takeover?: true
  client_no_context_takeover?: true
  server_max_window_bits?: number | true
  client_max_window_bits?: number | true
}

const MIN_WINDOW_BITS = 8
const MAX_WINDOW_BITS = 15

const invalidValue = (name: string, value: unknown): TypeError =>
  new TypeError(`Invalid value for parameter "${name}": ${String(value)}`)

function windowBits(name: string, value: unknown): number {
  const bits = value === true ? 0 : Number(value)
  if (!Number.isInteger(bits) || bits < MIN_WINDOW_BITS || bits > MAX_WINDOW_BITS) {
    throw invalidValue(name, value)
  }
  return bits
}

/**
 * Checks the parameters of one offer or answer.
 * @param isOffer a client's offer may have `client_max_window_bits` without a size
 * @throws TypeError for a value that a parameter must not have; Error for a parameter that is unknown or there twice
 */
export function normalize(parameters: ExtensionParameters, isOffer: boolean): DeflateParameters {
  const normalized: DeflateParameters = {}
  for (const [name, values] of Object.entries(parameters)) {
    if (values.length > 1) throw new Error(`Parameter "${name}" must have only a single value`)
    const [value] = values
    switch (name) {
      case 'client_max_window_bits':
        normalized[name] = value === true && isOffer ? true : windowBits(name, value)
        break
      case 'server_max_window_bits':
        normalized[name] = windowBits(name, value)
        break
      case 'client_no_context_takeover':
      case 'server_no_context_takeover':
        if (value !== true) throw invalidValue(name, value)
        normalized[name] = true
        break
      default:
        throw new Error(`Unknown parameter "${name}"`)
    }
  }
  return normalized
}

/** The parameters of a client's offer. */
export function makeOffer(options: PerMessageDeflateOptions): DeflateParameters {
  const offer: DeflateParameters = {}
  const { serverMaxWindowBits, clientMaxWindowBits } = options
  if (options.serverNoContextTakeover) offer.server_no_context_takeover = true
  if (options.clientNoContextTakeover) offer.client_no_context_takeover = true
  if (serverMaxWindowBits) offer.server_max_window_bits = serverMaxWindowBits
  if (clientMaxWindowBits) offer.client_max_window_bits = clientMaxWindowBits
  else if (clientMaxWindowBits === undefined || clientMaxWindowBits === null)
    offer.client_max_window_bits = true
  return offer
}

/** Whether a server with these options can keep to an offer. */
function isAcceptable(offer: DeflateParameters, options: PerMessageDeflateOptions): boolean {
  const { serverMaxWindowBits: ours, clientMaxWindowBits: theirs } = options
  const { server_max_window_bits: asked, client_max_window_bits: can } = offer
  if (options.serverNoContextTakeover === false && offer.server_no_context_takeover) return false
  if (asked !== undefined && (ours === false || (typeof ours === 'number' && ours > Number(asked))))
    return false
  // A server that demands a window of the client needs a client that knows the parameter, and does not demand a smaller one.
  if (typeof theirs !== 'number') return true
  return can !== undefined && (can === true || can >= theirs)
}

/**
 * Takes the first of a client's offers that the options of a server allow.
 * @returns what both ends keep to
 * @throws Error if there is none
 */
export function acceptOffers(
  offers: readonly DeflateParameters[],
  options: PerMessageDeflateOptions,
): DeflateParameters {
  const accepted = offers.find((offer) => isAcceptable(offer, options))
  if (accepted === undefined) throw new Error('None of the extension offers can be accepted')
  const { serverMaxWindowBits, clientMaxWindowBits } = options
  if (options.serverNoContextTakeover) accepted.server_no_context_takeover = true
  if (options.clientNoContextTakeover) accepted.client_no_context_takeover = true
  if (typeof serverMaxWindowBits === 'number') accepted.server_max_window_bits = serverMaxWindowBits
  if (typeof clientMaxWindowBits === 'number') accepted.client_max_window_bits = clientMaxWindowBits
  else if (accepted.client_max_window_bits === true || clientMaxWindowBits === false) {
    // Without a size the parameter says only that the client knows it, which needs no answer.
    delete accepted.client_max_window_bits
  }
  return accepted
}

/**
 * Checks a server's answer against the options of a client.
 * @returns what both ends keep to
 * @throws Error for a parameter that was not offered
 */
export function acceptAnswer(
  answer: DeflateParameters | undefined,
  options: PerMessageDeflateOptions,
): DeflateParameters {
  const agreed = answer ?? {}
  const { clientMaxWindowBits: ours } = options
  const { client_max_window_bits: asked } = agreed
  if (options.clientNoContextTakeover === false && agreed.client_no_context_takeover) {
    throw new Error('Unexpected parameter "client_no_context_takeover"')
  }
  if (asked === undefined) {
    if (typeof ours === 'number') agreed.client_max_window_bits = ours
  } else if (ours === false || (typeof ours === 'number' && Number(asked) > ours)) {
    throw new Error('Unexpected or invalid parameter "client_max_window_bits"')
  }
  return agreed
}
