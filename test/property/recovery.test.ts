/**
 * Two nodes with one history, between which messages are lost, doubled and overtake each other, and clients that come and go: each
 * client gets every message once and in order, or is told that something is missing.
 */
import fc from 'fast-check'
import type { PreparedMessage } from '../../src/connection/prepared-message.js'
import { ClientPositions, type RecoveryEvent } from '../../src/recovery/client-positions.js'
import { ClientStream } from '../../src/recovery/client-stream.js'
import { Feed, type FeedOwner } from '../../src/recovery/feed.js'
import type { FeedMessage } from '../../src/recovery/feed-message.js'
import type { Line } from '../../src/recovery/feed-member.js'
import type { Position } from '../../src/recovery/history.js'
import { resolveRecovery } from '../../src/recovery/options.js'
import { Recovery, RecoveryLine } from '../../src/recovery/recovery.js'
import { PositionsReader } from '../../src/recovery/positions-reader.js'
import { encodeControl, encodePublished, type ServerControl } from '../../src/recovery/wire.js'
import { DELIVER } from '../../src/socket/fan-out.js'
import { TestHistory, until } from '../helpers/recovery-world.js'

const GROUP = 'room:1'
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

interface Live {
  readonly position: Position
  readonly data: string
}

describe('the feed of a group', () => {
  const history = new TestHistory()
  const limits = { maxMessages: 1000, maxAgeMs: 60_000 }

  it('delivers each message once and in order, whatever order, loss and doubling the live messages have', async () => {
    const step = fc.record({
      kind: fc.constantFrom('publish', 'publish', 'arrive', 'arrive', 'double', 'lose', 'turn', 'refresh'),
      at: fc.nat(20),
    })
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.boolean(), async (steps, isAsync) => {
        const group = `run ${String(++run)}`
        history.isAsync = isAsync
        const delivered: FeedMessage[] = []
        const moves: string[] = []
        const owner: FeedOwner = {
          read: (name, after, max) => history.read(name, after, max, limits),
          deliver: (_, message) => delivered.push(message),
          ready: () => undefined,
          moved: (_, reason) => moves.push(reason),
          nextId: () => 1,
        }
        const feed = new Feed(group, owner)
        feed.start()
        await feed.refreshed()
        const pending: Live[] = []
        const published: string[] = []
        for (const { kind, at } of steps) {
          const one = pending[at % Math.max(1, pending.length)]
          if (kind === 'publish') {
            const data = `m${String(published.length)}`
            published.push(data)
            pending.push({ position: await history.append(group, data, limits), data })
          } else if (kind === 'turn') {
            await turn()
          } else if (kind === 'refresh') {
            feed.refresh()
          } else if (one !== undefined) {
            if (kind !== 'lose') feed.receive(one.position, one.data, true)
            if (kind !== 'double') pending.splice(pending.indexOf(one), 1)
          }
        }
        await feed.refreshed()
        feed.stop()
        expect(delivered.map(({ data }) => data)).toEqual(published)
        expect(delivered.map(({ offset }) => offset)).toEqual(published.map((_, i) => i + 1))
        expect(moves).toEqual([])
      }),
      { numRuns: 200 },
    )
  })
})

/** A connection without a network: what the server sends reaches the client's stream at once. */
class Connection implements Line {
  hasRoom = true
  isOpen = true
  readonly line = new RecoveryLine(this)
  private readonly stream: ClientStream
  private waiting: ((error?: Error) => void)[] = []

  constructor(private readonly client: Client) {
    this.stream = new ClientStream(client.positions, {
      recovered: (event) => client.log.push(event),
      published: () => undefined,
      refuse: (detail) => client.log.push(detail),
    })
  }

  sendPublished(message: FeedMessage, id: number): boolean {
    if (!this.isOpen) return false
    this.receive(encodePublished(id, message.offset, message.data))
    return true
  }

  sendControl(control: ServerControl): void {
    if (this.isOpen) this.receive(encodeControl(control))
  }

  whenRoom(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting.push((error) => {
        if (error === undefined) resolve()
        else reject(error)
      })
    })
  }

  setRoom(hasRoom: boolean): void {
    this.hasRoom = hasRoom
    if (hasRoom) for (const wake of this.waiting.splice(0)) wake()
  }

  end(): void {
    this.isOpen = false
    for (const wake of this.waiting.splice(0)) wake(new Error('the connection is over'))
  }

  [DELIVER](_message: PreparedMessage): 'sent' {
    throw new Error('a connection with recovery gets published messages alone')
  }

  private receive(message: string | Buffer): void {
    this.stream.received(message)
    const data = this.stream.take(message)
    if (data !== null) this.client.log.push(String(data))
  }
}

class Client {
  readonly positions = new ClientPositions([])
  /** Messages, and what the client was told. */
  readonly log: (string | RecoveryEvent)[] = []
  connection: Connection | null = null
  node: Node | null = null

  open(node: Node): void {
    const connection = new Connection(this)
    this.connection = connection
    this.node = node
    node.join(connection)
    const reader = new PositionsReader(256)
    const positions = this.positions
      .opening()
      .texts.map((text) => reader.read(text))
      .at(-1)
    if (!(positions instanceof Map)) throw new Error(String(positions))
    connection.line.takePositions(positions)
  }

  close(): void {
    const { connection, node } = this
    if (connection === null || node === null) return
    connection.end()
    node.leave(connection)
    this.connection = null
  }
}

