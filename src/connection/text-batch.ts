/** The longest text that is batched, in UTF-16 units: as ASCII its frame has the shortest header. */
export const MAX_BATCHED_UNITS = 125
/** How many texts a batch has at most. */
export const MAX_BATCHED_TEXTS = 64
/** What one takes at most: three bytes for each unit, and its header. */
const MOST_BYTES = MAX_BATCHED_UNITS * 3 + 8
/** After a batch with text that is not ASCII so many texts are encoded one by one. */
const PLAIN_TEXTS = 256

/** The queue that the texts of a batch belong to. */
interface BatchOwner {
  /** Makes frames of them, and clears the batch. */
  encodeBatch(): void
}

/**
 * Output that many queues get and none has yet, put off to the end of the turn: see socket/fan-out-turn.ts. It takes the place of
 * texts in the batch, so each call that looks at a queue, or appends to it, has it appended first.
 */
export interface SharedOutput {
  /** Appends it to the queue of each, and clears the batch. */
  encodeBatch(): void
}

/**
 * Short texts that were queued one after the other and are not encoded yet: they are put together as one string, so that one call
 * encodes all. There is one batch for the process, of the queue that was written last.
 */
class TextBatch {
  owner: BatchOwner | null = null
  /** Set in place of texts: what belongs to many queues, of which it is the owner. */
  shared: SharedOutput | null = null
  /** The texts, put together. */
  text = ''
  count = 0
  /** The length of each, in UTF-16 units. */
  readonly lengths: number[] = new Array<number>(MAX_BATCHED_TEXTS).fill(0)
  /** How many further texts are encoded one by one. */
  private plain = 0

  /** Whether the next text is to wait for others. */
  get isWanted(): boolean {
    if (this.plain === 0) return true
    this.plain--
    return false
  }

  /** What the texts take at most as frames, in bytes. */
  get mostBytes(): number {
    return this.count * MOST_BYTES
  }

  /** There was text that is not ASCII: it is encoded twice, so the next ones are not batched. */
  failed(): void {
    this.plain = PLAIN_TEXTS
  }

  add(text: string): void {
    this.text = this.text + text
    this.lengths[this.count++] = text.length
  }

  /** What was put off goes to its queues, and this is put off from now on. */
  share(output: SharedOutput): void {
    this.owner?.encodeBatch()
    this.owner = this.shared = output
  }

  clear(): void {
    this.owner = null
    this.shared = null
    this.text = ''
    this.count = 0
  }
}

/** One for the process. */
export const batch = new TextBatch()
