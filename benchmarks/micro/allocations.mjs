// What an echo of one message allocates, heap and buffers, in bytes: no garbage is collected while it is counted, so it
// is the same in each run. The chunks that come in are made before.
import { memoryUsage } from 'node:process'
import { makeFrames, makePipeline } from './pipeline.mjs'

const CHUNKS = 400
const MESSAGES_A_CHUNK = 16

const used = () => {
  const { heapUsed, arrayBuffers } = memoryUsage()
  return heapUsed + arrayBuffers
}

async function count(bytes, contender) {
  const frames = makeFrames(bytes, MESSAGES_A_CHUNK)
  const { push, messages } = await makePipeline(contender)
  const windows = []
  for (let round = 0; round < 8; round++) {
    const chunks = Array.from({ length: CHUNKS }, () =>
      Buffer.from(frames.buffer.slice(frames.byteOffset, frames.byteOffset + frames.length)),
    )
    globalThis.gc()
    const before = used()
    for (const chunk of chunks) push(chunk)
    windows.push((used() - before) / (CHUNKS * MESSAGES_A_CHUNK))
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (messages() !== 8 * CHUNKS * MESSAGES_A_CHUNK) throw new Error('not all messages came')
  // The first windows compile.
  return windows.slice(3).sort((a, b) => a - b)[2]
}

const results = {}
for (const bytes of [32, 1024])
  results[`allocated, echo of ${bytes} B`] = { value: await count(bytes, process.argv[2]) }
console.log(JSON.stringify(results))
