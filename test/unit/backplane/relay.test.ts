/** What goes through the relay, what does not, and how much may wait. */
import { MessageChannel } from 'node:worker_threads'
import {
  BackplaneRelay,
  clusterBackplane,
  memoryBackplane,
  relayBackplane,
  relayWorker,
  workerBackplane,
  type Backplane,
  type Envelope,
  type EnvelopeBody,
} from '../../../src/backplane/index.js'
import type { Pipe } from '../../../src/backplane/wire.js'
import { nextTurn } from '../../helpers/memory-duplex.js'

const envelope = (from: string, body: EnvelopeBody, to: string | null = null): Envelope => ({
  version: 1,
  from,
  to,
  ...body,
})
const message = (from: string, payload: string | Uint8Array, group = 'dogs'): Envelope =>
  envelope(from, { kind: 'group', group, payload, compress: true })

let relay: BackplaneRelay
const ends: (() => unknown)[] = []
beforeEach(() => {
  relay = new BackplaneRelay()
})
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
  relay.close()
})

function join(
  node: string,
  backplane: Backplane = relay.backplane(),
): { backplane: Backplane; got: Envelope[] } {
  const got: Envelope[] = []
  backplane.start(node, (one) => got.push(one as Envelope))
  ends.push(() => backplane.close())
  return { backplane, got }
}

async function turns(count = 4): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn()
}

describe('the relay', () => {
  test('a message of a group goes to those that watch it, other things to all but the sender, or to one', async () => {
    const [a, b, c] = [join('a'), join('b'), join('c')]
    b.backplane.watch('dogs')
    await turns()
    expect(relay.size).toBe(3)
    a.backplane.publish(message('a', 'wuff'))
    a.backplane.publish(envelope('a', { kind: 'deleteGroup', group: 'dogs' }))
    a.backplane.publish(envelope('a', { kind: 'ask' }, 'c'))
    a.backplane.publish(envelope('a', { kind: 'ask' }, 'nobody'))
    await turns()
    b.backplane.unwatch('dogs')
    await turns()
    a.backplane.publish(message('a', 'late'))
    await turns()
    expect(a.got).toEqual([])
    expect(b.got.map(({ kind }) => kind)).toEqual(['group', 'deleteGroup'])
    expect(c.got.map(({ kind }) => kind)).toEqual(['deleteGroup', 'ask'])
  })

  test('a queue that is full: publish says so, and there is room again when it was handled', async () => {
    const small = join('a', relay.backplane({ maxQueuedBytes: 4096 }))
    const other = join('b')
    await turns()
    const results = []
    for (let i = 0; i < 10; i++)
      results.push(
        small.backplane.publish(
          envelope('a', { kind: 'broadcast', path: null, payload: 'x'.repeat(744), compress: true }),
        ),
      )
    expect(results.filter(Boolean).length).toBeLessThanOrEqual(4)
    expect(results.at(-1)).toBe(false)
    await turns()
    expect(other.got.length).toBe(results.filter(Boolean).length)
    for (let round = 0; round < 20; round++) {
      expect(small.backplane.publish(message('a', 'again'))).toBe(true)
      await turns()
    }
  })

  test('groups that there was no room to tell of are told later', async () => {
    const small = join('a', relay.backplane({ maxQueuedBytes: 1024 }))
    const other = join('b')
    for (let i = 0; i < 20; i++) small.backplane.watch(`group ${i}`)
    for (let i = 0; i < 10; i++) small.backplane.unwatch(`group ${i}`)
    await turns(60)
    for (let i = 0; i < 20; i++) other.backplane.publish(message('b', String(i), `group ${i}`))
    await turns()
    // What is on its way to the node has a bound of its own; the order says which came.
    const texts = small.got.map((one) => ('payload' in one ? one.payload : ''))
    expect(texts).toEqual(['10', '11', '12', '13', '14', '15', '16', '17', '18', '19'])
  })

  test('one node that does not handle what it gets costs the others nothing', async () => {
    relay = new BackplaneRelay({ maxQueuedBytes: 4096 })
    const stuck: unknown[] = []
    let say: (message: unknown) => void = () => undefined
    let end: () => void = () => undefined
    const pipe: Pipe = {
      post: (one) => stuck.push(one),
      listen(receive, ended) {
        say = receive
        end = ended
        return () => undefined
      },
    }
    relay.addPipe(pipe)
    relay.addPipe(pipe)
    say({ hawserBackplane: 1, node: 'stuck', bytes: 0, body: { type: 'join' } })
    const [a, b] = [join('a'), join('b')]
    await turns()
    for (let i = 0; i < 100; i++) {
      a.backplane.publish(
        envelope('a', { kind: 'broadcast', path: null, payload: 'x'.repeat(744), compress: true }),
      )
      await turns()
    }
    expect(b.got.length).toBe(100)
    expect(stuck.length).toBe(4)
    end()
    await turns()
    expect(b.got.at(-1)).toEqual({ version: 1, from: 'stuck', to: null, kind: 'left' })
  })

  test('what is no message of ours is nobody’s business', async () => {
    let say: (message: unknown) => void = () => undefined
    const pipe: Pipe = {
      post: () => undefined,
      listen(receive) {
        say = receive
        return () => undefined
      },
    }
    relay.addPipe(pipe)
    const b = join('b')
    for (const one of [
      null,
      1,
      {},
      { hawserBackplane: 2 },
      { hawserBackplane: 1, node: 'x', bytes: -1, body: {} },
    ])
      say(one)
    const tell = (body: unknown): void => say({ hawserBackplane: 1, node: 'x', bytes: 1, body })
    tell({ type: 'envelope', envelope: message('x', 'before join') })
    tell({ type: 'join' })
    for (const body of [
      { type: 'watch', group: 5 },
      { type: 'envelope', envelope: 5 },
      { type: 'handled', bytes: 'x' },
      { type: 'odd' },
    ])
      tell(body)
    for (let i = 0; i < 100; i++) say({ hawserBackplane: 1, node: `n${i}`, bytes: 0, body: { type: 'join' } })
    await turns()
    expect(b.got).toEqual([])
    // Nodes by one pipe are bounded: 64 of it, and b.
    expect(relay.size).toBe(65)
  })
})

