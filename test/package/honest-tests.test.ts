// slow: starts the linter, with the types of the whole project
/** The lint rules against tests that pretend bite: each is broken once, in the text of a test that is not there. */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

const root = path.join(__dirname, '../..')

interface Complaint {
  readonly line: number
  readonly ruleId: string | null
}

/** Lints a text as if it were a test. */
function lint(text: string): Promise<readonly Complaint[]> {
  const eslint = path.join(root, 'node_modules/eslint/bin/eslint.js')
  // Types are those of the project: the text takes the place of a file that is part of it.
  const args = [eslint, '--stdin', '--stdin-filename', __filename, '--format', 'json']
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(text)
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  return new Promise((resolve) => {
    child.once('close', () => {
      const [report] = JSON.parse(output) as [{ messages: readonly Complaint[] }]
      resolve(report.messages)
    })
  })
}

/** Lines of a test, and the rule that each breaks. */
const BAD: readonly (readonly [rule: string, line: string])[] = [
  ['honesty/no-promises', '/** Being written. */'],
  ['honesty/no-promises', '// To be done: the other half.'],
  ['honesty/no-promises', '// The client is tested later.'],
  ['honesty/no-promises', '// not yet'],
  ['honesty/no-promises', '// Not implemented yet.'],
  ['honesty/no-promises', '// A placeholder for what follows.'],
  ['no-warning-comments', '// TODO: check the code'],
  ['honesty/plain-words', '// Whoever waits is woken.'],
  ['honesty/plain-words', "/** It is somebody's to answer. */"],
  ['honesty/plain-words', '// Someone closed it.'],
  ['honesty/plain-words', '/** @throws TypeError for what is no object */'],
  ['jest/expect-expect', "test('answers a ping', () => undefined)"],
  ['jest/expect-expect', "test('answers a pong', () => { value(1) })"],
  ['jest/valid-title', "test('placeholder', () => { expect(value(1)).toBe(1) })"],
  ['jest/valid-title', "test('', () => { expect(value(1)).toBe(1) })"],
  ['jest/valid-title', "it('works', () => { expect(value(1)).toBe(1) })"],
  ['jest/no-identical-title', "test('is one', () => { expect(value(1)).toBe(1) })"],
  ['jest/no-disabled-tests', "test.skip('is skipped', () => { expect(value(1)).toBe(1) })"],
  ['jest/no-disabled-tests', "xit('is skipped as well', () => { expect(value(1)).toBe(1) })"],
  [
    'jest/no-disabled-tests',
    "describe.skip('all are skipped', () => { test('a', () => { expect(value(1)).toBe(1) }) })",
  ],
  ['jest/no-focused-tests', "test.only('is alone', () => { expect(value(1)).toBe(1) })"],
  ['jest/no-commented-out-tests', "// test('was here', () => { expect(value(1)).toBe(1) })"],
  ['honesty/no-constant-expect', "test('is true', () => { expect(true).toBe(true) })"],
  ['honesty/no-constant-expect', "test('is nothing', () => { expect(undefined).toBeUndefined() })"],
  ['honesty/no-constant-expect', "test('is minus one', () => { expect(-1).toBe(-1) })"],
  ['jest/valid-expect', "test('asserts half', () => { expect(value(1)) })"],
  [
    'jest/valid-expect',
    "test('does not wait', () => { void expect(Promise.resolve(value(1))).resolves.toBe(1) })",
  ],
  ['jest/no-standalone-expect', "describe('a room', () => { expect(value(1)).toBe(1) })"],
  [
    'honesty/no-expect-in-catch',
    "test('may not throw', () => { try { value(1) } catch { expect(value(1)).toBe(1) } })",
  ],
]

const GOOD = [
  'const value = <T>(one: T): T => one',
  'const expectOne = (one: number): void => expect(one).toBe(1)',
  "test('is one', () => { expect(value(1)).toBe(1) })",
  "test('asserts by a helper whose name says so', () => { expectOne(value(1)) })",
  '// A connection that is no longer open has no socket; there is no way back.',
  '// The bytes to be written are written here, and those not yet taken are taken later, by the next call.',
]

describe('the rules against tests that pretend', () => {
  it('complain about each of them in its own line, and about nothing that is honest', async () => {
    const lines = [...GOOD, ...BAD.map(([, line]) => line)]
    const complaints = await lint(`${lines.join('\n')}\n`)
    const found = new Set(complaints.map(({ ruleId, line }) => `${String(ruleId)} ${lines[line - 1] ?? ''}`))
    expect(BAD.map(([rule, line]) => `${rule} ${line}`).filter((row) => !found.has(row))).toEqual([])
    expect(complaints.filter(({ line }) => line <= GOOD.length)).toEqual([])
  }, 240_000)
})

describe('the tests', () => {
  const files = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.test.ts'),
  )

  it('assert something in each file', () => {
    const silent = files.filter(
      (name) => !/\bexpect(\w*)\(|fc\.assert\(/.test(readFileSync(path.join(root, 'test', name), 'utf8')),
    )
    expect(files.length).toBeGreaterThan(100)
    expect(silent).toEqual([])
  })
})
