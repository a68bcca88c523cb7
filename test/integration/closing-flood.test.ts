/** A peer that floods a connection that has failed: what of it is read, and when it ends. */
import { WebSocketServer, type CloseInfo, type ServerSocket } from '../../src/index.js'
import { SERVER_TLS } from '../helpers/certificates.js'
import { frame, KEY } from '../helpers/frame-builder.js'
import { openRaw, requestHead, type RawPeer } from '../helpers/raw-peer.js'
import { openRawTls } from '../helpers/raw-tls.js'

const MIB = 1024 * 1024
/** What is discarded, and what the buffers of the system and of Node hold besides. */
const MOST_BYTES = 4 * MIB + 24 * MIB
const CLOSE_TIMEOUT_MS = 1_500

const WAYS = [
  { name: 'by the handle', open: openRaw, options: {} },
  { name: 'by the stream', open: openRaw, options: { directIo: false } },
  { name: 'over TLS', open: openRawTls, options: { tls: SERVER_TLS } },
]

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup()
})

/** Sends as fast as the other end reads, until the connection is over. @returns how many bytes the system took */
async function flood(peer: RawPeer): Promise<number> {
  const { socket } = peer
  const block = Buffer.alloc(64 * 1024)
  let taken = 0
  while (!peer.isClosed && socket.writable) {
    await new Promise<void>((resolve) => {
      socket.once('close', resolve)
      socket.write(block, (error) => {
        socket.off('close', resolve)
        if (!error) taken += block.length
        resolve()
      })
    })
  }
  return taken
}

describe.each(WAYS)('a server, $name', ({ open, options }) => {
  /** A server of one connection, which has failed and is flooded until it is over. */
  async function floodFailed(
    closeTimeoutMs: number | false,
    onOpen?: (socket: ServerSocket) => void,
  ): Promise<{ taken: number; info: CloseInfo; peer: RawPeer; server: WebSocketServer }> {
    const server = new WebSocketServer({ ...options, closeTimeoutMs })
    cleanups.push(() => {
      server.terminate()
    })
    const ended = new Promise<CloseInfo>((resolve) => {
      server.route('/', {
        onOpen: (socket) => onOpen?.(socket),
        onError: () => undefined,
        onClose: (_, info) => resolve(info),
        onMessage: () => undefined,
      })
    })
    const { port } = await server.listen(0, '127.0.0.1')
    const peer = await open(port)
    cleanups.push(() => {
      peer.reset()
    })
    peer.write(requestHead())
    await peer.readHead()
    // What waits for it stays where it is.
    if (onOpen !== undefined) peer.socket.pause()
    // A reserved opcode.
    peer.write(frame({ opcode: 3, key: KEY, payload: 'x' }))
    return { taken: await flood(peer), info: await ended, peer, server }
  }

  // Without a time of its own too: while TCP holds the peer back, its FIN cannot be seen.
  test.each([20_000, false] as const)(
    'reads a bounded part of what a peer sends after its connection has failed, and cuts it soon (closeTimeoutMs %s)',
    async (closeTimeoutMs) => {
      const { taken, info, peer, server } = await floodFailed(closeTimeoutMs)
      expect(taken).toBeGreaterThan(0)
      expect(taken).toBeLessThan(MOST_BYTES)
      expect(info.code).toBe(1002)
      expect((await peer.readToClose()).payload.readUInt16BE(0)).toBe(1002)
      expect(server.stats().connections).toBe(0)
    },
  )

  test('reads a bounded part also while output waits for the peer, and cuts it after closeTimeoutMs', async () => {
    const { taken, info } = await floodFailed(CLOSE_TIMEOUT_MS, (socket) => {
      socket.send(Buffer.alloc(16 * MIB))
      socket.send(Buffer.alloc(16 * MIB))
    })
    expect(taken).toBeLessThan(MOST_BYTES)
    expect(info.code).toBe(1002)
  })
})
