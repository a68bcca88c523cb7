/** A client with handlers, and a server that does not read: see server-handlers.test.ts for all else of handlers. */
import { connect, type ClientSocket } from '../../src/index.js'
import { closeFrame, frames, OP } from '../helpers/frame-builder.js'
import { Journal } from '../helpers/journal.js'
import { acceptRaw, RawServer, type RawPeer } from '../helpers/raw-peer.js'
import { showInfo } from '../helpers/serving.js'

let server: RawServer
afterEach(() => server.close())

/** A connection whose first reply does not leave, so that its inbox is full and reading has stopped. */
async function stuck(journal: Journal): Promise<{ peer: RawPeer; socket: ClientSocket }> {
  const texts = frames(...['1', '2', '3', '4'].map((payload) => ({ opcode: OP.TEXT, payload })))
  server = await RawServer.start(async (peer) => {
    await acceptRaw(peer)
    peer.pause()
    peer.write(texts)
  })
  // More than the buffers of the system hold between two that do not read.
  const block = Buffer.alloc(16 * 1024 * 1024)
  const socket = await connect(server.url, {
    handlers: {
      onTextMessage: (_, message) => {
        journal.add(message)
        return message === '1' ? block : message
      },
      onClose: (_, info) => journal.add(showInfo(info)),
    },
    limits: { maxQueuedMessages: 2 },
    perMessageDeflate: false,
    slowConsumer: 'buffer',
  })
  await journal.until('1')
  return { peer: server.peers[0] as RawPeer, socket }
}

it('onClose is called when the connection is reset while a reply waits for room', async () => {
  const journal = new Journal()
  const { peer } = await stuck(journal)
  peer.reset()
  expect((await journal.until(/^closed/)).at(-1)).toBe('closed 1006 unclean remote')
})

it('the connection ends cleanly when the client closes while a reply waits for room', async () => {
  const journal = new Journal()
  const { peer, socket } = await stuck(journal)
  void socket.close(1000)
  peer.resume()
  await peer.readToClose()
  peer.write(closeFrame(1000))
  peer.end()
  expect(await journal.until(/^closed/)).toEqual(['1', '2', '3', '4', 'closed 1000 clean local'])
})
