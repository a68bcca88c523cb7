/**
 * A peer by hand, for models: reads what the system holds for it as fast as it is told to, and keeps count of what it
 * sent and of what it got. Shares nothing with src but the port of the codec.
 */
import { ControlledCodec, encodeRuns } from './controlled-codec.js'
import { frame, KEY, OP, type FrameSpec } from './frame-builder.js'
import type { Line, System } from './model-line.js'

/** How fast it reads, or writes: everything at once, so many bytes in a second, or nothing. */
export type Speed = 'fast' | 'stalled' | { readonly bytesPerSecond: number }

/** What may be read or written at a speed. */
class Budget {
  speed: Speed = 'fast'
  private saved = 0

  /** Time goes by. */
  earn(seconds: number): void {
    if (typeof this.speed === 'object') this.saved += this.speed.bytesPerSecond * seconds
    else this.saved = 0
  }

  get bytes(): number {
    return this.speed === 'fast' ? Infinity : Math.floor(this.saved)
  }

  spend(bytes: number): void {
    if (this.speed !== 'fast') this.saved -= bytes
  }
}

/** A message of the peer: where it ends in what the peer sent, and what its handler is to do. */
export interface SentMessage {
  readonly id: number
  readonly endOffset: number
  readonly byteLength: number
}

/** What the peer has of a line. */
export interface PeerLine extends Pick<
  Line,
  'receivedBytes' | 'isReading' | 'move' | 'deliver' | 'deliverEnd' | 'reset'
> {
  readonly system: Pick<System, 'heldBytes' | 'isEnded' | 'read'>
}

/** So much is read from a socket at a time. */
const CHUNK_BYTES = 64 * 1024

export class ModelPeer {
  readonly reading = new Budget()
  readonly writing = new Budget()
  /** It did not read at once what came after it had sent its Close frame. */
  wasSlowAtEnd = false
  answersPings = true
  answersClose = true
  /** Ends its side when both Close frames were exchanged, or the connection ended its side. */
  endsWhenDone = true
  /** Payloads of the data frames it got, whole. */
  readonly messages: Buffer[] = []
  readonly pongs: string[] = []
  pingCount = 0
  /** Of the connection's Close frame. */
  closeCode: number | null = null
  readonly sent: SentMessage[] = []
  /** Bytes of data frames that were given to the connection. */
  deliveredDataBytes = 0
  hasSentClose = false
  hasSentEnd = false
  hasSentRubbish = false
  isReset = false
  private readonly line: PeerLine
  private readonly key: FrameSpec['key']
  private readonly inflater: ControlledCodec | null
  private deflatedCount = 0
  private out: { readonly bytes: Buffer; readonly isData: boolean }[] = []
  private sentBytes = 0
  private wantsEnd = false
  /** What came and is no whole frame yet, and how much of it has to be there before it is looked at again. */
  private unread: Buffer[] = []
  private unreadBytes = 0
  private neededBytes = 2

  /** @param isClient whether the peer is the client, whose frames are masked (RFC 6455 section 5.3) */
  constructor(line: PeerLine, isClient: boolean, isCompressing: boolean) {
    this.line = line
    this.key = isClient ? KEY : undefined
    this.inflater = isCompressing ? new ControlledCodec() : null
  }

  get isDone(): boolean {
    return this.hasSentEnd || this.isReset
  }

  /** Queues a message, in so many fragments, or compressed where that is agreed. */
  sendMessage(id: number, payload: string | Buffer, fragmentCount: number, compress: boolean): void {
    if (this.hasSentClose || this.wantsEnd || this.isDone) return
    const opcode = typeof payload === 'string' ? OP.TEXT : OP.BINARY
    let bytes = Buffer.from(payload as string)
    const byteLength = bytes.length
    const isCompressed = compress && this.inflater !== null
    if (isCompressed) bytes = Buffer.from(encodeRuns(bytes, this.deflatedCount++))
    const pieceBytes = Math.max(1, Math.ceil(bytes.length / fragmentCount))
    for (let at = 0, isFirst = true; isFirst || at < bytes.length; at += pieceBytes, isFirst = false) {
      const piece = bytes.subarray(at, at + pieceBytes)
      const fin = at + pieceBytes >= bytes.length
      this.push(
        { opcode: isFirst ? opcode : OP.CONTINUATION, fin, rsv1: isFirst && isCompressed, payload: piece },
        true,
      )
    }
    this.sent.push({ id, endOffset: this.sentBytes, byteLength })
  }

  sendPing(payload: string): void {
    if (!this.hasSentClose && !this.wantsEnd) this.push({ opcode: OP.PING, payload })
  }

  sendClose(code: number): void {
    if (this.hasSentClose || this.wantsEnd) return
    this.push({ opcode: OP.CLOSE, payload: [code >> 8, code & 0xff] })
    this.hasSentClose = true
  }

  /** A frame that RFC 6455 section 5.2 forbids. */
  sendRubbish(): void {
    if (this.hasSentClose || this.wantsEnd) return
    this.push({ opcode: 3 })
    this.hasSentRubbish = true
  }

  /** A FIN, after what it sent. */
  end(): void {
    this.wantsEnd = true
  }

  reset(): void {
    if (this.isReset) return
    this.isReset = true
    this.out = []
    this.line.reset()
  }

  /** Messages that were wholly given to the connection. */
  get deliveredMessages(): number {
    const { receivedBytes } = this.line
    let count = 0
    while (count < this.sent.length && (this.sent[count] as SentMessage).endOffset <= receivedBytes) count++
    return count
  }

