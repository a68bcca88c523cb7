// The load generator in JavaScript, for machines without a C compiler: same arguments and output as load.c. It takes
// about as much time for a message as the servers do, so ratios come out smaller than they are.
import { connect } from 'node:net'

const [port, connections, inFlight, payloadBytes] = process.argv.slice(2, 6).map(Number)
const isText = process.argv[6] === 'text'
const [seconds, warmup] = process.argv.slice(7, 9).map(Number)

const payload = Buffer.alloc(payloadBytes, 'abcdefghijklmnopqrstuvwxyz')
const key = Buffer.from([0x12, 0x34, 0x56, 0x78])
const lengthBytes = payloadBytes < 126 ? 0 : payloadBytes < 65_536 ? 2 : 8

function makeFrame() {
  const frame = Buffer.alloc(6 + lengthBytes + payloadBytes)
  frame[0] = 0x80 | (isText ? 1 : 2)
  frame[1] = 0x80 | (lengthBytes === 0 ? payloadBytes : lengthBytes === 2 ? 126 : 127)
  if (lengthBytes === 2) frame.writeUInt16BE(payloadBytes, 2)
  if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(payloadBytes), 2)
  key.copy(frame, 2 + lengthBytes)
  for (let i = 0; i < payloadBytes; i++) frame[6 + lengthBytes + i] = payload[i] ^ key[i & 3]
  return frame
}

const batch = Buffer.concat(Array.from({ length: inFlight }, makeFrame))
const replyBytes = (2 + lengthBytes + payloadBytes) * inFlight
const expectedHead = Buffer.from(makeFrame().subarray(0, 2 + lengthBytes))
expectedHead[1] &= 0x7f

let messages = 0
let checked = false
const samples = []
let batches = 0

function open() {
  return new Promise((resolve, reject) => {
    let have = 0
    let sentAt = 0
    const send = (socket) => {
      sentAt = performance.now()
      socket.write(batch)
    }
    const upgraded = (socket, chunk) => {
      // Every reply has the same length: the first is checked byte by byte, the others by the sum.
      if (!checked && have === 0 && chunk.length >= expectedHead.length + payloadBytes) {
        const good =
          chunk.subarray(0, expectedHead.length).equals(expectedHead) &&
          chunk.subarray(expectedHead.length, expectedHead.length + payloadBytes).equals(payload)
        if (!good) throw new Error('a reply that is not what was sent')
        checked = true
      }
      have += chunk.length
      if (have < replyBytes) return
      have = 0
      messages += inFlight
      if ((batches++ & 15) === 0) samples.push((performance.now() - sentAt) * 1000)
      send(socket)
    }
    let head = ''
    let isOpen = false
    const socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: Buffer.alloc(256 * 1024),
        callback: (bytes, buffer) => {
          const chunk = buffer.subarray(0, bytes)
          if (isOpen) {
            upgraded(socket, chunk)
            return true
          }
          head += chunk.toString('latin1')
          if (!head.endsWith('\r\n\r\n')) return true
          if (!head.startsWith('HTTP/1.1 101')) reject(new Error(head.split('\r\n', 1)[0]))
          isOpen = true
          resolve(() => send(socket))
          return true
        },
      },
    })
    socket.on('error', reject)
    socket.write(
      'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    )
  })
}

const starts = await Promise.all(Array.from({ length: connections }, open))
for (const start of starts) start()
await new Promise((resolve) => setTimeout(resolve, warmup * 1000))
messages = 0
samples.length = 0
const from = performance.now()
await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
const took = (performance.now() - from) / 1000
samples.sort((a, b) => a - b)
const percentile = (p) => samples[Math.floor((samples.length - 1) * p)] ?? 0
console.log(
  JSON.stringify({
    messages,
    seconds: took,
    perSecond: messages / took,
    p50: percentile(0.5),
    p90: percentile(0.9),
    p99: percentile(0.99),
    p999: percentile(0.999),
  }),
)
process.exit(0)
