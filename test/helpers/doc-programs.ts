/** Programs of the docs: run in a Node of their own, in a directory where the package is installed from the sources. */
import { spawn, type ChildProcess } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import {
  createProgram,
  flattenDiagnosticMessageText,
  getPreEmitDiagnostics,
  ModuleKind,
  ModuleResolutionKind,
  ScriptTarget,
  transpileModule,
} from 'typescript'

export const root = path.join(__dirname, '../..')
/** The port in the texts; a test puts a free one in its place. */
export const TEXT_PORT = '8080'

/** TypeScript to the JavaScript that Node runs. Types are checked elsewhere. */
export function transpile(code: string): string {
  const compilerOptions = {
    module: ModuleKind.ESNext,
    target: ScriptTarget.ES2022,
    verbatimModuleSyntax: true,
  }
  return transpileModule(code, { compilerOptions }).outputText
}

/**
 * Puts the package where Node finds it from `directory`, made of the sources as they are.
 * @param packages what the programs import beside it, as a user would
 * @param from where they are looked for first, in place of the root of the repository
 */
export function installHawser(directory: string, packages: readonly string[], from = root): void {
  const target = path.join(directory, 'node_modules/hawser')
  const source = path.join(root, 'src')
  for (const name of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue
    const file = path.join(target, 'dist/esm', name.replace(/\.ts$/, '.js'))
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, transpile(readFileSync(path.join(source, name), 'utf8')))
  }
  copyFileSync(path.join(root, 'package.json'), path.join(target, 'package.json'))
  for (const name of packages) {
    const link = path.join(directory, 'node_modules', name)
    mkdirSync(path.dirname(link), { recursive: true })
    const [found = name] = [from, root].map((at) => path.join(at, 'node_modules', name)).filter(existsSync)
    symlinkSync(found, link, 'junction')
  }
}

export interface Outcome {
  readonly status: number | null
  readonly lines: readonly string[]
  readonly errors: string
}

export interface ProgramOptions {
  readonly args?: readonly string[]
  /** The directory that it runs in. */
  readonly cwd?: string
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>
}

/** A running program. Its input is the text that `type` writes. */
export class Program {
  readonly ended: Promise<Outcome>
  private readonly child: ChildProcess
  private output = ''
  private errors = ''

  /** @param options see {@link ProgramOptions} */
  constructor(file: string, { args = [], cwd, env }: ProgramOptions = {}) {
    const child = spawn(process.execPath, [file, ...args], {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.child = child
    child.stdout.setEncoding('utf8').on('data', (text: string) => (this.output += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.errors += text))
    this.ended = new Promise((resolve) => {
      child.once('close', (status) => {
        resolve({ status, errors: this.errors, lines: this.output.split('\n').slice(0, -1) })
      })
    })
  }

  /** Waits until it printed a line, or ended. */
  printed(line: string): Promise<unknown> {
    const seen = new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.output.split('\n').slice(0, -1).includes(line)) resolve()
      }
      this.child.stdout?.on('data', look)
      look()
    })
    return Promise.race([seen, this.ended])
  }

  /** Types a line, as a user at the terminal does. */
  type(line: string): void {
    this.child.stdin?.write(`${line}\n`)
  }

  /** Types Ctrl+D. */
  endInput(): void {
    this.child.stdin?.end()
  }

  end(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.child.kill(signal)
  }
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

/**
 * Checks the types of files against the sources of the package.
 * @param files absolute paths, of a directory where the package is installed
 * @returns what the compiler says, a line each
 */
export function findTypeErrors(files: readonly string[], directory: string): string[] {
  const program = createProgram({
    rootNames: files,
    options: {
      target: ScriptTarget.ES2022,
      lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
      module: ModuleKind.NodeNext,
      moduleResolution: ModuleResolutionKind.NodeNext,
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: ['node'],
      typeRoots: [path.join(root, 'node_modules/@types')],
      paths: {
        hawser: [path.join(root, 'src/index.ts')],
        'hawser/*': ['*/index.ts', 'adapters/*.ts', 'brokers/*.ts'].map((name) =>
          path.join(root, 'src', name),
        ),
      },
    },
  })
  return files
    .flatMap((file) => getPreEmitDiagnostics(program, program.getSourceFile(file)))
    .map(({ file, start = 0, messageText }) => {
      const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1
      const text = flattenDiagnosticMessageText(messageText, '\n')
      return `${path.relative(directory, file?.fileName ?? directory)}:${String(line)} ${text}`
    })
}
