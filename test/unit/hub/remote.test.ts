/** The border of the hub: what it says to other nodes, what it asks of them, and what they may have it do. */
import { PreparedMessage } from '../../../src/connection/prepared-message.js'
import { NameTakenError } from '../../../src/errors.js'
import { Hub } from '../../../src/hub/hub.js'
import {
  outranks,
  type Change,
  type OutgoingAction,
  type Remote,
  type RemoteClaim,
} from '../../../src/hub/remote.js'
import { SERVER_LIMITS } from '../../../src/limits.js'
import { OP, readFrames } from '../../helpers/frame-builder.js'
import { openMember, type HubSocket } from '../../helpers/hub-socket.js'
import { nextTurn, type MemoryDuplex } from '../../helpers/memory-duplex.js'

let changes: Change[]
let actions: (readonly [node: string | null, action: OutgoingAction])[]
/** What other nodes have. */
let claims: Map<string, RemoteClaim>
let hub: Hub<HubSocket>
const opened: HubSocket[] = []

beforeEach(() => {
  changes = []
  actions = []
  claims = new Map()
  const remote: Remote = {
    announce: (change) => changes.push(change),
    send: (action, node) => actions.push([node, action]),
    findClaim: (name) => claims.get(name),
    groupSize: (group) => (group === 'dogs' ? 3 : 0),
    deliver: () => Promise.resolve('unknown'),
    claim: () => Promise.resolve(undefined),
    hasClaim: () => false,
    keepClaim: () => undefined,
    unclaim: () => undefined,
  }
  hub = new Hub({ remote, reach: (path) => (path === '/' ? opened : []) })
})
afterEach(() => {
  for (const socket of opened.splice(0)) socket.terminate()
})

function open(): { socket: HubSocket; wire: MemoryDuplex } {
  const one = openMember(hub, SERVER_LIMITS, 'close')
  opened.push(one.socket)
  return one
}

const claimOf = (node: string, time: number, closesPrevious = false): RemoteClaim => ({
  node,
  time,
  closesPrevious,
})

async function texts(wire: MemoryDuplex): Promise<string[]> {
  await nextTurn()
  return readFrames(wire.written).frames.map(({ opcode, text, closeCode, closeReason }) =>
    opcode === OP.CLOSE ? `close ${closeCode} ${closeReason}` : text,
  )
}

describe('what the hub announces', () => {
  test('each change of a group comes with the sizes before and after it', () => {
    const [a, b] = [open().socket, open().socket]
    hub.join(a, 'dogs')
    hub.join(b, 'dogs')
    hub.join(b, 'dogs')
    hub.leave(a, 'dogs')
    hub.leave(a, 'dogs')
    hub.forget(b)
    expect(changes).toEqual([
      { kind: 'group', group: 'dogs', before: 0, after: 1 },
      { kind: 'group', group: 'dogs', before: 1, after: 2 },
      { kind: 'group', group: 'dogs', before: 2, after: 1 },
      { kind: 'group', group: 'dogs', before: 1, after: 0 },
    ])
  })

  test('a name comes with its claim, and with null when no connection here has it any more', () => {
    const { socket } = open()
    hub.connections.set('ann', socket, { onConflict: 'closePrevious' })
    hub.connections.set('ann', socket)
    hub.connections.delete('ann')
    hub.connections.set('bea', socket)
    hub.forget(socket)
    expect(changes).toEqual([
      { kind: 'name', name: 'ann', claim: { time: expect.any(Number) as number, closesPrevious: true } },
      { kind: 'name', name: 'ann', claim: null },
      { kind: 'name', name: 'bea', claim: { time: expect.any(Number) as number, closesPrevious: false } },
      { kind: 'name', name: 'bea', claim: null },
    ])
  })

  test('a claim is always later than the remote claim that it overrides, whatever the clock says', () => {
    const future = Date.now() + 1_000_000
    claims.set('ann', claimOf('other', future))
    hub.connections.set('ann', open().socket)
    expect([...hub.claims()]).toEqual([['ann', { time: future + 1, closesPrevious: false }]])
  })
})

