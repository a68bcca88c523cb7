/**
 * Makes bytes that are the whole of their ArrayBuffer, as the standard promises: a small message of Hawser's lies among others
 * in one of Node's pools.
 * @param bytes owned by the caller of this function; where they are the whole already, they are not copied
 */
export function ownBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = bytes
  const isWhole = byteOffset === 0 && byteLength === buffer.byteLength
  return isWhole && buffer instanceof ArrayBuffer ? new Uint8Array(buffer) : new Uint8Array(bytes)
}
