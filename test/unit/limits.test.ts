import { constants } from 'node:buffer'
import { checkNumber, showValue } from '../../src/check.js'
import {
  CLIENT_LIMITS,
  gatherLimits,
  LIMIT_NAMES,
  MAX_MESSAGE_BYTES_CEILING,
  resolveLimits,
  SERVER_LIMITS,
  type LimitOptions,
  type Limits,
} from '../../src/limits.js'

describe('RFC 6455 10.4: the defaults', () => {
  const shared = {
    maxFrameBytes: Infinity,
    maxBufferedOutputBytes: 1_048_576,
    highWaterMarkBytes: 65_536,
    maxPendingPongs: 16,
    maxQueuedMessages: 64,
    maxQueuedBytes: 1_048_576,
    maxHeaderBytes: 16_384,
    handshakeTimeoutMs: 10_000,
    sendTimeoutMs: 30_000,
    closeTimeoutMs: 10_000,
    heartbeatIntervalMs: 30_000,
    heartbeatTimeoutMs: 30_000,
    idleTimeoutMs: Infinity,
  }

  test('are tight for a server, and wider for a client', () => {
    expect(SERVER_LIMITS).toEqual({ maxMessageBytes: 1_048_576, ...shared })
    expect(CLIENT_LIMITS).toEqual({ maxMessageBytes: 16_777_216, ...shared })
  })

  test('are frozen, and so is the list of their names', () => {
    for (const object of [SERVER_LIMITS, CLIENT_LIMITS, LIMIT_NAMES])
      expect(Object.isFrozen(object)).toBe(true)
    expect([...LIMIT_NAMES].sort()).toEqual(Object.keys(SERVER_LIMITS).sort())
  })

  test('allow no message that is longer than the longest string of this Node', () => {
    expect(MAX_MESSAGE_BYTES_CEILING).toBeLessThanOrEqual(constants.MAX_STRING_LENGTH)
  })
})