describe('what the hub sends', () => {
  test('messages to groups and routes go to all nodes, as text where the caller gave text, else encoded', () => {
    hub.group('dogs').send('text')
    const prepared = new PreparedMessage('prepared', { compress: false })
    hub.group('dogs').send(prepared)
    hub.group('dogs').send('stays here', { filter: () => true })
    hub.broadcast([], 'plain', { compress: false }, '/')
    hub.broadcast([], new Uint8Array([1]))
    expect(actions).toEqual([
      [null, { kind: 'group', group: 'dogs', payload: 'text', compress: true }],
      [null, { kind: 'group', group: 'dogs', payload: prepared, compress: false }],
      [null, { kind: 'broadcast', path: '/', payload: 'plain', compress: false }],
      [
        null,
        { kind: 'broadcast', path: null, payload: expect.any(PreparedMessage) as unknown, compress: true },
      ],
    ])
  })

  test('what is for a name goes to the node that has it', () => {
    claims.set('ann', claimOf('other', 5))
    const { connections } = hub
    expect([connections.has('ann'), connections.get('ann')]).toEqual([true, undefined])
    expect(() => connections.set('ann', open().socket, { onConflict: 'reject' })).toThrow(NameTakenError)
    expect(connections.send('ann', 'hello')).toBe(true)
    expect(connections.delete('ann')).toBe(true)
    expect(connections.close('ann', 4000, 'bye')).toBe(true)
    expect(connections.close('ann', 1005)).toBe(true)
    expect(actions).toEqual([
      ['other', { kind: 'named', name: 'ann', payload: 'hello', compress: true }],
      ['other', { kind: 'deleteNamed', name: 'ann' }],
      ['other', { kind: 'closeNamed', name: 'ann', code: 4000, reason: 'bye' }],
      ['other', { kind: 'closeNamed', name: 'ann', code: null, reason: '' }],
    ])
  })

  test('delete and close of a group go to all nodes, and its size everywhere counts theirs', () => {
    hub.join(open().socket, 'dogs')
    const dogs = hub.group('dogs')
    expect([dogs.size, dogs.sizeEverywhere, hub.group('cats').sizeEverywhere]).toEqual([1, 4, 0])
    expect([dogs.close(4001, 'over'), dogs.delete(), hub.group('cats').delete()]).toEqual([1, true, false])
    expect(actions).toEqual([
      [null, { kind: 'closeGroup', group: 'dogs', code: 4001, reason: 'over' }],
      [null, { kind: 'deleteGroup', group: 'dogs' }],
      [null, { kind: 'deleteGroup', group: 'cats' }],
    ])
  })
})

describe('what other nodes have the hub do', () => {
  test('is done in this process, and sent to no node again', async () => {
    const [a, b] = [open(), open()]
    for (const group of ['dogs', 'cats', 'birds']) hub.join(a.socket, group)
    hub.connections.set('bea', b.socket)
    hub.connections.set('bob', b.socket)
    hub.perform({ kind: 'group', group: 'dogs', payload: 'wuff', compress: true })
    hub.perform({ kind: 'group', group: 'nobody', payload: 'x', compress: true })
    hub.perform({ kind: 'broadcast', path: '/', payload: 'all', compress: false })
    hub.perform({ kind: 'broadcast', path: '/other', payload: 'x', compress: false })
    hub.perform({ kind: 'named', name: 'bea', payload: 'hello', compress: true })
    hub.perform({ kind: 'named', name: 'nobody', payload: 'x', compress: true })
    hub.perform({ kind: 'deleteGroup', group: 'birds' })
    hub.perform({ kind: 'deleteNamed', name: 'bob' })
    expect([hub.groups(), hub.connections.names()]).toEqual([['dogs', 'cats'], ['bea']])
    hub.perform({ kind: 'closeGroup', group: 'dogs', code: 4001, reason: 'over' })
    hub.perform({ kind: 'closeNamed', name: 'bea', code: null, reason: '' })
    hub.perform({ kind: 'closeNamed', name: 'nobody', code: null, reason: '' })
    expect([hub.groups(), hub.connections.names(), actions]).toEqual([[], [], []])
    expect(await texts(a.wire)).toEqual(['wuff', 'all', 'close 4001 over'])
    expect(await texts(b.wire)).toEqual(['all', 'hello', 'close 1005 '])
  })

  test('a claim that outranks the one here takes the name; an earlier one does not', async () => {
    const { socket, wire } = open()
    hub.connections.set('ann', socket)
    const [[, { time }] = ['', claimOf('', 0)]] = hub.claims()
    hub.handleClaim('nobody', claimOf('z', time + 1, true), 'here')
    hub.handleClaim('ann', claimOf('z', time - 1, true), 'here')
    hub.handleClaim('ann', claimOf('a', time, true), 'here')
    expect(hub.connections.get('ann')).toBe(socket)
    hub.handleClaim('ann', claimOf('z', time, true), 'here')
    expect(hub.connections.get('ann')).toBeUndefined()
    expect(changes.at(-1)).toEqual({ kind: 'name', name: 'ann', claim: null })
    expect(await texts(wire)).toEqual(['close 1000 replaced by another connection'])
  })
})

test('of two claims the later one outranks the other; of two at the same time that of the greater node id', () => {
  expect(outranks(claimOf('a', 2), claimOf('b', 1))).toBe(true)
  expect(outranks(claimOf('b', 1), claimOf('a', 2))).toBe(false)
  expect(outranks(claimOf('b', 1), claimOf('a', 1))).toBe(true)
  expect(outranks(claimOf('a', 1), claimOf('b', 1))).toBe(false)
})

test('what the classes of the public face keep for themselves is not to be seen on their objects', () => {
  hub.join(open().socket, 'dogs')
  expect(Object.keys(hub.group('dogs'))).toEqual(['name'])
  expect(Object.keys(hub.connections)).toEqual([])
  expect(Object.getOwnPropertyNames(Object.getPrototypeOf(hub.connections)).sort()).toEqual(
    [
      'claim',
      'close',
      'constructor',
      'delete',
      'deliver',
      'get',
      'has',
      'names',
      'send',
      'set',
      'size',
    ].sort(),
  )
})
