// slow: starts jest in processes of its own, with a protection and without it
/** Rows really run: the file reads as if the protection were gone, on disk it is as it was, and the command says what it found. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'

const root = path.join(__dirname, '../..')

interface Ended {
  readonly status: number | null
  readonly output: string
}

function run(args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [path.join(root, 'protections/run.mjs'), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (text: Buffer) => (output += text.toString()))
  child.stderr.on('data', (text: Buffer) => (output += text.toString()))
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, output })))
}

it('a row fails without its protection, and what is on disk does not change', async () => {
  const file = path.join(root, 'src/deflate/jobs.ts')
  const before = readFileSync(file, 'utf8')
  const { status, output } = await run(['--only', 'keeps its place until its work has ended'])
  expect(output).toMatch(/1[/]1 ok a cancelled compression .*: 1 of 1 fail by an assertion/)
  expect(output).toContain('each test fails without its protection')
  expect(status).toBe(0)
  expect(readFileSync(file, 'utf8')).toBe(before)
}, 60_000)

it('a row that has no protection runs nothing', async () => {
  const { status, output } = await run(['--only', 'docs/errors.md has whole sentences'])
  expect([status, output]).toEqual([
    0,
    '0 protections taken away, one after another; 1 rows have none\neach test fails without its protection\n',
  ])
})

it('the rows are listed, and nothing runs', async () => {
  const { status, output } = await run(['--list', '--only', 'SRC/FRAME/CLOSE-CODE'])
  expect(status).toBe(0)
  expect(output).toContain('Negotiation: the close codes 3000 to 4999 are accepted\n')
  expect(output).not.toContain('redirect')
})

it.each([
  [
    'a row that is not there',
    ['--only', 'no such row'],
    'no row has "no such row": --list says which there are\n',
  ],
  ['an option that is not there', ['--onyl', 'x'], "Unknown option '--onyl'"],
  ['a text without an option', ['frame'], 'Unexpected argument'],
  ['an option without its text', ['--only'], "Option '--only <value>' argument missing"],
])('is refused with 2: %s', async (_, args, message) => {
  const { status, output } = await run(args)
  expect(output).toContain(message)
  expect(output).not.toContain('    at ')
  expect(status).toBe(2)
})
