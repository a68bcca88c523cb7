import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { evaluatorOf } from '../../helpers/evaluate.js'

const root = path.join(__dirname, '../../..')
const evaluate = evaluatorOf('mutation/lib')

const read = (args: readonly string[], otherwise: readonly string[] = []): unknown =>
  evaluate('options.mjs', 'return subject.readOptions(input.root, input.args, input.otherwise)', {
    root,
    args,
    otherwise,
  })

describe('the options of npm run mutation', () => {
  test('are all mutants, in one process, without an end in time, by default', () => {
    expect(read(['src/frame'])).toEqual({
      targets: ['src/frame'],
      concurrency: 1,
      maxMutants: null,
      seconds: null,
      seed: 1,
      list: false,
      write: false,
      again: null,
      report: null,
    })
  })

  test('take folders and files, each once, and the numbers', () => {
    const args = ['src/frame/', './src/frame', 'src/frame/header.ts', '--concurrency', '2', '--seconds=30']
    expect(read([...args, '--max-mutants', '7', '--seed', '0', '--list'])).toMatchObject({
      targets: ['src/frame', 'src/frame/header.ts'],
      concurrency: 2,
      maxMutants: 7,
      seconds: 30,
      seed: 0,
      list: true,
    })
  })

  test('are for the folders that have a score where none is given', () => {
    expect(read([], ['src/frame', 'src/handshake'])).toMatchObject({
      targets: ['src/frame', 'src/handshake'],
    })
    expect(read([])).toMatchObject({ targets: [] })
  })

  test.each([
    [['test/unit'], 'a target is a folder or a file in src, not "test/unit"'],
    [['src'], 'a target is a folder or a file in src, not "src"'],
    [['..'], 'a target is a folder or a file in src, not ".."'],
    [['src/nothing'], 'there is no file or folder "src/nothing"'],
    [['src/frame', '--seconds'], /--seconds/],
    [
      ['src/frame', 'src/frame/header.ts', '--write'],
      '--write keeps the score of a folder, not of src/frame/header.ts',
    ],
    [
      ['src/frame', '--seconds', 'soon'],
      '--seconds is a whole number from 1 to 9007199254740991, not "soon"',
    ],
    [['src/frame', '--seconds='], '--seconds is a whole number from 1 to 9007199254740991, not ""'],
    [
      ['src/frame', '--max-mutants', '0'],
      '--max-mutants is a whole number from 1 to 9007199254740991, not "0"',
    ],
    [['src/frame', '--concurrency', '65'], '--concurrency is a whole number from 1 to 64, not "65"'],
    [['src/frame', '--concurrency', '1.5'], '--concurrency is a whole number from 1 to 64, not "1.5"'],
    [['src/frame', '--fast'], /--fast/],
    [
      ['src/frame', '--write', '--seconds', '9'],
      '--write keeps the score of a whole run: not with --max-mutants or --seconds',
    ],
  ] as const)('%j are refused', (args, message) => {
    const { threw } = read(args) as { threw: string }
    if (typeof message === 'string') expect(threw).toBe(message)
    else expect(threw).toMatch(message)
  })

  test('that are wrong end the command with 2 and one line, without a run', () => {
    const { status, stderr, stdout } = spawnSync(
      process.execPath,
      [path.join(root, 'mutation/run.mjs'), 'docs'],
      { encoding: 'utf8' },
    )
    expect({ status, stderr, stdout }).toEqual({
      status: 2,
      stderr: 'a target is a folder or a file in src, not "docs"\n',
      stdout: '',
    })
  })
})
