/** A message that is not copied on its way out: in every order with others, and what becomes of it when it has to wait. */
import { Connection, PreparedMessage } from '../../../src/connection/index.js'
import { HELD_PAYLOAD_BYTES } from '../../../src/connection/held-payload.js'
import { WriteQueue } from '../../../src/connection/write-queue.js'
import { closeFrame, frame, OP, readFrames } from '../../helpers/frame-builder.js'

const BINARY = 0x82
const KIB = 1024

/** All that waits, as a driver takes it that writes two pieces in one go. */
function takeAll(queue: WriteQueue): Buffer[] {
  const taken: Buffer[] = []
  for (let bytes = queue.take(); bytes !== null; bytes = queue.take()) {
    taken.push(bytes)
    const held = queue.takeHeld()
    if (held !== null) taken.push(Buffer.from(held.buffer, held.byteOffset, held.length))
  }
  return taken
}

const bytesOf = (length: number, fill: number): Buffer => Buffer.alloc(length, fill)
const binary = (payload: Uint8Array): Buffer => frame({ opcode: OP.BINARY, payload })

describe('a payload that is held', () => {
  test('is taken after the frames before it, as it was given', () => {
    const queue = new WriteQueue(false)
    const payload = bytesOf(20 * KIB, 7)
    queue.appendText(0x81, 'before')
    queue.appendHeld(BINARY, payload)
    expect([queue.byteLength, queue.isHolding]).toEqual([8 + 4 + payload.length, true])
    expect(queue.takeHeld()).toBeNull()
    expect(queue.take()).toEqual(
      Buffer.concat([frame({ opcode: OP.TEXT, payload: 'before' }), Buffer.of(0x82, 126, 0x50, 0)]),
    )
    expect(queue.byteLength).toBe(payload.length)
    expect(queue.takeHeld()).toBe(payload)
    expect([queue.byteLength, queue.isHolding, queue.takeHeld(), queue.take()]).toEqual([
      0,
      false,
      null,
      null,
    ])
  })

  test('stays when the output is dropped after its header was taken: the frame would be cut', () => {
    const queue = new WriteQueue(false)
    const payload = bytesOf(20 * KIB, 7)
    queue.appendHeld(BINARY, payload)
    expect(queue.take()).toEqual(Buffer.of(0x82, 126, 0x50, 0))
    queue.clear()
    expect([queue.byteLength, queue.isHolding]).toEqual([payload.length, true])
    expect(queue.takeHeld()).toBe(payload)
    queue.appendHeld(BINARY, payload)
    queue.clear()
    expect([queue.byteLength, queue.isHolding, queue.take()]).toEqual([0, false, null])
  })

  test('is what take returns next where nobody asks for it', () => {
    const queue = new WriteQueue(false)
    const payload = new Uint8Array(70 * KIB).fill(3)
    queue.appendHeld(BINARY, payload)
    const header = queue.take()!
    const rest = queue.take()!
    expect(Buffer.isBuffer(rest)).toBe(true)
    expect(rest.buffer).toBe(payload.buffer)
    expect(Buffer.concat([header, rest]).equals(binary(payload))).toBe(true)
    expect([queue.take(), queue.byteLength]).toEqual([null, 0])
  })

  test('what may be reused after a write is never the memory before it', () => {
    const queue = new WriteQueue(false)
    queue.appendBytes(BINARY, bytesOf(40 * KIB, 1))
    queue.appendHeld(BINARY, bytesOf(40 * KIB, 2))
    const first = queue.take()!
    const copy = Buffer.from(first)
    queue.take()
    queue.recycle()
    const other = new WriteQueue(false)
    other.appendBytes(BINARY, bytesOf(40 * KIB, 3))
    expect(first.equals(copy)).toBe(true)
  })

  test.each([
    ['one byte less than the threshold', HELD_PAYLOAD_BYTES - 1, false, false],
    ['a masked one', HELD_PAYLOAD_BYTES, true, false],
    ['one that has to wait for the transport', HELD_PAYLOAD_BYTES, false, true],
  ])('is copied at once: %s', (_, length, masked, isBlocked) => {
    const queue = new WriteQueue(masked)
    queue.isBlocked = isBlocked
    const payload = bytesOf(length, 1)
    queue.appendHeld(BINARY, payload)
    expect(queue.isHolding).toBe(false)
    payload.fill(2)
    expect(readFrames(Buffer.concat(takeAll(queue))).frames[0]!.payload.equals(bytesOf(length, 1))).toBe(true)
  })

  test('is copied by whatever follows it', () => {
    const shared = Buffer.concat([frame({ opcode: OP.TEXT, payload: 'shared' })])
    for (const follow of [
      (queue: WriteQueue) => queue.appendText(0x81, 'x'),
      (queue: WriteQueue) => queue.appendBytes(0x89, Buffer.alloc(0)),
      (queue: WriteQueue) => queue.appendShared(shared, 0, shared.length),
      (queue: WriteQueue) => queue.appendHeld(BINARY, bytesOf(20 * KIB, 9)),
    ]) {
      for (const length of [HELD_PAYLOAD_BYTES, 63 * KIB, 64 * KIB, 1024 * KIB]) {
        const queue = new WriteQueue(false)
        const payload = bytesOf(length, 1)
        queue.appendHeld(BINARY, payload)
        follow(queue)
        payload.fill(2)
        const waited = queue.byteLength
        const wire = Buffer.concat(takeAll(queue))
        const { frames, rest } = readFrames(wire)
        expect([frames.length, rest.length, wire.length]).toEqual([2, 0, waited])
        expect(frames[0]!.payload.equals(bytesOf(length, 1))).toBe(true)
      }
    }
  })

  test('is dropped with the rest', () => {
    const queue = new WriteQueue(false)
    queue.appendHeld(BINARY, bytesOf(20 * KIB, 1))
    queue.clear()
    expect([queue.byteLength, queue.isHolding, queue.take(), queue.takeHeld()]).toEqual([
      0,
      false,
      null,
      null,
    ])
    queue.appendText(0x81, 'a')
    expect(queue.take()).toEqual(Buffer.from('810161', 'hex'))
  })

  test('zeros stand for bytes that were transferred away: the next frame is still where it should be', () => {
    for (const follow of ['', 'next']) {
      const queue = new WriteQueue(false)
      const payload = new Uint8Array(20 * KIB).fill(1)
      queue.appendHeld(BINARY, payload)
      structuredClone(payload.buffer, { transfer: [payload.buffer] })
      expect(payload).toHaveLength(0)
      if (follow !== '') queue.appendText(0x81, follow)
      const { frames, rest } = readFrames(Buffer.concat(takeAll(queue)))
      expect(rest).toHaveLength(0)
      expect(frames[0]!.payload.equals(Buffer.alloc(20 * KIB))).toBe(true)
      expect(frames.slice(1).map(({ text }) => text)).toEqual(follow === '' ? [] : [follow])
    }
  })
})

