/** The header Sec-WebSocket-Extensions as `ws` gives it: `extension.parse` and `extension.format`. */
import { isTokenCode } from '../../../src/handshake/tokens.js'
import { HeaderCursor, unexpectedCharacter } from './header-cursor.js'

/** The parameters of one offer: each name with its values in the order of the header, `true` where there is none. */
export type ExtensionParameters = Record<string, (string | true)[]>
/** All offers of a header, by the name of the extension, in the order of the header. */
export type ExtensionOffers = Record<string, ExtensionParameters[]>

const COMMA = 0x2c
const SEMICOLON = 0x3b
const EQUALS = 0x3d
const DQUOTE = 0x22
const BACKSLASH = 0x5c

/** The names are the peer's: an object without a prototype has no member but them. */
const emptyRecord = <Value>(): Record<string, Value> => Object.create(null) as Record<string, Value>

function append<Value>(record: Record<string, Value[]>, name: string, value: Value): void {
  const values = record[name]
  if (values === undefined) record[name] = [value]
  else values.push(value)
}

/** Reads a quoted string after its opening quote. Each character, escaped or not, must be one of a token. */
function readQuoted(cursor: HeaderCursor): string {
  let value = ''
  for (;;) {
    let code = cursor.next()
    if (code === DQUOTE && value !== '') return value
    if (code === BACKSLASH) code = cursor.next()
    if (!isTokenCode(code)) throw unexpectedCharacter(cursor.at - 1)
    value += String.fromCharCode(code)
  }
}

/** Reads what follows a semicolon: the name of a parameter, and its value if there is one. */
function readParameter(cursor: HeaderCursor, parameters: ExtensionParameters): void {
  cursor.skipBlanks()
  const name = cursor.token()
  if (!cursor.take(EQUALS)) {
    append<string | true>(parameters, name, true)
    return
  }
  append<string | true>(parameters, name, cursor.take(DQUOTE) ? readQuoted(cursor) : cursor.token())
}

/**
 * Parses a Sec-WebSocket-Extensions header, in one pass.
 * @throws SyntaxError with the index of the character that must not stand there, or for a value that ends too early
 */
function parse(header: string): ExtensionOffers {
  const offers = emptyRecord<ExtensionParameters[]>()
  const cursor = new HeaderCursor(header)
  for (;;) {
    const name = cursor.token()
    const parameters: ExtensionParameters = emptyRecord()
    cursor.skipBlanks()
    while (cursor.take(SEMICOLON)) {
      readParameter(cursor, parameters)
      cursor.skipBlanks()
    }
    append(offers, name, parameters)
    if (cursor.atEnd) return offers
    cursor.expect(COMMA)
    cursor.skipBlanks()
  }
}

type OneOrMore<Value> = Value | readonly Value[]

const toList = <Value>(value: OneOrMore<Value>): readonly Value[] =>
  Array.isArray(value) ? (value as readonly Value[]) : [value as Value]

/** What `format` takes: a parameter without a value has `true`; one value or one offer may stand without its list. */
export type ExtensionsToFormat = Record<string, OneOrMore<Record<string, OneOrMore<string | number | true>>>>

/** Formats offers for a Sec-WebSocket-Extensions header: the inverse of `parse`. */
function format(extensions: ExtensionsToFormat): string {
  const texts: string[] = []
  for (const [name, offers] of Object.entries(extensions)) {
    for (const parameters of toList(offers)) {
      let text = name
      for (const [parameter, values] of Object.entries(parameters)) {
        for (const value of toList(values)) {
          text += value === true ? `; ${parameter}` : `; ${parameter}=${String(value)}`
        }
      }
      texts.push(text)
    }
  }
  return texts.join(', ')
}

/** The functions `parse` and `format`. */
export const extension = { format, parse }
