/** Recovery where nodes differ, the history answers nonsense, and peers do what they can. */
import type { WebSocketServer } from '../../src/index.js'
import { until, World } from '../helpers/recovery-world.js'

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
