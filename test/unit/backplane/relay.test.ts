/** What the relay passes on and what it does not, how much may wait, and nodes that joined before it listened. */
import { MessageChannel } from 'node:worker_threads'
import {
  BackplaneRelay,
  clusterBackplane,
  memoryBackplane,
  relayCluster,
  relayWorker,
  workerBackplane,
  type Backplane,
  type Envelope,
  type EnvelopeBody,
} from '../../../src/backplane/index.js'
import { PipeBackplane } from '../../../src/backplane/pipe-backplane.js'
import type { Pipe, PipeMessage, PipeMessageBody } from '../../../src/backplane/pipe.js'
import { RelayCore } from '../../../src/backplane/relay-core.js'
import { coreOf } from '../../../src/backplane/relay.js'
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

/** Hawser's own backplanes return at once whether they took an envelope. */
type DirectBackplane = Omit<Backplane, 'publish'> & { publish(envelope: Envelope): boolean }

function join(
  node: string,
  given: Backplane = relay.backplane(),
): { backplane: DirectBackplane; got: Envelope[] } {
  const backplane = given as DirectBackplane
  const got: Envelope[] = []
  backplane.start(node, (one) => got.push(one as Envelope))
  ends.push(() => backplane.close())
  return { backplane, got }
}

async function turns(count = 4): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn()
}

