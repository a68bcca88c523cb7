// Is this UTF-8? ns a payload: a fresh validator for each, as for a message.
import { createRequire } from 'node:module'
import path from 'node:path'
import { measure } from './clock.mjs'

const require = createRequire(import.meta.url)

async function makeValidate(contender) {
  if (contender === 'ws') {
    const { isValidUTF8 } = require(path.join(path.dirname(require.resolve('ws')), 'lib', 'validation.js'))
    return isValidUTF8
  }
  const { Utf8Validator } = await import('../../dist/esm/frame/index.js')
  return (bytes) => {
    const validator = new Utf8Validator()
    return validator.push(bytes) && validator.isComplete
  }
}

const validate = await makeValidate(process.argv[2])
const results = {}
for (const [name, letters, count] of [
  ['32 B ASCII', 'abcdefgh', 4],
  ['32 B mixed', 'aé€😀', 3.2],
  ['1 KiB ASCII', 'abcdefgh', 128],
  ['1 KiB mixed', 'aé€😀', 102.4],
  ['64 KiB mixed', 'aé€😀', 6553.6],
]) {
  const payload = Buffer.from(letters.repeat(Math.floor(count)))
  if (!validate(payload)) throw new Error('valid text was refused')
  const value = measure(() => validate(payload))
  results[`UTF-8, ${name}`] = { value, bytes: payload.length }
}
console.log(JSON.stringify(results))
