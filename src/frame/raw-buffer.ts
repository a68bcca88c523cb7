/**
 * Methods that every Node Buffer has (20 to 26) and that the type definitions leave out. They do what
 * `toString` and `write` do without looking up the encoding: 51 against 58 ns for 32 bytes (Node 20, 2026-11).
 */
export interface RawBuffer extends Buffer {
  latin1Slice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
  utf8Write(text: string, offset: number): number
}

/** The same bytes as a Buffer; no copy. */
export function asBuffer(bytes: Uint8Array): RawBuffer {
  return (
    Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  ) as RawBuffer
}
