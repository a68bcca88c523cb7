import { prepareTransient, type PreparedMessage } from '../connection/prepared-message.js'
import { encodePublished } from './wire.js'

/** A published message of one group on this node: encoded once for all members of a kind. */
export class FeedMessage {
  readonly offset: number
  /** Text, or bytes that are not changed any more. */
  readonly data: string | Uint8Array
  private readonly compress: boolean
  private plain: PreparedMessage | null = null
  private published: PreparedMessage | null = null
  /** The id in {@link published}. */
  private id = -1

  constructor(offset: number, data: string | Uint8Array, compress: boolean) {
    this.offset = offset
    this.data = data
    this.compress = compress
  }

  /** What it counts in memory, roughly, in bytes. */
  get size(): number {
    return this.data.length + 64
  }

  /** For members without recovery. */
  get asPlain(): PreparedMessage {
    this.plain ??= prepareTransient(this.data, { compress: this.compress })
    return this.plain
  }

  /** For members with recovery. @param id of the group and epoch on this node */
  asPublished(id: number): PreparedMessage {
    if (this.published === null || this.id !== id) {
      this.id = id
      const data = encodePublished(id, this.offset, this.data)
      this.published = prepareTransient(data, { compress: this.compress })
    }
    return this.published
  }
}
