/**
 * Recovery of missed messages over several nodes. The faults that the connection state recovery of Socket.IO has are here by their
 * names.
 */
import { SERVER_TLS, TRUST_SERVER } from '../helpers/certificates.js'
import { numbered, TestHistory, until, World } from '../helpers/recovery-world.js'

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => {
  world.end()
})

describe('recovery over several nodes', () => {
  it('gives what was published on one node to the members of all, once and in order', async () => {
    const [a, b] = [await world.node(), await world.node()]
    const one = await world.joined(a.url)
    const two = await world.joined(b.url)
    await world.everywhere(a.server, 2)
    await world.everywhere(b.server, 2)
    const texts = numbered(100)
    for (const [i, text] of texts.entries()) await (i % 2 === 0 ? a : b).server.group('room:1').publish(text)
    await until(() => one.got.length === 100 && two.got.length === 100, 'all messages')
    expect(one.got).toEqual(texts)
    expect(two.got).toEqual(texts)
    expect([...one.events, ...two.events]).toEqual([])
  })

  it('loses nothing when a node dies (Socket.IO: lost when a node dies)', async () => {
    const [a, b] = [await world.node(), await world.node()]
    const { got, events } = await world.joined([a.url, b.url])
    await world.everywhere(b.server, 1)
    const room = b.server.group('room:1')
    for (const text of numbered(5)) await room.publish(text)
    await until(() => got.length === 5, 'the first messages')
    a.server.terminate()
    for (const text of numbered(5, 5)) await room.publish(text)
    await until(() => got.length === 10, 'the missed messages')
    await until(() => events.length === 1, 'the outcome')
    expect(got).toEqual(numbered(10))
    expect(events).toMatchObject([{ group: 'room:1', recovered: true }])
  })

  it('advances with what is replayed (Socket.IO: duplicates, as the offset is not advanced at replay)', async () => {
    const { server, url } = await world.node()
    const { got, events } = await world.joined(url)
    await world.members(server, 1)
    const room = server.group('room:1')
    for (let round = 0; round < 4; round++) {
      for (const one of server.sockets) one.terminate()
      await world.members(server, 0)
      for (const text of numbered(3, 3 * round)) await room.publish(text)
      await until(() => events.length === round + 1, 'the outcome')
    }
    expect(got).toEqual(numbered(12))
    expect(events).toEqual(Array(4).fill({ group: 'room:1', recovered: true, count: 3 }))
  })

  it('recovers one that is cut right after it connected (Socket.IO: failures right after connecting)', async () => {
    const { server, url } = await world.node()
    const { got, events } = await world.joined(url)
    await until(() => server.stats().recovery?.members === 1, 'the member')
    // Nothing was published before: the client has a position all the same.
    const room = server.group('room:1')
    for (let round = 0; round < 20; round++) {
      for (const one of server.sockets) one.terminate()
      await room.publish(`m${String(round)}`)
      await world.members(server, 1)
    }
    await until(() => got.length === 20, 'all messages')
    expect(got).toEqual(numbered(20))
    expect(events.every(({ recovered }) => recovered)).toBe(true)
  })

  it('recovers after any number of messages, also when most are trimmed (Socket.IO: fails after long connections)', async () => {
    const { server, url } = await world.node({ maxMessages: 10 })
    const { got, events } = await world.joined(url)
    await world.members(server, 1)
    const room = server.group('room:1')
    for (const text of numbered(5_000)) void room.publish(text)
    await until(() => got.length === 5_000, 'the long connection')
    for (const one of server.sockets) one.terminate()
    await world.members(server, 0)
    for (const text of numbered(10, 5_000)) await room.publish(text)
    await until(() => events.length === 1, 'the outcome')
    expect(got).toEqual(numbered(5_010))
    expect(events).toEqual([{ group: 'room:1', recovered: true, count: 10 }])
  })

  it('tells one that missed more than is kept, and goes on from there', async () => {
    const { server, url } = await world.node({ maxMessages: 10 })
    const { got, events } = await world.joined(url)
    await world.members(server, 1)
    const room = server.group('room:1')
    await room.publish('m0')
    await until(() => got.length === 1, 'the first message')
    for (const one of server.sockets) one.terminate()
    await world.members(server, 0)
    for (const text of numbered(11, 1)) await room.publish(text)
    await until(() => events.length === 1, 'the outcome')
    await room.publish('m12')
    await until(() => got.length === 2, 'the next message')
    expect(got).toEqual(['m0', 'm12'])
    expect(events).toEqual([{ group: 'room:1', recovered: false, reason: 'trimmed' }])
    expect(server.stats().recovery).toMatchObject({ lost: 1 })
  })

  it('tells one that missed what is older than the history keeps', async () => {
    const { server, url } = await world.node({ maxAgeMs: 20 })
    const away = { minDelayMs: 150, maxDelayMs: 150, jitter: 0 }
    const { got, events } = await world.joined(url, { reconnect: away })
    await server.group('room:1').publish('m0')
    await until(() => got.length === 1, 'the first message')
    for (const one of server.sockets) one.terminate()
    await server.group('room:1').publish('m1')
    await until(() => events.length > 0, 'the outcome')
    expect(got).toEqual(['m0'])
    expect(events).toEqual([{ group: 'room:1', recovered: false, reason: 'trimmed' }])
  })

  it('tells one whose history began anew, and members that are there', async () => {
    const history = new TestHistory()
    world.history = history
    const { server, url } = await world.node()
    const away = await world.joined(url)
    const there = await world.joined(url)
    await world.members(server, 2)
    const room = server.group('room:1')
    await room.publish('m0')
    await until(() => away.got.length === 1 && there.got.length === 1, 'the first message')
    history.lose()
    await room.publish('m1')
    await until(() => there.got.length === 2 && away.got.length === 2, 'the message of the new history')
    expect(there.events).toEqual([{ group: 'room:1', recovered: false, reason: 'epoch' }])
    const [first] = server.sockets
    history.lose()
    first?.terminate()
    await until(() => away.events.length === 2 || there.events.length === 2, 'the outcome')
    expect(server.stats().recovery).toMatchObject({ errors: 0 })
  })

  it('catches up a node to which a message is lost, in the middle and at the end', async () => {
    const [a, b] = [await world.node(), await world.node()]
    const { got, events } = await world.joined(b.url)
    await world.everywhere(a.server, 1)
    const room = a.server.group('room:1')
    let sent = 0
    world.isLost = ({ kind }) => kind === 'group' && sent++ % 3 === 1
    for (const text of numbered(30)) await room.publish(text)
    await until(() => got.length === 30, 'what was lost in the middle')
    world.isLost = ({ kind }) => kind === 'group'
    await room.publish('m30')
    await until(() => got.length === 31, 'the last message, by the check')
    expect(got).toEqual(numbered(31))
    expect(events).toEqual([])
    expect(b.server.stats().recovery?.gaps).toBeGreaterThan(0)
  })

  it('recovers in the middle of a burst of 10,000 messages of two nodes', async () => {
    const history = new TestHistory()
    world.history = history
    const [a, b] = [await world.node({ maxMessages: 20_000 }), await world.node({ maxMessages: 20_000 })]
    const clients = await Promise.all([world.joined([a.url, b.url]), world.joined([b.url, a.url])])
    await world.everywhere(a.server, 2)
    await world.everywhere(b.server, 2)
    const order: string[] = []
    for (let i = 0; i < 10_000; i++) {
      const from = i % 2 === 0 ? a : b
      void from.server.group('room:1').publish(`m${String(i)}`)
      order.push(`m${String(i)}`)
      if (i % 2_500 === 1_250) for (const one of [...a.server.sockets, ...b.server.sockets]) one.terminate()
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await until(() => clients.every(({ got }) => got.length >= 10_000), 'all 10,000', 60_000)
    for (const { got, events } of clients) {
      expect(got).toEqual(order)
      expect(events.every(({ recovered }) => recovered)).toBe(true)
    }
  })

  it('serves two that come back at once with different positions', async () => {
    const [a, b] = [await world.node(), await world.node()]
    const one = await world.joined([a.url, b.url])
    await world.everywhere(a.server, 1)
    await a.server.group('room:1').publish('m0')
    await until(() => one.got.length === 1, 'the first message')
    const two = await world.joined([b.url, a.url])
    await world.everywhere(a.server, 2)
    await a.server.group('room:1').publish('m1')
    await until(() => two.got.length === 1, 'the second message')
    for (const socket of [...a.server.sockets, ...b.server.sockets]) socket.terminate()
    await a.server.group('room:1').publish('m2')
    await until(() => one.got.length === 3 && two.got.length === 2, 'what both missed')
    expect(one.got).toEqual(['m0', 'm1', 'm2'])
    expect(two.got).toEqual(['m1', 'm2'])
  })

  it.each(['close', 'drop', 'buffer'] as const)(
    'gives a member that reads slowly everything, and never cuts it, with slowConsumer %s',
    async (slowConsumer) => {
      const options = { slowConsumer, limits: { maxBufferedOutputBytes: 200_000 }, perMessageDeflate: false }
      const { server, url } = await world.node({ maxMessages: 5_000 }, options)
      const got: string[] = []
      const onMessage = async (_: unknown, text: string): Promise<void> => {
        await new Promise((resolve) => setImmediate(resolve))
        got.push(text.split(' ', 1)[0] as string)
      }
      const { events, socket } = await world.joined(url, { handlers: { onMessage } })
      let isCut = false
      for (const one of server.sockets) void one.closed.then(() => (isCut = true))
      const large = 'x'.repeat(20_000)
      for (let i = 0; i < 1_000; i++) {
        void server.group('room:1').publish(`m${String(i)} ${large}`)
        if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await until(() => got.length === 1_000, 'all messages', 60_000)
      expect(got).toEqual(numbered(1_000))
      expect([events, isCut, socket.readyState]).toEqual([[], false, 1])
    },
  )

  it('keeps text as it goes over a wire: lone surrogates are replaced at once', async () => {
    const { server, url } = await world.node()
    const { got } = await world.joined(url)
    await server.group('room:1').publish('a\ud800b')
    await until(() => got.length === 1, 'the message')
    expect(got).toEqual(['a\ufffdb'])
    expect((await world.history.read('room:1', 0, 10, { maxMessages: 10, maxAgeMs: 1e6 })).messages).toEqual([
      { offset: 1, data: 'a\ufffdb' },
    ])
  })

  it('delivers what the other nodes publish while this one cannot read the history, and catches up later', async () => {
    const history = new TestHistory()
    world.history = history
    const a = await world.node()
    const own = new TestHistory()
    Object.assign(own, { inner: history })
    world.history = own
    const b = await world.node()
    const { got, events } = await world.joined(b.url)
    await world.everywhere(a.server, 1)
    await a.server.group('room:1').publish('m0')
    await until(() => got.length === 1, 'the first message')
    own.state = 'down'
    await a.server.group('room:1').publish('m1')
    await until(() => got.length === 2, 'a live message in the outage')
    await expect(b.server.group('room:1').publish('never')).rejects.toThrow(
      'the history failed: no connection to the store',
    )
    let isLost = true
    world.isLost = ({ kind }) => kind === 'group' && isLost
    await a.server.group('room:1').publish('m2')
    isLost = false
    await a.server.group('room:1').publish('m3')
    own.state = 'up'
    await until(() => got.length === 4, 'what was lost in the outage')
    expect(got).toEqual(numbered(4))
    expect(events).toEqual([])
    // Once for each kind of call.
    expect(new Set(world.errors)).toEqual(new Set(['the history failed: no connection to the store']))
    expect(world.errors.length).toBeLessThanOrEqual(2)
  })

  it.each([
    ['by the handle', {}],
    ['by the stream', { directIo: false }],
    ['over TLS', { tls: SERVER_TLS }],
  ])('replays %s to a slow reader at its pace, with little waiting for it', async (_way, options) => {
    const { server, url } = await world.node({ maxMessages: 5_000 }, options)
    const got: string[] = []
    // It takes a turn for each message: what waits is in the network, and in the history.
    const onMessage = async (_: unknown, text: string): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve))
      got.push(text)
    }
    const more = { handlers: { onMessage }, ...('tls' in options ? TRUST : {}) }
    const { events } = await world.joined(url, more)
    const room = server.group('room:1')
    await room.publish('m0')
    await until(() => got.length === 1, 'the first message')
    for (const one of server.sockets) one.terminate()
    await world.members(server, 0)
    const large = 'x'.repeat(10_000)
    for (let i = 1; i <= 2_000; i++) void room.publish(`${String(i)} ${large}`)
    await world.members(server, 1)
    let most = 0
    const watch = setInterval(() => {
      for (const one of server.sockets) most = Math.max(most, one.bufferedAmount)
    }, 1)
    await until(() => got.length === 2_001, 'the replay', 60_000)
    clearInterval(watch)
    expect(got.slice(1).map((text) => Number(text.split(' ', 1)[0]))).toEqual(
      Array.from({ length: 2_000 }, (_, i) => i + 1),
    )
    await until(() => events.length === 1, 'the outcome')
    expect(events).toEqual([{ group: 'room:1', recovered: true, count: 2_000 }])
    expect(most).toBeLessThan(1024 * 1024)
  })
})

const TRUST = { tls: TRUST_SERVER }
