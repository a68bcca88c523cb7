/** Large messages that go to many: compressed once, off the loop, while each connection keeps its order. */
import { constants, inflateRawSync } from 'node:zlib'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Connection } from '../../../src/connection/connection.js'
import {
  frameOf,
  PreparedMessage,
  prepareTransient,
  SharedCompression,
} from '../../../src/connection/prepared-message.js'
import type { SharedFrame } from '../../../src/connection/prepared-message.js'
import type { CodecFactory, DeflateCodec } from '../../../src/deflate/deflate-codec.js'
import { hex, readFrames, type WireFrame } from '../../helpers/frame-builder.js'
import { takeFrames } from '../../helpers/pull.js'
import { WAYS, factory, json, noise, TAKEOVER } from '../deflate/codec-pair.js'

const LARGE = json(50_000).toString()
const OTHER = json(40_000, 7).toString()

interface Member {
  readonly connection: Connection
  readonly codec: DeflateCodec
  woken: number
}

function join(codecs: CodecFactory): Member {
  const codec = codecs.createCodec(TAKEOVER)
  const member: Member = {
    codec,
    woken: 0,
    connection: new Connection({ role: 'server', codec, waker: { wake: () => member.woken++ } }),
  }
  return member
}

const leave = ({ connection }: Member): void => {
  connection.transportLost()
  connection.nextEvent()
}

async function until(isTrue: () => boolean): Promise<void> {
  const end = Date.now() + 10_000
  while (!isTrue()) {
    if (Date.now() > end) throw new Error('it does not come')
    await nextTurn()
  }
}

/** The messages of a connection, inflated by zlib itself with its context kept from one to the next. */
function read(frames: readonly WireFrame[]): string[] {
  const stream: Buffer[] = []
  let known = 0
  return frames.map(({ rsv1, payload, text }) => {
    if (!rsv1) return text
    stream.push(payload, hex('00 00 ff ff'))
    const all = inflateRawSync(Buffer.concat(stream), { finishFlush: constants.Z_SYNC_FLUSH })
    const message = all.subarray(known).toString()
    known = all.length
    return message
  })
}

