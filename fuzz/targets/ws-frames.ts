/** The same frames through Hawser and through the receiver of `ws`: the same messages, or a difference that is known. */
import * as ws from 'ws'
import { Connection } from '../../src/connection/connection.js'
import type { ConnectionEvent } from '../../src/connection/events.js'
import {
  createCodecFactory,
  resolveDeflateOptions,
  type ResolvedDeflateOptions,
} from '../../src/deflate/index.js'
import { check, Choices, inputOf, type Target } from './choices.js'
import { FRAME_DIFFERENCES, type Seen } from './differences.js'
import { peerStreams } from './peer-frames.js'

/** What neither the types nor the documentation of ws have: its receiver, and its extension. */
interface WsReceiver extends NodeJS.WritableStream {
  destroy(): void
}
type WsReceiverClass = new (options: object) => WsReceiver
interface WsDeflate {
  accept(configurations: readonly object[]): object
  cleanup(): void
}
type WsDeflateClass = new (...args: readonly unknown[]) => WsDeflate

const { Receiver: WsReceiverOf, PerMessageDeflate: WsDeflateOf } = ws as unknown as {
  readonly Receiver: WsReceiverClass
  readonly PerMessageDeflate: WsDeflateClass
}

const MAX_MESSAGE_BYTES = 2000
const NOTHING: Seen = { kind: 'nothing', detail: '', code: '' }

const codecs = createCodecFactory(
  resolveDeflateOptions({ asyncThresholdBytes: Infinity }, 'server') as ResolvedDeflateOptions,
)

function seenOf(event: ConnectionEvent): Seen {
  switch (event.type) {
    case 'message': {
      const kind = typeof event.data === 'string' ? 'text' : 'binary'
      return { kind, detail: Buffer.from(event.data as string).toString('hex'), code: '' }
    }
    case 'ping':
    case 'pong':
      return { kind: event.type, detail: event.data.toString('hex'), code: '' }
    case 'closeReceived':
      return { kind: 'close', detail: `${event.code} ${Buffer.from(event.reason).toString('hex')}`, code: '' }
    case 'error':
      return {
        kind: 'error',
        detail: 'closeCode' in event.error ? String(event.error.closeCode) : '',
        code: event.error.code,
      }
    default:
      return { kind: event.type, detail: '', code: '' }
  }
}

function byHawser(role: 'client' | 'server', isCompressed: boolean, chunks: readonly Buffer[]): Seen[] {
  const codec = isCompressed
    ? codecs.createCodec({
        serverNoContextTakeover: false,
        clientNoContextTakeover: false,
        serverMaxWindowBits: 15,
        clientMaxWindowBits: 15,
      })
    : null
  const connection = new Connection({ role, codec, limits: { maxMessageBytes: MAX_MESSAGE_BYTES } })
  const seen: Seen[] = []
  for (const chunk of chunks) {
    connection.receiveBytes(Buffer.from(chunk))
    for (let event = connection.nextEvent(); event !== null; event = connection.nextEvent())
      seen.push(seenOf(event))
  }
  codec?.close()
  return seen
}

async function byWs(
  role: 'client' | 'server',
  isCompressed: boolean,
  chunks: readonly Buffer[],
): Promise<Seen[]> {
  const isServer = role === 'server'
  const deflate = isCompressed ? new WsDeflateOf({}, isServer, MAX_MESSAGE_BYTES) : null
  deflate?.accept([{}])
  const receiver = new WsReceiverOf({
    isServer,
    maxPayload: MAX_MESSAGE_BYTES,
    extensions: deflate === null ? {} : { 'permessage-deflate': deflate },
  })
  const seen: Seen[] = []
  const add = (kind: string, detail: string): number => seen.push({ kind, detail, code: '' })
  receiver.on('message', (data: Buffer, isBinary: boolean) =>
    add(isBinary ? 'binary' : 'text', data.toString('hex')),
  )
  receiver.on('ping', (data: Buffer) => add('ping', data.toString('hex')))
  receiver.on('pong', (data: Buffer) => add('pong', data.toString('hex')))
  receiver.on('conclude', (code: number, reason: Buffer) => add('close', `${code} ${reason.toString('hex')}`))
  let hasEnded = false
  const failed = new Promise<void>((resolve) => {
    receiver.on('error', (error: object) => {
      const status = Object.getOwnPropertySymbols(error).find(
        ({ description }) => description === 'status-code',
      )
      add('error', String((error as Record<symbol, unknown>)[status as symbol]))
      resolve()
    })
  })
  for (const chunk of chunks) {
    if (hasEnded || seen.at(-1)?.kind === 'close') break
    const written = new Promise<void>((resolve) => receiver.write(Buffer.from(chunk), () => resolve()))
    await Promise.race([written, failed])
    hasEnded = seen.at(-1)?.kind === 'error'
  }
  deflate?.cleanup()
  return seen
}

async function run(input: Buffer): Promise<void> {
  const choices = new Choices(input)
  const role = choices.flag ? 'client' : 'server'
  const isCompressed = choices.flag
  const chunks = choices.chunks()
  const hawser = byHawser(role, isCompressed, chunks)
  const theirs = await byWs(role, isCompressed, chunks)
  const most = Math.max(hawser.length, theirs.length)
  for (let i = 0; i < most; i++) {
    const pair = { hawser: hawser[i] ?? NOTHING, ws: theirs[i] ?? NOTHING, isCompressed }
    if (pair.hawser.kind === pair.ws.kind && pair.hawser.detail === pair.ws.detail) continue
    const isKnown = FRAME_DIFFERENCES.some(({ applies }) => applies(pair))
    check(isKnown, 'the two make the same of the bytes', () =>
      JSON.stringify({ pair, hawser, theirs }, null, 1),
    )
    return
  }
}

export const target: Target = {
  title: 'the same frames through Hawser and `ws`',
  lanes: ['native', 'no-wasm', 'off'],
  maxBytes: 1500,
  seeds: () => [
    ...peerStreams('client').flatMap((bytes) => [inputOf(bytes, 0, 0), inputOf(bytes, 0, 1, 3, 0, 9)]),
    ...peerStreams('server').flatMap((bytes) => [inputOf(bytes, 1, 0), inputOf(bytes, 1, 1, 3, 0, 9)]),
  ],
  run,
}
