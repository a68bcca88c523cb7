/** Codecs for tests: over both ways of using zlib, and two joined as a server and its client. */
import type { DecodeResult } from '../../../src/extension/message-codec.js'
import {
  createCodecFactory,
  type CodecFactory,
  type DeflateCodec,
} from '../../../src/deflate/deflate-codec.js'
import { resolveDeflateOptions } from '../../../src/deflate/negotiation.js'
import type { AgreedParameters, PerMessageDeflateOptions } from '../../../src/deflate/negotiation.js'

/** Whether zlib's native handles are used, which every test but those of the environment can decide for itself. */
export const WAYS: readonly (readonly [string, boolean])[] = [
  ['native handles', true],
  ['documented calls', false],
]

export const TAKEOVER: AgreedParameters = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
}

export const NO_TAKEOVER: AgreedParameters = {
  ...TAKEOVER,
  serverNoContextTakeover: true,
  clientNoContextTakeover: true,
}

/** Every message is worth compressing, unless said otherwise. */
export function factory(
  role: 'client' | 'server',
  usesHandles: boolean,
  options: PerMessageDeflateOptions = {},
): CodecFactory {
  return createCodecFactory(resolveDeflateOptions({ thresholdBytes: 0, ...options }, role)!, usesHandles)
}

export interface Pair {
  readonly server: DeflateCodec
  readonly client: DeflateCodec
  close(): void
}

export function pair(
  usesHandles: boolean,
  agreed: AgreedParameters,
  options: PerMessageDeflateOptions = {},
): Pair {
  const server = factory('server', usesHandles, options).createCodec(agreed)
  const client = factory('client', usesHandles, options).createCodec(agreed)
  return {
    server,
    client,
    close: () => {
      server.close()
      client.close()
    },
  }
}

/** A copy of a result that must be bytes: what a call gives is valid only until the next. */
export function bytes(result: DecodeResult | null): Buffer {
  if (result === null) throw new Error('null instead of bytes')
  if (result instanceof Error) throw result
  return Buffer.from(result)
}

export function deflateLater(codec: DeflateCodec, message: Uint8Array): Promise<Uint8Array | null> {
  return new Promise((resolve) => codec.deflateAsync(message, resolve))
}

export function inflateLater(
  codec: DeflateCodec,
  message: Uint8Array,
  maxBytes: number,
): Promise<DecodeResult> {
  return new Promise((resolve) => codec.inflateAsync(message, maxBytes, resolve))
}

/** Bytes that no compressor shrinks, the same in every run. */
export function noise(length: number, seed = 1): Buffer {
  const buffer = Buffer.alloc(length)
  let state = seed
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    buffer[i] = state >>> 23
  }
  return buffer
}

/** Text as programs send it, the same in every run. */
export function json(length: number, seed = 1): Buffer {
  const random = noise(length, seed)
  let text = ''
  for (let i = 0; text.length < length; i += 3) {
    text += JSON.stringify({
      id: random[i],
      name: `user${String(random[i + 1])}`,
      isActive: (random[i + 2] ?? 0) > 127,
    })
  }
  return Buffer.from(text.slice(0, length))
}

/** As `expect(bytes(result)).toEqual(expected)`, which takes seconds for large buffers. */
export function expectBytes(result: DecodeResult | null, expected: Uint8Array): void {
  const actual = bytes(result)
  if (actual.equals(expected)) return
  expect(actual.subarray(0, 100).toString('latin1')).toBe(
    Buffer.from(expected.subarray(0, 100)).toString('latin1'),
  )
  expect(actual.length).toBe(expected.length)
  throw new Error('the bytes differ')
}
