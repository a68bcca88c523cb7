/** Reads the values of headers as `ws` reads them, with its errors. */
import { isTokenCode } from '../../../src/handshake/tokens.js'

const SPACE = 0x20
const TAB = 0x09

/** @param index of the character in the value of the header */
export const unexpectedCharacter = (index: number): SyntaxError =>
  new SyntaxError(`Unexpected character at index ${String(index)}`)

const unexpectedEnd = (): SyntaxError => new SyntaxError('Unexpected end of input')

/** A position in a header value. Methods only move it forward, so reading the value takes one pass. */
export class HeaderCursor {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** The index of the next character. */
  get at(): number {
    return this.#at
  }

  get atEnd(): boolean {
    return this.#at === this.#text.length
  }

  /** Skips blanks before more of the value. @throws SyntaxError where nothing follows them */
  skipBlanks(): void {
    const start = this.#at
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== SPACE && code !== TAB) break
      this.#at++
    }
    if (this.atEnd && this.#at > start) throw unexpectedEnd()
  }

  /** Skips this character if it is next. @returns whether it was */
  take(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false
    this.#at++
    return true
  }

  /** @throws SyntaxError for any other character */
  expect(code: number): void {
    if (!this.take(code)) throw unexpectedCharacter(this.#at)
  }

  /** @throws SyntaxError at the end */
  next(): number {
    if (this.atEnd) throw unexpectedEnd()
    return this.#text.charCodeAt(this.#at++)
  }

  /** Reads a token of at least one character. @throws SyntaxError for anything else */
  token(): string {
    const start = this.#at
    while (isTokenCode(this.#text.charCodeAt(this.#at))) this.#at++
    if (this.#at > start) return this.#text.slice(start, this.#at)
    throw this.atEnd ? unexpectedEnd() : unexpectedCharacter(this.#at)
  }
}
