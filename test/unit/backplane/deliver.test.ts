/** A message to a name in any node, and the promise of what became of it. */
import {
  BackplaneRelay,
  memoryBackplane,
  type Backplane,
  type BackplaneEvents,
  type Envelope,
} from '../../../src/backplane/index.js'
import { DeliveryRequests } from '../../../src/backplane/delivery-requests.js'
import { resolveLimits, SERVER_LIMITS } from '../../../src/limits.js'
import { readFrames } from '../../helpers/frame-builder.js'
import { openMember, type HubSocket } from '../../helpers/hub-socket.js'
import { JoinedHub } from '../../helpers/joined-hub.js'

const hubs: JoinedHub[] = []
const sockets: HubSocket[] = []
let relay: BackplaneRelay

beforeEach(() => {
  relay = new BackplaneRelay()
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate()
  await Promise.all(hubs.splice(0).map((hub) => hub.close()))
  relay.close()
})

function join(backplane: Backplane = memoryBackplane(relay)): JoinedHub {
  const hub = new JoinedHub({ backplane })
  hub.start()
  hubs.push(hub)
  return hub
}

function open(hub: JoinedHub, limits = SERVER_LIMITS, policy: 'close' | 'drop' = 'close') {
  const { socket, wire } = openMember(hub, limits, policy)
  sockets.push(socket)
  return { socket, wire, texts: () => readFrames(wire.written).frames.map(({ text }) => text) }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 2))
}

const know = (...all: JoinedHub[]): Promise<void> =>
  until(() => all.every((hub) => hub.backplaneStats?.nodes === all.length - 1))

test('a message to a name here is sent, to one elsewhere too, and to one that no connection has is unknown', async () => {
  const [a, b] = [join(), join()]
  const [here, there] = [open(a), open(b)]
  a.connections.set('here', here.socket)
  b.connections.set('there', there.socket)
  await until(() => a.connections.has('there'))
  expect(await a.connections.deliver('here', 'one')).toBe('sent')
  expect(await a.connections.deliver('there', 'two')).toBe('sent')
  expect(await a.connections.deliver('there', new Uint8Array(Buffer.from('three')))).toBe('sent')
  expect(await a.connections.deliver('nowhere', 'four')).toBe('unknown')
  expect([here.texts(), there.texts()]).toEqual([['one'], ['two', 'three']])
  expect(await new JoinedHub({}).connections.deliver('here', 'alone')).toBe('unknown')
})

test('a name that was set a moment ago, and is not announced, is found', async () => {
  const all = [join(), join(), join()] as const
  await know(...all)
  const ann = open(all[2])
  all[2].connections.set('ann', ann.socket)
  expect(all[0].connections.has('ann')).toBe(false)
  expect(await all[0].connections.deliver('ann', 'you have mail')).toBe('sent')
  expect(ann.texts()).toEqual(['you have mail'])
})

test('a name that has moved a moment ago is found where it is now, and the message arrives once', async () => {
  const [a, b, c] = [join(), join(), join()]
  await know(a, b, c)
  const [old, now] = [open(b), open(c)]
  b.connections.set('ann', old.socket)
  await until(() => a.connections.has('ann') && c.connections.has('ann'))
  b.connections.delete('ann')
  c.connections.set('ann', now.socket)
  expect(await a.connections.deliver('ann', 'you have mail')).toBe('sent')
  expect([old.texts(), now.texts()]).toEqual([[], ['you have mail']])
})

test('a connection elsewhere that reads too slowly drops the message, and the sender hears of it', async () => {
  const [a, b] = [join(), join()]
  const slow = open(b, resolveLimits({ maxBufferedOutputBytes: 1024 }, SERVER_LIMITS), 'drop')
  slow.wire.stick()
  b.connections.set('slow', slow.socket)
  await until(() => a.connections.has('slow'))
  const outcomes: string[] = []
  while (outcomes.at(-1) !== 'dropped') outcomes.push(await a.connections.deliver('slow', 'x'.repeat(4096)))
  expect(outcomes[0]).toBe('sent')
})

