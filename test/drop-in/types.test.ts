// slow: it runs the compiler over programs, with the types of ws and with ours
import path from 'node:path'
import ts from 'typescript'

const ROOT = path.join(__dirname, '../..')
const PROGRAMS = path.join(__dirname, 'type-programs')

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ['lib.es2023.d.ts'],
  types: ['node'],
  typeRoots: [path.join(ROOT, 'node_modules/@types')],
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
}

const NODE: ts.CompilerOptions = {
  ...OPTIONS,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
}

const BUNDLER: ts.CompilerOptions = {
  ...OPTIONS,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
}

/** The drop-in under the name of ws, by the file that its `exports` name for the kind of import. */
const withOurs = (options: ts.CompilerOptions, file: 'index.d.ts' | 'index.d.mts'): ts.CompilerOptions => ({
  ...options,
  paths: { ws: [path.join(ROOT, 'packages/ws', file)] },
})

/** What the compiler finds in some files, and in the types of the drop-in. */
function errorsOf(files: readonly string[], options: ts.CompilerOptions, host?: ts.CompilerHost): string[] {
  const program = ts.createProgram([...files], options, host)
  const checked = program
    .getSourceFiles()
    .filter(({ fileName }) => files.includes(fileName) || fileName.includes('packages/ws/'))
  // Not the types of Node: those are others', and most of the work.
  const found = checked.flatMap((file) => [
    ...program.getSyntacticDiagnostics(file),
    ...program.getSemanticDiagnostics(file),
  ])
  return [...program.getOptionsDiagnostics(), ...found].map(({ file, start = 0, messageText }) => {
    const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1
    return `${path.basename(file?.fileName ?? '')}:${line} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
}

const program = (name: string): string => path.join(PROGRAMS, name)

describe('The types of the drop-in', () => {
  it.each([
    ['of CommonJS', ['required.cts'], NODE, 'index.d.ts'],
    ['of ES modules', ['imported.mts', 'misused.mts'], NODE, 'index.d.mts'],
    ['that are bundled', ['imported.mts', 'misused.mts'], BUNDLER, 'index.d.mts'],
  ] as const)('compile programs %s as @types/ws does', (_what, files, options, types) => {
    const paths = files.map(program)
    expect(errorsOf(paths, options)).toEqual([])
    expect(errorsOf(paths, withOurs(options, types))).toEqual([])
  })

  it('have what @types/ws lacks', () => {
    const file = program('beyond.mts')
    const text = `
      import WebSocket, { extension, PerMessageDeflate, Receiver, Sender, subprotocol, WebSocketServer } from 'ws'
      import { connect } from 'node:net'
      const socket = new WebSocket('ws://localhost', { closeTimeout: 1 })
      const server = new WebSocketServer({ port: 0, closeTimeout: 1 })
      const client = new WebSocket(null, undefined, { isServer: false })
      client.setSocket(connect(1), Buffer.alloc(0), { maxPayload: 0, skipUTF8Validation: false })
      const list: Buffer[] = Sender.frame(Buffer.alloc(1), { fin: true, opcode: 2, readOnly: true })
      new Sender(connect(1), {}, (mask) => mask.fill(0)).sendFrame(list, (error) => error?.message)
      const codec = new PerMessageDeflate({ isServer: true, maxPayload: 1, threshold: 0 })
      const bits: number | true | undefined = codec.accept(extension.parse('a')['a'] ?? []).server_max_window_bits
      codec.compress('a', true, (error, data) => data?.byteLength)
      new Receiver({ extensions: { [PerMessageDeflate.extensionName]: codec } }).write(Buffer.alloc(1))
      const texts: string[] = [extension.format({ a: [{ b: true }] }), ...subprotocol.parse('a, b')]
      const named: WebSocket.Receiver = new WebSocket.Receiver()
      const same: typeof Sender = WebSocket.Sender
      export default [socket, server, bits, texts, named, same]
    `
    const options = withOurs(NODE, 'index.d.mts')
    const host = ts.createCompilerHost(options)
    const { readFile, fileExists, getSourceFile } = host
    host.fileExists = (name) => name === file || fileExists(name)
    host.readFile = (name) => (name === file ? text : readFile(name))
    host.getSourceFile = (name, languageVersion) =>
      name === file ? ts.createSourceFile(name, text, languageVersion) : getSourceFile(name, languageVersion)
    expect(errorsOf([file], options, host)).toEqual([])
  })

  it('are exported for both kinds of import', async () => {
    const { default: manifest } = (await import('../../packages/ws/package.json')) as {
      default: { exports: { '.': Record<string, { types?: string }> }; types: string }
    }
    const { import: imported, require: required } = manifest.exports['.']
    expect([imported?.types, required?.types, manifest.types]).toEqual([
      './index.d.mts',
      './index.d.ts',
      './index.d.ts',
    ])
  })
})
