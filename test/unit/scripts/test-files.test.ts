import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { evaluatorOf } from '../../helpers/evaluate.js'

const evaluate = evaluatorOf('scripts')
const root = path.join(__dirname, '../../..')

interface Marked {
  readonly file: string
  readonly reason: string
}

interface Tests {
  readonly quick: readonly string[]
  readonly slow: readonly Marked[]
  readonly long: readonly Marked[]
}

const listTests = (folder: string): Tests =>
  evaluate('test-files.mjs', 'return subject.listTests(input)', folder) as Tests

/** The files that `npm test` with some arguments would run. */
function filesOf(args: readonly string[] = [], native: 'on' | 'off' = 'on'): string[] {
  const output = execFileSync(process.execPath, ['scripts/test.mjs', '--listTests', ...args], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, HAWSER_NATIVE: native },
  })
  return output
    .split('\n')
    .filter((line) => line.endsWith('.test.ts'))
    .map((file) => path.relative(root, file).replaceAll(path.sep, '/'))
    .sort()
}

describe('a test file', () => {
  it('is slow or long when its first line gives a reason, and quick otherwise', () => {
    const tree = mkdtempSync(path.join(tmpdir(), 'hawser-tests-'))
    try {
      mkdirSync(path.join(tree, 'test/unit'), { recursive: true })
      writeFileSync(path.join(tree, 'test/unit/a.test.ts'), '// slow: a browser must start\n// more\n')
      writeFileSync(path.join(tree, 'test/unit/b.test.ts'), '/** b */\n// slow: not in the first line\n')
      writeFileSync(path.join(tree, 'test/c.test.ts'), '')
      writeFileSync(path.join(tree, 'test/d.test.ts'), '// long: each byte of each conversation\n')
      writeFileSync(path.join(tree, 'test/unit/helper.ts'), '// slow: no test\n')
      expect(listTests(tree)).toEqual({
        quick: ['test/c.test.ts', 'test/unit/b.test.ts'],
        slow: [{ file: 'test/unit/a.test.ts', reason: 'a browser must start' }],
        long: [{ file: 'test/d.test.ts', reason: 'each byte of each conversation' }],
      })
    } finally {
      rmSync(tree, { recursive: true, force: true })
    }
  })

  it('is understood when it calls itself slow or long', () => {
    const { slow, long } = listTests(root)
    const marked = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter(
      (name) =>
        name.endsWith('.test.ts') &&
        /^\/\/ *(slow|long)\b/im.test(readFileSync(path.join(root, 'test', name), 'utf8').slice(0, 500)),
    )
    expect(marked).toHaveLength(slow.length + long.length)
  })
})

describe('npm test', () => {
  const { quick, slow, long } = listTests(root)

  it('runs the quick tests', () => {
    expect(filesOf()).toEqual(quick)
  })

  it('runs the quick and the slow tests with --all, and the long ones with --long', () => {
    expect(filesOf(['--all'])).toEqual([...quick, ...slow.map(({ file }) => file)].sort())
    expect(filesOf(['--long'])).toEqual(long.map(({ file }) => file))
  })

  it('leaves out what is about the handles of sockets alone where src/native is off', () => {
    const left = filesOf(['--all'], 'off')
    expect(filesOf(['--all']).filter((file) => !left.includes(file))).toEqual([
      'test/integration/handle-transport.test.ts',
    ])
  })

  it.each(['slow', 'long'] as const)('runs a %s test that is named', (kind) => {
    const file = { slow, long }[kind][0]?.file ?? ''
    expect(filesOf([file])).toEqual([file])
  })

  it('has a quick test in every folder, so for every room', () => {
    // Of these, the last is where the packages of another Nest are.
    const folders = readdirSync(path.join(root, 'test'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !['helpers', 'stress', 'nest-12'].includes(entry.name))
      .map(({ name }) => `test/${name}/`)
    const rooms = readdirSync(path.join(root, 'test/unit'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `test/unit/${name}/`)
    for (const folder of [...folders, ...rooms])
      expect({ folder, hasQuick: quick.some((file) => file.startsWith(folder)) }).toEqual({
        folder,
        hasQuick: true,
      })
    expect(quick.length).toBeGreaterThan(2.5 * slow.length)
  })
})
