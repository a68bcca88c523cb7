import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { evaluate } from './evaluate.js'

const ROOT = join(__dirname, '../../..')
const PAGE = readFileSync(join(ROOT, 'docs/performance.md'), 'utf8')

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

/** What people wrote: the page without what is filled in. */
const outside = (text: string): string =>
  text.replace(/(?<=^<!-- bench:\w+ -->\n)[\s\S]*?(?=^<!-- \/bench:\w+ -->$)/gm, '')

/** Fills the page in. */
const fill = (results: object): string =>
  evaluate('doc-tables.mjs', 'return subject.fillRegions(input.page, subject.makeRegions(input.results))', {
    page: PAGE,
    results,
  }) as string

describe('docs/performance.md', () => {
  test('has the figures of benchmarks/results/latest.json', () => {
    const script = join(ROOT, 'benchmarks/fill-docs.mjs')
    const output = execFileSync(process.execPath, [script, '--check'], { encoding: 'utf8', stdio: 'pipe' })
    expect(output).toBe('docs/performance.md is as the results say\n')
  })

  test('says on which machine and of which commit, and whether the tree had changes', () => {
    const latest = JSON.parse(readFileSync(join(ROOT, 'benchmarks/results/latest.json'), 'utf8'))
    expect(PAGE).toContain(`Measured ${latest.date} at commit ${latest.commit.slice(0, 10)} on Node`)
    expect(PAGE).toContain(`${latest.cores} cores of ${latest.cpu}, ${latest.system}`)
    expect(PAGE.includes('The tree had changes that are in no commit')).toBe(latest.changed)
    expect(fill({ ...RESULTS, changed: true })).toContain(
      '**The tree had changes that are in no commit: the figures are those of 0123456789',
    )
    expect(fill(RESULTS)).not.toContain('The tree had changes')
  })

  test('marks each row that is below its floor, and names it', () => {
    const latest = JSON.parse(readFileSync(join(ROOT, 'benchmarks/results/latest.json'), 'utf8'))
    const red = latest.rows.filter(
      ({ verdict }: { verdict: { status: string } }) => verdict.status === 'BELOW',
    )
    for (const { name } of red) {
      const row = PAGE.split('\n').find((line) => line.startsWith(`| ${String(name)} `)) ?? ''
      expect([name, row.includes('🔴 **BELOW**')]).toEqual([name, true])
    }
    expect(PAGE.match(/🔴 \*\*BELOW\*\*/g) ?? []).toHaveLength(red.length)
  })

  test('has no empty table, and no figure that was written by hand', () => {
    expect(PAGE).not.toMatch(/^\|[ |:-]+\|\n(?!\|)/m)
    const figures = outside(PAGE).match(/\d[\d.,]*\s?(?:x|times|%|µs|us|ms|ns|[KMG]i?B|B)(?![\w])/g) ?? []
    // A size of a message is not a result.
    expect(figures.filter((figure) => figure !== '1 KiB')).toEqual([])
  })

  test('does not show a row that misses its floor by little as equal to it', () => {
    const rows = [{ ...RESULTS.rows[0], contenders: { hawser: one(1_499), ws: one(1_000), bun: one(2_000) } }]
    expect(fill({ ...RESULTS, rows })).toContain('| echo, 32 B | 1.499 | 1.5 | 0.75 |')
  })

  test('has a place for every table of the results, and nothing else changes', () => {
    const filled = evaluate(
      'doc-tables.mjs',
      'return subject.fillRegions(input.page, subject.makeRegions(input.results))',
      { page: PAGE, results: RESULTS },
    ) as string
    expect(filled).toContain('| echo, 32 B | 2.00 | 1.5 | 0.80 | 0.5 | ok | ± 10 % |')
    expect(filled).toContain(
      '| idle memory |  | at most bare net.Socket + 1024 B |  |  | 🔴 **BELOW** | ± 0 % |',
    )
    expect(filled).toContain('**1 of 2 rows with a floor are below it** (🔴): `idle memory`.')
    expect(filled).toContain('though there is a floor: `echo, 32 B, 1 in flight`; ')
    expect(filled).toContain('<!-- bench:parts -->\n\nNot measured in this run.\n')
    expect(filled).toContain('| echo, 32 B | msg/s | 200 | 100 | 250 | absent |')
    expect(filled).toContain('| idle memory | B/conn | 9000 | failed |')
    expect(filled).toContain('Measured 2026-01-01 at commit 0123456789 on Node 20.1.0')

    expect(outside(filled)).toBe(outside(PAGE))
  })

  test('is refused when it has lost a marker', () => {
    const page = PAGE.replace('<!-- /bench:memory -->', '')
    expect(
      evaluate('doc-tables.mjs', "return subject.fillRegions(input, { memory: 'x' })", page),
    ).toMatchObject({ threw: 'docs/performance.md has lost its markers of memory' })
  })
})

describe('the charts', () => {
  test('have a mark for every figure, and none for a failed row', () => {
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
