import type { Style } from './style.js'

/** A value that fits is kept on one line. */
const MAX_LINE_CHARACTERS = 72
/** Deeper levels are not indented any further, so that the output stays linear in the input. */
const MAX_INDENTED_LEVELS = 24

/**
 * Lays out the JSON text of an object or an array. Numbers, strings and doubled keys stay as they were written: nothing is
 * parsed and written anew.
 * @returns null for what is not such a text
 */
export function layOutJson(text: string, style: Style): string | null {
  if (!/^\s*[[{]/.test(text)) return null
  try {
    JSON.parse(text)
  } catch {
    return null
  }
  if (text.length <= 2 * MAX_LINE_CHARACTERS) {
    const line = new Layout(text, style, false)
    const result = line.write()
    if (line.width <= MAX_LINE_CHARACTERS) return result
  }
  return new Layout(text, style, true).write()
}

const MARKS = '[]{},:'
const SPACE = ' \t\n\r'

/** One pass over the tokens of a valid text. */
class Layout {
  /** The characters written, without colours. */
  width = 0
  private readonly text: string
  private readonly style: Style
  private readonly isIndented: boolean
  private depth = 0
  private output = ''

  constructor(text: string, style: Style, isIndented: boolean) {
    this.text = text
    this.style = style
    this.isIndented = isIndented
  }

  write(): string {
    let opened = ''
    for (let start = this.skipSpace(0); start < this.text.length;) {
      const end = this.endOfToken(start)
      const token = this.text.slice(start, end)
      start = this.skipSpace(end)
      const isClosing = token === '}' || token === ']'
      const isEmpty = opened !== '' && isClosing
      if (opened !== '' && !isEmpty) this.breakLine(opened === '{' ? ' ' : '')
      opened = ''
      if (token === '{' || token === '[') {
        this.put(token)
        this.depth++
        opened = token
      } else if (isClosing) {
        this.depth--
        if (!isEmpty) this.breakLine(token === '}' ? ' ' : '')
        this.put(token)
      } else if (token === ',') {
        this.put(token)
        this.breakLine(' ')
      } else if (token === ':') {
        this.put(': ')
      } else {
        this.put(token, this.colourOf(token, this.text[start]))
      }
    }
    return this.output
  }

  private skipSpace(from: number): number {
    let at = from
    while (at < this.text.length && SPACE.includes(this.text[at] as string)) at++
    return at
  }

  /** The text is valid: a token is a mark, a string, or a number or word that ends before a mark or white space. */
  private endOfToken(start: number): number {
    const first = this.text[start] as string
    if (MARKS.includes(first)) return start + 1
    if (first === '"') return this.endOfString(start)
    let end = start + 1
    while (
      end < this.text.length &&
      !MARKS.includes(this.text[end] as string) &&
      !SPACE.includes(this.text[end] as string)
    )
      end++
    return end
  }

  /** No regular expression: one over a string of megabytes runs out of stack. */
  private endOfString(start: number): number {
    for (let quote = this.text.indexOf('"', start + 1); ; quote = this.text.indexOf('"', quote + 1)) {
      let backslashes = 0
      while (this.text[quote - 1 - backslashes] === '\\') backslashes++
      if (backslashes % 2 === 0) return quote + 1
    }
  }

  /** @param next the character after the token and white space */
  private colourOf(token: string, next: string | undefined): (text: string) => string {
    if (!token.startsWith('"')) return this.style.yellow
    return next === ':' ? this.style.cyan : this.style.green
  }

  private put(token: string, colour?: (text: string) => string): void {
    this.output += colour === undefined ? token : colour(token)
    this.width += token.length
  }

  /** @param between where everything stays on one line */
  private breakLine(between: string): void {
    this.put(this.isIndented ? `\n${'  '.repeat(Math.min(this.depth, MAX_INDENTED_LEVELS))}` : between)
  }
}
