import { createHash } from 'node:crypto'
import { showValue, type Check } from '../check.js'
import { BROKER_CHECKS } from './broker-options.js'

/** What a token of a subject, and of a key, may hold as it is: letters, digits, `_` and `-`. */
const PLAIN = /^[\w-]+$/
const PLAIN_CHARACTER = /[\w-]/
/** In UTF-8 all of them would be the same. */
const LONE_SURROGATE = /\p{Surrogate}/u
/** A longer token stands as its hash: a server of NATS ends a connection that sends it a line of more than 4 KiB. */
const MAX_TOKEN_LENGTH = 200

/**
 * Any text as one token of a subject. Other characters stand as `=` and two hexadecimal digits for each byte of UTF-8:
 * `.`, `*`, `>` and spaces mean something in subjects. A text whose token is too long, and one
 * that is not UTF-8, stands as `=H` and its SHA-256.
 */
export function encodeToken(text: string): string {
  if (text.length <= MAX_TOKEN_LENGTH && !LONE_SURROGATE.test(text)) {
    if (PLAIN.test(text)) return text
    const token = Array.from(Buffer.from(text), encodeByte).join('')
    if (token.length <= MAX_TOKEN_LENGTH) return token
  }
  return `=H${createHash('sha256').update(text, 'utf16le').digest('base64url')}`
}

function encodeByte(byte: number): string {
  const character = String.fromCharCode(byte)
  return PLAIN_CHARACTER.test(character) ? character : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

const PREFIX = /^[\w-]+(\.[\w-]+)*$/

/** Checks for the beginning of subjects. */
export const subjectPrefix: Check<string> = (name, value) => {
  const text = BROKER_CHECKS.prefix(name, value)
  if (PREFIX.test(text)) return text
  throw new RangeError(`${name} must have no dot at its ends, and no two in a row, not ${showValue(text)}`)
}
