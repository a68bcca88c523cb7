import type { MessageReceived } from '../../../src/connection/events.js'
import { Receiver, type ControlFrame } from '../../../src/connection/receiver.js'
import { ProtocolError } from '../../../src/errors.js'
import { resolveLimits, SERVER_LIMITS, type LimitOptions } from '../../../src/limits.js'
import { ControlledCodec, encodeRuns } from '../../helpers/controlled-codec.js'
import { fragments, frame, frames, hex, KEY, OP } from '../../helpers/frame-builder.js'

interface Setup {
  readonly role?: 'client' | 'server'
  readonly limits?: LimitOptions
  readonly codec?: ControlledCodec | null
  readonly wake?: () => void
}

function make({ role = 'client', limits = {}, codec = null, wake = () => undefined }: Setup = {}): Receiver {
  return new Receiver(role, resolveLimits(limits, SERVER_LIMITS), codec, { wake })
}

function show(one: MessageReceived | ControlFrame | ProtocolError): string {
  if (one instanceof ProtocolError) return `${one.code} (${one.message})`
  if (one.type === 'control') return `${one.opcode} ${one.payload.toString()}`
  return typeof one.data === 'string' ? `text ${one.data}` : `binary ${one.data.toString()}`
}

function pull(receiver: Receiver): string[] {
  const found: string[] = []
  for (let one = receiver.next(); one !== null; one = receiver.next()) {
    found.push(show(one))
    if (one instanceof ProtocolError) break
  }
  return found
}

/** The results for some bytes in one chunk, which must be the same byte by byte. */
function receive(bytes: Uint8Array, setup: () => Setup = () => ({})): string[] {
  const whole = make(setup())
  whole.push(Buffer.from(bytes))
  const found = pull(whole)
  const split = make(setup())
  const byByte: string[] = []
  for (const byte of bytes) {
    split.push(Buffer.from([byte]))
    byByte.push(...pull(split))
    if (byByte.at(-1)?.startsWith('HAWSER') === true) break
  }
  expect(byByte).toEqual(found)
  return found.map((line) => line.replace(/ \(.*\)$/, ''))
}

const compressed = (opcode: number, text: string, number = 0): Buffer =>
  frame({ opcode, rsv1: true, payload: encodeRuns(text, number) })

describe('RFC 6455 6.2: messages of one frame', () => {
  test('text and binary messages are received, empty, ASCII and beyond ASCII', () => {
    const bytes = frames(
      { opcode: OP.TEXT },
      { opcode: OP.TEXT, payload: 'Hello' },
      { opcode: OP.TEXT, payload: 'a\u20ac\u{1f4a9}\ufffd\ufeff' },
      { opcode: OP.BINARY },
      { opcode: OP.BINARY, payload: 'bytes' },
    )
    expect(receive(bytes)).toEqual([
      'text ',
      'text Hello',
      'text a\u20ac\u{1f4a9}\ufffd\ufeff',
      'binary ',
      'binary bytes',
    ])
  })

  test('a server receives masked messages', () => {
    const bytes = frames(
      { opcode: OP.TEXT, payload: 'Hello', key: KEY },
      { opcode: OP.TEXT, payload: '\u20ac', key: KEY },
      { opcode: OP.BINARY, payload: 'bytes', key: KEY },
      { opcode: OP.PING, payload: 'ping', key: KEY },
    )
    expect(receive(bytes, () => ({ role: 'server' }))).toEqual([
      'text Hello',
      'text \u20ac',
      'binary bytes',
      '9 ping',
    ])
  })

  test('a binary message is a view of the chunk if it lies whole in it, else it has memory of its own', () => {
    const receiver = make()
    const chunk = frame({ opcode: OP.BINARY, payload: 'bytes' })
    receiver.push(chunk)
    const view = (receiver.next() as MessageReceived).data
    // Small Buffers share their memory: only a change shows a view.
    chunk.fill('!')
    expect(view.toString()).toBe('!!!!!')
    const again = frame({ opcode: OP.BINARY, payload: 'bytes' })
    receiver.push(again.subarray(0, 4))
    expect(receiver.next()).toBeNull()
    receiver.push(again.subarray(4))
    const { data } = receiver.next() as MessageReceived
    again.fill(0)
    expect(data.toString()).toBe('bytes')
  })
})