describe('a MessagePort', () => {
  test('carries text and bytes, and tells of its end', async () => {
    const { port1, port2 } = new MessageChannel()
    relayWorker(relay, port1)
    const there = join('there', workerBackplane(port2))
    const here = join('here')
    there.backplane.watch('dogs')
    while (relay.size < 2) await nextTurn()
    here.backplane.publish(message('here', 'text'))
    here.backplane.publish(message('here', new Uint8Array([1, 2])))
    while (there.got.length < 2) await nextTurn()
    expect(there.got.map((one) => ('payload' in one ? one.payload : null))).toEqual([
      'text',
      new Uint8Array([1, 2]),
    ])
    port2.close()
    while (here.got.length < 1) await nextTurn()
    expect(here.got).toEqual([{ version: 1, from: 'there', to: null, kind: 'left' }])
  })
})

describe('wrong arguments', () => {
  test('throw, and say what is right', () => {
    expect(() => new BackplaneRelay({ maxQueuedBytes: 10 })).toThrow(
      'maxQueuedBytes must be a number from 1024 to Infinity, not 10',
    )
    expect(() => new BackplaneRelay({ maxQueuedBytes: '1' as never })).toThrow(TypeError)
    expect(() => new BackplaneRelay({ size: 1 } as never)).toThrow('options has no "size"')
    expect(() => relay.backplane(null as never)).toThrow(TypeError)
    expect(() => memoryBackplane({} as never)).toThrow('relay must be a BackplaneRelay')
    expect(() => clusterBackplane()).toThrow('clusterBackplane is for the workers of node:cluster')
    expect(() => relayBackplane({ isPrimary: false } as never)).toThrow('relayBackplane is for the primary')
    expect(() => workerBackplane(null)).toThrow('port must be a MessagePort or a Worker')
    expect(() => relayWorker(relay, {} as never)).toThrow(TypeError)
  })

  test('after close nothing goes out', async () => {
    const a = join('a')
    await a.backplane.close()
    expect(a.backplane.publish(message('a', 'x'))).toBe(false)
    a.backplane.watch('dogs')
    await a.backplane.close()
  })
})
