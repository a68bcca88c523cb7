/** What a receiver knows between two calls, whose memory its messages lie in, and how it counts. */
import type { ControlFrame } from '../../../src/connection/receiver.js'
import { Receiver, type TextForm } from '../../../src/connection/receiver.js'
import type { MessageReceived } from '../../../src/connection/events.js'
import { ProtocolError } from '../../../src/errors.js'
import { ControlledCodec, encodeRuns } from '../../helpers/controlled-codec.js'
import { fragments, frame, frames, KEY, OP } from '../../helpers/frame-builder.js'

const LIMITS = { maxMessageBytes: Infinity, maxFrameBytes: Infinity }
const KIB = 1024

interface Setup {
  readonly role?: 'client' | 'server'
  readonly codec?: ControlledCodec | null
  readonly text?: TextForm
}

const make = ({ role = 'client', codec = null, text = 'string' }: Setup = {}): Receiver =>
  new Receiver(role, LIMITS, codec, { wake: () => undefined }, 0, text)

type Received = MessageReceived | ControlFrame | ProtocolError

function pull(receiver: Receiver): Received[] {
  const found: Received[] = []
  for (let one = receiver.next(); one !== null; one = receiver.next()) {
    found.push(one)
    if (one instanceof ProtocolError) break
  }
  return found
}

function receive(receiver: Receiver, bytes: Uint8Array): Received[] {
  receiver.push(Buffer.from(bytes))
  return pull(receiver)
}

const bytesOf = (one: Received | null): Buffer => {
  const data = one instanceof ProtocolError || one === null || one.type === 'control' ? null : one.data
  if (!Buffer.isBuffer(data)) throw new Error('no bytes')
  return data
}
const binary = (payload: string | Buffer): Buffer => frame({ opcode: OP.BINARY, payload })
const compressed = (opcode: number, payload: Uint8Array): Buffer => frame({ opcode, rsv1: true, payload })

describe('a receiver is at rest', () => {
  test('between two messages, and not inside one, inside a frame, or while something waits', () => {
    const receiver = make()
    const states: boolean[] = [receiver.isAtRest]
    for (const bytes of [
      frame({ opcode: OP.TEXT, fin: false, payload: 'a' }),
      frame({ opcode: OP.PING, payload: 'ping' }).subarray(0, 3),
      frame({ opcode: OP.PING, payload: 'ping' }).subarray(3),
      frame({ opcode: OP.CONTINUATION, payload: 'b' }),
      binary('abc').subarray(0, 1),
      binary('abc').subarray(1),
      frame({ opcode: OP.PING, payload: 'ping' }).subarray(0, 3),
      frame({ opcode: OP.PING, payload: 'ping' }).subarray(3),
    ]) {
      receive(receiver, bytes)
      states.push(receiver.isAtRest)
    }
    expect(states).toEqual([true, false, false, false, true, false, true, false, true])
    receiver.push(binary('waits'))
    expect(receiver.isAtRest).toBe(false)
  })

  test('not while a message is inflated off the loop, nor before its result is pulled', () => {
    const codec = new ControlledCodec({ asyncInflateBytes: 0 })
    const receiver = make({ codec })
    receive(receiver, compressed(OP.TEXT, encodeRuns('aa')))
    expect([receiver.isAtRest, receiver.isInMessage]).toEqual([false, true])
    codec.finishInflate()
    expect([receiver.isAtRest, receiver.isInMessage]).toEqual([false, false])
    pull(receiver)
    expect(receiver.isAtRest).toBe(true)
  })

  test('not before all of a run of short messages are pulled', () => {
    const receiver = make()
    receiver.push(Buffer.concat([binary('1'), binary('2'), binary('3')]))
    expect([bytesOf(receiver.next()).toString(), receiver.isAtRest]).toEqual(['1', false])
    expect([bytesOf(receiver.next()).toString(), receiver.isAtRest]).toEqual(['2', false])
    expect([bytesOf(receiver.next()).toString(), receiver.isAtRest]).toEqual(['3', true])
  })

  test('never again after text that is not UTF-8 at the end of a message in parts', () => {
    const receiver = make()
    const [error] = receive(receiver, fragments(OP.TEXT, ['a', [0xff]]))
    expect(error).toMatchObject({ code: 'HAWSER_INVALID_UTF8' })
    expect(receiver.isAtRest).toBe(false)
  })

  test('holds nothing of the connection that it served once it left', () => {
    const [codec, waker] = [new ControlledCodec(), { wake: () => undefined }]
    const receiver = new Receiver('server', LIMITS, codec, waker)
    expect(Object.values(receiver)).toEqual(expect.arrayContaining([codec, waker]))
    receiver.leave()
    expect(Object.values(receiver)).not.toContain(codec)
    expect(Object.values(receiver)).not.toContain(waker)
  })
})

