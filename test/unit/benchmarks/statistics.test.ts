// slow: starts a process for each call
import { evaluate } from './evaluate.js'

function run(body: string, input: unknown = null): unknown {
  return evaluate('statistics.mjs', body, input)
}

describe('the statistics of the benchmarks', () => {
  test('the median is the middle one, or the mean of the two in the middle, and changes nothing', () => {
    expect(
      run('const given = [9, 1, 5]; return [subject.median(given), subject.median([4, 1, 3, 2]), given]'),
    ).toEqual([5, 2.5, [9, 1, 5]])
  })

  test('the spread is half the distance of the extremes, as a share of the median', () => {
    expect(run('return [[90, 100, 110], [7], [0, 0]].map(subject.spread)')).toEqual([0.1, 0, 0])
  })

  test('rounds become one: numbers by their median, round trips point by point, texts as they were', () => {
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

  test('a ratio is above 1 where Hawser is better, whatever the unit', () => {
    expect(
      run(`
        const [slow, fast] = [{ median: 10 }, { median: 40 }]
        return [subject.ratio(fast, slow, false), subject.ratio(slow, fast, true), subject.ratio(slow, fast, false)]
      `),
    ).toEqual([4, 4, 0.25])
  })

  test('there is no ratio to what did not run, failed, or did not take anything', () => {
    expect(
      run(`
        const one = { median: 1 }
        return [[one, undefined], [undefined, one], [one, { error: 'x' }], [{ error: 'x' }, one], [{ median: -3 }, one]]
          .map(([own, other]) => subject.ratio(own, other, true))
      `),
    ).toEqual([null, null, null, null, null])
  })
})
