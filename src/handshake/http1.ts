/**
 * Reads HTTP/1.1 heads (RFC 9112 sections 2 to 5) byte by byte from chunks of any size, as strictly as the RFC
 * allows: CRLF only, no folded lines, no control characters, no space before a colon.
 *
 * A head that is refused here is not always a request that is refused. On a port of its own a server gives every connection
 * whose first bytes are not a correct head to node:http, which may read the head and go on (`DirectAccept` in
 * `src/server/direct-upgrade.ts`); on an HTTP server of the application, node:http alone reads heads. A request that every
 * server has to refuse is refused in `readUpgradeRequest` of `server-handshake.ts`, which sees what either of them read.
 */

import { HandshakeError, InvalidStateError } from '../errors.js'
import { checkOptionNames, number, showValue, type Checks } from '../check.js'
import { SERVER_LIMITS } from '../limits.js'
import { HeaderFields } from './header-fields.js'
import {
  fitsVersion,
  HTTP_NAME,
  latin1,
  readWholeRequest,
  VERSION_CHARACTERS,
  type RequestHead,
} from './whole-head.js'
import { COLON, CR, isDigitCode, isFieldValueCode, isTokenCode, LF, SP, trimOws } from './tokens.js'

export { HeaderFields, type RequestHead }

/** The head of a response (RFC 9112 section 4). */
export interface ResponseHead {
  /** 100 to 999 */
  readonly status: number
  /** The reason phrase, often empty. */
  readonly statusText: string
  /** `'1.1'` */
  readonly httpVersion: string
  /** The header fields. */
  readonly headers: HeaderFields
}

/** The result type for each kind of head. */
export interface HeadTypes {
  /** The head of a request. */
  readonly request: RequestHead
  /** The head of a response. */
  readonly response: ResponseHead
}

/** The bounds of a head. */
export interface HeadScannerOptions {
  /** The largest head with its blank line, in bytes: 64 or more. Default 16 KiB; `Infinity` for no limit. */
  readonly maxHeaderBytes?: number
  /** The largest number of header fields. Default 256; `Infinity` for no limit. */
  readonly maxHeaderCount?: number
}

/** The largest number of header fields in a head, unless the caller sets another. */
export const DEFAULT_MAX_HEADER_COUNT = 256

const CHECKS = {
  maxHeaderBytes: number({ min: 64, integer: true }, SERVER_LIMITS.maxHeaderBytes),
  maxHeaderCount: number({ min: 1, integer: true }, DEFAULT_MAX_HEADER_COUNT),
} satisfies Checks<HeadScannerOptions>

const STATUS_DIGITS = 3

/** The element that the next byte belongs to. */
const State = {
  REQUEST_START: 0,
  EMPTY_LINE_LF: 1,
  METHOD: 2,
  TARGET: 3,
  VERSION: 4,
  REQUEST_LINE_CR: 5,
  STATUS_SP: 6,
  STATUS: 7,
  REASON_SP: 8,
  REASON: 9,
  START_LINE_LF: 10,
  FIELD_START: 11,
  NAME: 12,
  VALUE: 13,
  FIELD_LF: 14,
  HEAD_LF: 15,
  DONE: 16,
} as const
type State = (typeof State)[keyof typeof State]

/** How an error names the place of an unexpected byte, by state. */
const PLACES: readonly string[] = [
  'at the start of the request',
  'after a carriage return',
  'in the method',
  'in the request target',
  'in the HTTP version',
  'after the HTTP version',
  'after the HTTP version',
  'in the status code',
  'after the status code',
  'in the reason phrase',
  'after a carriage return',
  'at the start of a header line',
  'in a header name',
  'in a header value',
  'after a carriage return',
  'after a carriage return',
]

/**
 * Reads one head from a stream of bytes that is cut in any way (RFC 9112 section 2.2). It reads each byte once, even
 * if the bytes arrive one at a time. The first byte that cannot be right fails the head, without waiting for more.
 *
 * ```js
 * const scanner = new HeadScanner('response', { maxHeaderBytes: 16384 })
 * if (scanner.push(chunk) === 'done') use(scanner.head, scanner.rest)
 * ```
 */
export class HeadScanner<Kind extends keyof HeadTypes> {
  readonly #kind: Kind
  readonly #maxHeaderBytes: number
  readonly #maxHeaderCount: number
  #state: State
  /** How many bytes of the head are read. */
  #received = 0
  /** The start of the current element, from earlier chunks. */
  #text = ''
  #emptyLineSeen = false
  #method = ''
  #target = ''
  #httpVersion = ''
  #status = 0
  #statusText = ''
  readonly #rawHeaders: string[] = []
  #head: HeadTypes[Kind] | null = null
  #rest: Uint8Array = new Uint8Array(0)
  #error: HandshakeError | null = null

