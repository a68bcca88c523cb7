/** The negotiation of permessage-deflate, both roles (RFC 7692 sections 5 and 7.1). Pure functions over headers. */
import { HandshakeError } from '../errors.js'
import { formatExtension } from '../handshake/extension-header.js'
import type { ExtensionOffer } from '../handshake/extension-header.js'
import { showValue } from '../check.js'
import type { ResolvedDeflateOptions } from './options.js'

export { resolveDeflateOptions } from './options.js'
export type { PerMessageDeflateOptions, ResolvedDeflateOptions, WindowBits } from './options.js'

/** The extension's name, as it stands in Sec-WebSocket-Extensions (RFC 7692 section 7). */
export const PERMESSAGE_DEFLATE = 'permessage-deflate'

const SERVER_NO_CONTEXT_TAKEOVER = 'server_no_context_takeover'
const CLIENT_NO_CONTEXT_TAKEOVER = 'client_no_context_takeover'
const SERVER_MAX_WINDOW_BITS = 'server_max_window_bits'
const CLIENT_MAX_WINDOW_BITS = 'client_max_window_bits'

const MAX_WINDOW_BITS = 15

/** What both ends keep to on one connection (RFC 7692 section 7.1). */
export interface AgreedParameters {
  /** The server compresses each message by itself. */
  readonly serverNoContextTakeover: boolean
  /** The client compresses each message by itself. */
  readonly clientNoContextTakeover: boolean
  /** The server's compressor looks back at most 2^n bytes; 8 to 15. */
  readonly serverMaxWindowBits: number
  /** The client's compressor looks back at most 2^n bytes; 8 to 15. */
  readonly clientMaxWindowBits: number
}

/** The parameters of one offer or answer as received; `true` is a parameter without a value. */
interface ReceivedParameters {
  serverNoContextTakeover: boolean
  clientNoContextTakeover: boolean
  serverMaxWindowBits: number | undefined
  clientMaxWindowBits: number | true | undefined
}

/** RFC 7692 section 7.1.2: a decimal integer from 8 to 15 with no leading zero; null for anything else. */
function readWindowBits(value: string | true): number | null {
  switch (value) {
    case '8':
    case '9':
    case '10':
    case '11':
    case '12':
    case '13':
    case '14':
    case '15':
      return Number(value)
    default:
      return null
  }
}

/**
 * Reads the parameters of one offer or answer. RFC 7692 section 7.1: none twice, none unknown, none with a value
 * that it cannot have.
 * @returns the parameters, or in words what is wrong with them
 */
function readParameters(parameters: ExtensionOffer['parameters']): ReceivedParameters | string {
  const received: ReceivedParameters = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: undefined,
    clientMaxWindowBits: undefined,
  }
  const seen = new Set<string>()
  for (const [name, value] of parameters) {
    if (seen.has(name)) return `${showValue(name)} stands twice`
    seen.add(name)
    switch (name) {
      case SERVER_NO_CONTEXT_TAKEOVER:
      case CLIENT_NO_CONTEXT_TAKEOVER:
        if (value !== true) return `${name} takes no value`
        if (name === SERVER_NO_CONTEXT_TAKEOVER) received.serverNoContextTakeover = true
        else received.clientNoContextTakeover = true
        break
      case SERVER_MAX_WINDOW_BITS:
      case CLIENT_MAX_WINDOW_BITS: {
        if (name === CLIENT_MAX_WINDOW_BITS && value === true) {
          received.clientMaxWindowBits = true
          break
        }
        const bits = readWindowBits(value)
        if (bits === null) return `${name} must be 8 to 15, not ${showValue(value)}`
        if (name === SERVER_MAX_WINDOW_BITS) received.serverMaxWindowBits = bits
        else received.clientMaxWindowBits = bits
        break
      }
      default:
        return `an unknown parameter ${showValue(name)}`
    }
  }
  return received
}

function formatParameters(parameters: {
  readonly serverNoContextTakeover: boolean
  readonly clientNoContextTakeover: boolean
  readonly serverMaxWindowBits: number | undefined
  readonly clientMaxWindowBits: number | true | undefined
}): string {
  const list: (readonly [string, string | true])[] = []
  if (parameters.serverNoContextTakeover) list.push([SERVER_NO_CONTEXT_TAKEOVER, true])
  if (parameters.clientNoContextTakeover) list.push([CLIENT_NO_CONTEXT_TAKEOVER, true])
  if (parameters.serverMaxWindowBits !== undefined) {
    list.push([SERVER_MAX_WINDOW_BITS, String(parameters.serverMaxWindowBits)])
  }
  const clientBits = parameters.clientMaxWindowBits
  if (clientBits !== undefined) {
    list.push([CLIENT_MAX_WINDOW_BITS, clientBits === true ? true : String(clientBits)])
  }
  return formatExtension({ name: PERMESSAGE_DEFLATE, parameters: list })
}

