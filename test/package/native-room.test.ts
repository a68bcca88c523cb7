/** The lint rule that keeps what Node does not document in src/native bites: each form of use is tried once. */
import { spawn } from 'node:child_process'
import path from 'node:path'

const root = path.join(__dirname, '../..')

interface Complaint {
  readonly line: number
  readonly ruleId: string | null
  readonly message: string
}

/** Lints a text in place of a file of src. */
function lintAs(file: string, text: string): Promise<readonly Complaint[]> {
  const eslint = path.join(root, 'node_modules/eslint/bin/eslint.js')
  const args = [eslint, '--stdin', '--stdin-filename', path.join(root, file), '--format', 'json']
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

const MESSAGE = 'What Node does not document is used in src/native alone'

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

const complaintsOf = async (file: string): Promise<readonly number[]> => {
  const lines = [...GOOD, ...HEAD, ...BAD]
  const complaints = await lintAs(file, `${lines.join('\n')}\n`)
  const found = complaints.filter(
    ({ message, ruleId }) => ruleId === 'no-restricted-syntax' && message === MESSAGE,
  )
  return [...new Set(found.map(({ line }) => line - GOOD.length - HEAD.length - 1))]
}

describe('what Node does not document', () => {
  it.each(['src/server/websocket-server.ts', 'src/frame/header.ts', 'src/cli/main.ts'])(
    'is refused by the linter in each of its forms in %s, and nothing else is',
    async (file) => {
      expect(await complaintsOf(file)).toEqual(BAD.map((_, at) => at))
    },
    60_000,
  )

  it('may be used in src/native', async () => {
    expect(await complaintsOf('src/native/socket-handle.ts')).toEqual([])
  }, 60_000)
})
