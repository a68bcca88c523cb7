/**
 * The server under load: echoes at `/`, and the group `feed`. It prints its port, and a line of JSON for each line of input: what it
 * counted, and the most memory that it took since the last one, looked at 20 times a second.
 */
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { deflateRaw } from 'node:zlib'
import { FEED, SERVER_OPTIONS } from '../lib/settings.mjs'

const { WebSocketServer, PreparedMessage, SERVER_LIMITS } = await import('../../dist/esm/index.js')

const LOOK_MS = 50

/** How often each text was counted. */
const counts = { closes: {}, errorCodes: {} }
const count = (kind, text) => (counts[kind][text] = (counts[kind][text] ?? 0) + 1)

const server = new WebSocketServer({
  ...SERVER_OPTIONS,
  onError: ({ code }) => count('errorCodes', code ?? 'other'),
})
const counted = {
  onError: (_socket, { code }) => count('errorCodes', code ?? 'other'),
  onClose: (_socket, { code }) => count('closes', String(code)),
}
server.route('/', { ...counted, onMessage: (_socket, message) => message })
const feed = server.group('feed')
server.route('/feed', { ...counted, onOpen: (socket) => void socket.join('feed') })
const news = new PreparedMessage(Buffer.alloc(FEED.messageBytes, 0x2e))
setInterval(() => feed.size > 0 && feed.send(news), 1000 / FEED.perSecond)

const KINDS = ['rss', 'heapUsed', 'external', 'arrayBuffers']
let most = {}
function look() {
  const now = process.memoryUsage()
  for (const kind of KINDS) most[kind] = Math.max(most[kind] ?? 0, now[kind])
  return now
}
setInterval(look, LOOK_MS)

// The threads of libuv start with their first work, and from then on they are there.
await promisify(deflateRaw)('x')
const { port } = await server.listen(0, '0.0.0.0')
console.log(JSON.stringify({ port, limits: { ...SERVER_LIMITS, ...SERVER_OPTIONS.limits } }))
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'collect') for (let i = 0; i < 4; i++) globalThis.gc()
  const now = look()
  const { connections, opened, closed, rejectedUpgrades, messagesReceived, errors, quotas } = server.stats()
  const stats = { connections, opened, closed, rejectedUpgrades, messagesReceived, errors, quotas }
  console.log(JSON.stringify({ now, most, stats, counts }))
  most = {}
}
process.exit()
