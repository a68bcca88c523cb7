// slow: hundreds of random histories
/**
 * docs/backpressure.md as a model: an application and a peer that do anything in any order, at any speed, on one
 * connection by a transport whose system takes so many bytes and no more, with a clock that costs nothing.
 */
import fc from 'fast-check'
import type { Behaviour, WorldOptions } from '../helpers/model-application.js'
import { padded } from '../helpers/model-application.js'
import type { Speed } from '../helpers/model-peer.js'
import { World } from '../helpers/model-world.js'

/** See CONTRIBUTING: multiplies the number of runs. */
const RUNS = Number(process.env['HAWSER_RUNS'] ?? 1)

const CLOSE_TIMEOUT_MS = 4000
const TIMES = { sendTimeoutMs: 8000, closeTimeoutMs: CLOSE_TIMEOUT_MS }
/** Also far shorter than the looks at what waits, and off. */
const heartbeat = fc.constantFrom(
  { heartbeatIntervalMs: 5000, heartbeatTimeoutMs: 3000 },
  { heartbeatIntervalMs: 700, heartbeatTimeoutMs: 600 },
  { heartbeatIntervalMs: 1000, heartbeatTimeoutMs: 6000 },
  { heartbeatIntervalMs: false as const, heartbeatTimeoutMs: false as const },
)

beforeAll(() => {
  jest.useFakeTimers({
    doNotFake: ['Date', 'hrtime', 'nextTick', 'queueMicrotask', 'setImmediate', 'clearImmediate'],
  })
})
afterAll(() => {
  jest.useRealTimers()
})

interface Model {
  messageCount: number
  pingCount: number
}

type Act = (world: World, model: Model) => void | Promise<void>

/** One thing that a side does, and all that follows at once. */
class Command implements fc.AsyncCommand<Model, World> {
  private readonly name: string
  private readonly act: Act

  constructor(name: string, act: Act) {
    this.name = name
    this.act = act
  }

  check(): boolean {
    return true
  }

  async run(model: Model, world: World): Promise<void> {
    await this.act(world, model)
    await world.settle()
  }

  toString(): string {
    return this.name
  }
}

type Commands = fc.Arbitrary<Command>

const command = (name: string, act: Act): Commands => fc.constant(new Command(name, act))
const commands = <T>(
  given: fc.Arbitrary<T>,
  name: (value: T) => string,
  act: (value: T, world: World, model: Model) => void | Promise<void>,
): Commands => given.map((value) => new Command(name(value), (world, model) => act(value, world, model)))

const byteLength = fc.oneof(
  { weight: 6, arbitrary: fc.nat(300) },
  { weight: 2, arbitrary: fc.nat(20_000) },
  { weight: 2, arbitrary: fc.constantFrom(65_536, 70_000, 130_000, 200_000) },
)
const shortMs = fc.constantFrom(0, 50, 300, 1000)

const behaviour: fc.Arbitrary<Behaviour> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Behaviour>(['nothing']) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('wait' as const), shortMs) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('reply' as const), byteLength) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('replyLater' as const), shortMs, byteLength) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('stream' as const), fc.nat(5), byteLength) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('endless' as const), byteLength) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('send' as const), byteLength) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('drain' as const), byteLength) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('pause' as const), shortMs) },
)
/** What ends the connection, or holds it up for ever. */
const fatal: fc.Arbitrary<Behaviour> = fc.oneof(
  fc.constantFrom<Behaviour[]>(['never'], ['throw'], ['close'], ['closeWith'], ['terminate']),
  fc.tuple(fc.constant('reject' as const), shortMs),
)

/** A message of the peer that says what its handler is to do. */
function sendMessage(world: World, model: Model, doing: Behaviour, length: number, way: Way): void {
  const { peer } = world
  if (peer.hasSentClose || peer.isDone) return
  const id = model.messageCount++
  if (doing[0] === 'wait' || doing[0] === 'replyLater') world.app.waitMs += doing[1]
  const text = padded(`${id}|${JSON.stringify(doing)}|`, length)
  peer.sendMessage(id, way.isBinary ? Buffer.from(text) : text, way.fragments, way.compress)
}

interface Way {
  readonly isBinary: boolean
  readonly fragments: number
  readonly compress: boolean
}
const way: fc.Arbitrary<Way> = fc.record({
  isBinary: fc.boolean(),
  fragments: fc.constantFrom(1, 1, 1, 3, 10),
  compress: fc.boolean(),
})

