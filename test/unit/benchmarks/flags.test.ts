import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { evaluate } from './evaluate.js'

const BENCHMARKS = join(__dirname, '../../../benchmarks')

function readAll(...lines: readonly (readonly string[])[]): unknown {
  return evaluate(
    'flags.mjs',
    `return input.map((args) => {
      try { return subject.readFlags(args) } catch (error) { return error.message }
    })`,
    lines,
  )
}

describe('the flags of npm run bench', () => {
  test('mean the main contenders, both Nodes, three rounds of 2 s and every row by default', () => {
    expect(readAll([])).toEqual([
      {
        only: [],
        contenders: ['hawser', 'hawser-return', 'ws', 'net', 'handle', 'bun'],
        nodes: ['this', 'newest'],
        rounds: 3,
        seconds: 2,
        quick: false,
        check: false,
        charts: true,
        autobahn: false,
        list: false,
        help: false,
      },
    ])
  })

  test('make one short round with --quick, unless another flag says otherwise', () => {
    expect(readAll(['--quick'], ['--quick', '--rounds', '2', '--seconds=0.2'])).toMatchObject([
      { rounds: 1, seconds: 0.5 },
      { rounds: 2, seconds: 0.2 },
    ])
  })

  test('take names of rows with commas, but not with the comma and space that names contain', () => {
    expect(readAll(['--only', 'echo, 32 B,handshakes', '--only', 'idle'])).toMatchObject([
      { only: ['echo, 32 B', 'handshakes', 'idle'] },
    ])
  })

  test('always have Hawser among the contenders', () => {
    expect(readAll(['--contenders', 'deno,ws'], ['--contenders', 'all'])).toMatchObject([
      { contenders: ['hawser', 'ws', 'deno'] },
      {
        contenders: [
          'hawser',
          'hawser-return',
          'hawser-ws',
          'ws',
          'ws-plain',
          'websocket',
          'faye-websocket',
          'net',
          'handle',
          'bun',
          'deno',
          'undici',
          'node',
        ],
      },
    ])
  })

  test('choose the Nodes that are measured', () => {
    expect(readAll(['--node', 'newest'], ['--node=this'], ['--node', 'both'])).toMatchObject([
      { nodes: ['newest'] },
      { nodes: ['this'] },
      { nodes: ['this', 'newest'] },
    ])
  })

  test('are refused with the flag, the value and the legal values', () => {
    expect(
      readAll(
        ['--rounds', '0'],
        ['--rounds', '1.5'],
        ['--rounds', ''],
        ['--seconds', 'long'],
        ['--seconds', '601'],
        ['--soak', '1'],
        ['--contenders', 'ws,socket.io'],
        ['--node', 'v26'],
      ),
    ).toEqual([
      '--rounds must be an integer from 1 to 1000, not "0"',
      '--rounds must be an integer from 1 to 1000, not "1.5"',
      '--rounds must be an integer from 1 to 1000, not ""',
      '--seconds must be a number from 0.1 to 600, not "long"',
      '--seconds must be a number from 0.1 to 600, not "601"',
      '--soak must be a number from 5 to 1000000, not "1"',
      expect.stringMatching(
        /^--contenders has no "socket.io"; there are hawser, hawser-return, hawser-ws, ws, .*, and all$/,
      ),
      '--node must be both, this or newest, not "v26"',
    ])
  })

  test.each([
    { args: ['--rouns', '3'], message: /^bench: Unknown option '--rouns'/ },
    { args: ['--only', 'coffee'], message: /^bench: --only "coffee" fits no row; --list shows them$/m },
    { args: ['--seconds', '-1'], message: /^bench: / },
  ])('$args ends with 2 before anything is installed, built or measured', ({ args, message }) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(BENCHMARKS, 'run.mjs'), ...args], {
      encoding: 'utf8',
    })
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(message)
  })

  test('are all named by the help and the page', () => {
    const { stdout } = spawnSync(process.execPath, [join(BENCHMARKS, 'run.mjs'), '--help'], {
      encoding: 'utf8',
    })
    const readme = readFileSync(join(BENCHMARKS, 'README.md'), 'utf8')
    const flags = [...stdout.matchAll(/^ {2}(--[a-z-]+)/gm)].map((match) => match[1]!)
    expect(flags.length).toBeGreaterThan(10)
    expect(flags.filter((flag) => !readme.includes(`\`${flag}`))).toEqual([])
  })
})
