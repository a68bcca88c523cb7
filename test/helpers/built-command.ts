/** The `hawser` command, built from the sources as they are, as processes of its own. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

const root = path.join(__dirname, '../..')
/** A build takes some seconds, on a busy machine much longer. */
export const BUILD_TIMEOUT_MS = 180_000

/** What became of a process. */
export interface Outcome {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

/** A process of the command, and what it has written so far. */
export class CommandProcess {
  readonly child: ChildProcess
  output = ''
  errors = ''
  readonly ended: Promise<Outcome>

  constructor(child: ChildProcess) {
    this.child = child
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.output += text))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.errors += text))
    // It may end before it has read what is written to it.
    child.stdin?.on('error', () => undefined)
    this.ended = once(child, 'close').then(([code]) => ({
      code: code as number | null,
      output: this.output,
      errors: this.errors,
    }))
  }

  /** Writes to the input, which stays open. */
  type(text: string | Buffer): void {
    this.child.stdin?.write(text)
  }

  /** Waits for something in the output or among the errors. */
  async shows(wanted: RegExp): Promise<void> {
    let hasEnded = false
    void this.ended.then(() => (hasEnded = true))
    while (!wanted.test(this.output) && !wanted.test(this.errors)) {
      if (hasEnded) throw new Error(`it ended:\n${this.output}\n${this.errors}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
}

/** A build of the command in a folder of its own. */
export class BuiltCommand {
  /** The file that Node runs. */
  readonly file: string
  private readonly folder: string
  private readonly running = new Set<ChildProcess>()

  private constructor(folder: string) {
    this.folder = folder
    this.file = path.join(folder, 'dist/demo/main.js')
  }

  static async build(): Promise<BuiltCommand> {
    const folder = await mkdtemp(path.join(tmpdir(), 'hawser-command-'))
    // It imports hawser by its name, which Node looks for in the package.json above it.
    await copyFile(path.join(root, 'package.json'), path.join(folder, 'package.json'))
    const script = path.join(root, 'scripts/build.mjs')
    const built = new BuiltCommand(folder)
    const build = built.spawn([script, '--out', path.join(folder, 'dist'), '--code-only'])
    build.child.stdin?.end()
    const { code, output, errors } = await build.ended
    if (code !== 0) throw new Error(`the build failed:\n${output}${errors}`)
    return built
  }

  /** Starts the command; its input stays open. */
  start(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): CommandProcess {
    return this.spawn([this.file, ...argv], env)
  }

  /** Runs the command to its end. @param input all of its input */
  run(argv: readonly string[], input: string | Buffer = ''): Promise<Outcome> {
    const process = this.start(argv)
    process.child.stdin?.end(input)
    return process.ended
  }

  /** Ends what still runs, and takes the folder away. */
  async remove(): Promise<void> {
    for (const child of this.running) child.kill('SIGKILL')
    await rm(this.folder, { recursive: true, force: true })
  }

  private spawn(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): CommandProcess {
    const child = spawn(process.execPath, argv, { cwd: root, env, stdio: ['pipe', 'pipe', 'pipe'] })
    this.running.add(child)
    child.once('exit', () => this.running.delete(child))
    return new CommandProcess(child)
  }
}
