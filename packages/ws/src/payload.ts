/** What an application may send, as bytes. */
import { asBuffer } from '../../../src/frame/as-buffer.js'

const EMPTY = Buffer.alloc(0)

/** A Blob, whose bytes are read later. */
export interface BlobLike {
  readonly size: number
  arrayBuffer(): Promise<ArrayBuffer>
}

/** Text, or bytes. */
export interface Payload {
  readonly data: string | Buffer
  readonly byteLength: number
  /** Whether the bytes are the application's, and must not change. */
  readonly isReadOnly: boolean
}

/** Whether this is a Blob, of this realm or of another. */
export function isBlob(value: unknown): value is BlobLike {
  if (typeof value !== 'object' || value === null) return false
  const blob = value as Partial<BlobLike> & { readonly type?: unknown; readonly stream?: unknown }
  const tag = Object.prototype.toString.call(value)
  return (
    (tag === '[object Blob]' || tag === '[object File]') &&
    typeof blob.arrayBuffer === 'function' &&
    typeof blob.stream === 'function'
  )
}

/**
 * Text stays text; anything else becomes a Buffer, without a copy where it has bytes.
 * @throws TypeError as `Buffer.from` does
 */
export function toPayload(data: unknown): Payload {
  if (typeof data === 'string') return { data, byteLength: Buffer.byteLength(data), isReadOnly: false }
  const isReadOnly = true
  if (data instanceof Uint8Array) return { data: asBuffer(data), byteLength: data.byteLength, isReadOnly }
  if (ArrayBuffer.isView(data)) {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    return { data: bytes, byteLength: bytes.length, isReadOnly }
  }
  const bytes = Buffer.from(data as ArrayBuffer)
  return { data: bytes, byteLength: bytes.length, isReadOnly: bytes.buffer === data }
}

/** What is sent for a value: nothing for all that is falsy, as `ws` does. @throws TypeError as `Buffer.from` does */
export function bytesOf(data: unknown): Buffer {
  if (!data) return EMPTY
  const payload = toPayload(data).data
  return typeof payload === 'string' ? Buffer.from(payload) : payload
}
