/** What the tests share that disturb conversations (talks.ts): plans, and what must be so for all runs of one of them. */
import { timerWheel } from '../../src/transport/timer-wheel.js'
import type { Sender } from './fault-flow.js'
import { judge } from './talk-judge.js'
import { isStuck, type Plan, type Run } from './talk-run.js'
import { TalkWorld, type PlayOptions, type Recording, type Times, type Way } from './talk-world.js'
import type { Talk } from './talks.js'

const SENDERS: readonly Sender[] = ['client', 'server']

/** How long the sockets and timers of a batch may last after its runs: a refused peer is waited for up to 5 s. */
const MAX_REST_MS = 30_000
/** Of the runs in which a line stalls, those that are wrong are played again, alone, if they are no more than this. */
const MAX_AGAIN = 12
/** More are not shown. */
const MAX_SHOWN = 12

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** Where one end is disturbed, in bytes that have passed. */
export type Places = (recording: Recording, sender: Sender) => readonly number[]

/** At every byte. */
export const everyByte: Places = ({ lengths }, sender) => range(0, lengths[sender])

/** At every byte of the frames, and at the last ones of the head. */
export const everyFrameByte: Places = ({ lengths, marks }, sender) =>
  range(marks[sender].headEnd - 4, lengths[sender])

/** Around the ends of heads, messages and control frames: so many bytes before and behind each. Not for TLS. */
export const aroundMarks =
  (before: number, behind = before): Places =>
  ({ lengths, marks }, sender) => {
    const { headEnd, lineEnds, closeEnd, length } = marks[sender]
    const ends = [0, headEnd, ...lineEnds, Math.min(closeEnd, length)]
    const places = new Set(ends.flatMap((end) => range(end - before, end + behind)))
    return [...places].filter((at) => at >= 0 && at <= lengths[sender]).sort((a, b) => a - b)
  }

/** Every n-th of other places. @param first how many are left out before the first of them */
export const everyNth =
  (n: number, places: Places = everyByte, first = 0): Places =>
  (recording, sender) =>
    places(recording, sender).filter((_, i) => i % n === first % n)

/** So many places of a delay are in one run, or fewer. */
const DELAYS_OF_ONE_RUN = 16

/** What happens to each place: for `drip` the first is enough, and delays share runs. */
function plansOf(kind: Plan['kind'], recording: Recording, places: Places): Plan[] {
  return SENDERS.flatMap((from): Plan[] => {
    const all = places(recording, from)
    if (kind === 'drip') return [{ kind, from, at: all.slice(0, 1) }]
    if (kind !== 'delay') return all.map((at) => ({ kind, from, at: [at] }))
    const count = Math.ceil(all.length / DELAYS_OF_ONE_RUN)
    return range(0, count - 1).map((run) => ({ kind, from, at: all.filter((_, i) => i % count === run) }))
  })
}

/** The sockets and requests of this process that keep it alive. */
function resources(): string {
  const names = process
    .getActiveResourcesInfo()
    .filter((name) => /TCP|TLS|WriteWrap|ShutdownWrap|ConnectWrap/.test(name))
  return [...names, `${String(timerWheel.size)} timers`].sort().join(', ')
}

/** Waits until something is so; not for ever. */
async function until(isSo: () => boolean, everyMs = 20): Promise<void> {
  const end = performance.now() + MAX_REST_MS
  while (!isSo() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, everyMs))
}

/** What keeps this process alive when the last run has been cleared away. */
async function steadyResources(): Promise<string> {
  let seen = ''
  await until(() => {
    const last = seen
    seen = resources()
    return seen === last
  }, 200)
  return seen
}

/** Promises that reject and are not handled, and warnings, of this process. */
class ProcessEvents {
  readonly heard: string[] = []
  private readonly onRejection = (reason: unknown): void => {
    this.heard.push(`unhandled rejection: ${String(reason)}`)
  }
  private readonly onWarning = (warning: Error): void => {
    this.heard.push(`warning: ${warning.message}`)
  }

  constructor() {
    process.on('unhandledRejection', this.onRejection)
    process.on('warning', this.onWarning)
  }

  stop(): void {
    process.off('unhandledRejection', this.onRejection)
    process.off('warning', this.onWarning)
  }
}

