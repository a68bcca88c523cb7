import { natsBackplane, type NatsConnection } from '../../../src/brokers/nats.js'

const never = (): Promise<NatsConnection> => Promise.reject(new Error('it is not to be called'))

describe('natsBackplane', () => {
  it('takes a function, which it does not call before the server starts', () => {
    expect(natsBackplane(never)).toHaveProperty('publish')
    expect(natsBackplane(never)).toMatchObject({ names: undefined })
    expect(natsBackplane(never, { names: () => Promise.reject(new Error('nor this')) }).names).toBeDefined()
  })

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    ['nats://user:secret@localhost', 'a string'],
    [{ servers: 'nats://user:secret@localhost' }, 'an object'],
    [{ publish: () => undefined, subscribe: () => undefined }, 'an object'],
  ])(
    'refuses what is neither a connection nor a function at once, without showing it: %p',
    (source, shown) => {
      expect(() => natsBackplane(source as unknown as NatsConnection)).toThrow(
        new TypeError(
          `source must be a connection to NATS, or a function that opens one such as () => connect({ servers }), not ${shown}`,
        ),
      )
    },
  )

  it('refuses a promise of a connection, which may never be one, and hears it reject', () => {
    const call = () => natsBackplane(Promise.reject(new Error('refused')) as unknown as NatsConnection)
    expect(call).toThrow(TypeError)
    expect(call).toThrow(/not a promise: await it, or give the function that makes it$/)
  })

  it.each([
    [{ prefix: '' }, RangeError, 'prefix must be 1 to 64 letters, digits, and _ - ., not ""'],
    [{ prefix: 'a*' }, RangeError, 'prefix must be 1 to 64 letters, digits, and _ - ., not "a*"'],
    [{ prefix: '.a' }, RangeError, 'prefix must have no dot at its ends, and no two in a row, not ".a"'],
    [{ prefix: 'a.' }, RangeError, 'prefix must have no dot at its ends, and no two in a row, not "a."'],
    [{ prefix: 'a..b' }, RangeError, 'prefix must have no dot at its ends, and no two in a row, not "a..b"'],
    [{ prefix: 1 }, TypeError, 'prefix must be 1 to 64 letters, digits, and _ - ., not 1'],
    [{ names: 'bucket' }, TypeError, 'names must be a function, not "bucket"'],
    [{ maxQueuedBytes: 10 }, RangeError, 'maxQueuedBytes must be a number from 1024 to Infinity, not 10'],
    [{ maxMessageBytes: 1 }, RangeError, 'maxMessageBytes must be an integer from 1024 to 536870912, not 1'],
    [{ stallTimeoutMs: 1 }, RangeError, 'stallTimeoutMs must be a number from 100 to 2147483647, not 1'],
    [{ sharded: true }, TypeError, 'options has no option "sharded"'],
  ])('refuses the options %p', (options, kind, message) => {
    const call = () => natsBackplane(never, options as object)
    expect(call).toThrow(kind)
    expect(call).toThrow(message)
  })
})