describe('RFC 6455 5.4: fragments', () => {
  test('fragments are joined, with control frames between them', () => {
    const bytes = Buffer.concat([
      frame({ opcode: OP.TEXT, fin: false, payload: 'a\u20ac'.slice(0, 1) }),
      frame({ opcode: OP.PING, payload: '1' }),
      frame({ opcode: OP.CONTINUATION, fin: false }),
      frame({ opcode: OP.PONG, payload: '2' }),
      frame({ opcode: OP.CONTINUATION, payload: 'b' }),
      fragments(OP.BINARY, ['x', '', 'y', 'z']),
      fragments(OP.TEXT, [[0xe2], [0x82], [0xac]]),
      frame({ opcode: OP.TEXT, payload: 'whole' }),
    ])
    expect(receive(bytes)).toEqual(['9 1', '10 2', 'text ab', 'binary xyz', 'text \u20ac', 'text whole'])
  })

  test('a control frame may arrive in parts inside a message in parts', () => {
    const payload = 'p'.repeat(125)
    const bytes = Buffer.concat([
      frame({ opcode: OP.BINARY, fin: false, payload: 'first', key: KEY }),
      frame({ opcode: OP.PING, payload, key: KEY }),
      frame({ opcode: OP.PONG, key: KEY }),
      frame({ opcode: OP.CONTINUATION, payload: 'last', key: KEY }),
    ])
    expect(receive(bytes, () => ({ role: 'server' }))).toEqual([`9 ${payload}`, '10 ', 'binary firstlast'])
  })

  test('two control frames that arrive in parts do not share memory', () => {
    const receiver = make()
    const found: ControlFrame[] = []
    for (const byte of frames({ opcode: OP.PING, payload: 'one' }, { opcode: OP.PING, payload: 'two' })) {
      receiver.push(Buffer.from([byte]))
      const one = receiver.next()
      if (one !== null) found.push(one as ControlFrame)
    }
    expect(found.map((one) => one.payload.toString())).toEqual(['one', 'two'])
  })
})

describe('RFC 6455 8.1: text that is not UTF-8', () => {
  test.each([
    ['in one frame', frame({ opcode: OP.TEXT, payload: [0x61, 0xff] })],
    ['a surrogate', frame({ opcode: OP.TEXT, payload: [0xed, 0xa0, 0x80] })],
    ['that ends inside a character', frame({ opcode: OP.TEXT, payload: [0xe2, 0x82] })],
    ['over fragments', fragments(OP.TEXT, [[0xe2], [0x61]])],
    ['that ends inside a character, over fragments', fragments(OP.TEXT, [[0x61], [0xe2, 0x82]])],
  ])('%s', (_, bytes) => {
    expect(receive(Buffer.concat([frame({ opcode: OP.TEXT, payload: 'ok' }), bytes]))).toEqual([
      'text ok',
      'HAWSER_INVALID_UTF8',
    ])
  })

  test('invalid UTF-8 is reported at its first bad byte, before the frame is complete', () => {
    const receiver = make()
    receiver.push(frame({ opcode: OP.TEXT, payload: [0x61, 0xff, 0x61, 0x61] }).subarray(0, 4))
    expect(pull(receiver)).toEqual(['HAWSER_INVALID_UTF8 (text that is not valid UTF-8)'])
  })
})

