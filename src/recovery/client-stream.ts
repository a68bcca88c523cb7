import {
  costOf,
  type BeginControl,
  type ClientPositions,
  type PublishedMessage,
  type RecoveryEvent,
} from './client-positions.js'
import type { Position } from './history.js'
import { CONTROL, PLAIN, prefixOf, PUBLISHED, readHeader, readServerControl, withoutStart } from './wire.js'

/** What a connection does with what its stream finds. */
export interface StreamOwner {
  recovered(event: RecoveryEvent): void
  published(message: PublishedMessage): void
  /** The server broke the subprotocol, or a limit. */
  refuse(detail: string, message: string | Buffer, isOverLimit?: boolean): void
}

/** The messages of one connection of a client with recovery, in the order in which the application gets them. */
export class ClientStream {
  /** Nobody reads this connection any more: what it still has is received again by the next one. */
  isDiscarded = false
  private readonly positions: ClientPositions
  private readonly owner: StreamOwner
  /** A group has one id at a time: the one that was told last, until the group is left. */
  private readonly ids = new Map<number, { readonly group: string; readonly epoch: string }>()
  private readonly idOf = new Map<string, number>()
  private idBytes = 0

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
    if (!this.setPosition(group, next, message)) return null
    const data = withoutStart(message, length)
    this.owner.published({ group, position: next, data })
    return data
  }

  private takeControl(message: string): void {
    const control = readServerControl(message)
    if (control === null) {
      this.owner.refuse('a malformed control message', message)
    } else if ('left' in control) {
      this.forgetGroup(control.left)
      if (!this.isDiscarded) this.positions.delete(control.left)
    } else if ('group' in control) {
      this.begin(control, message)
    } else {
      const group = this.ids.get(control.id)?.group
      if (group === undefined) this.owner.refuse('an outcome of an unknown group', message)
      else if (!this.isDiscarded) this.owner.recovered({ group, recovered: true, count: control.count })
    }
  }

  /** @returns false: there is no room, and the connection ends */
  private setPosition(group: string, position: Position, message: string | Buffer): boolean {
    if (this.positions.set(group, position)) return true
    const limit = `more than ${String(this.positions.maxBytes)} bytes of positions, recovery.maxPositionsBytes`
    this.owner.refuse(limit, message, true)
    return false
  }

  private know(id: number, group: string, epoch: string): void {
    this.forget(id)
    this.forgetGroup(group)
    this.ids.set(id, { group, epoch })
    this.idOf.set(group, id)
    this.idBytes += costOf(group, epoch)
    // Each group that is known here has a position, which is bounded alike: more come only once nobody reads this connection.
    for (const oldest of this.ids.keys()) {
      if (this.idBytes <= this.positions.maxBytes || oldest === id) return
      this.forget(oldest)
    }
  }

  private forgetGroup(group: string): void {
    const id = this.idOf.get(group)
    if (id !== undefined) this.forget(id)
  }

  private forget(id: number): void {
    const known = this.ids.get(id)
    if (known === undefined) return
    this.idBytes -= costOf(known.group, known.epoch)
    this.ids.delete(id)
    this.idOf.delete(known.group)
  }

  private begin(control: BeginControl, message: string): void {
    const { group, id, epoch, offset, recovered, count, reason } = control
    this.know(id, group, epoch)
    if (this.isDiscarded) return
    const position = this.positions.get(group)
    if (position?.epoch !== epoch || position.offset < offset || recovered === false) {
      if (!this.setPosition(group, { epoch, offset }, message)) return
    }
    if (recovered === false) {
      this.owner.recovered({ group, recovered, reason: reason ?? '' })
      return
    }
    if (position !== undefined && (position.epoch !== epoch || position.offset < offset)) {
      // It begins after what was delivered: something is between.
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