class Node {
  readonly members = new Set<Connection>()
  readonly recovery: Recovery<Connection>
  private list: readonly Connection[] = []

  constructor(history: TestHistory, share: (live: Live) => void, maxMessages: number) {
    const settings = resolveRecovery({ history, groups: [GROUP], maxMessages, checkIntervalMs: 40 })
    if (settings === null) throw new Error('it is on')
    this.recovery = new Recovery<Connection>({
      settings,
      membersOf: () => this.list,
      lineOf: (connection) => connection.line,
      share: (_group, data, _compress, position) => {
        share({ position, data: data as string })
      },
      onError: () => undefined,
    })
  }

  join(connection: Connection): void {
    this.members.add(connection)
    this.list = [...this.members]
    this.recovery.joined(connection, GROUP)
  }

  leave(connection: Connection): void {
    this.members.delete(connection)
    this.list = [...this.members]
    this.recovery.left(connection, GROUP, this.members.size === 0, false)
  }
}

const KINDS = [
  'publish',
  'publish',
  'publish',
  'arrive',
  'arrive',
  'lose',
  'double',
  'turn',
  'cut',
  'open',
] as const

async function play(
  steps: readonly { readonly kind: string; readonly at: number }[],
  maxMessages: number,
  isAsync: boolean,
): Promise<{
  readonly clients: readonly Client[]
  readonly published: readonly string[]
  readonly newest: Position
}> {
  const history = new TestHistory()
  history.isAsync = isAsync
  const pending: { to: number; live: Live }[] = []
  const nodes = [0, 1].map(
    (index) => new Node(history, (live) => pending.push({ to: 1 - index, live }), maxMessages),
  )
  const clients = [0, 1, 2].map(() => new Client())
  const published: string[] = []
  let newest: Position = { epoch: '', offset: 0 }
  for (const client of clients) client.open(nodes[0] as Node)
  await until(() => clients.every(({ positions }) => positions.list().length > 0), 'the first positions')
  for (const { kind, at } of steps) {
    const client = clients[at % clients.length] as Client
    const node = nodes[at % 2] as Node
    const one = pending[at % Math.max(1, pending.length)]
    if (kind === 'publish') {
      const data = `m${String(published.length)}`
      published.push(data)
      const position = node.recovery.publish(GROUP, data, true)
      newest = await position
    } else if (kind === 'turn') await turn()
    else if (kind === 'cut') client.close()
    else if (kind === 'open') {
      if (client.connection === null) client.open(node)
    } else if (kind === 'lose-data') history.lose()
    else if (kind === 'down') history.state = history.state === 'up' ? 'down' : 'up'
    else if (kind === 'full') client.connection?.setRoom(!client.connection.hasRoom)
    else if (one !== undefined) {
      const { to, live } = one
      if (kind !== 'lose') (nodes[to] as Node).recovery.received(GROUP, live.data, true, live.position)
      if (kind !== 'double') pending.splice(pending.indexOf(one), 1)
    }
  }
  history.state = 'up'
  for (const client of clients) {
    client.connection?.setRoom(true)
    if (client.connection === null) client.open(nodes[0] as Node)
  }
  const last = `m${String(published.length)}`
  newest = await (nodes[0] as Node).recovery.publish(GROUP, last, true)
  published.push(last)
  await until(
    () =>
      clients.every(({ positions }) => {
        const position = positions.get(GROUP)
        return position?.offset === newest.offset && position.epoch === newest.epoch
      }),
    `all to be at ${String(newest.offset)}: ${JSON.stringify(clients.map(({ positions, log }) => [positions.list(), log]))}`,
  )
  for (const client of clients) client.close()
  for (const { recovery } of nodes) recovery.close()
  return { clients, published, newest }
}

const stepsOf = (kinds: readonly string[]): fc.Arbitrary<{ kind: string; at: number }[]> =>
  fc.array(fc.record({ kind: fc.constantFrom(...kinds), at: fc.nat(11) }), { maxLength: 80 })

describe('clients of two nodes that come and go', () => {
  it('get every message once and in order, if the history has all', async () => {
    await fc.assert(
      fc.asyncProperty(stepsOf([...KINDS, 'full']), fc.boolean(), async (steps, isAsync) => {
        const { clients, published } = await play(steps, 1000, isAsync)
        for (const { log } of clients) {
          expect(log.filter((entry) => typeof entry === 'string')).toEqual(published)
          for (const entry of log) if (typeof entry !== 'string') expect(entry.recovered).toBe(true)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('are told of every gap, if messages are trimmed or the history loses its data', async () => {
    await fc.assert(
      fc.asyncProperty(
        stepsOf([...KINDS, 'full', 'lose-data', 'cut']),
        fc.boolean(),
        async (steps, isAsync) => {
          const { clients, published } = await play(steps, 5, isAsync)
          for (const { log } of clients) {
            let next = 0
            let mayJump = false
            for (const entry of log) {
              if (typeof entry !== 'string') {
                if (!entry.recovered) mayJump = true
                continue
              }
              const index = published.indexOf(entry)
              expect(index).toBeGreaterThanOrEqual(next)
              if (!mayJump) expect(index).toBe(next)
              mayJump = false
              next = index + 1
            }
          }
        },
      ),
      { numRuns: 60 },
    )
  })
})