describe.each(WAYS)('a prepared message above asyncThresholdBytes, compressed by %s', (_, usesHandles) => {
  const open = (): CodecFactory =>
    factory('server', usesHandles, { asyncThresholdBytes: 10_000, thresholdBytes: 100 })

  test('is compressed once on the thread pool, and counts in each connection meanwhile', async () => {
    const codecs = open()
    const members = Array.from({ length: 50 }, () => join(codecs))
    const shared = members[0]!.codec.shared
    const atOnce = jest.spyOn(shared, 'encode')
    const later = jest.spyOn(shared, 'encodeLater')
    const message = prepareTransient(LARGE)
    for (const { connection } of members) {
      connection.send(message)
      expect(connection.takeOutput()).toBeNull()
      expect(connection.bufferedBytes).toBe(50_000)
    }
    await until(() => members.every(({ woken }) => woken === 1))
    expect([atOnce.mock.calls.length, later.mock.calls.length]).toEqual([0, 1])
    atOnce.mockRestore()
    later.mockRestore()
    for (const { connection } of members) {
      expect(connection.bufferedBytes).toBeLessThan(30_000)
      const frames = takeFrames(connection)
      expect(frames.map(({ rsv1 }) => rsv1)).toEqual([true])
      expect(read(frames)).toEqual([LARGE])
      expect(connection.bufferedBytes).toBe(0)
    }
    // A connection that sends it later gets the result at once.
    const late = join(codecs)
    late.connection.send(message)
    expect(read(takeFrames(late.connection))).toEqual([LARGE])
    for (const member of [...members, late]) leave(member)
  })

  test('leaves before every message that was sent after it', async () => {
    const codecs = open()
    const members = Array.from({ length: 5 }, () => join(codecs))
    const shared = members[0]!.codec.shared
    const later = jest.spyOn(shared, 'encodeLater')
    const expected = members.map((): string[] => [])
    for (let round = 0; round < 4; round++) {
      const forAll = [LARGE, OTHER, 'short', json(500, round).toString()].map(
        (text) => [text, prepareTransient(text)] as const,
      )
      for (const [i, { connection }] of members.entries()) {
        const own = [`own ${String(i)}`, json(2000, i % 3).toString(), json(20_000, i).toString()]
        for (const text of own) connection.send(text)
        for (const [, message] of forAll) connection.send(message)
        expected[i]!.push(...own, ...forAll.map(([text]) => text))
      }
    }
    for (const { connection } of members) expect(connection.bufferedBytes).toBeGreaterThan(4 * 110_000)
    const received = members.map((): WireFrame[] => [])
    await until(() => {
      for (const [i, { connection }] of members.entries()) received[i]!.push(...takeFrames(connection))
      return received.every((frames) => frames.length === 28)
    })
    for (const [i, frames] of received.entries()) expect(read(frames)).toEqual(expected[i])
    // Two of each round are large.
    expect(later).toHaveBeenCalledTimes(8)
    later.mockRestore()
    for (const { connection } of members) expect(connection.bufferedBytes).toBe(0)
    members.forEach(leave)
  })

  test('reaches the other connections if some are lost, and is cancelled if all are lost', async () => {
    const codecs = open()
    const [first, second, third] = [join(codecs), join(codecs), join(codecs)]
    const message = new PreparedMessage(LARGE)
    for (const { connection } of [first, second]) connection.send(message)
    leave(first)
    expect(first.connection.bufferedBytes).toBe(0)
    await until(() => second.woken === 1)
    expect(first.woken).toBe(0)
    expect(read(takeFrames(second.connection))).toEqual([LARGE])

    const given = new PreparedMessage(OTHER)
    for (const { connection } of [second, third]) connection.send(given)
    leave(second)
    leave(third)
    const late = join(codecs)
    late.connection.send(given)
    expect(late.connection.bufferedBytes).toBe(40_000)
    await until(() => late.woken === 1)
    expect([second.woken, third.woken]).toEqual([1, 0])
    expect(read(takeFrames(late.connection))).toEqual([OTHER])
    leave(late)
  })

  test('leaves uncompressed if it does not shrink', async () => {
    const codecs = open()
    const member = join(codecs)
    const message = new PreparedMessage(noise(30_000))
    member.connection.send(message)
    member.connection.send('after')
    await until(() => member.woken === 1)
    member.connection.send(message)
    const frames = takeFrames(member.connection)
    expect(frames.map(({ opcode, rsv1 }) => [opcode, rsv1])).toEqual([
      [2, false],
      [1, false],
      [2, false],
    ])
    for (const at of [0, 2]) expect(frames[at]!.payload.equals(noise(30_000))).toBe(true)
    leave(member)
  })

  test('leaves before a Close frame that was requested after it', async () => {
    const member = join(open())
    member.connection.send(new PreparedMessage(LARGE))
    member.connection.close(1000, 'bye')
    expect(member.connection.takeOutput()).toBeNull()
    await until(() => member.woken === 1)
    const frames = takeFrames(member.connection)
    expect(frames.map(({ opcode }) => opcode)).toEqual([1, 8])
    expect(read(frames.slice(0, 1))).toEqual([LARGE])
    leave(member)
  })

  test('is copied into private memory if the peer does not read', async () => {
    const codecs = open()
    const [free, blocked] = [join(codecs), join(codecs)]
    blocked.connection.setBlocked(true)
    const message = new PreparedMessage(LARGE)
    for (const { connection } of [free, blocked]) connection.send(message)
    await until(() => blocked.woken === 1)
    const [shared, copied] = [free.connection.takeOutput()!, blocked.connection.takeOutput()!]
    expect(copied.equals(shared)).toBe(true)
    expect(copied.buffer).not.toBe(shared.buffer)
    expect(read(readFrames(copied).frames)).toEqual([LARGE])
    for (const member of [free, blocked]) leave(member)
  })

  test('is compressed by each client with its own context, because masked frames cannot be shared', async () => {
    const codec = factory('client', usesHandles, { asyncThresholdBytes: 10_000 }).createCodec(TAKEOVER)
    let woken = 0
    const connection = new Connection({ role: 'client', codec, waker: { wake: () => woken++ } })
    connection.send(new PreparedMessage(LARGE))
    connection.send(new PreparedMessage(OTHER))
    connection.send('after')
    await until(() => woken === 2)
    const frames = takeFrames(connection)
    expect(frames.every(({ key }) => key !== null)).toBe(true)
    expect(read(frames)).toEqual([LARGE, OTHER, 'after'])
    connection.transportLost()
    connection.nextEvent()
  })
})

describe('connections that wait for one shared compression', () => {
  const frame = frameOf(new PreparedMessage('x'))

  /** A compression that ends when the test says so. */
  function begin() {
    let finish: (frame: SharedFrame | null) => void = () => undefined
    const cancel = jest.fn()
    const compression = new SharedCompression((done) => {
      finish = done
      return cancel
    })
    return { compression, cancel, finish: () => finish(frame) }
  }

  test('all get the result even if one throws, and its error is thrown afterwards', () => {
    const { compression, finish } = begin()
    const told: string[] = []
    const error = new Error('of b')
    for (const name of ['a', 'b', 'c']) {
      compression.join({
        compressionEnded: (result) => {
          expect(result).toBe(frame)
          told.push(name)
          if (name === 'b') throw error
        },
      })
    }
    let thrown: unknown = null
    try {
      finish()
    } catch (caught) {
      thrown = caught
    }
    expect(thrown).toBeInstanceOf(AggregateError)
    expect((thrown as AggregateError).errors).toEqual([error])
    expect(told).toEqual(['a', 'b', 'c'])
  })

  test('get no result after they left, even if an earlier result made them leave', () => {
    const { compression, cancel, finish } = begin()
    const second = { compressionEnded: jest.fn() }
    const first = {
      compressionEnded: jest.fn(() => {
        compression.leave(second)
      }),
    }
    compression.join(first)
    compression.join(second)
    finish()
    expect([first.compressionEnded.mock.calls.length, second.compressionEnded.mock.calls.length]).toEqual([
      1, 0,
    ])
    expect(cancel).not.toHaveBeenCalled()
  })

  test('cancel the work when the last one leaves', () => {
    const { compression, cancel } = begin()
    const [first, second] = [{ compressionEnded: jest.fn() }, { compressionEnded: jest.fn() }]
    compression.join(first)
    compression.join(second)
    compression.leave(first)
    expect(cancel).not.toHaveBeenCalled()
    compression.leave(second)
    expect(cancel).toHaveBeenCalledTimes(1)
  })
})
