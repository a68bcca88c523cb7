import { connect, WebSocketServer } from '../../../dist/esm/index.js'

/**
 * The suite sends messages of 16 MiB and reads slowly while it does: the limits that guard a server on the Internet
 * are set above that. All else is as it comes.
 */
const limits = { maxMessageBytes: 64 * 1024 * 1024, maxBufferedOutputBytes: 256 * 1024 * 1024 }

/** Echoes every message with its type. */
const echoHandlers = {
  /** @param {{ send(data: string): boolean }} socket @param {string} text */
  onTextMessage(socket, text) {
    socket.send(text)
  },
  /** @param {{ send(data: Uint8Array): boolean }} socket @param {Uint8Array} bytes */
  onBinaryMessage(socket, bytes) {
    socket.send(bytes)
  },
}

/**
 * @param {{ directIo: boolean }} way by the handles of sockets, where this Node lets it be done, or by their streams
 * @returns {import('./load.mjs').Contender}
 */
export function hawser(way) {
  return {
    async startEchoServer() {
      const server = new WebSocketServer({ ...way, limits })
      server.route('/', echoHandlers)
      const { port } = await server.listen(0, '127.0.0.1')
      return port
    },

    async echo(url) {
      /** @type {() => void} */
      let ended = () => {}
      /** @type {Promise<void>} */
      const end = new Promise((resolve) => {
        ended = resolve
      })
      await connect(url, {
        ...way,
        limits,
        handlers: {
          ...echoHandlers,
          onClose() {
            ended()
          },
        },
      })
      await end
    },

    readText(url) {
      return new Promise((resolve, reject) => {
        connect(url, {
          ...way,
          handlers: {
            /** @param {unknown} _socket @param {string} text */
            onTextMessage(_socket, text) {
              resolve(text)
            },
            onClose() {
              reject(new Error(`${url} closed without a text message`))
            },
          },
        }).catch(reject)
      })
    },
  }
}
