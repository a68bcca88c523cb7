// slow: starts, kills and stops redis-server
/** Histories in a redis-server that loses its data or a part of it, ends, stalls, is cut off, or holds something else. */
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { createClient } from 'redis'
import { redisHistory, type BrokerHistory, type Position } from '../../../src/brokers/redis.js'
import { PublishError } from '../../../src/errors.js'
import { BrokerServer, stopBrokers } from '../../helpers/broker-server.js'
import { Programs } from '../../helpers/child.js'
import { FaultProxy } from '../../helpers/fault-proxy.js'
import { HISTORY_CLIENTS, type OpenRedis } from '../../helpers/history-clients.js'
import { LIMITS, newGroup, readAll } from '../../helpers/history-conformance.js'

const closing: (() => unknown)[] = []
let server: BrokerServer
let admin: ReturnType<typeof createClient>
beforeAll(async () => {
  server = await BrokerServer.redis()
  admin = createClient({ url: server.url, socket: { reconnectStrategy: 20 } })
  await admin.on('error', () => undefined).connect()
})
afterAll(() => {
  admin.destroy()
  stopBrokers()
})
let group: string
beforeEach(() => {
  group = newGroup()
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const storeOver = (open: OpenRedis, options: object = {}, url = server.url): BrokerHistory => {
  const { client, close } = open(url)
  closing.push(close)
  return redisHistory({ client, ...options })
}
/** One with the default options and one with others, over one client. */
const storesOver = (open: OpenRedis, options: object): readonly [BrokerHistory, BrokerHistory] => {
  const { client, close } = open(server.url)
  closing.push(close)
  return [redisHistory({ client }), redisHistory({ client, ...options })]
}
const append = async (store: BrokerHistory, ...texts: readonly string[]): Promise<Position> => {
  const positions = await Promise.all(texts.map((text) => store.append(group, text, LIMITS)))
  return positions.at(-1) as Position
}
const textsOf = async (store: BrokerHistory): Promise<readonly unknown[]> =>
  (await readAll(store, group)).messages.map(({ data }) => data)
/** Settled calls: positions, and the messages of errors. */
const settled = async (calls: readonly Promise<Position>[]): Promise<(Position | string)[]> =>
  (await Promise.allSettled(calls)).map((one) =>
    one.status === 'fulfilled' ? one.value : (one.reason as Error).message,
  )
const stream = (): string => `hawser:history:{${group}}`
const state = (): string => `${stream()}:state`

describe.each(Object.entries(HISTORY_CLIENTS))('with %s', (_, open) => {
  it('a server that loses all data begins a new epoch at the next append, and at the next read', async () => {
    const store = storeOver(open)
    const before = await append(store, 'one', 'two')
    await admin.flushAll()
    const page = await store.read(group, 2, 10, LIMITS)
    expect(page).toMatchObject({ newest: 0, oldest: 1, messages: [] })
    expect(page.epoch).not.toBe(before.epoch)
    expect(await append(store, 'three')).toEqual({ epoch: page.epoch, offset: 1 })
    await admin.flushAll()
    const after = await append(store, 'four')
    expect(after.offset).toBe(1)
    expect([before.epoch, page.epoch]).not.toContain(after.epoch)
  })

  it('without the stream the epoch goes on, and what was lost shows', async () => {
    const store = storeOver(open)
    const before = await append(store, 'one', 'two')
    await admin.del(stream())
    expect(await store.read(group, 0, 10, LIMITS)).toEqual({
      epoch: before.epoch,
      newest: 2,
      oldest: 3,
      messages: [],
    })
    expect(await append(store, 'three')).toEqual({ epoch: before.epoch, offset: 3 })
    expect(await store.read(group, 0, 10, LIMITS)).toEqual({
      epoch: before.epoch,
      newest: 3,
      oldest: 3,
      messages: [{ offset: 3, data: 'three' }],
    })
  })

  it.each(['append', 'read'] as const)(
    'without the state a new epoch begins with %s, and the old stream is gone',
    async (first) => {
      const store = storeOver(open)
      const before = await append(store, 'one', 'two')
      await admin.del(state())
      if (first === 'read')
        expect(await store.read(group, 0, 10, LIMITS)).toMatchObject({ newest: 0, oldest: 1 })
      const after = await append(store, 'three')
      expect(after.epoch).not.toBe(before.epoch)
      expect(await store.read(group, 0, 10, LIMITS)).toEqual({
        epoch: after.epoch,
        newest: 1,
        oldest: 1,
        messages: [{ offset: 1, data: 'three' }],
      })
    },
  )

  it('a server that is killed and started again without its data begins a new epoch, and what waited is kept once', async () => {
    const store = storeOver(open)
    const before = await append(store, 'one', 'two')
    await server.kill()
    const waiting = append(store, 'three', 'four')
    await server.start()
    const after = await waiting
    expect(after.offset).toBe(2)
    expect(after.epoch).not.toBe(before.epoch)
    expect(await textsOf(store)).toEqual(['three', 'four'])
  })

  it.each(['append', 'read'] as const)(
    'a server that is started again from an older snapshot begins a new epoch with %s',
    async (first) => {
      const own = await BrokerServer.redis('--dbfilename', 'old.rdb')
      const store = storeOver(open, {}, own.url)
      const before = await append(store, 'one', 'two')
      const saving = await createClient({ url: own.url }).connect()
      await saving.sendCommand(['SAVE'])
      saving.destroy()
      await append(store, 'three')
      await own.kill()
      await own.start()
      if (first === 'read') {
        const page = await store.read(group, 3, 10, LIMITS)
        expect(page).toMatchObject({ newest: 0, oldest: 1, messages: [] })
        expect(page.epoch).not.toBe(before.epoch)
      }
      const after = await append(store, 'another three')
      expect(after.offset).toBe(1)
      expect(after.epoch).not.toBe(before.epoch)
      own.remove()
    },
  )

  it('a server that is killed and has lost nothing goes on where it was', async () => {
    const own = await BrokerServer.redis('--appendonly', 'yes', '--appendfsync', 'always')
    const store = storeOver(open, {}, own.url)
    const { epoch } = await append(store, 'one', 'two')
    await own.kill()
    await own.start()
    expect(await append(store, 'three')).toEqual({ epoch, offset: 3 })
    expect(await textsOf(store)).toEqual(['one', 'two', 'three'])
    own.remove()
  })

  it('a line that is cut in the middle of a burst loses nothing of what was confirmed, and keeps nothing twice', async () => {
    const proxy = await FaultProxy.to(server.port)
    closing.push(() => {
      proxy.close()
    })
    const store = storeOver(open, {}, `redis://127.0.0.1:${String(proxy.port)}`)
    await append(store, 'first')
    const calls: Promise<Position>[] = []
    const names: string[] = []
    for (let i = 0; i < 60; i++) {
      for (let j = 0; j < 10; j++) {
        const text = `${String(i)}.${String(j)}`
        names.push(text)
        calls.push(store.append(group, text, LIMITS))
      }
      await new Promise((resolve) => {
        setImmediate(resolve)
      })
      if (i % 20 === 10) {
        proxy.cut()
        proxy.mend()
      }
    }
    const results = await settled(calls)
    const { epoch, messages } = await readAll(store, group)
    expect(messages.slice(1).map(({ data }) => data)).toEqual(names)
    expect(results).toEqual(names.map((_name, i) => ({ epoch, offset: i + 2 })))
  })

  it('an append whose answer was lost, and which is sent again, is kept once and gets the position that it has', async () => {
    const proxy = await FaultProxy.to(server.port)
    closing.push(() => {
      proxy.close()
    })
    const store = storeOver(open, {}, `redis://127.0.0.1:${String(proxy.port)}`)
    const other = storeOver(open)
    const { epoch } = await append(store, 'first')
    await append(other, 'second')
    server.freeze()
    const lost = append(store, 'third', 'fourth')
    // Its bytes are at the server, which will act on them.
    await delay(50)
    proxy.cut()
    server.thaw()
    while ((await other.read(group, 0, 0, LIMITS)).newest < 4);
    await append(other, 'fifth')
    proxy.mend()
    expect(await lost).toEqual({ epoch, offset: 4 })
    expect(await textsOf(other)).toEqual(['first', 'second', 'third', 'fourth', 'fifth'])
    expect(await append(store, 'sixth')).toEqual({ epoch, offset: 6 })
  })

  it('a server that stalls makes append and read reject in time, and what was late stays in order, once', async () => {
    const [patient, store] = storesOver(open, { timeoutMs: 300 })
    await append(patient, 'before')
    server.freeze()
    const calls = ['a', 'b', 'c'].map((text) => store.append(group, text, LIMITS))
    const page = store.read(group, 0, 10, LIMITS)
    const late = /^reading the history of group "group [\d ]+" failed, as Redis did not answer within 300 ms$/
    await expect(page).rejects.toThrow(late)
    expect(new Set(await settled(calls))).toEqual(
      new Set([
        `appending to the history of group "${group}" failed, as Redis did not answer within 300 ms: what was to be appended may be kept nevertheless`,
      ]),
    )
    const next = settled([store.append(group, 'd', LIMITS)])
    server.thaw()
    await next
    while ((await textsOf(patient)).length < 5);
    expect(await textsOf(patient)).toEqual(['before', 'a', 'b', 'c', 'd'])
  })

  it('a stalled server holds maxQueuedBytes at most, also of what nobody waits for any more', async () => {
    const [patient, store] = storesOver(open, { timeoutMs: 100, maxQueuedBytes: 92_000 })
    await append(patient, 'before')
    server.freeze()
    const results: (Position | string)[] = []
    for (let i = 0; i < 3; i++) {
      results.push(...(await settled([store.append(group, 'x'.repeat(30_000), LIMITS)])))
    }
    results.push(...(await settled([store.append(group, 'x'.repeat(30_000), LIMITS)])))
    await expect(async () => {
      for (;;) {
        const [page] = await Promise.allSettled([store.read(group, 0, 10, LIMITS)])
        if (page.status === 'rejected' && page.reason instanceof RangeError) throw page.reason
      }
    }).rejects.toThrow('maxQueuedBytes is 92000')
    server.thaw()
    expect(
      results
        .slice(0, 3)
        .map((result) => typeof result === 'string' && result.includes('did not answer within 100 ms')),
    ).toEqual([true, true, true])
    expect(results[3]).toMatch(/^\d+ bytes wait for an answer already, and maxQueuedBytes is 92000$/)
    // The room is given back.
    await (async () => {
      for (;;) {
        try {
          return await append(store, 'after')
        } catch {
          await delay(20)
        }
      }
    })()
  }, 60_000)

  it('without a connection append and read reject in time, and nothing of it is kept later', async () => {
    const own = await BrokerServer.redis()
    await own.kill()
    const { client, close } = open(own.url)
    closing.push(close)
    const store = redisHistory({ client, timeoutMs: 300 })
    const listeners = () => (client as unknown as NodeJS.EventEmitter).listenerCount('ready')
    const before = listeners()
    const calls = Array.from({ length: 50 }, (_each, i) => store.append(`${group} ${String(i)}`, 'x', LIMITS))
    // Heard from the beginning: on a busy machine they may be over before the next line.
    const results = settled(calls)
    const page = store.read(group, 0, 10, LIMITS).catch((error: unknown) => (error as Error).message)
    await Promise.resolve()
    await delay(20)
    expect(listeners()).toBeLessThanOrEqual(before + 1)
    expect(await page).toBe(
      `reading the history of group "${group}" failed, as the client of Redis was not connected for 300 ms: it was not sent`,
    )
    for (const message of await results)
      expect(message).toMatch(/was not connected for 300 ms: it was not sent$/)
    // The wait that all share ends with the last of them.
    while (listeners() > before) await delay(10)
    await own.start()
    await (async () => {
      for (;;) {
        const [result] = await settled([store.append(group, 'later', LIMITS)])
        if (typeof result === 'object') return
      }
    })()
    const patient = redisHistory({ client })
    expect(await patient.read(`${group} 0`, 0, 10, LIMITS)).toMatchObject({ newest: 0 })
    expect((await textsOf(patient)).at(-1)).toBe('later')
    own.remove()
  })

  it('a client that is closed rejects at once', async () => {
    const { client, close } = open(server.url)
    const store = redisHistory({ client })
    await append(store, 'before')
    await close()
    await expect(append(store, 'after')).rejects.toThrow(
      /^appending to the history of group "group [\d ]+" failed: .*closed/i,
    )
    await expect(store.read(group, 0, 1, LIMITS)).rejects.toThrow(/^reading .*closed/i)
  })

  it('what is under our keys and is not ours is a clear error, is not trusted, and stays', async () => {
    const store = storeOver(open)
    const expectError = async (message: RegExp): Promise<void> => {
      await expect(append(store, 'x')).rejects.toThrow(message)
      await expect(store.read(group, 0, 10, LIMITS)).rejects.toThrow(message)
    }
    await admin.set(state(), 'a text')
    await expectError(/WRONGTYPE/)
    expect(await admin.get(state())).toBe('a text')
    for (const fields of [
      { some: 'thing' },
      { epoch: 'e' },
      { newest: '5' },
      { epoch: 'e', newest: '-1' },
      { epoch: 'e', newest: '1e3' },
      { epoch: 'e', newest: '9'.repeat(20) },
      { epoch: 'e'.repeat(65), newest: '5' },
    ]) {
      await admin.del(state())
      await admin.hSet(state(), fields)
      await expectError(
        /FOREIGN the key hawser:history:.*:state holds something else than a history of Hawser/,
      )
    }
    await admin.hSet(state(), { epoch: '<script>', newest: '5' })
    await expect(store.read(group, 0, 10, LIMITS)).rejects.toThrow(
      /holds something that Hawser did not write/,
    )
    await admin.del(state())
    await admin.set(stream(), 'a text')
    await expectError(/FOREIGN the key hawser:history:.* holds something else than a history of Hawser/)
    expect(await admin.get(stream())).toBe('a text')
    await admin.del(stream())
    await append(store, 'fine')
    await admin.set(stream(), 'a text')
    await expectError(/WRONGTYPE/)
    for (const entries of [
      [['1-now', { x: 'no such field' }]],
      [['1-now', { t: 'one', b: 'two' }]],
      // A gap, in the middle and at the end.
      [
        ['1-now', { t: 'one' }],
        ['3-now', { t: 'three' }],
      ],
      [['1-now', { t: 'one' }]],
    ] as const) {
      await admin.del(stream())
      for (const [id, entry] of entries)
        await admin.xAdd(stream(), id.replace('now', String(Date.now())), entry)
      await admin.hSet(state(), { newest: '3' })
      await expect(readAll(store, group)).rejects.toThrow(/FOREIGN|holds something that Hawser did not write/)
    }
    // What is written over it by hand, with a higher offset, takes no message.
    await admin.xAdd(stream(), '9-1', { t: 'nine' })
    await expect(append(store, 'x')).rejects.toThrow(/equal or smaller/)
  })

  it('after the scripts are forgotten the order stays', async () => {
    const store = storeOver(open)
    const calls: Promise<Position>[] = []
    for (let i = 0; i < 300; i++) {
      calls.push(store.append(group, String(i), LIMITS))
      if (i % 10 === 0) await admin.scriptFlush()
    }
    const positions = await Promise.all(calls)
    expect(positions.map(({ offset }) => offset)).toEqual(positions.map((_each, i) => i + 1))
    expect(await textsOf(store)).toEqual(positions.map((_each, i) => String(i)))
  })

  it('a message that is larger than maxMessageBytes is refused', async () => {
    const store = storeOver(open, { maxMessageBytes: 1024 })
    await expect(append(store, 'x'.repeat(1025))).rejects.toThrow(
      new PublishError(
        'HAWSER_PUBLISH_TOO_BIG',
        `a message for group "${group}" has 1025 bytes, and maxMessageBytes is 1024`,
      ),
    )
    expect((await append(store, 'x'.repeat(1024))).offset).toBe(1)
  })
})

const redis6 = HISTORY_CLIENTS['redis 6']

it('both keys expire after the last use: the stream after maxAgeMs, the state later, and both at once is a new epoch', async () => {
  const store = storeOver(redis6)
  await store.append(group, 'x', { maxMessages: 10, maxAgeMs: 10_000_000 })
  const [ofStream, ofState] = [await admin.pTTL(stream()), await admin.pTTL(state())]
  expect(ofStream).toBeGreaterThan(9_000_000)
  expect(ofStream).toBeLessThanOrEqual(10_000_000)
  expect(ofState).toBeGreaterThan(39_000_000)
  expect(ofState).toBeLessThanOrEqual(40_000_000)
  const { epoch } = await store.append(group, 'x', { maxMessages: 10, maxAgeMs: 1 })
  expect(await admin.pTTL(state())).toBeGreaterThan(3_500_000)
  // What is read stays.
  await admin.pExpire(state(), 10_000)
  await store.read(group, 0, 0, LIMITS)
  expect(await admin.pTTL(state())).toBeGreaterThan(3_500_000)
  await admin.pExpire(state(), 1)
  await admin.pExpire(stream(), 1)
  while ((await admin.exists([state(), stream()])) > 0);
  const after = await append(store, 'y')
  expect(after.offset).toBe(1)
  expect(after.epoch).not.toBe(epoch)
  await store.append(group, 'x', { maxMessages: Infinity, maxAgeMs: Infinity })
  expect(await admin.pTTL(stream())).toBeGreaterThan(300_000_000_000)
  expect(await textsOf(store)).toEqual(['y', 'x'])
})

it('what is too old is trimmed when more is appended', async () => {
  const store = storeOver(redis6)
  const limits = { maxMessages: 10_000, maxAgeMs: 50 }
  for (let i = 0; i < 10; i++) {
    await Promise.all(Array.from({ length: 100 }, () => store.append(group, 'x'.repeat(100), limits)))
  }
  await delay(1100)
  await store.append(group, 'new', limits)
  // Whole nodes of the stream are taken away, of 4 KB at most.
  expect(await admin.xLen(stream())).toBeLessThan(100)
})

it('a state does not grow with the number of nodes that came and went', async () => {
  const client = await createClient({ url: server.url }).connect()
  closing.push(() => client.destroy())
  for (let i = 0; i < 300; i++) {
    expect((await redisHistory({ client }).append(group, String(i), LIMITS)).offset).toBe(i + 1)
  }
  expect(await admin.hLen(state())).toBeLessThan(140)
})

it('the commands of a turn leave together, and one for each group', async () => {
  const store = storeOver(redis6)
  await append(store, 'first')
  const stats = async () => /cmdstat_evalsha:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1]
  const before = Number(await stats())
  await Promise.all(Array.from({ length: 100 }, (_each, i) => store.append(group, String(i), LIMITS)))
  expect(Number(await stats()) - before).toBe(1)
})

describe('in processes', () => {
  const programs = new Programs()
  afterAll(() => programs.remove())
  const module = (name: string): string =>
    pathToFileURL(path.join(__dirname, `../../../node_modules/${name}`)).href

  it('10,000 appends of two of them at once, with other clients, get 10,000 positions without a gap', async () => {
    const program = (name: string, open: string): string => `
      import { redisHistory } from './src/brokers/redis.js'
      const url = ${JSON.stringify(server.url)}
      ${open}
      const store = redisHistory({ client })
      await new Promise((resolve) => process.stdin.once('data', resolve))
      const offsets = []
      for (let i = 0; i < 5000; ) {
        const calls = []
        for (let n = 0; n < 10; n++) calls.push(store.append(${JSON.stringify(group)}, '${name}' + i++, { maxMessages: 20000, maxAgeMs: 600000 }))
        if (i % 100 === 0) await Promise.all(calls)
        offsets.push(...calls)
      }
      const positions = await Promise.all(offsets)
      if (new Set(positions.map(({ epoch }) => epoch)).size !== 1) throw new Error('more than one epoch')
      console.log('offsets ' + JSON.stringify(positions.map(({ offset }) => offset)))
      process.exit()
    `
    const a = programs.run(
      program(
        'a',
        `
        const { createClient } = (await import(${JSON.stringify(module('redis/dist/index.js'))})).default
        const client = await createClient({ url }).connect()`,
      ),
    )
    const b = programs.run(
      program(
        'b',
        `
        const { Redis } = await import(${JSON.stringify(module('ioredis/built/index.js'))})
        const client = new Redis(url)`,
      ),
    )
    for (const each of [a, b]) each.tell('go')
    const offsets = await Promise.all(
      [a, b].map(async (each) => JSON.parse(await each.value('offsets')) as number[]),
    )
    expect(offsets.flat().sort((x, y) => x - y)).toEqual(Array.from({ length: 10_000 }, (_each, i) => i + 1))
    for (const own of offsets) expect(own).toEqual([...own].sort((x, y) => x - y))
    const store = storeOver(redis6)
    const { messages } = await readAll(store, group, 0, { maxMessages: 20_000, maxAgeMs: 600_000 })
    expect(messages.length).toBe(10_000)
    for (const [i, name] of ['a', 'b'].entries()) {
      for (const [n, offset] of (offsets[i] as number[]).entries()) {
        expect(messages[offset - 1]?.data).toBe(name + String(n))
      }
    }
  }, 60_000)
})
