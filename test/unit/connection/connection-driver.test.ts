/** What a driver asks a connection, and what it tells it: waiting bytes, lent memory, output that is held or kept. */
import { Connection, type ConnectionOptions } from '../../../src/connection/connection.js'
import { borrowBuffer } from '../../../src/frame/buffer-pool.js'
import { ControlledCodec, encodeRuns } from '../../helpers/controlled-codec.js'
import { frame, frames, KEY, OP, readFrames } from '../../helpers/frame-builder.js'
import { pullAll, pullLines, takeAll } from '../../helpers/pull.js'

const server = (options: Partial<ConnectionOptions> = {}): Connection =>
  new Connection({ role: 'server', ...options })
const masked = (opcode: number, payload: string, fin = true): Buffer =>
  frame({ opcode, payload, fin, key: KEY })

describe('what waits in a connection', () => {
  test('is nothing at first, and a message is neither in parts nor inflated', () => {
    const one = server()
    expect([one.bufferedBytes, one.mostBufferedBytes, one.waitingBytes(true)]).toEqual([0, 0, 0])
    expect([one.isInMessage, one.isInflating, one.isHolding, one.receivedDataBytes]).toEqual([
      false,
      false,
      false,
      0,
    ])
  })

  test('a message that is being compressed counts as waiting unless it is the first', () => {
    const codec = new ControlledCodec({ asyncDeflateBytes: 50 })
    const one = server({ codec })
    one.send('x'.repeat(100))
    expect([one.waitingBytes(true), one.waitingBytes(false), one.bufferedBytes]).toEqual([0, 100, 100])
    one.send('abc')
    expect([one.waitingBytes(true), one.mostBufferedBytes]).toEqual([5, 105])
    one.abandon()
  })

  test('short texts that wait for each other are counted as no fewer bytes than they have', () => {
    const one = server()
    for (let i = 0; i < 10; i++) one.send('text')
    expect(one.mostBufferedBytes).toBeGreaterThanOrEqual(60)
    expect([one.bufferedBytes, one.mostBufferedBytes]).toEqual([60, 60])
    takeAll(one)
  })

  test('whenFramed reports the bytes of the output up to the end of the last message', () => {
    const codec = new ControlledCodec({ asyncDeflateBytes: 50 })
    const one = server({ codec })
    const framed: number[] = []
    one.send('abc')
    one.whenFramed((bytes) => framed.push(bytes))
    expect(framed).toEqual([5])
    one.send('x'.repeat(100))
    one.whenFramed((bytes) => framed.push(bytes))
    expect(framed).toEqual([5])
    codec.finishDeflate()
    expect(framed).toEqual([5, one.bufferedBytes])
  })
})

describe('RFC 6455 5.4: a message in parts', () => {
  test('isInMessage is true from its first part to its last', () => {
    const one = server()
    const states: boolean[] = []
    for (const bytes of [
      masked(OP.TEXT, 'a', false),
      masked(OP.PING, ''),
      masked(OP.CONTINUATION, 'b', false),
      masked(OP.CONTINUATION, 'c'),
    ]) {
      one.receiveBytes(bytes)
      pullAll(one)
      states.push(one.isInMessage)
    }
    expect(states).toEqual([true, true, true, false])
    one.keepInput()
    expect(one.isInMessage).toBe(false)
  })

  test('isInMessage is true while a message is inflated, and false while one only waits to be pulled', () => {
    const codec = new ControlledCodec({ asyncInflateBytes: 0 })
    const one = server({ codec })
    one.receiveBytes(frame({ opcode: OP.TEXT, rsv1: true, payload: encodeRuns('aa'), key: KEY }))
    pullAll(one)
    expect([one.isInMessage, one.isInflating]).toEqual([true, true])
    codec.finishInflate()
    expect([one.isInMessage, one.isInflating]).toEqual([false, false])
    expect(pullLines(one)).toEqual(['text "aa"'])
  })
})

