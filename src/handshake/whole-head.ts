/** A request's head that lies whole in one chunk, as nearly all do (RFC 9112 sections 2, 3 and 5). */

import { sliceLatin1 } from '../native/buffer-text.js'
import { HeaderFields } from './header-fields.js'
import { COLON, CR, isDigitCode, LF, skipFieldValue, skipTarget, skipToken, SP, trimOws } from './tokens.js'

/** The head of a request (RFC 9112 section 3). Its parts are as sent: nothing is decoded. */
export interface RequestHead {
  /** The method, such as `GET`. */
  readonly method: string
  /** The request target, in any of its four forms (RFC 9112 section 3.2). */
  readonly target: string
  /** `'1.1'` */
  readonly httpVersion: string
  /** The header fields. */
  readonly headers: HeaderFields
}

export const HTTP_NAME = 'HTTP/'
/** The length of `HTTP/1.1`. */
export const VERSION_CHARACTERS = 8

/** Whether this byte may stand at this index in `HTTP/1.1`, with any two digits. */
export function fitsVersion(code: number, index: number): boolean {
  if (index < HTTP_NAME.length) return code === HTTP_NAME.charCodeAt(index)
  return index === HTTP_NAME.length + 1 ? code === 0x2e : isDigitCode(code)
}

/** Bytes as text, one character each. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  // With the method of native a head takes half of the time (Node 20, 2026-11).
  return sliceLatin1(buffer, start, end)
}

/** A head, and how many bytes it has with its blank line. */
export interface WholeRequest {
  readonly head: RequestHead
  readonly length: number
}

const isLineEnd = (bytes: Uint8Array, at: number): boolean => bytes[at] === CR && bytes[at + 1] === LF

/**
 * Reads a head in a quarter of the time that it takes to go from byte to byte with a state between (Node 20, 2026-11).
 * @returns null for a head that is cut, or wrong in any way: who looks byte by byte finds where
 */
export function readWholeRequest(
  chunk: Uint8Array,
  maxHeaderBytes: number,
  maxHeaderCount: number,
): WholeRequest | null {
  const methodEnd = skipToken(chunk, 0)
  const targetStart = methodEnd + 1
  const targetEnd = skipTarget(chunk, targetStart)
  const versionStart = targetEnd + 1
  const fieldsStart = versionStart + VERSION_CHARACTERS + 2
  if (methodEnd === 0 || chunk[methodEnd] !== SP || targetEnd === targetStart || chunk[targetEnd] !== SP)
    return null
  for (let i = 0; i < VERSION_CHARACTERS; i++) {
    // Behind the end of the chunk there is no byte: NaN fits nowhere.
    if (!fitsVersion(chunk[versionStart + i] ?? NaN, i)) return null
  }
  if (!isLineEnd(chunk, fieldsStart - 2)) return null
  // Where each name and each value ends.
  const ends: number[] = []
  let at = fieldsStart
  while (!isLineEnd(chunk, at)) {
    const nameEnd = skipToken(chunk, at)
    const valueEnd = skipFieldValue(chunk, nameEnd + 1)
    if (nameEnd === at || chunk[nameEnd] !== COLON || !isLineEnd(chunk, valueEnd)) return null
    ends.push(nameEnd, valueEnd)
    at = valueEnd + 2
  }
  const length = at + 2
  if (length > maxHeaderBytes || ends.length / 2 > maxHeaderCount) return null

  const text = latin1(chunk, 0, at)
  const raw: string[] = []
  let nameStart = fieldsStart
  for (let i = 0; i < ends.length; i += 2) {
    const nameEnd = ends[i] as number
    const valueEnd = ends[i + 1] as number
    raw.push(text.slice(nameStart, nameEnd), trimOws(text, nameEnd + 1, valueEnd))
    nameStart = valueEnd + 2
  }
  const head: RequestHead = {
    method: text.slice(0, methodEnd),
    // A connection keeps its target, and a slice of the text would keep all of it.
    target: latin1(chunk, targetStart, targetEnd),
    httpVersion: text.slice(versionStart + HTTP_NAME.length, versionStart + VERSION_CHARACTERS),
    headers: HeaderFields.fromPairs(raw),
  }
  return { head, length }
}