describe('RFC 7692 6.2: compressed messages', () => {
  test('RSV1 without the extension is a violation', () => {
    expect(receive(compressed(OP.TEXT, 'aaaa'))).toEqual(['HAWSER_RESERVED_BITS'])
  })

  test('compressed messages arrive in one frame, in fragments and among others', () => {
    const bytes = Buffer.concat([
      compressed(OP.TEXT, 'aaaa', 0),
      frame({ opcode: OP.TEXT, payload: 'plain' }),
      fragments(
        OP.TEXT,
        [...encodeRuns('bbb\u20ac', 1)].map((byte) => [byte]),
        { rsv1: true },
      ),
      compressed(OP.BINARY, 'cccc', 2),
      fragments(OP.BINARY, [encodeRuns('dddd', 3), ''], { rsv1: true }),
      fragments(OP.BINARY, ['pl', 'ain']),
      compressed(OP.TEXT, '', 4),
    ])
    expect(receive(bytes, () => ({ codec: new ControlledCodec() }))).toEqual([
      'text aaaa',
      'text plain',
      'text bbb\u20ac',
      'binary cccc',
      'binary dddd',
      'binary plain',
      'text ',
    ])
  })

  test('a message that does not inflate, is not UTF-8 or is too big is a violation', () => {
    const setup = (): Setup => ({ codec: new ControlledCodec(), limits: { maxMessageBytes: 100 } })
    expect(receive(frame({ opcode: OP.TEXT, rsv1: true, payload: 'even' }), setup)).toEqual([
      'HAWSER_INVALID_DEFLATE',
    ])
    const bad = frame({ opcode: OP.TEXT, rsv1: true, payload: [0, 1, 0xff] })
    expect(receive(bad, setup)).toEqual(['HAWSER_INVALID_UTF8'])
    expect(receive(compressed(OP.TEXT, 'x'.repeat(101)), setup)).toEqual(['HAWSER_MESSAGE_TOO_BIG'])
    expect(receive(compressed(OP.TEXT, 'x'.repeat(100)), setup)).toEqual([`text ${'x'.repeat(100)}`])
  })

  test('bytes that a codec may reuse are copied before they are emitted', () => {
    const receiver = make({ codec: new ControlledCodec() })
    receiver.push(Buffer.concat([compressed(OP.BINARY, 'aaaa', 0), compressed(OP.BINARY, 'bbbb', 1)]))
    const first = receiver.next() as MessageReceived
    const second = receiver.next() as MessageReceived
    expect([first, second].map((one) => one.data.toString())).toEqual(['aaaa', 'bbbb'])
  })
})

describe('a message that is inflated on the thread pool', () => {
  const setup = (): { codec: ControlledCodec; receiver: Receiver; woken: () => number } => {
    let count = 0
    const codec = new ControlledCodec({ asyncInflateBytes: 5 })
    return { codec, receiver: make({ codec, wake: () => count++ }), woken: () => count }
  }

  test('is emitted before everything received after it', () => {
    const { codec, receiver, woken } = setup()
    receiver.push(
      Buffer.concat([
        frame({ opcode: OP.TEXT, payload: 'before' }),
        compressed(OP.TEXT, 'aabbcc', 0),
        frame({ opcode: OP.PING, payload: 'ping' }),
        fragments(OP.BINARY, [encodeRuns('ddeeff', 1)], { rsv1: true }),
        compressed(OP.TEXT, 'g', 2),
      ]),
    )
    expect(pull(receiver)).toEqual(['text before'])
    expect(receiver.isInflating).toBe(true)
    expect(receiver.next()).toBeNull()
    codec.finishInflate()
    expect(woken()).toBe(1)
    expect(receiver.isInflating).toBe(false)
    expect(pull(receiver)).toEqual(['text aabbcc', '9 ping'])
    expect(receiver.isInflating).toBe(true)
    codec.finishInflate()
    expect(pull(receiver)).toEqual(['binary ddeeff', 'text g'])
    expect(receiver.isInflating).toBe(false)
  })

  test('is emitted before what arrives meanwhile', () => {
    const { codec, receiver } = setup()
    receiver.push(compressed(OP.TEXT, 'aabbcc'))
    expect(pull(receiver)).toEqual([])
    receiver.push(frame({ opcode: OP.TEXT, payload: 'later' }))
    expect(pull(receiver)).toEqual([])
    codec.finishInflate()
    receiver.push(frame({ opcode: OP.TEXT, payload: 'last' }))
    expect(pull(receiver)).toEqual(['text aabbcc', 'text later', 'text last'])
  })

  test('can be a violation', () => {
    const { codec, receiver } = setup()
    receiver.push(frame({ opcode: OP.TEXT, rsv1: true, payload: 'not runs' }))
    receiver.next()
    codec.finishInflate()
    expect(pull(receiver)).toEqual(['HAWSER_INVALID_DEFLATE (a compressed message that does not inflate)'])
    const other = setup()
    other.receiver.push(frame({ opcode: OP.TEXT, rsv1: true, payload: [0, 1, 0xff, 1, 0xff] }))
    other.receiver.next()
    other.codec.finishInflate()
    expect(pull(other.receiver)).toEqual(['HAWSER_INVALID_UTF8 (text that is not valid UTF-8)'])
  })

  test("passes on the codec's bytes without a copy", () => {
    const { codec, receiver } = setup()
    receiver.push(hex('c2 05 00 02 61 02 62'))
    expect(receiver.next()).toBeNull()
    codec.finishInflate()
    const { data } = receiver.next() as MessageReceived
    expect(data).toEqual(Buffer.from('aabb'))
    expect((data as Buffer).buffer.byteLength).toBe(4)
  })
})

