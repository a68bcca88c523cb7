// Bun's own server. Bounds as for the others; with --deflate every reply asks to be compressed, with --keep-context each
// connection has a decompressor of its own, without which Bun lets no client keep its context.
import { flags, MAX_BUFFERED_BYTES, MAX_MESSAGE_BYTES, ready, tlsOptions } from './shared.mjs'

const tls = tlsOptions()
const server = globalThis.Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  ...(tls === undefined ? {} : { tls }),
  fetch(request, own) {
    return own.upgrade(request) ? undefined : new Response('no upgrade', { status: 426 })
  },
  websocket: {
    perMessageDeflate: flags.keepsContext ? { compress: true, decompress: 'dedicated' } : flags.deflate,
    maxPayloadLength: MAX_MESSAGE_BYTES,
    backpressureLimit: MAX_BUFFERED_BYTES,
    open(socket) {
      if (flags.fanout) socket.subscribe('all')
    },
    message(socket, message) {
      if (flags.fanout) server.publish('all', message, flags.deflate)
      else socket.send(message, flags.deflate)
    },
  },
})
ready(server.port)
