/**
 * What an extension is to the rest of Hawser (RFC 6455 section 9): a name in the negotiation, reserved bits, and a codec for
 * the messages of each connection. A new one is a folder with an implementation, an option, and a place in the lists that
 * `resolveServerOptions` (`server/options.ts`) and `readConnectOptions` (`client/connect-options.ts`) make.
 */
import { HandshakeError } from '../errors.js'
import { formatExtension, type ExtensionOffer } from '../handshake/extension-header.js'
import { showValue } from '../check.js'
import { CodecChain } from './codec-chain.js'
import type { MessageCodec } from './message-codec.js'

/** What both ends agreed to, of one extension, or of all. */
export interface Agreement {
  /** What the server answers, or answered: a value of Sec-WebSocket-Extensions. */
  readonly response: string
  /** Makes the codec of the connection, which closes it. Called once, or not at all where there is no connection. */
  createCodec(): MessageCodec
}

/** One extension as one server, or one client, has it configured. It changes whole messages. */
export interface Extension {
  /** As it stands in Sec-WebSocket-Extensions. */
  readonly name: string
  /** The reserved bits that its messages may have. Two extensions with a common bit are never in use together. */
  readonly reservedBits: number
  /** What a client offers: a value of Sec-WebSocket-Extensions. */
  offer(): string
  /**
   * A server's choice among the offers of this extension.
   * @param offers of this name, in the client's order of preference; not empty
   * @returns null: it declines them all
   */
  accept(offers: readonly ExtensionOffer[]): Agreement | null
  /**
   * A client's check of the server's answer to what {@link offer} gave.
   * @returns the error that fails the handshake, with code HAWSER_UNEXPECTED_EXTENSION
   */
  verify(answer: ExtensionOffer): Agreement | HandshakeError
}

/** The extensions of one server or one client, in order: a message passes through the first of them first. */
export class Extensions {
  readonly #list: readonly Extension[]

  constructor(list: readonly Extension[]) {
    this.#list = list
  }

  get names(): readonly string[] {
    return this.#list.map(({ name }) => name)
  }

  /** What a client offers; undefined: nothing. */
  offer(): string | undefined {
    return this.#list.length === 0 ? undefined : this.#list.map((one) => one.offer()).join(', ')
  }

  /**
   * A server's answer to a client's offers.
   * @returns null: no extension is in use
   */
  accept(offers: readonly ExtensionOffer[]): Agreement | null {
    if (offers.length === 0) return null
    const agreed: Agreement[] = []
    let bitsInUse = 0
    for (const extension of this.#list) {
      if ((extension.reservedBits & bitsInUse) !== 0) continue
      const own = offers.filter(({ name }) => name === extension.name)
      const agreement = own.length === 0 ? null : extension.accept(own)
      if (agreement === null) continue
      bitsInUse |= extension.reservedBits
      agreed.push(agreement)
    }
    return joined(agreed)
  }

  /**
   * A client's check of a server's answer.
   * @param answers what the server chose, in its order (RFC 6455 section 9.1: the first is applied first)
   * @returns null: no extension is in use; or the error that fails the handshake
   */
  verify(answers: readonly ExtensionOffer[]): Agreement | HandshakeError | null {
    const agreed: Agreement[] = []
    const seen = new Set<string>()
    let bitsInUse = 0
    for (const answer of answers) {
      const extension = this.#list.find(({ name }) => name === answer.name)
      if (extension === undefined) return unexpected(showValue(answer.name))
      if (seen.has(answer.name)) return unexpected(`${answer.name} stands twice`)
      if ((extension.reservedBits & bitsInUse) !== 0) {
        return unexpected(`${answer.name} needs a reserved bit that another extension has`)
      }
      const agreement = extension.verify(answer)
      if (agreement instanceof HandshakeError) return agreement
      seen.add(answer.name)
      bitsInUse |= extension.reservedBits
      agreed.push(agreement)
    }
    return joined(agreed)
  }
}

/** @param answer of a server, for an {@link Agreement} of a client */
export function responseOf(answer: ExtensionOffer): string {
  return formatExtension(answer)
}

function unexpected(detail: string): HandshakeError {
  return new HandshakeError('HAWSER_UNEXPECTED_EXTENSION', { detail })
}

function joined(agreed: readonly Agreement[]): Agreement | null {
  const [first] = agreed
  if (first === undefined) return null
  if (agreed.length === 1) return first
  return {
    response: agreed.map(({ response }) => response).join(', '),
    createCodec: () => new CodecChain(agreed.map((one) => one.createCodec())),
  }
}
