/** Messages of permessage-deflate (RFC 7692 section 7.2.2): in all ways in which they are inflated, with context and without. */
import { ProtocolError } from '../../src/errors.js'
import type { DecodeResult } from '../../src/extension/message-codec.js'
import {
  createCodecFactory,
  resolveDeflateOptions,
  type AgreedParameters,
  type CodecFactory,
  type DeflateCodec,
  type ResolvedDeflateOptions,
} from '../../src/deflate/index.js'
import { canUseZlibHandles } from '../../src/native/zlib-handle.js'
import { hex } from '../../test/helpers/frame-builder.js'
import { inflatePlainly } from '../../test/unit/deflate/max-distance.js'
import { check, checkSame, Choices, inputOf, type Target } from './choices.js'

const config = resolveDeflateOptions({ thresholdBytes: 0 }, 'server') as ResolvedDeflateOptions
const tight = resolveDeflateOptions(
  { thresholdBytes: 0, maxSharedInflaterBytes: 0, maxSharedContextBytes: 0 },
  'server',
) as ResolvedDeflateOptions

const handles = canUseZlibHandles()
/** By handles that are lent, by handles that are taken away after each message, and by the documented calls. */
const FACTORIES: readonly CodecFactory[] = [
  createCodecFactory(config, handles),
  createCodecFactory(tight, handles),
  createCodecFactory(config, false),
]
const PEERS = createCodecFactory(
  resolveDeflateOptions({ thresholdBytes: 0 }, 'client') as ResolvedDeflateOptions,
)
const LIMITS = [1000, 64, 5, 100_000, 70_000, 0] as const
const TAIL = hex('00 00 ff ff')
/** In place of the tail: a stored block with four bytes, which come out if the message before it is whole. */
const MARK = hex('04 00 fb ff de ad be ef')
/** The plain inflater is slow, and keeps no limit. */
const MAX_PLAIN_BYTES = 5000

const REFUSALS = ['HAWSER_INVALID_DEFLATE', 'HAWSER_MESSAGE_TOO_BIG']

/**
 * Which of the two a message is called that breaks off near the limit depends on the way: each puts an ending of its own after the
 * message, and zlib may read that as a part of it.
 */
function show(result: DecodeResult): string {
  if (!(result instanceof ProtocolError)) return `${result.length}:${Buffer.from(result).toString('hex')}`
  check(REFUSALS.includes(result.code), 'a message that is refused is wrong or too large', () => result.code)
  return 'refused'
}

const later = (codec: DeflateCodec, message: Uint8Array, maxBytes: number): Promise<DecodeResult> =>
  new Promise((resolve) => codec.inflateAsync(message, maxBytes, resolve))

/** What was inflated is what a plain inflater makes of it, with what came before where the context is kept. */
function checkPlainly(before: readonly Buffer[], message: Buffer, output: Uint8Array): void {
  const earlier = Buffer.concat(before.flatMap((one) => [one, TAIL]))
  const known = inflatePlainly(earlier).output.length
  const ended = inflatePlainly(Buffer.concat([earlier, message, TAIL])).output.subarray(known)
  const marked = inflatePlainly(Buffer.concat([earlier, message, MARK])).output.subarray(known)
  check(ended.equals(output), 'a message inflates to what a plain inflater gives')
  check(
    marked.equals(Buffer.concat([output, MARK.subarray(4)])),
    'a message that is taken ends where a block ends',
  )
}

/** What one end compresses the other inflates. */
function checkRoundTrip(codec: DeflateCodec, peer: DeflateCodec, bytes: Buffer): void {
  const payload = codec.deflate(bytes)
  if (payload === null) {
    codec.dropContext()
    return
  }
  const back = peer.inflate(Buffer.from(payload), bytes.length)
  check(!(back instanceof Error) && bytes.equals(back), 'what is deflated is inflated to the same')
}

async function run(input: Buffer): Promise<void> {
  const choices = new Choices(input)
  const keepsContext = choices.flag
  const maxBytes = choices.pick(LIMITS)
  const isLater = choices.byte() % 16 === 1
  const agreed: AgreedParameters = {
    serverNoContextTakeover: !keepsContext,
    clientNoContextTakeover: !keepsContext,
    serverMaxWindowBits: choices.pick([15, 9, 8]),
    clientMaxWindowBits: 15,
  }
  const codecs = FACTORIES.map((factory) => factory.createCodec(agreed))
  const asynchronous = isLater ? FACTORIES.map((factory) => factory.createCodec(agreed)) : []
  const before: Buffer[] = []
  for (const message of choices.chunks()) {
    const kept = message.toString('hex')
    const results = codecs.map((codec) => show(codec.inflate(message, maxBytes)))
    for (const codec of asynchronous) results.push(show(await later(codec, message, maxBytes)))
    checkSame(message.toString('hex'), kept, 'a message is only read')
    for (const result of results) checkSame(result, results[0], 'all ways to inflate a message give the same')
    const result = results[0] as string
    if (!result.includes(':')) break
    const output = Buffer.from(result.slice(result.indexOf(':') + 1), 'hex')
    check(output.length <= maxBytes, 'no more comes out than is allowed')
    if (output.length <= MAX_PLAIN_BYTES) checkPlainly(keepsContext ? before : [], message, output)
    if (keepsContext) before.push(message)
  }
  for (const codec of [...codecs, ...asynchronous]) codec.close()
  roundTrips(choices, agreed)
}

function roundTrips(choices: Choices, agreed: AgreedParameters): void {
  const [lent, , documented] = FACTORIES as [CodecFactory, CodecFactory, CodecFactory]
  const mirrored = { ...agreed, clientMaxWindowBits: agreed.serverMaxWindowBits }
  for (const factory of [lent, documented]) {
    const codec = factory.createCodec(mirrored)
    const peer = PEERS.createCodec(mirrored)
    checkRoundTrip(codec, peer, choices.bytes)
    checkRoundTrip(codec, peer, choices.bytes.subarray(choices.bytes.length >> 1))
    codec.close()
    peer.close()
  }
  check(
    FACTORIES.every(({ inflateHistoryBytes }) => inflateHistoryBytes === 0),
    'closed codecs keep nothing',
  )
}

const HELLO = hex('f2 48 cd c9 c9 07 00')

export const target: Target = {
  title: 'messages of permessage-deflate, by every way to inflate them, against a plain inflater',
  lanes: ['native', 'off'],
  maxBytes: 400,
  seeds: () => [
    inputOf(HELLO, 0, 0),
    inputOf(HELLO, 1, 1, 1),
    inputOf(hex('00 05 00 fa ff 48 65 6c 6c 6f 00'), 1, 0),
    inputOf(hex('f3 48 cd c9 c9 07 00 00'), 1, 0),
    inputOf(hex('f2 48 05 00 00 00 ff ff ca c9 c9 07 00'), 0, 0),
    inputOf(Buffer.concat([HELLO, hex('f2 00 11 00 00')]), 1, 0, 0, 0, 6),
    inputOf(Buffer.concat([HELLO, HELLO, HELLO]), 1, 0, 1, 0, 6, 6, 6),
    inputOf(hex('00'), 0, 4),
    inputOf(hex('4b 4c 1c 05 a3 60 14 8c 82 51 30 0a 46 01 00 00'), 0, 2),
    inputOf(hex('03 00'), 0, 0),
    inputOf(hex('4a 04 00 00 00 ff ff'), 1, 0, 1),
    inputOf(hex('05 c0 81 08 00 00 00 00 20 7f eb 03 00'), 0, 2),
  ],
  run,
}
