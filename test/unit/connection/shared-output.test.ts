/** Output of many connections that is put off: what a queue knows of it. */
import { ControlledCodec } from '../../helpers/controlled-codec.js'
import { Connection } from '../../../src/connection/connection.js'
import { plainOutputOf } from '../../../src/connection/shared-output.js'
import { batch, type SharedOutput } from '../../../src/connection/text-batch.js'
import { WriteQueue } from '../../../src/connection/write-queue.js'

const FRAME = Buffer.from('\x81\x01a', 'latin1')

/** Puts a frame off for these queues. */
function putOff(...queues: readonly WriteQueue[]): void {
  const shared: SharedOutput = {
    encodeBatch: () => {
      batch.clear()
      for (const queue of queues) queue.appendShared(FRAME, 0, FRAME.length)
    },
  }
  batch.share(shared)
}

const taken = (queue: WriteQueue): string => queue.take()?.toString('latin1') ?? ''

describe('a frame that is put off for many queues', () => {
  test.each([
    ['byteLength', (queue: WriteQueue) => queue.byteLength],
    ['mostBytes', (queue: WriteQueue) => queue.mostBytes],
    ['take', (queue: WriteQueue) => queue.take()?.length],
  ])('is in each queue as soon as one is asked for %s', (_, look) => {
    const queues = [new WriteQueue(false), new WriteQueue(false)] as const
    putOff(...queues)
    expect(look(queues[1])).toBe(FRAME.length)
    expect(batch.shared).toBeNull()
    expect(taken(queues[0])).toBe('\x81\x01a')
  })

  test.each([
    ['text', (queue: WriteQueue) => queue.appendText(0x81, 'b'), '\x81\x01b'],
    ['bytes', (queue: WriteQueue) => queue.appendBytes(0x82, Buffer.from('b')), '\x82\x01b'],
    ['a shared frame', (queue: WriteQueue) => queue.appendShared(FRAME, 0, 3), '\x81\x01a'],
  ])('leaves before %s that is queued after it', (_, append, last) => {
    const queue = new WriteQueue(false)
    putOff(queue)
    append(queue)
    expect(taken(queue)).toBe(`\x81\x01a${last}`)
  })

  test('leaves after text that waited to be encoded with other text', () => {
    const queue = new WriteQueue(false)
    for (const text of ['x', 'y', 'z']) queue.appendText(0x81, text)
    putOff(queue)
    expect(taken(queue)).toBe('\x81\x01x\x81\x01y\x81\x01z\x81\x01a')
  })

  test('is dropped with a queue that is cleared, and stays in the others', () => {
    const queues = [new WriteQueue(false), new WriteQueue(false)] as const
    putOff(...queues)
    queues[0].clear()
    expect(queues[0].take()).toBeNull()
    expect(taken(queues[1])).toBe('\x81\x01a')
  })
})

describe('plainOutputOf', () => {
  test('is the queue of a server without a codec, and null where frames are masked or encoded for each', () => {
    expect(plainOutputOf(new Connection({ role: 'server' }))).toBeInstanceOf(WriteQueue)
    expect(plainOutputOf(new Connection({ role: 'client' }))).toBeNull()
    expect(plainOutputOf(new Connection({ role: 'server', codec: new ControlledCodec() }))).toBeNull()
  })
})
