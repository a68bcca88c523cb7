/** The header of extensions (RFC 6455 section 9.1), and what is agreed by it (RFC 7692 section 7.1). */
import { HandshakeError } from '../../src/errors.js'
import {
  acceptOffer,
  createOffer,
  PERMESSAGE_DEFLATE,
  resolveDeflateOptions,
  verifyResponse,
  type AgreedParameters,
  type PerMessageDeflateOptions,
  type ResolvedDeflateOptions,
  type WindowBits,
} from '../../src/deflate/negotiation.js'
import {
  formatExtension,
  parseExtensionHeader,
  type ExtensionOffer,
} from '../../src/handshake/extension-header.js'
import { check, checkSame, Choices, inputOf, type Target } from './choices.js'

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const BITS: readonly WindowBits[] = [15, 8, 9, 10, 12]

function optionsOf(choices: Choices, role: 'client' | 'server'): ResolvedDeflateOptions {
  const options: PerMessageDeflateOptions = {
    serverNoContextTakeover: choices.flag,
    clientNoContextTakeover: choices.flag,
    serverMaxWindowBits: choices.pick(BITS),
    clientMaxWindowBits: choices.pick<WindowBits | false>([...BITS, false]),
    ...(role === 'client' && { strictNegotiation: choices.flag }),
  }
  return resolveDeflateOptions(options, role) as ResolvedDeflateOptions
}

function checkAgreed({ serverMaxWindowBits, clientMaxWindowBits }: AgreedParameters): void {
  for (const bits of [serverMaxWindowBits, clientMaxWindowBits]) {
    check(Number.isInteger(bits) && bits >= 8 && bits <= 15, 'a window has 8 to 15 bits', () => String(bits))
  }
}

const QUOTED = /^"(?:\\?[!#$%&'*+.^_`|~0-9A-Za-z-])+"$/
const trim = (text: string): string => text.replace(/^[\t ]+|[\t ]+$/g, '')

/** A parameter, by the grammar alone. @returns null: it is not one */
function readParameter(text: string): readonly [string, string | true] | null {
  const at = text.indexOf('=')
  if (at < 0) return TOKEN.test(text) ? [text, true] : null
  const [name, value] = [trim(text.slice(0, at)), trim(text.slice(at + 1))]
  if (!TOKEN.test(name)) return null
  if (TOKEN.test(value)) return [name, value]
  return QUOTED.test(value) ? [name, value.slice(1, -1).replaceAll('\\', '')] : null
}

/** The header by the grammar alone: since values are tokens, no comma or semicolon can stand in one. */
function readPlainly(text: string): readonly ExtensionOffer[] | null {
  const list: ExtensionOffer[] = []
  const members = text.split(',').map(trim)
  for (const member of members.filter((one) => one !== '')) {
    const [name = '', ...rest] = member.split(';').map(trim)
    const parameters = rest.map(readParameter)
    if (!TOKEN.test(name) || parameters.includes(null)) return null
    list.push({ name, parameters: parameters as (readonly [string, string | true])[] })
  }
  return list.length === 0 && members.length > 1 ? null : list
}

/** The text as it comes from the wire, in one of the ways that a header takes. */
function checkList(text: string, list: readonly ExtensionOffer[]): void {
  for (const { name, parameters } of list) {
    check(TOKEN.test(name), 'the name of an extension is a token')
    for (const [parameter, value] of parameters) {
      check(TOKEN.test(parameter), 'the name of a parameter is a token')
      check(value === true || TOKEN.test(value), 'the value of a parameter is a token')
    }
  }
  const written = list.map(formatExtension).join(', ')
  checkSame(parseExtensionHeader(written), list, 'what was read is read again from what is written')
  check(
    written.length <= text.length * 2 + 2,
    'what is written is not longer than what was read, but for spaces',
  )
}

