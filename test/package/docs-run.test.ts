// slow: builds the package, and runs every block of code in the documents
/**
 * The code in README.md and docs/ runs as it stands. A block after `<!-- run -->` is a program that ends by itself;
 * `<!-- run: server -->` and `<!-- run: client -->` are two that run side by side. What their comments say they print
 * (`// prints: ...`) is what they print. The examples run too.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ModuleKind, ScriptTarget, transpileModule } from 'typescript'

const root = path.join(__dirname, '../..')
const PAGES = [
  'README.md',
  ...readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map(
    (name) => `docs/${name.replaceAll(path.sep, '/')}`,
  ),
].filter((name) => name.endsWith('.md'))
/** The port in the texts; a free one stands in for it here. */
const TEXT_PORT = '8080'

interface Block {
  readonly page: string
  readonly line: number
  /** `''`, or the role in a pair. */
  readonly role: string
  readonly code: string
}

function findBlocks(page: string): Block[] {
  const text = readFileSync(path.join(root, page), 'utf8')
  const marked = /^<!-- run(?:: (\w+))? -->\n\n```js\n([\s\S]*?)^```$/gm
  return [...text.matchAll(marked)].map((match) => ({
    page,
    line: text.slice(0, match.index).split('\n').length,
    role: match[1] ?? '',
    code: match[2] ?? '',
  }))
}

/** What a block says that it prints. */
const expectedOutput = (code: string): string[] =>
  [...code.matchAll(/\/\/ prints: (.*)$/gm)].map((match) => match[1] ?? '')

/** Puts the package where Node finds it from `directory`, made of the sources as they are. Types are checked elsewhere. */
function installHawser(directory: string): void {
  const target = path.join(directory, 'node_modules/hawser')
  const source = path.join(root, 'src')
  for (const name of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts') || name.startsWith(`cli${path.sep}`)) continue
    const file = path.join(target, 'dist/esm', name.replace(/\.ts$/, '.js'))
    mkdirSync(path.dirname(file), { recursive: true })
    const { outputText } = transpileModule(readFileSync(path.join(source, name), 'utf8'), {
      compilerOptions: { module: ModuleKind.ESNext, target: ScriptTarget.ES2022, verbatimModuleSyntax: true },
    })
    writeFileSync(file, outputText)
  }
  copyFileSync(path.join(root, 'package.json'), path.join(target, 'package.json'))
  // What the examples take from others, as a user would.
  for (const name of ['ws', 'zod']) {
    symlinkSync(path.join(root, 'node_modules', name), path.join(directory, 'node_modules', name), 'junction')
  }
}

interface Outcome {
  readonly status: number | null
  readonly lines: readonly string[]
  readonly errors: string
}

/** A program that runs. */
class Program {
  readonly ended: Promise<Outcome>
  private readonly child: ChildProcess
  private output = ''
  private errors = ''

  constructor(file: string) {
    const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'pipe'] })
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
      this.child.stdout?.on('data', () => {
        if (this.output.split('\n').slice(0, -1).includes(line)) resolve()
      })
    })
    return Promise.race([seen, this.ended])
  }

  end(): void {
    this.child.kill()
  }
}

/** A port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

const blocks = PAGES.flatMap(findBlocks)
const programs = blocks.filter(({ role }) => role === '')
let directory = ''

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'hawser-readme-'))
  installHawser(directory)
})

afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

function write(name: string, code: string): string {
  const file = path.join(directory, name)
  writeFileSync(file, code)
  return file
}

describe('the code in the docs', () => {
  it('is there: a pair in README.md, a program for each subpath in docs/engine.md', () => {
    const rolesOf = (page: string): string[] =>
      blocks.filter((block) => block.page === page).map(({ role }) => role)
    expect(rolesOf('README.md')).toEqual(['server', 'client'])
    for (const subpath of ['frame', 'handshake', 'deflate', 'connection']) {
      const isThere = blocks.some(
        ({ page, code }) => page === 'docs/engine.md' && code.includes(`'hawser/${subpath}'`),
      )
      expect(isThere).toBe(true)
    }
  })

  it.each(programs.map((block) => [`${block.page}:${String(block.line)}`, block] as const))(
    '%s runs and prints what it says',
    async (place, { code }) => {
      const expected = expectedOutput(code)
      expect(expected.length).toBeGreaterThan(0)
      const program = new Program(write(`${place.replace(/\W/g, '-')}.mjs`, code))
      expect(await program.ended).toEqual({ status: 0, errors: '', lines: expected })
    },
  )

  it('README.md: ten lines of server and ten of client run side by side', async () => {
    const codeOf = (wanted: string): string => blocks.find(({ role }) => role === wanted)?.code ?? ''
    const linesOf = (code: string): number => code.split('\n').filter((line) => line.trim() !== '').length
    expect(linesOf(codeOf('server'))).toBeLessThanOrEqual(10)
    expect(linesOf(codeOf('client'))).toBeLessThanOrEqual(10)
    const port = String(await freePort())
    const [server, client] = ['server', 'client'].map((role) =>
      write(`${role}.mjs`, codeOf(role).replaceAll(TEXT_PORT, port)),
    ) as [string, string]

    const url = `ws://localhost:${port}/echo`
    const serving = new Program(server)
    try {
      const closed = serving.printed('closed 1000')
      await serving.printed(url)
      const expected = { status: 0, errors: '', lines: expectedOutput(codeOf('client')) }
      expect(await new Program(client).ended).toEqual(expected)
      await closed
    } finally {
      serving.end()
    }
    expect(await serving.ended).toMatchObject({ errors: '', lines: [url, 'open /echo', 'closed 1000'] })
  })
})

describe('the examples', () => {
  const names = readdirSync(path.join(root, 'examples')).filter((name) => name.endsWith('.mjs'))

  it.each(names)('%s runs to its end', async (name) => {
    const { status, errors, lines } = await new Program(
      write(name, readFileSync(path.join(root, 'examples', name), 'utf8')),
    ).ended
    expect({ status, errors }).toEqual({ status: 0, errors: '' })
    expect(lines.length).toBeGreaterThan(0)
  })
})
