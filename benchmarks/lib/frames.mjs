/** What the load generator sends, made once: masked frames in batches, and what the replies must hold. */
import { writeFileSync } from 'node:fs'
import { deflateRawSync, inflateRawSync, constants } from 'node:zlib'

const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78])

/** How many different batches a compressed workload has: enough that no context knows the next one whole. */
const DIFFERENT_BATCHES = 64

/** What deflate can look back at (RFC 7692 section 7.1.2.1). */
const WINDOW_BYTES = 32_768

function mask(payload) {
  const masked = Buffer.allocUnsafe(payload.length)
  for (let i = 0; i < payload.length; i++) masked[i] = payload[i] ^ MASK[i & 3]
  return masked
}

/** One masked frame (RFC 6455 section 5.2). */
export function makeFrame(opcode, payload, { fin = true, compressed = false } = {}) {
  const { length } = payload
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10)
  head[0] = (fin ? 0x80 : 0) | (compressed ? 0x40 : 0) | opcode
  head[1] = 0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127)
  if (head.length === 4) head.writeUInt16BE(length, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2)
  return Buffer.concat([head, MASK, mask(payload)])
}

/** A message's frames; `fragmentBytes` cuts it. @param history what the context holds of the messages before */
function makeMessage(payload, { type, fragmentBytes, deflate }, history) {
  const opcode = type === 'text' ? 1 : 2
  if (deflate) {
    // Without the tail (RFC 7692 section 7.2.1). A dictionary is a context: what was sent before.
    const whole = deflateRawSync(payload, {
      finishFlush: constants.Z_SYNC_FLUSH,
      ...(history.length > 0 ? { dictionary: history } : {}),
    })
    return makeFrame(opcode, whole.subarray(0, -4), { compressed: true })
  }
  if (fragmentBytes === undefined) return makeFrame(opcode, payload)
  const frames = []
  for (let at = 0; at < payload.length; at += fragmentBytes) {
    const fin = at + fragmentBytes >= payload.length
    frames.push(makeFrame(at === 0 ? opcode : 0, payload.subarray(at, at + fragmentBytes), { fin }))
  }
  return Buffer.concat(frames)
}

/** A generator of numbers below 2^32 that gives the same in each run. */
function makeRandom(seed) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state
  }
}

const NAMES = ['anna', 'bertram', 'clara', 'dmitri', 'elif', 'farid', 'grace', 'hiro']
const WORDS = ['open', 'closed', 'waiting', 'the order', 'a price', 'of today', 'was changed', 'by hand']

/** Varied JSON, as an application sends it, cut to length. */
export function makeJson(bytes, seed) {
  const random = makeRandom(seed)
  const pick = (list) => list[(random() >>> 8) % list.length]
  let text = ''
  while (text.length < bytes) {
    text += JSON.stringify({
      id: random() >>> 4,
      user: pick(NAMES),
      at: 1_700_000_000_000 + (random() >>> 8),
      text: `${pick(WORDS)} ${pick(WORDS)} ${pick(WORDS)}`,
      price: (random() >>> 12) / 100,
    })
  }
  return Buffer.from(text.slice(0, bytes), 'latin1')
}

/** Plain letters, over and over; or those of another alphabet, with ASCII at the end where no whole one fits. */
function makeLetters(bytes, alphabet) {
  if (alphabet === undefined) return Buffer.alloc(bytes, 'abcdefghijklmnopqrstuvwxyz')
  const letters = Buffer.from(alphabet)
  const payload = Buffer.alloc(bytes, 'a')
  for (let at = 0; at + letters.length <= bytes; at += letters.length) letters.copy(payload, at)
  return payload
}

/** The payloads of a workload: an array of batches, each an array of messages. */
export function makePayloads({ bytes, inFlight, deflate, clientContext, alphabet }) {
  if (!deflate) return [Array.from({ length: inFlight }, () => makeLetters(bytes, alphabet))]
  const batches = Array.from({ length: DIFFERENT_BATCHES }, (_, batch) =>
    Array.from({ length: inFlight }, (__, index) => makeJson(bytes, 1 + batch * inFlight + index)),
  )
  return clientContext ? [...batches, ...batches] : batches
}

/**
 * The batch that comes after the last one. A client that keeps its context sends the first half once: the second half is
 * compressed with it before, and from then on the same plain text comes before each batch every time.
 */
export const loopOf = ({ clientContext }) => (clientContext ? DIFFERENT_BATCHES : undefined)

/** The frames of each batch. */
function makeBatches(payloads, workload) {
  let history = Buffer.alloc(0)
  return payloads.map((batch) =>
    Buffer.concat(
      batch.map((payload) => {
        const message = makeMessage(payload, workload, history)
        if (workload.clientContext) history = Buffer.concat([history, payload]).subarray(-WINDOW_BYTES)
        return message
      }),
    ),
  )
}

/** Writes the file that the load generator reads (batches.c). @returns the payloads, to compare replies with */
export function writeBatches(file, workload) {
  const payloads = makePayloads(workload)
  const batches = makeBatches(payloads, workload)
  const head = Buffer.alloc(8 + 8 * (batches.length + 1))
  head.writeUInt32LE(batches.length, 0)
  head.writeUInt32LE(workload.inFlight, 4)
  let offset = 0
  batches.forEach((batch, index) => {
    head.writeBigUInt64LE(BigInt(offset), 8 + 8 * index)
    offset += batch.length
  })
  head.writeBigUInt64LE(BigInt(offset), 8 + 8 * batches.length)
  writeFileSync(file, Buffer.concat([head, ...batches]))
  return payloads
}

/**
 * Compares the first reply with what was sent.
 * @param dump which batch it answers (two octets), the first octet of its header, its payload
 * @throws where it is something else
 */
export function checkReply(dump, payloads, { masked, fragmentBytes }) {
  if (dump.length < 3) throw new Error('no whole reply came')
  const expected = payloads[dump.readUInt16LE(0)][0]
  let payload = dump.subarray(3)
  // A bare echo gives back what was sent, masked, each fragment from the first octet of the key on.
  if (masked) {
    const step = fragmentBytes ?? payload.length
    const parts = []
    for (let at = 0; at < payload.length; at += step) parts.push(mask(payload.subarray(at, at + step)))
    payload = Buffer.concat(parts)
  }
  if (dump[2] & 0x40) {
    payload = inflateRawSync(Buffer.concat([payload, Buffer.from([0, 0, 0xff, 0xff])]), {
      finishFlush: constants.Z_SYNC_FLUSH,
    })
  }
  if (!payload.equals(expected)) throw new Error('a reply that is not what was sent')
}