const message = (doing: fc.Arbitrary<Behaviour>): Commands =>
  commands(
    fc.tuple(
      doing,
      byteLength.map((length) => Math.min(length, 120_000)),
      way,
    ),
    ([what, length, how]) => `peer.message(${JSON.stringify(what)}, ${length}, ${JSON.stringify(how)})`,
    ([what, length, how], world, model) => sendMessage(world, model, what, length, how),
  )

/** How fast the peer reads or writes: "steady" is just enough to be alive by this line, "trickle" is not. */
const speedOf = (name: string, world: World): Speed => {
  if (name === 'fast' || name === 'stalled') return name
  const needed = world.options.line === 'handle' ? 1024 : 64 * 1024
  return { bytesPerSecond: name === 'steady' ? (needed * 2.5) / (CLOSE_TIMEOUT_MS / 1000) : 1 }
}

const ordinary: fc.WeightedArbitrary<Command>[] = [
  {
    weight: 6,
    arbitrary: commands(
      fc.tuple(
        byteLength,
        fc.constantFrom('text' as const, 'binary' as const, 'prepared' as const),
        fc.boolean(),
      ),
      ([length, kind, compress]) => `send(${length}, ${kind}, compress ${compress})`,
      ([length, kind, compress], { app }) => app.send(length, kind, compress),
    ),
  },
  {
    weight: 2,
    arbitrary: commands(
      fc.tuple(fc.constantFrom(10, 60), fc.constantFrom(100, 10_000)),
      ([count, length]) => `sendMany(${count}, ${length})`,
      ([count, length], { app }) => {
        for (let i = 0; i < count; i++) app.send(length, 'text', false)
      },
    ),
  },
  {
    weight: 2,
    arbitrary: commands(
      byteLength,
      (length) => `broadcast(${length})`,
      (length, { server, app }) => {
        if (server === null) app.send(length, 'prepared', true)
        else server.broadcast(padded('s-broadcast ', length))
      },
    ),
  },
  { weight: 6, arbitrary: message(behaviour) },
  {
    weight: 2,
    arbitrary: commands(
      fc.tuple(fc.constantFrom(5, 20, 80), behaviour, byteLength),
      ([count, what, length]) => `peer.burst(${count}, ${JSON.stringify(what)}, ${length})`,
      ([count, what, length], world, model) => {
        const how = { isBinary: false, fragments: 1, compress: false }
        for (let i = 0; i < count; i++) {
          sendMessage(world, model, i === 0 ? what : ['nothing'], Math.min(length, 400_000 / count), how)
        }
      },
    ),
  },
  {
    weight: 2,
    arbitrary: commands(
      fc.constantFrom(1, 3, 40),
      (count) => `peer.ping(${count})`,
      (count, { peer }, model) => {
        for (let i = 0; i < count; i++) peer.sendPing(`p${model.pingCount++}`)
      },
    ),
  },
  {
    weight: 5,
    arbitrary: commands(
      fc.constantFrom('fast', 'steady', 'trickle', 'stalled'),
      (name) => `peer.reads(${name})`,
      (name, world) => void (world.peer.reading.speed = speedOf(name, world)),
    ),
  },
  {
    weight: 3,
    arbitrary: commands(
      fc.constantFrom('fast', 'steady', 'trickle', 'stalled'),
      (name) => `peer.writes(${name})`,
      (name, world) => void (world.peer.writing.speed = speedOf(name, world)),
    ),
  },
  {
    weight: 8,
    arbitrary: commands(
      fc.constantFrom(200, 1000, 3000, 7000, 12_000),
      (ms) => `pass(${ms})`,
      (ms, world) => world.pass(ms),
    ),
  },
  { weight: 1, arbitrary: command('ping', ({ app }) => app.ping()) },
  { weight: 1, arbitrary: command('pause', ({ app }) => app.pause()) },
  { weight: 2, arbitrary: command('resume', ({ app }) => app.resume()) },
  { weight: 1, arbitrary: command('drained', ({ app }) => app.drained()) },
  { weight: 1, arbitrary: command('drained(500)', ({ app }) => app.drained(500)) },
  { weight: 1, arbitrary: command('finishCodec', (world) => world.finishCodec()) },
  {
    weight: 1,
    arbitrary: commands(
      fc.boolean(),
      (on) => `peer.answersPings(${on})`,
      (on, { peer }) => void (peer.answersPings = on),
    ),
  },
]

const ending: Commands = fc.oneof(
  command('nothing', () => undefined),
  message(fatal),
  command('peer.close', ({ peer }) => peer.sendClose(1000)),
  command('peer.end', ({ peer }) => peer.end()),
  command('peer.close, peer.end', ({ peer }) => {
    peer.sendClose(1001)
    peer.end()
  }),
  command('peer.rubbish', ({ peer }) => peer.sendRubbish()),
  command('peer.reset', ({ peer }) => peer.reset()),
  command('close', ({ app }) => app.close()),
  command('close(1500)', ({ app }) => app.close(1500)),
  command('terminate', ({ app }) => app.terminate()),
  command('server.close', (world) => world.closeServer()),
)

