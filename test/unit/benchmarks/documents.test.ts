import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { evaluate } from './evaluate.js'

const PAGE = readFileSync(join(__dirname, '../../../docs/performance.md'), 'utf8')

const one = (median: number): object => ({
  median,
  spread: 0.1,
  values: [median],
  cpuMicros: 5,
  latency: { p50: 1, p90: 2, p99: 3, p999: 4 },
})

const RESULTS = {
  ...{
    date: '2026-01-01',
    node: 'v20.1.0',
    cpu: 'a processor',
    cores: 2,
    system: 'linux 6',
    commit: '0123456789abcdef',
  },
  ...{
    changed: false,
    rounds: 5,
    seconds: 3,
    loader: 'C',
    versions: { hawser: '0.1.0', ws: '8.0.0', bun: '1.0.0' },
  },
  rows: [
    {
      ...{ name: 'echo, 32 B', kind: 'echo', unit: 'msg/s', lowerIsBetter: false },
      ...{ floor: { ws: 1.5, bun: 0.5 }, verdict: { status: 'ok', why: [] } },
      contenders: { hawser: one(200), ws: one(100), bun: one(250), deno: { error: 'gone', isAbsent: true } },
    },
    {
      ...{ name: 'idle memory', kind: 'idle', unit: 'B/conn', lowerIsBetter: true },
      ...{ floor: { atMost: { contender: 'net', plus: 1024 } }, verdict: { status: 'BELOW', why: ['x'] } },
      contenders: { hawser: { median: 9000, spread: 0, values: [9000] }, net: { error: 'no port' } },
    },
  ],
}

describe('docs/performance.md', () => {
  test('has a place for every table of the results, and nothing outside of them changes', () => {
    const filled = evaluate(
      'doc-tables.mjs',
      'return subject.fillRegions(input.page, subject.makeRegions(input.results))',
      { page: PAGE, results: RESULTS },
    ) as string
    expect(filled).toContain('| echo, 32 B | 2.00 | 1.5 | 0.80 | 0.5 | ok | ± 10 % |')
    expect(filled).toContain('| idle memory |  | at most bare net.Socket + 1024 B |  |  | BELOW | ± 0 % |')
    expect(filled).toContain('| echo, 32 B | msg/s | 200 | 100 | 250 | absent |')
    expect(filled).toContain('| idle memory | B/conn | 9000 | failed |')
    expect(filled).toContain('Measured 2026-01-01 at commit 0123456789 on Node 20.1.0')

    const outside = (text: string): string =>
      text.replace(/(?<=^<!-- bench:\w+ -->\n)[\s\S]*?(?=^<!-- \/bench:\w+ -->$)/gm, '')
    expect(outside(filled)).toBe(outside(PAGE))
  })

  test('a page that has lost a marker is refused', () => {
    const page = PAGE.replace('<!-- /bench:memory -->', '')
    expect(
      evaluate('doc-tables.mjs', "return subject.fillRegions(input, { memory: 'x' })", page),
    ).toMatchObject({ threw: 'docs/performance.md has lost its markers of memory' })
  })
})

describe('the charts', () => {
  test('every figure that there is becomes a mark, and what failed none', () => {
    expect(
      evaluate(
        'chart-data.mjs',
        "return [subject.ratioData(input), subject.medianData(input, 'echo'), subject.latencyData(input)]",
        RESULTS,
      ),
    ).toEqual([
      [
        { row: 'echo, 32 B', series: 'to ws', value: 2, floor: 1.5 },
        { row: 'echo, 32 B', series: 'to Bun', value: 0.8, floor: 0.5 },
      ],
      [
        { row: 'echo, 32 B', series: 'hawser', value: 200 },
        { row: 'echo, 32 B', series: 'ws', value: 100 },
        { row: 'echo, 32 B', series: 'bun', value: 250 },
      ],
      ['hawser', 'ws', 'bun'].map((series) => ({ row: 'echo, 32 B', series, value: 1, value2: 3 })),
    ])
  })
})
