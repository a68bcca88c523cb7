// Deno's own server; it has no compression.
import { flags, ready, tlsOptions } from './shared.mjs'

const sockets = new Set()
const tls = tlsOptions()
globalThis.Deno.serve(
  {
    hostname: '127.0.0.1',
    port: 0,
    ...(tls === undefined ? {} : { key: String(tls.key), cert: String(tls.cert) }),
    onListen: ({ port }) => ready(port),
  },
  (request) => {
    const { socket, response } = globalThis.Deno.upgradeWebSocket(request)
    socket.binaryType = 'arraybuffer'
    if (flags.fanout) {
      socket.onopen = () => sockets.add(socket)
      socket.onclose = () => sockets.delete(socket)
      socket.onmessage = ({ data }) => {
        for (const one of sockets) one.send(data)
      }
    } else {
      socket.onmessage = ({ data }) => socket.send(data)
    }
    return response
  },
)
