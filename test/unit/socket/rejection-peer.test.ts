/** A rejection on a real connection, whose peer still sends. */
import { writeAndEnd } from '../../../src/socket/handshake-io.js'
import { openRaw, RawServer } from '../../helpers/raw-peer.js'

describe('writeAndEnd', () => {
  it('sends the whole answer to a real peer whose body is on its way', async () => {
    const response = Buffer.alloc(100_000, 'r')
    const server = await RawServer.start(({ socket }) => {
      socket.removeAllListeners('data')
      writeAndEnd(socket, response)
    })
    const peer = await openRaw(server.port)
    peer.write(Buffer.alloc(200_000, 'b'))
    const came = await peer.ended()
    expect(came.length).toBe(response.length)
    peer.end()
    await peer.closed()
    await server.close()
  })
})
