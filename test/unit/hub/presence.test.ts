import type { Envelope, EnvelopeBody } from '../../../src/hub/backplane.js'
import type { RemoteClaim } from '../../../src/hub/elsewhere.js'
import { MAX_NODES, Presence } from '../../../src/hub/presence.js'

const from = (node: string, body: EnvelopeBody): Envelope => ({ version: 1, from: node, to: null, ...body })
const alive = (node: string, sequence: number): Envelope => from(node, { kind: 'alive', sequence })

function setUp(maxEntries?: number): {
  presence: Presence
  claimed: [string, RemoteClaim][]
  take(envelope: Envelope, now?: number): boolean
} {
  const presence = new Presence(3000, maxEntries)
  const claimed: [string, RemoteClaim][] = []
  return {
    presence,
    claimed,
    take: (envelope, now = 0) => presence.handle(envelope, now, (...claim) => claimed.push(claim)),
  }
}

describe('presence by announcements', () => {
  test('a node that begins is known at once, and its changes in their order', () => {
    const { presence, claimed, take } = setUp()
    expect(take(alive('a', 0))).toBe(false)
    expect(
      take(from('a', { kind: 'changes', sequence: 1, names: [['ann', 5, true]], groups: [['dogs', 2]] })),
    ).toBe(false)
    expect(presence.find('ann')).toEqual({ time: 5, closesPrevious: true, node: 'a' })
    expect(presence.groupSize('dogs')).toBe(2)
    expect(claimed).toEqual([['ann', { time: 5, closesPrevious: true, node: 'a' }]])
    take(from('a', { kind: 'changes', sequence: 2, names: [['ann', null, false]], groups: [['dogs', 0]] }))
    expect([presence.find('ann'), presence.groupSize('dogs')]).toEqual([undefined, 0])
  })

  test('whoever missed a change asks, and not again before a while', () => {
    const { take } = setUp()
    take(alive('a', 0))
    expect(take(from('a', { kind: 'changes', sequence: 2, names: [], groups: [] }))).toBe(true)
    expect(take(alive('a', 2), 999)).toBe(false)
    expect(take(alive('a', 2), 1000)).toBe(true)
    expect(take(from('unknown', { kind: 'deleteGroup', group: 'x' }))).toBe(true)
  })

  test('a snapshot in parts takes the place of all that was known', () => {
    const { presence, claimed, take } = setUp()
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
    expect(presence.find('ann')).toBeUndefined()
    take(part(1, true, 'bob'))
    expect([presence.find('old'), presence.groupSize('old')]).toEqual([undefined, 0])
    expect([presence.find('ann')?.time, presence.groupSize('bob')]).toEqual([2, 3])
    expect(claimed.map(([name]) => name)).toEqual(['old', 'ann', 'bob'])
    expect(take(alive('a', 7))).toBe(false)
  })

  test('a snapshot that lacks a part is asked for again', () => {
    const { presence, take } = setUp()
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
    expect(presence.find('ann')).toBeUndefined()
  })

  test('of two claims the later one counts, of two at once the one of the greater node id', () => {
    const { presence, take } = setUp()
    for (const [node, time] of [
      ['b', 5],
      ['a', 5],
      ['c', 4],
    ] as const) {
      take(alive(node, 0))
      take(from(node, { kind: 'changes', sequence: 1, names: [['ann', time, false]], groups: [['dogs', 1]] }))
    }
    expect(presence.find('ann')?.node).toBe('b')
    expect(presence.groupSize('dogs')).toBe(3)
  })

  test('a node that was silent is forgotten, and so is one that left', () => {
    const { presence, take } = setUp()
    take(alive('a', 0), 0)
    take(alive('b', 0), 2000)
    presence.expire(3000)
    expect(presence.size).toBe(2)
    presence.expire(3001)
    expect([presence.has('a'), presence.has('b')]).toEqual([false, true])
    take(from('b', { kind: 'left' }))
    expect(presence.size).toBe(0)
    expect(take(from('b', { kind: 'left' }))).toBe(false)
  })

  test('what a node can make others keep is bounded, and so are the nodes', () => {
    const { presence, take } = setUp(2)
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
    expect([presence.find('2')?.time, presence.find('3'), presence.groupSize('dogs')]).toEqual([
      1,
      undefined,
      0,
    ])
    take(from('a', { kind: 'changes', sequence: 2, names: [['1', 9, false]], groups: [] }))
    expect(presence.find('1')?.time).toBe(9)
    for (let i = 0; i < MAX_NODES + 5; i++) take(alive(`node ${i}`, 1))
    expect(presence.size).toBe(MAX_NODES)
  })
})
