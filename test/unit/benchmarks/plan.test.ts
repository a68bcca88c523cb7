// slow: starts a process for each call
import { evaluate } from './evaluate.js'

type Run = Readonly<{ name: string; node: string }>
type Row = Readonly<{
  workload: Readonly<{ name: string; kind: string }>
  runs: readonly Run[]
  rounds: number
}>

const plan = (args: readonly string[], nodes: readonly string[]): { rows: Row[]; seconds: number } =>
  evaluate(
    'plan.mjs',
    `
      const { readFlags } = await import(new URL('./flags.mjs', input.lib))
      const { WORKLOADS } = await import(new URL('../workloads.mjs', input.lib))
      const flags = { ...readFlags(input.args), nodes: input.nodes }
      const rows = subject.makePlan(WORKLOADS.filter(({ kind }) => kind !== 'autobahn'), flags)
      const how = { seconds: flags.seconds, warmup: flags.quick ? 0.2 : 0.6, quick: flags.quick }
      return { rows, seconds: subject.secondsOf(rows, how) }
    `,
    { args, nodes, lib: new URL('../../../benchmarks/lib/', `file://${__filename}`).href },
  ) as { rows: Row[]; seconds: number }

const runsOf = (rows: readonly Row[], name: string): string[] =>
  (rows.find(({ workload }) => workload.name === name)?.runs ?? []).map((run) => `${run.name} ${run.node}`)

describe('the plan of a run', () => {
  const both = plan([], ['this', 'newest'])

  test('takes at most half an hour, and at most three minutes with --quick', () => {
    expect(both.seconds).toBeLessThan(30 * 60)
    expect(plan(['--quick'], ['this', 'newest']).seconds).toBeLessThan(3 * 60)
  })

  test('measures what runs in Node in both Nodes, and Bun once', () => {
    expect(runsOf(both.rows, 'echo, 32 B, 1 in flight')).toEqual([
      ...['hawser this', 'hawser-return this', 'ws this', 'bun this', 'net this', 'handle this'],
      ...['hawser newest', 'hawser-return newest', 'ws newest', 'net newest', 'handle newest'],
    ])
    expect(runsOf(both.rows, 'idle memory, TLS')).toEqual([
      ...['hawser this', 'ws this', 'bun this', 'net this', 'hawser newest', 'ws newest', 'net newest'],
    ])
  })

  test('measures everything that was asked for in one Node where there is one', () => {
    expect(runsOf(plan([], ['newest']).rows, 'handshakes')).toEqual([
      'hawser newest',
      'ws newest',
      'bun newest',
    ])
  })

  test('has the contender of each bound among its contenders, whatever was asked for', () => {
    const { rows } = plan(['--contenders', 'ws'], ['this'])
    expect(runsOf(rows, 'idle memory')).toEqual(['hawser this', 'ws this', 'net this'])
  })

  test('has one round where rounds give the same figure, and three elsewhere', () => {
    const rounds = new Map(both.rows.map(({ workload, rounds: count }) => [workload.kind, count]))
    expect(Object.fromEntries(rounds)).toEqual({
      ...{ micro: 1, instructions: 1, idle: 1 },
      ...{ echo: 3, fanout: 3, handshakes: 3, once: 3, client: 3, cores: 3 },
    })
  })

  test('with --quick runs every row, and the newest Node in one row of each kind', () => {
    const { rows } = plan(['--quick'], ['this', 'newest'])
    expect(rows).toHaveLength(both.rows.length)
    const newest = rows.flatMap(({ workload, runs }) =>
      runs.filter(({ node }) => node === 'newest').map(({ name }) => `${workload.kind} ${name}`),
    )
    expect(newest.sort()).toEqual(
      [
        ...['client', 'echo', 'fanout', 'handshakes', 'idle'].map((kind) => `${kind} hawser`),
        ...['cores hawser-1', 'cores hawser-2'],
      ].sort(),
    )
  })
})