/** What may happen to a queue; each gives what it adds to the wire. */
const STEPS: Readonly<Record<string, (queue: WriteQueue, fill: number) => Buffer>> = {
  text: (queue, fill) => {
    queue.appendText(0x81, `text ${fill}`)
    return frame({ opcode: OP.TEXT, payload: `text ${fill}` })
  },
  'a large copy': (queue, fill) => {
    queue.appendBytes(BINARY, bytesOf(17 * KIB, fill))
    return binary(bytesOf(17 * KIB, fill))
  },
  held: (queue, fill) => {
    queue.appendHeld(BINARY, bytesOf(16 * KIB, fill))
    return binary(bytesOf(16 * KIB, fill))
  },
  'a large one held': (queue, fill) => {
    queue.appendHeld(BINARY, bytesOf(80 * KIB, fill))
    return binary(bytesOf(80 * KIB, fill))
  },
  shared: (queue, fill) => {
    const shared = frame({ opcode: OP.TEXT, payload: `shared ${fill}` })
    queue.appendShared(shared, 0, shared.length)
    return shared
  },
  'a large shared one': (queue, fill) => {
    const shared = binary(bytesOf(70 * KIB, fill))
    queue.appendShared(shared, 0, shared.length)
    return shared
  },
  ping: (queue, fill) => {
    queue.appendBytes(0x89, Buffer.of(fill))
    return frame({ opcode: OP.PING, payload: Buffer.of(fill) })
  },
  block: (queue) => {
    queue.copyHeld()
    queue.isBlocked = true
    return Buffer.alloc(0)
  },
  unblock: (queue) => {
    queue.isBlocked = false
    return Buffer.alloc(0)
  },
}

