import { Connection } from '../../src/connection/connection.js'
import { createCodecFactory, resolveDeflateOptions, type MessageCodec } from '../../src/deflate/index.js'
import type { MessageData } from '../../src/connection/message-data.js'
import { ControlledCodec } from '../helpers/controlled-codec.js'
import { takeFrames } from '../helpers/pull.js'

/**
 * security.md, row 1 (CVE-2016-10518, CVE-2026-45736): outbound bytes derive from the input alone, for every
 * argument type.
 */

/** Runs a function with the memory that is not cleared before it is handed out full of a secret. */
function withSecretsAround<T>(work: () => T): T {
  for (let i = 0; i < 20; i++) {
    Buffer.allocUnsafe(4000).fill('SECRET')
    Buffer.allocUnsafeSlow(1000 + i * 997).fill('SECRET')
  }
  return work()
}

function filled(buffer: ArrayBuffer | SharedArrayBuffer): ArrayBuffer | SharedArrayBuffer {
  const bytes = new Uint8Array(buffer)
  for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 7 + 1) % 256
  return buffer
}

const CONSTRUCTORS = [
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
] as const

/** Every form of `byteLength` bytes (a multiple of 8), and the bytes that it stands for. */
function forms(
  byteLength: number,
): { readonly name: string; readonly data: MessageData; readonly bytes: Buffer }[] {
  const found: { name: string; data: MessageData; bytes: Buffer }[] = []
  for (const make of [
    (n: number): ArrayBuffer => new ArrayBuffer(n),
    (n: number): SharedArrayBuffer => new SharedArrayBuffer(n),
  ]) {
    const whole = filled(make(byteLength))
    const kind = whole instanceof ArrayBuffer ? 'ArrayBuffer' : 'SharedArrayBuffer'
    found.push({ name: kind, data: whole, bytes: Buffer.from(new Uint8Array(whole)) })
    // In the middle of more memory than it has a right to.
    const around = filled(make(byteLength + 32))
    for (const Form of CONSTRUCTORS) {
      const width = 'BYTES_PER_ELEMENT' in Form ? Form.BYTES_PER_ELEMENT : 1
      found.push({
        name: `${Form.name} over ${kind}`,
        data: Reflect.construct(Form, [around, 16, byteLength / width]) as ArrayBufferView,
        bytes: Buffer.from(new Uint8Array(around, 16, byteLength)),
      })
    }
  }
  const pooled = Buffer.from(Array.from({ length: byteLength }, (_, i) => i % 251))
  found.push({ name: 'Buffer', data: pooled, bytes: Buffer.from(pooled) })
  for (const unit of ['a', '\u00e9', '\u20ac', '\u{1f4a9}', '\ud800', 'a\u20ac']) {
    const text = unit.repeat(Math.floor(byteLength / Buffer.byteLength(unit)))
    found.push({ name: `text of ${JSON.stringify(unit)}`, data: text, bytes: Buffer.from(text) })
  }
  return found
}

const WRONG: readonly unknown[] = [
  0,
  1,
  100,
  65_536,
  -1,
  1.5,
  NaN,
  Infinity,
  10n,
  true,
  null,
  Symbol('x'),
  [],
  [1, 2, 3],
  new Array(100),
  {},
  { length: 1000 },
  { byteLength: 1000 },
  { type: 'Buffer', data: [1, 2, 3] },
  new Date(),
  () => 'x',
  // An object that looks like text.
  Object('text'),
]

const AGREED = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: true,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
}
const zlib = (kept: boolean, asyncThresholdBytes: number): MessageCodec =>
  createCodecFactory(
    resolveDeflateOptions({ thresholdBytes: 0, asyncThresholdBytes }, 'server')!,
    kept,
  ).createCodec(AGREED)
const inflater = (): MessageCodec =>
  createCodecFactory(resolveDeflateOptions({ asyncThresholdBytes: Infinity }, 'client')!).createCodec(AGREED)

