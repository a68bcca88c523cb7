/** A socket over a line, with the least that a core has beside: no server, no client, and a sink that writes down what it is told. */
import type { ConnectionOptions } from '../../src/connection/connection.js'
import type { CloseInfo, ConnectionEvent } from '../../src/connection/events.js'
import { resolveLimits, SERVER_LIMITS, type LimitOptions } from '../../src/limits.js'
import { BaseSocket } from '../../src/socket/base-socket.js'
import type { SlowConsumerPolicy } from '../../src/socket/driver-owner.js'
import { SocketCore, type EventSink, type SocketInfo } from '../../src/socket/socket-core.js'
import type { Transport } from '../../src/transport/transport.js'
import { nextTurn } from './memory-duplex.js'
import { openLine, type Line } from './model-line.js'
import { showEvent } from './pull.js'

export const INFO: SocketInfo = {
  url: '/chat?room=1',
  protocol: 'v1',
  extensions: 'x-none',
  secure: true,
  remoteAddress: '192.0.2.1',
}

export class PlainSocket extends BaseSocket<string> {}

export class PlainCore extends SocketCore<PlainSocket> {
  /** What the sink and the core were told, a line each. */
  readonly told: string[] = []
  readonly socket: PlainSocket
  /** Called with each event. */
  onEvent: (event: ConnectionEvent) => void = () => undefined
  droppedMessages = 0
  protected readonly sink: EventSink

  constructor(
    transport: Transport,
    connection: ConnectionOptions,
    limits: LimitOptions,
    policy: SlowConsumerPolicy,
  ) {
    const resolved = resolveLimits(limits, SERVER_LIMITS)
    super(transport, INFO, { ...connection, limits: resolved }, { limits: resolved, slowConsumer: policy })
    this.socket = new PlainSocket(this, 'own')
    const { told } = this
    const dropped = (): number => this.droppedMessages
    this.sink = {
      get droppedMessages() {
        return dropped()
      },
      handleEvent: (event: ConnectionEvent) => {
        told.push(showEvent(event))
        this.onEvent(event)
      },
      handleDrain: () => void told.push('drain'),
      handleResume: () => void told.push('resume'),
      handleTerminated: () => void told.push('terminated'),
      handleSendingOver: () => void told.push('sendingOver'),
      handleEnd: ({ code, droppedMessages }) => void told.push(`end ${code} dropped ${droppedMessages}`),
    }
  }

  get hasEnded(): boolean {
    return this.isOver
  }

  protected override beginClosing(): void {
    this.told.push('closing')
    super.beginClosing()
  }

  protected detach({ code }: CloseInfo): void {
    this.told.push(`detach ${code}`)
  }
}

export interface Opened {
  readonly core: PlainCore
  readonly socket: PlainSocket
  readonly line: Line
}

const cores: PlainCore[] = []

/** Opens a server's socket over a transport. {@link endAll} ends it. */
export function openOver(
  transport: Transport,
  limits: LimitOptions = {},
  policy: SlowConsumerPolicy = 'close',
): PlainCore {
  const core = new PlainCore(transport, { role: 'server' }, limits, policy)
  core.driver.start(new Uint8Array(0))
  cores.push(core)
  return core
}

/** The same, whose system takes so many bytes. */
export function open(
  systemBytes = 1_000_000,
  limits: LimitOptions = {},
  policy: SlowConsumerPolicy = 'close',
): Opened {
  const line = openLine('handle', systemBytes)
  const core = openOver(line.transport, limits, policy)
  return { core, socket: core.socket, line }
}

/** For `afterEach`. */
export async function endAll(): Promise<void> {
  for (const core of cores.splice(0)) core.terminate()
  await nextTurn()
}
