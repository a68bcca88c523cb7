/**
 * WebSocket implementations in other languages, as processes: built once into a folder that git ignores, with the
 * libraries fetched by `mvn` and `go`, whose versions are pinned in `java/pom.xml` and `go/go.mod`.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'

const CACHE = path.join(__dirname, '.cache')
const FETCH_TIMEOUT_MS = 240_000

/** How the peers of one language are built and run. */
interface Toolchain {
  /** Programs that must be on the PATH. */
  readonly programs: readonly string[]
  /** Each is run in the folder of the sources; the last argument of the first ones is where the result belongs. */
  build(target: string): readonly (readonly string[])[]
  command(built: string): readonly string[]
}

const MAVEN = ['mvn', '-q', '-B', 'dependency:copy-dependencies']

const TOOLCHAINS: Readonly<Record<'java' | 'go', Toolchain>> = {
  java: {
    programs: ['java', 'javac', 'mvn'],
    build: (target) => [
      [...MAVEN, `-DoutputDirectory=${path.join(target, 'lib')}`],
      [
        'javac',
        '-sourcepath',
        '.',
        '-cp',
        path.join(target, 'lib', '*'),
        '-d',
        path.join(target, 'classes'),
        'Peer.java',
      ],
    ],
    command: (built) => [
      'java',
      // It starts fast, and lives for seconds.
      '-XX:TieredStopAtLevel=1',
      '-Xshare:auto',
      '-cp',
      [path.join(built, 'classes'), path.join(built, 'lib', '*')].join(path.delimiter),
      'Peer',
    ],
  },
  go: {
    programs: ['go'],
    build: (target) => [['go', 'build', '-o', path.join(target, 'peer'), '.']],
    command: (built) => [path.join(built, 'peer')],
  },
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(path.delimiter).some((folder) => {
    try {
      accessSync(path.join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** A name for what these sources give with these tools. */
function fingerprint(folder: string, toolchain: Toolchain): string {
  const hash = createHash('sha256')
  const [compiler = ''] = toolchain.programs
  hash.update(spawnSync(compiler, [compiler === 'go' ? 'version' : '-version']).output.join('\n'))
  for (const name of readdirSync(folder).sort())
    hash.update(name).update(readFileSync(path.join(folder, name)))
  return hash.digest('hex').slice(0, 16)
}

/**
 * Builds the peers of a language, unless that was done before.
 * @returns the command that runs them, or in words why they cannot be had here
 */
export function buildPeers(language: 'java' | 'go'): readonly string[] | string {
  const toolchain = TOOLCHAINS[language]
  const missing = toolchain.programs.filter((program) => !isOnPath(program))
  if (missing.length > 0) return `${missing.join(', ')} not found`
  const folder = path.join(__dirname, language)
  const built = path.join(CACHE, `${language}-${fingerprint(folder, toolchain)}`)
  if (existsSync(built)) return toolchain.command(built)
  const target = `${built}.${String(process.pid)}`
  mkdirSync(target, { recursive: true })
  try {
    for (const [program = '', ...args] of toolchain.build(target)) {
      const { status, output } = spawnSync(program, args, {
        cwd: folder,
        encoding: 'utf8',
        timeout: FETCH_TIMEOUT_MS,
      })
      if (status !== 0) return `${program} failed: ${output.join('\n').trim()}`
    }
    if (!existsSync(built)) renameSync(target, built)
    return toolchain.command(built)
  } finally {
    rmSync(target, { recursive: true, force: true })
  }
}

/** The peers of one language, running. */
export class Peers {
  /** Where each server listens. */
  readonly ports = new Map<string, number>()
  private readonly child: ChildProcess
  private readonly lines: AsyncIterator<string>

  /** @param command from {@link buildPeers} */
  constructor([program = '', ...args]: readonly string[]) {
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]()
  }

  /** Waits until the servers listen. */
  async ready(): Promise<void> {
    for (let line = await this.nextLine(); line !== 'ready'; line = await this.nextLine()) {
      const [, name = '', port] = line.split(' ')
      this.ports.set(name, Number(port))
    }
  }

  /**
   * Runs a client: 200 messages to an echo, one after another. One client at a time.
   * @returns `ok`, and the Sec-WebSocket-Extensions of the answer; or `failed:`, and why
   */
  async runClient(name: string, url: string): Promise<string> {
    this.child.stdin!.write(`${name} ${url}\n`)
    const line = await this.nextLine()
    return line.slice(`client ${name} `.length)
  }

  stop(): void {
    this.child.stdin!.end()
    this.child.kill()
  }

  private async nextLine(): Promise<string> {
    const { value, done } = await this.lines.next()
    if (done === true) throw new Error('the peers ended')
    return value
  }
}
