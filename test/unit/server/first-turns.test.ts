/** First bytes of connections: in the order of their arrival, and not all in one turn of the event loop. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  FirstTurns,
  MAX_TURN_MS,
  MAX_WAITING_BYTES,
  type FirstBytes,
} from '../../../src/server/first-turns.js'

/** Connections that note in which turn they were taken. */
class Peers {
  /** The time: it passes only where a connection takes some. */
  private now = 0
  readonly turns = new FirstTurns(() => this.now)
  readonly taken: number[] = []
  readonly waited: number[] = []

  /** @param lost whether it is over when it is to wait */
  add(name: number, { bytes = 100, ms = 0, lost = false, then = (): void => undefined } = {}): void {
    const owner: FirstBytes = {
      wait: () => {
        this.waited.push(name)
        return !lost
      },
      take: () => {
        this.taken.push(name)
        this.now += ms
        then()
      },
    }
    this.turns.add(owner, Buffer.alloc(bytes))
  }

  /** @returns how many each turn of the event loop took, until nobody waits */
  async counts(): Promise<number[]> {
    const counts: number[] = []
    let before = this.taken.length
    while (this.turns.count > 0) {
      await nextTurn()
      counts.push(this.taken.length - before)
      before = this.taken.length
    }
    return counts
  }
}

const range = (length: number): number[] => Array.from({ length }, (_, i) => i)

it('are taken at once while the turn has time', () => {
  const peers = new Peers()
  peers.add(0)
  peers.add(1)
  expect([peers.taken, peers.waited, peers.turns.count]).toEqual([[0, 1], [], 0])
})

it('wait for later turns where this one has taken its time, and are taken in order', async () => {
  const peers = new Peers()
  for (const name of range(20)) peers.add(name, { ms: MAX_TURN_MS })
  expect([peers.taken, peers.turns.count]).toEqual([[0], 19])
  expect(await peers.counts()).toEqual(new Array(19).fill(1))
  expect([peers.taken, peers.waited]).toEqual([range(20), range(20).slice(1)])
})

it('wait behind those that wait already', async () => {
  const peers = new Peers()
  const late = (): void => {
    peers.add(3)
  }
  peers.add(0, { ms: MAX_TURN_MS })
  peers.add(1, { then: late })
  peers.add(2, { ms: MAX_TURN_MS })
  await peers.counts()
  expect(peers.taken).toEqual([0, 1, 2, 3])
})

it('have a turn of their own again once nobody waits', async () => {
  const peers = new Peers()
  peers.add(0, { ms: MAX_TURN_MS })
  peers.add(1)
  await peers.counts()
  await nextTurn()
  peers.add(2)
  expect([peers.taken, peers.waited]).toEqual([[0, 1, 2], [1]])
})

it('are forgotten where the connection is over by then', async () => {
  const peers = new Peers()
  peers.add(0, { ms: MAX_TURN_MS })
  peers.add(1, { lost: true })
  peers.add(2)
  await peers.counts()
  expect(peers.taken).toEqual([0, 2])
})

it('wait up to MAX_WAITING_BYTES: then the oldest are taken at once', () => {
  const peers = new Peers()
  const bytes = MAX_WAITING_BYTES / 4
  peers.add(0, { ms: MAX_TURN_MS })
  for (const name of range(6).slice(1)) peers.add(name, { bytes })
  expect([peers.taken, peers.turns.count]).toEqual([[0, 1], 4])
  peers.add(6, { bytes: 4 * bytes })
  expect([peers.taken, peers.turns.count]).toEqual([range(6), 1])
  peers.add(7, { bytes: 4 * bytes + 1 })
  expect([peers.taken, peers.turns.count]).toEqual([range(8), 0])
})

it('are all taken by finish, those as well that come meanwhile', () => {
  const peers = new Peers()
  peers.add(0, { ms: MAX_TURN_MS })
  peers.add(1, {
    then: () => {
      peers.add(3)
    },
  })
  peers.add(2)
  peers.turns.finish()
  expect([peers.taken, peers.turns.count]).toEqual([[0, 1, 2, 3], 0])
})

it('are taken on after one that throws', async () => {
  const scheduled = jest.spyOn(globalThis, 'setImmediate')
  const peers = new Peers()
  try {
    peers.add(0, { ms: MAX_TURN_MS })
    const [[turn]] = scheduled.mock.calls as [[() => void]]
    peers.add(1, {
      then: () => {
        throw new Error('what the application threw')
      },
    })
    peers.add(2)
    expect(turn).toThrow('what the application threw')
    expect([peers.taken, peers.turns.count]).toEqual([[0, 1], 1])
    await peers.counts()
    expect(peers.taken).toEqual([0, 1, 2])
  } finally {
    scheduled.mockRestore()
  }
})

it('are taken one in a turn at least, however late it is', async () => {
  const peers = new Peers()
  for (const name of range(5)) peers.add(name, { ms: 100 * MAX_TURN_MS })
  expect(await peers.counts()).toEqual(new Array(4).fill(1))
})

it('are in order however many wait, and come while others leave', async () => {
  const peers = new Peers()
  for (const name of range(1_000)) peers.add(name, { ms: 1 })
  expect(peers.turns.count).toBe(1_000 - MAX_TURN_MS)
  await nextTurn()
  expect(peers.turns.count).toBe(1_000 - 2 * MAX_TURN_MS)
  for (const name of range(1_500).slice(1_000)) peers.add(name, { ms: 1 })
  await peers.counts()
  expect(peers.taken).toEqual(range(1_500))
})
