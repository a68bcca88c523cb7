// slow: starts, kills and stops nats-server
/** Histories in a nats-server that loses its data or a stream, ends, stalls, or holds something else. */
import { jetStreamHistory, type BrokerHistory, type Position } from '../../../src/brokers/nats.js'
import { BrokerServer, stopBrokers } from '../../helpers/broker-server.js'
import { LIMITS, newGroup, readAll } from '../../helpers/history-conformance.js'
import { connect, connect2, jetstreamManager, type NatsTestConnection } from '../../helpers/nats-clients.js'

type Manager = Awaited<ReturnType<typeof jetstreamManager>>

const closing: (() => unknown)[] = []
let server: BrokerServer
beforeAll(async () => {
  server = await BrokerServer.nats()
})
afterAll(stopBrokers)
let group: string
beforeEach(() => {
  group = newGroup()
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const CLIENTS = { 'nats 3': connect, 'nats 2': connect2 } as const

const openConnection = async (
  open: (typeof CLIENTS)[keyof typeof CLIENTS],
  url = server.url,
): Promise<NatsTestConnection> => {
  const connection = await open({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 50 })
  closing.push(() => connection.close())
  return connection
}

const append = async (store: BrokerHistory, ...texts: readonly string[]): Promise<Position> => {
  const positions = await Promise.all(texts.map((text) => store.append(group, text, LIMITS)))
  return positions.at(-1) as Position
}
const textsOf = async (store: BrokerHistory): Promise<readonly unknown[]> =>
  (await readAll(store, group)).messages.map(({ data }) => data)

/** The names of all streams whose description has the group of the test. */
async function streamsOf(manager: Manager): Promise<readonly string[]> {
  const names: string[] = []
  for await (const { config } of manager.streams.list()) {
    if (config.description?.includes(group) === true) names.push(config.name)
  }
  return names
}

/** What a stream listens to. */
async function subjectsOf(name: string): Promise<readonly string[]> {
  const connection = await openConnection(connect)
  const { data } = await connection.request(`$JS.API.STREAM.INFO.${name}`, Buffer.alloc(0), { timeout: 5000 })
  return (JSON.parse(Buffer.from(data).toString()) as { config: { subjects: readonly string[] } }).config
    .subjects
}

/** The stream of the test's group becomes an older copy of itself, with these messages. */
async function setBack(url: string, ...texts: readonly string[]): Promise<void> {
  const connection = await openConnection(connect, url)
  const ask = async (subject: string, text = ''): Promise<Record<string, unknown>> => {
    const { data } = await connection.request(subject, Buffer.from(text), { timeout: 5000 })
    return JSON.parse(Buffer.from(data).toString()) as Record<string, unknown>
  }
  const [name = ''] = await streamsOf(await jetstreamManager(connection))
  const { config } = (await ask(`$JS.API.STREAM.INFO.${name}`)) as { config: { subjects: readonly string[] } }
  await ask(`$JS.API.STREAM.DELETE.${name}`)
  await ask(`$JS.API.STREAM.CREATE.${name}`, JSON.stringify(config))
  const subject = String(config.subjects[0]).replace('*', 't')
  for (const [i, text] of texts.entries()) {
    expect(await ask(subject, text)).toMatchObject({ stream: name, seq: i + 1 })
  }
}

describe.each(Object.entries(CLIENTS))('with %s', (_, open) => {
  // A test that fails in between must not leave it to the others.
  afterEach(() => {
    server.thaw()
  })

  it('a server that is started again with an older copy of a stream begins a new epoch with the next append', async () => {
    const own = await BrokerServer.nats()
    const store = jetStreamHistory({ connection: await openConnection(open, own.url) })
    const { epoch } = await append(store, 'one', 'two', 'three')
    await own.kill()
    await own.start()
    await setBack(own.url, 'one')
    const after = await append(store, 'new')
    expect(after.offset).toBe(1)
    expect(after.epoch).not.toBe(epoch)
    expect(await textsOf(store)).toEqual(['new'])
    own.remove()
  })

  it('a stream that lost its end unseen begins a new epoch with the first offset that comes twice', async () => {
    const store = jetStreamHistory({ connection: await openConnection(open) })
    const { epoch } = await append(store, 'one', 'two', 'three')
    await setBack(server.url, 'one')
    const texts = ['new 2', 'new 3', 'new 4']
    const results = await Promise.allSettled(texts.map((text) => store.append(group, text, LIMITS)))
    for (const result of results) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: {
          code: 'HAWSER_MAYBE_PUBLISHED',
          message: `appending to the history of group "${group}" failed: the stream has lost its end, and begins anew: it may be kept nevertheless`,
        },
      })
    }
    const after = await append(store, 'next')
    expect(after.offset).toBe(1)
    expect(after.epoch).not.toBe(epoch)
    expect(await textsOf(store)).toEqual(['next'])
  })

  it.each(['append', 'read'] as const)(
    'a stream that is deleted begins a new epoch with %s',
    async (first) => {
      const connection = await openConnection(open)
      const store = jetStreamHistory({ connection })
      const before = await append(store, 'one', 'two')
      const manager = await jetstreamManager(await openConnection(connect))
      const [name = ''] = await streamsOf(manager)
      await manager.streams.delete(name)
      if (first === 'read') {
        const page = await store.read(group, 2, 10, LIMITS)
        expect(page).toMatchObject({ newest: 0, oldest: 1, messages: [] })
        expect(page.epoch).not.toBe(before.epoch)
      }
      const after = await append(store, 'three')
      expect(after.offset).toBe(1)
      expect(after.epoch).not.toBe(before.epoch)
      expect(await textsOf(store)).toEqual(['three'])
    },
  )

  it.each(['before an append', 'while it appends'])(
    'appends to the stream that the server knows by its name, where it makes two of one name %s',
    async (when) => {
      const connection = await openConnection(open)
      const manager = await jetstreamManager(await openConnection(connect))
      const other = jetStreamHistory({ connection: await openConnection(connect) })
      let hasOne = true
      /** As nats-server before 2.10.2 does it: the first stream takes messages, under a name that nobody looks for. */
      const makeTwo = async (): Promise<void> => {
        hasOne = false
        const [name = ''] = await streamsOf(manager)
        const subjects = await subjectsOf(name)
        await manager.streams.delete(name)
        await manager.streams.add({ name: `${name}-lost`, subjects })
        await append(other, 'first')
      }
      const store = jetStreamHistory({
        connection: {
          info: connection.info,
          request: async (subject, payload, options) => {
            const isPublish = !subject.startsWith('$JS')
            if (when !== 'before an append' && isPublish && hasOne) await makeTwo()
            const answer = await connection.request(subject, payload, options)
            if (when === 'before an append' && subject.includes('STREAM.CREATE') && hasOne) await makeTwo()
            return answer
          },
          flush: () => connection.flush(),
          status: () => connection.status(),
          isClosed: () => connection.isClosed(),
        },
      })
      const position = await append(store, 'second', 'third')
      expect(hasOne).toBe(false)
      expect(position).toEqual({ ...(await append(other, 'fourth')), offset: 3 })
      expect(await append(store, 'fifth')).toEqual({ ...position, offset: 5 })
      expect(await textsOf(store)).toEqual(['first', 'second', 'third', 'fourth', 'fifth'])
    },
  )

  it('goes on in the stream that a read found, where the server made a second one of the name later', async () => {
    const store = jetStreamHistory({ connection: await openConnection(open) })
    const other = jetStreamHistory({ connection: await openConnection(connect) })
    await append(store, 'lost')
    await append(store, 'lost too')
    const manager = await jetstreamManager(await openConnection(connect))
    const [name = ''] = await streamsOf(manager)
    const subjects = await subjectsOf(name)
    await manager.streams.delete(name)
    await manager.streams.add({ name: `${name}-lost`, subjects })
    const { epoch } = await append(other, 'first')
    expect(await textsOf(store)).toEqual(['first'])
    expect(await append(store, 'second')).toEqual({ epoch, offset: 2 })
    expect(await textsOf(other)).toEqual(['first', 'second'])
  })

  it('nodes that begin hundreds of groups at the same time agree on the epoch of each', async () => {
    // Of 1,500 groups 10 to 54 had two, before the stream of a new group was looked at twice (nats-server 2.9.10).
    const stores = await Promise.all(
      Array.from({ length: 4 }, async () =>
        jetStreamHistory({ connection: await openConnection(open), storage: 'memory' }),
      ),
    )
    for (let i = 0; i < 400; i++) {
      const positions = await Promise.all(
        stores.map((store) => store.append(`${group} ${String(i)}`, 'text', LIMITS)),
      )
      expect(new Set(positions.map(({ epoch }) => epoch)).size).toBe(1)
      expect(positions.map(({ offset }) => offset).sort()).toEqual([1, 2, 3, 4])
    }
  })

  it('a stream whose state is told later than a message that came after it is not taken for one that lost its end', async () => {
    const connection = await openConnection(open)
    let isLate = false
    let wasAsked: () => void = () => undefined
    let letGo: () => void = () => undefined
    const asked = new Promise<void>((resolve) => (wasAsked = resolve))
    const goOn = new Promise<void>((resolve) => (letGo = resolve))
    const store = jetStreamHistory({
      connection: {
        info: connection.info,
        request: async (subject, payload, options) => {
          const answer = await connection.request(subject, payload, options)
          if (isLate && subject.includes('STREAM.INFO')) {
            isLate = false
            wasAsked()
            await goOn
          }
          return answer
        },
        flush: () => connection.flush(),
        status: () => connection.status(),
        isClosed: () => connection.isClosed(),
      },
    })
    const { epoch } = await append(store, 'one')
    isLate = true
    const read = store.read(group, 0, 10, LIMITS)
    await asked
    expect(await append(store, 'two')).toEqual({ epoch, offset: 2 })
    letGo()
    expect((await read).epoch).toBe(epoch)
    expect(await textsOf(store)).toEqual(['one', 'two'])
  })

  it('a stream that is purged goes on, and what was lost shows', async () => {
    const store = jetStreamHistory({ connection: await openConnection(open) })
    const { epoch } = await append(store, 'one', 'two')
    const manager = await jetstreamManager(await openConnection(connect))
    const [name = ''] = await streamsOf(manager)
    await manager.streams.purge(name)
    expect(await store.read(group, 0, 10, LIMITS)).toEqual({ epoch, newest: 2, oldest: 3, messages: [] })
    expect(await append(store, 'three')).toEqual({ epoch, offset: 3 })
  })

  it('a page of which the beginning was taken away meanwhile goes on to what is there', async () => {
    const store = jetStreamHistory({ connection: await openConnection(open), maxPageBytes: 2000 })
    await append(store, 'x'.repeat(3000), ...Array.from({ length: 99 }, (_, i) => String(i)))
    const manager = await jetstreamManager(await openConnection(connect))
    const [name = ''] = await streamsOf(manager)
    // One of those that are asked for at once with the large one.
    await manager.streams.deleteMessage(name, 3)
    const page = await store.read(group, 0, 3, LIMITS)
    expect(page).toMatchObject({ newest: 100, oldest: 4 })
    expect(page.messages.map(({ offset }) => offset)).toEqual([4, 5, 6])
  })

  it('a message that is taken away by hand takes those before it with it', async () => {
    const store = jetStreamHistory({ connection: await openConnection(open) })
    const { epoch } = await append(store, 'one', 'two', 'three', 'four')
    const manager = await jetstreamManager(await openConnection(connect))
    const [name = ''] = await streamsOf(manager)
    await manager.streams.deleteMessage(name, 2)
    expect(await store.read(group, 0, 10, LIMITS)).toEqual({
      epoch,
      newest: 4,
      oldest: 3,
      messages: [
        { offset: 3, data: 'three' },
        { offset: 4, data: 'four' },
      ],
    })
  })

  it('a server that is killed and started again goes on with what is in files, and anew with what was in memory', async () => {
    const own = await BrokerServer.nats()
    const connection = await openConnection(open, own.url)
    const inFile = jetStreamHistory({ connection, prefix: 'file' })
    const inMemory = jetStreamHistory({ connection, prefix: 'memory', storage: 'memory' })
    const [file, memory] = [await append(inFile, 'one', 'two'), await append(inMemory, 'one', 'two')]
    await own.kill()
    await own.start()
    expect(await textsOf(inFile)).toEqual(['one', 'two'])
    expect(await append(inFile, 'three')).toEqual({ epoch: file.epoch, offset: 3 })
    const after = await append(inMemory, 'three')
    expect(after.offset).toBe(1)
    expect(after.epoch).not.toBe(memory.epoch)
    own.remove()
  })

  it('a server that stalls makes append and read reject in time', async () => {
    const store = jetStreamHistory({ connection: await openConnection(open), timeoutMs: 300 })
    const { epoch } = await append(store, 'before')
    server.freeze()
    const reading = store.read(group, 0, 10, LIMITS)
    const appending = store.append(group, 'late', LIMITS)
    await expect(reading).rejects.toThrow(/^reading the history of group "group [\d ]+" failed: .*timeout/i)
    await expect(appending).rejects.toThrow(
      /^appending to the history of group "group [\d ]+" failed: .*timeout.*: it may be kept nevertheless$/i,
    )
    server.thaw()
    for (;;) {
      const position = await store.append(group, 'after', LIMITS).catch(() => null)
      if (position === null) continue
      expect(position).toMatchObject({ epoch })
      break
    }
    const texts = await textsOf(store)
    expect([texts[0], texts.at(-1)]).toEqual(['before', 'after'])
    expect(texts.indexOf('late')).toBe(texts.lastIndexOf('late'))
  })

  it('a connection that is closed rejects at once', async () => {
    const connection = await openConnection(open)
    const store = jetStreamHistory({ connection })
    await append(store, 'before')
    await connection.close()
    await expect(append(store, 'after')).rejects.toThrow(/^appending .*clos/i)
    await expect(store.read(group, 0, 1, LIMITS)).rejects.toThrow(/^reading .*clos/i)
  })

  it('a stream that has the name and is not ours is an error, and stays', async () => {
    const connection = await openConnection(open)
    const store = jetStreamHistory({ connection })
    await append(store, 'one')
    const manager = await jetstreamManager(await openConnection(connect))
    const [name = ''] = await streamsOf(manager)
    await manager.streams.delete(name)
    await manager.streams.add({ name, subjects: ['something.else'] })
    const message = /failed: the stream hawser-history-.* is not one that Hawser made$/
    await expect(store.read(group, 0, 10, LIMITS)).rejects.toThrow(message)
    await expect(append(store, 'two')).rejects.toThrow(message)
    await manager.streams.delete(name)
  })

  it('limits that are changed are changed for what is kept', async () => {
    const store = jetStreamHistory({ connection: await openConnection(open) })
    const { epoch } = await append(store, '1', '2', '3', '4')
    await store.append(group, '5', { maxMessages: 2, maxAgeMs: Infinity })
    expect(await store.read(group, 0, 10, LIMITS)).toEqual({
      epoch,
      newest: 5,
      oldest: 4,
      messages: [
        { offset: 4, data: '4' },
        { offset: 5, data: '5' },
      ],
    })
  })

  it('a message that is larger than the server takes is refused', async () => {
    const store = jetStreamHistory({ connection: await openConnection(open) })
    await expect(append(store, 'x'.repeat(2 ** 20 + 1))).rejects.toThrow(
      /^a message for group "group [\d ]+" has 1048577 bytes, and max_payload of the server is 1048576$/,
    )
    expect((await append(store, 'x'.repeat(2 ** 20))).offset).toBe(1)
  })
})
