// permessage-deflate by itself, varied JSON: ns a message, one after another on one connection, the server's context
// kept.
import { createRequire } from 'node:module'
import path from 'node:path'
import { deflateRawSync, constants } from 'node:zlib'
import { makeJson } from '../lib/frames.mjs'
import { ROUND_NS } from './clock.mjs'

const require = createRequire(import.meta.url)
const contender = process.argv[2]

/** No message here is large enough for the thread pool. */
const NOBODY = { encoded() {} }

async function makeCodec() {
  if (contender === 'ws') {
    const PerMessageDeflate = require(
      path.join(path.dirname(require.resolve('ws')), 'lib', 'permessage-deflate.js'),
    )
    const codec = new PerMessageDeflate({ isServer: true })
    codec.accept([{}])
    const promised = (name) => (bytes) =>
      new Promise((resolve, reject) =>
        codec[name](bytes, true, (error, result) => (error ? reject(error) : resolve(result))),
      )
    return { deflate: promised('compress'), inflate: promised('decompress') }
  }
  const { createCodecFactory, resolveDeflateOptions } = await import('../../dist/esm/deflate/index.js')
  const codec = createCodecFactory(resolveDeflateOptions(true, 'server')).createCodec({
    serverNoContextTakeover: false,
    clientNoContextTakeover: true,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 15,
  })
  return {
    deflate: (bytes) => codec.encode(bytes, NOBODY) ?? bytes,
    inflate: (bytes) => codec.inflate(bytes, 1 << 24),
  }
}

/** ns a call; as `measure` of clock.mjs, for what may be a promise. */
async function measure(call) {
  const time = async (count) => {
    const start = process.hrtime.bigint()
    for (let i = 0; i < count; i++) {
      const result = call(i)
      if (result instanceof Promise) await result
    }
    return Number(process.hrtime.bigint() - start)
  }
  let count = 16
  for (let took = await time(count); took < ROUND_NS * 0.75; took = await time(count)) {
    count = Math.max(count * 2, Math.ceil((count * 0.8 * ROUND_NS) / took))
  }
  const rounds = []
  for (let i = 0; i < 5; i++) rounds.push((await time(count)) / count)
  return rounds.sort((a, b) => a - b)[2]
}

const results = {}
for (const [name, bytes] of [
  ['128 B', 128],
  ['1 KiB', 1024],
  ['16 KiB', 16_384],
]) {
  const messages = Array.from({ length: 64 }, (_, index) => makeJson(bytes, index + 1))
  const compressed = messages.map((one) =>
    deflateRawSync(one, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4),
  )
  const { deflate, inflate } = await makeCodec()
  const inflated = await inflate(compressed[0])
  if (!messages[0].equals(inflated)) throw new Error('it did not inflate')
  results[`deflate, ${name}`] = { value: await measure((i) => deflate(messages[i & 63])), bytes }
  results[`inflate, ${name}`] = { value: await measure((i) => inflate(compressed[i & 63])), bytes }
}
console.log(JSON.stringify(results))
process.exit(0)
