/** Recovery of missed messages over real sockets, in one process. */
import {
  connect,
  type WebSocketServer,
  type ReconnectingSocket,
  type ServerOptions,
} from '../../src/index.js'
import { memoryHistory, type RecoveryEvent } from '../../src/recovery/index.js'
import { serve, stopServing } from '../helpers/serving.js'

const clients: { terminate(): void }[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.terminate()
  stopServing()
})

const recovery = (more: object = {}): NonNullable<ServerOptions['recovery']> => ({
  history: memoryHistory(),
  groups: ['room:*'],
  ...more,
})

const joining = { onOpen: (socket: { join(group: string): boolean }) => void socket.join('room:1') }

/** A client that reconnects at once, with what it got and was told. */
async function openClient(url: string, more: object = {}) {
  const events: RecoveryEvent[] = []
  const socket: ReconnectingSocket = await connect(url, {
    reconnect: { minDelayMs: 0, maxDelayMs: 5 },
    recovery: { onRecovered: (event) => events.push(event) },
    ...more,
  })
  clients.push(socket)
  return { socket, events }
}

async function read(socket: { receive(): Promise<string | Buffer> }, count: number): Promise<string[]> {
  const got: string[] = []
  while (got.length < count) got.push(String(await socket.receive()))
  return got
}

const membersOf = async (server: WebSocketServer, group: string, count: number): Promise<void> => {
  while (server.group(group).size !== count) await new Promise((resolve) => setTimeout(resolve, 2))
}

describe('a client with recovery that reconnects', () => {
  it('gets what was published while it was away, once and in order, and is told how much', async () => {
    const { server, url } = await serve(joining, { recovery: recovery() })
    const { socket, events } = await openClient(url)
    await membersOf(server, 'room:1', 1)
    const room = server.group('room:1')
    for (const text of ['a', 'b']) await room.publish(text)
    expect(await read(socket, 2)).toEqual(['a', 'b'])
    for (const one of server.sockets) one.terminate()
    await membersOf(server, 'room:1', 0)
    for (const text of ['c', 'd', 'e']) await room.publish(text)
    expect(await read(socket, 3)).toEqual(['c', 'd', 'e'])
    await room.publish('f')
    expect(await read(socket, 1)).toEqual(['f'])
    expect(events).toEqual([{ group: 'room:1', recovered: true, count: 3 }])
    expect(socket.positions()).toMatchObject([{ group: 'room:1', offset: 6 }])
    expect(server.stats().recovery).toMatchObject({
      groups: 1,
      members: 1,
      published: 6,
      recovered: 1,
      replayed: 3,
    })
  })
})
