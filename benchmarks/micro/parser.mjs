// Masked text frames in chunks of 64 KiB to messages: ns a frame. The copy of each chunk (unmasking is in place) is
// part of it, for both alike.
import { measure } from './clock.mjs'

const CHUNK_BYTES = 65_536

function makeChunk(payloadBytes) {
  const key = [0x12, 0x34, 0x56, 0x78]
  const header =
    payloadBytes < 126 ? [0x81, 0x80 | payloadBytes] : [0x81, 0xfe, payloadBytes >> 8, payloadBytes & 0xff]
  const frame = [...header, ...key]
  for (let i = 0; i < payloadBytes; i++) frame.push((97 + (i % 26)) ^ key[i & 3])
  const count = Math.max(1, Math.floor(CHUNK_BYTES / frame.length))
  return { chunk: Buffer.concat(Array.from({ length: count }, () => Buffer.from(frame))), count }
}

async function makeReceiver(contender) {
  let messages = 0
  if (contender === 'ws') {
    const { Receiver } = await import('ws')
    const receiver = new Receiver({ isServer: true })
    receiver.on('message', (data) => {
      data.toString('latin1')
      messages++
    })
    return { push: (chunk) => receiver.write(chunk), messages: () => messages }
  }
  const { Connection } = await import(
    process.env.HAWSER_ENTRY_CONNECTION ?? '../../dist/esm/connection/index.js'
  )
  const connection = new Connection({ role: 'server' })
  const push = (chunk) => {
    connection.receiveBytes(chunk)
    while (connection.nextEvent() !== null) messages++
  }
  return { push, messages: () => messages }
}

const results = {}
for (const bytes of [20, 1000]) {
  const { chunk, count } = makeChunk(bytes)
  const { push, messages } = await makeReceiver(process.argv[2])
  let chunks = 0
  const nanoseconds = measure(() => {
    push(Buffer.from(chunk))
    chunks++
  })
  await new Promise((resolve) => setImmediate(resolve))
  if (messages() !== chunks * count) throw new Error(`${messages()} of ${chunks * count} messages came`)
  results[`parser, ${bytes} B`] = { value: nanoseconds / count, bytes }
}
console.log(JSON.stringify(results))
