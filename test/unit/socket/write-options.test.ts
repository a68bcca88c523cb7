/** The options of `write`: those of the wait, and those of the message. */
import { readWriteOptions, type WriteOptions } from '../../../src/socket/write-options.js'

describe('readWriteOptions', () => {
  it('has none of the message where the caller gave none', () => {
    const none = { waiting: { signal: undefined, timeoutMs: undefined }, sending: undefined }
    expect(readWriteOptions(undefined)).toEqual(none)
    expect(readWriteOptions({})).toEqual(none)
    const { signal } = new AbortController()
    expect(readWriteOptions({ signal, timeoutMs: 5 })).toEqual({
      waiting: { signal, timeoutMs: 5 },
      sending: undefined,
    })
  })

  it.each<[WriteOptions, object]>([
    [{ compress: false }, { compress: false, copy: false }],
    [{ compress: true }, { compress: true, copy: false }],
    [{ copy: true }, { compress: true, copy: true }],
    [{ copy: false }, { compress: true, copy: false }],
    [
      { compress: false, copy: true },
      { compress: false, copy: true },
    ],
  ])('fills in the other option of the message: %j', (options, sending) => {
    expect(readWriteOptions(options).sending).toEqual(sending)
  })

  it.each<[unknown, string]>([
    [5, 'options must be an object, not 5'],
    [
      () => undefined,
      'options must be an object, not a function: there is no callback; the call returns a promise',
    ],
    [
      { binary: true },
      'options has no option "binary"; there are signal, timeoutMs, compress, copy; a string is sent as text, and bytes as a binary message',
    ],
    [{ compress: 1 }, 'compress must be true or false, not 1'],
    [{ copy: 'no' }, 'copy must be true or false, not "no"'],
    [{ signal: {} }, 'signal must be an AbortSignal, not an object'],
    [{ timeoutMs: '5' }, 'timeoutMs must be a number from 0 to Infinity, not "5"'],
  ])('refuses %p', (options, message) => {
    expect(() => readWriteOptions(options as WriteOptions)).toThrow(new TypeError(message))
  })
})
