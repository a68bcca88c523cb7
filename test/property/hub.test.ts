/** A hub against a model of plain arrays: whatever is joined, left, named, replaced, deleted and closed. */
import fc from 'fast-check'
import { Hub } from '../../src/hub/hub.js'
import type { Member } from '../../src/hub/member.js'
import { ReadyState } from '../../src/connection/connection.js'
import { DELIVER } from '../../src/socket/fan-out.js'

/** A connection that is open until it is closed, and counts what it gets. Its hub forgets it at that moment, as a server has it. */
class TestMember implements Member {
  readyState: ReadyState = ReadyState.OPEN
  got = 0
  private readonly hub: Hub<TestMember>
  constructor(hub: Hub<TestMember>) {
    this.hub = hub
  }
  close(): void {
    if (this.readyState !== ReadyState.OPEN) return
    this.readyState = ReadyState.CLOSING
    this.hub.forget(this)
  }
  [DELIVER](): 'sent' | 'failed' {
    if (this.readyState !== ReadyState.OPEN) return 'failed'
    this.got++
    return 'sent'
  }
}

const SOCKETS = 5
const who = fc.nat(SOCKETS - 1)
const group = fc.constantFrom('a', 'b', '__proto__')
const name = fc.constantFrom('x', 'y', 'constructor')

const step = fc.oneof(
  fc.record({ do: fc.constant('join' as const), who, group }),
  fc.record({ do: fc.constant('leave' as const), who, group }),
  fc.record({ do: fc.constant('send' as const), who, group }),
  fc.record({ do: fc.constant('deleteGroup' as const), group }),
  fc.record({ do: fc.constant('closeGroup' as const), group }),
  fc.record({
    do: fc.constant('set' as const),
    who,
    name,
    onConflict: fc.constantFrom('replace' as const, 'reject' as const, 'closePrevious' as const),
  }),
  fc.record({ do: fc.constant('delete' as const), name }),
  fc.record({ do: fc.constant('close' as const), name }),
  fc.record({ do: fc.constant('forget' as const), who }),
)

describe('names and groups', () => {
  test('are as in the model after any calls', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const hub = new Hub<TestMember>()
        const sockets = Array.from({ length: SOCKETS }, () => new TestMember(hub))
        let joined: [TestMember, string][] = []
        let named: [string, TestMember][] = []
        const isOpen = (socket: TestMember): boolean => socket.readyState === ReadyState.OPEN
        const membersOf = (wanted: string): TestMember[] =>
          joined.filter(([, one]) => one === wanted).map(([one]) => one)

        for (const one of steps) {
          const socket = 'who' in one ? sockets[one.who]! : sockets[0]!
          switch (one.do) {
            case 'join': {
              const isIn = membersOf(one.group).includes(socket)
              expect(hub.join(socket, one.group)).toBe(isOpen(socket))
              if (!isIn && isOpen(socket)) joined.push([socket, one.group])
              break
            }
            case 'leave':
              expect(hub.leave(socket, one.group)).toBe(membersOf(one.group).includes(socket))
              joined = joined.filter(([who, where]) => who !== socket || where !== one.group)
              break
            case 'send': {
              const others = membersOf(one.group).filter((member) => member !== socket)
              const before = others.map(({ got }) => got)
              const sent = others.filter(isOpen).length
              expect(hub.group(one.group).send('x', { except: socket })).toEqual({
                sent,
                dropped: 0,
                failed: others.length - sent,
              })
              expect(others.map(({ got }) => got)).toEqual(
                before.map((count, i) => count + (isOpen(others[i]!) ? 1 : 0)),
              )
              break
            }
            case 'deleteGroup':
            case 'closeGroup': {
              const members = membersOf(one.group)
              if (one.do === 'deleteGroup') expect(hub.group(one.group).delete()).toBe(members.length > 0)
              else expect(hub.group(one.group).close()).toBe(members.length)
              joined = joined.filter(([, where]) => where !== one.group)
              break
            }
            case 'set': {
              const previous = named.find(([taken]) => taken === one.name)?.[1]
              const set = (): boolean => hub.connections.set(one.name, socket, { onConflict: one.onConflict })
              if (!isOpen(socket) || previous === socket) expect(set()).toBe(isOpen(socket))
              else if (one.onConflict === 'reject' && previous !== undefined) expect(set).toThrow()
              else {
                expect(set()).toBe(true)
                named = [...named.filter(([taken]) => taken !== one.name), [one.name, socket]]
                if (one.onConflict === 'closePrevious' && previous !== undefined)
                  expect(isOpen(previous)).toBe(false)
              }
              break
            }
            case 'delete':
            case 'close':
              expect(hub.connections[one.do](one.name)).toBe(named.some(([taken]) => taken === one.name))
              named = named.filter(([taken]) => taken !== one.name)
              break
            case 'forget':
              socket.readyState = ReadyState.CLOSED
              hub.forget(socket)
              joined = joined.filter(([who]) => who !== socket)
              named = named.filter(([, who]) => who !== socket)
          }
          // All that were closed have left.
          joined = joined.filter(([who]) => isOpen(who))
          named = named.filter(([, who]) => isOpen(who))
          expect(hub.groups().sort()).toEqual([...new Set(joined.map(([, where]) => where))].sort())
          for (const where of hub.groups()) expect(hub.group(where).members()).toEqual(membersOf(where))
          for (const each of sockets) {
            expect(hub.groupsOf(each)).toEqual(
              joined.filter(([who]) => who === each).map(([, where]) => where),
            )
          }
          expect(hub.connections.names()).toEqual(named.map(([taken]) => taken))
          for (const [taken, who] of named) expect(hub.connections.get(taken)).toBe(who)
        }
        for (const socket of sockets) hub.forget(socket)
        expect([hub.groups(), hub.connections.size]).toEqual([[], 0])
      }),
      { numRuns: 300 },
    )
  })
})
