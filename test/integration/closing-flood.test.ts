/** A peer that floods a connection that has failed: what of it is read, and when it ends. */
import { WebSocketServer, type CloseInfo } from '../../src/index.js'
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
  test('reads a bounded part of what a peer sends after its connection has failed, and cuts it in time', async () => {
    const server = new WebSocketServer({ ...options, closeTimeoutMs: CLOSE_TIMEOUT_MS })
    const ended = new Promise<CloseInfo>((resolve) => {
      server.route('/', {
        onError: () => undefined,
        onClose: (_, info) => void resolve(info),
        onMessage: () => undefined,
      })
    })
    const { port } = await server.listen(0, '127.0.0.1')
    const peer = await open(port)
    try {
      peer.write(requestHead())
      await peer.readHead()
      // A reserved opcode.
      peer.write(frame({ opcode: 3, key: KEY, payload: 'x' }))
      const closed = peer.readToClose()
      const taken = await flood(peer)
      expect(taken).toBeGreaterThan(0)
      expect(taken).toBeLessThan(MOST_BYTES)
      expect((await ended).code).toBe(1002)
      expect((await closed).payload.readUInt16BE(0)).toBe(1002)
    } finally {
      peer.reset()
      server.terminate()
    }
  })
})
