/** A TCP proxy in this process whose line can be cut, or go dead without a word, and be there again. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export class CutProxy {
  readonly port: number
  private readonly sockets = new Set<Socket>()
  private readonly close: () => void
  private isCut = false
  private isDead = false

  private constructor(port: number, close: () => void) {
    this.port = port
    this.close = close
  }

  static async to(target: number): Promise<CutProxy> {
    const server = createServer((near) => {
      const far = connect(target, '127.0.0.1')
      for (const socket of [near, far]) {
        proxy.sockets.add(socket)
        socket.once('close', () => {
          proxy.sockets.delete(socket)
          near.destroy()
          far.destroy()
        })
        socket.on('error', () => undefined)
      }
      if (proxy.isCut) near.destroy()
      near.on('data', (data) => proxy.isDead || far.write(data))
      far.on('data', (data) => proxy.isDead || near.write(data))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const proxy: CutProxy = new CutProxy((server.address() as AddressInfo).port, () => server.close())
    return proxy
  }

  /** Cuts all connections, and every new one until {@link mend}. */
  cut(): void {
    this.isCut = true
    for (const socket of this.sockets) socket.destroy()
  }

  /** Nothing goes through any more, in either direction, and no connection is closed: as after a cable is pulled. */
  dead(): void {
    this.isDead = true
  }

  /** New connections work. Those that were dead lost bytes, and are cut. */
  mend(): void {
    for (const socket of this.sockets) socket.destroy()
    this.isCut = false
    this.isDead = false
  }

  remove(): void {
    this.cut()
    this.close()
  }
}