describe('the bytes of data frames', () => {
  const specs = (...texts: readonly string[]) =>
    texts.map((payload) => ({ opcode: OP.TEXT, payload, key: KEY }))
  const cases: readonly (readonly [string, Buffer, number])[] = [
    ['a short message', frames(...specs('hello')), 7],
    ['a run of short messages', frames(...specs('one', 'two', '', 'three')), 8 + 11],
    ['a longer message', frames(...specs('x'.repeat(300))), 302],
    ['fragments', fragments(OP.TEXT, ['one', 'two', '', 'three'], { key: KEY }), 8 + 11],
    ['many fragments', fragments(OP.BINARY, Array<string>(50).fill('ab'), { key: KEY }), 200],
    ['fragments of other lengths', fragments(OP.TEXT, ['x'.repeat(200), 'y'.repeat(300)], { key: KEY }), 504],
    ['control frames', frames({ opcode: OP.PING, payload: 'ping', key: KEY }), 0],
  ]

  test.each(cases)(
    'of %s are counted, each header as 2, in one chunk and byte by byte',
    (_, bytes, expected) => {
      for (const size of [bytes.length, 1]) {
        const receiver = make({ role: 'server' })
        for (let at = 0; at < bytes.length; at += size) receive(receiver, bytes.subarray(at, at + size))
        // Byte by byte a part of a frame counts as a frame, so that what arrives slowly is no less than that.
        if (size === 1) expect(receiver.dataBytes).toBeGreaterThanOrEqual(expected)
        else expect(receiver.dataBytes).toBe(expected)
      }
    },
  )

  test('are counted on from those that were received before', () => {
    const receiver = make()
    receiver.serve(null, { wake: () => undefined }, 100)
    receive(receiver, binary('abc'))
    expect(receiver.dataBytes).toBe(105)
  })
})

describe('the memory of what is received', () => {
  test.each([
    ['a binary message of some length', binary(Buffer.alloc(300, 'a')), 300],
    ['a short binary message', binary('aaa'), 3],
  ])('%s is a view of an owned chunk', (_, bytes, length) => {
    const receiver = make()
    const chunk = Buffer.from(bytes)
    receiver.push(chunk)
    const data = bytesOf(receiver.next())
    chunk.fill('!')
    expect(data.toString()).toBe('!'.repeat(length))
  })

  test('a control frame that lies whole in an owned chunk is a view of it', () => {
    const receiver = make()
    const chunk = frame({ opcode: OP.PING, payload: 'ping' })
    receiver.push(chunk)
    const { payload } = receiver.next() as ControlFrame
    chunk.fill('!')
    expect(payload.toString()).toBe('!!!!')
  })

  test('keepInput does not copy an owned chunk', () => {
    const receiver = make()
    const chunk = Buffer.concat([binary(Buffer.alloc(600, 1)), binary(Buffer.alloc(600, 2))])
    receiver.push(chunk)
    receiver.next()
    receiver.keepInput()
    const data = bytesOf(receiver.next())
    chunk.fill(9)
    expect(data.equals(Buffer.alloc(600, 9))).toBe(true)
  })

  test('a short message of a large lent chunk holds none of its length', () => {
    const receiver = make()
    const chunk = Buffer.concat([binary('short'), binary(Buffer.alloc(300 * KIB))])
    receiver.push(chunk, true)
    const data = bytesOf(receiver.next())
    receiver.keepInput()
    expect(data.toString()).toBe('short')
    expect(data.buffer.byteLength).toBeLessThan(100 * KIB)
  })

  test('what keepInput copied is not copied again', () => {
    const receiver = make()
    const chunk = Buffer.concat([1, 2, 3].map((fill) => binary(Buffer.alloc(20 * KIB, fill))))
    receiver.push(chunk, true)
    receiver.next()
    receiver.keepInput()
    chunk.fill(9)
    const [second, third] = pull(receiver).map(bytesOf)
    expect(second!.buffer).toBe(third!.buffer)
    expect([second!.equals(Buffer.alloc(20 * KIB, 2)), third!.equals(Buffer.alloc(20 * KIB, 3))]).toEqual([
      true,
      true,
    ])
  })
})