/**
 * What a client offers (RFC 7692 section 7.1), in its order of preference. A server must decline an offer of a window that it
 * cannot keep to (7.1.2.1), as those of Bun, coder/websocket and gobwas do: a second offer leaves the window out (5.1), unless
 * `strictNegotiation` demands it.
 * @param config of the role 'client'
 * @returns the value of Sec-WebSocket-Extensions; by default `permessage-deflate; client_max_window_bits`
 */
export function createOffer(config: ResolvedDeflateOptions): string {
  const { serverMaxWindowBits, strictNegotiation } = config
  if (serverMaxWindowBits === MAX_WINDOW_BITS) return formatOffer(config, undefined)
  const preferred = formatOffer(config, serverMaxWindowBits)
  return strictNegotiation ? preferred : `${preferred}, ${formatOffer(config, undefined)}`
}

function formatOffer(config: ResolvedDeflateOptions, serverMaxWindowBits: number | undefined): string {
  const { serverNoContextTakeover, clientNoContextTakeover, clientMaxWindowBits: clientBits } = config
  const clientMaxWindowBits = clientBits === false ? undefined : clientBits === MAX_WINDOW_BITS || clientBits
  return formatParameters({
    serverNoContextTakeover,
    clientNoContextTakeover,
    serverMaxWindowBits,
    clientMaxWindowBits,
  })
}

/**
 * Compares one offer with the server's options; null declines it. If there is no room for the client's context, an offer
 * is accepted only if the client drops its context unasked, or the options demand it: no other demand is safe. Netty's
 * clients refuse a `client_no_context_takeover` that they did not offer, and Jetty's fail after it. Netty's clients, which
 * offer `client_max_window_bits` as browsers do, fall silent when the answer has a smaller window (4.1, without JZlib).
 */
function acceptOne(
  offer: ReceivedParameters,
  config: ResolvedDeflateOptions,
  hasRoomForContexts: boolean,
): { agreed: AgreedParameters; response: string } | null {
  const clientNoContextTakeover = offer.clientNoContextTakeover || config.clientNoContextTakeover
  if (!hasRoomForContexts && !clientNoContextTakeover) return null
  const ownClientBits = config.clientMaxWindowBits === false ? MAX_WINDOW_BITS : config.clientMaxWindowBits
  const offeredClientBits = offer.clientMaxWindowBits
  const mayTellClient = offeredClientBits !== undefined && config.clientMaxWindowBits !== false
  // The answer may have a window only if the client offered the parameter (7.1.2.2).
  if (offeredClientBits === undefined && ownClientBits < MAX_WINDOW_BITS) return null
  const clientMaxWindowBits =
    typeof offeredClientBits === 'number' ? Math.min(offeredClientBits, ownClientBits) : ownClientBits
  const serverMaxWindowBits = Math.min(
    offer.serverMaxWindowBits ?? MAX_WINDOW_BITS,
    config.serverMaxWindowBits,
  )
  const serverNoContextTakeover = offer.serverNoContextTakeover || config.serverNoContextTakeover
  return {
    agreed: { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits },
    response: formatParameters({
      serverNoContextTakeover,
      clientNoContextTakeover,
      serverMaxWindowBits:
        offer.serverMaxWindowBits === undefined && serverMaxWindowBits === MAX_WINDOW_BITS
          ? undefined
          : serverMaxWindowBits,
      clientMaxWindowBits:
        mayTellClient && clientMaxWindowBits < MAX_WINDOW_BITS ? clientMaxWindowBits : undefined,
    }),
  }
}

/**
 * The server's choice among a client's offers: the first that it can keep (RFC 7692 section 5.1). An offer of
 * another extension, or with a parameter that is unknown, doubled or has a value it cannot have, is passed over
 * (RFC 7692 section 7.1); that is never an error.
 * @param offers as received, in the client's order of preference; not changed
 * @param config of the role 'server'
 * @param hasRoomForContexts whether what a client sends may be kept as its context: `CodecFactory.hasRoomForContexts`.
 *   Where not, only offers that promise `client_no_context_takeover` are taken, unless the server's options demand it
 * @returns what is agreed, and the value of Sec-WebSocket-Extensions to answer with; null declines all
 */
