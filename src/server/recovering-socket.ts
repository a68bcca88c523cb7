import { MessageReceived, type ConnectionEvent } from '../connection/events.js'
import type { ConnectionOptions } from '../connection/connection.js'
import type { Line } from '../recovery/feed-member.js'
import type { FeedMessage } from '../recovery/feed-message.js'
import type { Position } from '../recovery/history.js'
import { refusalOf, widen } from '../recovery/connection-limits.js'
import { PositionsReader } from '../recovery/positions-reader.js'
import { PrefixingDriver } from '../recovery/prefixing-driver.js'
import { RecoveryLine } from '../recovery/recovery.js'
import {
  CONTROL,
  encodeControl,
  innerProtocol,
  PLAIN,
  prefixOf,
  withoutStart,
  type ServerControl,
} from '../recovery/wire.js'
import { coreOf } from '../socket/base-socket.js'
import type { DriverOptions } from '../socket/driver-owner.js'
import type { SocketDriver } from '../socket/socket-driver.js'
import { monotonicNow, timerWheel, type Timed } from '../transport/timer-wheel.js'
import type { Transport } from '../transport/transport.js'
import type { Handlers } from '../service/service.js'
import { ServerSocketCore, type Opening } from './accepted-socket.js'
import { Metering, type MeteredOwner } from './metering.js'
import type { ConnectionQuotas } from './quota-options.js'
import type { ServerSocket } from './server-socket.js'

/** A connection waits for room from this number of waiting bytes on, where the limit is higher, or off. */
const MAX_MARK_BYTES = 1024 * 1024

/** The positions of a client wait this long for the last message of them, and then for the groups that the application joins later. */
const POSITIONS_WAIT_MS = 60_000

/** Forgets, after a time, the positions of which no group was joined, and those that do not end: they may take 128 KiB. */
class UnusedPositions implements Timed {
  timerSlot = -1
  private readonly core: RecoveringSocketCore

  constructor(core: RecoveringSocketCore) {
    this.core = core
    this.restart()
  }

  restart(): void {
    timerWheel.schedule(this, monotonicNow() + POSITIONS_WAIT_MS)
  }

  timeIsUp(): void {
    this.core.positionsAreLate()
  }
}

/** The state of a connection with the subprotocol of recovery. */
export class RecoveringSocketCore extends ServerSocketCore implements Line {
  readonly line = new RecoveryLine(this)
  /** null: the client has sent all of its positions, or none. */
  private reader: PositionsReader | null = null
  private unused: UnusedPositions | null = null

  /** Half of what the slow-consumer policy admits: what a member misses meanwhile is read from the history. */
  get hasRoom(): boolean {
    const { bufferedAmount, hasRoom } = this.driver
    return hasRoom || bufferedAmount <= this.markBytes
  }

  sendPublished(message: FeedMessage, id: number): boolean {
    return this.prefixing.sendPublished(message.asPublished(id)) === 'sent'
  }

  sendControl(control: ServerControl): void {
    this.prefixing.sendControl(encodeControl(control))
  }

  whenRoom(): Promise<void> {
    return this.drained({})
  }

  override handleEvent(event: ConnectionEvent): void {
    if (event.type !== 'message') {
      if (event.type === 'closed' && this.unused !== null) timerWheel.cancel(this.unused)
      super.handleEvent(event)
      return
    }
    const { data } = event
    if (this.line.positions === null) this.takePositions(data)
    else if (prefixOf(data) === PLAIN) super.handleEvent(new MessageReceived(withoutStart(data, 1)))
    else this.refuse('a client sends its positions once, and then messages that begin with 0', data)
  }

  protected override makeDriver(
    transport: Transport,
    connection: ConnectionOptions,
    options: DriverOptions,
  ): SocketDriver {
    this.markBytes = Math.min(options.limits.maxBufferedOutputBytes / 2, MAX_MARK_BYTES)
    this.prefixing = this.makePrefixing(transport, connection, options)
    return this.prefixing
  }

  protected makePrefixing(
    transport: Transport,
    connection: ConnectionOptions,
    options: DriverOptions,
  ): PrefixingDriver {
    return new PrefixingDriver(transport, connection, options, this)
  }

