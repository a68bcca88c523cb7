// slow: starts the linter, with the types of the whole project
/** The lint rule that keeps what Node does not document in src/native bites: each form of use is tried once. */
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'

const root = path.join(__dirname, '../..')

const MESSAGE = 'What Node does not document is used in src/native alone'

/** Lints a text by the rule as the configuration sets it for each file: without the types of the project, which it needs not. */
const LINT = `
  import { ESLint, Linter } from 'eslint'
  import tseslint from 'typescript-eslint'
  const [files, text] = JSON.parse(process.argv[1])
  const found = {}
  for (const file of files) {
    const { rules } = await new ESLint().calculateConfigForFile(file)
    const config = {
      files: ['**/*.ts'],
      languageOptions: { parser: tseslint.parser },
      rules: { 'no-restricted-syntax': rules['no-restricted-syntax'] },
    }
    found[file] = new Linter().verify(text, config, 'one.ts')
  }
  console.log(JSON.stringify(found))`

interface Complaint {
  readonly line: number
  readonly message: string
}

const HEAD = ['declare const it: never', 'declare const bytes: never']
const BAD = [
  'export const a = (it as { _handle: unknown })',
  'export const b = it._handle',
  "export const c = it['_handle']",
  'export const { _writeState: d } = it',
  'export const e = it?._httpMessage',
  'export const f = bytes.latin1Slice(0, 1)',
  "export const g = bytes.utf8Write('a', 0)",
  'export const { utf8Slice: h } = bytes',
  "export const i = process.binding('tcp_wrap')",
  "export const j = internalBinding('tcp_wrap')",
  'export const k = Object.getOwnPropertySymbols(it)',
  'it.onread = null',
  'export interface L { readStart(): number }',
  'export interface M { onconnection: unknown }',
]
const GOOD = [
  "import { Duplex } from 'node:stream'",
  'export class N extends Duplex { override _read(): void { this.push(null) } }',
  'export const o = (_unused: number): number => 1',
  "export const p = Buffer.of(1).toString('latin1', 0, 1)",
]

const OUTSIDE = ['src/server/websocket-server.ts', 'src/frame/header.ts', 'demo/main.ts']
const INSIDE = ['src/native/socket-handle.ts', 'test/unit/native/zlib-handle.test.ts']

it('what Node does not document is refused by the linter in each of its forms, but for src/native and tests', async () => {
  const lines = [...GOOD, ...HEAD, ...BAD]
  const input = JSON.stringify([[...OUTSIDE, ...INSIDE], `${lines.join('\n')}\n`])
  const args = ['--input-type=module', '-e', LINT, input]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root })
  const found = JSON.parse(stdout) as Record<string, readonly Complaint[]>
  const linesOf = (file: string): readonly (string | undefined)[] => [
    ...new Set(
      (found[file] as readonly Complaint[]).map(({ line, message }) =>
        message === MESSAGE ? lines[line - 1] : message,
      ),
    ),
  ]
  for (const file of OUTSIDE) expect([file, linesOf(file)]).toEqual([file, BAD])
  for (const file of INSIDE) expect([file, linesOf(file)]).toEqual([file, []])
}, 120_000)
