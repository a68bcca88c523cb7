/**
 * The cases: what Hawser and a peer do with one connection. Each is the same whichever of them is the server, so that one
 * program for each peer will do: it echoes, and what else it does stands in the URL (see README.md).
 */
import { randomFillSync } from 'node:crypto'
import { expectEqual, Mismatch } from './mismatch.mjs'

const MIB = 1024 * 1024

/** Subprotocols that are offered; every server has the second one alone. */
export const OFFERED = ['interop.a', 'interop.b']
export const CHOSEN = 'interop.b'

/** @typedef {{ frames: number, continuations: number, compressed: number }} Counts */
/**
 * @typedef {object} Case
 * @property {string} id
 * @property {string} group a table of the page
 * @property {string} title
 * @property {string} [path]
 * @property {Record<string, string>} [query] what the peer does beside its echo
 * @property {readonly string[]} [protocols] that are offered
 * @property {boolean | object} hawser its perMessageDeflate
 * @property {object | null} peer its permessage-deflate: null for none, {} for its own defaults
 * @property {number} timeoutMs
 * @property {boolean} [directIo] of Hawser's end
 * @property {(end: import('./hawser-end.mjs').HawserEnd) => Promise<void>} run at Hawser's end, once the connection is open
 * @property {(report: import('./peer-process.mjs').Report) => void} [judge] looks at what the peer reports afterwards
 * @property {(fromPeer: Counts, fromHawser: Counts) => void} [judgeFrames] looks at what went over the wire
 * @property {true} [isRefused] the handshake is to fail with 401
 */

/** A message there and back, then the end. @param {readonly (string | Buffer)[]} messages */
const echoes = (messages) => async (end) => {
  for (const message of messages) {
    end.send(message)
    expectEqual(await end.receive(), message)
  }
  await end.closeCleanly()
}

const FLOOD = 2_000

/** Messages without a wait for those sent back, but for room to send. */
const flood = async (end) => {
  const messages = Array.from({ length: FLOOD }, (_, number) => `${String(number)} ${'flood '.repeat(680)}`)
  const received = (async () => {
    for (const message of messages) expectEqual(await end.receive(), message)
  })()
  received.catch(() => {})
  for (const message of messages) await end.sendWithRoom(message)
  await received
  await end.closeCleanly()
}

const NOT_ASCII =
  'ä é ß Ω Привет 漢字 \u{1f600}\u{1f468}\u200d\u{1f469}\u200d\u{1f467} \u{10ffff} \u0000 \uffff'
const longText = (bytes) => NOT_ASCII.repeat(Math.ceil(bytes / Buffer.byteLength(NOT_ASCII))).slice(0, bytes)
const noise = (bytes) => randomFillSync(Buffer.alloc(bytes))

const PLAIN = { group: 'messages', hawser: false, peer: null, timeoutMs: 15_000 }

/** @type {Case[]} */
const MESSAGES = [
  { id: 'text', title: 'text', run: echoes(['hello']) },
  { id: 'binary', title: 'bytes', run: echoes([Buffer.from([0, 1, 127, 128, 255])]) },
  { id: 'empty-text', title: 'empty text', run: echoes(['', 'after', '']) },
  {
    id: 'empty-binary',
    title: 'empty bytes',
    run: echoes([Buffer.alloc(0), Buffer.from([1]), Buffer.alloc(0)]),
  },
  { id: 'not-ascii', title: 'not ASCII', run: echoes([NOT_ASCII]) },
  { id: 'text-1-mib', title: 'text, 1 MiB', run: (end) => echoes([longText(MIB)])(end) },
  { id: 'binary-1-mib', title: 'bytes, 1 MiB', run: (end) => echoes([noise(MIB)])(end) },
  {
    id: 'binary-20-mib',
    title: 'bytes, 20 MiB',
    timeoutMs: 40_000,
    run: (end) => echoes([noise(20 * MIB)])(end),
  },
  { id: 'flood', title: '2,000 at once', timeoutMs: 40_000, run: flood },
  {
    id: 'fragments',
    title: 'fragments from the peer',
    query: { do: 'fragments' },
    judgeFrames: ({ continuations }) => {
      if (continuations < 6) throw new Mismatch(`the peer sends ${String(continuations)} continuation frames`)
    },
    run: (end) => echoes(['one, two, three', NOT_ASCII, Buffer.from('bytes in parts'), noise(MIB)])(end),
  },
  {
    id: 'ping-by-hawser',
    title: 'ping by Hawser',
    run: async (end) => {
      end.socket.ping('from Hawser')
      expectEqual(await end.nextPong(), 'from Hawser')
      await echoes(['after the ping'])(end)
    },
  },
  {
    id: 'ping-by-peer',
    title: 'ping by the peer',
    query: { do: 'ping' },
    run: async (end) => {
      const answer = await end.receive()
      if (answer !== 'pong' && answer !== 'pong peer')
        throw new Mismatch(`the peer says ${JSON.stringify(answer)}`)
      await end.closeCleanly()
    },
  },
  {
    id: 'subprotocol',
    title: 'subprotocol',
    protocols: OFFERED,
    run: async (end) => {
      expectEqual(end.socket.protocol, CHOSEN)
      await echoes(['hello'])(end)
    },
    judge: ({ protocol }) => {
      if (protocol !== undefined) expectEqual(protocol, CHOSEN)
    },
  },
  {
    id: 'refused-401',
    title: '401',
    path: '/401',
    isRefused: true,
    run: () => Promise.reject(new Mismatch('the connection was opened')),
  },
].map((one) => ({ ...PLAIN, ...one }))

