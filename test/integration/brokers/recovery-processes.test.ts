// slow: starts and kills redis-server and nats-server, and nodes in processes of their own
/** Recovery over two processes and a real broker, under load: whatever is killed or cut, a client misses nothing, or is told. */
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { connect, type ReconnectingSocket } from '../../../src/index.js'
import type { Position, RecoveryEvent } from '../../../src/recovery/index.js'
import { BrokerServer, stopBrokers } from '../../helpers/broker-server.js'
import { Programs, type Program } from '../../helpers/child.js'
import { FaultProxy } from '../../helpers/fault-proxy.js'
import { until as untilWithin } from '../../helpers/recovery-world.js'

const until = (isTrue: () => boolean, what: string): Promise<void> => untilWithin(isTrue, what, 60_000)

const programs = new Programs()
const ending: (() => void)[] = []
afterEach(() => {
  for (const end of ending.splice(0)) end()
  stopBrokers()
})
afterAll(() => programs.remove())

const importOf = (file: string): string => {
  const { href } = pathToFileURL(path.join(__dirname, '../../../node_modules', file))
  return `(await import(${JSON.stringify(href)})).default`
}

/** For each broker how it is started with data that outlives it, and code that makes `history` by `url`, `backplane` by `lineUrl`. */
const BROKERS = {
  redis: {
    start: () => BrokerServer.redis('--appendonly', 'yes', '--appendfsync', 'always'),
    code: `
      import { redisBackplane, redisHistory } from './src/brokers/redis.js'
      const { createClient } = ${importOf('redis/dist/index.js')}
      const client = createClient({ url, socket: { reconnectStrategy: 20 } }).on('error', () => undefined)
      await client.connect()
      const history = redisHistory({ client })
      const backplane = redisBackplane(createClient({ url: lineUrl }))
      const leave = () => client.destroy()`,
  },
  nats: {
    start: () => BrokerServer.nats(),
    code: `
      import { jetStreamHistory, natsBackplane } from './src/brokers/nats.js'
      const { connect } = ${importOf('@nats-io/transport-node/lib/mod.js')}
      const connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 20 })
      const history = jetStreamHistory({ connection })
      const backplane = natsBackplane(() => connect({ servers: lineUrl }))
      const leave = () => connection.close()`,
  },
} as const

type BrokerName = keyof typeof BROKERS
const NAMES = Object.keys(BROKERS) as BrokerName[]

interface NodeStats {
  readonly isConnected: boolean
  readonly gaps: number
  readonly lost: number
}

/** A server in a process of its own. Clients of `/` are members of the room; what `/publish` gets is published to it. */
class NodeProcess {
  readonly url: string
  private readonly program: Program
  private asked = 0

  private constructor(program: Program, url: string) {
    this.program = program
    this.url = url
  }

  /** @param line the port of the broker over which the backplane goes */
  static async start(
    broker: BrokerName,
    name: string,
    { url, port }: BrokerServer,
    line = port,
  ): Promise<NodeProcess> {
    const program = programs.run(`
      import { createInterface } from 'node:readline'
      import { setTimeout as delay } from 'node:timers/promises'
      import { WebSocketServer } from './src/index.js'
      const url = ${JSON.stringify(url)}
      const lineUrl = ${JSON.stringify(url.replace(String(port), String(line)))}
      ${BROKERS[broker].code}
      const server = new WebSocketServer({
        backplane,
        recovery: { history, groups: ['room'], maxMessages: 1_000_000, checkIntervalMs: 300 },
        onError: () => undefined,
      })
      server.route('/', { onOpen: (socket) => {
        socket.join('room')
        socket.send('node ${name}')
      } })
      server.route('/publish', { onTextMessage: async (_, text) => {
        try {
          return JSON.stringify({ text, position: await server.group('room').publish(text) })
        } catch (error) {
          return JSON.stringify({ text, error: error.message })
        }
      } })
      const { port } = await server.listen(0, '127.0.0.1')
      const link = () => server.backplaneStats.link
      while (!link().isConnected) await delay(5)
      console.log('port', port)
      createInterface({ input: process.stdin }).on('line', async (line) => {
        const { gaps, lost } = server.stats().recovery
        if (line !== 'end') return console.log(line, JSON.stringify({ isConnected: link().isConnected, gaps, lost }))
        await server.close({ timeoutMs: 100 })
        await leave()
        process.stdin.destroy()
      })
    `)
    return new NodeProcess(program, `ws://127.0.0.1:${await program.value('port')}`)
  }

  async stats(): Promise<NodeStats> {
    const name = `stats${String(++this.asked)}`
    this.program.tell(name)
    return JSON.parse(await this.program.value(name)) as NodeStats
  }

  /** @returns what it wrote to stderr */
  async kill(): Promise<string> {
    this.program.kill()
    return (await this.program.ended).errors
  }

