// Unmasking a payload in place, unaligned: ns a payload.
import { createRequire } from 'node:module'
import path from 'node:path'
import { measure } from './clock.mjs'

const require = createRequire(import.meta.url)

async function makeUnmask(contender) {
  if (contender === 'ws') {
    const { unmask } = require(path.join(path.dirname(require.resolve('ws')), 'lib', 'buffer-util.js'))
    const key = Buffer.from([0x12, 0x34, 0x56, 0x78])
    return (bytes) => unmask(bytes.subarray(1), key)
  }
  const { maskInPlace } = await import('../../dist/esm/frame/index.js')
  return (bytes) => maskInPlace(bytes, 1, bytes.length, 0x78563412)
}

const unmask = await makeUnmask(process.argv[2])
const results = {}
for (const [name, bytes] of [
  ['32 B', 32],
  ['125 B', 125],
  ['1 KiB', 1024],
  ['64 KiB', 65_536],
]) {
  const buffer = Buffer.alloc(bytes + 1)
  results[`masking, ${name}`] = { value: measure(() => unmask(buffer)), bytes }
}
console.log(JSON.stringify(results))
