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

const RUN = {
  ...{ date: '2026-01-01', nodes: { this: 'v20.1.0', newest: 'v26.2.0' }, slug: 'maker-chip-1-2-3' },
  ...{
    cpu: 'Maker(R) Chip Processor',
    model: '1-2-3',
    cores: 2,
    system: 'linux 6',
    commit: '0123456789abcdef',
  },
  ...{
    changed: false,
    rounds: 3,
    seconds: 2,
    loader: 'C',
    tlsLoader: 'C',
    versions: { hawser: '0.1.0', ws: '8.0.0', bun: '1.0.0' },
  },
  wsHelpers: { 'v20.1.0': 'masks by bufferutil, validates UTF-8 by isUtf8 of node:buffer' },
  quiet: { loadBefore: 0.1, othersBefore: 0, noisyRows: [] as string[], worstShare: 0.02 },
}

const echo = (node: string, ws: number): object => ({
  ...{ name: 'echo, 32 B', node, kind: 'echo', unit: 'msg/s', lowerIsBetter: false },
  contenders: { hawser: one(200), ws: one(ws), bun: one(250), deno: { error: 'gone', isAbsent: true } },
})

const RESULTS = {
  ...RUN,
  rows: [
    echo('this', 100),
    echo('newest', 150),
    {
      ...{ name: 'idle memory', node: 'this', kind: 'idle', unit: 'B/conn', lowerIsBetter: true },
      contenders: {
        hawser: { median: 9000, spread: 0, values: [9000] },
        net: { median: 6000, spread: 0, values: [6000] },
      },
    },
  ],
}

const FLOORS = {
  'echo, 32 B': { ws: 1.5, bun: 0.5, newest: { bun: 0.7 } },
  'idle memory': { atMost: { contender: 'net', plus: 0 } },
  handshakes: { ws: 1 },
}
const REASONS = { 'idle memory': 'Because.' }

/** What people wrote: the page without what is filled in. */
const outside = (text: string): string =>
  text.replace(/(?<=^<!-- bench:\w+ -->\n)[\s\S]*?(?=^<!-- \/bench:\w+ -->$)/gm, '')

/** Fills the page in. */
const fill = (...all: readonly object[]): string =>
  evaluate(
    'doc-tables.mjs',
    'return subject.fillRegions(input.page, subject.makeRegions(input.all, input.floors, input.reasons))',
    { page: PAGE, all, floors: FLOORS, reasons: REASONS },
  ) as string

interface Red {
  readonly name: string
}

/** The rows of the results that are there which are below their floors, and those of them without a reason. */
const readReds = (): { red: Red[]; unexplained: string[] } =>
  evaluate(
    'read-results.mjs',
    `
      const { redRows } = await import(new URL('./doc-tables.mjs', input))
      const { REASONS } = await import(new URL('../floors.mjs', input))
      const red = redRows(subject.readAllResults())
      return { red, unexplained: red.map(({ name }) => name).filter((name) => !REASONS[name]) }
    `,
    new URL('../../../benchmarks/lib/', `file://${__filename}`).href,
  ) as { red: Red[]; unexplained: string[] }

interface Results {
  readonly date: string
  readonly commit: string
  readonly cpu: string
  readonly cores: number
  readonly changed: boolean
}

const readAll = (): Results[] =>
  evaluate('read-results.mjs', 'return subject.readAllResults().map(({ rows, ...run }) => run)') as Results[]