  private takePositions(data: string | Buffer): void {
    if (typeof data !== 'string' || prefixOf(data) !== CONTROL) {
      this.refuse('the first message of a client has its positions', data)
      return
    }
    this.reader ??= new PositionsReader(this.owner.hub.maxNameLength)
    const positions = this.reader.read(data)
    if (positions === 'malformed') this.refuse('malformed positions', data)
    else if (positions === 'over limit') this.refuse('too many positions, or too long ones', data, true)
    else if (positions !== null) this.allPositions(positions)
    else this.unused ??= new UnusedPositions(this)
  }

  private allPositions(positions: Map<string, Position>): void {
    this.reader = null
    this.line.takePositions(positions)
    if (this.unused !== null) this.unused.restart()
    else if (positions.size > 0) this.unused = new UnusedPositions(this)
  }

  /** The time for which positions are kept is over. */
  positionsAreLate(): void {
    this.unused = null
    if (this.reader === null) {
      this.line.positions?.clear()
      return
    }
    this.reader = null
    this.refuse('positions without an end', '', true)
  }

  private refuse(detail: string, data: string | Buffer, isOverLimit = false): void {
    this.sink.invalidMessage(refusalOf(detail, data, isOverLimit))
  }

  // What the constructor of the class above makes: declared, and not initialized after it.
  declare private markBytes: number
  declare private prefixing: PrefixingDriver
}

/** Looks, after each chunk, at what is not a whole message. */
class MeteredPrefixingDriver extends PrefixingDriver {
  override receive(chunk: Buffer): void {
    super.receive(chunk)
    // A loop that is held has messages left that account for these bytes.
    if (this.isPulling && this.owner instanceof MeteredRecoveringCore) this.owner.partReceived()
  }
}

/**
 * The same with quotas. The client's positions, one message or several of a bounded size together, count for none: without them no
 * other message is taken. All others count as they come, with their prefix of one byte.
 */
class MeteredRecoveringCore extends RecoveringSocketCore {
  private readonly metering: Metering

  constructor(
    transport: Transport,
    opening: Opening,
    connection: ConnectionOptions,
    options: DriverOptions,
    handlers: Handlers<ServerSocket>,
    owner: MeteredOwner,
    quotas: ConnectionQuotas,
  ) {
    super(transport, opening, connection, options, handlers, owner)
    this.metering = new Metering(this, owner, quotas)
  }

  override handleEvent(event: ConnectionEvent): void {
    if (event.type === 'message' && this.line.positions === null) {
      this.metering.skipMessage(event.data.length, this.driver.connection.receivedDataBytes)
    } else if (!this.metering.admits(event)) {
      return
    }
    super.handleEvent(event)
  }

  partReceived(): void {
    if (this.line.positions !== null) this.metering.partReceived()
  }

  protected override makePrefixing(
    transport: Transport,
    connection: ConnectionOptions,
    options: DriverOptions,
  ): PrefixingDriver {
    return new MeteredPrefixingDriver(transport, connection, options, this)
  }

  protected override beginClosing(): void {
    super.beginClosing()
    this.metering.endPause()
  }
}

/**
 * Makes the state of a connection with the subprotocol of recovery, which the application does not see.
 * @param quotas null: it has none
 */
export function makeRecoveringCore(
  transport: Transport,
  opening: Opening,
  connection: ConnectionOptions,
  options: DriverOptions,
  handlers: Handlers<ServerSocket>,
  owner: MeteredOwner,
  quotas: ConnectionQuotas | null,
): RecoveringSocketCore {
  const inner = { ...opening, info: { ...opening.info, protocol: innerProtocol(opening.info.protocol) } }
  const wide = { ...connection, limits: widen(options.limits) }
  return quotas === null
    ? new RecoveringSocketCore(transport, inner, wide, options, handlers, owner)
    : new MeteredRecoveringCore(transport, inner, wide, options, handlers, owner, quotas)
}

/** The connection as one with recovery; null: it has not that subprotocol. */
export function lineOf(socket: object): RecoveryLine | null {
  const core = coreOf(socket)
  return core instanceof RecoveringSocketCore ? core.line : null
}
