import { BATCH_HEADER_BYTES, encodeBatch } from './batch.js'

/** A batch that grows beyond this is sent as it is, and the next record begins another. A larger record goes alone. */
const MAX_BATCH_BYTES = 256 * 1024

/** Records for one channel. */
interface OpenBatch {
  readonly channel: string
  readonly records: Buffer[]
  bytes: number
}

/** A message for a channel. */
export interface OutgoingMessage {
  readonly channel: string
  readonly message: Buffer
  /** How many envelopes it carries. */
  readonly envelopes: number
  /** The bytes of its records. */
  readonly bytes: number
}

/**
 * What is published in one turn of the event loop: one message for each channel, unless order demands more. Records of one
 * channel keep their order, and no record overtakes a barrier or is overtaken by one.
 */
export class OutgoingBatches {
  private readonly batches: OpenBatch[] = []
  /** For each channel the batch that takes more records. */
  private readonly open = new Map<string, OpenBatch>()

  get isEmpty(): boolean {
    return this.batches.length === 0
  }

  /** @param isBarrier whether the record must not change its place among those of other channels */
  add(channel: string, record: Buffer, isBarrier: boolean, maxBytes: number): void {
    let batch = this.open.get(channel)
    const most = Math.min(MAX_BATCH_BYTES, maxBytes) - BATCH_HEADER_BYTES
    const isLast = this.batches.at(-1) === batch
    if (batch === undefined || batch.bytes + record.length > most || (isBarrier && !isLast)) {
      batch = { channel, records: [], bytes: 0 }
      this.batches.push(batch)
    }
    batch.records.push(record)
    batch.bytes += record.length
    if (isBarrier) this.open.clear()
    this.open.set(channel, batch)
  }

  /** All messages, in order: nothing is left here. */
  take(): OutgoingMessage[] {
    this.open.clear()
    return this.batches.splice(0).map(({ channel, records, bytes }) => ({
      channel,
      message: encodeBatch(records),
      envelopes: records.length,
      bytes,
    }))
  }
}