describe('a lent chunk', () => {
  const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload })
  const binary = (payload: string): Buffer => frame({ opcode: OP.BINARY, payload })

  /** Lends a chunk, pulls `pulls` results, and overwrites the chunk. */
  function lend(receiver: Receiver, bytes: Buffer, pulls: number): (MessageReceived | ControlFrame)[] {
    const lent = Buffer.from(bytes)
    const found: (MessageReceived | ControlFrame)[] = []
    receiver.push(lent, true)
    for (let i = 0; i < pulls; i++) found.push(receiver.next() as MessageReceived)
    receiver.keepInput()
    lent.fill(0xaa)
    return found
  }

  test('pulled messages do not change, short or long', () => {
    const receiver = make()
    const [short, long, control] = lend(
      receiver,
      Buffer.concat([binary('short'), binary('x'.repeat(200)), frame({ opcode: OP.PING, payload: 'p' })]),
      3,
    )
    expect([short, long, control].map((one) => show(one!))).toEqual([
      'binary short',
      `binary ${'x'.repeat(200)}`,
      '9 p',
    ])
    expect(receiver.next()).toBeNull()
  })

  test('messages that were not pulled follow later, in order', () => {
    const receiver = make()
    const found = lend(receiver, Buffer.concat([text('1'), text('2'), text('3')]), 1)
    found.push(...lend(receiver, Buffer.concat([text('4'), text('5')]), 1))
    receiver.push(text('6'))
    expect([...found.map(show), ...pull(receiver)]).toEqual([1, 2, 3, 4, 5, 6].map((n) => `text ${n}`))
  })

  test('may follow an owned chunk that is not consumed', () => {
    const receiver = make()
    receiver.push(binary('1'))
    const found = lend(receiver, binary('2'), 1)
    expect([...found.map(show), ...pull(receiver)]).toEqual(['binary 1', 'binary 2'])
  })

  test('a compressed message on the thread pool does not change', () => {
    const codec = new ControlledCodec({ asyncInflateBytes: 0 })
    const receiver = make({ codec })
    expect(lend(receiver, Buffer.concat([compressed(OP.TEXT, 'aaaa'), text('behind')]), 1)).toEqual([null])
    codec.finishInflate()
    expect(pull(receiver)).toEqual(['text aaaa', 'text behind'])
  })

  test('keepInput does nothing for an owned chunk', () => {
    const receiver = make()
    receiver.push(Buffer.concat([binary('1'), binary('2')]))
    receiver.keepInput()
    expect(pull(receiver)).toEqual(['binary 1', 'binary 2'])
  })
})

