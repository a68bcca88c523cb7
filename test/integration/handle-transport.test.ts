/** The transport by the handle of a real socket, by itself: that it ends when both sides did, in either order. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { HandleTransport, transportOver } from '../../src/transport/handle-transport.js'
import { openRaw, type RawPeer } from '../helpers/raw-peer.js'

interface Pair {
  readonly transport: HandleTransport
  readonly peer: RawPeer
  /** What the owner of the transport was told. */
  readonly told: string[]
  /** Waits until it was told this. */
  until(line: string): Promise<void>
}

const servers: Server[] = []
const peers: RawPeer[] = []
afterEach(() => {
  for (const peer of peers.splice(0)) peer.socket.destroy()
  for (const server of servers.splice(0)) server.close()
})

async function openPair(): Promise<Pair> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
  servers.push(server)
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const peer = await openRaw((server.address() as AddressInfo).port)
  peers.push(peer)
  const transport = transportOver(await accepted, true)
  if (!(transport instanceof HandleTransport)) throw new Error('no handle was taken')
  const told: string[] = []
  const looks = new Set<() => void>()
  const tell = (line: string): void => {
    told.push(line)
    for (const look of looks) look()
  }
  transport.setOwner({
    receive: (chunk) => tell(chunk.toString()),
    receiveEnd: () => tell('end'),
    transportLost: (error) => tell(error === undefined ? 'lost' : `lost ${error.message}`),
    unblock: () => tell('unblock'),
  })
  transport.resume()
  const until = (line: string): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!told.includes(line)) return
        looks.delete(look)
        resolve()
      }
      looks.add(look)
      look()
    })
  return { transport, peer, told, until }
}

describe('RFC 6455 7.1.1: a transport ends when both sides have ended', () => {
  it('and the peer is the last to end', async () => {
    const { transport, peer, told, until } = await openPair()
    transport.write(Buffer.from('last words'))
    transport.end()
    expect((await peer.ended()).toString()).toBe('last words')
    expect([transport.isDestroyed, told]).toEqual([false, []])
    peer.write('answer')
    await until('answer')
    expect(transport.isDestroyed).toBe(false)
    peer.end()
    await until('lost')
    expect(transport.isDestroyed).toBe(true)
    expect(told).toEqual(['answer', 'end', 'lost'])
  })

  it('and this side is the last to end', async () => {
    const { transport, peer, told, until } = await openPair()
    peer.end()
    await until('end')
    expect(transport.isDestroyed).toBe(false)
    transport.write(Buffer.from('still here'))
    transport.end()
    expect((await peer.ended()).toString()).toBe('still here')
    await until('lost')
    expect(transport.isDestroyed).toBe(true)
    expect(told).toEqual(['end', 'lost'])
    await peer.closed()
  })

  it('and this side is the last to end, after output that had to wait', async () => {
    const { transport, peer, told, until } = await openPair()
    peer.end()
    await until('end')
    peer.pause()
    const bytes = Buffer.alloc(16 * 1024 * 1024, 'x')
    expect(transport.write(bytes)).toBe(false)
    transport.end()
    expect(transport.isDestroyed).toBe(false)
    peer.resume()
    expect((await peer.ended()).length).toBe(bytes.length)
    await until('lost')
    expect(transport.isDestroyed).toBe(true)
    expect(told.filter((line) => line !== 'unblock')).toEqual(['end', 'lost'])
  })
})
