// The echo server of Hawser, with its defaults but compression: `--deflate` turns it on.
const { WebSocketServer } = await import(process.env.HAWSER_ENTRY ?? '../../dist/esm/index.js')

const server = new WebSocketServer({
  perMessageDeflate: process.argv.includes('--deflate'),
  limits: { maxMessageBytes: 64 * 1024 * 1024, maxBufferedOutputBytes: 256 * 1024 * 1024 },
})
server.route('/', {
  onMessage: (socket, message) => {
    socket.send(message)
  },
})
const { port } = await server.listen(0, '127.0.0.1')
console.log(port)
