import { FrameParser } from '../../../src/frame/frame-parser.js'
import { MAX_RUN_MESSAGE_BYTES, returnRun, type MessageRun } from '../../../src/frame/message-run.js'
import { lane } from '../../../src/native/simd.js'
import { frame, frames, KEY, OP, type FrameSpec } from '../../helpers/frame-builder.js'
import { lend } from '../../helpers/lane.js'

/** Without WebAssembly there are no runs, and each message is taken by itself. */
const isOn = lane.isOpen

const text = (payload: string): FrameSpec => ({ opcode: OP.TEXT, payload, key: KEY })
const bytes = (payload: string): FrameSpec => ({ opcode: OP.BINARY, payload, key: KEY })

interface Options {
  readonly role?: 'server' | 'client'
  readonly maxFrameBytes?: number
  readonly maxMessageBytes?: number
}

/** After a run that was none the next messages are taken one by one: until then nothing can be said of them. */
function untilRunsAreTaken(): void {
  if (!isOn) return
  const pair = frames(text('a'), text('b'))
  for (let i = 0; i < 1000; i++) {
    const parser = new FrameParser({ role: 'server', maxFrameBytes: 1e6, maxMessageBytes: 1e6 })
    parser.push(Buffer.from(pair))
    const run = parser.takeRun()
    if (run === null) continue
    messagesOf(run)
    return
  }
  throw new Error('no run is taken any more')
}
beforeEach(untilRunsAreTaken)

const parserOf = ({ role = 'server', ...limits }: Options = {}): FrameParser =>
  new FrameParser({ role, maxFrameBytes: 1e6, maxMessageBytes: 1e6, ...limits })

function messagesOf(run: MessageRun | null): string[] | null {
  if (run === null) return null
  const messages: string[] = []
  while (!run.isOver) messages.push(run.shift().toString())
  returnRun(run)
  return messages
}

/** What is taken together of a chunk, and the opcode of what the parser gives after it. */
function take(chunk: Buffer, options?: Options): [string[] | null, number | null] {
  untilRunsAreTaken()
  const parser = parserOf(options)
  parser.push(chunk)
  const run = messagesOf(parser.takeRun())
  const event = parser.next()
  return [run, event?.type === 'part' ? event.opcode : null]
}

const expected = (messages: string[]): string[] | null => (isOn ? messages : null)

