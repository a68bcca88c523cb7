/** Real sockets over streams in memory, for a hub: as a server has them, without the server. */
import { ReadyState } from '../../src/connection/connection.js'
import type { CloseInfo, ConnectionEvent } from '../../src/connection/events.js'
import type { WaitOptions } from '../../src/socket/waiters.js'
import type { Limits } from '../../src/limits.js'
import type { Hub } from '../../src/hub/hub.js'
import type { SlowConsumerPolicy } from '../../src/socket/driver-owner.js'
import { StreamTransport } from '../../src/transport/stream-transport.js'
import { BaseSocket } from '../../src/socket/base-socket.js'
import { SocketCore, type EventSink } from '../../src/socket/socket-core.js'
import { MemoryDuplex } from './memory-duplex.js'

const INFO = { url: '/', protocol: '', extensions: '', secure: false, remoteAddress: '' }

class HubSocketCore extends SocketCore<HubSocket> {
  readonly socket: HubSocket = new HubSocket(this, null)
  protected readonly sink: EventSink = {
    handleEvent: (event) => {
      if (event.type === 'closed') this.socket.onClose()
    },
    handleDrain: () => undefined,
    handleResume: () => undefined,
    handleSendingOver: () => undefined,
    handleTerminated: () => undefined,
    handleEnd: () => undefined,
    droppedMessages: 0,
  }
  private readonly hub: Hub<HubSocket>

  constructor(hub: Hub<HubSocket>, duplex: MemoryDuplex, limits: Limits, slowConsumer: SlowConsumerPolicy) {
    super(new StreamTransport(duplex), INFO, { role: 'server', limits }, { limits, slowConsumer })
    this.hub = hub
    this.driver.start(new Uint8Array(0))
  }

  override close(code?: number, reason?: string, options?: WaitOptions): Promise<CloseInfo> {
    const ended = super.close(code, reason, options)
    this.leaveOpen()
    return ended
  }

  override handleEvent(event: ConnectionEvent): void {
    this.leaveOpen()
    super.handleEvent(event)
  }

  protected override detach(): void {
    this.leaveOpen()
  }

  private leaveOpen(): void {
    if (this.socket.readyState !== ReadyState.OPEN) this.hub.forget(this.socket)
  }
}

export class HubSocket extends BaseSocket<unknown> {
  onClose: () => unknown = () => undefined
}

/** Opens a connection that the hub is told of when its end begins. */
export function openMember(
  hub: Hub<HubSocket>,
  limits: Limits,
  slowConsumer: SlowConsumerPolicy,
): { socket: HubSocket; wire: MemoryDuplex } {
  const wire = new MemoryDuplex()
  return { socket: new HubSocketCore(hub, wire, limits, slowConsumer).socket, wire }
}
