import fc from 'fast-check'
import type { FrameReport, WireReport } from '../../../../demo/frame-tap.js'
import { explainHandshake, withoutSecrets } from '../../../../demo/connect/failures.js'
import { frameLines } from '../../../../demo/connect/frame-lines.js'
import { HandshakeError } from '../../../../src/index.js'
import { hexdump } from '../../../../demo/connect/hexdump.js'
import { layOutJson } from '../../../../demo/connect/json-layout.js'
import { printable } from '../../../../demo/connect/printable.js'
import { PLAIN, styleFor, type Style } from '../../../../demo/connect/style.js'

const marks: Style = {
  dim: (text) => `d<${text}>`,
  red: (text) => `r<${text}>`,
  green: (text) => `g<${text}>`,
  yellow: (text) => `y<${text}>`,
  cyan: (text) => `c<${text}>`,
}

describe('JSON laid out', () => {
  test.each([
    ['{}', '{}'],
    ['[ ]', '[]'],
    ['{"a":1,"b":[true,null,"x"]}', '{ "a": 1, "b": [true, null, "x"] }'],
    ['{"a":{}}', '{ "a": {} }'],
    ['{"a":1,"a":2}', '{ "a": 1, "a": 2 }'],
    ['[12345678901234567890, 1.0, 1E5]', '[12345678901234567890, 1.0, 1E5]'],
    [String.raw`["a\\","b\"]","{"]`, String.raw`["a\\", "b\"]", "{"]`],
  ])('%s stays on one line as %s', (text, expected) => {
    expect(layOutJson(text, PLAIN)).toBe(expected)
  })

  test('is indented if it is longer than a line', () => {
    const long = 'x'.repeat(70)
    expect(layOutJson(`{"a":[1,{}],"b":"${long}"}`, PLAIN)).toBe(
      ['{', '  "a": [', '    1,', '    {}', '  ],', `  "b": "${long}"`, '}'].join('\n'),
    )
  })

  test.each(['', 'hello', '"text"', '12', 'null', '{"a":}', '[1,]', '{} {}'])(
    '%j is left as it is',
    (text) => {
      expect(layOutJson(text, PLAIN)).toBeNull()
    },
  )

  test('has a colour for keys, for strings and for everything else', () => {
    expect(layOutJson('{"a" : "b","c":[1,null]}', marks)).toBe('{ c<"a">: g<"b">, c<"c">: [y<1>, y<null>] }')
  })

  test('keeps every value', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        const laidOut = layOutJson(text, PLAIN)
        const isLaidOut = /^\s*[[{]/.test(text)
        expect(laidOut === null ? null : JSON.stringify(JSON.parse(laidOut))).toBe(
          isLaidOut ? JSON.stringify(JSON.parse(text)) : null,
        )
      }),
    )
  })

  test('costs no more than in proportion, however deep or long it is', () => {
    const depth = 20_000
    expect(layOutJson('['.repeat(depth) + ']'.repeat(depth), PLAIN)?.length).toBeLessThan(60 * 2 * depth)
    const text = JSON.stringify({ long: '\\"'.repeat(1_000_000) })
    expect(JSON.parse(layOutJson(text, PLAIN) ?? '')).toEqual(JSON.parse(text))
  })
})

describe('text of a peer on a terminal', () => {
  test.each([
    ['plain text, é, 漢字, 👍', 'plain text, é, 漢字, 👍'],
    ['two\nlines\tand a tab', 'two\nlines\tand a tab'],
    ['\x1b[2J\x07', '\\u001b[2J\\u0007'],
    ['\x1b]52;c;aGk=\x1b\\', '\\u001b]52;c;aGk=\\u001b\\'],
    ['over\rwritten', 'over\\u000dwritten'],
    ['\x7f\x85\x9b31m', '\\u007f\\u0085\\u009b31m'],
    ['\u202egnp.exe\u2066', '\\u202egnp.exe\\u2066'],
  ])('%j is shown as %j', (text, expected) => {
    expect(printable(text)).toBe(expected)
  })
})

describe('bytes as a hexdump', () => {
  test('are rows of 16 with their offset and their ASCII characters', () => {
    const bytes = Buffer.from([...Buffer.from('Hello, world'), 0, 0x7f, 0x80, 0xff, 0x41])
    expect(hexdump(bytes)).toEqual([
      '00000000  48 65 6c 6c 6f 2c 20 77  6f 72 6c 64 00 7f 80 ff  |Hello, world....|',
      '00000010  41                                                |A|',
    ])
  })

  test('are no rows where there are none', () => {
    expect(hexdump(new Uint8Array())).toEqual([])
  })
})

