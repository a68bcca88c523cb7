/** A record of the input is longer than it may be. */
export class RecordTooLongError extends Error {
  override readonly name = 'RecordTooLongError'
}

const CR = 0x0d
const LF = 0x0a

/** Cuts a stream of bytes into records that end with a separator. Time is linear in the bytes, however they are cut. */
export class RecordSplitter {
  private readonly separator: number
  private readonly maxBytes: number
  /** The start of a record whose end was not found yet. */
  private started: Buffer[] = []
  private startedBytes = 0

  /** @param separator an octet; before a line feed a carriage return belongs to the separator */
  constructor(separator: number, maxBytes: number) {
    this.separator = separator
    this.maxBytes = maxBytes
  }

  /**
   * The records that end in a chunk.
   * @param chunk is read during the iteration only, which has to go to its end
   * @returns windows on the chunk where they can be
   * @throws RecordTooLongError
   */
  *push(chunk: Buffer): Generator<Buffer, void, undefined> {
    let start = 0
    for (let end = chunk.indexOf(this.separator); end >= 0; end = chunk.indexOf(this.separator, start)) {
      const part = chunk.subarray(start, end)
      start = end + 1
      yield this.withoutCarriageReturn(this.finish(part))
    }
    if (start === chunk.length) return
    const rest = chunk.subarray(start)
    this.check(rest.length)
    this.started.push(Buffer.from(rest))
    this.startedBytes += rest.length
  }

  /** The last record, if the input did not end with a separator. */
  end(): Buffer | null {
    return this.startedBytes === 0 ? null : this.finish(Buffer.alloc(0))
  }

  private finish(part: Buffer): Buffer {
    this.check(part.length)
    if (this.startedBytes === 0) return part
    const record = Buffer.concat([...this.started, part], this.startedBytes + part.length)
    this.started = []
    this.startedBytes = 0
    return record
  }

  private check(more: number): void {
    if (this.startedBytes + more <= this.maxBytes) return
    throw new RecordTooLongError(`longer than ${String(this.maxBytes)} bytes`)
  }

  private withoutCarriageReturn(record: Buffer): Buffer {
    const hasOne = this.separator === LF && record.at(-1) === CR
    return hasOne ? record.subarray(0, -1) : record
  }
}
