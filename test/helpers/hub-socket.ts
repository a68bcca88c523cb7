/** Real sockets over streams in memory, for a hub: as a server has them, without the server. */
import type { Limits } from '../../src/limits.js'
import type { Hub } from '../../src/hub/hub.js'
import type { SlowConsumerPolicy } from '../../src/socket/socket-driver.js'
import { StreamTransport } from '../../src/socket/stream-transport.js'
import { Socket, type EventSink } from '../../src/socket/socket.js'
import { MemoryDuplex } from './memory-duplex.js'

const INFO = { url: '/', protocol: '', extensions: '', secure: false, remoteAddress: '' }

export class HubSocket extends Socket {
  onClose: () => unknown = () => undefined
  protected readonly sink: EventSink = {
    handleEvent: (event) => {
      if (event.type === 'closed') this.onClose()
    },
    handleDrain: () => undefined,
    handleResume: () => undefined,
    handleSendingOver: () => undefined,
    handleEnd: () => undefined,
    droppedMessages: 0,
  }
  private readonly hub: Hub<HubSocket>

  constructor(hub: Hub<HubSocket>, duplex: MemoryDuplex, limits: Limits, slowConsumer: SlowConsumerPolicy) {
    super(new StreamTransport(duplex), INFO, null, { role: 'server', limits }, { limits, slowConsumer })
    this.hub = hub
    this.driver.start(new Uint8Array(0))
  }

  protected override detach(): void {
    this.hub.forget(this)
  }
}

/** Opens a connection that the hub is told of when it ends. */
export function openMember(
  hub: Hub<HubSocket>,
  limits: Limits,
  slowConsumer: SlowConsumerPolicy,
): { socket: HubSocket; wire: MemoryDuplex } {
  const wire = new MemoryDuplex()
  return { socket: new HubSocket(hub, wire, limits, slowConsumer), wire }
}