test('every order of three steps gives the same bytes, counted, taken at the end or as soon as there are any', () => {
  const names = Object.keys(STEPS)
  for (let order = 0; order < names.length ** 3; order++) {
    const steps = [0, 1, 2, 3].map(
      (place) => names[Math.floor(order / names.length ** place) % names.length]!,
    )
    for (const isEager of [false, true]) {
      const queue = new WriteQueue(false)
      const expected: Buffer[] = []
      const taken: Buffer[] = []
      let waiting = 0
      for (const [index, step] of steps.entries()) {
        const wire = STEPS[step]!(queue, index + 1)
        expected.push(wire)
        waiting += wire.length
        if (queue.byteLength !== waiting) throw new Error(`${steps.join()}: counts ${queue.byteLength}`)
        if (isEager && !queue.isBlocked) {
          taken.push(...takeAll(queue))
          waiting = 0
        }
      }
      taken.push(...takeAll(queue))
      const isSame = Buffer.concat(taken).equals(Buffer.concat(expected))
      if (!isSame || queue.byteLength !== 0) throw new Error(`${steps.join()}: other bytes`)
    }
  }
  expect(names).toHaveLength(9)
})

test('a large frame that many share is not copied for those whose transport is blocked', () => {
  const message = new PreparedMessage(Buffer.alloc(100 * KIB, 1))
  const memories = [1, 2].map(() => {
    const connection = new Connection({ role: 'server' })
    connection.setBlocked(true)
    connection.send(message)
    return connection.takeOutput()!.buffer
  })
  expect(memories[0]).toBe(memories[1])
})

describe('a connection whose driver writes directly after the call', () => {
  const LENGTH = 100 * KIB
  const held = (
    data: Uint8Array | ArrayBuffer | SharedArrayBuffer,
    options?: { copy?: boolean },
  ): boolean => {
    const connection = new Connection({ role: 'server' })
    connection.send(data, options, true)
    return connection.isHolding
  }

  test('holds bytes, and the whole of an ArrayBuffer', () => {
    expect([held(Buffer.alloc(LENGTH)), held(new Uint8Array(LENGTH)), held(new ArrayBuffer(LENGTH))]).toEqual(
      [true, true, true],
    )
    expect(held(Buffer.alloc(LENGTH), { copy: false })).toBe(true)
  })

  test('copies where the caller asks for it, and memory that is shared or can be resized', () => {
    expect(held(Buffer.alloc(LENGTH), { copy: true })).toBe(false)
    expect(held(new SharedArrayBuffer(LENGTH))).toBe(false)
    const resizable = new (ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer)(LENGTH, {
      maxByteLength: 2 * LENGTH,
    })
    expect(held(resizable)).toBe(false)
  })

  test('copies as ever without it, at the client, and what is sent next or has to wait', () => {
    const plain = new Connection({ role: 'server' })
    plain.send(Buffer.alloc(LENGTH))
    const client = new Connection({ role: 'client' })
    client.send(Buffer.alloc(LENGTH), undefined, true)
    const later = new Connection({ role: 'server' })
    later.send(Buffer.alloc(LENGTH), undefined, true)
    later.setBlocked(true)
    expect([plain.isHolding, client.isHolding, later.isHolding]).toEqual([false, false, false])
    for (const connection of [plain, later]) {
      const taken: Buffer[] = []
      for (let bytes = connection.takeOutput(); bytes !== null; bytes = connection.takeOutput())
        taken.push(bytes)
      expect(Buffer.concat(taken).equals(binary(Buffer.alloc(LENGTH)))).toBe(true)
    }
  })

  test('closes after what it holds', () => {
    const connection = new Connection({ role: 'server' })
    const payload = Buffer.alloc(LENGTH, 5)
    connection.send(payload, undefined, true)
    connection.close(1000)
    const taken: Uint8Array[] = []
    for (let bytes = connection.takeOutput(); bytes !== null; bytes = connection.takeOutput())
      taken.push(bytes)
    expect(Buffer.concat(taken).equals(Buffer.concat([binary(payload), closeFrame(1000)]))).toBe(true)
  })

  test('takes options with a wrong value as little as ever', () => {
    const connection = new Connection({ role: 'server' })
    expect(() => connection.send(Buffer.alloc(1), { copy: 1 as never })).toThrow(
      new TypeError('copy must be true or false, not 1'),
    )
  })
})