export function acceptOffer(
  offers: readonly ExtensionOffer[],
  config: ResolvedDeflateOptions,
  hasRoomForContexts = true,
): { agreed: AgreedParameters; response: string } | null {
  for (const offer of offers) {
    if (offer.name !== PERMESSAGE_DEFLATE) continue
    const received = readParameters(offer.parameters)
    if (typeof received === 'string') continue
    const accepted = acceptOne(received, config, hasRoomForContexts)
    if (accepted !== null) return accepted
  }
  return null
}

/** Where an answer grants less than {@link createOffer} asked for, though its messages can be read; null: nowhere. */
function shortfallOf(answer: ReceivedParameters, config: ResolvedDeflateOptions): string | null {
  if (config.serverNoContextTakeover && !answer.serverNoContextTakeover) {
    return `the server left out the ${SERVER_NO_CONTEXT_TAKEOVER} that was asked for`
  }
  const serverBits = answer.serverMaxWindowBits
  if (config.serverMaxWindowBits < MAX_WINDOW_BITS && serverBits === undefined) {
    return `the server left out the ${SERVER_MAX_WINDOW_BITS} that was asked for`
  }
  if (serverBits !== undefined && serverBits > config.serverMaxWindowBits) {
    return `${SERVER_MAX_WINDOW_BITS}=${String(serverBits)} to an offer of ${String(config.serverMaxWindowBits)}`
  }
  const clientBits = answer.clientMaxWindowBits
  if (typeof clientBits === 'number' && clientBits > Number(config.clientMaxWindowBits)) {
    return `${CLIENT_MAX_WINDOW_BITS}=${String(clientBits)} to an offer of ${String(config.clientMaxWindowBits)}`
  }
  return null
}

/** What an answer breaks of the offer that {@link createOffer} made, in words; null where it keeps it. */
function breachOf(answer: ReceivedParameters, config: ResolvedDeflateOptions): string | null {
  if (answer.clientMaxWindowBits !== undefined && config.clientMaxWindowBits === false) {
    return `${CLIENT_MAX_WINDOW_BITS} was not offered`
  }
  if (answer.clientMaxWindowBits === true) return `${CLIENT_MAX_WINDOW_BITS} needs a value in an answer`
  return config.strictNegotiation ? shortfallOf(answer, config) : null
}

/**
 * The client's check of the server's answer to {@link createOffer} (RFC 7692 sections 5.1 and 7.1): an answer that
 * breaks the offer fails the connection. One that leaves out what was asked of the server, or answers a larger window,
 * is taken all the same, unless `strictNegotiation` is set: an inflater with the largest window and with context reads
 * any message, and a client's own window may be smaller than that of the answer.
 * @param extensions what the server answered, in order
 * @param config of the role 'client', the one that made the offer
 * @returns what is agreed (null: the server declined, messages go uncompressed), or the error that fails the
 *   handshake, with code HAWSER_UNEXPECTED_EXTENSION
 */
export function verifyResponse(
  extensions: readonly ExtensionOffer[],
  config: ResolvedDeflateOptions,
): { agreed: AgreedParameters | null } | HandshakeError {
  const [first, second] = extensions
  if (first === undefined) return { agreed: null }
  const unexpected = [first, second].find((other) => other !== undefined && other.name !== PERMESSAGE_DEFLATE)
  if (unexpected !== undefined) return breach(showValue(unexpected.name))
  if (second !== undefined) return breach(`${PERMESSAGE_DEFLATE} stands twice`)
  const answer = readParameters(first.parameters)
  if (typeof answer === 'string') return breach(answer)
  const broken = breachOf(answer, config)
  return broken === null ? { agreed: agreedByAnswer(answer, config) } : breach(broken)
}

function breach(detail: string): HandshakeError {
  return new HandshakeError('HAWSER_UNEXPECTED_EXTENSION', { detail })
}

/** A client's own promises hold also where the answer does not repeat them (7.1.1.2, 7.1.2.2). */
function agreedByAnswer(answer: ReceivedParameters, config: ResolvedDeflateOptions): AgreedParameters {
  const ownBits = config.clientMaxWindowBits === false ? MAX_WINDOW_BITS : config.clientMaxWindowBits
  const answerBits =
    typeof answer.clientMaxWindowBits === 'number' ? answer.clientMaxWindowBits : MAX_WINDOW_BITS
  return {
    serverNoContextTakeover: answer.serverNoContextTakeover,
    clientNoContextTakeover: answer.clientNoContextTakeover || config.clientNoContextTakeover,
    serverMaxWindowBits: answer.serverMaxWindowBits ?? MAX_WINDOW_BITS,
    clientMaxWindowBits: Math.min(ownBits, answerBits),
  }
}
