/** What is misspelled among the options of the handshake is refused, with the name of the options that it is not among. */
import { formatUpgradeRequest } from '../../../src/handshake/client-handshake.js'
import { HeaderFields } from '../../../src/handshake/header-fields.js'
import { HeadScanner } from '../../../src/handshake/http1.js'
import { createKey } from '../../../src/handshake/key.js'
import { formatRejection, formatUpgradeResponse } from '../../../src/handshake/server-handshake.js'

const REQUEST = {
  key: 'dGhlIHNhbXBsZSBub25jZQ==',
  protocols: [],
  extensions: [],
  origin: undefined,
  target: '/',
  path: '/',
  search: '',
  host: 'a',
  headers: HeaderFields.fromRawHeaders([]),
}

describe('an unknown option', () => {
  test.each<[string, (options: object) => unknown]>([
    [
      'UpgradeRequestOptions',
      (options): unknown => formatUpgradeRequest({ target: '/', host: 'a', key: createKey(), ...options }),
    ],
    ['UpgradeChoice', (options): unknown => formatUpgradeResponse(REQUEST, options)],
    ['RejectionOptions', (options): unknown => formatRejection(404, options)],
    ['HeadScannerOptions', (options): unknown => new HeadScanner('request', options)],
  ])('of %s is refused', (name, call) => {
    expect(() => call({})).not.toThrow()
    expect(() => call({ misspelled: 1 })).toThrow(TypeError)
    expect(() => call({ misspelled: 1 })).toThrow(name)
    expect(() => call({ misspelled: 1 })).toThrow('misspelled')
  })
})