describe('resolveLimits', () => {
  test('returns the defaults themselves when nothing is given', () => {
    expect(resolveLimits(undefined, SERVER_LIMITS)).toBe(SERVER_LIMITS)
    expect(resolveLimits({}, CLIENT_LIMITS)).toEqual(CLIENT_LIMITS)
    expect(resolveLimits({ maxHeaderBytes: undefined }, CLIENT_LIMITS)).toEqual(CLIENT_LIMITS)
  })

  test('replaces each given default, and freezes the result', () => {
    const limits = resolveLimits({ maxMessageBytes: 5, closeTimeoutMs: 0.25 }, SERVER_LIMITS)
    expect(limits).toEqual({ ...SERVER_LIMITS, maxMessageBytes: 5, closeTimeoutMs: 0.25 })
    expect(Object.isFrozen(limits)).toBe(true)
    expect(SERVER_LIMITS.maxMessageBytes).toBe(1_048_576)
  })

  test('does not check resolved limits again', () => {
    const limits = resolveLimits({ maxMessageBytes: 5 }, SERVER_LIMITS)
    expect(resolveLimits(limits, CLIENT_LIMITS)).toBe(limits)
    expect(resolveLimits(SERVER_LIMITS, CLIENT_LIMITS)).toBe(SERVER_LIMITS)
  })

  test("is not affected by later changes of the caller's object", () => {
    const options: { maxMessageBytes: number } = { maxMessageBytes: 5 }
    const limits = resolveLimits(options, SERVER_LIMITS)
    options.maxMessageBytes = 6
    expect(limits.maxMessageBytes).toBe(5)
  })

  test.each(LIMIT_NAMES)('takes Infinity and false for off: %s', (name) => {
    const off = name === 'maxMessageBytes' ? MAX_MESSAGE_BYTES_CEILING : Infinity
    expect(resolveLimits({ [name]: Infinity }, SERVER_LIMITS)[name]).toBe(off)
    expect(resolveLimits({ [name]: false }, SERVER_LIMITS)[name]).toBe(off)
  })

  test('never allows a message more bytes than a string can have', () => {
    const { maxMessageBytes } = resolveLimits({ maxMessageBytes: 2 ** 40 }, SERVER_LIMITS)
    expect(maxMessageBytes).toBe(MAX_MESSAGE_BYTES_CEILING)
    const exact = resolveLimits({ maxMessageBytes: MAX_MESSAGE_BYTES_CEILING - 1 }, SERVER_LIMITS)
    expect(exact.maxMessageBytes).toBe(MAX_MESSAGE_BYTES_CEILING - 1)
  })

  const smallest: Record<keyof Limits, number> = {
    maxMessageBytes: 0,
    maxFrameBytes: 0,
    maxBufferedOutputBytes: 0,
    highWaterMarkBytes: 0,
    maxPendingPongs: 1,
    maxQueuedMessages: 1,
    maxQueuedBytes: 1,
    maxHeaderBytes: 64,
    handshakeTimeoutMs: 1,
    sendTimeoutMs: 1,
    closeTimeoutMs: 0,
    heartbeatIntervalMs: 0,
    heartbeatTimeoutMs: 0,
    idleTimeoutMs: 0,
  }

  test.each(LIMIT_NAMES)('takes the smallest value and refuses less: %s', (name) => {
    const least = smallest[name]
    expect(resolveLimits({ [name]: least }, SERVER_LIMITS)[name]).toBe(least)
    const kind = name.endsWith('Ms') ? 'a number' : 'an integer'
    for (const value of [least - 1, -Infinity, NaN]) {
      const run = (): Limits => resolveLimits({ [name]: value }, SERVER_LIMITS)
      expect(run).toThrow(RangeError)
      expect(run).toThrow(
        `limits.${name} must be ${kind} from ${String(least)} to Infinity, not ${String(value)}`,
      )
    }
  })

  test.each(LIMIT_NAMES)('takes a fraction for times alone: %s', (name) => {
    const run = (): Limits => resolveLimits({ [name]: 100.5 }, SERVER_LIMITS)
    if (name.endsWith('Ms')) expect(run()[name]).toBe(100.5)
    else expect(run).toThrow(RangeError)
  })

  test.each([
    ['5', '"5"'],
    [null, 'null'],
    [true, 'true'],
    [5n, 'a bigint'],
    [{}, 'an object'],
    [() => 5, 'a function'],
  ])('refuses a value that is not a number: %p', (value, shown) => {
    const run = (): Limits =>
      resolveLimits({ maxFrameBytes: value } as unknown as LimitOptions, SERVER_LIMITS)
    expect(run).toThrow(TypeError)
    expect(run).toThrow(`limits.maxFrameBytes must be an integer from 0 to Infinity, not ${shown}`)
  })

  test.each(['maxMesageBytes', 'constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    'refuses an unknown name: %s',
    (name) => {
      const run = (): Limits => resolveLimits(JSON.parse(`{ "${name}": 5 }`) as LimitOptions, SERVER_LIMITS)
      expect(run).toThrow(TypeError)
      expect(run).toThrow(`limits has no option "${name}"`)
    },
  )

  test.each([
    [null, 'null'],
    [5, '5'],
    [true, 'true'],
    ['1 MiB', '"1 MiB"'],
    [() => ({}), 'a function'],
  ])('refuses a value that is not an object: %p', (value, shown) => {
    const run = (): Limits => resolveLimits(value as unknown as LimitOptions, SERVER_LIMITS)
    expect(run).toThrow(TypeError)
    expect(run).toThrow(`limits must be an object, not ${shown}`)
  })
})

describe('checkNumber', () => {
  test('returns the number', () => {
    expect(checkNumber('n', 5, { min: 5, max: 5, integer: true })).toBe(5)
    expect(checkNumber('n', 5.5, { min: 5, max: 6, integer: false })).toBe(5.5)
    expect(checkNumber('n', Infinity, { min: 0, integer: true })).toBe(Infinity)
  })

  test.each([4, 7, 5.5, Infinity, -Infinity, NaN])('refuses %p as out of range', (value) => {
    const run = (): number => checkNumber('level', value, { min: 5, max: 6, integer: true })
    expect(run).toThrow(RangeError)
    expect(run).toThrow(`level must be an integer from 5 to 6, not ${String(value)}`)
  })

  test('refuses a Number object', () => {
    expect(() => checkNumber('n', Object(5), { min: 0, integer: true })).toThrow(TypeError)
  })
})

describe('showValue', () => {
  test.each([
    [0, '0'],
    [-0, '-0'],
    [1.5, '1.5'],
    [NaN, 'NaN'],
    [true, 'true'],
    [null, 'null'],
    [undefined, 'undefined'],
    ['a "b"\n', '"a \\"b\\"\\n"'],
    ['x'.repeat(40), `"${'x'.repeat(40)}"`],
    ['x'.repeat(41), `"${'x'.repeat(40)}…"`],
    [5n, 'a bigint'],
    [Symbol('secret'), 'a symbol'],
    [{ secret: 1 }, 'an object'],
    [['secret'], 'an array'],
    [function secret() {}, 'a function'],
    [class {}, 'a function'],
  ])('shows %p as %s', (value, shown) => {
    expect(showValue(value)).toBe(shown)
  })
})

describe('gatherLimits: the times may stand beside limits', () => {
  test('by themselves, in limits, or not at all', () => {
    const limits = gatherLimits(
      { limits: { maxMessageBytes: 5, idleTimeoutMs: 7 }, closeTimeoutMs: 1.5, heartbeatIntervalMs: false },
      SERVER_LIMITS,
    )
    expect(limits).toEqual({
      ...SERVER_LIMITS,
      maxMessageBytes: 5,
      idleTimeoutMs: 7,
      closeTimeoutMs: 1.5,
      heartbeatIntervalMs: Infinity,
    })
    expect(Object.isFrozen(limits)).toBe(true)
    expect(resolveLimits(limits, CLIENT_LIMITS)).toBe(limits)
    // No object for each client that is made.
    expect(gatherLimits({ closeTimeoutMs: undefined }, CLIENT_LIMITS)).toBe(CLIENT_LIMITS)
  })

  test('and the error names a wrong one, and one that is given twice', () => {
    expect(() => gatherLimits({ closeTimeoutMs: -1 }, SERVER_LIMITS)).toThrow(
      new RangeError('closeTimeoutMs must be a number from 0 to Infinity, not -1'),
    )
    expect(() => gatherLimits({ closeTimeoutMs: 1, limits: { closeTimeoutMs: 2 } }, SERVER_LIMITS)).toThrow(
      new TypeError('closeTimeoutMs is given twice: by itself and in limits'),
    )
  })
})

describe('highWaterMarkBytes against maxBufferedOutputBytes', () => {
  test('follows a smaller limit by default, and is refused above the limit', () => {
    expect(resolveLimits({ maxBufferedOutputBytes: 1000 }, SERVER_LIMITS).highWaterMarkBytes).toBe(1000)
    const both = { maxBufferedOutputBytes: 1000, highWaterMarkBytes: 1001 }
    expect(() => resolveLimits(both, SERVER_LIMITS)).toThrow(
      new RangeError(
        'limits.highWaterMarkBytes must be at most limits.maxBufferedOutputBytes, 1000, not 1001',
      ),
    )
    expect(resolveLimits({ ...both, highWaterMarkBytes: false }, SERVER_LIMITS).highWaterMarkBytes).toBe(
      Infinity,
    )
    expect(resolveLimits({ ...both, highWaterMarkBytes: 1000 }, SERVER_LIMITS)).toMatchObject({
      highWaterMarkBytes: 1000,
    })
  })
})