  /**
   * @param kind which head to expect
   * @throws TypeError or RangeError for a wrong kind or bound
   */
  constructor(kind: Kind, options: HeadScannerOptions = {}) {
    if (kind !== 'request' && kind !== 'response') {
      throw new TypeError(`kind must be "request" or "response", not ${showValue(kind)}`)
    }
    // Once for each connection: the checks are called as they are, and no object is made between.
    checkOptionNames('HeadScannerOptions', options, CHECKS)
    this.#kind = kind
    this.#maxHeaderBytes = CHECKS.maxHeaderBytes('maxHeaderBytes', options.maxHeaderBytes)
    this.#maxHeaderCount = CHECKS.maxHeaderCount('maxHeaderCount', options.maxHeaderCount)
    this.#state = kind === 'request' ? State.REQUEST_START : State.VERSION
  }

  /** The head, once `push` has returned `'done'`. */
  get head(): HeadTypes[Kind] | null {
    return this.#head
  }

  /** The bytes after the head: a view of the last pushed chunk, valid for as long as that chunk. */
  get rest(): Uint8Array {
    return this.#rest
  }

  /**
   * Why `push` returned `'failed'`: for a request HAWSER_MALFORMED_HEAD (400) or HAWSER_HEAD_TOO_LARGE (431),
   * for a response HAWSER_MALFORMED_RESPONSE or HAWSER_RESPONSE_TOO_LARGE.
   */
  get error(): HandshakeError | null {
    return this.#error
  }

