/** What goes over a pipe between a node and the relay, and what a pipe is. One file for each kind: `*-pipe.ts`. */
import type { Envelope } from './envelope.js'

/** One end of a pipe: a process, a MessagePort, or one of a pair in memory. */
export interface Pipe {
  /** Whether the pipe serves one node and ends when that leaves. Default false. */
  readonly isForOne?: boolean
  /** Sends a message, in order. Never throws: what cannot be sent is lost. */
  post(message: PipeMessage): void
  /**
   * @param receive called for everything that the other end sends, messages of other programs included
   * @param ended called when the other end is gone, at least once
   * @returns stops listening
   */
  listen(receive: (message: unknown) => void, ended: () => void): () => void
}

export type PipeMessageBody =
  | { readonly type: 'join' }
  /** The relay answers `join`; `isNew`: it did not know the node before. */
  | { readonly type: 'joined'; readonly isNew: boolean }
  /** The relay answers anything else from a node that has not joined: the node joined before the relay listened. */
  | { readonly type: 'unknown' }
  | { readonly type: 'watch'; readonly group: string }
  | { readonly type: 'unwatch'; readonly group: string }
  | { readonly type: 'leave' }
  | { readonly type: 'envelope'; readonly envelope: Envelope }
  /** How many bytes of messages the other side has handled since its last report. */
  | { readonly type: 'handled'; readonly bytes: number }

export interface PipeMessage {
  /** The version of these messages. */
  readonly hawserBackplane: 1
  /** The node that sends it to the relay, or that the relay sends it to: several may share a pipe. */
  readonly node: string
  /** A rough size in memory, that the receiver reports as handled. */
  readonly bytes: number
  readonly body: PipeMessageBody
}

/** @returns null: the message belongs to another program */
export function readPipeMessage(message: unknown): PipeMessage | null {
  if (typeof message !== 'object' || message === null) return null
  const { hawserBackplane, node, bytes, body } = message as Partial<Record<keyof PipeMessage, unknown>>
  const isOurs =
    hawserBackplane === 1 &&
    typeof node === 'string' &&
    Number.isSafeInteger(bytes) &&
    (bytes as number) >= 0 &&
    typeof body === 'object' &&
    body !== null
  return isOurs ? (message as PipeMessage) : null
}

/** The bytes of a payload, in a pipe that carries text alone. */
interface EncodedBytes {
  readonly base64: string
}

/** For a pipe that carries JSON: a message whose bytes are base64. Text stays as it is. */
export function encodeBytes(message: PipeMessage): PipeMessage {
  const { body } = message
  if (body.type !== 'envelope' || !('payload' in body.envelope)) return message
  const { payload } = body.envelope
  if (!(payload instanceof Uint8Array)) return message
  const base64 = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('base64')
  const envelope = { ...body.envelope, payload: { base64 } satisfies EncodedBytes }
  return { ...message, body: { ...body, envelope: envelope as unknown as Envelope } }
}

/** The envelope as it was before {@link encodeBytes}; anything else is returned as it is. */
export function decodeBytes(envelope: unknown): unknown {
  if (typeof envelope !== 'object' || envelope === null) return envelope
  const { payload } = envelope as { readonly payload?: unknown }
  if (typeof payload !== 'object' || payload === null) return envelope
  const { base64 } = payload as Partial<EncodedBytes>
  return typeof base64 === 'string' ? { ...envelope, payload: Buffer.from(base64, 'base64') } : envelope
}

/** What a message costs in memory beside its payload, in bytes. */
const MESSAGE_BYTES = 256
/** What a name or a group costs, in bytes. */
const ENTRY_BYTES = 64

/** A rough size of a message in memory, in bytes. */
export function sizeOf(body: PipeMessageBody): number {
  if (body.type !== 'envelope') return MESSAGE_BYTES
  const { envelope } = body
  let size = MESSAGE_BYTES
  if ('payload' in envelope) size += payloadBytes(envelope.payload)
  if ('names' in envelope && Array.isArray(envelope.names)) size += envelope.names.length * ENTRY_BYTES
  if ('groups' in envelope && Array.isArray(envelope.groups)) size += envelope.groups.length * ENTRY_BYTES
  return size
}

/** Another process may send anything as a payload. */
function payloadBytes(payload: unknown): number {
  if (typeof payload === 'string') return payload.length
  if (typeof payload !== 'object' || payload === null) return 0
  const { base64, length } = payload as { base64?: unknown; length?: unknown }
  if (typeof base64 === 'string') return base64.length
  return Number.isSafeInteger(length) ? (length as number) : 0
}
