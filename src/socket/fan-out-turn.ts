import { HELD_PAYLOAD_BYTES } from '../connection/held-payload.js'
import { frameOf, type PreparedMessage } from '../connection/prepared-message.js'
import { plainOutputOf } from '../connection/shared-output.js'
import { batch, type SharedOutput } from '../connection/text-batch.js'
import { flushSoon, type Flushable } from '../transport/flush-soon.js'
import { blocked } from './output-flow.js'
import type { SocketDriver } from './socket-driver.js'

let driverOf: (member: object) => SocketDriver | null = () => null

/** The drivers of sockets are known to the class of sockets alone: this is how it gives them. Once. */
export function findDriversBy(find: (member: object) => SocketDriver | null): void {
  driverOf = find
}

const NO_DRIVERS: readonly SocketDriver[] = []
const NO_BYTES: Buffer = Buffer.alloc(0)

/**
 * Messages to all of a list, put off to the end of the turn. To queue a message for a thousand connections, and to write it
 * afterwards, goes twice over the memory of all of them; and a second message goes over it again. Here a message is a longer
 * range of a buffer, whatever the number of connections, and at the end of the turn each connection is visited once and
 * written to, around its queue.
 *
 * That can be seen by nobody: what is put off is the {@link batch} of the queues, and so each call that looks at the
 * queue of a connection, or appends to it, in this turn has it appended first, in its order. It is put off only where the outcome is known
 * without a look at each connection: the list holds open connections alone, which have nothing waiting in their transports.
 */
class FanOutTurn implements Flushable, SharedOutput {
  isQueued = false
  private drivers = NO_DRIVERS
  /** The messages are frames one after the other: `start` to `end` of a buffer that does not change any more. */
  private buffer = NO_BYTES
  private start = 0
  private end = 0
  private count = 0

  /** @returns whether the message is put off; false: it was not looked at */
  add(drivers: readonly SocketDriver[], message: PreparedMessage): boolean {
    const { buffer, start, end } = frameOf(message)
    if (end - start > HELD_PAYLOAD_BYTES || blocked.count > 0) return false
    const follows =
      batch.shared === this && drivers === this.drivers && buffer === this.buffer && start === this.end
    if (follows && end - this.start <= HELD_PAYLOAD_BYTES) {
      this.end = end
      this.count++
      return true
    }
    batch.share(this)
    this.drivers = drivers
    this.buffer = buffer
    this.start = start
    this.end = end
    this.count = 1
    flushSoon(this)
    return true
  }

  encodeBatch(): void {
    this.hand(null)
  }

  flush(): void {
    if (batch.shared === this) this.hand(this.buffer.subarray(this.start, this.end))
  }

  /** Gives the messages to all. @param bytes to be written; null: they are queued, because something else is to follow them */
  private hand(bytes: Buffer | null): void {
    const { drivers, buffer, start, end, count } = this
    batch.clear()
    this.drivers = NO_DRIVERS
    this.buffer = NO_BYTES
    for (const driver of drivers) {
      const { flow } = driver
      // A connection with output in its queue waits for its own write, which may come in a later turn.
      if (bytes !== null && !driver.isQueued && !driver.owesWrite && flow.isFree) {
        flow.sentCount += count
        if (flow.writeAtOnce(bytes)) driver.watchOutput()
      } else {
        plainOutputOf(driver.connection)?.appendShared(buffer, start, end)
        driver.sent(count)
      }
    }
  }
}

const turn = new FanOutTurn()

/** The drivers of lists that were sent to before; null: one of them needs more. */
const known = new WeakMap<object, readonly SocketDriver[] | null>()
/** Lists that were sent to once. */
const seen = new WeakSet()

function driversOf(members: readonly object[]): readonly SocketDriver[] | null {
  const found = known.get(members)
  if (found !== undefined) return found
  // Most lists that are made for one message are never seen again.
  if (!seen.has(members)) {
    seen.add(members)
    return null
  }
  const drivers: SocketDriver[] = []
  for (const member of members) {
    const driver = driverOf(member)
    if (driver?.sharesOutput === true) drivers.push(driver)
  }
  const all = drivers.length === members.length ? drivers : null
  known.set(members, all)
  return all
}

/**
 * Puts a message to all of a list off to the end of the turn, where that makes no difference.
 * @param members open connections; the list is never changed
 * @returns whether it is put off: then all of them take it
 */
export function putOff(members: readonly object[], message: PreparedMessage): boolean {
  if (members.length < 2) return false
  const drivers = driversOf(members)
  return drivers !== null && turn.add(drivers, message)
}
