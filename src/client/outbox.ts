import type { SendOptions } from '../connection/connection-options.js'
import { viewBytes, type MessageData } from '../connection/message-data.js'
import { PreparedMessage } from '../connection/prepared-message.js'

/** A message that waits for a connection. */
export interface WaitingMessage {
  readonly data: string | Uint8Array | PreparedMessage
  readonly options: SendOptions | undefined
  readonly byteLength: number
}

/** The bounds of an {@link Outbox}. */
export interface OutboxBounds {
  readonly maxMessages: number
  readonly maxBytes: number
}

/**
 * Copies a message, so that the caller may change its bytes.
 * @throws TypeError for what is neither text nor bytes
 */
export function keepMessage(
  data: MessageData | PreparedMessage,
  options: SendOptions | undefined,
): WaitingMessage {
  if (typeof data === 'string') return { data, options, byteLength: Buffer.byteLength(data) }
  if (data instanceof PreparedMessage) return { data, options, byteLength: data.byteLength }
  const bytes = Buffer.from(viewBytes('data', data))
  return { data: bytes, options, byteLength: bytes.length }
}

/** Messages in order, bounded in number and bytes. */
export class Outbox {
  private readonly bounds: OutboxBounds
  private messages: WaitingMessage[] = []
  /** Where the first message is: those before it are taken. */
  private head = 0
  private bytes = 0

  constructor(bounds: OutboxBounds) {
    this.bounds = bounds
  }

  get size(): number {
    return this.messages.length - this.head
  }

  get byteLength(): number {
    return this.bytes
  }

  get first(): WaitingMessage | undefined {
    return this.messages[this.head]
  }

  hasRoomFor(byteLength: number): boolean {
    const { maxMessages, maxBytes } = this.bounds
    return this.size < maxMessages && this.bytes + byteLength <= maxBytes
  }

  /** @returns false: there is no room, and the message is not kept */
  push(message: WaitingMessage): boolean {
    if (!this.hasRoomFor(message.byteLength)) return false
    this.messages.push(message)
    this.bytes += message.byteLength
    return true
  }

  /**
   * Puts messages before the others.
   * @returns how many of them, the oldest, have no room
   */
  unshift(messages: readonly WaitingMessage[]): number {
    let start = messages.length
    let bytes = 0
    while (start > 0) {
      const { byteLength } = messages[start - 1] as WaitingMessage
      const count = messages.length - start + 1
      if (this.size + count > this.bounds.maxMessages) break
      if (this.bytes + bytes + byteLength > this.bounds.maxBytes) break
      bytes += byteLength
      start--
    }
    this.messages = messages.slice(start).concat(this.messages.slice(this.head))
    this.head = 0
    this.bytes += bytes
    return start
  }

  shift(): void {
    const { first } = this
    if (first === undefined) return
    this.bytes -= first.byteLength
    this.head++
    if (this.head * 2 < this.messages.length) return
    this.messages = this.messages.slice(this.head)
    this.head = 0
  }

  /** @returns all messages; none is left */
  takeAll(): readonly WaitingMessage[] {
    const messages = this.messages.slice(this.head)
    this.messages = []
    this.head = 0
    this.bytes = 0
    return messages
  }
}