describe('text as bytes, for the drop-in for ws', () => {
  const LIMITS = { maxMessageBytes: Infinity, maxFrameBytes: Infinity }
  const EURO = 'a\u20ac'.repeat(40)

  /** What comes of some bytes, borrowed or not, in one chunk. */
  function bytesOf(form: 'bytes' | 'unchecked', bytes: Uint8Array, isBorrowed = false): string[] {
    const receiver = new Receiver('server', LIMITS, null, { wake: () => undefined }, 0, form)
    receiver.push(Buffer.from(bytes), isBorrowed)
    const found = []
    for (let one = receiver.next(); one !== null; one = receiver.next()) {
      if (one instanceof ProtocolError) return [...found, one.code]
      if (one.type !== 'message') continue
      expect(Buffer.isBuffer(one.data)).toBe(true)
      found.push(`${String(receiver.opcode)} ${one.data.toString()}`)
    }
    return found
  }

  test.each([false, true])('gives Buffers, and says which are text (borrowed: %s)', (isBorrowed) => {
    const bytes = frames(
      { opcode: OP.TEXT, payload: 'short', key: KEY },
      { opcode: OP.TEXT, payload: 'h\u00e9', key: KEY },
      { opcode: OP.TEXT, payload: EURO.repeat(3), key: KEY },
      { opcode: OP.BINARY, payload: 'bytes', key: KEY },
    )
    const joined = fragments(OP.TEXT, [Buffer.from('one '), Buffer.from('\u20ac')], { key: KEY })
    expect(bytesOf('bytes', Buffer.concat([bytes, joined]), isBorrowed)).toEqual([
      '1 short',
      '1 h\u00e9',
      `1 ${EURO.repeat(3)}`,
      '2 bytes',
      '1 one \u20ac',
    ])
  })

  test.each([false, true])(
    'gives each of a run of short messages its own bytes (borrowed: %s)',
    (isBorrowed) => {
      const texts = Array.from({ length: 8 }, (_, i) => ({ opcode: OP.TEXT, payload: `text ${i}`, key: KEY }))
      const rest = [
        { opcode: OP.TEXT, payload: '', key: KEY },
        { opcode: OP.TEXT, payload: EURO, key: KEY },
        { opcode: OP.BINARY, payload: 'one', key: KEY },
        { opcode: OP.BINARY, payload: 'two', key: KEY },
      ]
      const expected = [...texts.map(({ payload }) => `1 ${payload}`), '1 ', `1 ${EURO}`, '2 one', '2 two']
      for (const form of ['bytes', 'unchecked'] as const) {
        expect(bytesOf(form, frames(...texts, ...rest), isBorrowed)).toEqual(expected)
      }
    },
  )

  test('refuses the text of a run that is not UTF-8, after those before it', () => {
    const text = (payload: string | Buffer) => ({ opcode: OP.TEXT, payload, key: KEY })
    const bytes = frames(text('one'), text('two'), text(Buffer.of(0x61, 0xff)), text('three'))
    expect(bytesOf('bytes', bytes, true)).toEqual(['1 one', '1 two', 'HAWSER_INVALID_UTF8'])
  })

  test.each([
    ['short', Buffer.of(0xff)],
    ['long', Buffer.alloc(200, 0xff)],
  ])('refuses %s text that is not UTF-8, unless nothing is checked', (_length, payload) => {
    const whole = frames({ opcode: OP.TEXT, payload, key: KEY })
    const joined = fragments(OP.TEXT, [payload, payload], { key: KEY })
    expect(bytesOf('bytes', whole)).toEqual(['HAWSER_INVALID_UTF8'])
    expect(bytesOf('bytes', joined)).toEqual(['HAWSER_INVALID_UTF8'])
    expect(bytesOf('unchecked', whole)).toEqual([`1 ${payload.toString()}`])
    expect(bytesOf('unchecked', joined)).toEqual([`1 ${payload.toString().repeat(2)}`])
  })

  test('checks text that was compressed', () => {
    for (const form of ['bytes', 'unchecked'] as const) {
      const codec = new ControlledCodec({})
      const receiver = new Receiver('client', LIMITS, codec, { wake: () => undefined }, 0, form)
      receiver.push(Buffer.from(compressed(OP.TEXT, 'aaaa')))
      const one = receiver.next() as MessageReceived
      expect([one.data.toString(), receiver.opcode]).toEqual(['aaaa', OP.TEXT])
    }
  })

  test('limits the frames of a message where the caller wants it, in one chunk and byte by byte', () => {
    const bytes = fragments(
      OP.BINARY,
      ['a', 'b', 'c'].map((text) => Buffer.from(text)),
      {},
    )
    for (const size of [1, bytes.length]) {
      const receiver = new Receiver('client', LIMITS, null, { wake: () => undefined })
      receiver.limitFragments(2)
      const found = []
      for (let at = 0; at < bytes.length; at += size) {
        receiver.push(Buffer.from(bytes.subarray(at, at + size)))
        const one = receiver.next()
        if (one !== null) found.push(one)
      }
      expect(found[0]).toBeInstanceOf(ProtocolError)
      expect(receiver.hasTooManyFragments).toBe(true)
    }
  })

  test('says which header the parser refused', () => {
    const receiver = new Receiver('client', LIMITS, null, { wake: () => undefined })
    receiver.push(Buffer.from([0x89, 0x7e]))
    expect(receiver.next()).toBeInstanceOf(ProtocolError)
    expect([receiver.refusedHeader.headerByte, receiver.refusedHeader.headerLength]).toEqual([0x89, 126])
    expect(receiver.hasTooManyFragments).toBe(false)
  })
})