  /** Whether the last byte that it sent, a Close frame, was given to the connection. */
  get isCloseDelivered(): boolean {
    return this.hasSentClose && this.line.receivedBytes >= this.sentBytes
  }

  /** Reads and writes what can be now. @param seconds how long it had for it */
  exchange(seconds: number): void {
    const { line, reading, writing } = this
    reading.earn(seconds)
    writing.earn(seconds)
    if (this.hasSentClose && reading.speed !== 'fast') this.wasSlowAtEnd = true
    for (;;) {
      const bytes = this.isReset ? Buffer.alloc(0) : line.system.read(reading.bytes)
      reading.spend(bytes.length)
      if (bytes.length > 0) this.receive(bytes)
      const moved = line.move()
      if (bytes.length === 0 && !moved) break
    }
    this.write()
  }

  private write(): void {
    const { line, writing } = this
    while (line.isReading && !this.isReset && writing.bytes > 0) {
      const next = this.out[0]
      if (next === undefined) break
      const bytes = next.bytes.subarray(0, Math.min(CHUNK_BYTES, writing.bytes))
      writing.spend(bytes.length)
      if (bytes.length < next.bytes.length) {
        this.out[0] = { bytes: next.bytes.subarray(bytes.length), isData: next.isData }
      } else this.out.shift()
      if (next.isData) this.deliveredDataBytes += bytes.length
      line.deliver(Buffer.from(bytes))
    }
    const isEnded = line.system.isEnded && line.system.heldBytes === 0
    // RFC 6455 section 7.1.1: the server ends the transport first.
    const isOver = this.key === undefined && this.hasSentClose && this.closeCode !== null
    const isDone = this.endsWhenDone && (isEnded || isOver)
    if ((this.wantsEnd || isDone) && line.isReading && this.out.length === 0 && !this.isDone) {
      this.hasSentEnd = true
      line.deliverEnd()
    }
  }

  private push(spec: FrameSpec, isData = false): void {
    if (this.isDone) return
    const bytes = this.key === undefined ? frame(spec) : frame({ ...spec, key: this.key })
    this.sentBytes += bytes.length
    const last = this.out[this.out.length - 1]
    // As TCP: what is sent in one go may come in one read.
    if (last?.isData === isData && last.bytes.length + bytes.length <= CHUNK_BYTES) {
      this.out[this.out.length - 1] = { bytes: Buffer.concat([last.bytes, bytes]), isData }
    } else this.out.push({ bytes, isData })
  }

  private receive(bytes: Buffer): void {
    this.unread.push(bytes)
    this.unreadBytes += bytes.length
    if (this.unreadBytes < this.neededBytes) return
    let rest = Buffer.concat(this.unread)
    for (;;) {
      const found = readFrame(rest)
      if (typeof found === 'number') {
        this.neededBytes = found
        break
      }
      rest = rest.subarray(found.end)
      this.receiveFrame(found)
    }
    this.unread = [rest]
    this.unreadBytes = rest.length
  }

  private receiveFrame({ opcode, isCompressed, payload }: FoundFrame): void {
    if (this.closeCode !== null) throw new Error(`a frame with opcode ${opcode} after the Close frame`)
    switch (opcode) {
      case OP.TEXT:
      case OP.BINARY:
        this.messages.push(isCompressed ? this.inflate(payload) : payload)
        break
      case OP.PING:
        this.pingCount++
        if (this.answersPings && !this.hasSentClose && !this.wantsEnd) this.push({ opcode: OP.PONG, payload })
        break
      case OP.PONG:
        this.pongs.push(payload.toString())
        break
      case OP.CLOSE:
        this.closeCode = payload.length < 2 ? 1005 : payload.readUInt16BE(0)
        if (this.answersClose) this.sendClose(1000)
        break
      default:
        throw new Error(`a frame with opcode ${opcode}`)
    }
  }

  private inflate(payload: Buffer): Buffer {
    const bytes = this.inflater?.inflate(payload, Infinity)
    if (!(bytes instanceof Uint8Array)) throw new Error('a compressed message that does not inflate')
    return Buffer.from(bytes)
  }
}

interface FoundFrame {
  readonly opcode: number
  readonly isCompressed: boolean
  readonly end: number
  readonly payload: Buffer
}

/** One frame at the start of these bytes, or how many bytes have to be there before it can be read. */
function readFrame(bytes: Buffer): FoundFrame | number {
  if (bytes.length < 2) return 2
  const first = bytes.readUInt8(0)
  const field = bytes.readUInt8(1) & 0x7f
  const isMasked = bytes.readUInt8(1) >= 0x80
  if ((first & 0xb0) !== 0x80) throw new Error(`a frame that begins with ${first}`)
  const start = (field === 127 ? 10 : field === 126 ? 4 : 2) + (isMasked ? 4 : 0)
  if (bytes.length < start) return start
  const length =
    field === 127 ? Number(bytes.readBigUInt64BE(2)) : field === 126 ? bytes.readUInt16BE(2) : field
  const end = start + length
  if (bytes.length < end) return end
  const payload = Buffer.from(bytes.subarray(start, end))
  if (isMasked) {
    const key = bytes.subarray(start - 4, start)
    for (let i = 0; i < length; i++) payload[i] = (payload[i] as number) ^ (key[i % 4] as number)
  }
  return { opcode: first & 0x0f, isCompressed: (first & 0x40) !== 0, end, payload }
}