describe('docs/performance.md', () => {
  test('and docs/scaling.md have the figures of benchmarks/results', () => {
    const script = join(ROOT, 'benchmarks/fill-docs.mjs')
    const output = execFileSync(process.execPath, [script, '--check'], { encoding: 'utf8', stdio: 'pipe' })
    expect(output).toBe('docs/performance.md is as the results say\ndocs/scaling.md is as the results say\n')
  })

  test('says of which processor and commit the figures are, and whether the tree had changes', () => {
    const all = readAll()
    expect(all.length).toBeGreaterThan(0)
    for (const { date, commit, cores, cpu } of all) {
      expect(PAGE).toContain(`measured ${date} at commit ${commit.slice(0, 10)} on Node`)
      expect(PAGE).toContain(`${cores} cores of ${cpu}, `)
    }
    expect(PAGE.match(/The tree had changes that are in no commit/g) ?? []).toHaveLength(
      all.filter(({ changed }) => changed).length,
    )
    expect(fill({ ...RESULTS, changed: true })).toContain(
      '**The tree had changes that are in no commit: the figures are those of 0123456789',
    )
    expect(fill(RESULTS)).not.toContain('The tree had changes')
  })

  test('says which rows were measured by themselves, and when', () => {
    const alone = { name: 'idle memory', date: '2026-01-03', commit: 'fedcba9876543210', version: 'v20.2.0' }
    const told = (one: object): string => fill({ ...RESULTS, alone: [{ ...alone, ...one }] })
    expect(told({ changed: false, isQuiet: true })).toContain(
      ' By itself: `idle memory`, 2026-01-03 at commit fedcba9876 on Node 20.2.0.',
    )
    expect(told({ changed: true, isQuiet: false, commit: null, version: null })).toContain(
      '2026-01-03 at commit unknown, **in a tree with changes**, **on a machine that was not quiet**.',
    )
    expect(fill(RESULTS)).not.toContain('By itself')
  })

  test('marks each row that is below its floor, and gives a reason for it', () => {
    const { red, unexplained } = readReds()
    expect(PAGE.match(/\| +🔴 /g) ?? []).toHaveLength(red.length)
    for (const { name } of red) {
      expect(PAGE).toMatch(new RegExp(`^- (\`.*\`; )?\`${name}\`.*: [A-Z]`, 'm'))
    }
    expect(unexplained).toEqual([])
  })

  test('has no empty table, and no figure that was written by hand', () => {
    expect(PAGE).not.toMatch(/^\|[ |:-]+\|\n(?!\|)/m)
    const figures = outside(PAGE).match(/\d[\d.,]*\s?(?:x|times|%|µs|us|ms|ns|[KMG]i?B|B)(?![\w])/g) ?? []
    // A size of a message is not a result.
    expect(figures.filter((figure) => figure !== '1 KiB')).toEqual([])
  })

  test('does not show a row that misses its floor by little as equal to it', () => {
    const rows = [{ ...RESULTS.rows[0], contenders: { hawser: one(1_499), ws: one(1_000), bun: one(2_000) } }]
    expect(fill({ ...RESULTS, rows })).toContain('| 🔴 **1.499** · 0.75, 1.00 x missing |')
  })

  test('has a place for every table of the results, and nothing else changes', () => {
    const filled = fill(RESULTS)
    expect(filled).toContain('| work | floor | Maker Chip 1-2-3, Node 20 | Maker Chip 1-2-3, Node 26 |')
    expect(filled).toContain(
      '| echo, 32 B | 1.5 · 0.5; newest Node: 1.5 · 0.7 | 2.00 · 0.80 | 🔴 **1.33** · 0.80, 1.13 x missing |',
    )
    expect(filled).toContain('| idle memory | at most bare net.Socket | 🔴 – · –, 1.50 x missing |  |')
    expect(filled).toContain(
      '- Maker Chip 1-2-3, Node 20: **1 of 2 rows with a floor are below it** (🔴).\n' +
        '- Maker Chip 1-2-3, Node 26: **1 of 1 rows with a floor are below it** (🔴).',
    )
    expect(filled).toContain('though there is a floor: `handshakes`.')
    expect(filled).toContain('- `echo, 32 B`: **No reason is known yet.**\n- `idle memory`: Because.\n')
    expect(filled).toContain(
      '![Ratios to ws and to Bun, Maker Chip 1-2-3](../benchmarks/results/maker-chip-1-2-3/',
    )
    expect(filled).toContain('<!-- bench:parts -->\n\nNot measured in this run.\n')
    expect(filled).toContain(
      'Node 20:\n\n| work | unit | Hawser | ws | Bun | Deno |\n| --- | ---: | ---: | ---: | ---: | ---: |\n' +
        '| echo, 32 B | msg/s | 200 · 5.00 µs | 100 · 5.00 µs | 250 · 5.00 µs | absent |',
    )
    expect(filled).toContain('Node 26:\n\n| work | unit | Hawser | ws |')
    expect(filled).toContain('| idle memory | B/conn | 9000 | 6000 |')
    expect(filled).toContain(
      '- **Maker Chip 1-2-3**: measured 2026-01-01 at commit 0123456789 on Node 20.1.0 and 26.2.0, 2 cores of ' +
        'Maker(R) Chip Processor, linux 6; 3 rounds of 2 s; load generator in C; the machine was quiet ' +
        '(load average 0.10 before, other processes at most 2 % of a core). Beside it: ws 8.0.0, Bun 1.0.0. ' +
        'In Node 20 ws masks by bufferutil, validates UTF-8 by isUtf8 of node:buffer.',
    )

    expect(outside(filled)).toBe(outside(PAGE))
  })

  test('says where the load generator of TLS was another one', () => {
    const text =
      'load generator in C, for TLS in JavaScript, which is about as busy as the servers; the machine'
    expect(fill({ ...RESULTS, tlsLoader: 'JavaScript' })).toContain(text)
    expect(fill({ ...RESULTS, tlsLoader: undefined })).toContain(text)
  })

  test('shows the ratios of two processors side by side, and the absolute figures of the first', () => {
    const other = {
      ...RUN,
      ...{ cpu: 'Other', model: '', slug: 'other', nodes: { this: 'v20.1.0' } },
      rows: [echo('this', 125)],
    }
    const filled = fill(RESULTS, other)
    expect(filled).toContain(', Node 26 | Other, Node 20 |')
    expect(filled).toMatch(/^\| echo, 32 B \| .*missing \| 1\.60 · 0\.80 \|$/m)
    expect(filled).toContain('- Other, Node 20: all 1 rows with a floor are at it or above.')
    expect(filled).toContain('](../benchmarks/results/other/ratios.svg)')
    expect(filled).not.toContain('| 125 · 5.00 µs |')
  })

  test('says in which rows the machine was not quiet', () => {
    const quiet = { loadBefore: 2, othersBefore: 0.5, noisyRows: ['echo, 32 B'], worstShare: 0.4 }
    expect(fill({ ...RESULTS, quiet })).toContain(
      '**the machine was not quiet** (load average 2.00 before): other processes took up to 40 % of a core in `echo, 32 B`',
    )
    expect(fill({ ...RESULTS, quiet: undefined })).toContain('whether the machine was quiet was not measured')
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
        `
          const { results, floors } = input
          return [subject.ratioData(results, floors), subject.medianData(results, 'echo'), subject.latencyData(results)]
        `,
        { results: RESULTS, floors: FLOORS },
      ),
    ).toEqual([
      [
        { row: 'echo, 32 B', series: 'to ws, Node 20', value: 2, floor: 1.5 },
        { row: 'echo, 32 B', series: 'to Bun, Node 20', value: 0.8, floor: 0.5 },
        { row: 'echo, 32 B', series: 'to ws, Node 26', value: 200 / 150, floor: 1.5 },
        { row: 'echo, 32 B', series: 'to Bun, Node 26', value: 0.8, floor: 0.7 },
      ],
      [
        { row: 'echo, 32 B', series: 'Hawser, Node 20', value: 200 },
        { row: 'echo, 32 B', series: 'ws, Node 20', value: 100 },
        { row: 'echo, 32 B', series: 'Bun', value: 250 },
        { row: 'echo, 32 B', series: 'Hawser, Node 26', value: 200 },
        { row: 'echo, 32 B', series: 'ws, Node 26', value: 150 },
      ],
      ['Hawser', 'ws', 'Bun'].map((series) => ({ row: 'echo, 32 B', series, value: 1, value2: 3 })),
    ])
  })
})
