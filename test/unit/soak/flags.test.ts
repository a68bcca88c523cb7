import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { evaluate } from './evaluate.js'

const read = (...lines: readonly (readonly string[])[]): unknown[] =>
  evaluate(
    'flags.mjs',
    'return input.map((args) => { try { return subject.readFlags(args) } catch (error) { return error.message } })',
    lines,
  ) as unknown[]

describe('the flags of npm run soak', () => {
  test('mean everything by default, and less of it with --quick, which is not published', () => {
    const [whole, quick, part, fewer] = read(
      [],
      ['--quick'],
      ['--only', 'bombs', '--only', 'pings'],
      ['--connections', '20000'],
    ) as Record<string, unknown>[]
    expect(whole).toMatchObject({ isWhole: true, steady: 15_000, connections: 1_000_000, quick: false })
    expect(whole?.['names']).toEqual([
      ...[
        'handshakes',
        'pings',
        'tiny-frames',
        'slow-readers',
        'slow-writers',
        'bombs',
        'come-and-go',
        'leaks',
      ],
    ])
    expect(quick).toMatchObject({ isWhole: false, steady: 2_000, connections: 20_000, quick: true })
    expect(part).toMatchObject({ isWhole: false, names: ['pings', 'bombs'] })
    expect(fewer).toMatchObject({ isWhole: false, connections: 20_000 })
  })

  test('that are wrong are refused with what there is', () => {
    const [name, connections, seconds, unknown] = read(
      ['--only', 'horses'],
      ['--connections', '12.5'],
      ['--seconds', ''],
      ['--horses'],
    )
    expect(name).toMatch(/^--only has no "horses"; there are handshakes, .*, leaks$/)
    expect(connections).toBe('--connections must be an integer from 2000 to 100000000, not "12.5"')
    expect(seconds).toBe('--seconds must be a number from 1 to 3600, not ""')
    expect(unknown).toContain("Unknown option '--horses'")
  })

  test('end the program with 2 and one line where they are wrong', () => {
    const script = join(__dirname, '../../../soak/run.mjs')
    const { status, stderr } = spawnSync(process.execPath, [script, '--only', 'horses'], { encoding: 'utf8' })
    expect(status).toBe(2)
    expect(stderr).toMatch(/^soak: --only has no "horses"; there are .*\n$/)
  })
})

describe('the files that a process may open', () => {
  const check = (steady: number, hard: string): unknown =>
    evaluate(
      'load.mjs',
      `
        const limits = 'Limit  Soft Limit  Hard Limit  Units\\nMax open files            1024                 ' + input.hard + '                files \\n'
        subject.checkFiles(input.steady, [{ connections: 2000 }], limits)
        return 'enough'
      `,
      { steady, hard },
    )

  test('have to be enough for the server, or the run is refused before anything is opened', () => {
    expect(check(15_000, '20000')).toBe('enough')
    expect(check(15_000, '4096')).toMatchObject({
      threw: expect.stringMatching(
        /^15,000 connections .* need 17,400 open files .* its hard limit \(ulimit -Hn\) is 4,096: .*--steady$/,
      ) as unknown,
    })
  })
})
