/**
 * Servers of this process over one broker, each with a publisher and a member with recovery, which go on while a part of the broker
 * fails; and what must hold of what they got, whatever happened.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { connect, WebSocketServer, type PublishError } from '../../src/index.js'
import type { Backplane } from '../../src/backplane/index.js'
import type { HistoryStore, Position, RecoveryEvent } from '../../src/recovery/index.js'
import { until } from './recovery-world.js'

/** What a server is over. */
export interface Brokered {
  readonly backplane: Backplane
  readonly history: HistoryStore
}

interface Got extends Position {
  readonly text: string
}

interface Member {
  readonly got: Got[]
  readonly events: RecoveryEvent[]
}

/** So many messages are published at a time by each server. */
const AT_ONCE = 3

export class FailoverWorld {
  /** What `publish` resolved, by its text. */
  readonly kept = new Map<string, Position>()
  /** The codes of what it rejected with, by its text. */
  readonly refused = new Map<string, string>()
  readonly members: Member[] = []
  private readonly servers: WebSocketServer[] = []
  private readonly clients: { terminate(): void }[] = []
  private readonly publishing: Promise<void>[] = []
  private isOver = false

  /** Starts a server and its member. */
  async add({ backplane, history }: Brokered): Promise<void> {
    const server = new WebSocketServer({
      backplane,
      recovery: { history, groups: ['room'], maxMessages: 1_000_000, checkIntervalMs: 300 },
      onError: () => undefined,
    })
    this.servers.push(server)
    server.route('/', { onOpen: (socket) => void socket.join('room') })
    const { port } = await server.listen(0, '127.0.0.1')
    await until(() => server.backplaneStats?.link?.isConnected === true, 'the broker', 60_000)
    const member: Member = { got: [], events: [] }
    const socket = await connect(`ws://127.0.0.1:${String(port)}/`, {
      reconnect: { minDelayMs: 0, maxDelayMs: 20 },
      recovery: {
        onRecovered: (event) => member.events.push(event),
        onPublished: ({ position, data }) => member.got.push({ ...position, text: String(data) }),
      },
      handlers: { onMessage: () => undefined },
    })
    this.clients.push(socket)
    await until(() => socket.positions().length === 1, 'the first position', 60_000)
    this.members.push(member)
  }

  /** Starts the publishers: all members know where they are. */
  begin(): void {
    for (const [at, server] of this.servers.entries()) {
      for (let i = 0; i < AT_ONCE; i++)
        this.publishing.push(this.publish(server, `${String(at)}.${String(i)}`))
    }
  }

  /** Waits until so many more messages are kept. */
  more(count: number): Promise<void> {
    const wanted = this.kept.size + count
    return until(() => this.kept.size >= wanted, `${String(count)} messages more`, 60_000)
  }

  /** Ends the publishers, and waits until all members have the newest message. @returns its epoch */
  async settle(): Promise<string> {
    this.isOver = true
    await Promise.all(this.publishing)
    const { epoch } = [...this.kept.values()].at(-1) as Position
    const newest = Math.max(
      ...[...this.kept.values()].filter((one) => one.epoch === epoch).map(({ offset }) => offset),
    )
    await until(
      () =>
        this.members.every(({ got }) => {
          const last = got.at(-1)
          return last?.epoch === epoch && last.offset >= newest
        }),
      'the newest message everywhere',
      60_000,
    )
    return epoch
  }

  /** What `publish` resolved in this epoch and a member did not get, or not in its place. */
  missing({ got }: Member, epoch: string): string[] {
    const texts = new Map(got.map((one) => [`${one.epoch} ${String(one.offset)}`, one.text]))
    return [...this.kept]
      .filter(([text, at]) => at.epoch === epoch && texts.get(`${epoch} ${String(at.offset)}`) !== text)
      .map(([text]) => text)
  }

  /** What came twice, or without what is before it in its epoch. */
  disorder({ got }: Member): Got[] {
    return got.filter((one, i) => {
      const before = got[i - 1]
      return before?.epoch === one.epoch && one.offset !== before.offset + 1
    })
  }

  /** What a member got though `publish` said that nobody would. */
  lies({ got }: Member): string[] {
    return got.map(({ text }) => text).filter((text) => this.refused.get(text) === 'HAWSER_NOT_PUBLISHED')
  }

  end(): void {
    this.isOver = true
    for (const client of this.clients) client.terminate()
    for (const server of this.servers) server.terminate()
  }

  private async publish(server: WebSocketServer, name: string): Promise<void> {
    for (let i = 0; !this.isOver; i++) {
      const text = `${name} ${String(i)}`
      try {
        this.kept.set(text, await server.group('room').publish(text))
      } catch (error) {
        this.refused.set(text, (error as PublishError).code)
      }
      await delay(1)
    }
  }
}
