/** Recovery where nodes differ, the history answers nonsense, and peers do what they can. */
import { once } from 'node:events'
import { createConnection } from 'node:net'
import type { WebSocketServer } from '../../src/index.js'
import type { HistoryPage, HistoryStore, Position } from '../../src/recovery/index.js'
import { frame, KEY } from '../helpers/frame-builder.js'
import { TestHistory, until, World } from '../helpers/recovery-world.js'

/** A history that does what a test wants of one that is broken. */
class BrokenHistory implements HistoryStore {
  epoch = 'e'
  texts: string[] = []
  /** Changes an answer. */
  change: (page: HistoryPage, after: number, count: number) => HistoryPage | Promise<HistoryPage> = (page) =>
    page

  append(_: string, data: string | Uint8Array): Position {
    return { epoch: this.epoch, offset: this.texts.push(String(data)) }
  }

  read(_: string, after: number, count: number): HistoryPage | Promise<HistoryPage> {
    const all = this.texts.map((data, i) => ({ offset: i + 1, data }))
    const messages = all.slice(after, after + count)
    return this.change({ epoch: this.epoch, newest: all.length, oldest: 1, messages }, after, count)
  }
}

/** What is let go later. */
function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = (): void => undefined
  const passed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { passed, open }
}

const UNAVAILABLE = { group: 'room:1', recovered: false, reason: 'unavailable' }

let world: World
beforeEach(() => {
  world = new World()
})
afterEach(() => {
  world.end()
})

describe('nodes that differ', () => {
  it('deliver what is published to a group that is recoverable elsewhere, and not here, as plain messages', async () => {
    const a = await world.node()
    const b = await world.node({ groups: ['other:*'] })
    const { server, url } = await world.node({}, { recovery: undefined })
    const nodes = [b.url, url]
    const clients = await Promise.all(nodes.map((node) => world.client(node)))
    await Promise.all([b.server, server].map((node: WebSocketServer) => world.members(node, 1)))
    await world.everywhere(a.server, 2)
    await a.server.group('room:1').publish('m0')
    await until(() => clients.every(({ got }) => got.length === 1), 'the message on both')
    expect(clients.map(({ got }) => got)).toEqual([['m0'], ['m0']])
  })
})

describe('a history that is broken', () => {
  const from = (offset: number): object => ({
    recovery: { positions: [{ group: 'room:1', epoch: 'e', offset }], onRecovered },
  })
  const events: unknown[] = []
  const onRecovered = (event: { readonly group: string }): void => void events.push({ ...event, group: '' })
  let history: BrokenHistory
  beforeEach(() => {
    events.length = 0
    world.history = history = new BrokenHistory()
  })

  it.each([
    ['at once', false],
    ['later', true],
  ])(
    'and always gives the same messages, %s, stops neither the process nor what comes live',
    async (_, isLater) => {
      const { server, url } = await world.node({ historyTimeoutMs: 50 })
      const room = server.group('room:1')
      for (const text of ['a', 'b', 'c']) await room.publish(text)
      history.change = (page, after, count) => {
        const messages = count > 0 && after < 3 ? [{ offset: 1, data: 'a' }] : []
        return isLater ? Promise.resolve({ ...page, messages }) : { ...page, messages }
      }
      const { got } = await world.client(url, from(1))
      await until(() => events.length === 1, 'the outcome')
      expect(events).toEqual([{ group: '', recovered: false, reason: 'unavailable' }])
      await room.publish('d')
      await until(() => got.length === 1, 'the next message')
      expect(got).toEqual(['d'])
    },
  )

  it('and loses its newest messages tells a member that catches up, and sends it nothing of them', async () => {
    const { server, url } = await world.node({ checkIntervalMs: 50 })
    const room = server.group('room:1')
    const holder = await world.joined(url)
    for (let i = 1; i <= 10; i++) await room.publish(`old ${String(i)}`)
    await until(() => holder.got.length === 10, 'all messages')
    const [asked, late] = [gate(), gate()]
    history.change = async (page, after) => {
      if (after !== 3) return page
      asked.open()
      await late.passed
      return page
    }
    const { got } = await world.client(url, from(3))
    await asked.passed
    history.texts.length = 5
    await until(() => holder.events.length === 1, 'the feed to find out')
    late.open()
    await until(() => got.length > 1, 'what is left')
    await room.publish('new 6')
    await until(() => got.includes('new 6'), 'the next message')
    expect(got).toEqual(['old 4', 'old 5', 'new 6'])
    expect(events).toEqual([{ group: '', recovered: false, reason: 'ahead' }])
  })

  it('and begins anew while a position is looked for tells its client once', async () => {
    const { server, url } = await world.node({ checkIntervalMs: 50 })
    const room = server.group('room:1')
    const holder = await world.joined(url)
    await room.publish('a')
    const [asked, late] = [gate(), gate()]
    history.change = async (page, after) => {
      if (after !== 9) return page
      asked.open()
      await late.passed
      return { ...page, epoch: history.epoch }
    }
    const { got } = await world.client(url, from(9))
    await asked.passed
    history.epoch = 'f'
    await until(() => holder.events.length === 1, 'the feed to find out')
    late.open()
    await room.publish('b')
    await until(() => got.includes('b'), 'the next message')
    expect(events).toEqual([{ group: '', recovered: false, reason: 'epoch' }])
  })
})

