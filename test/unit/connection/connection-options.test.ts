import {
  resolveConnectionOptions,
  wantsCompression,
  type ConnectionOptions,
} from '../../../src/connection/connection-options.js'
import { Connection } from '../../../src/connection/connection.js'
import { CLIENT_LIMITS, SERVER_LIMITS } from '../../../src/limits.js'
import { factory, TAKEOVER } from '../deflate/codec-pair.js'

const noop = (): void => undefined
const CODEC = { reservedBits: 0x40, encode: noop, decode: noop, dropContext: noop, close: noop }

describe('the options of a connection', () => {
  test('have defaults for each role', () => {
    const client = resolveConnectionOptions({ role: 'client' })
    expect(client).toMatchObject({
      role: 'client',
      codec: null,
      autoPong: true,
      now: 0,
      limits: CLIENT_LIMITS,
    })
    expect(client.waker.wake()).toBeUndefined()
    expect(resolveConnectionOptions({ role: 'server' }).limits).toBe(SERVER_LIMITS)
  })

  test('take the codec of permessage-deflate', () => {
    const codec = factory('server', false).createCodec(TAKEOVER)
    expect(resolveConnectionOptions({ role: 'server', codec }).codec).toBe(codec)
    codec.close()
  })

  test('keep the given values and fill in the limits', () => {
    const waker = { wake: () => undefined }
    const options = { role: 'server', codec: null, autoPong: false, now: -2.5, waker } as const
    const resolved = resolveConnectionOptions({
      ...options,
      limits: { maxMessageBytes: 10, idleTimeoutMs: false },
    })
    expect(resolved).toMatchObject(options)
    expect(resolved.limits).toEqual({ ...SERVER_LIMITS, maxMessageBytes: 10, idleTimeoutMs: Infinity })
  })

  test.each([
    [{ role: 'peer' }, TypeError, "role must be 'client' or 'server', not \"peer\""],
    [{}, TypeError, "role must be 'client' or 'server', not undefined"],
    [{ role: 'server', autoPong: 'no' }, TypeError, 'autoPong must be true or false, not "no"'],
    [{ role: 'server', autoClose: 1 }, TypeError, 'autoClose must be true or false, not 1'],
    [{ role: 'server', now: '1' }, TypeError, 'now must be a number from -Infinity to Infinity, not "1"'],
    [{ role: 'server', now: NaN }, RangeError, 'now must be a number from -Infinity to Infinity, not NaN'],
    [{ role: 'server', autopong: true }, TypeError, 'ConnectionOptions has no option "autopong"'],
    [{ role: 'server', limits: 5 }, TypeError, 'limits must be an object, not 5'],
    [{ role: 'server', limits: { maxFrames: 5 } }, TypeError, 'limits has no option "maxFrames"'],
    [{ role: 'server', waker: 5 }, TypeError, 'waker must be an object with wake, not 5'],
    [{ role: 'server', waker: {} }, TypeError, 'waker.wake must be a function, not undefined'],
    [{ role: 'server', waker: null }, TypeError, 'waker must be an object with wake, not null'],
    [
      { role: 'server', codec: true },
      TypeError,
      'codec must be the codec of an extension, or null, not true',
    ],
    [{ role: 'server', codec: {} }, TypeError, 'codec.reservedBits must be a number, not undefined'],
    [
      { role: 'server', codec: { ...CODEC, encode: null } },
      TypeError,
      'codec.encode must be a function, not null',
    ],
    [{ role: 'server', codec: { ...CODEC, decode: 5 } }, TypeError, 'codec.decode must be a function, not 5'],
    [
      { role: 'server', codec: { ...CODEC, dropContext: undefined } },
      TypeError,
      'codec.dropContext must be a function, not undefined',
    ],
    [
      { role: 'server', codec: { ...CODEC, close: {} } },
      TypeError,
      'codec.close must be a function, not an object',
    ],
    [
      { role: 'server', limits: { maxMessageBytes: -1 } },
      RangeError,
      'limits.maxMessageBytes must be an integer from 0 to Infinity, not -1',
    ],
    [
      { role: 'client', limits: { maxPendingPongs: 0 } },
      RangeError,
      'limits.maxPendingPongs must be an integer from 1 to Infinity, not 0',
    ],
  ])('are refused at construction as %j', (options, kind, said) => {
    const wrong = options as unknown as ConnectionOptions
    expect(() => resolveConnectionOptions(wrong)).toThrow(kind)
    expect(() => new Connection(wrong)).toThrow(said)
  })
})

describe('the options of one message', () => {
  test('allow compression unless compress is false', () => {
    expect(
      [{}, { compress: undefined }, { compress: true }, { compress: false }].map((o) =>
        wantsCompression(o as object),
      ),
    ).toEqual([true, true, true, false])
  })

  test.each([
    [null, 'options must be an object, not null'],
    ['text', 'options must be an object, not "text"'],
    [() => undefined, 'options must be an object, not a function'],
    [{ compress: 'no' }, 'compress must be true or false, not "no"'],
    [{ compress: 0 }, 'compress must be true or false, not 0'],
    [{ compres: true }, 'options has no option "compres"; there are compress, copy; did you mean compress?'],
    [
      { compress: true, binary: true },
      'options has no option "binary"; there are compress, copy; a string is sent as text, and bytes as a binary message',
    ],
    [
      { fin: false },
      'options has no option "fin"; there are compress, copy; each call sends a whole message',
    ],
    [
      { mask: true },
      'options has no option "mask"; there are compress, copy; a client masks, and a server does not (RFC 6455 5.1)',
    ],
    [{ compress: true, copy: 1 }, 'copy must be true or false, not 1'],
  ])('are refused as %p, and nothing is sent', (options, said) => {
    const one = new Connection({ role: 'server' })
    const call = (): unknown => one.send('x', options as unknown as object)
    expect(call).toThrow(TypeError)
    expect(call).toThrow(said)
    expect(one.takeOutput()).toBeNull()
  })
})

describe('the options of one message that are no plain object', () => {
  class Options {
    static isCompressed = false

    get compress(): boolean {
      return Options.isCompressed
    }
  }

  test('may have compress from their class', () => {
    expect(wantsCompression(new Options())).toBe(false)
  })

  test('are refused with an unknown option beside it', () => {
    const options = Object.assign(new Options(), { binary: true })
    expect(() => wantsCompression(options)).toThrow('options has no option "binary"')
  })
})
