/**
 * A live dashboard: many watch, each picture replaces the last, and one of them reads slowly. It gets fewer pictures, the
 * others all of them, and the server holds no more than a bound for it. After `npm run build`:
 *
 *   node examples/dashboard.mjs
 */
import { connect, PreparedMessage, WebSocketServer } from 'hawser'

const TICKS = 400

const server = new WebSocketServer({
  // Who has more than this waiting gets no new picture until it has read: an old one is of no use to anybody.
  slowConsumer: 'drop',
  limits: { maxBufferedOutputBytes: 256 * 1024 },
})

// What each newcomer gets first, encoded and compressed once for all of them.
const layout = new PreparedMessage(
  JSON.stringify({ panels: Array.from({ length: 50 }, (_, i) => `panel ${i}`) }),
)

const dashboard = server.route('/dashboard', { onOpen: (socket) => void socket.send(layout) })

/** 64 KiB of measurements. They do not compress: the frames are as long as they look. */
function measure(tick) {
  const picture = Buffer.alloc(64 * 1024)
  picture.writeUInt32BE(tick)
  return picture
}

const { port } = await server.listen(0)
const open = () => connect(`ws://localhost:${port}/dashboard`)

/** Reads on until the connection ends. */
async function watch(socket, pictures = []) {
  for await (const message of socket) {
    if (typeof message !== 'string') pictures.push(message.readUInt32BE())
  }
  return pictures
}

const quick = await open()
const slow = await open()
// It is not read at all for now: TCP fills up, and then the server's buffer.
slow.pause()
const quickSaw = watch(quick)
const slowSaw = watch(slow)

const [quickThere] = dashboard.sockets
let dropped = 0
let most = 0
for (let tick = 0; tick < TICKS; tick++) {
  const delivery = dashboard.broadcast(measure(tick), { compress: false })
  dropped += delivery.dropped
  for (const socket of dashboard.sockets) most = Math.max(most, socket.bufferedAmount)
  // At the pace of the quick one; a real dashboard would wait for its clock.
  await quickThere.drained()
  await new Promise((resolve) => setImmediate(resolve))
}

slow.resume()
await server.close()
const [all, some] = [await quickSaw, await slowSaw]
console.log(`quick: saw ${all.length} of ${TICKS}, the last is ${all.at(-1)}`)
console.log(`slow: saw ${some.length} of them, ${dropped} were dropped`)
console.log(`at most ${Math.ceil(most / 1024)} KiB waited for one connection`)
