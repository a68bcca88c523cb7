/** Hawser itself, in both roles: what the others are compared with, and what stands behind proxies. */
import { connect, HandshakeError, reject, WebSocketServer } from '../../../dist/esm/index.js'
import { main, PROTOCOL, report, settings } from './program.mjs'

const LIMITS = { maxMessageBytes: 32 * 1024 * 1024 }
const compression = (deflate) => deflate !== null && { thresholdBytes: 0, ...deflate }

/** @param {(socket: import('hawser').Socket) => object} wantedOf what is asked for @param {(report: object) => void} done */
const handlersOf = (wantedOf, done) => ({
  onOpen(socket) {
    const { action, code, reason } = wantedOf(socket)
    if (action === 'ping') socket.ping('peer')
    if (action === 'close') void socket.close(code, reason)
  },
  onMessage: (_, message) => message,
  onPong: (socket, data) => {
    if (wantedOf(socket).action === 'ping') socket.send(`pong ${data.toString()}`)
  },
  onError: () => {},
  onClose(socket, { code, reason }) {
    const { id } = wantedOf(socket)
    done({ case: id, open: true, protocol: socket.protocol, closeCode: code, closeReason: reason })
  },
})

await main({
  async serve(deflate) {
    const server = new WebSocketServer({
      limits: LIMITS,
      perMessageDeflate: compression(deflate),
      protocols: [PROTOCOL],
    })
    const handlers = handlersOf((socket) => settings(socket.url), report)
    server.route('/echo', handlers)
    server.route('/401', { ...handlers, onUpgrade: () => reject(401, 'who are you?\n') })
    return (await server.listen(0, '127.0.0.1')).port
  },
  run({ url, protocols, deflate }) {
    return new Promise((resolve, refuse) => {
      connect(url, {
        limits: LIMITS,
        protocols,
        perMessageDeflate: compression(deflate),
        handlers: handlersOf(() => settings(url), resolve),
      }).catch((error) => {
        if (error instanceof HandshakeError) resolve({ open: false, status: error.httpStatus })
        else refuse(error)
      })
    })
  },
})