/** A server answers an offer: a client that made it takes the answer, and both agree on the same. */
function checkServer(list: readonly ExtensionOffer[], choices: Choices): void {
  const config = optionsOf(choices, 'server')
  const hasRoom = choices.flag
  const accepted = acceptOffer(list, config, hasRoom)
  if (accepted === null) return
  checkAgreed(accepted.agreed)
  check(hasRoom || accepted.agreed.clientNoContextTakeover, 'no context is kept where there is no room')
  check(
    accepted.agreed.serverMaxWindowBits <= config.serverMaxWindowBits,
    'the window of the server is that of its options',
  )
  const answers = parseExtensionHeader(accepted.response)
  check(answers?.length === 1 && answers[0]?.name === PERMESSAGE_DEFLATE, 'the answer is one extension')
  const isOffered = list.some(({ name, parameters }) => {
    const offered = new Map(parameters)
    const largest = Number(offered.get('server_max_window_bits') ?? 15)
    return (
      name === PERMESSAGE_DEFLATE &&
      offered.size === parameters.length &&
      accepted.agreed.serverMaxWindowBits <= largest &&
      (!offered.has('server_no_context_takeover') || accepted.agreed.serverNoContextTakeover) &&
      (!accepted.response.includes('client_max_window_bits') || offered.has('client_max_window_bits'))
    )
  })
  check(isOffered, 'the answer keeps to an offer that was made', () => accepted.response)
}

function checkClient(list: readonly ExtensionOffer[], choices: Choices): void {
  const config = optionsOf(choices, 'client')
  const result = verifyResponse(list, config)
  if (result instanceof HandshakeError) {
    checkSame(result.code, 'HAWSER_UNEXPECTED_EXTENSION', 'an answer that breaks the offer is unexpected')
    return
  }
  check((result.agreed === null) === (list.length === 0), 'an answer without extensions agrees on nothing')
  if (result.agreed === null) return
  checkAgreed(result.agreed)
  const { serverNoContextTakeover, serverMaxWindowBits, strictNegotiation } = config
  if (!strictNegotiation) return
  check(
    result.agreed.serverNoContextTakeover || !serverNoContextTakeover,
    'a strict client gets what it asked for',
  )
  check(
    result.agreed.serverMaxWindowBits <= serverMaxWindowBits,
    'a strict client gets the window it asked for',
  )
}

/** Any server takes what any client offers, or declines it, and the client takes the answer. */
function checkBoth(choices: Choices): void {
  const client = optionsOf(choices, 'client')
  const offers = parseExtensionHeader(createOffer(client))
  check(offers !== null, 'an offer of our own is read')
  const accepted = acceptOffer(offers, optionsOf(choices, 'server'), choices.flag)
  if (accepted === null) return
  const answer = parseExtensionHeader(accepted.response)
  check(answer !== null, 'an answer of our own is read')
  const result = verifyResponse(answer, client)
  check(
    !(result instanceof HandshakeError),
    'our client takes the answer of our server',
    () => accepted.response,
  )
  const { agreed } = result
  check(agreed !== null, 'our client sees that it was accepted')
  check(
    agreed.serverMaxWindowBits >= accepted.agreed.serverMaxWindowBits,
    'the client reads what the server writes',
  )
  check(
    accepted.agreed.clientMaxWindowBits >= agreed.clientMaxWindowBits,
    'the server reads what the client writes',
  )
}

function run(input: Buffer): void {
  const choices = new Choices(input)
  const text = choices.bytes.toString('latin1')
  checkBoth(choices)
  const list = parseExtensionHeader(text)
  checkSame(list, readPlainly(text), 'the header is read as the grammar has it')
  if (list === null) return
  checkList(text, list)
  checkServer(list, choices)
  checkClient(list, choices)
}

const HEADERS = [
  'permessage-deflate',
  'permessage-deflate; client_max_window_bits',
  'permessage-deflate; client_max_window_bits=10; server_max_window_bits="9"',
  'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
  'permessage-deflate; server_max_window_bits=15, permessage-deflate',
  'x; a="b\\c" , ,y;d = e',
  '__proto__; constructor=toString',
  'permessage-deflate; client_max_window_bits=16',
  'permessage-deflate; server_max_window_bits=08',
  'permessage-deflate; server_max_window_bits',
  'permessage-deflate; client_max_window_bits; client_max_window_bits',
  'x; a="b',
  ',',
  '',
]

export const target: Target = {
  title: 'the header of extensions, and the negotiation of permessage-deflate',
  lanes: ['native'],
  maxBytes: 600,
  seeds: () =>
    HEADERS.flatMap((text, i) => [inputOf(text), inputOf(text, i, i + 1, 1, 2, 3, i, 1, 0, 1, 1, i, i, i)]),
  run,
}
