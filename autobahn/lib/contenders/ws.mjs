import { WebSocket, WebSocketServer } from 'ws'

/**
 * `ws` with its defaults, but for compression, which its server has off: without it 12 and 13 would be unimplemented.
 * Its limit of message size, 100 MiB, is above all that the suite sends.
 */

/** @returns {Promise<number>} the port */
export function startEchoServer() {
  return new Promise((resolve, reject) => {
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true })
    server.on('connection', echoMessages)
    server.once('error', reject)
    server.once('listening', () => {
      const address = server.address()
      if (address !== null && typeof address === 'object') resolve(address.port)
    })
  })
}

/** @param {WebSocket} socket */
function echoMessages(socket) {
  socket.on('message', (data, isBinary) => {
    socket.send(data, { binary: isBinary })
  })
  socket.on('error', () => {}) // the suite breaks rules on purpose; the connection's end is all that counts
}

/** @param {string} url @returns {Promise<void>} */
export function echo(url) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url)
    let opened = false
    socket.once('open', () => {
      opened = true
    })
    socket.once('error', (error) => {
      if (!opened) reject(error)
    })
    socket.once('close', () => {
      resolve()
    })
    echoMessages(socket)
  })
}

/** @param {string} url @returns {Promise<string>} */
export function readText(url) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url)
    socket.once('error', reject)
    socket.once('message', (data) => {
      resolve(data.toString())
    })
  })
}
