// slow: starts a process for each call
import { call } from './evaluate.js'

const DEFAULTS = {
  roles: ['server', 'client'],
  contender: 'hawser',
  patterns: [],
  sample: false,
  stream: false,
  updateExpected: false,
  help: false,
}

function parse(...args: readonly string[]): unknown {
  return call('options.mjs', 'parseOptions', args)
}

describe('the flags of npm run autobahn', () => {
  test('mean both roles of Hawser and all cases by default', () => {
    expect(parse()).toEqual(DEFAULTS)
  })

  test('choose one role, another contender and a new expectation', () => {
    expect(parse('--role', 'client', '--contender=ws', '--update-expected')).toEqual({
      ...DEFAULTS,
      roles: ['client'],
      contender: 'ws',
      updateExpected: true,
    })
  })

  test('take cases with commas, several times, or both', () => {
    expect(parse('--cases', '1.*, 6.4.*', '--cases', '9.1.1')).toEqual({
      ...DEFAULTS,
      patterns: ['1.*', '6.4.*', '9.1.1'],
    })
  })

  test('may be --sample and --help', () => {
    expect(parse('--sample', '-h')).toEqual({ ...DEFAULTS, sample: true, help: true })
  })

  test('combine --stream with all cases, with some and with the sample', () => {
    expect(parse('--stream')).toEqual({ ...DEFAULTS, stream: true })
    expect(parse('--stream', '--sample')).toEqual({ ...DEFAULTS, stream: true, sample: true })
    expect(parse('--stream', '--cases', '1.*', '--role', 'server')).toEqual({
      ...DEFAULTS,
      stream: true,
      patterns: ['1.*'],
      roles: ['server'],
    })
  })

  test.each([
    [['--role', 'proxy'], '--role must be one of server, client, both, not "proxy"'],
    [['--contender', 'other'], '--contender must be one of hawser, ws, not "other"'],
    [['--cases', '6.4.x'], '--cases takes ids such as 6.4.1 or 12.*, not "6.4.x"'],
    [['--cases', ','], '--cases needs at least one case, such as 1.*'],
    [['--cases', '1.*', '--sample'], '--cases and --sample exclude each other'],
    [
      ['--sample', '--update-expected'],
      '--update-expected needs a run of all cases: leave --cases and --sample out',
    ],
    [['--stream', '--contender', 'ws'], '--stream is a way of Hawser: leave it out with --contender ws'],
    [
      ['--stream', '--update-expected'],
      '--update-expected is for runs by handle: what is expected is the same by stream',
    ],
    [['--fast'], "Unknown option '--fast'; --help lists the flags"],
    [['--role'], "Option '--role <value>' argument missing; --help lists the flags"],
    [['1.*'], "Unexpected argument '1.*'; --help lists the flags"],
  ])('are refused in one line: %j', (args, message) => {
    const { threw, exitCode } = parse(...args) as { threw: string; exitCode: number }
    expect(threw).toContain(message)
    expect(threw).not.toContain('\n')
    expect(exitCode).toBe(2)
  })
})
