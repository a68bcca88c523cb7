/** What counts as progress of waiting output, by answers of the system that come at once or later (docs/backpressure.md). */
import { OutputProgress } from '../../../src/socket/output-progress.js'
import type { Limits } from '../../../src/limits.js'
import type { Transport } from '../../../src/transport/transport.js'

const LIMITS = { sendTimeoutMs: 1000, closeTimeoutMs: 1000 } as Limits
const TAKEN = 1_000_000

/** Progress over a system that answers so, one after another; `ages` are how old an answer might have been. */
function progressOver(...answers: (number | 'asking' | null)[]): {
  progress: OutputProgress
  ages: number[]
} {
  const ages: number[] = []
  const transport = {
    queuedBytes: (maxAgeMs: number) => {
      ages.push(maxAgeMs)
      return answers.shift() ?? null
    },
  } as unknown as Transport
  const progress = new OutputProgress(transport, LIMITS)
  progress.block(0, TAKEN)
  return { progress, ages }
}

/** Looks at these times. @returns what each look found */
const looks = (progress: OutputProgress, ...times: number[]): string[] =>
  times.map((now) => (progress.look(now, true, TAKEN) ? 'moved' : progress.isAsking ? 'asking' : 'still'))

it('is what the peer took between two answers', () => {
  const { progress, ages } = progressOver(500_000, 499_500, 498_900)
  expect(looks(progress, 250, 500, 750)).toEqual(['still', 'still', 'moved'])
  expect(progress.at).toBe(750)
  expect(ages).toEqual([125, 125, 125])
})

it('is asked for again until there is an answer, which is no older than the question', () => {
  const { progress, ages } = progressOver(500_000, 'asking', 'asking', 498_000)
  expect(looks(progress, 250, 500, 516, 532)).toEqual(['still', 'asking', 'asking', 'moved'])
  expect(ages).toEqual([125, 125, 16, 32])
})

it('is judged by a second answer where the first was waited for: it may come when the time is over', () => {
  const { progress, ages } = progressOver('asking', 500_000, 'asking', 480_000)
  // With the first answer there is nothing to compare.
  expect(looks(progress, 250, 1500, 1516, 1900)).toEqual(['asking', 'asking', 'asking', 'moved'])
  expect(ages).toEqual([125, 1250, 16, 400])
  const stalled = progressOver('asking', 500_000, 500_000)
  expect(looks(stalled.progress, 250, 1500, 1900)).toEqual(['asking', 'asking', 'still'])
})

it.each(['block', 'unblock'] as const)('is not waited for any more after %s', (call) => {
  const { progress } = progressOver('asking')
  expect(looks(progress, 250)).toEqual(['asking'])
  progress[call](300, TAKEN)
  expect(progress.isAsking).toBe(false)
})

it('is unknown where the system does not tell', () => {
  const { progress } = progressOver('asking', null)
  expect(looks(progress, 250, 266)).toEqual(['asking', 'still'])
})