export interface Disturbance {
  readonly talk: Talk
  readonly way: Way
  readonly kinds: readonly Plan['kind'][]
  readonly places: Places
  /** Default: no timer ends anything. */
  readonly times?: Times
  readonly options?: PlayOptions
}

/** What {@link disturb} found. */
export interface Findings {
  /** How many runs were disturbed. */
  readonly runs: number
  /** Everything that is wrong, a line each. */
  readonly wrongs: readonly string[]
  /** The codes that any onError got. */
  readonly errors: readonly string[]
}

/**
 * Plays a conversation once for each kind and place, judges each run, and sees that nothing of them is left and that the server serves
 * on.
 */
export async function disturb(disturbance: Disturbance): Promise<Findings> {
  const { talk, way, times } = disturbance
  const events = new ProcessEvents()
  const before = resources()
  const world = await TalkWorld.start(talk, way, times)
  const found: Findings[] = []
  try {
    found.push(await playAll(world, disturbance))
  } finally {
    await world.stop()
    await until(() => resources() === before)
    events.stop()
  }
  const wrongs = [...found.flatMap((one) => one.wrongs), ...leftBeside(before), ...events.heard]
  const rest = wrongs.length - MAX_SHOWN
  return {
    runs: found.reduce((sum, { runs }) => sum + runs, 0),
    errors: found.flatMap(({ errors }) => errors),
    wrongs: rest > 0 ? [...wrongs.slice(0, MAX_SHOWN), `and ${rest} more`] : wrongs,
  }
}

async function playAll(world: TalkWorld, { talk, kinds, places, options }: Disturbance): Promise<Findings> {
  const { recording } = world
  const idle = await steadyResources()
  const plans = kinds.flatMap((kind) => plansOf(kind, recording, places))
  const wrongsOf = (all: readonly Run[]): string[] => all.flatMap((run) => judge(run, recording.run, talk))
  const runs = await world.play(plans, options)
  const late = runs.filter((run) => mayBeLate(run) && wrongsOf([run]).length > 0)
  // A timer may have ended what only took its time: what is wrong by chance is right when it is alone.
  const again = late.length > MAX_AGAIN ? late : await playAlone(world, late, options)
  const judged = [...runs.filter((run) => !late.includes(run)), ...again]
  if (again !== late) runs.push(...again)
  // The server serves on.
  const calm = await world.play([null, null])
  runs.push(...calm)
  await until(() => resources() === idle)
  const wrongs = wrongsOf([...judged, ...calm])
  return {
    runs: plans.length,
    errors: [...new Set(runs.flatMap((run) => run.ends.flatMap(([, end]) => end.errors)))],
    wrongs: [...leftBeside(idle), ...wrongs, ...countsOf(world, runs)],
  }
}

/** Whether a timer may have ended what only took its time. What hangs is none: it was waited for. */
const mayBeLate = ({ plan, problem }: Run): boolean => plan !== null && isStuck(plan) && problem === ''

/** Plays the plans of some runs again, one after another. */
async function playAlone(world: TalkWorld, runs: readonly Run[], options?: PlayOptions): Promise<Run[]> {
  return await world.play(
    runs.map(({ plan }) => plan),
    { ...options, width: 1, spreadMs: 0 },
  )
}

const leftBeside = (wanted: string): string[] =>
  resources() === wanted ? [] : [`left: ${resources()}\n  instead of ${wanted}`]

/** The server has counted what its application was told. */
function countsOf({ server, recording }: TalkWorld, runs: readonly Run[]): string[] {
  if (server === null) return []
  const { opened, closed } = server.stats()
  const ends = [...runs, recording.run].map((run) => run.server)
  const told = ends.reduce((sum, end) => sum + (end?.openCount ?? 0), 0)
  if (opened === told && closed === told && server.connectionCount === 0) return []
  return [
    `of ${told} connections ${opened} were counted, ${closed} closed, ${server.connectionCount} are left`,
  ]
}

/** Nothing may be wrong. */
export async function expectNothingWrong(disturbance: Disturbance): Promise<void> {
  const { runs, wrongs } = await disturb(disturbance)
  expect(wrongs.join('\n')).toBe('')
  expect(runs).toBeGreaterThan(0)
}
