import type { ResponseHead } from '../handshake/http1.js'

/** How many bytes of the body are kept when the response is not a 101. */
export const MAX_RESPONSE_BODY_BYTES = 16 * 1024
/** How many bytes on the wire are read for it: the sizes and line ends of small chunks exceed their content. */
const MAX_WIRE_BYTES = 4 * MAX_RESPONSE_BODY_BYTES
/** A chunk size above 4 GiB is taken for broken. */
const MAX_SIZE_DIGITS = 8

const LF = 0x0a

/** Which part of the chunked coding the next byte belongs to. */
type State = 'content' | 'size' | 'extension' | 'chunk' | 'chunkEnd' | 'done'

/** The value of a hexadecimal digit; -1 for any other byte. */
function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function contentLength(head: ResponseHead): number {
  const announced = head.headers.get('Content-Length')
  return announced !== undefined && /^\d{1,15}$/.test(announced) ? Number(announced) : Infinity
}

/**
 * The start of the body of a response (RFC 9112 section 6), and its end where that is known: from the status, from a
 * length, or from the last chunk. A broken coding ends it: the body is only for people to read.
 */
export class ResponseBody {
  private readonly parts: Uint8Array[] = []
  private state: State
  /** Bytes of the content, or of the chunk, that were not received yet. */
  private left = 0
  private sizeDigits = 0
  private kept = 0
  private wireBytes = 0

  constructor(head: ResponseHead) {
    const { status, headers } = head
    if (status === 204 || status === 304) {
      this.state = 'done'
    } else if (headers.get('Transfer-Encoding')?.trim().toLowerCase().endsWith('chunked') === true) {
      this.state = 'size'
    } else {
      this.left = contentLength(head)
      this.state = this.left === 0 ? 'done' : 'content'
    }
  }

  /** Whether there is nothing more to wait for. */
  get isDone(): boolean {
    return this.state === 'done'
  }

  /** The bytes received: at most {@link MAX_RESPONSE_BODY_BYTES}. */
  get bytes(): Buffer {
    return Buffer.concat(this.parts)
  }

  /** @param bytes kept as they are: they must not change */
  push(bytes: Uint8Array): void {
    this.wireBytes += bytes.length
    let at = 0
    while (at < bytes.length && this.state !== 'done') {
      if (this.state === 'content' || this.state === 'chunk') {
        const end = Math.min(bytes.length, at + this.left)
        this.keep(bytes.subarray(at, end))
        this.left -= end - at
        at = end
        if (this.left === 0 && !this.isDone) this.state = this.state === 'chunk' ? 'chunkEnd' : 'done'
      } else {
        this.state = this.readFraming(bytes[at++] as number)
      }
    }
    if (this.wireBytes >= MAX_WIRE_BYTES) this.state = 'done'
  }

  /** One byte between the contents of two chunks (RFC 9112 section 7.1). */
  private readFraming(code: number): State {
    const isLineEnd = code === LF
    if (this.state === 'chunkEnd') {
      if (isLineEnd) return 'size'
      return code === 0x0d ? 'chunkEnd' : 'done'
    }
    if (isLineEnd) return this.beginChunk()
    if (this.state === 'extension') return 'extension'
    const digit = hexValue(code)
    if (digit < 0) return this.sizeDigits > 0 && (code === 0x0d || code === 0x3b) ? 'extension' : 'done'
    if (++this.sizeDigits > MAX_SIZE_DIGITS) return 'done'
    this.left = this.left * 16 + digit
    return 'size'
  }

  private beginChunk(): State {
    this.sizeDigits = 0
    return this.left === 0 ? 'done' : 'chunk'
  }

  private keep(content: Uint8Array): void {
    const room = MAX_RESPONSE_BODY_BYTES - this.kept
    const part = content.length > room ? content.subarray(0, room) : content
    this.parts.push(part)
    this.kept += part.length
    if (this.kept === MAX_RESPONSE_BODY_BYTES) this.state = 'done'
  }
}
