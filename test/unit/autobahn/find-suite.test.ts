// slow: starts a process for each call
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { evaluate } from './evaluate.js'

const SHIM = "echo 'pyenv: python2.7: command not found' >&2; exit 127"
const FIND_PYTHON2 = 'return subject.findPython2(process.env)'

let home: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'hawser-test-'))
})

afterEach(() => {
  rmSync(home, { recursive: true })
})

/** Writes an executable that a shell runs. */
function write(path: string, script: string): string {
  const full = join(home, path)
  mkdirSync(dirname(full), { recursive: true })
  writeFileSync(full, `#!/bin/sh\n${script}\n`)
  chmodSync(full, 0o755)
  return full
}

/** What runs, finds only what the test has written: nothing else is on the path, and the home is its own. */
function environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { PATH: join(home, 'bin'), HOME: home, PYENV_ROOT: '', HAWSER_PYTHON2: '', ...more }
}

describe('the search for a Python 2.7', () => {
  test('finds none when there is none', () => {
    expect(evaluate('find-python.mjs', FIND_PYTHON2, null, environment())).toBeNull()
  })

  test('skips a program on the path that does not run or is another version', () => {
    write('bin/python2.7', SHIM)
    write('bin/python2', 'printf 3.11.7')
    expect(evaluate('find-python.mjs', FIND_PYTHON2, null, environment())).toBeNull()
    write('bin/python2', 'printf 2.7.18')
    expect(evaluate('find-python.mjs', FIND_PYTHON2, null, environment())).toBe('python2')
  })

  test('finds versions that pyenv has installed behind its shim', () => {
    write('bin/python2.7', SHIM)
    write('.pyenv/versions/3.12.1/bin/python2.7', 'printf 2.7.18')
    const python = write('.pyenv/versions/2.7.18/bin/python2.7', 'printf 2.7.18')
    expect(evaluate('find-python.mjs', FIND_PYTHON2, null, environment())).toBe(python)
  })

  test('looks into the root that pyenv names', () => {
    write('bin/pyenv', `echo ${home}/elsewhere`)
    const python = write('elsewhere/versions/2.7.18/bin/python2.7', 'printf 2.7.18')
    expect(evaluate('find-python.mjs', FIND_PYTHON2, null, environment())).toBe(python)
  })

  test('prefers HAWSER_PYTHON2, and refuses it when it is not a 2.7', () => {
    write('bin/python2.7', 'printf 2.7.18')
    const own = write('own', 'printf 2.7.17')
    const wrong = write('wrong', 'printf 3.11.7')
    const find = (HAWSER_PYTHON2: string): unknown =>
      evaluate('find-python.mjs', FIND_PYTHON2, null, environment({ HAWSER_PYTHON2 }))
    expect(find(own)).toBe(own)
    expect(find(wrong)).toEqual({
      threw: `HAWSER_PYTHON2=${wrong} must be a Python 2.7: it is Python 3.11.7`,
      exitCode: 2,
    })
    expect(find('/nowhere')).toEqual({
      threw: 'HAWSER_PYTHON2=/nowhere must be a Python 2.7: it does not run',
      exitCode: 2,
    })
  })
})

describe('the suite', () => {
  const FIND_SUITE = `
    const suite = await subject.findSuite({ env: process.env, venvDir: input, log() {} })
    return { version: suite.version, outdir: suite.outdir('/run'), ...suite.command('fuzzingserver', '/run') }`

  test('prints one line that says what to install without Docker and Python', () => {
    write('bin/docker', 'echo Cannot connect >&2; exit 1')
    const { threw, exitCode } = evaluate('find-suite.mjs', FIND_SUITE, home, environment()) as Record<
      string,
      string
    >
    expect(threw).toMatch(
      /^the Autobahn suite needs a Docker engine or a Python 2\.7: .*HAWSER_PYTHON2 to its path$/,
    )
    expect(exitCode).toBe(2)
  })

  test('uses an environment that holds the suite as it is', () => {
    write('bin/python', 'echo Autobahn 0.10.9; echo AutobahnTestSuite 25.10.1')
    expect(evaluate('find-suite.mjs', FIND_SUITE, home, environment())).toEqual({
      version: 'autobahntestsuite 25.10.1',
      outdir: '/run',
      command: join(home, 'bin/python'),
      args: [join(home, 'bin/wstest'), '-m', 'fuzzingserver', '-s', '/run/spec.json', '-u', '0'],
    })
  })

  test('does not use an environment that is broken or of another version', () => {
    write('bin/python', 'echo AutobahnTestSuite 0.8.2')
    expect(evaluate('find-suite.mjs', FIND_SUITE, home, environment())).toHaveProperty('exitCode', 2)
    write('bin/python', 'exit 1')
    expect(evaluate('find-suite.mjs', FIND_SUITE, home, environment())).toHaveProperty('exitCode', 2)
  })

  test('prefers a Docker engine that answers, with the folder of the run in the container', () => {
    write('bin/docker', 'echo 28.0.1')
    const found = evaluate('find-suite.mjs', FIND_SUITE, home, environment()) as { args: string[] }
    expect(found).toMatchObject({
      version: 'crossbario/autobahn-testsuite:0.8.2',
      outdir: '/autobahn',
      command: 'docker',
    })
    expect(found.args.join(' ')).toMatch(
      / -v \/run:\/autobahn crossbario\/autobahn-testsuite:0\.8\.2 wstest -m fuzzingserver -s \/autobahn\/spec\.json -u 0$/,
    )
  })
})