describe('SECURITY.md: outbound bytes derive from the input alone', () => {
  for (const role of ['server', 'client'] as const) {
    test.each([0, 8, 40, 120, 128, 4096, 16_384, 65_528, 65_536])(
      `${role}: messages of %i bytes leave unchanged in every form`,
      (size) => {
        for (const isBlocked of [false, true]) {
          for (const { name, data, bytes } of forms(size)) {
            const one = new Connection({ role })
            one.setBlocked(isBlocked)
            withSecretsAround(() => one.send(data))
            const found = takeFrames(one)
            if (found.length !== 1 || !found[0]!.payload.equals(bytes))
              throw new Error(`${name} became something else`)
            expect(found[0]!.opcode).toBe(typeof data === 'string' ? 1 : 2)
          }
        }
      },
    )

    test.each([0, 8, 64, 120])(
      `${role}: pings and pongs with %i bytes leave unchanged in every form`,
      (size) => {
        for (const { name, data, bytes } of forms(size)) {
          const one = new Connection({ role })
          withSecretsAround(() => {
            one.ping(data)
            one.pong(data)
          })
          const found = takeFrames(one)
          expect(found.map((f) => f.opcode)).toEqual([9, 10])
          if (!found.every((f) => f.payload.equals(bytes))) throw new Error(`${name} became something else`)
        }
      },
    )
  }

  test('pings and pongs above 125 bytes are refused in every form', () => {
    const one = new Connection({ role: 'server' })
    for (const { data, bytes } of forms(128)) {
      if (bytes.length <= 125) continue
      expect(() => one.ping(data)).toThrow(RangeError)
      expect(() => one.pong(data)).toThrow(RangeError)
    }
    expect(one.takeOutput()).toBeNull()
  })

  test.each(WRONG)('%p is refused, and nothing is sent', (wrong) => {
    const one = new Connection({ role: 'server', codec: new ControlledCodec() })
    const data = wrong as MessageData
    expect(() => one.send(data)).toThrow(TypeError)
    expect(() => one.ping(data)).toThrow(TypeError)
    expect(() => one.pong(data)).toThrow(TypeError)
    const reason = wrong as string
    expect(() => one.close(1000, reason)).toThrow(TypeError)
    expect(() => one.fail(1000, reason)).toThrow(TypeError)
    expect([one.bufferedBytes, one.takeOutput(), one.readyState]).toEqual([0, null, 1])
  })

  test('bytes are refused as a close reason in every form', () => {
    for (const { data } of forms(64)) {
      if (typeof data === 'string') continue
      const one = new Connection({ role: 'server' })
      expect(() => one.close(1000, data as unknown as string)).toThrow(TypeError)
      expect(() => one.fail(1000, data as unknown as string)).toThrow(TypeError)
      expect(one.takeOutput()).toBeNull()
    }
  })

  test('close reasons of every length and kind are sent', () => {
    for (const unit of ['a', '\u00e9', '\u20ac', '\u{1f4a9}', '\ud800']) {
      for (let length = 0; length <= 130; length++) {
        const reason = unit.repeat(length)
        const one = new Connection({ role: 'server' })
        withSecretsAround(() => one.close(1000, reason))
        const [found] = takeFrames(one)
        const whole = Buffer.from(reason)
        const said = found!.payload.subarray(2)
        expect(said.equals(whole.subarray(0, said.length))).toBe(true)
        expect(said.length).toBeGreaterThan(Math.min(whole.length, 123) - 4)
        expect(said.toString()).toBe(
          Buffer.from(unit)
            .toString()
            .repeat(said.length / Buffer.byteLength(unit)),
        )
      }
    }
  })

  test.each([
    ['kept handles', true],
    ['documented calls', false],
  ])('a message that zlib compressed with %s inflates to the given bytes, in every form', (_, kept) => {
    for (const size of [8, 1024, 65_528]) {
      for (const { name, data, bytes } of forms(size)) {
        const one = new Connection({ role: 'server', codec: zlib(kept, Infinity) })
        const other = new Connection({ role: 'client', codec: inflater() })
        withSecretsAround(() => one.send(data))
        for (let out = one.takeOutput(); out !== null; out = one.takeOutput())
          other.receiveBytes(Buffer.from(out))
        const event = other.nextEvent()
        const came = event?.type === 'message' ? Buffer.from(event.data) : event
        // Compared by bytes: jest shows large buffers slowly.
        expect([name, came instanceof Buffer && came.equals(bytes)]).toEqual([name, true])
        one.abandon()
        other.abandon()
      }
    }
  })

  test.each([
    ['kept handles', true],
    ['documented calls', false],
  ])(
    "a message that is compressed on the thread pool does not change with the caller's bytes: %s",
    async (_, kept) => {
      for (const i of forms(2048).keys()) {
        // Anew: the forms share memory.
        const { name, data, bytes } = forms(2048)[i]!
        const event = await new Promise<ReturnType<Connection['nextEvent']>>((resolve) => {
          const one = new Connection({ role: 'server', codec: zlib(kept, 100), waker: { wake: finish } })
          const other = new Connection({ role: 'client', codec: inflater() })
          withSecretsAround(() => one.send(data))
          if (ArrayBuffer.isView(data)) new Uint8Array(data.buffer, data.byteOffset, data.byteLength).fill(0)
          else if (typeof data !== 'string') new Uint8Array(data).fill(0)
          function finish(): void {
            for (let out = one.takeOutput(); out !== null; out = one.takeOutput())
              other.receiveBytes(Buffer.from(out))
            const came = other.nextEvent()
            one.abandon()
            other.abandon()
            resolve(came)
          }
        })
        const isSame = event?.type === 'message' && Buffer.from(event.data).equals(bytes)
        expect([name, isSame]).toEqual([name, true])
      }
    },
  )
})
