import type { BeginControl, ClientPositions, PublishedMessage, RecoveryEvent } from './client-positions.js'
import { CONTROL, PLAIN, prefixOf, PUBLISHED, readHeader, readServerControl, withoutStart } from './wire.js'

/** What a connection does with what its stream finds. */
export interface StreamOwner {
  recovered(event: RecoveryEvent): void
  published(message: PublishedMessage): void
  /** The server broke the subprotocol. */
  refuse(detail: string, message: string | Buffer): void
}

/** How many groups and epochs of one connection are known by their ids. */
const MAX_IDS = 10_000

/** The messages of one connection of a client with recovery, in the order in which the application gets them. */
export class ClientStream {
  /** Nobody reads this connection any more: what it still has is received again by the next one. */
  isDiscarded = false
  private readonly positions: ClientPositions
  private readonly owner: StreamOwner
  private readonly ids = new Map<number, { readonly group: string; readonly epoch: string }>()

  constructor(positions: ClientPositions, owner: StreamOwner) {
    this.positions = positions
    this.owner = owner
  }

  /** A message was received; the application gets it later. */
  received(message: string | Buffer): void {
    if (typeof message !== 'string' || prefixOf(message) !== CONTROL) return
    const control = readServerControl(message)
    if (control === null || !('group' in control)) return
    const { group, epoch, offset } = control
    if (this.positions.get(group) === undefined) this.positions.note(group, { epoch, offset })
  }

  /**
   * It is the turn of a message.
   * @returns what the application gets; null: nothing, the message was for this stream, or was delivered before
   */
  take(message: string | Buffer): string | Buffer | null {
    switch (prefixOf(message)) {
      case PLAIN:
        return withoutStart(message, 1)
      case PUBLISHED:
        return this.takePublished(message)
      case CONTROL:
        if (typeof message === 'string') {
          this.takeControl(message)
          return null
        }
    }
    this.owner.refuse('a message of a server begins with 0, 1 or, as text, 2', message)
    return null
  }

  private takePublished(message: string | Buffer): string | Buffer | null {
    const header = readHeader(message)
    const from = header === null ? undefined : this.ids.get(header.id)
    if (header === null || from === undefined) {
      this.owner.refuse('a published message of an unknown group, or without a header', message)
      return null
    }
    const { group, epoch } = from
    const { offset, length } = header
    if (this.isDiscarded) return withoutStart(message, length)
    const position = this.positions.get(group)
    if (position?.epoch === epoch) {
      if (offset <= position.offset) return null
      if (offset !== position.offset + 1) {
        this.owner.refuse('a published message is missing before this one', message)
        return null
      }
    }
    const next = { epoch, offset }
    this.positions.set(group, next)
    const data = withoutStart(message, length)
    this.owner.published({ group, position: next, data })
    return data
  }

  private takeControl(message: string): void {
    const control = readServerControl(message)
    if (control === null) {
      this.owner.refuse('a malformed control message', message)
    } else if ('left' in control) {
      if (!this.isDiscarded) this.positions.delete(control.left)
    } else if ('group' in control) {
      this.begin(control)
    } else {
      const group = this.ids.get(control.id)?.group
      if (group === undefined) this.owner.refuse('an outcome of an unknown group', message)
      else if (!this.isDiscarded) this.owner.recovered({ group, recovered: true, count: control.count })
    }
  }

  private begin({ group, id, epoch, offset, recovered, count, reason }: BeginControl): void {
    if (this.ids.size >= MAX_IDS && !this.ids.has(id)) {
      // Of old epochs, and of groups that were left long ago.
      const [oldest] = this.ids.keys() as unknown as [number]
      this.ids.delete(oldest)
    }
    this.ids.delete(id)
    this.ids.set(id, { group, epoch })
    if (this.isDiscarded) return
    const position = this.positions.get(group)
    if (recovered === false) {
      this.positions.set(group, { epoch, offset })
      this.owner.recovered({ group, recovered, reason: reason ?? '' })
      return
    }
    if (position === undefined) {
      this.positions.set(group, { epoch, offset })
    } else if (position.epoch !== epoch || position.offset < offset) {
      // It begins after what was delivered: something is between.
      this.positions.set(group, { epoch, offset })
      this.owner.recovered({
        group,
        recovered: false,
        reason: position.epoch === epoch ? 'joined' : 'epoch',
      })
      return
    }
    if (recovered === true) this.owner.recovered({ group, recovered, count: count ?? 0 })
  }
}
