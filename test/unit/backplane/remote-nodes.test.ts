import type { Envelope, EnvelopeBody } from '../../../src/backplane/envelope.js'
import type { RemoteClaim } from '../../../src/hub/remote.js'
import { MAX_NODES, RemoteNodes } from '../../../src/backplane/remote-nodes.js'

const from = (node: string, body: EnvelopeBody): Envelope => ({ version: 1, from: node, to: null, ...body })
const alive = (node: string, sequence: number): Envelope => from(node, { kind: 'alive', sequence })

function setUp(maxEntries?: number): {
  nodes: RemoteNodes
  claimed: [string, RemoteClaim][]
  take(envelope: Envelope, now?: number): boolean
} {
  const nodes = new RemoteNodes(3000, maxEntries)
  const claimed: [string, RemoteClaim][] = []
  return {
    nodes,
    claimed,
    take: (envelope, now = 0) => nodes.handle(envelope, now, (...claim) => claimed.push(claim)),
  }
}

describe('what other nodes announced', () => {
  test('a new node is known at once, and its changes in their order', () => {
    const { nodes, claimed, take } = setUp()
    expect(take(alive('a', 0))).toBe(false)
    expect(
      take(from('a', { kind: 'changes', sequence: 1, names: [['ann', 5, true]], groups: [['dogs', 2]] })),
    ).toBe(false)
    expect(nodes.findClaim('ann')).toEqual({ time: 5, closesPrevious: true, node: 'a' })
    expect(nodes.groupSize('dogs')).toBe(2)
    expect(claimed).toEqual([['ann', { time: 5, closesPrevious: true, node: 'a' }]])
    take(from('a', { kind: 'changes', sequence: 2, names: [['ann', null, false]], groups: [['dogs', 0]] }))
    expect([nodes.findClaim('ann'), nodes.groupSize('dogs')]).toEqual([undefined, 0])
  })

  test('a missed change is asked for, and not again before a third of ttlMs', () => {
    const { take } = setUp()
    take(alive('a', 0))
    expect(take(from('a', { kind: 'changes', sequence: 2, names: [], groups: [] }))).toBe(true)
    expect(take(alive('a', 2), 999)).toBe(false)
    expect(take(alive('a', 2), 1000)).toBe(true)
    expect(take(from('unknown', { kind: 'deleteGroup', group: 'x' }))).toBe(true)
  })

  test('a snapshot in parts replaces all that was known', () => {
    const { nodes, claimed, take } = setUp()
    take(alive('a', 0))
    take(from('a', { kind: 'changes', sequence: 1, names: [['old', 1, false]], groups: [['old', 1]] }))
    const part = (n: number, isLast: boolean, name: string): Envelope =>
      from('a', {
        kind: 'snapshot',
        sequence: 7,
        part: n,
        isLast,
        names: [[name, 2, false]],
        groups: [[name, 3]],
      })
    take(part(0, false, 'ann'))
    expect(nodes.findClaim('ann')).toBeUndefined()
    take(part(1, true, 'bob'))
    expect([nodes.findClaim('old'), nodes.groupSize('old')]).toEqual([undefined, 0])
    expect([nodes.findClaim('ann')?.time, nodes.groupSize('bob')]).toEqual([2, 3])
    expect(claimed.map(([name]) => name)).toEqual(['old', 'ann', 'bob'])
    expect(take(alive('a', 7))).toBe(false)
  })

  test('a snapshot that lacks a part is asked for again', () => {
    const { nodes, take } = setUp()
    const part = (n: number): Envelope =>
      from('a', {
        kind: 'snapshot',
        sequence: 7,
        part: n,
        isLast: n === 2,
        names: [['ann', 2, false]],
        groups: [],
      })
    take(part(0))
    expect(take(part(2), 5000)).toBe(true)
    expect(nodes.findClaim('ann')).toBeUndefined()
  })

  test('of two claims the later one counts, of two at the same time that of the greater node id', () => {
    const { nodes, take } = setUp()
    for (const [node, time] of [
      ['b', 5],
      ['a', 5],
      ['c', 4],
    ] as const) {
      take(alive(node, 0))
      take(from(node, { kind: 'changes', sequence: 1, names: [['ann', time, false]], groups: [['dogs', 1]] }))
    }
    expect(nodes.findClaim('ann')?.node).toBe('b')
    expect(nodes.groupSize('dogs')).toBe(3)
  })

  test('a node that was silent for longer than ttlMs is forgotten, and so is one that left', () => {
    const { nodes, take } = setUp()
    take(alive('a', 0), 0)
    take(alive('b', 0), 2000)
    nodes.expire(3000)
    expect(nodes.size).toBe(2)
    nodes.expire(3001)
    expect([nodes.has('a'), nodes.has('b')]).toEqual([false, true])
    take(from('b', { kind: 'left' }))
    expect(nodes.size).toBe(0)
    expect(take(from('b', { kind: 'left' }))).toBe(false)
  })

  test('the names and groups kept of a node are limited, and so are the nodes', () => {
    const { nodes, take } = setUp(2)
    take(alive('a', 0))
    take(
      from('a', {
        kind: 'changes',
        sequence: 1,
        names: [
          ['1', 1, false],
          ['2', 1, false],
          ['3', 1, false],
        ],
        groups: [['dogs', 1]],
      }),
    )
    expect([nodes.findClaim('2')?.time, nodes.findClaim('3'), nodes.groupSize('dogs')]).toEqual([
      1,
      undefined,
      0,
    ])
    take(from('a', { kind: 'changes', sequence: 2, names: [['1', 9, false]], groups: [] }))
    expect(nodes.findClaim('1')?.time).toBe(9)
    for (let i = 0; i < MAX_NODES + 5; i++) take(alive(`node ${i}`, 1))
    expect(nodes.size).toBe(MAX_NODES)
  })
})
