/** The header Sec-WebSocket-Protocol as `ws` gives it: `subprotocol.parse`. */
import { HeaderCursor } from './header-cursor.js'

const COMMA = 0x2c

/**
 * Parses a Sec-WebSocket-Protocol header.
 * @returns the names, in the order of the header
 * @throws SyntaxError with the index of the character that must not stand there, for a value that ends too early, or for a
 *   name that appears twice
 */
function parse(header: string): Set<string> {
  const names = new Set<string>()
  const cursor = new HeaderCursor(header)
  for (;;) {
    const name = cursor.token()
    cursor.skipBlanks()
    const isLast = cursor.atEnd
    if (!isLast) cursor.expect(COMMA)
    if (names.has(name)) throw new SyntaxError(`The "${name}" subprotocol is duplicated`)
    names.add(name)
    if (isLast) return names
    cursor.skipBlanks()
  }
}

/** The function `parse`. */
export const subprotocol = { parse }
