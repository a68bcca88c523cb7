import type { ConnectionOptions } from '../connection/connection.js'
import type { ConnectionEvent } from '../connection/events.js'
import type { Handlers } from '../service/service.js'
import type { DriverOptions } from '../socket/driver-owner.js'
import { SocketDriver } from '../socket/socket-driver.js'
import type { Transport } from '../transport/transport.js'
import { ServerSocketCore, type Opening } from './accepted-socket.js'
import { Metering, type MeteredOwner } from './metering.js'
import type { ConnectionQuotas } from './quota-options.js'
import type { ServerSocket } from './server-socket.js'

/** Looks, after each chunk, at what is not a whole message. */
class MeteredDriver extends SocketDriver {
  override receive(chunk: Buffer): void {
    super.receive(chunk)
    // A loop that is held has messages left that account for these bytes.
    if (this.isPulling && this.owner instanceof MeteredSocketCore) this.owner.metering.partReceived()
  }
}

/**
 * A connection with quotas. A class of its own, so that a connection without quotas has no field for them, and a message of it
 * meets no branch (docs/adr/0023).
 */
export class MeteredSocketCore extends ServerSocketCore {
  readonly metering: Metering

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
    if (this.metering.admits(event)) super.handleEvent(event)
  }

  protected override makeDriver(
    transport: Transport,
    connection: ConnectionOptions,
    options: DriverOptions,
  ): SocketDriver {
    return new MeteredDriver(transport, connection, options, this)
  }

  protected override beginClosing(): void {
    super.beginClosing()
    this.metering.endPause()
  }
}
