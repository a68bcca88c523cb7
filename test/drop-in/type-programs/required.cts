/** A program in CommonJS, as they are written against the types of `ws`. */
import http = require('node:http')
import https = require('node:https')
import stream = require('node:stream')
import WebSocket = require('ws')

const server = new WebSocket.Server(
  { port: 0, perMessageDeflate: { zlibDeflateOptions: { level: 3 } } },
  () => {
    const address: string | WebSocket.AddressInfo | null = server.address()
    if (address !== null && typeof address !== 'string') address.port.toFixed()
  },
)
const other: WebSocket.WebSocketServer = new WebSocket.WebSocketServer({ noServer: true })
const third: WebSocket.Server = other

server.on('connection', function (socket, request) {
  const url: string | undefined = request.url
  this.clients.forEach((client) => client.ping())
  socket.on('message', (data, isBinary) => {
    const raw: WebSocket.RawData = data
    if (Array.isArray(raw)) Buffer.concat(raw)
    else if (raw instanceof ArrayBuffer) new Uint8Array(raw)
    else raw.toString()
    socket.send(
      data as Buffer,
      { binary: isBinary, compress: true, fin: true, mask: false },
      (error?: Error) => {
        error?.message.trim()
      },
    )
  })
  socket.on('close', (code, reason) => [code.toFixed(), reason.toString(), url])
  socket.on('ping', (data) => data.byteLength)
  socket.on('custom', (...values: unknown[]) => values.length)
  socket.once('pong', function (data) {
    this.terminate()
    data.toString()
  })
  socket.off('error', (error) => error.message)
})
server.once('listening', () => undefined)
server.on('headers', (headers, request) => headers.push(`X-Path: ${String(request.url)}`))
server.on('wsClientError', (error, socket, request) => [error.message, socket.destroy(), request.url])
server.addListener('error', (error) => error.message)
server.removeListener('close', () => undefined)
server.options.path?.trim()
server.path.trim()
third.close((error) => error?.message)

http.createServer().on('upgrade', (request, socket: stream.Duplex, head) => {
  if (other.shouldHandle(request) === true) {
    other.handleUpgrade(request, socket, head, (client, same) => other.emit('connection', client, same))
  }
})

const client = new WebSocket('wss://localhost', ['a', 'b'], {
  agent: new https.Agent(),
  headers: { 'X-A': 'b' },
  handshakeTimeout: 5,
  followRedirects: true,
  maxRedirects: 1,
  maxPayload: 1,
  maxBufferedChunks: 1,
  maxFragments: 1,
  allowSynchronousEvents: false,
  autoPong: false,
  skipUTF8Validation: true,
  generateMask: (mask) => mask.fill(0),
  rejectUnauthorized: false,
  family: 6,
  finishRequest: (request, socket) => {
    socket.url.trim()
    request.end()
  },
  perMessageDeflate: false,
} satisfies WebSocket.ClientOptions)
const again = new WebSocket(new URL('ws://localhost'), { host: 'a', port: 1 })
const without = new WebSocket(null)
without.close()
client.binaryType = 'fragments'
client.onopen = ({ type, target }) => [type.trim(), target.readyState === WebSocket.OPEN]
client.onmessage = ({ data }) => (typeof data === 'string' ? data.trim() : data)
client.onclose = ({ wasClean, code, reason }) => [wasClean, code.toFixed(), reason.trim()]
client.onerror = ({ error, message }) => [error.anything, message.trim()]
client.onerror = null
client.addEventListener('message', (event) => event.data, { once: true })
client.addEventListener('close', { handleEvent: (event) => event.code })
client.removeEventListener('open', (event: WebSocket.Event) => event.target)
client.on('upgrade', (response) => response.headers)
client.on('redirect', (url, request) => [url.trim(), request.path])
client.on('unexpected-response', (request, response) => [request.path, response.statusCode])
client.ping('a', true, (error) => error.message)
client.pong(Buffer.alloc(1), undefined, () => undefined)
client.send([1, 2])
client.send(new DataView(new ArrayBuffer(1)))
client.send(new Blob([]))
client.close(1000, 'bye')
client.pause()
client.resume()
const states: (0 | 1 | 2 | 3)[] = [client.readyState, client.CONNECTING, WebSocket.CLOSED, again.OPEN]
const amount: number = client.bufferedAmount + states.length
const texts: string = client.protocol + client.extensions + String(amount) + String(client.isPaused)
const duplex: stream.Duplex = WebSocket.createWebSocketStream(client, {
  encoding: 'utf8',
  readableObjectMode: true,
})
duplex.end(texts)

const sync: WebSocket.VerifyClientCallbackSync = ({ origin, secure, req }) =>
  secure && origin === req.headers.origin
const later: WebSocket.VerifyClientCallbackAsync = ({ req }, callback) =>
  callback(req.url !== '/', 401, 'No', { 'X-A': 'b' })
const options: WebSocket.ServerOptions = {
  verifyClient: Math.random() > 2 ? sync : later,
  handleProtocols: (protocols, request) => (request.url === '/' ? false : ([...protocols][0] ?? false)),
  server: http.createServer(),
  clientTracking: false,
  backlog: 5,
  WebSocket,
}
const events: (keyof WebSocket.WebSocketEventMap)[] = ['open', 'message', 'error', 'close']
const names: [WebSocket.Data, WebSocket.CertMeta, WebSocket.EventListenerOptions] = ['a', 'b', { once: true }]
export = { options, events, names }