describe('a client that does what it can', () => {
  const text = (payload: string): Buffer => frame({ opcode: 1, payload, key: KEY })

  /** A client with the subprotocol that reads nothing after the handshake. */
  async function openDeaf(url: string, path: string): Promise<ReturnType<typeof createConnection>> {
    const socket = createConnection(Number(new URL(url).port), '127.0.0.1')
    // It is cut while it still writes.
    socket.on('error', () => undefined)
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Protocol: hawser.recovery\r\n\r\n',
    )
    await once(socket, 'data')
    socket.pause()
    return socket
  }

  it.each(['close', 'drop'] as const)(
    'as going in and out of a group without reading what it is told, is cut where slowConsumer is %s',
    async (slowConsumer) => {
      const { server, url } = await world.node(
        {},
        { slowConsumer, limits: { maxBufferedOutputBytes: 65_536 } },
      )
      const group = `room:${'x'.repeat(240)}`
      let most = 0
      const errors: unknown[] = []
      server.route('/doors', {
        onTextMessage: (socket, door) => {
          most = Math.max(most, socket.bufferedAmount)
          if (door === 'in') socket.join(group)
          else socket.leave(group)
        },
        onError: (_, error) => void errors.push((error as { readonly code?: unknown }).code),
      })
      const socket = await openDeaf(url, '/doors')
      socket.write(text('2{"positions":[]}'))
      const doors = Buffer.concat(Array.from({ length: 500 }, () => [text('0in'), text('0out')]).flat())
      const knock = (): void => {
        if (errors.length === 0 && !socket.destroyed) socket.write(doors, knock)
      }
      knock()
      await until(() => errors.length > 0, 'the end')
      expect(errors).toEqual(['HAWSER_SLOW_CONSUMER'])
      // docs/backpressure.md, "The bound": with messages of some 300 bytes.
      expect(most).toBeLessThan(65_536 + 2 * 600 + 132 * 1024)
      socket.destroy()
    },
  )
})

describe.each(['stalled', 'down'] as const)('a history that is %s when a client comes back', (state) => {
  it('is told to it in time, live messages arrive, and what follows is complete once it is up', async () => {
    const store = new TestHistory()
    world.history = store
    const limits = { maxMessages: 10, maxAgeMs: 60_000 }
    const { epoch } = await store.append('room:1', 'a', limits)
    await store.append('room:1', 'missed', limits)
    store.state = state
    const { url } = await world.node({ historyTimeoutMs: 50 })
    const events: unknown[] = []
    const { got } = await world.client(url, {
      recovery: {
        positions: [{ group: 'room:1', epoch, offset: 1 }],
        onRecovered: (event: unknown) => events.push(event),
      },
    })
    await until(() => events.length > 0, 'the outcome')
    expect(events).toEqual([UNAVAILABLE])
    expect(got).toEqual([])
    store.state = 'up'
    await until(() => got.length > 0, 'what it missed')
    expect(got).toEqual(['missed'])
    expect(events).toHaveLength(1)
  })

  it('does not keep back what is published meanwhile', async () => {
    const store = new TestHistory()
    const limits = { maxMessages: 10, maxAgeMs: 60_000 }
    const { epoch } = await store.append('room:1', 'a', limits)
    await store.append('room:1', 'missed', limits)
    world.history = {
      append: (...all) => store.append(...all),
      read: () =>
        state === 'down' ? Promise.reject(new Error('down')) : new Promise<never>(() => undefined),
    }
    const { server, url } = await world.node({ historyTimeoutMs: 50 })
    const events: unknown[] = []
    const { got } = await world.client(url, {
      recovery: {
        positions: [{ group: 'room:1', epoch, offset: 1 }],
        onRecovered: (event: unknown) => events.push(event),
      },
    })
    await until(() => events.length > 0, 'the outcome')
    await server.group('room:1').publish('live')
    await until(() => got.length > 0, 'the live message')
    await server.group('room:1').publish('next')
    await until(() => got.length > 1, 'the next message')
    expect(got).toEqual(['live', 'next'])
    // One return, one outcome.
    expect(events).toEqual([UNAVAILABLE])
    expect(server.stats().recovery).toMatchObject({ lost: 1, recovered: 0 })
  })
})
