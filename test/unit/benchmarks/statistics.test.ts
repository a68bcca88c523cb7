// slow: starts a process for each call
import { evaluate } from './evaluate.js'

function run(body: string, input: unknown = null): unknown {
  return evaluate('statistics.mjs', body, input)
}

describe('the statistics of the benchmarks', () => {
  test('take the middle value, or the mean of the two in the middle, as the median', () => {
    expect(
      run('const given = [9, 1, 5]; return [subject.median(given), subject.median([4, 1, 3, 2]), given]'),
    ).toEqual([5, 2.5, [9, 1, 5]])
  })

  test('give the spread as half the distance of the extremes, as a share of the median', () => {
    expect(run('return [[90, 100, 110], [7], [0, 0]].map(subject.spread)')).toEqual([0.1, 0, 0])
  })

  test('join rounds by the median of numbers, round trips point by point, and texts unchanged', () => {
    const rounds = [
      { value: 10, cpuMicros: 3, latency: { p50: 1, p99: 9 }, extensions: 'a' },
      { value: 30, cpuMicros: 1, latency: { p50: 3, p99: 7 }, extensions: 'a' },
      { value: 20, cpuMicros: 2, latency: { p50: 2, p99: 8 }, extensions: 'a' },
    ]
    expect(run('return subject.summarize(input)', rounds)).toEqual({
      median: 20,
      spread: 0.5,
      values: [10, 30, 20],
      cpuMicros: 2,
      latency: { p50: 2, p99: 8 },
      extensions: 'a',
    })
  })

  test('give a ratio above 1 when Hawser is better, whatever the unit', () => {
    expect(
      run(`
        const [slow, fast] = [{ median: 10 }, { median: 40 }]
        return [subject.ratio(fast, slow, false), subject.ratio(slow, fast, true), subject.ratio(slow, fast, false)]
      `),
    ).toEqual([4, 4, 0.25])
  })

  test('give no ratio to a row that did not run, failed, or took nothing', () => {
    expect(
      run(`
        const one = { median: 1 }
        return [[one, undefined], [undefined, one], [one, { error: 'x' }], [{ error: 'x' }, one], [{ median: -3 }, one]]
          .map(([own, other]) => subject.ratio(own, other, true))
      `),
    ).toEqual([null, null, null, null, null])
  })
})