describe('RFC 6455 5.4: fragments in one chunk', () => {
  test('are followed by nothing while their message is inflated off the loop', () => {
    const codec = new ControlledCodec({ asyncInflateBytes: 0 })
    const receiver = make({ codec })
    const payload = encodeRuns('aabbcc')
    const parts = [payload.subarray(0, 2), payload.subarray(2, 5), payload.subarray(5)]
    const bytes = Buffer.concat([fragments(OP.TEXT, parts, { rsv1: true }), frame({ opcode: OP.PING })])
    expect(receive(receiver, bytes)).toEqual([])
    codec.finishInflate()
    expect(pull(receiver)).toMatchObject([{ data: 'aabbcc' }, { type: 'control', opcode: OP.PING }])
  })

  test('are given to the codec as bytes that stay, and a lent frame as bytes that do not', () => {
    const codec = new ControlledCodec()
    const decode = jest.spyOn(codec, 'decode')
    const receiver = make({ codec })
    const payload = encodeRuns('aabb', 0)
    receive(receiver, fragments(OP.TEXT, [payload.subarray(0, 2), payload.subarray(2)], { rsv1: true }))
    receiver.push(compressed(OP.TEXT, encodeRuns('cc', 1)), true)
    pull(receiver)
    receive(receiver, compressed(OP.TEXT, encodeRuns('dd', 2)))
    expect(decode.mock.calls.map(([, , , isLasting]) => isLasting)).toEqual([true, false, true])
  })

  test('may be as many as limitFragments allows', () => {
    const bytes = fragments(OP.BINARY, ['a', 'b'])
    for (const size of [1, bytes.length]) {
      const receiver = make()
      receiver.limitFragments(2)
      const found: Received[] = []
      for (let at = 0; at < bytes.length; at += size) {
        found.push(...receive(receiver, bytes.subarray(at, at + size)))
      }
      expect(found.map(bytesOf).map(String)).toEqual(['ab'])
      expect(receiver.hasTooManyFragments).toBe(false)
    }
  })
})

describe('text as bytes', () => {
  const BAD = Buffer.of(0x61, 0xff, 0x62)

  test.each([
    ['short', BAD],
    ['long', Buffer.concat([Buffer.alloc(300, 'a'), BAD])],
  ])('is given unchecked where the caller checks it: %s', (_, payload) => {
    for (const [bytes, expected] of [
      [frame({ opcode: OP.TEXT, payload }), payload],
      [fragments(OP.TEXT, [payload, payload]), Buffer.concat([payload, payload])],
    ] as const) {
      const receiver = make({ text: 'unchecked' })
      const found = receive(receiver, bytes)
      expect(found.map(bytesOf)).toEqual([expected])
      expect(receiver.opcode).toBe(OP.TEXT)
    }
  })

  test.each([
    ['at once', Infinity],
    ['off the loop', 0],
  ])('is bytes as well where it was compressed, and decoded %s', (_, asyncInflateBytes) => {
    for (const text of ['bytes', 'unchecked'] as const) {
      const codec = new ControlledCodec({ asyncInflateBytes })
      const receiver = make({ codec, text })
      const found = receive(receiver, compressed(OP.TEXT, encodeRuns('aaaa', 0)))
      codec.finishAll()
      found.push(...pull(receiver))
      expect(found.map(bytesOf).map(String)).toEqual(['aaaa'])
    }
  })

  test('is refused where it was compressed and is not UTF-8, unless the caller checks it', () => {
    const bytes = compressed(OP.TEXT, encodeRuns(BAD, 0))
    const [refused] = receive(make({ codec: new ControlledCodec(), text: 'bytes' }), bytes)
    expect(refused).toMatchObject({ code: 'HAWSER_INVALID_UTF8' })
    const [given] = receive(make({ codec: new ControlledCodec(), text: 'unchecked' }), bytes)
    expect(bytesOf(given!)).toEqual(BAD)
  })
})
