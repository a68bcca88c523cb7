// slow: starts, kills and stops redis-server and nats-server
/** What `publish` of a group rejects with, over real brokers: whether the message is kept, as far as is known. */
import { createClient } from 'redis'
import {
  connect as connectSocket,
  PublishError,
  WebSocketServer,
  type ServerOptions,
} from '../../../src/index.js'
import { jetStreamHistory } from '../../../src/brokers/nats.js'
import { redisHistory, type BrokerHistory, type BrokerHistoryOptions } from '../../../src/brokers/redis.js'
import { BrokerServer, stopBrokers } from '../../helpers/broker-server.js'
import { connect } from '../../helpers/nats-clients.js'
import { until } from '../../helpers/recovery-world.js'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  stopBrokers()
})

const BROKERS = {
  redis: {
    start: () => BrokerServer.redis(),
    history: async (url: string, options: BrokerHistoryOptions): Promise<BrokerHistory> => {
      const client = createClient({ url, socket: { reconnectStrategy: 20 } }).on('error', () => undefined)
      await client.connect()
      closing.push(() => client.destroy())
      return redisHistory({ client, ...options })
    },
    notSent: 'as the client of Redis was not connected for 400 ms: it was not sent',
    late: 'as Redis did not answer within 400 ms: what was to be appended may be kept nevertheless',
  },
  nats: {
    start: () => BrokerServer.nats(),
    history: async (url: string, options: BrokerHistoryOptions): Promise<BrokerHistory> => {
      const connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 20 })
      closing.push(() => connection.close())
      return jetStreamHistory({ connection, ...options })
    },
    notSent: 'there was no connection to NATS for 400 ms: it was not sent',
    late: 'it may be kept nevertheless',
  },
} as const

describe.each(Object.entries(BROKERS))('over %s', (_, { start, history, notSent, late }) => {
  let broker: BrokerServer
  beforeEach(async () => {
    broker = await start()
  })

  async function serve(options: BrokerHistoryOptions = {}): Promise<{
    readonly server: WebSocketServer
    readonly errors: Error[]
    publish(text: string): Promise<unknown>
  }> {
    const errors: Error[] = []
    const given: ServerOptions = {
      // The same time as the store has, by default: the store gives up before.
      recovery: { history: await history(broker.url, options), groups: ['room'], historyTimeoutMs: 500 },
      onError: (error) => errors.push(error),
    }
    const server = new WebSocketServer(given)
    server.route('/', { onOpen: (socket) => void socket.join('room') })
    closing.push(() => {
      server.terminate()
    })
    const publish = (text: string): Promise<unknown> =>
      server
        .group('room')
        .publish(text)
        .catch((error: unknown) => error)
    return { server, errors, publish }
  }

  it('a message that was not sent is not kept, is not received, and may be published again', async () => {
    const { server, errors, publish } = await serve()
    await publish('before')
    await broker.kill()
    // The client notices the end a moment later; what it took by then may be on its way.
    let error
    do error = await publish('again')
    while ((error as PublishError).code === 'HAWSER_MAYBE_PUBLISHED')
    expect(error).toBeInstanceOf(PublishError)
    expect(error).toMatchObject({ code: 'HAWSER_NOT_PUBLISHED' })
    expect((error as Error).message).toMatch(
      /^the history failed: appending to the history of group "room" failed/,
    )
    expect((error as Error).message).toContain(notSent)
    expect((error as Error).cause).toBeInstanceOf(PublishError)
    expect(errors.some(({ message }) => message.startsWith('the history failed: '))).toBe(true)
    await broker.start()
    const { port } = await server.listen(0, '127.0.0.1')
    const got: unknown[] = []
    const socket = await connectSocket(`ws://127.0.0.1:${String(port)}/`, {
      recovery: { onPublished: ({ data }) => got.push(data) },
      handlers: { onMessage: () => undefined },
    })
    closing.push(() => socket.terminate())
    await until(() => socket.positions().length === 1, 'the first position')
    while ((await publish('after')) instanceof Error);
    await until(() => got.length > 0, 'the message')
    expect(got).toEqual(['after'])
  })

  it('a message whose answer does not come may be kept, and the store says so before the server gives up', async () => {
    const { publish } = await serve()
    await publish('before')
    broker.freeze()
    // The program is stopped a moment later.
    let error
    do error = await publish('late')
    while (!(error instanceof Error))
    expect(error).toMatchObject({ code: 'HAWSER_MAYBE_PUBLISHED' })
    expect(error.message).toContain(late)
    broker.thaw()
  })

  it('a message that is too large, and one for which there is no room, have codes of their own', async () => {
    const { publish } = await serve({ maxMessageBytes: 1024, maxQueuedBytes: 2000 })
    expect(await publish('x'.repeat(1025))).toMatchObject({
      code: 'HAWSER_PUBLISH_TOO_BIG',
      message: 'the history failed: a message for group "room" has 1025 bytes, and maxMessageBytes is 1024',
    })
    await publish('before')
    broker.freeze()
    // The program is stopped a moment later.
    await new Promise((resolve) => setTimeout(resolve, 100))
    const waiting = publish('x'.repeat(1000))
    const error = await publish('x'.repeat(1000))
    expect(error).toMatchObject({ code: 'HAWSER_PUBLISH_QUEUE_FULL' })
    expect((error as Error).message).toMatch(/bytes wait for an answer already, and maxQueuedBytes is 2000$/)
    broker.thaw()
    await waiting
  })
})
