import { Sender } from '../../../src/connection/sender.js'
import { Opcode } from '../../../src/frame/opcode.js'
import { ControlledCodec, encodeRuns, type ControlledCodecOptions } from '../../helpers/controlled-codec.js'
import { hex, readFrames } from '../../helpers/frame-builder.js'

/** What goes out, a frame a line: opcode, R for RSV1, the payload as text. */
function lines(sender: Sender): string[] {
  const taken: Buffer[] = []
  for (let bytes = sender.output.take(); bytes !== null; bytes = sender.output.take()) taken.push(bytes)
  const { frames, rest } = readFrames(Buffer.concat(taken))
  expect(rest).toHaveLength(0)
  expect(frames.every((f) => f.fin && !f.rsv2 && !f.rsv3)).toBe(true)
  return frames.map((f) => `${f.opcode}${f.rsv1 ? 'R' : ''} ${f.text}`)
}

/** A message as the codec compresses it, as text. */
const runs = (message: string, number: number): string => Buffer.from(encodeRuns(message, number)).toString()

const LARGE = 'x'.repeat(100)
const OTHER = 'y'.repeat(100)

function make(options: ControlledCodecOptions): {
  sender: Sender
  codec: ControlledCodec
  woken: () => number
} {
  let count = 0
  const codec = new ControlledCodec(options)
  return { codec, sender: new Sender(false, codec, { wake: () => count++ }), woken: () => count }
}

describe('RFC 6455 6.1: messages without an extension', () => {
  test('every message is one frame', () => {
    const sender = new Sender(false, null, { wake: () => undefined })
    sender.sendText('Hello', true)
    sender.sendBytes(hex('00 ff'), true)
    expect(sender.byteLength).toBe(11)
    expect(sender.output.take()).toEqual(hex('81 05 48 65 6c 6c 6f 82 02 00 ff'))
    expect(sender.byteLength).toBe(0)
    expect(sender.isCompressing).toBe(false)
  })

  test('control frames are sent', () => {
    const sender = new Sender(false, null, { wake: () => undefined })
    sender.sendControl(Opcode.PING, hex('01'))
    sender.sendControl(Opcode.PONG, hex(''))
    sender.sendClose(hex('03 e8'))
    expect(sender.output.take()).toEqual(hex('89 01 01 8a 00 88 02 03 e8'))
  })

  test('a client masks its frames', () => {
    const sender = new Sender(true, null, { wake: () => undefined })
    sender.sendText('Hello', false)
    sender.sendClose(hex(''))
    const { frames } = readFrames(sender.output.take()!)
    expect(frames.map((f) => [f.opcode, f.text, f.key === null])).toEqual([
      [1, 'Hello', false],
      [8, '', false],
    ])
  })

  test('clear works without a codec', () => {
    const sender = new Sender(false, null, { wake: () => undefined })
    sender.sendText('Hello', true)
    sender.clear()
    expect(sender.byteLength).toBe(0)
  })
})

describe('RFC 7692 6.1: what is compressed', () => {
  test('a message is compressed if it is long enough, compression is wanted and it shrinks', () => {
    const { sender, codec } = make({ thresholdBytes: 4 })
    sender.sendText('aaaaaaaa', true)
    sender.sendBytes(Buffer.from('bbbbbbbb'), true)
    sender.sendText('aaa', true)
    sender.sendBytes(Buffer.from('bbb'), true)
    sender.sendText('aaaaaaaa', false)
    sender.sendBytes(Buffer.from('bbbbbbbb'), false)
    sender.sendText('abcdefgh', true)
    sender.sendBytes(Buffer.from('abcdefgh'), true)
    sender.sendText('cccccccc', true)
    expect(lines(sender)).toEqual([
      `1R ${runs('aaaaaaaa', 0)}`,
      `2R ${runs('bbbbbbbb', 1)}`,
      '1 aaa',
      '2 bbb',
      '1 aaaaaaaa',
      '2 bbbbbbbb',
      '1 abcdefgh',
      '2 abcdefgh',
      `1R ${runs('cccccccc', 2)}`,
    ])
    // Asked once for each message that may be compressed.
    expect(codec.asked).toBe(7)
  })

  test('control frames are never compressed', () => {
    const { sender, codec } = make({})
    sender.sendControl(Opcode.PING, Buffer.alloc(100))
    sender.sendClose(Buffer.alloc(100))
    expect(readFrames(sender.output.take()!).frames.map((f) => f.rsv1)).toEqual([false, false])
    expect(codec.asked).toBe(0)
  })

  test('a client masks compressed messages', () => {
    const sender = new Sender(true, new ControlledCodec(), { wake: () => undefined })
    sender.sendText('aaaaaaaa', true)
    const [found] = readFrames(sender.output.take()!).frames
    expect([found!.rsv1, found!.key === null, found!.text]).toEqual([true, false, runs('aaaaaaaa', 0)])
  })
})

