// slow: memory is measured over thousands of connections
import { createHook } from 'node:async_hooks'
import { Connection } from '../../src/connection/connection.js'
import type { ConnectionEvent } from '../../src/connection/events.js'
import { createCodecFactory, resolveDeflateOptions, type CodecFactory } from '../../src/deflate/index.js'
import { LimitError, TransportError } from '../../src/errors.js'
import { closeFrame, frame, KEY, readFrames } from '../helpers/frame-builder.js'
import { bytesInUse } from '../helpers/memory.js'
import { pullAll } from '../helpers/pull.js'

/** The handles of zlib that are alive. */
const handles = new Set<number>()
createHook({
  init: (id, type) => {
    if (type === 'ZLIB') handles.add(id)
  },
  destroy: (id) => {
    handles.delete(id)
  },
}).enable()

const AGREED = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: 15,
  clientMaxWindowBits: 15,
}
const MIB = 1024 * 1024
const TEXT = Buffer.from(Array.from({ length: 20_000 }, (_, i) => `line ${i * i}\n`).join(''))

/** The ways in which a connection may end while its work runs. */
const ENDS: { readonly [name: string]: (one: Connection) => void } = {
  abandon: (one) => one.abandon(),
  'transport lost': (one) => one.transportLost(),
  'transport lost with an error': (one) => one.transportLost(new TransportError('reset')),
  'end, then lost': (one) => {
    one.receiveEnd()
    setImmediate(() => one.transportLost())
  },
  close: (one) => one.close(1000),
  fail: (one) => one.fail(1011),
  'over a limit': (one) => one.failOverLimit(new LimitError('HAWSER_SLOW_CONSUMER', 1, 2), false),
  'over a limit, dropping': (one) => one.failOverLimit(new LimitError('HAWSER_SLOW_CONSUMER', 1, 2), true),
  violation: (one) => one.receiveBytes(frame({ opcode: 3, key: KEY })),
  'the peer closes': (one) => one.receiveBytes(closeFrame(1000, '', { key: KEY })),
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A connection with a running compression and inflation, ended after `turns` turns of the loop. */
async function expectOneEndWhileWorking(
  factories: { server: CodecFactory; client: CodecFactory },
  end: (one: Connection) => void,
  turns: number,
): Promise<void> {
  const compressor = new Connection({ role: 'client', codec: factories.client.createCodec(AGREED) })
  compressor.send(TEXT.toString('latin1').slice(0, 900))
  const incoming: Buffer[] = []
  for (let out = compressor.takeOutput(); out !== null; out = compressor.takeOutput())
    incoming.push(Buffer.from(out))
  compressor.abandon()

  const events: ConnectionEvent[] = []
  const output: Buffer[] = []
  let woken = 0
  const one: Connection = new Connection({
    role: 'server',
    codec: factories.server.createCodec(AGREED),
    waker: { wake: () => woken++ },
  })
  const pump = (): void => {
    events.push(...pullAll(one))
    for (let out = one.takeOutput(); out !== null; out = one.takeOutput()) output.push(Buffer.from(out))
  }
  for (let i = 0; i < 3; i++) {
    one.send(TEXT)
    one.send(`small ${i}`)
  }
  one.receiveBytes(Buffer.concat(incoming))
  pump()
  expect([one.isInflating, one.bufferedBytes > TEXT.length]).toEqual([true, true])
  for (let i = 0; i < turns; i++) {
    await turn()
    pump()
  }
  end(one)
  pump()
  // A driver would end the transport when it is time, or at the end of its patience.
  for (let i = 0; !events.some(({ type }) => type === 'closed'); i++) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    pump()
    if ((one.transportShouldClose() === 'now' && one.bufferedBytes === 0) || i === 50) one.transportLost()
  }
  const types = events.map(({ type }) => type)
  expect(types.filter((type) => type === 'closed')).toHaveLength(1)
  expect(types.at(-1)).toBe('closed')
  expect(types.filter((type) => type === 'error').length).toBeLessThanOrEqual(1)
  const { frames, rest } = readFrames(Buffer.concat(output))
  expect(rest).toHaveLength(0)
  const closeAt = frames.findIndex((f) => f.opcode === 8)
  if (closeAt >= 0) expect(closeAt).toBe(frames.length - 1)
  // In the order of the sends, as far as they got.
  const kinds = frames.filter((f) => f.opcode !== 8).map((f) => (f.opcode === 2 ? 'large' : f.text))
  expect(['large', 'small 0', 'large', 'small 1', 'large', 'small 2'].slice(0, kinds.length)).toEqual(kinds)
  const wokenAtEnd = woken
  for (let i = 0; i < 5; i++) await turn()
  expect(woken).toBe(wokenAtEnd)
  expect([one.nextEvent(), one.takeOutput(), one.bufferedBytes, one.isInflating]).toEqual([
    null,
    null,
    0,
    false,
  ])
}

describe('SECURITY.md: closed while work runs on the thread pool', () => {
  for (const kept of [true, false]) {
    const factories = {
      server: createCodecFactory(
        resolveDeflateOptions({ asyncThresholdBytes: 100, clientNoContextTakeover: false }, 'server')!,
        kept,
      ),
      client: createCodecFactory(resolveDeflateOptions({ thresholdBytes: 0 }, 'client')!, kept),
    }
    const how = kept ? 'kept handles' : 'documented calls'

    test.each(Object.entries(ENDS))(
      `${how}: the connection ends correctly by %s, at every step`,
      async (_, end) => {
        for (let turns = 0; turns < 12; turns++) await expectOneEndWhileWorking(factories, end, turns)
      },
    )

    test(`${how}: contexts, handles and memory return to their start values`, async () => {
      const round = async (): Promise<void> => {
        await Promise.all(
          Object.values(ENDS).flatMap((end) =>
            [0, 1, 3].map((turns) => expectOneEndWhileWorking(factories, end, turns)),
          ),
        )
        for (let i = 0; i < 20; i++) await turn()
      }
      await round()
      await round()
      const before = bytesInUse()
      await turn()
      const alive = handles.size
      for (let i = 0; i < 4; i++) await round()
      expect(bytesInUse() - before).toBeLessThan(4 * MIB)
      await turn()
      // 120 connections later; a job that was given up may still be ending.
      expect(handles.size).toBeLessThan(alive + 10)
      expect(factories.server.sharedContextBytes).toBe(0)
    })
  }
})
