import type { FrameReport, WireReport } from '../frame-tap.js'
import { hexdump } from './hexdump.js'

/** A frame that passed, as lines: its header in words, and the start of its payload as it was on the wire, but not masked. */
export function frameLines(report: WireReport): readonly string[] {
  const what = report.from === 'client' ? 'sent' : 'received'
  if (report.kind === 'violation') return [`${what} what is no frame: ${report.message} (${report.code})`]
  const bytes = Buffer.from(report.bytes, 'hex')
  const rows = hexdump(bytes).map((row) => `  ${row}`)
  const isCut = bytes.length < report.payloadLength
  return [
    `${what} ${header(report)}`,
    ...rows,
    ...(isCut ? [`  the first ${String(bytes.length)} bytes`] : []),
  ]
}

function header({ opcode, fin, rsv1, payloadLength, maskingKey, close }: FrameReport): string {
  const parts = [
    fin ? opcode : `${opcode}, not the last of its message`,
    ...(rsv1 ? ['compressed'] : []),
    `${String(payloadLength)} ${payloadLength === 1 ? 'byte' : 'bytes'}`,
    ...(maskingKey === null ? [] : [`masked with ${maskingKey}`]),
    ...(close === undefined ? [] : [describeClose(close)]),
  ]
  return parts.join(', ')
}

function describeClose({ code, reason }: NonNullable<FrameReport['close']>): string {
  if (code === 1005) return 'no code'
  return `code ${String(code)}${reason === '' ? '' : ` ${JSON.stringify(reason)}`}`
}
