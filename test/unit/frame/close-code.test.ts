import { ProtocolError } from '../../../src/errors.js'
import {
  checkCloseArguments,
  checkFailArguments,
  CloseCode,
  decodeClosePayload,
  encodeClosePayload,
  encodeCloseReason,
  isValidCloseCode,
} from '../../../src/frame/close-code.js'
import { hex } from '../../helpers/frame-builder.js'

/** RFC 6455 7.4 and the IANA registry, as ranges. */
const VALID = [
  [1000, 1003],
  [1007, 1014],
  [3000, 4999],
] as const

const ALL_CODES = Array.from({ length: 65_536 }, (_, code) => code)

function mayBeSent(code: number): boolean {
  return VALID.some(([first, last]) => first <= code && code <= last)
}

describe('RFC 6455 7.4.1: close codes', () => {
  test('CloseCode has the numbers of the registry', () => {
    expect(CloseCode).toEqual({
      NORMAL_CLOSURE: 1000,
      GOING_AWAY: 1001,
      PROTOCOL_ERROR: 1002,
      UNSUPPORTED_DATA: 1003,
      NO_STATUS_RECEIVED: 1005,
      ABNORMAL_CLOSURE: 1006,
      INVALID_FRAME_PAYLOAD_DATA: 1007,
      POLICY_VIOLATION: 1008,
      MESSAGE_TOO_BIG: 1009,
      MANDATORY_EXTENSION: 1010,
      INTERNAL_ERROR: 1011,
      SERVICE_RESTART: 1012,
      TRY_AGAIN_LATER: 1013,
      BAD_GATEWAY: 1014,
      TLS_HANDSHAKE: 1015,
    })
  })

  test('isValidCloseCode accepts exactly the codes that may be sent, of all 16-bit codes', () => {
    expect(ALL_CODES.filter(isValidCloseCode)).toEqual(ALL_CODES.filter(mayBeSent))
  })

  test('isValidCloseCode refuses a value that is not an integer', () => {
    for (const code of [1000.5, 1001.5, 1007.5, 3000.5, NaN, Infinity, -1000]) {
      expect(isValidCloseCode(code)).toBe(false)
    }
    expect(isValidCloseCode('1000' as unknown as number)).toBe(false)
  })
})

describe('RFC 6455 5.5.1: reading the body of a Close frame', () => {
  test('an empty body is reported as 1005', () => {
    expect(decodeClosePayload(hex(''))).toEqual({ code: 1005, reason: '' })
  })

  test('a body of one byte is a violation', () => {
    expect(decodeClosePayload(hex('03'))).toMatchObject({
      code: 'HAWSER_INVALID_CLOSE_PAYLOAD',
      closeCode: 1002,
    })
  })

  test('a code is read with and without a reason', () => {
    expect(decodeClosePayload(hex('03 e8'))).toEqual({ code: 1000, reason: '' })
    expect(decodeClosePayload(hex('03 e9 62 79 65 20 e2 82 ac'))).toEqual({ code: 1001, reason: 'bye €' })
    expect(decodeClosePayload(new Uint8Array(hex('0f a0 f0 9f 98 80')))).toEqual({
      code: 4000,
      reason: '\u{1f600}',
    })
  })

  test('a byte order mark is part of the reason', () => {
    expect(decodeClosePayload(hex('03 e8 ef bb bf 61'))).toEqual({ code: 1000, reason: '\ufeffa' })
  })

  test('a code that must not be sent is a violation that names it, for all 16-bit codes', () => {
    for (const code of ALL_CODES) {
      const read = decodeClosePayload(Uint8Array.of(code >> 8, code & 0xff))
      if (mayBeSent(code)) {
        if (read instanceof ProtocolError || read.code !== code) throw new Error(`refused ${code}`)
      } else if (!(read instanceof ProtocolError) || read.code !== 'HAWSER_INVALID_CLOSE_CODE') {
        throw new Error(`accepted ${code}`)
      }
    }
    expect(decodeClosePayload(hex('03 ed'))).toMatchObject({
      code: 'HAWSER_INVALID_CLOSE_CODE',
      closeCode: 1002,
      message: expect.stringContaining('1005') as string,
    })
  })

  test.each(['03 e8 80', '03 e8 61 c3', '03 e8 ed a0 80', '03 e8 c0 80', '03 e8 f4 90 80 80'])(
    'a reason that is not UTF-8 is a violation: %s',
    (digits) => {
      expect(decodeClosePayload(hex(digits))).toMatchObject({
        code: 'HAWSER_INVALID_UTF8',
        closeCode: 1007,
        message: expect.stringContaining('in the reason of a Close frame') as string,
      })
    },
  )

  test('a wrong code is reported even if the reason is wrong too', () => {
    expect(decodeClosePayload(hex('03 ed ff'))).toMatchObject({ code: 'HAWSER_INVALID_CLOSE_CODE' })
  })
})

describe('checking the arguments of fail', () => {
  test('refuses 1005, because a failure needs a code', () => {
    expect(() => {
      checkFailArguments(1011, 'x')
    }).not.toThrow()
    for (const code of [1005, 1006, 1015, 999]) {
      expect(() => {
        checkFailArguments(code, '')
      }).toThrow(RangeError)
    }
    expect(() => {
      checkFailArguments(1005, '')
    }).toThrow('close code must not be 1005, which means that there is no code: a failure needs one')
    for (const code of ['1011', 1011.5, -1, 65_536]) {
      expect(() => {
        checkFailArguments(code as number, '')
      }).toThrow(`close code must be an integer from 0 to 65535, not ${JSON.stringify(code)}`)
    }
  })
})

