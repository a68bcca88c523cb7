import { resolveDeflateOptions } from '../../../src/deflate/options.js'
import type { PerMessageDeflateOptions } from '../../../src/deflate/options.js'

const resolve = (value: unknown, role: 'client' | 'server' = 'server') =>
  resolveDeflateOptions(value as PerMessageDeflateOptions, role)

describe('the options of permessage-deflate (RFC 7692 section 7.1)', () => {
  test('are on by default, and demand nothing of the other end', () => {
    expect(resolve(undefined)).toEqual({
      role: 'server',
      serverNoContextTakeover: false,
      clientNoContextTakeover: false,
      serverMaxWindowBits: 15,
      clientMaxWindowBits: 15,
      thresholdBytes: 1024,
      contextThresholdBytes: 64,
      level: 2,
      memLevel: 8,
      asyncThresholdBytes: 65_536,
      maxSharedContextBytes: 16_777_216,
      maxSharedInflaterBytes: 16_777_216,
      maxInflateHistoryBytes: 67_108_864,
      strictNegotiation: false,
    })
    expect(resolve(undefined, 'client')).toEqual({ ...resolve(undefined), role: 'client' })
    expect(resolve(true)).toEqual(resolve(undefined))
    expect(resolve({})).toEqual(resolve(undefined))
  })

  test('false turns the extension off', () => {
    expect(resolve(false)).toBeNull()
  })

  test('every option can be given, and undefined means the default', () => {
    const all = {
      serverNoContextTakeover: true,
      clientNoContextTakeover: false,
      serverMaxWindowBits: 9,
      clientMaxWindowBits: 10,
      level: -1,
      memLevel: 1,
      asyncThresholdBytes: Infinity,
      maxSharedContextBytes: 0,
    }
    expect(resolve(all)).toMatchObject(all)
    expect(resolve({ clientMaxWindowBits: false })).toMatchObject({ clientMaxWindowBits: false })
    expect(resolve(Object.fromEntries(Object.keys(all).map((name) => [name, undefined])))).toEqual(
      resolve({}),
    )
  })

  test('a threshold given holds with a context and without', () => {
    expect(resolve({ thresholdBytes: 0 })).toMatchObject({ thresholdBytes: 0, contextThresholdBytes: 0 })
    expect(resolve({ thresholdBytes: 4096 })).toMatchObject({
      thresholdBytes: 4096,
      contextThresholdBytes: 4096,
    })
  })

  test('the result cannot be changed', () => {
    expect(Object.isFrozen(resolve({}))).toBe(true)
  })

  test.each([
    [
      { serverMaxWindowBits: 7 },
      RangeError,
      'perMessageDeflate.serverMaxWindowBits must be an integer from 8 to 15, not 7',
    ],
    [
      { serverMaxWindowBits: 16 },
      RangeError,
      'perMessageDeflate.serverMaxWindowBits must be an integer from 8 to 15, not 16',
    ],
    [
      { serverMaxWindowBits: false },
      TypeError,
      'perMessageDeflate.serverMaxWindowBits must be an integer from 8 to 15, not false',
    ],
    [
      { clientMaxWindowBits: 8.5 },
      RangeError,
      'perMessageDeflate.clientMaxWindowBits must be an integer from 8 to 15, not 8.5',
    ],
    [
      { clientMaxWindowBits: true },
      TypeError,
      'perMessageDeflate.clientMaxWindowBits must be an integer from 8 to 15, not true',
    ],
    [
      { clientMaxWindowBits: '10' },
      TypeError,
      'perMessageDeflate.clientMaxWindowBits must be an integer from 8 to 15, not "10"',
    ],
    [{ level: -2 }, RangeError, 'perMessageDeflate.level must be an integer from -1 to 9, not -2'],
    [{ level: 10 }, RangeError, 'perMessageDeflate.level must be an integer from -1 to 9, not 10'],
    [{ memLevel: 0 }, RangeError, 'perMessageDeflate.memLevel must be an integer from 1 to 9, not 0'],
    [{ memLevel: 10 }, RangeError, 'perMessageDeflate.memLevel must be an integer from 1 to 9, not 10'],
    [{ memLevel: 1.5 }, RangeError, 'perMessageDeflate.memLevel must be an integer from 1 to 9, not 1.5'],
    [{ level: 1.5 }, RangeError, 'perMessageDeflate.level must be an integer from -1 to 9, not 1.5'],
    [
      { maxSharedInflaterBytes: -1 },
      RangeError,
      'perMessageDeflate.maxSharedInflaterBytes must be an integer from 0 to Infinity, not -1',
    ],
    [
      { maxInflateHistoryBytes: -1 },
      RangeError,
      'perMessageDeflate.maxInflateHistoryBytes must be an integer from 0 to Infinity, not -1',
    ],
    [{ strictNegotiation: 1 }, TypeError, 'perMessageDeflate.strictNegotiation must be true or false, not 1'],
    [{ zlibDeflateOptions: {} }, TypeError, 'use level and memLevel'],
    [{ zlibInflateOptions: {} }, TypeError, 'limits.maxMessageBytes bounds it'],
    [
      { thresholdBytes: -1 },
      RangeError,
      'perMessageDeflate.thresholdBytes must be an integer from 0 to Infinity, not -1',
    ],
    [
      { thresholdBytes: NaN },
      RangeError,
      'perMessageDeflate.thresholdBytes must be an integer from 0 to Infinity, not NaN',
    ],
    [
      { asyncThresholdBytes: '1' },
      TypeError,
      'perMessageDeflate.asyncThresholdBytes must be an integer from 0 to Infinity, not "1"',
    ],
    [
      { maxSharedContextBytes: 1.5 },
      RangeError,
      'perMessageDeflate.maxSharedContextBytes must be an integer from 0 to Infinity, not 1.5',
    ],
    [
      { serverNoContextTakeover: 1 },
      TypeError,
      'perMessageDeflate.serverNoContextTakeover must be true or false, not 1',
    ],
    [
      { clientNoContextTakeover: 'yes' },
      TypeError,
      'perMessageDeflate.clientNoContextTakeover must be true or false, not "yes"',
    ],
    [{ threshold: 1 }, TypeError, 'perMessageDeflate has no option "threshold"'],
    [{ constructor: 1 }, TypeError, 'perMessageDeflate has no option "constructor"'],
    [null, TypeError, 'perMessageDeflate must be true, false or an object, not null'],
    [15, TypeError, 'perMessageDeflate must be true, false or an object, not 15'],
    ['on', TypeError, 'perMessageDeflate must be true, false or an object, not "on"'],
  ])('%j throws with name, value and range', (value, error, message) => {
    expect(() => resolve(value)).toThrow(error)
    expect(() => resolve(value)).toThrow(message)
  })
})
