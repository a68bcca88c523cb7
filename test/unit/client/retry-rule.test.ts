import { HANDSHAKE_ERRORS } from '../../../src/error-codes.js'
import { HandshakeError, type HandshakeErrorCode } from '../../../src/errors.js'
import type { CloseInfo } from '../../../src/connection/events.js'
import { hintOf, isRetriedByDefault, retryAfterOf } from '../../../src/client/retry-rule.js'

const closeWith = (code: number): { close: CloseInfo } => ({
  close: { code, reason: '', wasClean: true, initiator: 'remote', droppedMessages: 0, unsentBytes: 0 },
})

const response = (status: number, headers: readonly (readonly [string, string])[] = []): HandshakeError =>
  new HandshakeError('HAWSER_UNEXPECTED_STATUS', {
    response: { status, statusText: '', headers, body: new Uint8Array() },
  })

describe('the default rule', () => {
  it('connects again after 1001, 1006 and 1011 to 1014, and after no other code', () => {
    const codes = Array.from({ length: 5_000 }, (_, code) => code)
    const again = codes.filter((code) => isRetriedByDefault(closeWith(code)))
    expect(again).toEqual([1001, 1006, 1011, 1012, 1013, 1014])
  })

  it('connects again after 408, 429 and 5xx, and after no other status that is not 101', () => {
    const statuses = Array.from({ length: 500 }, (_, index) => 100 + index).filter((status) => status !== 101)
    const again = statuses.filter((status) => isRetriedByDefault({ error: response(status) }))
    expect(again).toEqual([408, 429, ...Array.from({ length: 100 }, (_, index) => 500 + index)])
  })

  it('connects again where there was no answer, or one that is not a handshake', () => {
    const made = (code: HandshakeErrorCode): boolean =>
      isRetriedByDefault({ error: new HandshakeError(code, { httpStatus: null }) })
    const ofClients = (Object.keys(HANDSHAKE_ERRORS) as HandshakeErrorCode[]).filter(
      (code) => HANDSHAKE_ERRORS[code].httpStatus === undefined || code === 'HAWSER_HANDSHAKE_TIMEOUT',
    )
    expect(ofClients.filter((code) => !made(code))).toEqual([
      'HAWSER_UNEXPECTED_PROTOCOL',
      'HAWSER_UNEXPECTED_EXTENSION',
    ])
  })

  it("tells a failure of the caller's function from a mistake of the caller", () => {
    expect(isRetriedByDefault({ error: new Error('no token today') })).toBe(true)
    // As the fetch of Node reports a lost network.
    expect(isRetriedByDefault({ error: new TypeError('fetch failed', { cause: new Error('reset') }) })).toBe(
      true,
    )
    for (const error of [new TypeError('headers'), new SyntaxError('url'), new RangeError('port')]) {
      expect(isRetriedByDefault({ error })).toBe(false)
    }
  })
})

describe('hintOf', () => {
  it('finds the hint in the reason of a close, and nothing where there is none', () => {
    const { close } = closeWith(1012)
    expect(hintOf({ close: { ...close, reason: 'new version; retry-after-ms=1500' } })).toBe(1_500)
    expect(hintOf({ close })).toBeUndefined()
    expect(hintOf({ error: new Error('retry-after-ms=1500') })).toBeUndefined()
  })
})

describe('retryAfterOf', () => {
  it('finds the header in any case of letters, and nothing where there is none', () => {
    expect(retryAfterOf({ error: response(503, [['retry-AFTER', '7']]) })).toBe('7')
    expect(retryAfterOf({ error: response(503) })).toBeUndefined()
    expect(retryAfterOf({ error: new Error('no response') })).toBeUndefined()
    expect(retryAfterOf(closeWith(1001))).toBeUndefined()
  })
})