describe.each([
  ['a chunk that a handle read', lend],
  ['any other chunk', (given: Buffer) => given],
])('short messages of %s', (_name, place) => {
  test('are taken together, text and bytes, empty and not, up to one of another type', () => {
    const sent = frames(
      text('one'),
      text(''),
      text('t'.repeat(125)),
      text('u'.repeat(300)),
      bytes('x'),
      bytes('y'),
    )
    const parser = parserOf()
    parser.push(place(sent))
    expect(messagesOf(parser.takeRun())).toEqual(expected(['one', '', 't'.repeat(125), 'u'.repeat(300)]))
    if (!isOn) return
    const run = parser.takeRun()
    expect([run?.opcode, run?.count, run?.byteLength]).toEqual([OP.BINARY, 2, 2])
    expect(messagesOf(run)).toEqual(['x', 'y'])
    expect(parser.next()).toBeNull()
  })

  test('of a server are taken as well, which are not masked', () => {
    const sent = frames({ opcode: OP.TEXT, payload: 'one' }, { opcode: OP.TEXT, payload: 'two' })
    expect(take(place(sent), { role: 'client' })).toEqual([expected(['one', 'two']), isOn ? null : OP.TEXT])
  })

  test('are strings where they are text, and bytes where they are not, one run after the other', () => {
    if (!isOn) return
    for (const [one, two, kind] of [
      [bytes('one'), bytes('two'), 'object'],
      [text('three'), text('four'), 'string'],
      [bytes('five'), bytes('six'), 'object'],
    ] as const) {
      const parser = parserOf()
      parser.push(place(frames(one, two)))
      const run = parser.takeRun() as MessageRun
      const given = [run.shift(), run.shift()]
      returnRun(run)
      expect(given.map((message) => typeof message)).toEqual([kind, kind])
      expect(given.map(String)).toEqual([one.payload, two.payload])
    }
  })

  test('are never control frames, however many come', () => {
    for (const opcode of [OP.PING, OP.PONG, OP.CLOSE]) {
      const control = { opcode, payload: 'ab', key: KEY }
      expect(take(place(frames(control, control, control)))).toEqual([null, opcode])
    }
  })

  test('are taken together where both are empty, or as long as one may be', () => {
    const empty = { opcode: OP.TEXT }
    expect(take(place(frames(empty, empty)), { role: 'client' })).toEqual([
      expected(['', '']),
      isOn ? null : OP.TEXT,
    ])
    const long = 'u'.repeat(MAX_RUN_MESSAGE_BYTES)
    expect(take(place(frames(text(long), text(long))))).toEqual([
      expected([long, long]),
      isOn ? null : OP.TEXT,
    ])
  })

  test('are taken by themselves where there is no second one', () => {
    for (const sent of [
      frames(text('one')),
      frames(text('one'), bytes('two')),
      frames(text('one'), { opcode: OP.PING, key: KEY }),
      frames({ ...text('one'), fin: false }, { opcode: OP.CONTINUATION, key: KEY }),
      frames(text('u'.repeat(MAX_RUN_MESSAGE_BYTES + 1)), text('two')),
      frames(text('u'.repeat(70_000)), text('two')),
    ]) {
      expect(take(place(sent))).toEqual([null, sent[0] === 0x82 ? OP.BINARY : OP.TEXT])
    }
    expect(take(place(frame({ opcode: OP.PING, payload: 'ping', key: KEY })))).toEqual([null, OP.PING])
  })

  test('that are no plain messages end the run before them', () => {
    for (const [wrong, opcode] of [
      [{ ...text('two'), rsv1: true }, null],
      [{ opcode: OP.TEXT, payload: 'two' }, null],
      [{ ...text('two'), lengthForm: 16 }, null],
      [{ ...text('two'), lengthForm: 64 }, null],
      [{ opcode: OP.CLOSE, key: KEY }, OP.CLOSE],
      [{ ...text('two'), fin: false }, OP.TEXT],
      [text('u'.repeat(MAX_RUN_MESSAGE_BYTES + 1)), OP.TEXT],
    ] as [FrameSpec, number | null][]) {
      const sent = frames(text('one'), text('more'), wrong)
      expect(take(place(sent))).toEqual([expected(['one', 'more']), isOn ? opcode : OP.TEXT])
    }
  })

  test('that are not ASCII end the run, and are left as they were', () => {
    const parser = parserOf()
    parser.push(place(frames(text('one'), text('more'), text('\u00e9'.repeat(9)), text('last'))))
    expect(messagesOf(parser.takeRun())).toEqual(expected(['one', 'more']))
    if (!isOn) return
    expect(messagesOf(parser.takeRun())).toBeNull()
    const event = parser.next()
    expect(event?.type === 'part' && event.payload.toString()).toBe('\u00e9'.repeat(9))
    expect(parser.takeRun()).toBeNull()
    expect(parser.takeWhole()).toBe(OP.TEXT)
  })

  test('are taken one by one for a while after text that is not ASCII, which would be looked at twice', () => {
    if (!isOn) return
    const parser = parserOf()
    parser.push(place(frames(text('\u00e9'), text('\u00e9'))))
    expect(parser.takeRun()).toBeNull()
    const next = parserOf()
    next.push(place(frames(text('one'), text('two'))))
    expect(next.takeRun()).toBeNull()
    expect(next.takeWhole()).toBe(OP.TEXT)
    untilRunsAreTaken()
  })

  test('that are cut anywhere wait for the rest', () => {
    const sent = frames(text('one'), text('more'), text('u'.repeat(300)))
    const first = frames(text('one'), text('more')).length
    for (let end = first; end < sent.length; end++) {
      untilRunsAreTaken()
      const parser = parserOf()
      parser.push(place(Buffer.from(sent.subarray(0, end))))
      expect(messagesOf(parser.takeRun())).toEqual(expected(['one', 'more']))
      parser.keepInput()
      parser.push(Buffer.from(sent.subarray(end)))
      let received = ''
      for (let event = parser.next(); event !== null; event = parser.next()) {
        if (event.type === 'violation') throw event.error
        received += event.payload.toString()
      }
      expect(received).toBe(`${isOn ? '' : 'onemore'}${'u'.repeat(300)}`)
    }
  })

  test('that are too big for the limits are left to the parser, which refuses them', () => {
    for (const limits of [{ maxFrameBytes: 4 }, { maxMessageBytes: 4 }]) {
      untilRunsAreTaken()
      const parser = parserOf(limits)
      parser.push(place(frames(text('one'), text('more'), text('three'), text('one'))))
      expect(messagesOf(parser.takeRun())).toEqual(expected(['one', 'more']))
      if (!isOn) continue
      expect(parser.takeRun()).toBeNull()
      expect(parser.next()?.type).toBe('violation')
      expect(parser.takeRun()).toBeNull()
    }
  })

  test('are no part of a fragmented message, of a frame that is not over, or of a header that was cut', () => {
    const two = frames(text('one'), text('two'))
    const parser = parserOf()
    parser.push(place(Buffer.concat([frame({ ...text('start'), fin: false }), two])))
    parser.next()
    expect(parser.takeRun()).toBeNull()
    const other = parserOf()
    other.push(frame(text('a'.repeat(100))).subarray(0, 3))
    expect(other.next()).toBeNull()
    other.push(place(two))
    expect(other.takeRun()).toBeNull()
    const third = parserOf()
    third.push(frame(text('a'.repeat(100))).subarray(0, 30))
    expect(third.next()).not.toBeNull()
    third.push(place(two))
    expect(third.takeRun()).toBeNull()
    expect(third.next()).toMatchObject({ isFirst: false, isLast: false, byteLength: two.length })
  })

  test('are at most 64 at a time, and of at most 2 KiB', () => {
    if (!isOn) return
    const many = parserOf()
    many.push(place(frames(...Array.from({ length: 100 }, (_, i) => text(String(i))))))
    expect(messagesOf(many.takeRun())).toEqual(Array.from({ length: 64 }, (_, i) => String(i)))
    expect(messagesOf(many.takeRun())).toEqual(Array.from({ length: 36 }, (_, i) => String(i + 64)))
    const large = parserOf()
    large.push(place(frames(...Array.from({ length: 10 }, () => text('u'.repeat(500))))))
    expect(messagesOf(large.takeRun())).toHaveLength(4)
    expect(messagesOf(large.takeRun())).toHaveLength(4)
    expect(messagesOf(large.takeRun())).toHaveLength(2)
  })

  test('are given as bytes where the caller wants that of text, too', () => {
    if (!isOn) return
    const parser = parserOf()
    const chunk = place(frames(text('one'), text(''), text('three')))
    parser.push(chunk)
    const run = parser.takeRun(true) as MessageRun
    chunk.fill(0)
    expect([run.opcode, run.shift(), run.shift(), run.shift(), run.isOver]).toEqual([
      OP.TEXT,
      Buffer.from('one'),
      Buffer.alloc(0),
      Buffer.from('three'),
      true,
    ])
    returnRun(run)
  })

  test('do not change when the chunk is written again, and several runs may be under way', () => {
    if (!isOn) return
    const first = parserOf()
    const chunk = place(frames(bytes('one'), bytes('two'), bytes('three')))
    first.push(chunk)
    const run = first.takeRun() as MessageRun
    chunk.fill(0)
    const second = parserOf()
    second.push(place(frames(text('1'), text('2'))))
    const other = second.takeRun()
    expect(run.shift().toString()).toBe('one')
    expect(messagesOf(other)).toEqual(['1', '2'])
    expect(messagesOf(run)).toEqual(['two', 'three'])
  })

  test('have memory of their own, which may be transferred, while Node has no pool', () => {
    if (!isOn) return
    const { poolSize } = Buffer
    Buffer.poolSize = 0
    try {
      const parser = parserOf()
      parser.push(place(frames(bytes('1'.repeat(500)), bytes('2'.repeat(500)), bytes('3'.repeat(500)))))
      const run = parser.takeRun() as MessageRun
      const first = run.shift() as Buffer
      const second = run.shift() as Buffer
      structuredClone(first.buffer, { transfer: [first.buffer as ArrayBuffer] })
      expect([first.length, second.toString()]).toEqual([0, '2'.repeat(500)])
      expect(messagesOf(run)).toEqual(['3'.repeat(500)])
    } finally {
      Buffer.poolSize = poolSize
    }
  })
})
