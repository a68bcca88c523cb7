/** The address of a client, as a server's socket has it where no proxy reports another. */
import type { ServerSocket } from '../../../src/server/server-socket.js'
import { REMOTE_ADDRESS, serveLine } from '../../helpers/line-server.js'
import { nextTurn } from '../../helpers/memory-duplex.js'
import { openLine } from '../../helpers/model-line.js'

it('is that of the peer, also once more was asked about the socket', async () => {
  let socket!: ServerSocket
  const server = serveLine(openLine('handle', 1_000_000), (made) => {
    socket = made
    return {}
  })
  await nextTurn()
  expect(socket.clientAddress).toBe(REMOTE_ADDRESS)
  expect(socket.id).not.toBe('')
  expect([socket.clientAddress, socket.remoteAddress]).toEqual([REMOTE_ADDRESS, REMOTE_ADDRESS])
  server.terminate()
})
