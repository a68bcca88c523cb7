import { evaluate } from './evaluate.js'

const RUNS = [
  { name: 'hawser', node: 'this' },
  { name: 'ws', node: 'this' },
  { name: 'bun', node: 'this' },
  { name: 'hawser', node: 'newest' },
]

/** The rows that come of the figures of runs, by `NAME@NODE`. */
const split = (figures: Readonly<Record<string, number>>, quick = false): unknown =>
  evaluate(
    'rows.mjs',
    `
      const workload = { kind: 'echo', unit: 'msg/s', contenders: ['hawser', 'ws', 'bun'] }
      const summaryOf = ({ name, node }) => {
        const median = input.figures[name + '@' + node]
        return median === undefined ? undefined : { median }
      }
      return subject.splitByNode('handshakes', workload, input.runs, summaryOf, input.quick)
    `,
    { runs: RUNS, figures, quick },
  )

const FIGURES = { 'hawser@this': 150, 'ws@this': 100, 'bun@this': 250, 'hawser@newest': 200 }

describe('what was measured', () => {
  test('is a row for each Node, in both of which stands what does not run in Node', () => {
    expect(split({ ...FIGURES, 'ws@newest': 1 })).toMatchObject([
      {
        node: 'this',
        contenders: { hawser: { median: 150 }, ws: { median: 100 }, bun: { median: 250 } },
        verdict: { status: 'ok' },
      },
      {
        node: 'newest',
        contenders: { hawser: { median: 200 }, bun: { median: 250 } },
        verdict: { status: 'not measured', why: ['ws: did not run'] },
      },
    ])
  })

  test('is not judged in a quick run where there is nothing to compare with', () => {
    expect(split(FIGURES, true)).toMatchObject([
      { node: 'this', verdict: { status: 'ok' } },
      { node: 'newest', verdict: { status: 'no floor' } },
    ])
  })
})