const REASON_123_BYTES = '€'.repeat(41)

const CLOSES = [
  { name: '1000', code: 1000, reason: 'bye' },
  { name: '1001', code: 1001, reason: '' },
  { name: '3000', code: 3000, reason: 'Käse' },
  { name: '4999', code: 4999, reason: REASON_123_BYTES },
  { name: 'none', code: undefined, reason: '' },
]

/** @type {Case[]} */
const CLOSINGS = [
  ...CLOSES.map((one) => ({
    id: `close-by-hawser-${one.name}`,
    title: `Hawser ${one.name}`,
    run: async (end) => {
      await end.close(one.code, one.reason)
    },
    judge: ({ closeCode, closeReason }) => {
      expectEqual(closeCode, one.code ?? 1005)
      expectEqual(closeReason, one.reason)
    },
  })),
  ...CLOSES.map((one) => ({
    id: `close-by-peer-${one.name}`,
    title: `peer ${one.name}`,
    query: {
      do: 'close',
      ...(one.code !== undefined && { code: String(one.code) }),
      ...(one.reason !== '' && { reason: one.reason }),
    },
    run: async (end) => {
      const { code, reason, wasClean, initiator } = await end.closed
      expectEqual(
        { code, reason, wasClean, initiator },
        { code: one.code ?? 1005, reason: one.reason, wasClean: true, initiator: 'remote' },
      )
    },
  })),
].map((one) => ({ ...PLAIN, group: 'closing', ...one }))

/** What is asked for, of the 2 x 2 x 8 x 8 combinations of RFC 7692 section 7.1: each alone, together, at both ends. */
const PARAMETERS = [
  { letter: 'a', name: 'server-no-context', serverNoContextTakeover: true },
  { letter: 'b', name: 'client-no-context', clientNoContextTakeover: true },
  { letter: 'c', name: 'no-contexts', serverNoContextTakeover: true, clientNoContextTakeover: true },
  { letter: 'd', name: 'server-9', serverMaxWindowBits: 9 },
  { letter: 'e', name: 'client-9', clientMaxWindowBits: 9 },
  { letter: 'f', name: 'server-10-client-12', serverMaxWindowBits: 10, clientMaxWindowBits: 12 },
  { letter: 'g', name: 'both-15', serverMaxWindowBits: 15, clientMaxWindowBits: 15 },
  {
    letter: 'h',
    name: 'all',
    serverNoContextTakeover: true,
    clientNoContextTakeover: true,
    serverMaxWindowBits: 9,
    clientMaxWindowBits: 9,
  },
]

const WIRE_NAMES = {
  serverNoContextTakeover: 'server_no_context_takeover',
  clientNoContextTakeover: 'client_no_context_takeover',
  serverMaxWindowBits: 'server_max_window_bits',
  clientMaxWindowBits: 'client_max_window_bits',
}
const wireName = ([name, value]) =>
  value === true ? WIRE_NAMES[name] : `${WIRE_NAMES[name]}=${String(value)}`

const LARGEST_WINDOW_BITS = 15

/** Whether what was agreed keeps a parameter: no window larger than what was asked for. */
function isGranted(agreed, [name, value]) {
  const [, bits = String(LARGEST_WINDOW_BITS)] =
    new RegExp(`${WIRE_NAMES[name]}(?:="?(\\d+))?`).exec(agreed) ?? []
  return value === true ? agreed.includes(WIRE_NAMES[name]) : Number(bits) <= value
}

function* numbers(seed) {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    yield state >>> 8
  }
}

/** 1.5 KiB to which only its copy is alike: a small window does not reach from the one to the other. */
function noiseText(seed) {
  const random = numbers(seed)
  return Buffer.from(Array.from({ length: 1152 }, () => random.next().value & 0xff)).toString('base64')
}