describe('the memory of received bytes', () => {
  test('a chunk is owned unless it is lent: a binary message is a view of it', () => {
    const [owned, lent] = [masked(OP.BINARY, 'bytes'), masked(OP.BINARY, 'bytes')]
    const one = server()
    one.receiveBytes(owned)
    const [first] = pullAll(one)
    one.receiveBytes(lent, 0, true)
    const [second] = pullAll(one)
    one.keepInput()
    owned.fill(0x21)
    lent.fill(0x21)
    expect(first).toMatchObject({ data: Buffer.from('!!!!!') })
    expect(second).toMatchObject({ data: Buffer.from('bytes') })
  })

  test('keepInput copies what was not looked at, and does nothing where no bytes were received', () => {
    const one = server()
    one.keepInput()
    const chunk = frames(
      { opcode: OP.TEXT, payload: 'one', key: KEY },
      { opcode: OP.TEXT, payload: 'two', key: KEY },
    )
    one.receiveBytes(chunk, 0, true)
    expect(one.nextEvent()).toMatchObject({ data: 'one' })
    one.keepInput()
    chunk.fill(0xee)
    expect(pullLines(one)).toEqual(['text "two"'])
  })

  test('is counted in data frames, also after all of it was looked at', () => {
    const one = server()
    one.receiveBytes(masked(OP.TEXT, 'hello'), 0, true)
    pullAll(one)
    expect(one.receivedDataBytes).toBe(7)
    one.keepInput()
    expect(one.receivedDataBytes).toBe(7)
    one.receiveBytes(masked(OP.BINARY, 'abc'), 0, true)
    pullAll(one)
    expect(one.receivedDataBytes).toBe(12)
  })

  test('bytes that are received after the end of the receiving side are not kept', () => {
    const one = server()
    one.fail(1011)
    one.receiveBytes(masked(OP.TEXT, 'ignored'))
    expect((one as unknown as { receiver: unknown }).receiver).toBeNull()
    expect(one.nextEvent()).toBeNull()
  })

  test('a silent connection has no receiver once its input is kept', () => {
    const one = server()
    const receiver = (): unknown => (one as unknown as { receiver: unknown }).receiver
    expect(receiver()).toBeNull()
    one.receiveBytes(masked(OP.TEXT, 'x', false), 0, true)
    pullAll(one)
    one.keepInput()
    expect(receiver()).not.toBeNull()
    one.receiveBytes(masked(OP.CONTINUATION, 'y'), 0, true)
    expect(pullLines(one)).toEqual(['text "xy"'])
    one.keepInput()
    expect(receiver()).toBeNull()
  })
})

describe('the memory of output', () => {
  const LARGE = 200_000

  /** Takes a large message. @returns the memory that it lies in */
  function takeLarge(one: Connection): ArrayBufferLike {
    one.send(Buffer.alloc(LARGE, 1))
    const bytes = one.takeOutput()!
    expect(readFrames(bytes).frames[0]!.payload.equals(Buffer.alloc(LARGE, 1))).toBe(true)
    return bytes.buffer
  }
  const isFree = (memory: ArrayBufferLike): boolean => borrowBuffer(memory.byteLength).buffer === memory

  test('is reused once it was written', () => {
    const one = server()
    const memory = takeLarge(one)
    one.recycleOutput()
    expect(isFree(memory)).toBe(true)
  })

  test('is not reused where the transport keeps it', () => {
    const one = server()
    const memory = takeLarge(one)
    one.forgetOutput()
    one.recycleOutput()
    one.setBlocked(true)
    one.setBlocked(false)
    expect(isFree(memory)).toBe(false)
  })

  test('is reused after a block where the transport only borrowed it', () => {
    const one = server()
    const memory = takeLarge(one)
    one.forgetOutput(true)
    one.setBlocked(true)
    expect(isFree(memory)).toBe(false)
    one.setBlocked(false)
    expect(isFree(memory)).toBe(true)
  })

  test('a message that is held is taken as it was given, after its header', () => {
    const one = server()
    const payload = Buffer.alloc(LARGE, 2)
    one.send(payload, undefined, true)
    expect([one.isHolding, one.takeHeld()]).toEqual([true, null])
    expect(one.takeOutput()).toHaveLength(10)
    expect(one.takeHeld()).toBe(payload)
    expect([one.isHolding, one.takeHeld(), one.takeOutput()]).toEqual([false, null, null])
  })

  test.each([
    [16 * 1024 - 1, false],
    [16 * 1024, true],
  ])('%i bytes are held: %s', (length, isHeld) => {
    const one = server()
    one.send(Buffer.alloc(length), undefined, true)
    expect(one.isHolding).toBe(isHeld)
    takeAll(one)
  })
})

describe('the clock of a connection', () => {
  test('a driver may report room and pauses where neither heartbeat nor idle time is watched yet', () => {
    const one = server({ limits: { heartbeatIntervalMs: 30, idleTimeoutMs: false } })
    one.peerTookBytes(100)
    expect(one.nextTickAt).toBe(130)
    one.readingIsPaused(110)
    expect(one.nextTickAt).toBe(130)
    one.peerTookBytes(120)
    expect(one.nextTickAt).toBe(150)
  })

  test('an idle time that is not watched is never over', () => {
    const one = server({ limits: { heartbeatIntervalMs: false, idleTimeoutMs: false } })
    expect(one.nextTickAt).toBe(Infinity)
    one.tick(1e15)
    expect(one.nextEvent()).toBeNull()
  })
})

describe('what a caller does wrong', () => {
  test('is named by the argument', () => {
    const one = server()
    const wrong = 5 as unknown as string
    expect(() => one.send(wrong)).toThrow(/^data must be /)
    expect(() => one.ping(wrong)).toThrow(/^ping data must be /)
    expect(() => one.pong(wrong)).toThrow(/^pong data must be /)
    expect(one.takeOutput()).toBeNull()
  })
})