test('a node that does not answer makes the outcome unanswered, and so does the end of this one', async () => {
  const a = join()
  const published: Envelope[] = []
  let receive: (envelope: unknown) => void = () => undefined
  const b = join({
    start: (_node, given) => (receive = given),
    publish: (envelope) => published.push(envelope) > 0,
    watch: () => undefined,
    unwatch: () => undefined,
    close: () => undefined,
  })
  receive({ version: 1, from: 'silent', to: null, kind: 'alive', sequence: 0 })
  expect(await b.connections.deliver('ann', 'x', { timeoutMs: 1 })).toBe('unanswered')
  const request = published.at(-1)
  expect(request).toMatchObject({ kind: 'deliver', to: null, name: 'ann', payload: 'x' })
  const pending = b.connections.deliver('ann', 'y')
  // An answer to another request changes nothing, nor does one of an outcome that there is not.
  receive({
    version: 1,
    from: 'silent',
    to: b.backplaneStats && null,
    kind: 'delivered',
    request: 1,
    outcome: 'sent',
  })
  receive({ version: 1, from: 'silent', to: null, kind: 'delivered', request: 2, outcome: 'unanswered' })
  await b.close()
  expect(await pending).toBe('unanswered')
  expect(await b.connections.deliver('ann', 'z')).toBe('unknown')
  expect(a.backplaneStats?.nodes).toBe(0)
})

describe('a message that is known to be lost is unanswered at once, however long an answer may take', () => {
  /** A node that knows another one, by a backplane that does this with what is to be delivered. */
  function node(publish: () => boolean | Promise<boolean>, more: Partial<Backplane> = {}) {
    const errors: Error[] = []
    let receive: (envelope: unknown) => void = () => undefined
    let events: BackplaneEvents | undefined
    const hub = new JoinedHub({
      onError: (error) => errors.push(error),
      backplane: {
        start: (_node, given, _rejoined, reports) => {
          receive = given
          events = reports
        },
        publish: ({ kind }) => (kind === 'deliver' ? publish() : true),
        watch: () => undefined,
        unwatch: () => undefined,
        close: () => undefined,
        ...more,
      },
    })
    hub.start()
    hubs.push(hub)
    receive({ version: 1, from: 'other', to: null, kind: 'alive', sequence: 0 })
    const deliver = () => hub.connections.deliver('ann', 'x', { timeoutMs: 60_000 })
    const received = (envelope: unknown): void => receive(envelope)
    return { hub, errors, deliver, receive: received, lost: () => events?.lost(1) }
  }

  test.each<[string, () => boolean | Promise<boolean>, number]>([
    ['is not taken', () => false, 0],
    ['is not taken, later', () => Promise.resolve(false), 0],
    [
      'makes the backplane throw',
      () => {
        throw new Error('full')
      },
      1,
    ],
    ['makes the backplane reject', () => Promise.reject(new Error('full')), 1],
  ])('one that %s', async (_, publish, errors) => {
    const one = node(publish)
    expect(await one.deliver()).toBe('unanswered')
    expect(one.hub.backplaneStats).toMatchObject({ lost: 1, errors })
    expect(one.errors).toHaveLength(errors)
    // The same for a name that the other node announced.
    one.receive({
      version: 1,
      from: 'other',
      to: null,
      kind: 'changes',
      sequence: 1,
      names: [['ann', 1, false]],
      groups: [],
    })
    expect(await one.deliver()).toBe('unanswered')
  })

  test('one that was taken, and is lost with the connection to the others', async () => {
    let isConnected = true
    const one = node(() => true, {
      linkStats: () => ({
        broker: 'none',
        isConnected,
        connects: 1,
        messagesSent: 0,
        messagesReceived: 0,
        queuedBytes: 0,
        channels: 0,
      }),
    })
    const pending = one.deliver()
    let outcome: unknown
    void pending.then((given) => (outcome = given))
    // Something else was lost, and the answer may still come.
    one.lost()
    await Promise.resolve()
    expect(outcome).toBeUndefined()
    isConnected = false
    one.lost()
    expect(await pending).toBe('unanswered')
  })
})

test('so many requests may wait, and the next is unanswered at once', async () => {
  const requests = new DeliveryRequests(2)
  const sent: number[] = []
  const ask = () => requests.ask(['a', 'b'], 60_000, (request) => sent.push(request))
  const [first, second, third] = [ask(), ask(), ask()]
  expect(await third).toBe('unanswered')
  requests.answer('a', 1, 'unknown')
  requests.answer('b', 1, 'unknown')
  requests.answer('b', 2, 'dropped')
  expect([sent, await first, await second]).toEqual([[1, 2], 'unknown', 'dropped'])
})

test('wrong arguments throw at once', () => {
  const { connections } = join()
  expect(() => connections.deliver('', 'x')).toThrow(RangeError)
  expect(() => connections.deliver('ann', 5 as never)).toThrow(TypeError)
})
