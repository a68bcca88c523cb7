// slow: slow peers, by every transport
/** Large messages on their way out: whose bytes they are, when they are copied, and that they arrive as they were. */
import { createHash, randomBytes } from 'node:crypto'
import type { Socket } from '../../src/index.js'
import { isNativeOn } from '../../src/native/native-switch.js'
import { KIB, MIB, open, pause, stopAll, until, WAYS, type Way } from '../helpers/liveness.js'
import { arrayBufferBytes } from '../helpers/memory.js'
import type { SlowPeer } from '../helpers/slow-peer.js'

afterEach(stopAll)

const sha1 = (bytes: Uint8Array): string => createHash('sha1').update(bytes).digest('hex')

const serve = (way: Way, options = {}): ReturnType<typeof open> => open(['server', way], {}, options)

/** Waits until the peer read so many messages of this kind and size. */
async function large(peer: SlowPeer, count: number): Promise<readonly (string | undefined)[]> {
  const seen = (): (string | undefined)[] =>
    peer.frames.filter(({ op, length }) => op === 2 && length >= 16 * KIB).map((frame) => frame.sha1)
  await until(`${count} large messages`, () => seen().length === count)
  return seen()
}

describe.each(WAYS)('%s', (way) => {
  it('messages of every size arrive in the order of the calls, sent in one turn and one by one', async () => {
    const { socket, peer } = await serve(way, { limits: { maxBufferedOutputBytes: 64 * MIB } })
    peer.readAll()
    const sizes = [
      16_383, 16_384, 16_385, 65_526, 65_535, 65_536, 69_622, 69_632, 70_000, 131_072, 200_000, 1_500_000,
    ]
    const sums: string[] = []
    const send = (size: number): void => {
      const bytes = randomBytes(size)
      sums.push(sha1(bytes))
      socket.send(`before ${size}`)
      socket.send(bytes)
      socket.ping('p')
    }
    sizes.forEach(send)
    for (const size of sizes) {
      send(size)
      await socket.drained()
      await pause(1)
    }
    socket.send('end')
    await peer.frame(({ text }) => text === 'end')
    const expected = [...sizes, ...sizes].flatMap((size, index) => [`before ${size}`, sums[index], 'p'])
    expect(peer.frames.map(({ text, sha1: sum }) => text ?? sum)).toEqual([...expected, 'end'])
  })

  it('bytes may be changed once write has resolved', async () => {
    const { socket, peer } = await serve(way)
    peer.do({ do: 'read', bytes: 64 * KIB, everyMs: 1 })
    const sums: string[] = []
    const bytes = Buffer.alloc(MIB)
    for (const size of [16 * KIB, 64 * KIB, 100 * KIB, MIB]) {
      const message = bytes.subarray(0, size)
      randomBytes(size).copy(message)
      sums.push(sha1(message))
      await socket.write(message)
      message.fill(0)
    }
    peer.readAll()
    expect(await large(peer, 4)).toEqual(sums)
  })

  it('bytes may be changed at once with copy: true, and small ones always', async () => {
    const { socket, peer } = await serve(way, { limits: { maxBufferedOutputBytes: 64 * MIB } })
    const sums: string[] = []
    const send = (size: number, how: (bytes: Buffer) => unknown): void => {
      const bytes = randomBytes(size)
      sums.push(sha1(bytes))
      how(bytes)
      bytes.fill(0)
    }
    for (const size of [16 * KIB, 100 * KIB, MIB]) send(size, (bytes) => socket.send(bytes, { copy: true }))
    // While the transport is blocked as well.
    for (const size of [16 * KIB, 100 * KIB])
      send(size, (bytes) => socket.send(bytes, { copy: true, compress: false }))
    send(17 * KIB, (bytes) => void socket.write(bytes, { copy: true }))
    send(16 * KIB - 1, (bytes) => socket.send(bytes))
    peer.readAll()
    await until('all messages', () => peer.frames.length === sums.length)
    expect(peer.frames.map((frame) => frame.sha1)).toEqual(sums)
  })

  it('what waits behind a blocked transport is the connection’s own, and is counted as ever', async () => {
    const { socket, peer } = await serve(way)
    socket.send(Buffer.alloc(4 * MIB, 1))
    await pause(20)
    const before = socket.bufferedAmount
    expect(before).toBeGreaterThan(3 * MIB)
    const later = Buffer.alloc(100 * KIB, 2)
    const sum = sha1(later)
    socket.send(later)
    expect(socket.bufferedAmount - before).toBe(100 * KIB + 10)
    later.fill(3)
    peer.readAll()
    expect((await large(peer, 2))[1]).toBe(sum)
  })

  it('a message that is transferred away while it waits ends this connection at the most', async () => {
    const { socket, peer, journal } = await serve(way)
    const lost = new Uint8Array(8 * MIB).fill(1)
    socket.send(lost)
    await pause(20)
    expect(socket.bufferedAmount).toBeGreaterThan(6 * MIB)
    structuredClone(lost.buffer, { transfer: [lost.buffer] })
    expect(lost).toHaveLength(0)
    peer.readAll()
    await until('the end, or the message', () => peer.frames.length === 1 || peer.end !== null)
    if (way === 'by the handle' && isNativeOn) {
      expect(peer.frames).toMatchObject([{ op: 2, length: 8 * MIB }])
    } else {
      await until('the error', () => journal.lines.length >= 2)
      expect(journal.lines[0]).toMatch(/^error HAWSER_/)
    }
    const other = await serve(way)
    other.peer.readAll()
    other.socket.send('alive')
    await other.peer.frame(({ text }) => text === 'alive')
  })
})

/** How much memory waits for peers that do not read, when all get the same bytes. */
async function waitingFor(way: Way, count: number, send: (socket: Socket) => unknown): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: count }, () => serve(way)))
  const before = arrayBufferBytes()
  for (const { socket } of sockets) send(socket)
  await pause(50)
  for (const { socket } of sockets) expect(socket.bufferedAmount).toBeGreaterThan(6 * MIB)
  return arrayBufferBytes() - before
}

it('bytes that many peers wait for are in memory once, and with copy: true for each', async () => {
  const bytes = Buffer.alloc(8 * MIB)
  expect(await waitingFor('by the handle', 6, (socket) => socket.send(bytes))).toBeLessThan(2 * MIB)
  expect(await waitingFor('by the stream', 6, (socket) => socket.send(bytes))).toBeLessThan(2 * MIB)
  expect(
    await waitingFor('by the handle', 6, (socket) => socket.send(bytes, { copy: true })),
  ).toBeGreaterThan(32 * MIB)
})
