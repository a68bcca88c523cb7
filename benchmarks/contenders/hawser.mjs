// Hawser with its defaults, but for compression (off unless --deflate) and the bounds on large messages. With --return the
// handler returns the reply, else it calls send.
import { flags, MAX_BUFFERED_BYTES, MAX_MESSAGE_BYTES, ready, tlsOptions } from './shared.mjs'

const { PreparedMessage, WebSocketServer } = await import(
  process.env.HAWSER_ENTRY ?? '../../dist/esm/index.js'
)

const tls = tlsOptions()
const server = new WebSocketServer({
  perMessageDeflate: flags.deflate,
  limits: { maxMessageBytes: MAX_MESSAGE_BYTES, maxBufferedOutputBytes: MAX_BUFFERED_BYTES },
  ...(tls === undefined ? {} : { tls }),
})

const sockets = new Set()
const broadcast =
  typeof server.broadcast === 'function'
    ? (message) => server.broadcast(message)
    : (message) => {
        const prepared = new PreparedMessage(message)
        for (const socket of sockets) socket.send(prepared)
      }

const service = flags.fanout
  ? {
      onOpen: (socket) => {
        sockets.add(socket)
      },
      onClose: (socket) => {
        sockets.delete(socket)
      },
      onMessage: (_, message) => {
        broadcast(message)
      },
    }
  : flags.returns
    ? { onMessage: (_, message) => message }
    : {
        onMessage: (socket, message) => {
          socket.send(message)
        },
      }
server.route('/', service)
const { port } = await server.listen(0, '127.0.0.1')
ready(port)
