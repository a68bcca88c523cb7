/** What each backplane promises, whatever carries it: order, one delivery at most, and each envelope where it belongs. */
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import {
  BackplaneRelay,
  memoryBackplane,
  relayWorker,
  workerBackplane,
  type Backplane,
  type Envelope,
  type EnvelopeBody,
} from '../../../src/backplane/index.js'

/** A way to make backplanes that reach each other, and to end them. */
interface Network {
  make(): Backplane
  end(): void
}

function memoryNetwork(): Network {
  const relay = new BackplaneRelay()
  return { make: () => memoryBackplane(relay), end: () => relay.close() }
}

function portNetwork(): Network {
  const relay = new BackplaneRelay()
  const ports: MessagePort[] = []
  return {
    make() {
      const { port1, port2 } = new MessageChannel()
      ports.push(port1, port2)
      relayWorker(relay, port1)
      return workerBackplane(port2)
    },
    end() {
      relay.close()
      for (const port of ports) port.close()
    },
  }
}

const NETWORKS = [
  ['in memory', memoryNetwork],
  ['over MessagePorts', portNetwork],
] as const

/** How long the end of a test waits for envelopes that must not come. */
const QUIET_MS = 30

describe.each(NETWORKS)('backplanes %s', (_, makeNetwork) => {
  let network: Network
  const joined: Backplane[] = []

  beforeEach(() => (network = makeNetwork()))
  afterEach(async () => {
    await Promise.all(joined.splice(0).map((backplane) => backplane.close()))
    network.end()
  })

  function join(id: string): { readonly backplane: Backplane; readonly got: Envelope[] } {
    const backplane = network.make()
    const got: Envelope[] = []
    backplane.start(id, (envelope) => got.push(envelope as Envelope))
    joined.push(backplane)
    return { backplane, got }
  }

  const from = (id: string, body: EnvelopeBody, to: string | null = null): Envelope => ({
    version: 1,
    from: id,
    to,
    ...body,
  })
  const alive = (id: string, sequence: number, to: string | null = null): Envelope =>
    from(id, { kind: 'alive', sequence }, to)
  const toGroup = (id: string, group: string, payload: string | Uint8Array): Envelope =>
    from(id, { kind: 'group', group, payload, compress: true })
  const quiet = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, QUIET_MS))

  test('what one node publishes reaches each other node in order, once, and never itself', async () => {
    const [a, b, c] = [join('a'), join('b'), join('c')]
    await quiet()
    const sent = Array.from({ length: 200 }, (__, i) => alive('a', i))
    for (const envelope of sent) expect(await a.backplane.publish(envelope)).toBe(true)
    while (b.got.length < 200 || c.got.length < 200) await quiet()
    await quiet()
    expect([a.got, b.got, c.got]).toEqual([[], sent, sent])
  })

  test('an envelope for one node reaches that node alone', async () => {
    const [a, b, c] = [join('a'), join('b'), join('c')]
    await quiet()
    void a.backplane.publish(alive('a', 1, 'c'))
    void a.backplane.publish(alive('a', 2, 'nobody'))
    while (c.got.length < 1) await quiet()
    await quiet()
    expect([b.got, c.got]).toEqual([[], [alive('a', 1, 'c')]])
  })

  test('a message to a group reaches the nodes that watch it, with its text or its bytes, until they no longer do', async () => {
    const [a, b] = [join('a'), join('b')]
    b.backplane.watch('dogs')
    b.backplane.watch('cats')
    b.backplane.unwatch('cats')
    await quiet()
    const wanted = [toGroup('a', 'dogs', 'wuff'), toGroup('a', 'dogs', new Uint8Array([0, 255]))]
    void a.backplane.publish(toGroup('a', 'cats', 'miau'))
    for (const envelope of wanted) void a.backplane.publish(envelope)
    while (b.got.length < 2) await quiet()
    b.backplane.unwatch('dogs')
    await quiet()
    void a.backplane.publish(toGroup('a', 'dogs', 'late'))
    await quiet()
    expect(b.got).toEqual(wanted)
  })

  test('after its close a node receives nothing and publishes nothing, and what it published before arrives', async () => {
    const [a, b] = [join('a'), join('b')]
    await quiet()
    void b.backplane.publish(from('b', { kind: 'left' }))
    await b.backplane.close()
    expect(await b.backplane.publish(alive('b', 1))).toBe(false)
    void a.backplane.publish(alive('a', 1))
    while (a.got.length < 1) await quiet()
    await quiet()
    expect([a.got.every(({ kind }) => kind === 'left'), b.got]).toEqual([true, []])
  })
})