  /** @returns its exit code, and what it wrote to stderr */
  async end(): Promise<string> {
    this.program.tell('end')
    const { status, errors } = await this.program.ended
    return `${String(status)}${errors}`
  }
}

/** So many messages wait for the history at a time. */
const WINDOW = 4

/** Publishes one message after the other at a node. */
class Load {
  /** What `publish` resolved, by its text. */
  readonly kept = new Map<string, Position>()
  private readonly name: string
  private socket: ReconnectingSocket | null = null
  private sent = 0
  private waiting = 0
  private isOver = false

  constructor(name: string) {
    this.name = name
  }

  async start(url: string): Promise<this> {
    const socket = await connect(`${url}/publish`, {
      handlers: {
        onTextMessage: (_, answer) => {
          const { text, position } = JSON.parse(answer) as { text: string; position?: Position }
          if (position !== undefined) this.kept.set(text, position)
          this.waiting--
          this.fill()
        },
        onClose: () => {
          this.isOver = true
          this.waiting = 0
        },
      },
    })
    this.socket = socket as ReconnectingSocket
    ending.push(() => socket.terminate())
    this.fill()
    return this
  }

  /** Waits until so many more messages are kept. */
  more(count: number): Promise<void> {
    const wanted = this.kept.size + count
    return until(() => this.kept.size >= wanted, `${String(count)} messages more of ${this.name}`)
  }

  async stop(): Promise<void> {
    this.isOver = true
    await until(() => this.waiting === 0, 'the last answers')
  }

  private fill(): void {
    while (!this.isOver && this.waiting < WINDOW) {
      this.waiting++
      this.socket?.send(`${this.name} ${String(this.sent++)}`)
    }
  }
}

interface Published extends Position {
  readonly text: string
}

/** A client that comes back to one of these nodes, and notes what it gets. */
class Reader {
  readonly published: Published[] = []
  readonly events: RecoveryEvent[] = []
  /** Where it was. */
  readonly nodes: string[] = []

  static async start(...nodes: readonly NodeProcess[]): Promise<Reader> {
    const reader = new Reader()
    const socket = await connect(
      nodes.map(({ url }) => `${url}/`),
      {
        reconnect: { minDelayMs: 0, maxDelayMs: 20 },
        recovery: {
          onRecovered: (event) => reader.events.push(event),
          onPublished: ({ position, data }) => reader.published.push({ ...position, text: String(data) }),
        },
        handlers: {
          onTextMessage: (_, text) => {
            if (text.startsWith('node ')) reader.nodes.push(text)
          },
        },
      },
    )
    ending.push(() => socket.terminate())
    await until(() => socket.positions().length === 1, 'the first position')
    return reader
  }

  /** Waits until it has a message with this position, or a later one. */
  async has({ epoch, offset }: Position): Promise<void> {
    await until(
      () => {
        const last = this.published.at(-1)
        return last?.epoch === epoch && last.offset >= offset
      },
      `offset ${String(offset)}`,
    )
  }

  /** What came without what is before it, or twice, or from an epoch that was over. */
  get disorder(): Published[] {
    const epochs = new Set<string>()
    let last = { epoch: '', offset: 0 }
    return this.published.filter((one) => {
      const isNext = one.epoch === last.epoch ? one.offset === last.offset + 1 : !epochs.has(one.epoch)
      epochs.add(one.epoch)
      last = one
      return !isNext
    })
  }

  /** What it did not get of this, or elsewhere. */
  missing(kept: Iterable<readonly [string, Position]>): (readonly [string, Position])[] {
    const got = new Map(this.published.map(({ epoch, offset, text }) => [`${epoch} ${String(offset)}`, text]))
    return [...kept].filter(([text, { epoch, offset }]) => got.get(`${epoch} ${String(offset)}`) !== text)
  }
}

/** The newest position of the last epoch. */
const newestOf = (...loads: readonly Load[]): Position => {
  const epoch = [...(loads.at(-1)?.kept.values() ?? [])].at(-1)?.epoch ?? ''
  const offsets = loads.flatMap(({ kept }) => [...kept.values()].filter((one) => one.epoch === epoch))
  return { epoch, offset: Math.max(...offsets.map(({ offset }) => offset)) }
}

/** Ends the loads, and waits until the readers have all of them. */
async function settle(readers: readonly Reader[], loads: readonly Load[]): Promise<Position> {
  for (const load of loads) await load.stop()
  const newest = newestOf(...loads)
  for (const reader of readers) await reader.has(newest)
  return newest
}

const allOf = (loads: readonly Load[]): (readonly [string, Position])[] =>
  loads.flatMap(({ kept }) => [...kept])

jest.setTimeout(120_000)

