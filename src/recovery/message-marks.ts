import type { KeptMessage } from './history.js'

/** So many of the last messages are told from others that have the same number. */
const MAX_MARKS = 256
/** How many characters or bytes of a message are looked at for that. */
const MARK_SAMPLES = 32

/** A number that two different messages hardly share: of the length, and of characters or bytes all over the message. */
function markOf(data: string | Uint8Array): number {
  const { length } = data
  let mark = length
  const step = Math.max(1, Math.floor(length / MARK_SAMPLES))
  for (let at = length - 1; at >= 0; at -= step) {
    const unit = typeof data === 'string' ? data.charCodeAt(at) : (data[at] as number)
    mark = (Math.imul(mark, 31) + unit) | 0
  }
  return mark
}

/** What the last messages of a feed were, by their offsets. */
export class MessageMarks {
  private readonly marks = new Map<number, number>()

  /** Whether messages were forgotten, or are to be next. */
  get isFull(): boolean {
    return this.marks.size === MAX_MARKS
  }

  /** Whether a message is the one that has this number; null: that is not known. */
  has(offset: number, data: string | Uint8Array): boolean | null {
    const known = this.marks.get(offset)
    return known === undefined ? null : known === markOf(data)
  }

  set({ offset, data }: KeptMessage): void {
    this.marks.set(offset, markOf(data))
    if (this.marks.size <= MAX_MARKS) return
    const [oldest] = this.marks.keys()
    this.marks.delete(oldest as number)
  }

  clear(): void {
    this.marks.clear()
  }
}