describe('a message that is compressed on the thread pool', () => {
  test('leaves when it is compressed, and the driver is woken', () => {
    const { sender, codec, woken } = make({ asyncDeflateBytes: 50 })
    sender.sendText(LARGE, true)
    expect(sender.isCompressing).toBe(true)
    expect(sender.byteLength).toBe(100)
    expect(lines(sender)).toEqual([])
    codec.finishDeflate()
    expect(woken()).toBe(1)
    expect(sender.isCompressing).toBe(false)
    expect(lines(sender)).toEqual([`1R ${runs(LARGE, 0)}`])
    expect(sender.byteLength).toBe(0)
  })

  test('delays later messages and Close, in order, but not pings and pongs', () => {
    const { sender, codec, woken } = make({ thresholdBytes: 5, asyncDeflateBytes: 50 })
    sender.sendText(LARGE, true)
    sender.sendText('abc', true)
    sender.sendControl(Opcode.PING, Buffer.from('ping'))
    sender.sendBytes(Buffer.from('bbbbbbbb'), true)
    sender.sendBytes(Buffer.from('cccccccc'), false)
    sender.sendText('d\u20ac\ud800', false)
    sender.sendControl(Opcode.PONG, Buffer.from('pong'))
    sender.sendBytes(Buffer.from(OTHER), true)
    sender.sendText('eeeeeeee', true)
    sender.sendClose(hex('03 e8'))
    expect(sender.byteLength).toBe(6 + 6 + 100 + 5 + 10 + 10 + 9 + 102 + 10 + 4)
    expect(lines(sender)).toEqual(['9 ping', '10 pong'])
    codec.finishDeflate()
    expect(woken()).toBe(1)
    // The next large message is being compressed: the messages after it go on waiting.
    expect(sender.isCompressing).toBe(true)
    expect(sender.byteLength).toBeGreaterThan(100 + 10 + 4)
    sender.sendText('ffffffff', true)
    expect(lines(sender)).toEqual([
      `1R ${runs(LARGE, 0)}`,
      '1 abc',
      `2R ${runs('bbbbbbbb', 1)}`,
      '2 cccccccc',
      '1 d\u20ac\ufffd',
    ])
    sender.sendControl(Opcode.PONG, Buffer.from('late'))
    codec.finishDeflate()
    expect(woken()).toBe(2)
    expect(sender.isCompressing).toBe(false)
    expect(lines(sender)).toEqual([
      '10 late',
      `2R ${runs(OTHER, 2)}`,
      `1R ${runs('eeeeeeee', 3)}`,
      '8 \u0003\ufffd',
      `1R ${runs('ffffffff', 4)}`,
    ])
    expect(sender.byteLength).toBe(0)
    expect(codec.asked).toBe(6)
  })

  test('does not delay messages that are sent after its end', () => {
    const { sender, codec } = make({ asyncDeflateBytes: 50 })
    sender.sendText(LARGE, true)
    sender.sendText('aaaaaaaa', true)
    codec.finishDeflate()
    lines(sender)
    sender.sendText('bbbbbbbb', true)
    expect(lines(sender)).toEqual([`1R ${runs('bbbbbbbb', 2)}`])
  })

  test('counts as waiting unless it is the first, with what was sent behind it', () => {
    const { sender, codec } = make({ asyncDeflateBytes: 50 })
    const waiting = (): number[] => [sender.waitingBytes(true), sender.waitingBytes(false), sender.mostBytes]
    expect(waiting()).toEqual([0, 0, 0])
    sender.sendText(LARGE, true)
    expect(waiting()).toEqual([0, 100, 100])
    sender.sendText('abc', false)
    expect(waiting()).toEqual([5, 105, 105])
    sender.sendControl(Opcode.PING, Buffer.alloc(0))
    expect(waiting()).toEqual([107, 107, 107])
    codec.finishDeflate()
    expect(waiting()).toEqual([sender.byteLength, sender.byteLength, sender.byteLength])
    lines(sender)
    expect(waiting()).toEqual([0, 0, 0])
  })

  test('tells when the last message is a frame, over several that are compressed one after the other', () => {
    const { sender, codec } = make({ asyncDeflateBytes: 50 })
    const framed: number[] = []
    const ask = (): void => sender.whenFramed((bytes) => framed.push(bytes))
    ask()
    expect(framed).toEqual([0])
    sender.sendText(LARGE, true)
    ask()
    sender.sendText(OTHER, true)
    ask()
    codec.finishDeflate()
    const first = sender.output.byteLength
    expect(framed).toEqual([0, first])
    codec.finishDeflate()
    expect(framed).toEqual([0, first, sender.output.byteLength])
    expect(sender.output.byteLength).toBeGreaterThan(first)
  })

  test('leaves uncompressed if it does not shrink', () => {
    const { sender, codec } = make({ asyncDeflateBytes: 10 })
    sender.sendText('abcdefghijklm', true)
    sender.sendText('n', true)
    codec.finishDeflate()
    expect(lines(sender)).toEqual(['1 abcdefghijklm', '1 n'])
  })

  test("does not change with the caller's bytes after the call", () => {
    const { sender, codec } = make({ asyncDeflateBytes: 50 })
    const first = Buffer.alloc(100, 'a')
    const second = Buffer.alloc(100, 'b')
    const small = Buffer.from('cccc')
    sender.sendBytes(first, true)
    sender.sendBytes(second, true)
    sender.sendBytes(small, false)
    for (const bytes of [first, second, small]) bytes.fill('!')
    codec.finishAll()
    expect(lines(sender)).toEqual([
      `2R ${runs('a'.repeat(100), 0)}`,
      `2R ${runs('b'.repeat(100), 1)}`,
      '2 cccc',
    ])
  })

  test('leaves nothing behind if it is dropped, even if the codec calls back after its close', () => {
    for (const isRude of [false, true]) {
      const { sender, codec, woken } = make({ asyncDeflateBytes: 50, isRude })
      sender.sendText('before', false)
      sender.sendText(LARGE, true)
      sender.sendText('behind', false)
      sender.clear()
      expect(codec.isClosed).toBe(true)
      expect(sender.byteLength).toBe(0)
      expect(sender.isCompressing).toBe(false)
      sender.sendClose(hex('03 f1'))
      codec.finishAll()
      expect(woken()).toBe(0)
      expect(sender.output.take()).toEqual(hex('88 02 03 f1'))
    }
  })
})

describe('messages whose type or frames the caller chooses, for the drop-in for ws', () => {
  test('bytes go out as text, and fragments as they are', () => {
    const sender = new Sender(false, null, { wake: () => undefined })
    sender.sendAs(Opcode.TEXT, Buffer.from('text'), true)
    sender.sendFrame(Opcode.TEXT, Buffer.from('a'))
    sender.sendFrame(0x80 | Opcode.CONTINUATION, Buffer.from('b'))
    expect(sender.output.take()).toEqual(hex('81 04 74 65 78 74 01 01 61 80 01 62'))
  })

  test('they keep their order behind a message that is compressed on the thread pool', () => {
    const { sender, codec } = make({ asyncDeflateBytes: 50 })
    sender.sendText(LARGE, true)
    sender.sendAs(Opcode.TEXT, Buffer.from('compressed'), true)
    sender.sendAs(Opcode.BINARY, Buffer.from('plain'), false)
    sender.sendFrame(0x80 | Opcode.BINARY, Buffer.from('frame'))
    expect(sender.isCompressing).toBe(true)
    codec.finishDeflate()
    const texts = lines(sender)
    expect(texts).toHaveLength(4)
    expect(texts.slice(2)).toEqual(['2 plain', '2 frame'])
  })
})
