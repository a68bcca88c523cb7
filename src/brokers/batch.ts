/**
 * The messages on the channels of a broker: batches of envelopes, and probes. A message begins with `HWB`, the version of
 * this format (1), and its type. A batch goes on with records: the kind of the payload (one byte), the lengths of the JSON and
 * of the payload (4 bytes each, most significant byte first), the envelope without its payload as JSON, the payload.
 */
import type { Envelope, Payload } from '../backplane/envelope.js'

const BATCH = Buffer.from('HWB\x01B', 'latin1')
const PROBE = Buffer.from('HWB\x01P', 'latin1')
/** The bytes of a batch before its first record. */
export const BATCH_HEADER_BYTES = BATCH.length
const RECORD_HEADER_BYTES = 9

const PayloadKind = { NONE: 0, TEXT: 1, BYTES: 2 } as const

/** An envelope as a record. */
export function encodeRecord(envelope: Envelope): Buffer {
  let kind: number = PayloadKind.NONE
  let payload: Payload = ''
  let rest: object = envelope
  if ('payload' in envelope) {
    ;({ payload, ...rest } = envelope)
    kind = typeof payload === 'string' ? PayloadKind.TEXT : PayloadKind.BYTES
  }
  const json = JSON.stringify(rest)
  const jsonBytes = Buffer.byteLength(json)
  const payloadBytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength
  const record = Buffer.allocUnsafe(RECORD_HEADER_BYTES + jsonBytes + payloadBytes)
  record[0] = kind
  record.writeUInt32BE(jsonBytes, 1)
  record.writeUInt32BE(payloadBytes, 5)
  record.write(json, RECORD_HEADER_BYTES)
  if (typeof payload === 'string') record.write(payload, RECORD_HEADER_BYTES + jsonBytes)
  else record.set(payload, RECORD_HEADER_BYTES + jsonBytes)
  return record
}

/** Records as one message. */
export const encodeBatch = (records: readonly Buffer[]): Buffer => Buffer.concat([BATCH, ...records])

/** A message that a node sends to itself, to see whether messages arrive. */
export const encodeProbe = (token: string): Buffer => Buffer.concat([PROBE, Buffer.from(token)])

const startsWith = (message: Buffer, start: Buffer): boolean =>
  message.length >= start.length && message.compare(start, 0, start.length, 0, start.length) === 0

/** @returns the token of a probe; null: the message is not a probe */
export const decodeProbe = (message: Buffer): string | null =>
  startsWith(message, PROBE) ? message.toString('latin1', PROBE.length) : null

/**
 * Reads a batch that may come from anywhere. Never throws.
 * @returns what its records say, which may be anything; null: the message is not a batch of this version
 */
export function decodeBatch(message: Buffer): unknown[] | null {
  if (!startsWith(message, BATCH)) return null
  const envelopes: unknown[] = []
  let at = BATCH.length
  while (at < message.length) {
    if (message.length - at < RECORD_HEADER_BYTES) return null
    const kind = message[at] as number
    const jsonStart = at + RECORD_HEADER_BYTES
    const payloadStart = jsonStart + message.readUInt32BE(at + 1)
    const end = payloadStart + message.readUInt32BE(at + 5)
    if (end > message.length || kind > PayloadKind.BYTES) return null
    const envelope = parseObject(message.toString('utf8', jsonStart, payloadStart))
    if (envelope === null) return null
    if (kind === PayloadKind.TEXT) envelope.payload = message.toString('utf8', payloadStart, end)
    else if (kind === PayloadKind.BYTES) envelope.payload = message.subarray(payloadStart, end)
    envelopes.push(envelope)
    at = end
  }
  return envelopes
}

function parseObject(json: string): { payload?: unknown } | null {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null
  } catch {
    return null
  }
}