const worldOptions: fc.Arbitrary<WorldOptions> = fc.record({
  role: fc.constantFrom('server', 'client', 'server', 'reader'),
  line: fc.constantFrom('handle', 'stream', 'tls'),
  systemBytes: fc.constantFrom(64 * 1024, 4096),
  isCompressing: fc.boolean(),
  slowConsumer: fc.constantFrom('close', 'drop', 'buffer'),
  concurrency: fc.constantFrom(1, 3),
  opening: fc.constantFrom('at once' as const, 'at once' as const, 'never' as const, 700),
  limits: fc
    .record({
      maxBufferedOutputBytes: fc.constantFrom(256 * 1024, 16 * 1024),
      highWaterMarkBytes: fc.constantFrom(16 * 1024, 0),
      maxQueuedMessages: fc.constantFrom(16, 1),
      maxQueuedBytes: fc.constantFrom(64 * 1024, 1024),
      idleTimeoutMs: fc.constantFrom(false as const, 2000),
      heartbeat,
    })
    .map(({ heartbeat: times, ...limits }) => ({
      ...limits,
      ...times,
      ...TIMES,
      maxMessageBytes: 128 * 1024,
    })),
})

/** Everybody does what is expected: reads, answers, closes. Then all that was taken has arrived. */
async function endWell(world: World): Promise<void> {
  const { peer, app } = world
  peer.reading.speed = 'fast'
  peer.writing.speed = 'fast'
  peer.answersPings = true
  app.resume()
  await world.settle()
  await world.pass(3000)
  if (!world.record.isOver) peer.sendClose(1000)
  await world.pass(10_000)
  // A stream without end keeps the messages after it, and the Close frame among them, from being read.
  if (!world.record.isOver) app.close()
  await world.settle()
  await world.pass(16_000)
}

/** The peer is slow but steady, and so is never cut, however long it takes. */
async function endSlowly(world: World): Promise<void> {
  const { peer, app } = world
  peer.reading.speed = speedOf('steady', world)
  peer.writing.speed = speedOf('steady', world)
  peer.answersPings = true
  app.resume()
  await world.settle()
  if (!world.record.isOver) app.close()
  await world.settle()
  for (let i = 0; i < 200 && !world.record.isOver; i++) await world.pass(10_000)
  await world.pass(16_000)
}

/** Nobody does anything any more: what is stalled is cut, and what is only silent is closed and then cut. */
async function endBadly(world: World): Promise<void> {
  const { peer, app } = world
  peer.reading.speed = 'stalled'
  peer.writing.speed = 'stalled'
  peer.answersPings = false
  peer.answersClose = false
  peer.endsWhenDone = false
  app.resume()
  await world.settle()
  await world.pass(12_000)
  if (!world.record.isOver) app.close()
  await world.settle()
  await world.pass(24_000)
}

const ENDS = {
  'the peer reads and closes': endWell,
  'the peer is slow but steady': endSlowly,
  'nobody does anything any more': endBadly,
}

async function run(
  options: WorldOptions,
  before: Iterable<Command>,
  end: Command,
  after: Iterable<Command>,
  finish: (world: World) => Promise<void>,
): Promise<void> {
  const model: Model = { messageCount: 0, pingCount: 0 }
  const world = new World(options)
  try {
    await world.settle()
    await fc.asyncModelRun(() => ({ model, real: world }), before)
    await end.run(model, world)
    await fc.asyncModelRun(() => ({ model, real: world }), after)
    await finish(world)
    world.record.checkOver(finish === endWell)
    expect(jest.getTimerCount()).toBe(0)
  } finally {
    await world.dispose()
  }
}

const some = (maxCommands: number): ReturnType<typeof fc.commands<Model, World>> =>
  fc.commands([fc.oneof(...ordinary)], { maxCommands, size: 'max' }) as never

describe('docs/backpressure.md: any calls in any order at any speed', () => {
  test.each(Object.entries(ENDS))(
    'keep the rules until the end: %s',
    async (_, finish) => {
      await fc.assert(
        fc.asyncProperty(worldOptions, some(30), ending, some(8), async (options, before, end, after) => {
          await run(options, before as never, end, after as never, finish)
        }),
        { numRuns: 60 * RUNS },
      )
    },
    60_000 * RUNS,
  )
})