/** JSON of a service: 1 KiB to 4 KiB, each repeats parts of those before it. */
function row(number) {
  const random = numbers(number + 1)
  const fields = { number }
  for (let length = 0; length < 1024 * (1 + (number % 4)); length += 24) {
    fields[`key${String(length)}`] = `value ${String(random.next().value)}`
  }
  return JSON.stringify(fields)
}

/** Text and bytes; some are twice the same, some are empty, one is not ASCII. */
export const ROW = Array.from({ length: 200 }, (_, number) => {
  if (number === 50) return ''
  if (number === 51) return Buffer.alloc(0)
  if (number === 52) return NOT_ASCII
  const text = number % 10 > 7 ? noiseText(number - (number % 10)) : row(number)
  return number % 5 === 4 ? Buffer.from(text) : text
})
const IN_FLIGHT = 20

/**
 * A client keeps to what it said of itself whether the server repeats it or not (RFC 7692 sections 7.1.1.2, 7.1.2.2).
 * @param {[string, unknown][]} asked @param {string} asker @param {string} hawsersRole
 */
const toBeGranted = (asked, asker, hawsersRole) =>
  asker === 'hawser' && hawsersRole === 'client' ? asked.filter(([name]) => name.startsWith('server')) : asked

/** @returns what was agreed */
function expectCompression(end) {
  const agreed = end.socket.extensions
  if (!agreed.includes('permessage-deflate')) throw new Mismatch('not compressed')
  return agreed
}

/** @param {[string, unknown][]} asked @param {string} [asker] */
const compressed = (asked, asker) => async (end) => {
  const agreed = expectCompression(end)
  for (let at = 0; at < ROW.length + IN_FLIGHT; at++) {
    if (at < ROW.length) end.send(ROW[at])
    // Not all at once: few servers read on while they cannot write.
    if (at >= IN_FLIGHT) expectEqual(await end.receive(), ROW[at - IN_FLIGHT])
  }
  // Worked on by the thread pool.
  await echoes([ROW.join('').repeat(3)])(end)
  const missing = toBeGranted(asked, asker, end.role)
    .filter((one) => !isGranted(agreed, one))
    .map(wireName)
  if (missing.length > 0) throw new Mismatch(`not granted: ${missing.join(', ')}`)
}

const DEFLATED = {
  group: 'compression',
  timeoutMs: 30_000,
  judgeFrames: (fromPeer, fromHawser) => {
    for (const [name, { compressed: count }] of [
      ['Hawser', fromHawser],
      ['the peer', fromPeer],
    ]) {
      if (count < ROW.length / 2) throw new Mismatch(`${name} compresses ${String(count)} messages`)
    }
  },
}

/** @type {Case[]} */
const COMPRESSIONS = [
  { id: 'deflate', title: 'nothing', hawser: { thresholdBytes: 0 }, peer: {}, run: compressed([]) },
  {
    id: 'deflate-flood',
    title: 'nothing, 2,000 at once',
    hawser: { thresholdBytes: 0 },
    peer: {},
    timeoutMs: 40_000,
    run: async (end) => {
      expectCompression(end)
      await flood(end)
    },
  },
  ...['hawser', 'peer'].flatMap((asker) =>
    PARAMETERS.map(({ letter, name, ...asked }) => {
      const parameters = Object.entries(asked)
      return {
        id: `deflate-by-${asker}-${name}`,
        title: `${asker === 'hawser' ? 'Hawser' : 'peer'}: ${letter}`,
        hawser: { thresholdBytes: 0, ...(asker === 'hawser' && asked) },
        peer: asker === 'hawser' ? {} : asked,
        run: compressed(parameters, asker),
      }
    }),
  ),
].map((one) => ({ ...DEFLATED, ...one }))

/** @type {readonly Case[]} */
export const CASES = [...MESSAGES, ...CLOSINGS, ...COMPRESSIONS]

/** What is asked for under each letter. */
export const LETTERS = PARAMETERS.map(({ letter, ...named }) => ({
  letter,
  asked: Object.entries(named)
    .filter(([name]) => name in WIRE_NAMES)
    .map(wireName)
    .join('; '),
}))

/** The name of a configuration of a peer: a server listens once for each. @param {object | null} deflate */
export const configName = (deflate) => JSON.stringify(deflate)

/** Every configuration that a server listens with. */
export const CONFIGS = [...new Map(CASES.map(({ peer }) => [configName(peer), peer]))].map(
  ([name, deflate]) => ({
    name,
    deflate,
  }),
)
