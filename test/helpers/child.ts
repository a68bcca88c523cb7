/** Programs in processes of their own: what a thrown error, a leak or an open handle does shows only there. */
import { spawn, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type * as TypeScript from 'typescript'
import { Journal } from './journal.js'

const root = path.join(__dirname, '../..')

/** What became of a program. */
export interface Outcome {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  /** The text that the program printed. */
  readonly lines: readonly string[]
  readonly errors: string
}

/** A folder where the sources, as they are, can be imported as `./src/...`. */
export class Programs {
  private readonly folder = mkdtempSync(path.join(tmpdir(), 'hawser-programs-'))
  private readonly running = new Set<ChildProcess>()
  private count = 0

  /** @param others modules of the test helpers that the programs import as `./helpers/NAME.js` */
  constructor(others: readonly string[] = []) {
    writeFileSync(path.join(this.folder, 'package.json'), '{ "type": "module" }')
    for (const name of readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })) {
      if (name.endsWith('.ts')) this.transpile(path.join('src', name), name)
    }
    for (const name of others)
      this.transpile(`test/helpers/${name}.ts`, path.join('../helpers', `${name}.ts`))
  }

  /**
   * Runs a program.
   * @param code of a module; imports the engine from './src/index.js'
   */
  run(code: string, flags: readonly string[] = []): Program {
    const file = path.join(this.folder, `program-${String(this.count++)}.mjs`)
    writeFileSync(file, code)
    const child = spawn(process.execPath, [...flags, file], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.running.add(child)
    child.once('close', () => this.running.delete(child))
    return new Program(child)
  }

  /** Ends what still runs, and takes the folder away. */
  remove(): void {
    for (const child of this.running) child.kill('SIGKILL')
    rmSync(this.folder, { recursive: true, force: true })
  }

  private transpile(source: string, name: string): void {
    const target = path.join(this.folder, 'src', name.replace(/\.ts$/, '.js'))
    mkdirSync(path.dirname(target), { recursive: true })
    writeFileSync(target, transpiled(readFileSync(path.join(root, source), 'utf8')))
  }
}

/** Transpiled files by their source text, because many tests want all sources. */
const KEPT = path.join(root, 'node_modules/.cache/hawser-programs')

// The compiler takes a second to load: it is loaded where something is to be compiled.
const load = createRequire(__filename)
const { version } = load('typescript/package.json') as { version: string }

/** Changes with {@link compile}. */
const FORM = 'ESNext, ES2022, verbatim'

function compile(source: string): string {
  const { ModuleKind, ScriptTarget, transpileModule } = load('typescript') as typeof TypeScript
  const compilerOptions = {
    module: ModuleKind.ESNext,
    target: ScriptTarget.ES2022,
    verbatimModuleSyntax: true,
  }
  return transpileModule(source, { compilerOptions }).outputText
}

/** @returns the JavaScript of a module in TypeScript */
function transpiled(source: string): string {
  const key = [version, FORM, source].join('\0')
  const file = path.join(KEPT, `${createHash('sha256').update(key).digest('hex')}.js`)
  try {
    return readFileSync(file, 'utf8')
  } catch {
    const outputText = compile(source)
    mkdirSync(KEPT, { recursive: true })
    // Whole or not at all: other workers look for it too.
    const unfinished = `${file}.${String(process.pid)}`
    writeFileSync(unfinished, outputText)
    renameSync(unfinished, file)
    return outputText
  }
}

/** A program that runs. */
export class Program {
  readonly ended: Promise<Outcome>
  private readonly child: ChildProcess
  private readonly journal = new Journal()

  constructor(child: ChildProcess) {
    this.child = child
    let rest = ''
    let errors = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) this.journal.add(line)
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text))
    this.ended = new Promise((resolve) => {
      child.once('close', (status, signal) => resolve({ status, signal, errors, lines: this.journal.lines }))
    })
  }

  /** Waits until it printed `NAME VALUE`. @returns the value; a throw with what it wrote to stderr, if it ended before */
  async value(name: string): Promise<string> {
    const wanted = new RegExp(`^${name} (.*)$`)
    const outcome = await Promise.race([this.journal.until(wanted), this.ended])
    if ('errors' in outcome) throw new Error(`it ended: ${JSON.stringify(outcome)}`)
    return wanted.exec(outcome.find((line) => wanted.test(line)) ?? '')?.[1] ?? ''
  }

  /** Ends it as it is, without a chance to do anything. */
  kill(): void {
    this.child.kill('SIGKILL')
  }

  /** Says something to its standard input. */
  tell(line: string): void {
    this.child.stdin?.write(`${line}\n`)
  }
}
