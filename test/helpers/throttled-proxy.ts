/**
 * A TCP proxy in this process that lets bytes through at a rate, stops, goes on, and cuts. The system's buffers on both
 * sides of it hold some megabytes, which Node cannot change: what is to be noticed has to be larger.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

const STEP_MS = 10

/** One direction of one connection. */
class Pipe {
  /** Bytes that went through. */
  passed = 0
  private readonly from: Socket
  private readonly to: Socket
  private readonly timer: NodeJS.Timeout
  private hasEnded = false

  constructor(from: Socket, to: Socket, proxy: ThrottledProxy) {
    this.from = from
    this.to = to
    from.pause()
    from.on('readable', () => undefined)
    from.on('end', () => (this.hasEnded = true))
    this.timer = setInterval(() => {
      this.step((proxy.bytesPerSecond * STEP_MS) / 1000)
    }, STEP_MS)
    from.on('close', () => clearInterval(this.timer))
  }

  private step(budget: number): void {
    if (budget > 0 && !this.to.writableNeedDrain) {
      const waiting = this.from.readableLength
      const bytes = this.from.read(Math.min(waiting, Math.ceil(budget))) as Buffer | null
      if (bytes !== null) {
        this.passed += bytes.length
        this.to.write(bytes)
      }
    }
    if (this.hasEnded && !this.to.writableEnded) this.to.end()
  }
}

export class ThrottledProxy {
  /** Each way, for each connection. Infinity: as fast as it goes; 0: nothing. */
  bytesPerSecond: number
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  private readonly pipes: Pipe[] = []

  private constructor(server: Server, bytesPerSecond: number) {
    this.server = server
    this.bytesPerSecond = bytesPerSecond
  }

  /** Listens on a free port of 127.0.0.1, before a port there. */
  static start(port: number, bytesPerSecond = Infinity): Promise<ThrottledProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: 64 * 1024 }, (near) => {
      const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      for (const socket of [near, far]) {
        proxy.sockets.add(socket)
        socket.on('error', () => undefined)
        socket.on('close', () => {
          proxy.sockets.delete(socket)
          near.destroy()
          far.destroy()
        })
      }
      proxy.pipes.push(new Pipe(near, far, proxy), new Pipe(far, near, proxy))
    })
    const proxy = new ThrottledProxy(server, bytesPerSecond)
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(proxy)))
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  /** Bytes that went through, both ways. */
  get passed(): number {
    return this.pipes.reduce((sum, { passed }) => sum + passed, 0)
  }

  /** Lets nothing through, and keeps the connections. */
  stall(): void {
    this.bytesPerSecond = 0
  }

  /** Resets all connections, on both sides. */
  cut(): void {
    for (const socket of this.sockets) socket.resetAndDestroy()
  }

  /** Cuts all and stops. */
  close(): void {
    this.cut()
    this.server.close()
  }
}
