/** permessage-deflate: any messages, any windows, takeover or not, either way of using zlib, at once or later. */
import fc from 'fast-check'
import { inflateRawSync } from 'node:zlib'
import type { DecodeResult } from '../../src/extension/message-codec.js'
import { bytes, deflateLater, WAYS, expectBytes, factory, inflateLater } from '../unit/deflate/codec-pair.js'
import { inflatePlainly } from '../unit/deflate/max-distance.js'

const WINDOW_BITS = [8, 9, 10, 11, 12, 13, 14, 15]
const MAX = 1 << 20

/** Messages that repeat each other and themselves, at all distances, and some that do not shrink. */
const message = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc
    .tuple(
      fc.array(fc.constantFrom('alpha', 'beta', '{"id":', '1', '7', ' ', 'user'), { maxLength: 40 }),
      fc.nat(60),
    )
    .map(([words, times]) => Buffer.from(words.join('').repeat(times))),
  fc
    .tuple(fc.uint8Array({ maxLength: 300 }), fc.nat(2000))
    .map(([part, gap]) => Buffer.concat([part, Buffer.alloc(gap), part])),
)

interface Step {
  readonly message: Uint8Array
  readonly fromServer: boolean
  readonly deflatesLater: boolean
  readonly inflatesLater: boolean
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({ message, fromServer: fc.boolean(), deflatesLater: fc.boolean(), inflatesLater: fc.boolean() }),
  { minLength: 1, maxLength: 8 },
)

describe.each(WAYS)('RFC 7692 section 7.2, with %s', (_, usesHandles) => {
  describe.each([
    ['context takeover', false],
    ['no context takeover', true],
  ])('%s', (_name, noTakeover) => {
    test.each(WINDOW_BITS)(
      'every message arrives unchanged with a server window of 2^%d bytes and every client window',
      async (serverBits) => {
        for (const clientBits of WINDOW_BITS) {
          const agreed = {
            serverNoContextTakeover: noTakeover,
            clientNoContextTakeover: noTakeover,
            serverMaxWindowBits: serverBits,
            clientMaxWindowBits: clientBits,
          }
          await fc.assert(
            fc.asyncProperty(steps, async (sequence) => {
              const server = factory('server', usesHandles).createCodec(agreed)
              const client = factory('client', usesHandles).createCodec(agreed)
              for (const step of sequence) {
                const [sender, receiver] = step.fromServer ? [server, client] : [client, server]
                const payload = step.deflatesLater
                  ? await deflateLater(sender, step.message)
                  : sender.deflate(step.message)
                if (payload === null) continue
                expect(payload.length < step.message.length || step.message.length === 0).toBe(true)
                const copy = Buffer.from(payload)
                const result: DecodeResult = step.inflatesLater
                  ? await inflateLater(receiver, copy, MAX)
                  : receiver.inflate(copy, MAX)
                expectBytes(result, step.message)
              }
              server.close()
              client.close()
            }),
            { numRuns: 4 },
          )
        }
      },
    )
  })

  test.each(WINDOW_BITS)(
    'no reference leaves a window of 2^%d bytes, and zlib inflates with that window',
    (windowBits) => {
      fc.assert(
        fc.property(
          fc.array(message, { minLength: 2, maxLength: 12 }),
          fc.integer({ min: 1, max: 9 }),
          (messages, level) => {
            const codec = factory('server', usesHandles, { level }).createCodec({
              serverNoContextTakeover: false,
              clientNoContextTakeover: true,
              serverMaxWindowBits: windowBits,
              clientMaxWindowBits: 15,
            })
            const wire: Buffer[] = []
            const sent: Uint8Array[] = []
            for (const each of messages) {
              const payload = codec.deflate(each)
              if (payload === null) continue
              wire.push(bytes(payload), Buffer.from([0x00, 0x00, 0xff, 0xff]))
              sent.push(each)
            }
            codec.close()
            const { output, maxDistance } = inflatePlainly(Buffer.concat(wire))
            expectBytes(output, Buffer.concat(sent))
            expect(maxDistance).toBeLessThanOrEqual(1 << windowBits)
            // The smallest chunk, so that zlib has to resolve references by its window.
            const whole = Buffer.concat([...wire, Buffer.from([0x01, 0x00, 0x00, 0xff, 0xff])])
            expectBytes(inflateRawSync(whole, { windowBits, chunkSize: 64 }), Buffer.concat(sent))
          },
        ),
        { numRuns: 25 },
      )
    },
  )

  test('any bytes inflate or give an error value, and the codec can be used again', async () => {
    const receiver = factory('server', usesHandles)
    const hello = Buffer.from([0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00])
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.boolean(),
        fc.boolean(),
        fc.nat(2000),
        async (payload, noTakeover, later, maxBytes) => {
          const codec = receiver.createCodec({
            serverNoContextTakeover: noTakeover,
            clientNoContextTakeover: noTakeover,
            serverMaxWindowBits: 15,
            clientMaxWindowBits: 15,
          })
          const result = later
            ? await inflateLater(codec, payload, maxBytes)
            : codec.inflate(payload, maxBytes)
          if (result instanceof Error) expect(result.message).toMatch(/./)
          else expect(result.length).toBeLessThanOrEqual(maxBytes)
          expect(bytes(codec.inflate(hello, 5)).toString()).toBe('Hello')
          codec.close()
        },
      ),
      { numRuns: 300 },
    )
  })

  test('a message that is cut anywhere gives an error, never a part of the message', () => {
    const codecs = factory('server', usesHandles)
    fc.assert(
      fc.property(message, fc.nat(), fc.boolean(), (whole, at, noTakeover) => {
        const codec = codecs.createCodec({
          serverNoContextTakeover: noTakeover,
          clientNoContextTakeover: noTakeover,
          serverMaxWindowBits: 15,
          clientMaxWindowBits: 15,
        })
        const payload = codec.deflate(whole)
        if (payload !== null) {
          const cut = bytes(payload).subarray(0, at % payload.length)
          expect(codec.inflate(cut, MAX)).toMatchObject({ code: 'HAWSER_INVALID_DEFLATE' })
        }
        codec.close()
      }),
      { numRuns: 300 },
    )
  })
})
