const ROW_BYTES = 16

/**
 * Bytes as `hexdump -C` shows them.
 * @returns lines without line feeds; none for no bytes
 */
export function hexdump(bytes: Uint8Array): string[] {
  const lines: string[] = []
  for (let offset = 0; offset < bytes.length; offset += ROW_BYTES) {
    const row = Buffer.from(
      bytes.buffer,
      bytes.byteOffset + offset,
      Math.min(ROW_BYTES, bytes.length - offset),
    )
    const octets = Array.from(row, (octet) => octet.toString(16).padStart(2, '0'))
    const left = octets.slice(0, ROW_BYTES / 2).join(' ')
    const right = octets.slice(ROW_BYTES / 2).join(' ')
    const text = row.toString('latin1').replace(/[^ -~]/g, '.')
    lines.push(`${offset.toString(16).padStart(8, '0')}  ${left.padEnd(23)}  ${right.padEnd(23)}  |${text}|`)
  }
  return lines
}