  /**
   * Reads the next bytes.
   * @param chunk not changed, and not kept after the call except as {@link rest}
   * @returns `'more'` until the blank line is read; after `'failed'`, always `'failed'`
   * @throws TypeError if `chunk` is not a Uint8Array; InvalidStateError after `'done'`, because further bytes are not
   *   part of the head and would be lost
   */
  push(chunk: Uint8Array): 'more' | 'done' | 'failed' {
    if (!(chunk instanceof Uint8Array)) {
      throw new TypeError(`chunk must be a Uint8Array, not ${showValue(chunk)}`)
    }
    if (this.#head !== null) {
      throw new InvalidStateError('the head is complete: no bytes after it may be pushed')
    }
    if (this.#error !== null) return 'failed'
    if (this.#state === State.REQUEST_START && this.#received === 0) {
      const whole = readWholeRequest(chunk, this.#maxHeaderBytes, this.#maxHeaderCount)
      if (whole !== null) {
        this.#head = whole.head as HeadTypes[Kind]
        this.#rest = chunk.subarray(whole.length)
        this.#state = State.DONE
        return 'done'
      }
    }
    this.#error = this.#scan(chunk)
    if (this.#error !== null) return 'failed'
    return this.#state === State.DONE ? 'done' : 'more'
  }

  /** @returns why the head fails in this chunk, or null */
  #scan(chunk: Uint8Array): HandshakeError | null {
    const end = Math.min(chunk.length, this.#maxHeaderBytes - this.#received)
    // Where the current element starts in this chunk.
    let mark = 0
    for (let i = 0; i < end; i++) {
      const code = chunk[i] as number
      switch (this.#state) {
        case State.REQUEST_START:
          if (code === CR && !this.#emptyLineSeen) {
            // A recipient should ignore one empty line before a request (RFC 9112 section 2.2).
            this.#emptyLineSeen = true
            this.#state = State.EMPTY_LINE_LF
            continue
          }
          if (!isTokenCode(code)) return this.#unexpected(code, i)
          mark = i
          this.#state = State.METHOD
          continue

        case State.EMPTY_LINE_LF:
          if (code !== LF) return this.#unexpected(code, i)
          this.#state = State.REQUEST_START
          continue

        case State.METHOD:
          if (isTokenCode(code)) continue
          if (code !== SP) return this.#unexpected(code, i)
          this.#method = this.#takeText(chunk, mark, i)
          mark = i + 1
          this.#state = State.TARGET
          continue

        case State.TARGET:
          if (code > SP && code < 0x7f) continue
          if (code !== SP) return this.#unexpected(code, i)
          this.#target = this.#takeText(chunk, mark, i)
          if (this.#target === '') return this.#unexpected(code, i)
          this.#state = State.VERSION
          continue

        case State.VERSION:
          if (!fitsVersion(code, this.#text.length)) return this.#unexpected(code, i)
          this.#text += String.fromCharCode(code)
          if (this.#text.length < VERSION_CHARACTERS) continue
          this.#httpVersion = this.#text.slice(HTTP_NAME.length)
          this.#text = ''
          this.#state = this.#kind === 'request' ? State.REQUEST_LINE_CR : State.STATUS_SP
          continue

        case State.REQUEST_LINE_CR:
          if (code !== CR) return this.#unexpected(code, i)
          this.#state = State.START_LINE_LF
          continue

        case State.STATUS_SP:
          if (code !== SP) return this.#unexpected(code, i)
          this.#state = State.STATUS
          continue

        case State.STATUS:
          if (!isDigitCode(code) || (code === 0x30 && this.#text === '')) return this.#unexpected(code, i)
          this.#text += String.fromCharCode(code)
          if (this.#text.length < STATUS_DIGITS) continue
          this.#status = Number(this.#text)
          this.#text = ''
          this.#state = State.REASON_SP
          continue

        case State.REASON_SP:
          // Against RFC 9112 section 4, some servers omit the space if no phrase follows it.
          if (code === CR) this.#state = State.START_LINE_LF
          else if (code === SP) this.#state = State.REASON
          else return this.#unexpected(code, i)
          mark = i + 1
          continue

        case State.REASON:
          if (isFieldValueCode(code)) continue
          if (code !== CR) return this.#unexpected(code, i)
          this.#statusText = this.#takeText(chunk, mark, i)
          this.#state = State.START_LINE_LF
          continue

        case State.START_LINE_LF:
          if (code !== LF) return this.#unexpected(code, i)
          this.#state = State.FIELD_START
          continue

        case State.FIELD_START:
          if (code === CR) {
            this.#state = State.HEAD_LF
            continue
          }
          // A space here would start a folded line (RFC 9112 section 5.2), which is refused as well.
          if (!isTokenCode(code)) return this.#unexpected(code, i)
          if (this.#rawHeaders.length / 2 === this.#maxHeaderCount) {
            return this.#tooLarge(`more than ${String(this.#maxHeaderCount)} header fields`)
          }
          mark = i
          this.#state = State.NAME
          continue

        case State.NAME:
          if (isTokenCode(code)) {
            while (i + 1 < end && isTokenCode(chunk[i + 1] as number)) i++
            continue
          }
          if (code !== COLON) return this.#unexpected(code, i)
          this.#rawHeaders.push(this.#takeText(chunk, mark, i))
          mark = i + 1
          this.#state = State.VALUE
          continue

        case State.VALUE:
          if (isFieldValueCode(code)) {
            while (i + 1 < end && isFieldValueCode(chunk[i + 1] as number)) i++
            continue
          }
          if (code !== CR) return this.#unexpected(code, i)
          this.#rawHeaders.push(trimOws(this.#takeText(chunk, mark, i)))
          this.#state = State.FIELD_LF
          continue

        case State.FIELD_LF:
          if (code !== LF) return this.#unexpected(code, i)
          this.#state = State.FIELD_START
          continue

        default:
          // HEAD_LF
          if (code !== LF) return this.#unexpected(code, i)
          this.#finish(chunk.subarray(i + 1))
          return null
      }
    }
    this.#received += end
    if (this.#received === this.#maxHeaderBytes) {
      return this.#tooLarge(`not complete after ${String(this.#maxHeaderBytes)} bytes`)
    }
    if (isTextState(this.#state)) this.#text += latin1(chunk, mark, end)
    return null
  }

  /** The text of the element that ends before `end`, including its start in earlier chunks. */
  #takeText(chunk: Uint8Array, start: number, end: number): string {
    const text = this.#text + latin1(chunk, start, end)
    this.#text = ''
    return text
  }

  #finish(rest: Uint8Array): void {
    const headers = HeaderFields.fromPairs(this.#rawHeaders)
    const httpVersion = this.#httpVersion
    const head: RequestHead | ResponseHead =
      this.#kind === 'request'
        ? { method: this.#method, target: this.#target, httpVersion, headers }
        : { status: this.#status, statusText: this.#statusText, httpVersion, headers }
    this.#head = head as HeadTypes[Kind]
    this.#rest = rest
    this.#state = State.DONE
  }

  #unexpected(code: number, index: number): HandshakeError {
    const byte = `0x${code.toString(16).padStart(2, '0')}`
    const detail = `unexpected byte ${byte} ${String(PLACES[this.#state])}, at offset ${String(this.#received + index)}`
    return new HandshakeError(
      this.#kind === 'request' ? 'HAWSER_MALFORMED_HEAD' : 'HAWSER_MALFORMED_RESPONSE',
      {
        detail,
      },
    )
  }

  #tooLarge(detail: string): HandshakeError {
    return new HandshakeError(
      this.#kind === 'request' ? 'HAWSER_HEAD_TOO_LARGE' : 'HAWSER_RESPONSE_TOO_LARGE',
      {
        detail,
      },
    )
  }
}

/** Whether this state collects text up to a delimiter, so that the text may span chunks. */
function isTextState(state: State): boolean {
  return (
    state === State.METHOD ||
    state === State.TARGET ||
    state === State.REASON ||
    state === State.NAME ||
    state === State.VALUE
  )
}
