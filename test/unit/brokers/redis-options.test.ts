import { Redis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import { createClient as createClient4 } from 'redis4'
import { redisBackplane, type RedisClient } from '../../../src/brokers/redis.js'

describe('redisBackplane', () => {
  it('takes clients of redis 4 and 6, of ioredis, and of clusters, connects none of them, and needs no cast', () => {
    const clients = [
      createClient(),
      createClient4(),
      createCluster({ rootNodes: [{ url: 'redis://127.0.0.1:1' }] }),
      new Redis({ lazyConnect: true }),
      new Redis.Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true }),
    ]
    for (const client of clients) {
      for (const sharded of [false, true])
        expect(redisBackplane(client, { sharded })).toHaveProperty('publish')
    }
    expect(
      clients.map((client) => ('isOpen' in client ? client.isOpen : (client as Redis).status === 'ready')),
    ).toEqual(clients.map(() => false))
  })

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    ['redis://:secret@localhost', 'a string: make one with this URL'],
    [{}, 'an object'],
    [{ duplicate: () => undefined }, 'an object'],
    [createClient, 'a function'],
  ])('refuses what is not a client at once, without showing it: %p', (client, shown) => {
    expect(() => redisBackplane(client as RedisClient)).toThrow(
      new TypeError(`client must be a client of redis (4 or later) or ioredis (5 or later), not ${shown}`),
    )
  })

  it.each([
    [{ prefix: '' }, RangeError, 'prefix must be 1 to 64 letters, digits, and _ - ., not ""'],
    [{ prefix: 'a:b' }, RangeError, 'prefix must be 1 to 64 letters, digits, and _ - ., not "a:b"'],
    [{ prefix: 1 }, TypeError, 'prefix must be 1 to 64 letters, digits, and _ - ., not 1'],
    [{ sharded: 'yes' }, TypeError, 'sharded must be true or false, not "yes"'],
    [{ maxQueuedBytes: 10 }, RangeError, 'maxQueuedBytes must be a number from 1024 to Infinity, not 10'],
    [{ maxMessageBytes: 1 }, RangeError, 'maxMessageBytes must be an integer from 1024 to 536870912, not 1'],
    [{ stallTimeoutMs: 1 }, RangeError, 'stallTimeoutMs must be a number from 100 to 2147483647, not 1'],
    [{ shard: true }, TypeError, 'options has no option "shard"'],
  ])('refuses the options %p', (options, kind, message) => {
    const call = () => redisBackplane(createClient(), options as object)
    expect(call).toThrow(kind)
    expect(call).toThrow(message)
  })
})
