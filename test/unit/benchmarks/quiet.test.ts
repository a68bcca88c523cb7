// slow: starts a process for each call
import { evaluate } from './evaluate.js'

const compare = (before: readonly unknown[], after: readonly unknown[], steal = 0): unknown =>
  evaluate(
    'quiet.mjs',
    `
      const look = (at, steal, list) => ({ at, steal, processes: new Map(list) })
      return subject.compare(look(0, 0, input.before), look(1000, input.steal, input.after))
    `,
    { before, after, steal },
  )

const one = (pid: string, name: string, ticks: number): readonly unknown[] => [pid, { name, ticks }]

describe('whether the machine is quiet', () => {
  test('is read of a process with any name, the children that ended among its ticks', () => {
    const fields = ['S', ...Array.from({ length: 10 }, () => '7'), '1', '2', '30', '40', '9'].join(' ')
    expect(evaluate('quiet.mjs', 'return subject.readStat(input)', `12 (a) b (c) ${fields}`)).toEqual({
      name: 'a) b (c',
      ticks: 73,
    })
  })

  test('is the time that others took, of one core, with the names of the busiest', () => {
    expect(
      compare([one('1', 'init', 5), one('2', 'jest', 100)], [one('1', 'init', 5), one('2', 'jest', 120)]),
    ).toEqual({
      share: 0.2,
      busiest: [{ name: 'jest', share: 0.2 }],
    })
  })

  test('counts a process that began, and one that ended at its parent, each once', () => {
    const before = [one('1', 'make', 0), one('2', 'cc', 40)]
    expect(compare(before, [one('1', 'make', 50), one('3', 'ld', 10)])).toMatchObject({ share: 0.2 })
  })

  test('does not count the work of the kernel on packets, and counts what the host took', () => {
    const kernel = [one('9', 'ksoftirqd/1', 0)]
    expect(compare(kernel, [one('9', 'ksoftirqd/1', 80)], 30)).toEqual({
      share: 0.3,
      busiest: [{ name: 'another guest of this host', share: 0.3 }],
    })
  })

  test('is measured around what runs, and a busy process beside it is seen', () => {
    const { quiet, busy } = evaluate(
      'quiet.mjs',
      `
        const { spawn } = await import('node:child_process')
        const sleep = () => new Promise((resolve) => setTimeout(resolve, 500))
        const own = () => new Promise((resolve) => {
          spawn(process.execPath, ['-e', 'for (const t = Date.now(); Date.now() - t < 400;);']).on('close', resolve)
        })
        // In a session of its own it is nobody's child that ended.
        const other = spawn(process.execPath, ['-e', 'for (;;);'])
        await sleep()
        const { othersShare: busy } = await subject.watch(sleep)
        other.kill('SIGKILL')
        await new Promise((resolve) => other.on('close', resolve))
        const { othersShare: quiet, result } = await subject.watch(async () => (await own(), 'done'))
        return { quiet: result === 'done' && quiet, busy }
      `,
    ) as { quiet: number; busy: number }
    // The other may have to share its core with the tests beside this one.
    expect(busy).toBeGreaterThan(0.1)
    expect(quiet).toBeGreaterThanOrEqual(0)
  })

  test('names the rows in which others took more than a twentieth of a core', () => {
    const row = (name: string, ...shares: readonly (number | undefined)[]): object => ({
      name,
      contenders: Object.fromEntries(shares.map((othersShare, index) => [String(index), { othersShare }])),
    })
    const rows = [row('a', 0.01, 0.05), row('b', 0.02, 0.3), row('c', undefined)]
    expect(evaluate('quiet.mjs', 'return [subject.quietness(input), subject.quietness([])]', rows)).toEqual([
      { noisyRows: ['b'], worstShare: 0.3 },
      null,
    ])
  })
})