describe('a frame in words', () => {
  const report: FrameReport = {
    kind: 'frame',
    from: 'client',
    at: 0,
    opcode: 'TEXT',
    fin: true,
    rsv1: false,
    maskingKey: '37fa213d',
    headerLength: 6,
    payloadLength: 5,
    bytes: '48656c6c6f',
  }
  const hello = '  00000000  48 65 6c 6c 6f                                    |Hello|'

  test.each<readonly [string, WireReport, readonly string[]]>([
    ['sent', report, ['sent TEXT, 5 bytes, masked with 37fa213d', hello]],
    ['received', { ...report, from: 'server', maskingKey: null }, ['received TEXT, 5 bytes', hello]],
    [
      'of a message in several, compressed',
      { ...report, fin: false, rsv1: true, payloadLength: 1, bytes: '41' },
      [
        'sent TEXT, not the last of its message, compressed, 1 byte, masked with 37fa213d',
        '  00000000  41                                                |A|',
      ],
    ],
    [
      'longer than what is shown',
      { ...report, payloadLength: 70_000 },
      ['sent TEXT, 70000 bytes, masked with 37fa213d', hello, '  the first 5 bytes'],
    ],
    [
      'that closes without a code',
      { ...report, opcode: 'CLOSE', payloadLength: 0, bytes: '', close: { code: 1005, reason: '' } },
      ['sent CLOSE, 0 bytes, masked with 37fa213d, no code'],
    ],
    [
      'that closes with a reason',
      {
        ...report,
        opcode: 'CLOSE',
        payloadLength: 5,
        bytes: '03e8627965',
        close: { code: 1000, reason: 'bye' },
      },
      [
        'sent CLOSE, 5 bytes, masked with 37fa213d, code 1000 "bye"',
        '  00000000  03 e8 62 79 65                                    |..bye|',
      ],
    ],
    [
      'that is none',
      { kind: 'violation', from: 'server', at: 0, code: 'HAWSER_RESERVED_BITS', message: 'RSV2 is set' },
      ['received what is no frame: RSV2 is set (HAWSER_RESERVED_BITS)'],
    ],
  ])('%s', (_name, given, expected) => {
    expect(frameLines(given)).toEqual(expected)
  })
})

describe('colours', () => {
  const terminal = { isTTY: true, hasColors: () => true }
  const isColoured = (...given: Parameters<typeof styleFor>): boolean => styleFor(...given).red('x') !== 'x'

  test('are there on a terminal that has them', () => {
    expect(styleFor(terminal, {}).red('x')).toBe('\x1b[31mx\x1b[39m')
    expect(isColoured(terminal, { NO_COLOR: '' })).toBe(true)
  })

  test('are off without a terminal, with NO_COLOR, and where Node says that there are none', () => {
    expect(isColoured({}, {})).toBe(false)
    expect(isColoured({ isTTY: false, hasColors: () => true }, {})).toBe(false)
    expect(isColoured(terminal, { NO_COLOR: '0' })).toBe(false)
    const isDumb = (env: object): boolean => !('TERM' in env)
    expect(isColoured({ isTTY: true, hasColors: isDumb }, { TERM: 'dumb' })).toBe(false)
  })
})

test('every character that turns the direction of text, or controls a terminal, is escaped', () => {
  const all = Array.from({ length: 0x3000 }, (_, code) => String.fromCharCode(code))
  const unsafe = all.filter(
    (one) => /[\p{Bidi_Control}\p{Cc}\p{Zl}\p{Zp}]/u.test(one) && !'\t\n'.includes(one),
  )
  expect(unsafe.length).toBe(12 + 65 - 2 + 2)
  for (const one of unsafe) expect(printable(one)).toMatch(/^\\u[\da-f]{4}$/)
})

describe('URLs that the command prints', () => {
  test.each([
    ['wss://ada:secret@host/chat?token=secret#secret', 'wss://***@host/chat?***'],
    ['//ada@host/@room', '//***@host/@room'],
    ['/chat?token=secret', '/chat?***'],
    ['/chat#secret', '/chat#***'],
    ['http://host:81/@room', 'http://host:81/@room'],
  ])('%s is shown without secrets', (url, shown) => {
    expect(withoutSecrets(url)).toBe(shown)
  })

  test('the Location of a refusal has no secrets, other headers stay', () => {
    const response = {
      status: 302,
      statusText: 'Found',
      headers: [
        ['Location', 'https://host/login?token=secret'],
        ['WWW-Authenticate', 'Basic realm="a?b"'],
      ],
      body: new Uint8Array(0),
    } as const
    const error = new HandshakeError('HAWSER_UNEXPECTED_STATUS', { response })
    expect(explainHandshake(error)?.message).toBe(
      'the server refused the connection: HTTP 302 Found\nLocation: https://host/login?***\nWWW-Authenticate: Basic realm="a?b"',
    )
  })
})
