// slow: starts nats-server, and lines to it are cut
/** Histories in JetStream over a connection that is lost: what was sent, what was not, and for how long it is waited. */
import {
  jetStreamHistory,
  type BrokerHistory,
  type NatsHistoryConnection,
} from '../../../src/brokers/nats.js'
import { PublishError } from '../../../src/errors.js'
import { BrokerServer, stopBrokers } from '../../helpers/broker-server.js'
import { FaultProxy } from '../../helpers/fault-proxy.js'
import { LIMITS, newGroup, readAll } from '../../helpers/history-conformance.js'
import { connect, connect2, type NatsTestConnection } from '../../helpers/nats-clients.js'

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
  for (const close of closing.splice(0).reverse()) await close()
})

/** Longer than any of these tests: what is over sooner did not wait for it. */
const LONG_MS = 60_000

const textsOf = async (store: BrokerHistory): Promise<readonly unknown[]> =>
  (await readAll(store, group)).messages.map(({ data }) => data)

describe.each(Object.entries({ 'nats 3': connect, 'nats 2': connect2 }))('with %s', (_, open) => {
  let proxy: FaultProxy
  let connection: NatsTestConnection
  beforeEach(async () => {
    proxy = await FaultProxy.to(server.port)
    closing.push(() => {
      proxy.close()
    })
    connection = await open({
      servers: `127.0.0.1:${String(proxy.port)}`,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
    })
    closing.push(() => connection.close())
  })

  /** Resolves when the client has noticed that the line is cut. */
  const disconnected = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if ((status as { type: string }).type === 'disconnect') return
    }
  }

  it('what is appended and read while the line is cut is sent when it is there again', async () => {
    const store = jetStreamHistory({ connection, timeoutMs: LONG_MS })
    const { epoch } = await store.append(group, 'one', LIMITS)
    for (let i = 0; i < 3; i++) {
      const noticed = disconnected()
      proxy.cut()
      await noticed
      const before = await Promise.race([
        store.append(group, `two ${String(i)}`, LIMITS),
        new Promise((resolve) => setTimeout(resolve, 200, 'nothing yet')),
      ])
      expect(before).toBe('nothing yet')
      const later = [store.append(group, `three ${String(i)}`, LIMITS), store.read(group, 0, 1, LIMITS)]
      proxy.mend()
      expect(await Promise.all(later)).toMatchObject([{ epoch, offset: 3 + 2 * i }, { epoch }])
    }
    expect(await textsOf(store)).toEqual(['one', 'two 0', 'three 0', 'two 1', 'three 1', 'two 2', 'three 2'])
  })

  it('what is appended in the very turn in which the line is cut is kept once, or the caller is told', async () => {
    const store = jetStreamHistory({ connection, timeoutMs: LONG_MS })
    const kept = new Set<string>()
    const unknown = new Set<string>()
    const failures: unknown[] = []
    for (let i = 0; i < 20; i++) {
      const appends = [0, 1, 2, 3].map(async (n) => {
        const text = `${String(i)}.${String(n)}`
        try {
          await store.append(group, text, LIMITS)
          kept.add(text)
        } catch (error) {
          failures.push(error)
          unknown.add(text)
        }
      })
      proxy.cut()
      proxy.mend()
      await Promise.all(appends)
    }
    for (const failure of failures) expect(failure).toMatchObject({ code: 'HAWSER_MAYBE_PUBLISHED' })
    const texts = (await textsOf(store)) as string[]
    expect(new Set(texts).size).toBe(texts.length)
    expect([...kept].filter((text) => !texts.includes(text))).toEqual([])
    expect(texts.filter((text) => !kept.has(text) && !unknown.has(text))).toEqual([])
  })

  it('what was on its way when the line was cut rejects at once, as it may be kept, and its group goes on', async () => {
    const store = jetStreamHistory({ connection, timeoutMs: LONG_MS })
    const { epoch } = await store.append(group, 'one', LIMITS)
    proxy.dead()
    const lost = store.append(group, 'two', LIMITS)
    const failed = lost.catch((error: unknown) => error)
    // It leaves in this turn, or in the next.
    await new Promise((resolve) => setTimeout(resolve, 100))
    proxy.mend()
    const error = await failed
    expect(error).toBeInstanceOf(PublishError)
    expect(error).toMatchObject({
      code: 'HAWSER_MAYBE_PUBLISHED',
      message: `appending to the history of group "${group}" failed: the connection was lost: it may be kept nevertheless`,
    })
    expect(await store.append(group, 'three', LIMITS)).toEqual({ epoch, offset: 2 })
  })

  it('what is not sent within timeoutMs rejects, and says so; what the server waits for a history bounds it', async () => {
    const store = jetStreamHistory({ connection, timeoutMs: 300 })
    const patient = jetStreamHistory({ connection })
    await store.append(group, 'one', LIMITS)
    const noticed = disconnected()
    proxy.cut()
    await noticed
    const calls = [
      store.append(group, 'two', LIMITS),
      store.read(group, 0, 1, LIMITS),
      patient.append(group, 'three', { ...LIMITS, timeoutMs: 500 }),
    ]
    const errors = (await Promise.allSettled(calls)).map(
      (one) => (one as PromiseRejectedResult).reason as Error,
    )
    expect(errors.map(({ message }) => message)).toEqual([
      `appending to the history of group "${group}" failed: there was no connection to NATS for 300 ms: it was not sent`,
      `reading the history of group "${group}" failed: there was no connection to NATS for 300 ms: it was not sent`,
      `appending to the history of group "${group}" failed: there was no connection to NATS for 400 ms: it was not sent`,
    ])
    expect(errors[0]).toMatchObject({ code: 'HAWSER_NOT_PUBLISHED' })
    proxy.mend()
    expect(await textsOf(jetStreamHistory({ connection }))).toEqual(['one'])
  })

  it('a store that is closed, and used again by another server, goes on, and still notices a lost line', async () => {
    const store = jetStreamHistory({ connection, timeoutMs: LONG_MS })
    await store.append(group, 'one', LIMITS)
    await store.close()
    await store.close()
    await store.append(group, 'two', LIMITS)
    const noticed = disconnected()
    proxy.cut()
    await noticed
    const later = store.append(group, 'three', LIMITS)
    proxy.mend()
    expect(await later).toMatchObject({ offset: 3 })
  })

  /** A store over the connection, whose answers about streams go through this. */
  const altered = (alter: (info: { state: { last_seq: number } }) => void): BrokerHistory => {
    const wrapped: NatsHistoryConnection = {
      info: connection.info,
      request: async (subject, payload, options) => {
        const answer = await connection.request(subject, payload, options)
        if (!subject.includes('STREAM.INFO')) return answer
        const info = JSON.parse(Buffer.from(answer.data).toString()) as { state: { last_seq: number } }
        alter(info)
        return { ...answer, data: Buffer.from(JSON.stringify(info)) }
      },
      flush: () => connection.flush(),
      status: () => connection.status(),
      isClosed: () => connection.isClosed(),
    }
    return jetStreamHistory({ connection: wrapped })
  }

  it('a stream that is said to be behind once or twice, by a server that leads it no longer, stays; three times, it is gone', async () => {
    let stale = 0
    const store = altered(({ state }) => {
      if (stale > 0) state.last_seq = 1
      stale--
    })
    await store.append(group, 'one', LIMITS)
    const { epoch } = await store.append(group, 'two', LIMITS)
    stale = 2
    expect(await store.read(group, 0, 10, LIMITS)).toMatchObject({ epoch, newest: 2 })
    stale = 3
    const page = await store.read(group, 0, 10, LIMITS)
    expect(page).toMatchObject({ newest: 0, messages: [] })
    expect(page.epoch).not.toBe(epoch)
  })
})

it.each(Object.entries({ 'nats 3': connect, 'nats 2': connect2 }))(
  'a server without JetStream is an error that says so: %s',
  async (_name, open) => {
    const core = await BrokerServer.coreNats()
    const connection = await open({ servers: core.url })
    closing.push(() => connection.close())
    const store = jetStreamHistory({ connection, timeoutMs: 300 })
    const text =
      'JetStream does not answer at this server: is it enabled there (nats-server -js), and for this account?'
    await expect(store.append(group, 'one', LIMITS)).rejects.toMatchObject({
      code: 'HAWSER_NOT_PUBLISHED',
      message: `appending to the history of group "${group}" failed: ${text}`,
    })
    await expect(store.read(group, 0, 1, LIMITS)).rejects.toThrow(text)
    core.remove()
  },
)
