import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { evaluatorOf } from '../../helpers/evaluate.js'

const evaluate = evaluatorOf('benchmarks/brokers')
const ROOT = join(__dirname, '../../..')

describe('the flags of npm run bench:brokers', () => {
  const read = (...lines: readonly (readonly string[])[]): unknown =>
    evaluate(
      'flags.mjs',
      `return input.map((args) => {
        try {
          const { rows, ...flags } = subject.readFlags(args)
          return { ...flags, rows: rows.length }
        } catch (error) { return error.message }
      })`,
      lines,
    )

  test('mean every contender and row by default, and one short round of each with --quick', () => {
    const [whole, quick, part] = read([], ['--quick'], ['--only', 'latency']) as Record<string, unknown>[]
    expect(whole).toMatchObject({ isWhole: true, rounds: 4, seconds: 1.5, quick: false })
    expect(quick).toMatchObject({ isWhole: false, rounds: 1, seconds: 0.2, quick: true })
    expect(part).toMatchObject({ isWhole: false, rows: 1 })
    expect(whole?.['contenders']).toEqual(
      expect.arrayContaining(['hawser', 'socket.io', 'socket.io-sharded']) as unknown,
    )
  })

  test('that are wrong are refused with what there is', () => {
    const [contender, row, rounds, none] = read(
      ['--contenders', 'hawser,horse'],
      ['--only', 'horse'],
      ['--rounds', '0'],
      ['--contenders', ','],
    ) as string[]
    expect(contender).toMatch(/^--contenders has no "horse"; there are hawser, .*socket\.io/)
    expect(row).toBe('--only "horse" fits no row; --list shows them')
    expect(rounds).toBe('--rounds must be an integer from 1 to 100, not "0"')
    expect(none).toBe('--contenders names none')
  })

  test('are shown by the program', () => {
    const script = join(ROOT, 'benchmarks/brokers.mjs')
    const output = execFileSync(process.execPath, [script, '--list'], { encoding: 'utf8' })
    expect(output.split('\n')).toContain('1,000 groups of 10, 32 B, 50 in flight')
  })
})

describe('the runs of a row', () => {
  test('have one process of each program, and two with each adapter', () => {
    const keys = evaluate(
      'plan.mjs',
      `const chosen = ['hawser', 'socket.io', 'socket.io-sharded']
       return subject.ROWS.map((row) => subject.runsOf(row, chosen).map(({ key }) => key))`,
    ) as string[][]
    expect(keys[0]).toEqual([
      ...['hawser, 1', 'socket.io, 1'],
      ...['hawser, 2', 'socket.io, 2', 'socket.io-sharded, 2'],
    ])
    expect(keys).toContainEqual(['hawser, 2 + 1', 'socket.io, 2 + 1', 'socket.io-sharded, 2 + 1'])
  })

  test('have groups with members at both nodes, each group as many, in the quick form too', () => {
    const loads = evaluate(
      'plan.mjs',
      'return subject.ROWS.flatMap(({ load }) => [load, subject.quickly(load)])',
    ) as Record<'members' | 'groups' | 'memberships' | 'inflight', number>[]
    for (const { members, groups, memberships, inflight } of loads) {
      const sizes = new Map<number, [number, number]>()
      for (let member = 0; member < members; member++) {
        for (let i = 0; i < memberships; i++) {
          const counts = sizes.get((member + i) % groups) ?? [0, 0]
          counts[member % 2 === 0 ? 0 : 1]++
          sizes.set((member + i) % groups, counts)
        }
      }
      const half = (members * memberships) / groups / 2
      expect([...sizes.values()].every((counts) => counts.join() === `${String(half)},${String(half)}`)).toBe(
        true,
      )
      // What load.c demands.
      expect(groups === 1 || groups % inflight === 0).toBe(true)
    }
  })
})

describe('the tables of brokers', () => {
  const one = (median: number, more: object = {}): object => ({
    median,
    spread: 0,
    values: [median],
    cpuMicros: 2,
    ...more,
  })
  const broker = {
    commandsPerMessage: 1,
    bytesInPerMessage: 200,
    bytesOutPerMessage: 410,
    brokerCpuMicros: 5,
  }
  const results = {
    ...{
      date: '2026-01-01',
      commit: '0123456789abcdef',
      changed: false,
      node: 'v20.1.0',
      cores: 2,
      cpu: 'Chip',
    },
    ...{ system: 'linux 6', rounds: 4, seconds: 1.5, versions: { redis: '6.0.0' } },
    quiet: { loadBefore: 0.1, othersBefore: 0, noisyRows: [] as string[], worstShare: 0.02 },
    rows: [
      {
        name: '1 group of 1,000, 32 B, 1 in flight',
        contenders: {
          'hawser, 1': one(200_000),
          'hawser, 2': one(300_000, broker),
          'socket.io, 2': { error: 'gone' },
        },
      },
      {
        name: 'latency, a member at each node',
        contenders: {
          'hawser, 2': one(1, {
            ...broker,
            localP50: 50,
            localP99: 90,
            remoteP50: 150,
            remoteP99: 300,
            addedP50: 99,
            addedP99: -1,
          }),
        },
      },
    ],
  }

  const show = (input: object): string =>
    evaluate('tables.mjs', 'return subject.brokerText(input)', input) as string

  test('have two processes beside one, what the broker does, latencies, and what failed', () => {
    const text = show(results)
    expect(text).toContain(
      '| 1 group of 1,000, 32 B, 1 in flight | Hawser | 200 k · 2.00 µs | 300 k · 2.00 µs | 1.50 |',
    )
    expect(text).toContain('| 1 group of 1,000, 32 B, 1 in flight | Socket.IO |  | failed |  |')
    expect(text).toContain('| 1 group of 1,000, 32 B, 1 in flight | Hawser | 1.00 | 200 | 410 | 5.00 |')
    expect(text).toContain('| Hawser | 50.0 | 90.0 | 150 | 300 | 99.0 | – |')
    expect(text).toContain(
      'the machine was quiet (load average 0.10 before, other processes at most 2 % of a core)',
    )
    expect(text).toContain(
      'Measured 2026-01-01 at commit 0123456789 on Node 20.1.0, 2 cores of Chip, linux 6; 4 rounds of 1.5 s;',
    )
  })

  test('say where the machine was not quiet, and where the tree had changes', () => {
    const quiet = { ...results.quiet, noisyRows: ['latency, a member at each node'], worstShare: 0.4 }
    const text = show({ ...results, quiet, changed: true })
    expect(text).toContain(
      '**the machine was not quiet** (load average 0.10 before): other processes took up to 40 % of a core, in 1 row',
    )
    expect(text).toContain('**The tree had changes that are in no commit.**')
  })
})
