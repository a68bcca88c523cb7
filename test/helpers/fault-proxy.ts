/**
 * A TCP proxy in this process, to a port of 127.0.0.1. Its line can have a rate, stop, go dead, be cut and be mended; and with faults
 * it does to a connection, at one byte, what a network can do to it. Without them each end gets what the other one does: bytes, FIN
 * and RST. The system's buffers on both sides of it hold some megabytes, which Node cannot change: what is to be noticed has to
 * be larger, or small-buffers.ts has to be beside it.
 */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { FaultFlow, type Fault, type FlowOwner, type Sender } from './fault-flow.js'

export interface FaultProxyOptions {
  /** Each way, for each connection. Default: as fast as it goes. */
  readonly bytesPerSecond?: number
  /** What happens to each connection. Default: nothing. */
  readonly faults?: readonly Fault[]
  /** Whether the bytes that pass are kept. Default: no. */
  readonly keepsBytes?: boolean
}

/** Sends a RST. */
function reset(socket: Socket): void {
  if (socket.destroyed) return
  // While a FIN is on its way Node can neither reset nor close.
  if (socket.writableEnded && !socket.writableFinished) socket.once('finish', () => socket.resetAndDestroy())
  else if (socket.connecting) socket.destroy()
  else socket.resetAndDestroy()
}

/** One connection through a proxy. */
export class FaultLink implements FlowOwner {
  readonly fromClient: FaultFlow
  readonly fromServer: FaultFlow
  /** Both sides are closed. */
  readonly closed: Promise<void>
  isClosed = false
  /** What happens to one side is no longer passed on to the other. */
  private isCut = false
  private readonly near: Socket
  private readonly far: Socket

  /** @param near the client's side, @param far the server's, which may still connect */
  constructor(near: Socket, far: Socket, { faults = [], keepsBytes = false }: FaultProxyOptions) {
    this.near = near
    this.far = far
    // A byte that is written before the far side is connected would not be a write of its own.
    near.pause()
    const of = (from: Sender): Fault[] => faults.filter((fault) => fault.from === from)
    this.fromClient = new FaultFlow(near, far, this, of('client'), keepsBytes)
    this.fromServer = new FaultFlow(far, near, this, of('server'), keepsBytes)
    this.closed = Promise.all([this.follow(near, far), this.follow(far, near)]).then(() => {
      this.isClosed = true
    })
    far.once('connect', () => {
      this.fromServer.begin()
      this.fromClient.begin()
    })
  }

  /** The bytes of one end that passed, if they are kept. */
  bytesOf(sender: Sender): Buffer {
    return Buffer.concat(this.flowOf(sender).kept)
  }

  flowOf(sender: Sender): FaultFlow {
    return sender === 'client' ? this.fromClient : this.fromServer
  }

  /** Both ends get a FIN after what passed, and nothing more. */
  truncate(): void {
    this.isCut = true
    this.fromClient.end()
    this.fromServer.end()
  }

  /** Both ends get a RST. */
  reset(): void {
    this.isCut = true
    reset(this.near)
    reset(this.far)
  }

  /** Nothing passes any more. */
  silence(): void {
    this.isCut = true
    this.fromClient.hold()
    this.fromServer.hold()
  }

  /** The end of what holds the flows. */
  release(): void {
    this.fromClient.release()
    this.fromServer.release()
  }

  /** No byte passes any more: each is swallowed. */
  dead(): void {
    this.isCut = true
    this.fromClient.isDead = true
    this.fromServer.isDead = true
  }

  destroy(): void {
    this.isCut = true
    this.near.destroy()
    this.far.destroy()
  }

  private follow(one: Socket, other: Socket): Promise<void> {
    one.on('error', () => undefined)
    return new Promise((resolve) => {
      one.once('close', (hadError: boolean) => {
        if (hadError && !this.isCut) reset(other)
        resolve()
      })
    })
  }
}

export class FaultProxy {
  /** Those that there were, the first one first. */
  readonly links: FaultLink[] = []
  /** The first of them. */
  readonly first: Promise<FaultLink>
  private readonly server: Server
  private rate: number
  private isDown = false
  private isDead = false

  private constructor(target: number, options: FaultProxyOptions) {
    this.rate = options.bytesPerSecond ?? Infinity
    let tell: (link: FaultLink) => void = () => undefined
    this.first = new Promise((resolve) => (tell = resolve))
    this.server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (near) => {
      if (this.isDown) {
        near.destroy()
        return
      }
      const far = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      const link = new FaultLink(near, far, options)
      this.links.push(link)
      tell(link)
      if (this.rate !== Infinity) this.pace(link)
      if (this.isDead) link.dead()
    })
  }

  /** Listens on a free port of 127.0.0.1, before a port there. */
  static async to(target: number, options: FaultProxyOptions = {}): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, options)
    await once(proxy.server.listen(0, '127.0.0.1'), 'listening')
    return proxy
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** How many bytes passed, both ways, of all connections. */
  get passed(): number {
    return this.links.reduce(
      (sum, { fromClient, fromServer }) => sum + fromClient.passed + fromServer.passed,
      0,
    )
  }

  /** Each way, for each connection. Infinity: as fast as it goes; 0: nothing passes, and all connections stay. */
  set bytesPerSecond(rate: number) {
    this.rate = rate
    for (const link of this.links) this.pace(link)
  }

  /** Resets all connections, on both sides. */
  reset(): void {
    for (const link of this.links) link.reset()
  }

  /** Ends all connections, and every new one until {@link mend}. */
  cut(): void {
    this.isDown = true
    for (const link of this.links) link.destroy()
  }

  /** Nothing goes through any more, in either direction, and no connection is closed: as after a cable is pulled. */
  dead(): void {
    this.isDead = true
    for (const link of this.links) link.dead()
  }

  /** New connections work. Those that were dead lost bytes, and are cut. */
  mend(): void {
    for (const link of this.links) link.destroy()
    this.isDown = false
    this.isDead = false
  }

  /** Cuts all and stops. */
  close(): void {
    this.cut()
    this.server.close()
  }

  private pace(link: FaultLink): void {
    link.fromClient.pace(this.rate)
    link.fromServer.pace(this.rate)
  }
}