describe('the relay', () => {
  test('passes a message of a group on to the nodes that watch it, other envelopes to one node, or to all except the sender', async () => {
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

  test('publish returns false when the queue is full, and true again when what waited was handled', async () => {
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

  test('groups to watch are sent later when there was no room for them', async () => {
    const small = join('a', relay.backplane({ maxQueuedBytes: 1024 }))
    const other = join('b')
    for (let i = 0; i < 20; i++) small.backplane.watch(`group ${i}`)
    for (let i = 0; i < 10; i++) small.backplane.unwatch(`group ${i}`)
    await turns(60)
    for (let i = 0; i < 20; i++) other.backplane.publish(message('b', String(i), `group ${i}`))
    await turns()
    // What is on its way to the node has a limit of its own; the order shows which arrived.
    const texts = small.got.map((one) => ('payload' in one ? one.payload : ''))
    expect(texts).toEqual(['10', '11', '12', '13', '14', '15', '16', '17', '18', '19'])
  })

  test('a node that does not handle what it receives costs the others nothing', async () => {
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
    coreOf(relay).addPipe(pipe)
    coreOf(relay).addPipe(pipe)
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

  test('ignores messages of other programs and malformed ones, and limits the nodes of one pipe', async () => {
    let say: (message: unknown) => void = () => undefined
    const pipe: Pipe = {
      post: () => undefined,
      listen(receive) {
        say = receive
        return () => undefined
      },
    }
    coreOf(relay).addPipe(pipe)
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
    // The nodes of one pipe are limited: 64 of it, and b.
    expect(relay.size).toBe(65)
  })

  test('keeps a limited number of groups for a node, and sends it the messages of all groups above that', async () => {
    const core = new RelayCore(64 * 1024, 2)
    ends.push(() => core.close())
    const sent: PipeMessage[] = []
    const say: ((message: unknown) => void)[] = []
    for (const post of [(one: PipeMessage) => sent.push(one), () => undefined]) {
      core.addPipe({
        post,
        listen(receive) {
          say.push(receive)
          return () => undefined
        },
      })
    }
    const from = (node: number, body: PipeMessageBody): void =>
      say[node]?.({ hawserBackplane: 1, node: `node ${node}`, bytes: 0, body })
    for (const node of [0, 1]) from(node, { type: 'join' })
    const groupsReceived = (): string[] => {
      for (const group of ['1', '2', '3', 'other']) {
        from(1, { type: 'envelope', envelope: message('node 1', 'text', group) })
      }
      return sent
        .splice(0)
        .flatMap(({ body }) =>
          body.type === 'envelope' && 'group' in body.envelope ? [body.envelope.group] : [],
        )
    }
    for (const group of ['1', '2', '2']) from(0, { type: 'watch', group })
    expect(groupsReceived()).toEqual(['1', '2'])
    from(0, { type: 'watch', group: '3' })
    expect(groupsReceived()).toEqual(['1', '2', '3', 'other'])
    from(0, { type: 'unwatch', group: '1' })
    expect(groupsReceived()).toEqual(['1', '2', '3', 'other'])
  })
})

describe('a MessagePort', () => {
  test('carries text and bytes, and its end is reported as the end of its node', async () => {
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

describe('the functions that make backplanes', () => {
  test('throw for wrong arguments, and the message says what is legal', () => {
    expect(() => new BackplaneRelay({ maxQueuedBytes: 10 })).toThrow(
      'maxQueuedBytes must be a number from 1024 to Infinity, not 10',
    )
    expect(() => new BackplaneRelay({ maxQueuedBytes: '1' as never })).toThrow(TypeError)
    expect(() => new BackplaneRelay({ size: 1 } as never)).toThrow('options has no option "size"')
    expect(() => relay.backplane(null as never)).toThrow(TypeError)
    expect(() => memoryBackplane({} as never)).toThrow('relay must be a BackplaneRelay')
    expect(() => clusterBackplane()).toThrow('clusterBackplane is for the workers of node:cluster')
    expect(() => relayCluster({ isPrimary: false } as never)).toThrow('relayCluster is for the primary')
    expect(() => workerBackplane(null)).toThrow('port must be a MessagePort or a Worker')
    expect(() => relayWorker(relay, {} as never)).toThrow(
      'port must be a MessagePort or a Worker, not an object',
    )
    const { port1 } = new MessageChannel()
    expect(() => relayWorker({} as never, port1)).toThrow('relay must be a BackplaneRelay, not an object')
    expect(() => relayCluster(undefined, {} as never)).toThrow(
      'relay must be a BackplaneRelay, not an object',
    )
    port1.close()
  })

  test('make backplanes that take nothing after close', async () => {
    const a = join('a')
    await a.backplane.close()
    expect(a.backplane.publish(message('a', 'x'))).toBe(false)
    a.backplane.watch('dogs')
    await a.backplane.close()
  })
})

describe('a node that joined before the relay listened', () => {
  /** A pipe that loses what is posted to it while the relay does not listen, as node:cluster and threads do. */
  class LossyPipe {
    listener: ((message: unknown) => void) | null = null
    posted = 0
    private toNode: (message: unknown) => void = () => undefined

    readonly nodeEnd: Pipe = {
      post: (one) => {
        this.posted++
        setImmediate(() => this.listener?.(one))
      },
      listen: (receive) => {
        this.toNode = receive
        return () => undefined
      },
    }

    readonly relayEnd: Pipe = {
      post: (one) =>
        void setImmediate(() => {
          this.toNode(one)
        }),
      listen: (receive) => {
        this.listener = receive
        return () => (this.listener = null)
      },
    }
  }

  function early(maxQueuedBytes = 64 * 1024): { pipe: LossyPipe; backplane: PipeBackplane; got: Envelope[] } {
    const pipe = new LossyPipe()
    const backplane = new PipeBackplane(pipe.nodeEnd, maxQueuedBytes)
    const got: Envelope[] = []
    backplane.start(
      'early',
      (one) => got.push(one as Envelope),
      () => backplane.publish(envelope('early', { kind: 'alive', sequence: 0 })),
    )
    ends.push(() => backplane.close())
    return { pipe, backplane, got }
  }

  async function until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2))
  }

  test('joins although it publishes nothing, says that it lives, and gets the messages of its groups', async () => {
    const { pipe, backplane, got } = early()
    backplane.watch('dogs')
    backplane.watch('cats')
    backplane.unwatch('cats')
    await turns()
    coreOf(relay).addPipe(pipe.relayEnd)
    const other = join('b')
    await until(() => other.got.length > 0)
    expect(other.got).toMatchObject([{ from: 'early', kind: 'alive' }])
    await turns()
    other.backplane.publish(message('b', 'miau', 'cats'))
    other.backplane.publish(message('b', 'wuff'))
    await turns()
    expect(got).toMatchObject([{ kind: 'group', payload: 'wuff' }])
  })

  test('joins at once when it publishes, however long it waited', async () => {
    const { pipe, backplane } = early()
    await turns()
    coreOf(relay).addPipe(pipe.relayEnd)
    const other = join('b')
    await turns()
    backplane.publish(message('early', 'lost'))
    backplane.publish(message('early', 'lost too'))
    await turns(8)
    expect([relay.size, other.got]).toMatchObject([2, [{ kind: 'alive' }]])
  })

  test('joins a new relay in place of one that was closed, and its queue is empty again', async () => {
    const { pipe, backplane, got } = early(4096)
    coreOf(relay).addPipe(pipe.relayEnd)
    backplane.watch('dogs')
    await until(() => relay.size === 1)
    relay.close()
    while (backplane.publish(message('early', 'x'.repeat(500)))) await turns(1)
    relay = new BackplaneRelay()
    coreOf(relay).addPipe(pipe.relayEnd)
    const other = join('b')
    await until(() => other.got.length > 0)
    await turns()
    other.backplane.publish(message('b', 'wuff'))
    await turns()
    expect(got).toMatchObject([{ payload: 'wuff' }])
    expect(backplane.publish(message('early', 'x'.repeat(500)))).toBe(true)
  })

  test('joins less and less often while there is no relay, and seldom at a relay that has no room', async () => {
    const { pipe, backplane } = early()
    await new Promise((resolve) => setTimeout(resolve, 400))
    // At 0, 50, 150 and 350 ms, and late in any case: never often.
    expect(pipe.posted).toBeLessThanOrEqual(4)
    pipe.posted = 0
    coreOf(relay).addPipe(pipe.relayEnd)
    for (let i = 0; i < 64; i++) {
      pipe.listener?.({ hawserBackplane: 1, node: `other ${i}`, bytes: 0, body: { type: 'join' } })
    }
    for (let i = 0; i < 100; i++) backplane.publish(message('early', 'x'))
    await turns(8)
    // The messages, one attempt to join, and the one of the timer.
    expect(pipe.posted).toBeLessThanOrEqual(102)
    expect(relay.size).toBe(64)
  })
})
