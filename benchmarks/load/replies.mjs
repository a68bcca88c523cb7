/** Counts the replies in what a server sent, by their headers, as batches.c does. */
export class ReplyCounter {
  /** What is wrong with what came, or null. */
  error = null
  #options
  #header = Buffer.alloc(14)
  #have = 0
  #payloadLeft = 0
  #messageBytes = 0
  #inMessage = false
  #dump

  /** @param options `{ expectedBytes, isMasked, dump: { write, end } | null, onMessage(bytes, isCompressed) }` */
  constructor(options) {
    this.#options = options
    this.#dump = options.dump
  }

  /** @returns how many messages ended in it */
  push(chunk) {
    let ended = 0
    let at = 0
    while (at < chunk.length && this.error === null) {
      if (this.#payloadLeft > 0) {
        const take = Math.min(this.#payloadLeft, chunk.length - at)
        if (this.#dump !== null && (this.#header[0] & 0x0f) < 8)
          this.#dump.write(chunk.subarray(at, at + take))
        at += take
        this.#payloadLeft -= take
        if (this.#payloadLeft === 0) ended += this.#endFrame()
        continue
      }
      this.#header[this.#have++] = chunk[at++]
      if (this.#have < this.#headerBytes()) continue
      this.#beginFrame()
      if (this.#payloadLeft === 0) ended += this.#endFrame()
    }
    return ended
  }

  #headerBytes() {
    if (this.#have < 2) return 2
    const length = this.#header[1] & 0x7f
    return (length === 126 ? 4 : length === 127 ? 10 : 2) + (this.#header[1] & 0x80 ? 4 : 0)
  }

  #beginFrame() {
    const opcode = this.#header[0] & 0x0f
    let length = this.#header[1] & 0x7f
    if (length === 126) length = this.#header.readUInt16BE(2)
    else if (length === 127) length = Number(this.#header.readBigUInt64BE(2))
    this.#payloadLeft = length
    if (opcode >= 8) {
      if (opcode === 8) this.error = 'the server sent a Close frame'
      return
    }
    if (opcode > 2 || (opcode === 0) !== this.#inMessage) this.error = 'a reply of the wrong opcode'
    if (!this.#options.isMasked && this.#header[1] & 0x80) this.error = 'a reply is masked'
    if (!this.#inMessage) {
      this.#messageBytes = 0
      this.#dump?.write(this.#header.subarray(0, 1))
      if (this.#header[0] & 0x40) this.#options.onMessage(0, true)
    }
    this.#inMessage = true
    this.#messageBytes += length
  }

  #endFrame() {
    this.#have = 0
    if ((this.#header[0] & 0x0f) >= 8 || !(this.#header[0] & 0x80)) return 0
    this.#inMessage = false
    const { expectedBytes, onMessage } = this.#options
    if (expectedBytes >= 0 && this.#messageBytes !== expectedBytes) this.error = 'a reply of the wrong length'
    onMessage(this.#messageBytes, false)
    this.#dump?.end()
    this.#dump = null
    return 1
  }
}