describe('RFC 6455 5.5.1: writing the body of a Close frame', () => {
  test('encodes nothing, a code, and a code with a reason', () => {
    expect(encodeClosePayload()).toEqual(hex(''))
    expect(encodeClosePayload(undefined, '')).toEqual(hex(''))
    expect(encodeClosePayload(1000)).toEqual(hex('03 e8'))
    expect(encodeClosePayload(4999, 'bye €')).toEqual(hex('13 87 62 79 65 20 e2 82 ac'))
  })

  test('never writes more than 125 bytes', () => {
    const payload = encodeClosePayload(1011, 'x'.repeat(5000))
    expect(payload.toString('latin1')).toBe(`\u0003\u00f3${'x'.repeat(123)}`)
  })

  test.each(ALL_CODES.filter((code) => code % 997 === 0 || (code > 995 && code < 1020)))(
    'encodes code %i only if it may be sent',
    (code) => {
      if (mayBeSent(code)) expect(encodeClosePayload(code).readUInt16BE(0)).toBe(code)
      else if (code === 1005) expect(encodeClosePayload(code)).toEqual(hex(''))
      else expect(() => encodeClosePayload(code)).toThrow(RangeError)
    },
  )
})

describe('cutting a reason at a code point', () => {
  test.each([
    ['a', 1],
    ['é', 2],
    ['€', 3],
    ['\u{1f600}', 4],
    ['\ud800', 3],
  ])('cuts %j, of %i bytes, at every position across the limit', (character, width) => {
    for (let before = 110; before <= 126; before++) {
      for (const behind of ['', 'z', 'zzzzzzzz', character]) {
        const reason = `${'x'.repeat(before)}${character}${behind}`
        const bytes = encodeCloseReason(reason)
        const whole = Buffer.from(reason)
        expect(bytes.length).toBeLessThanOrEqual(123)
        expect(whole.subarray(0, bytes.length).equals(bytes)).toBe(true)
        // The reason holds whole characters, and one more would not fit.
        expect(new TextDecoder('utf-8', { fatal: true }).decode(bytes)).toHaveLength(bytes.toString().length)
        if (whole.length > 123) expect(bytes.length).toBeGreaterThan(123 - Math.max(width, 1))
        else expect(bytes.length).toBe(whole.length)
      }
    }
  })

  test('writes a lone surrogate as U+FFFD', () => {
    expect(encodeCloseReason('a\ud800b\udc00')).toEqual(hex('61 ef bf bd 62 ef bf bd'))
  })

  test('leaves no half of a surrogate pair that the search window cuts', () => {
    expect(encodeCloseReason(`${'x'.repeat(123)}\u{1f600}`).toString()).toBe('x'.repeat(123))
    expect(encodeCloseReason(`${'x'.repeat(122)}\u{1f600}`).toString()).toBe('x'.repeat(122))
  })
})

describe('checking the arguments of close', () => {
  test.each([
    [undefined, undefined],
    [undefined, ''],
    [1000, undefined],
    [1002, 'why'],
    [1014, ''],
    [4999, 'x'.repeat(1000)],
  ])('accepts %p, %p', (code, reason) => {
    expect(() => checkCloseArguments(code, reason)).not.toThrow()
  })

  test.each([
    ['1000', undefined, TypeError, 'close code must be an integer from 0 to 65535, not "1000"'],
    [null, undefined, TypeError, 'close code must be an integer from 0 to 65535, not null'],
    [1000.5, undefined, RangeError, 'close code must be an integer from 0 to 65535, not 1000.5'],
    [65_536, undefined, RangeError, 'close code must be an integer from 0 to 65535, not 65536'],
    [-1, undefined, RangeError, 'close code must be an integer from 0 to 65535, not -1'],
    [NaN, undefined, RangeError, 'close code must be an integer from 0 to 65535, not NaN'],
    [
      1015,
      undefined,
      RangeError,
      'close code must be 1000 to 1003, 1007 to 1014 or 3000 to 4999 (RFC 6455 7.4), or 1005 for none, not 1015',
    ],
    [1006, undefined, RangeError, 'close code must not be 1006, which means that there was no Close frame'],
    [1006, '', RangeError, 'use terminate(), or another code'],
    [1005, 'bye', TypeError, 'close reason must come with a close code (RFC 6455 5.5.1)'],
    [1000, 5, TypeError, 'close reason must be a string, not 5'],
    [1000, null, TypeError, 'close reason must be a string, not null'],
    [1000, Buffer.from('bye'), TypeError, 'close reason must be a string, not an object'],
    [undefined, 'bye', TypeError, 'close reason must come with a close code (RFC 6455 5.5.1)'],
  ])('throws for %p, %p', (code, reason, type, message) => {
    for (const call of [checkCloseArguments, encodeClosePayload]) {
      const run = (): unknown => call(code as number | undefined, reason as string | undefined)
      expect(run).toThrow(type)
      expect(run).toThrow(message)
    }
  })
})
