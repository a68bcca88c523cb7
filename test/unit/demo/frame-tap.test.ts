import { FrameTap, SHOWN_BYTES, type WireReport } from '../../../demo/frame-tap.js'
import { closeFrame, fragments, frame, frameHeader, hex, KEY, OP } from '../../helpers/frame-builder.js'

const RESPONSE = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
const PLAIN = Buffer.from(`${RESPONSE}\r\n`)
const DEFLATED = Buffer.from(
  `${RESPONSE}Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n\r\n`,
)

function tapped(response = PLAIN): { tap: FrameTap; reports: WireReport[] } {
  const reports: WireReport[] = []
  const tap = new FrameTap((report) => {
    reports.push(report)
  })
  tap.sent(response)
  return { tap, reports }
}

const text = { kind: 'frame', opcode: 'TEXT', fin: true, rsv1: false, headerLength: 2, payloadLength: 5 }

describe('reading along on a connection (RFC 6455 section 5.2)', () => {
  test('reports a frame of each side', () => {
    const { tap, reports } = tapped()
    tap.received(hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'))
    tap.sent(hex('81 05 48 65 6c 6c 6f'))
    expect(reports).toMatchObject([
      { ...text, from: 'client', maskingKey: '37fa213d', headerLength: 6, bytes: '48656c6c6f' },
      { ...text, from: 'server', maskingKey: null, bytes: '48656c6c6f' },
    ])
  })

  test('reports a masking key whose last octet has its high bit set', () => {
    const { tap, reports } = tapped()
    tap.received(frame({ opcode: OP.TEXT, payload: 'Hello', key: [0x01, 0x02, 0x03, 0xff] }))
    expect(reports).toMatchObject([{ maskingKey: '010203ff', bytes: '48656c6c6f' }])
  })

  test('leaves the bytes unchanged for other readers', () => {
    const { tap } = tapped()
    const bytes = frame({ opcode: OP.BINARY, payload: 'some bytes', key: KEY })
    const before = Buffer.from(bytes)
    tap.received(bytes)
    expect(bytes).toEqual(before)
  })

  test('gives the same reports for any cut of the bytes, the response included', () => {
    const fromServer = Buffer.concat([
      PLAIN,
      fragments(OP.TEXT, ['one', 'two', '']),
      frame({ opcode: OP.BINARY, payload: Buffer.alloc(70_000, 7) }),
      closeFrame(1001, 'bye'),
    ])
    const whole: WireReport[] = []
    new FrameTap((report) => whole.push(report)).sent(fromServer)
    const bytewise: WireReport[] = []
    const tap = new FrameTap((report) => bytewise.push(report))
    for (const byte of fromServer) tap.sent(Uint8Array.of(byte))

    const withoutTimes = (reports: WireReport[]): object[] => reports.map((report) => ({ ...report, at: 0 }))
    expect(withoutTimes(bytewise)).toEqual(withoutTimes(whole))
    expect(whole).toMatchObject([
      { opcode: 'TEXT', fin: false, bytes: '6f6e65' },
      { opcode: 'CONTINUATION', fin: false, bytes: '74776f' },
      { opcode: 'CONTINUATION', fin: true, payloadLength: 0, bytes: '' },
      { opcode: 'BINARY', payloadLength: 70_000, headerLength: 10, bytes: '07'.repeat(SHOWN_BYTES) },
      { opcode: 'CLOSE', close: { code: 1001, reason: 'bye' } },
    ])
  })

  test('reports a frame after it has passed', () => {
    const { tap, reports } = tapped()
    tap.sent(frameHeader({ opcode: OP.BINARY, announce: 4 }))
    tap.sent(Uint8Array.of(1, 2, 3))
    expect(reports).toEqual([])
    tap.sent(Uint8Array.of(4))
    expect(reports).toMatchObject([{ payloadLength: 4, bytes: '01020304' }])
  })

  test.each([
    ['without a body', closeFrame(), { code: 1005, reason: '' }],
    ['with the longest reason', closeFrame(1000, 'x'.repeat(123)), { code: 1000, reason: 'x'.repeat(123) }],
    ['with a code that must not be sent', closeFrame(1006), undefined],
  ])('reports a Close frame %s', (_name, bytes, close) => {
    const { tap, reports } = tapped()
    tap.sent(bytes)
    expect((reports[0] as { close?: object }).close).toEqual(close)
  })

  test('accepts RSV1 only when permessage-deflate was agreed (RFC 7692 section 6)', () => {
    const bytes = frame({ opcode: OP.TEXT, rsv1: true, payload: [0xf2, 0x48, 0xcd], key: KEY })
    const plain = tapped()
    plain.tap.received(bytes)
    expect(plain.reports).toMatchObject([
      { kind: 'violation', from: 'client', code: 'HAWSER_RESERVED_BITS', message: expect.any(String) },
    ])
    const deflated = tapped(DEFLATED)
    deflated.tap.received(bytes)
    expect(deflated.reports).toMatchObject([{ kind: 'frame', rsv1: true, bytes: 'f248cd' }])
  })

  test('reports a violation once, and reads the other side on', () => {
    const { tap, reports } = tapped()
    tap.received(frame({ opcode: OP.TEXT, payload: 'not masked' }))
    tap.received(frame({ opcode: OP.TEXT, payload: 'Hello', key: KEY }))
    tap.sent(closeFrame(1002))
    expect(reports).toMatchObject([
      { kind: 'violation', from: 'client', code: 'HAWSER_EXPECTED_MASK' },
      { kind: 'frame', from: 'server', opcode: 'CLOSE' },
    ])
  })

  test('reports no frame of a rejected upgrade', () => {
    const { tap, reports } = tapped(
      Buffer.from('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n\x81\x00'),
    )
    tap.sent(frame({ opcode: OP.TEXT, payload: 'no frame' }))
    tap.received(frame({ opcode: OP.TEXT, payload: 'no frame', key: KEY }))
    expect(reports).toEqual([])
  })

  describe('on the side of the client', () => {
    const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

    test('skips the request and the response, and reports a frame of each side', () => {
      const reports: WireReport[] = []
      const tap = new FrameTap((report) => reports.push(report), 'client')
      tap.sent(Buffer.from(REQUEST))
      tap.received(Buffer.from('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'))
      tap.received(Buffer.concat([PLAIN, hex('81 05 48 65 6c 6c 6f')]))
      tap.sent(frame({ opcode: OP.TEXT, payload: 'Hello', key: KEY }))
      expect(reports).toMatchObject([
        { ...text, from: 'server', maskingKey: null, bytes: '48656c6c6f' },
        { ...text, from: 'client', headerLength: 6, bytes: '48656c6c6f' },
      ])
    })

    test('reports no frame after a response that refuses', () => {
      const reports: WireReport[] = []
      const tap = new FrameTap((report) => reports.push(report), 'client')
      tap.sent(Buffer.from(REQUEST))
      tap.received(Buffer.from('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n\x81\x00'))
      tap.received(frame({ opcode: OP.TEXT, payload: 'no frame' }))
      expect(reports).toEqual([])
    })
  })

  test('reads nothing after it was stopped', () => {
    const { tap, reports } = tapped()
    tap.stop()
    tap.received(frame({ opcode: OP.TEXT, key: KEY }))
    tap.sent(frame({ opcode: OP.TEXT }))
    expect(reports).toEqual([])
  })
})
