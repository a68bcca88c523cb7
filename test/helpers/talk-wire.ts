/** What of a conversation (talks.ts) is whole in the bytes that passed a proxy. It shares nothing with src. */
import type { Sender } from './fault-flow.js'
import { OP, readFrames } from './frame-builder.js'
import { HEARTBEAT_BYTES, type Talk } from './talks.js'

/** What is whole. */
export interface Whole {
  /** The head of the handshake; of a tunnel, that of the proxy and that of the server. */
  readonly head: boolean
  /** How many lines it makes in the journal of the receiver: messages, pings and pongs. */
  readonly lines: number
  readonly close: boolean
}

/** Where in the bytes of one end its heads are over, and each line and the Close frame. */
export interface Marks {
  /** How many bytes, without TLS. */
  readonly length: number
  /** -1: not whole. */
  readonly headEnd: number
  readonly lineEnds: readonly number[]
  /** Infinity: there is none. */
  readonly closeEnd: number
}

/** @param bytes without TLS */
export function marksOf(bytes: Buffer, { isRefused, isTunnelled }: Talk): Marks {
  let headEnd = 0
  for (let heads = isTunnelled === true ? 2 : 1; heads > 0 && headEnd >= 0; heads--) {
    const end = bytes.indexOf('\r\n\r\n', headEnd)
    headEnd = end < 0 ? -1 : end + 4
  }
  const lineEnds: number[] = []
  let closeEnd = Infinity
  if (headEnd >= 0 && isRefused !== true) {
    let at = headEnd
    for (const { opcode, fin, payload, wireLength } of readFrames(bytes.subarray(headEnd)).frames) {
      at += wireLength
      const isPing = opcode === OP.PING || opcode === OP.PONG
      if (opcode === OP.CLOSE) closeEnd = at
      else if (isPing ? payload.length !== HEARTBEAT_BYTES : fin) lineEnds.push(at)
    }
  }
  return { length: bytes.length, headEnd, lineEnds, closeEnd }
}

const upTo = ({ headEnd, lineEnds, closeEnd }: Marks, count: number): Whole => ({
  head: headEnd >= 0 && headEnd <= count,
  lines: lineEnds.filter((end) => end <= count).length,
  close: closeEnd <= count,
})

/** Without TLS what passed is read as it is. */
export const readPlain = (bytes: Buffer, talk: Talk): Whole => upTo(marksOf(bytes, talk), bytes.length)

const RECORD_HEAD_BYTES = 5
const APPLICATION_DATA = 23
/** Of TLS 1.3: the type of the content, and the tag. */
const SEAL_BYTES = 17
const CLOSE_NOTIFY_BYTES = 2

/** How many bytes of plaintext each whole record of application data has; of TLS 1.3, in which handshake records look the same. */
function recordLengths(bytes: Buffer): number[] {
  const lengths: number[] = []
  for (let at = 0; at + RECORD_HEAD_BYTES <= bytes.length;) {
    const end = at + RECORD_HEAD_BYTES + bytes.readUInt16BE(at + 3)
    if (end > bytes.length) break
    if (bytes[at] === APPLICATION_DATA) lengths.push(end - at - RECORD_HEAD_BYTES - SEAL_BYTES)
    at = end
  }
  return lengths
}

/** Finds out how much of the plaintext is whole, by the lengths of the records alone: nothing is decrypted. */
export class TlsWire {
  private readonly marks: Marks
  /** Records of the handshake. */
  private readonly skipped: number
  /** Records that are nothing of the conversation: an alert, and the heartbeat. */
  private readonly foreign: readonly number[]

  /**
   * @param recorded what passed in an undisturbed run
   * @param marks of the same conversation without TLS
   * @throws Error if the records do not add up
   */
  constructor(recorded: Buffer, marks: Marks, sender: Sender) {
    this.marks = marks
    this.foreign = [CLOSE_NOTIFY_BYTES, HEARTBEAT_BYTES + (sender === 'client' ? 6 : 2)]
    const lengths = recordLengths(recorded)
    let left = marks.length
    let first = lengths.length
    while (left > 0 && first > 0) {
      const length = lengths[--first] as number
      if (length !== CLOSE_NOTIFY_BYTES) left -= length
    }
    const isHeartbeat = lengths.slice(first).includes(this.foreign[1] as number)
    if (left !== 0 || isHeartbeat) {
      throw new Error(`the records of the ${sender} do not add up to ${marks.length}: ${lengths.join()}`)
    }
    this.skipped = first
  }

  read(bytes: Buffer): Whole {
    const own = recordLengths(bytes)
      .slice(this.skipped)
      .filter((length) => !this.foreign.includes(length))
    return upTo(
      this.marks,
      own.reduce((sum, length) => sum + length, 0),
    )
  }
}
