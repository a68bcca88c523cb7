/** RFC 6455 section 10: whatever a peer does at whatever stage, the server goes on to serve. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { WebSocketServer } from '../../src/index.js'
import { closeFrame, frame, frameHeader, KEY, OP } from '../helpers/frame-builder.js'
import { openRaw, requestHead, upgradeRaw, type RawPeer } from '../helpers/raw-peer.js'
import { serve, stopServing } from '../helpers/serving.js'

afterEach(stopServing)

/** No listener for errors anywhere: neither of the service nor of the server. */
const echo = { onMessage: (_: unknown, message: string | Buffer): string | Buffer => message }

const text = (payload: string): Buffer => frame({ opcode: OP.TEXT, payload, key: KEY })

/** One connection from the handshake to a clean end. */
async function roundTrip(port: number): Promise<void> {
  const peer = await upgradeRaw(port)
  peer.write(text('alive'))
  expect((await peer.readFrame()).text).toBe('alive')
  peer.write(closeFrame(1000, '', { key: KEY }))
  expect((await peer.readToClose()).closeCode).toBe(1000)
  peer.end()
  await peer.closed()
}

/** Waits until the server has no connection left, or throws. No call of the server reports that moment. */
async function untilEmpty(server: WebSocketServer): Promise<void> {
  const deadline = performance.now() + 10_000
  while (server.connectionCount > 0) {
    if (performance.now() > deadline) throw new Error(`${server.connectionCount} connections are left`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const head = requestHead()
const long = frame({ opcode: OP.TEXT, payload: 'x'.repeat(1000), key: KEY })

const stages: readonly (readonly [name: string, bytes: string | Buffer])[] = [
  ['before anything', ''],
  ['in the request line', 'GET / HT'],
  ['in the headers', head.slice(0, 60)],
  ['one byte before the end of the head', head.slice(0, -1)],
  ['right behind the head', head],
  ['in the header of a frame', Buffer.concat([Buffer.from(head), long.subarray(0, 3)])],
  ['in the payload of a frame', Buffer.concat([Buffer.from(head), long.subarray(0, 500)])],
  [
    'between fragments',
    Buffer.concat([Buffer.from(head), frame({ opcode: OP.TEXT, fin: false, payload: 'a', key: KEY })]),
  ],
  ['behind a message whose reply is on its way', Buffer.concat([Buffer.from(head), long, long])],
  ['behind a Close frame', Buffer.concat([Buffer.from(head), closeFrame(1000, '', { key: KEY })])],
  ['behind a violation', Buffer.concat([Buffer.from(head), frame({ opcode: 7, key: KEY })])],
  ['behind a request that is rejected', requestHead('/nowhere')],
  ['behind a plain request', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
]

const ends: readonly (readonly [name: string, end: (peer: RawPeer) => void])[] = [
  ['RST', (peer) => peer.reset()],
  ['FIN', (peer) => peer.end()],
  ['FIN, then RST', (peer) => (peer.end(), peer.reset())],
]

describe.each(ends)('a connection that ends by %s', (_, end) => {
  it.each(stages)('does not harm the server at the stage %s', async (_name, bytes) => {
    const { port, server } = await serve(echo)
    const peer = await openRaw(port)
    if (bytes.length > 0) {
      peer.socket.write(bytes)
      // Once with all bytes sent before, and below once with the server in the middle of them.
      await roundTrip(port)
    }
    end(peer)
    await roundTrip(port)
    const hasty = await openRaw(port)
    if (bytes.length > 0) hasty.socket.write(bytes)
    end(hasty)
    await roundTrip(port)
    await untilEmpty(server)
    await server.close()
    expect(server.connectionCount).toBe(0)
  })
})

describe('malformed input', () => {
  it.each<[string, Buffer]>([
    ['not masked', frame({ opcode: OP.TEXT, payload: 'x' })],
    ['a reserved bit', frame({ opcode: OP.TEXT, rsv2: true, payload: 'x', key: KEY })],
    ['a reserved opcode', frame({ opcode: 0xb, key: KEY })],
    ['a length of 2^63', frameHeader({ opcode: OP.BINARY, announce: 2n ** 63n, key: KEY })],
    ['a length of 2^63 - 1', frameHeader({ opcode: OP.BINARY, announce: 2n ** 63n - 1n, key: KEY })],
    ['a ping of 126 bytes', frame({ opcode: OP.PING, payload: 'x'.repeat(126), key: KEY })],
    ['a Close of one byte', frame({ opcode: OP.CLOSE, payload: [3], key: KEY })],
    ['a Close with 1005', closeFrame(1005, '', { key: KEY })],
    ['a continuation of nothing', frame({ opcode: OP.CONTINUATION, key: KEY })],
    ['zeros', Buffer.alloc(1000)],
    ['ones', Buffer.alloc(1000, 0xff)],
    ['HTTP', Buffer.from(head)],
    ['TLS', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
  ])('gets one Close frame, and the next connection is served: %s', async (_, bytes) => {
    const { port, server } = await serve(echo)
    const peer = await upgradeRaw(port)
    peer.write(bytes, text('behind it'))
    expect([1002, 1009]).toContain((await peer.readToClose()).closeCode)
    expect(await peer.ended()).toHaveLength(0)
    // It goes on as if nothing had been, and then resets.
    peer.write(bytes)
    peer.reset()
    await roundTrip(port)
    await untilEmpty(server)
  })
})

describe('2,000 connections, one after the other', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void

  it('leave no connection behind', async () => {
    const { port, server } = await serve(echo)
    const churn = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        if (i % 2 === 0) {
          await roundTrip(port)
          continue
        }
        const peer = await upgradeRaw(port)
        peer.write(text('x'))
        peer.reset()
      }
      await untilEmpty(server)
    }
    const used = async (): Promise<number> => {
      // Twice, with a turn between: what finalizers let go is collected as well.
      collect()
      await new Promise((resolve) => setImmediate(resolve))
      collect()
      const { heapUsed, external } = process.memoryUsage()
      return heapUsed + external
    }
    // What is made once, in both roles, is there by then: it is some 2 MB with the counters of the coverage, and comes within the first 2,000.
    await churn(2_000)
    const before = await used()
    await churn(2_000)
    expect(server.connectionCount).toBe(0)
    // 1 KiB a connection would be 2 MiB.
    expect((await used()) - before).toBeLessThan(2_000 * 1024)
  }, 120_000)
})
