/**
 * An echo without sockets: masked frames in, messages, frames out, by the parts of each contender that do it. The bytes
 * out are handed to something that takes and counts them.
 */
const KEY = [0x12, 0x34, 0x56, 0x78]

/** Masked text frames of one length. */
export function makeFrames(payloadBytes, count) {
  const header =
    payloadBytes < 126 ? [0x81, 0x80 | payloadBytes] : [0x81, 0xfe, payloadBytes >> 8, payloadBytes & 0xff]
  const frame = [...header, ...KEY]
  for (let i = 0; i < payloadBytes; i++) frame.push((97 + (i % 26)) ^ KEY[i & 3])
  return Buffer.concat(Array.from({ length: count }, () => Buffer.from(frame)))
}

/** @returns `{ push(chunk), messages(), bytes() }`; the chunk is no longer the caller's */
export async function makePipeline(contender) {
  let messages = 0
  let bytes = 0
  if (contender === 'ws') {
    const { Receiver, Sender } = await import('ws')
    const socket = {
      cork: () => undefined,
      uncork: () => undefined,
      write(chunk) {
        bytes += chunk.length
      },
    }
    const receiver = new Receiver({ isServer: true })
    const sender = new Sender(socket)
    receiver.on('message', (data, isBinary) => {
      messages++
      sender.send(data, { binary: isBinary, mask: false, compress: false, fin: true }, undefined)
    })
    return { push: (chunk) => receiver.write(chunk), messages: () => messages, bytes: () => bytes }
  }
  const { Connection } = await import(
    process.env.HAWSER_ENTRY_CONNECTION ?? '../../dist/esm/connection/index.js'
  )
  const connection = new Connection({ role: 'server' })
  const push = (chunk) => {
    connection.receiveBytes(chunk)
    for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent()) {
      messages++
      connection.send(event.data)
    }
    for (let out = connection.takeOutput(); out !== null; out = connection.takeOutput()) bytes += out.length
  }
  return { push, messages: () => messages, bytes: () => bytes }
}
