import {
  characterTable,
  equalsIgnoringCase,
  isDigitCode,
  isFieldValue,
  isFieldValueCode,
  isHost,
  isOwsCode,
  isToken,
  isTokenCode,
  listHas,
  trimOws,
} from '../../../src/handshake/tokens.js'

const codes = (accepts: (code: number) => boolean): string => {
  let accepted = ''
  for (let code = 0; code < 0x180; code++) if (accepts(code)) accepted += String.fromCharCode(code)
  return accepted
}

describe('RFC 9110 5.6.2: tokens', () => {
  it('isTokenCode accepts exactly the tchars', () => {
    expect(codes(isTokenCode)).toBe(
      "!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~",
    )
  })

  it('isTokenCode refuses the NaN after the end of a string', () => {
    expect(isTokenCode(''.charCodeAt(0))).toBe(false)
  })

  it.each(['a', 'permessage-deflate', '__proto__', '!#$%&'])('isToken accepts %j', (value) => {
    expect(isToken(value)).toBe(true)
  })

  it.each(['', ' ', 'a b', 'a,b', 'a;', '"a"', 'a\r\n', 'é', '\u212a', 'a\0'])(
    'isToken refuses %j',
    (value) => {
      expect(isToken(value)).toBe(false)
    },
  )
})

describe('RFC 9110 5.5: field values', () => {
  it('isDigitCode and isOwsCode accept digits and white space', () => {
    expect(codes(isDigitCode)).toBe('0123456789')
    expect(codes(isOwsCode)).toBe('\t ')
  })

  it('isFieldValueCode accepts HTAB, SP, VCHAR and obs-text, and no control character', () => {
    const accepted = codes(isFieldValueCode)
    expect(accepted).toHaveLength(1 + 95 + 128)
    expect(accepted[0]).toBe('\t')
    expect(accepted[1]).toBe(' ')
    expect(accepted[95]).toBe('~')
    expect(accepted[96]).toBe('\x80')
    expect(accepted[accepted.length - 1]).toBe('\xff')
  })

  it.each(['', 'a b', 'é', '\ta'])('isFieldValue accepts %j', (value) => {
    expect(isFieldValue(value)).toBe(true)
  })

  it.each(['\r', 'a\nb', '\0', '\x7f', 'Ā', '😀'])('isFieldValue refuses %j', (value) => {
    expect(isFieldValue(value)).toBe(false)
  })

  it.each([
    ['', ''],
    [' \t ', ''],
    ['a', 'a'],
    [' \ta b\t ', 'a b'],
    ['\u00a0a', '\u00a0a'],
  ])('trimOws trims %j to %j', (value, trimmed) => {
    expect(trimOws(value)).toBe(trimmed)
  })
})

describe('comparison without case', () => {
  it.each(['websocket', 'WebSocket', 'WEBSOCKET'])('equalsIgnoringCase accepts %s', (value) => {
    expect(equalsIgnoringCase(value, 'websocket')).toBe(true)
  })

  it.each(['', 'websocke', 'websockets', 'websoc\u212aet', 'webs\x0fcket', 'wwbsocket'])(
    'equalsIgnoringCase refuses %j',
    (value) => {
      expect(equalsIgnoringCase(value, 'websocket')).toBe(false)
    },
  )

  it('equalsIgnoringCase folds only letters', () => {
    expect(equalsIgnoringCase('AZ', 'az')).toBe(true)
    expect(equalsIgnoringCase('@[', '`{')).toBe(false)
  })
})

describe('RFC 9110 5.6.1: comma lists', () => {
  it.each(['upgrade', 'Upgrade', 'keep-alive, Upgrade', 'a ,\tUPGRADE\t, b', ',,upgrade,,'])(
    'listHas finds the member in %j',
    (list) => {
      expect(listHas(list, 'upgrade')).toBe(true)
    },
  )

  it.each(['', ',', 'keep-alive', 'upgrade-insecure', 'up grade', 'upgrade;q=1', '"upgrade"'])(
    'listHas does not find the member in %j',
    (list) => {
      expect(listHas(list, 'upgrade')).toBe(false)
    },
  )
})

describe('RFC 9110 7.2: Host', () => {
  it.each([
    'localhost',
    'example.com',
    'example.com:8080',
    'example.com:',
    '127.0.0.1:80',
    '[::1]',
    '[::]',
    '[2001:DB8::1]:443',
    'a%20b',
    'x_y.example',
  ])('isHost accepts %s', (value) => {
    expect(isHost(value)).toBe(true)
  })

  it.each([
    '',
    ':80',
    ' localhost',
    'localhost ',
    'a b',
    'a, b',
    'user@host',
    'host/path',
    'host?x',
    'host#x',
    'host:8o',
    'host:80:80',
    '[]',
    '[:]',
    '[::1',
    '[::x',
    '[::1]x',
    '[::g]',
    '[::1]:x',
    '::1',
    'exämple',
    'a\r\nb',
  ])('isHost refuses %j', (value) => {
    expect(isHost(value)).toBe(false)
  })
})

describe('characterTable', () => {
  it('has 1 for the given characters and 0 for the other ASCII ones', () => {
    const table = characterTable('ab')
    expect(table).toHaveLength(128)
    expect([table[0x60], table[0x61], table[0x62], table[0x63], table[0xe9]]).toEqual([0, 1, 1, 0, undefined])
  })
})
