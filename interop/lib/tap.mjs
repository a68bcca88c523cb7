/** What went over the wire, where Hawser's application does not see it: fragments, and compressed messages. */
import { connect, createServer } from 'node:net'

const OPCODE_BITS = 0x0f
const RSV1 = 0x40
const MASKED = 0x80
const CONTROL = 0x8

/** Reads the headers of frames in one direction. It shares nothing with Hawser's own parser. */
class FrameCounter {
  /** Data frames, those of them that continue a message, and messages whose first frame has RSV1. */
  counts = { frames: 0, continuations: 0, compressed: 0 }
  #rest = Buffer.alloc(0)
  #isHead = true
  #skip = 0

  push(chunk) {
    const skipped = Math.min(this.#skip, chunk.length)
    this.#skip -= skipped
    if (skipped === chunk.length) return
    this.#rest = Buffer.concat([this.#rest, chunk.subarray(skipped)])
    if (this.#isHead) {
      const end = this.#rest.indexOf('\r\n\r\n')
      if (end === -1) return
      this.#isHead = false
      this.#rest = this.#rest.subarray(end + 4)
    }
    while (this.#skip === 0 && this.#frame());
  }

  /** @returns whether there was a whole header */
  #frame() {
    const bytes = this.#rest
    if (bytes.length < 2) return false
    const short = bytes[1] & 0x7f
    const extended = short === 127 ? 8 : short === 126 ? 2 : 0
    const header = 2 + extended + ((bytes[1] & MASKED) === 0 ? 0 : 4)
    if (bytes.length < header) return false
    const length =
      extended === 8 ? Number(bytes.readBigUInt64BE(2)) : extended === 2 ? bytes.readUInt16BE(2) : short
    const opcode = bytes[0] & OPCODE_BITS
    if (opcode < CONTROL) {
      this.counts.frames++
      if (opcode === 0) this.counts.continuations++
      if ((bytes[0] & RSV1) !== 0) this.counts.compressed++
    }
    const end = header + length
    this.#skip = Math.max(0, end - bytes.length)
    this.#rest = bytes.subarray(end)
    return true
  }
}

/**
 * Listens in front of a server, for one connection.
 * @param {number} target the port of the server
 * @returns `counts`: of each end, whatever its role is
 */
export async function tap(target) {
  const fromClient = new FrameCounter()
  const fromServer = new FrameCounter()
  const sockets = []
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
    sockets.push(client, upstream)
    for (const [from, to, counter] of [
      [client, upstream, fromClient],
      [upstream, client, fromServer],
    ]) {
      from.on('data', (chunk) => counter.push(chunk))
      from.on('error', () => to.destroy())
      from.pipe(to)
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: server.address().port,
    fromClient: fromClient.counts,
    fromServer: fromServer.counts,
    stop() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
