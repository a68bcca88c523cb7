import { Redis } from 'ioredis'
import { createClient, createCluster, createSentinel } from 'redis'
import { createClient as createClient4, createCluster as createCluster4 } from 'redis4'
import { jetStreamHistory, type NatsHistoryConnection } from '../../../src/brokers/nats.js'
import {
  redisBackplane,
  redisHistory,
  type RedisClient,
  type RedisHistoryClient,
} from '../../../src/brokers/redis.js'

const connection: NatsHistoryConnection = {
  request: () => Promise.reject(new Error('not connected')),
  flush: () => Promise.resolve(),
  status: () => [] as unknown as AsyncIterable<unknown>,
  isClosed: () => true,
}

describe('redisHistory', () => {
  it('takes clients of redis 4 and 6, of ioredis, and of clusters, connects none of them, and needs no cast', () => {
    const clients = [
      createClient(),
      createClient({ RESP: 2 }),
      createClient4(),
      createCluster({ rootNodes: [{ url: 'redis://127.0.0.1:1' }] }),
      createCluster4({ rootNodes: [{ url: 'redis://127.0.0.1:1' }] }),
      new Redis({ lazyConnect: true }),
      new Redis.Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true }),
    ]
    for (const client of clients) expect(redisHistory({ client })).toHaveProperty('append')
    expect(
      clients.map((client) => ('isOpen' in client ? client.isOpen : (client as Redis).status === 'ready')),
    ).toEqual(clients.map(() => false))
  })

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    ['redis://:secret@localhost', 'a string'],
    [{}, 'an object'],
    [{ duplicate: () => undefined }, 'an object'],
    [createClient, 'a function'],
  ])('refuses what is not a client at once, without showing it: %#', (client, shown) => {
    expect(() => redisHistory({ client: client as RedisHistoryClient })).toThrow(
      new TypeError(`client must be a client of redis (4 or later) or ioredis (5 or later), not ${shown}`),
    )
  })
})

it('a sentinel of redis is refused, with what to take in its place', () => {
  const client = createSentinel({ name: 'x', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] })
  const advice = 'a sentinel of redis is not supported: take ioredis with its option sentinels'
  expect(() => redisHistory({ client })).toThrow(advice)
  expect(() => redisBackplane(client as unknown as RedisClient)).toThrow(advice)
})

describe('jetStreamHistory', () => {
  it('takes a connection, and calls nothing of it', () => {
    expect(jetStreamHistory({ connection })).toHaveProperty('append')
  })

  it.each([
    [undefined, 'connection must be a connection to NATS, not undefined'],
    [{}, 'connection must be a connection to NATS, not an object'],
    ['nats://:secret@localhost', 'connection must be a connection to NATS, not a string'],
    [Promise.resolve(connection), 'connection must be a connection to NATS, not a promise: await it'],
  ])('refuses what is not a connection: %p', (wrong, message) => {
    const call = () => jetStreamHistory({ connection: wrong as NatsHistoryConnection })
    expect(call).toThrow(TypeError)
    expect(call).toThrow(message)
  })

  it.each([
    [{ storage: 'disk' }, TypeError, "storage must be 'file' or 'memory', not \"disk\""],
    [{ replicas: 0 }, RangeError, 'replicas must be an integer from 1 to 5, not 0'],
    [{ replicas: '3' }, TypeError, 'replicas must be an integer from 1 to 5, not "3"'],
    [{ prefix: 'a..b' }, RangeError, 'prefix must have no dot at its ends, and no two in a row, not "a..b"'],
  ])('refuses the options %p', (options, kind, message) => {
    const call = () => jetStreamHistory({ connection, ...(options as object) })
    expect(call).toThrow(kind)
    expect(call).toThrow(message)
  })
})

it.each<[string, () => unknown, string]>([
  [
    'redisHistory',
    () => redisHistory(createClient() as never),
    'redisHistory({ client }), not the client itself',
  ],
  ['redisHistory', () => redisHistory(new Redis({ lazyConnect: true }) as never), 'not the client itself'],
  ['redisHistory', () => redisHistory(undefined as never), 'redisHistory({ client }), not undefined'],
  ['redisHistory', () => redisHistory('redis://:secret' as never), '({ client }), not a string'],
  [
    'jetStreamHistory',
    () => jetStreamHistory(connection as never),
    'jetStreamHistory({ connection }), not the connection itself',
  ],
  ['jetStreamHistory', () => jetStreamHistory(null as never), 'jetStreamHistory({ connection }), not null'],
])('%s refuses what is not its options at once, and says how to call it: %#', (name, call, message) => {
  expect(call).toThrow(TypeError)
  expect(call).toThrow(`${name} takes an object with its options, as `)
  expect(call).toThrow(message)
})

describe.each([
  ['redisHistory', (options: object) => redisHistory({ client: createClient(), ...options })],
  ['jetStreamHistory', (options: object) => jetStreamHistory({ connection, ...options })],
])('%s', (_name, make) => {
  it.each([
    [{ prefix: '' }, RangeError, 'prefix must be 1 to 64 letters, digits, and _ - ., not ""'],
    [{ prefix: 'a:b' }, RangeError, 'prefix must be 1 to 64 letters, digits, and _ - ., not "a:b"'],
    [{ timeoutMs: 1 }, RangeError, 'timeoutMs must be a number from 10 to 2147483647, not 1'],
    [{ timeoutMs: '5' }, TypeError, 'timeoutMs must be a number from 10 to 2147483647, not "5"'],
    [{ maxMessageBytes: 1 }, RangeError, 'maxMessageBytes must be an integer from 1024 to 536870912, not 1'],
    [{ maxQueuedBytes: 10 }, RangeError, 'maxQueuedBytes must be a number from 1024 to Infinity, not 10'],
    [{ maxPageBytes: 1.5 }, RangeError, 'maxPageBytes must be an integer from 1024 to 536870912, not 1.5'],
    [{ timeout: 5 }, TypeError, 'options has no option "timeout"'],
  ])('refuses the options %p', (options, kind, message) => {
    const call = () => make(options)
    expect(call).toThrow(kind)
    expect(call).toThrow(message)
  })
})
