// Text to the bytes that a socket gets: ns a message, 16 of them before the bytes are taken.
import { measure } from './clock.mjs'

const BATCH = 16
const contender = process.argv[2]

async function makeSend(isClient) {
  if (contender === 'ws') {
    const { Sender } = await import('ws')
    let bytes = 0
    const socket = {
      cork: () => undefined,
      uncork: () => undefined,
      write: (chunk) => (bytes += chunk.length),
    }
    const sender = new Sender(socket)
    return (text) => {
      const from = bytes
      for (let i = 0; i < BATCH; i++) {
        sender.send(text, { binary: false, mask: isClient, compress: false, fin: true }, undefined)
      }
      return bytes - from
    }
  }
  const { Connection } = await import(
    process.env.HAWSER_ENTRY_CONNECTION ?? '../../dist/esm/connection/index.js'
  )
  const connection = new Connection({ role: isClient ? 'client' : 'server' })
  return (text) => {
    for (let i = 0; i < BATCH; i++) connection.send(text)
    let bytes = 0
    for (let out = connection.takeOutput(); out !== null; out = connection.takeOutput()) bytes += out.length
    return bytes
  }
}

const results = {}
for (const [role, isClient] of [
  ['server', false],
  ['client', true],
]) {
  for (const bytes of [20, 1000]) {
    const send = await makeSend(isClient)
    const text = 'abcdefghij'.repeat(bytes / 10)
    const header = (bytes < 126 ? 2 : 4) + (isClient ? 4 : 0)
    if (send(text) !== BATCH * (header + bytes)) throw new Error('not all bytes came')
    const value = measure(() => send(text)) / BATCH
    results[`serializer, ${role}, ${bytes} B`] = { value, bytes }
  }
}
console.log(JSON.stringify(results))
