/**
 * What goes between a node and the relay, and how much of it may be on its way. Each side says how much it has handled, so
 * that the other one knows what still waits: neither process.send nor a MessagePort can tell.
 */
import type { Envelope } from '../hub/backplane.js'

/** One end of a pipe: a process, a MessagePort, or the other half of a pair in memory. Posting never throws. */
export interface Pipe {
  /** Of one node alone, and let go of when that leaves. */
  readonly isForOne?: boolean
  post(message: WireMessage): void
  /**
   * @param receive is told of everything that comes, of others too
   * @param ended the other end is gone; may be called more than once
   * @returns stops listening
   */
  listen(receive: (message: unknown) => void, ended: () => void): () => void
}

/** The bytes of a payload, where a pipe carries text alone. */
export interface EncodedBytes {
  readonly base64: string
}

/** An envelope as it was before a pipe that carries text alone. */
export function decodeEnvelope(envelope: unknown): unknown {
  if (typeof envelope !== 'object' || envelope === null) return envelope
  const { payload } = envelope as { readonly payload?: unknown }
  if (typeof payload !== 'object' || payload === null) return envelope
  const { base64 } = payload as Partial<EncodedBytes>
  return typeof base64 === 'string' ? { ...envelope, payload: Buffer.from(base64, 'base64') } : envelope
}

export type WireBody =
  | { readonly type: 'join' }
  /** The relay's answer to it; `isNew`: it did not know the node before. */
  | { readonly type: 'joined'; readonly isNew: boolean }
  /** The relay's answer to whatever else a node says that has not joined: it did so before the relay listened. */
  | { readonly type: 'unknown' }
  | { readonly type: 'watch'; readonly group: string }
  | { readonly type: 'unwatch'; readonly group: string }
  | { readonly type: 'leave' }
  | { readonly type: 'envelope'; readonly envelope: Envelope }
  | { readonly type: 'handled'; readonly bytes: number }

/** `node`: the node whose conversation with the relay it belongs to. */
export interface WireMessage {
  readonly hawserBackplane: 1
  readonly node: string
  readonly bytes: number
  readonly body: WireBody
}

/** @returns null: it is somebody else's message */
export function readWireMessage(message: unknown): WireMessage | null {
  if (typeof message !== 'object' || message === null) return null
  const { hawserBackplane, node, bytes, body } = message as Partial<Record<keyof WireMessage, unknown>>
  const isOurs =
    hawserBackplane === 1 &&
    typeof node === 'string' &&
    Number.isSafeInteger(bytes) &&
    (bytes as number) >= 0 &&
    typeof body === 'object' &&
    body !== null
  return isOurs ? (message as WireMessage) : null
}

/** What may be on its way to one node, or from it, before more is lost: in bytes. */
export const MAX_QUEUED_BYTES = 16 * 1024 * 1024
/** What a message costs beside its payload. */
const MESSAGE_BYTES = 256
const ENTRY_BYTES = 64
/** The other side is told what was handled once in a turn of the event loop, and whenever it is so much. */
const REPORT_BYTES = 64 * 1024

/** A rough size of an envelope in memory. */
function sizeOf(body: WireBody): number {
  if (body.type !== 'envelope') return MESSAGE_BYTES
  const { envelope } = body
  let size = MESSAGE_BYTES
  if ('payload' in envelope) size += payloadBytes(envelope.payload)
  if ('names' in envelope && Array.isArray(envelope.names)) size += envelope.names.length * ENTRY_BYTES
  if ('groups' in envelope && Array.isArray(envelope.groups)) size += envelope.groups.length * ENTRY_BYTES
  return size
}

/** What comes from another process may be anything. */
function payloadBytes(payload: unknown): number {
  if (typeof payload === 'string') return payload.length
  if (typeof payload !== 'object' || payload === null) return 0
  const { base64, length } = payload as { base64?: unknown; length?: unknown }
  if (typeof base64 === 'string') return base64.length
  return Number.isSafeInteger(length) ? (length as number) : 0
}

/** One side of the conversation between a node and the relay. */
export class Conversation {
  private readonly node: string
  private readonly pipe: Pipe
  private readonly maxQueuedBytes: number
  private queued = 0
  private handled = 0
  private isReporting = false

  constructor(node: string, pipe: Pipe, maxQueuedBytes: number) {
    this.node = node
    this.pipe = pipe
    this.maxQueuedBytes = maxQueuedBytes
  }

  /** @returns false: too much is on its way, and this was not sent */
  send(body: WireBody): boolean {
    const bytes = sizeOf(body)
    // Who comes and goes is told in any case: once each.
    const isBounded = body.type !== 'join' && body.type !== 'joined' && body.type !== 'leave'
    if (isBounded && this.queued + bytes > this.maxQueuedBytes) return false
    this.queued += bytes
    this.pipe.post({ hawserBackplane: 1, node: this.node, bytes, body })
    return true
  }

  /** What was sent so far is lost, and nothing of it waits any more. */
  forgetSent(): void {
    this.queued = 0
  }

  /** A message of the other side has come. @returns whether it is one to look at */
  take({ body, bytes }: WireMessage): boolean {
    if (body.type === 'handled') {
      const count = Number.isSafeInteger(body.bytes) && body.bytes >= 0 ? body.bytes : 0
      this.queued = Math.max(0, this.queued - count)
      return false
    }
    this.handled += bytes
    if (this.handled >= REPORT_BYTES) this.report()
    else if (!this.isReporting) {
      this.isReporting = true
      setImmediate(() => {
        this.isReporting = false
        this.report()
      })
    }
    return true
  }

  private report(): void {
    if (this.handled === 0) return
    const body = { type: 'handled', bytes: this.handled } as const
    this.handled = 0
    this.pipe.post({ hawserBackplane: 1, node: this.node, bytes: 0, body })
  }
}