describe.each(NAMES)('over %s', (name) => {
  let broker: BrokerServer
  beforeEach(async () => {
    broker = await BROKERS[name].start()
  })

  it('the clients of a node that is killed under load go to the other one, and get everything, once and in order', async () => {
    const [a, b] = await Promise.all([
      NodeProcess.start(name, 'a', broker),
      NodeProcess.start(name, 'b', broker),
    ])
    const moved = await Promise.all([Reader.start(a, b), Reader.start(a, b), Reader.start(a, b)])
    const readers = [...moved, await Reader.start(b)]
    const loads = await Promise.all([new Load('a').start(a.url), new Load('b').start(b.url)])
    await Promise.all(loads.map((load) => load.more(100)))
    expect(await a.kill()).toBe('')
    await until(() => moved.every(({ events }) => events.length > 0), 'the outcomes')
    await loads[1].more(100)
    await settle(readers, loads)
    for (const reader of readers) expect([reader.missing(allOf(loads)), reader.disorder]).toEqual([[], []])
    for (const { events, nodes } of moved) {
      expect(events).toEqual([{ group: 'room', recovered: true, count: expect.any(Number) as number }])
      expect([nodes[0], nodes.at(-1)]).toEqual(['node a', 'node b'])
    }
    expect(readers.at(-1)?.events).toEqual([])
    expect((await b.stats()).lost).toBe(0)
    expect(await b.end()).toBe('0')
  })

  it('a broker that is killed and started again with its data under load loses nothing of what publish resolved', async () => {
    const nodes = await Promise.all([
      NodeProcess.start(name, 'a', broker),
      NodeProcess.start(name, 'b', broker),
    ])
    const [a, b] = nodes
    const readers = await Promise.all([Reader.start(a), Reader.start(b)])
    const loads = await Promise.all([new Load('a').start(a.url), new Load('b').start(b.url)])
    await Promise.all(loads.map((load) => load.more(100)))
    await broker.kill()
    await broker.start()
    await Promise.all(loads.map((load) => load.more(100)))
    await settle(readers, loads)
    for (const reader of readers) {
      expect([reader.missing(allOf(loads)), reader.disorder]).toEqual([[], []])
      expect(reader.events).toEqual([])
    }
    for (const node of nodes) expect(await node.end()).toBe('0')
  })

  it('a broker that is started again without its data makes the clients hear of a new epoch, and they go on in it', async () => {
    const nodes = await Promise.all([
      NodeProcess.start(name, 'a', broker),
      NodeProcess.start(name, 'b', broker),
    ])
    const [a, b] = nodes
    const readers = await Promise.all([Reader.start(a, b), Reader.start(b, a)])
    const loads = await Promise.all([new Load('a').start(a.url), new Load('b').start(b.url)])
    await Promise.all(loads.map((load) => load.more(100)))
    await broker.kill()
    broker.forget()
    await broker.start()
    await Promise.all(loads.map((load) => load.more(WINDOW)))
    await until(() => readers.every(({ events }) => events.length > 0), 'the outcomes')
    await Promise.all(loads.map((load) => load.more(100)))
    const { epoch } = await settle(readers, loads)
    const kept = allOf(loads).filter(([, position]) => position.epoch === epoch)
    expect(kept.length).toBeGreaterThanOrEqual(200)
    for (const reader of readers) {
      expect([reader.missing(kept), reader.disorder]).toEqual([[], []])
      expect(reader.events).toEqual([{ group: 'room', recovered: false, reason: 'epoch' }])
      expect(reader.published.find((one) => one.epoch === epoch)?.offset).toBe(1)
    }
    for (const node of nodes) expect(await node.end()).toBe('0')
  })

  it('a node whose line to the others is cut gets what they publish by the check, and in order after it', async () => {
    const proxy = await FaultProxy.to(broker.port)
    ending.push(() => proxy.close())
    const nodes = await Promise.all([
      NodeProcess.start(name, 'a', broker, proxy.port),
      NodeProcess.start(name, 'b', broker),
    ])
    const [a, b] = nodes
    const readers = await Promise.all([Reader.start(a), Reader.start(b)])
    const [far] = readers
    const load = await new Load('b').start(b.url)
    await load.more(100)
    proxy.cut()
    while ((await a.stats()).isConnected);
    await load.more(200)
    await far.has(newestOf(load))
    expect(await a.stats()).toMatchObject({ isConnected: false, lost: 0 })
    expect((await a.stats()).gaps).toBeGreaterThan(0)
    proxy.mend()
    while (!(await a.stats()).isConnected);
    await load.more(100)
    await settle(readers, [load])
    for (const reader of readers) {
      expect([reader.missing(load.kept), reader.disorder]).toEqual([[], []])
      expect(reader.events).toEqual([])
    }
    for (const node of nodes) expect(await node.end()).toBe('0')
  })
})
