// slow: compiles and runs the tutorial, and starts a browser
/**
 * The tutorial works as it stands. A block after `<!-- file: name -->` is that file, and a later one replaces it; the text after
 * `<!-- try: ... -->` is what a client prints. The packed package is tried with the same files by `npm run package:check`.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { findChromium, launchChromium } from '../helpers/chromium.js'
import { findTypeErrors, freePort, installHawser, Program, root, transpile } from '../helpers/doc-programs.js'

const text = readFileSync(path.join(root, 'docs/getting-started.md'), 'utf8')
const files = [...text.matchAll(/^<!-- file: (\S+) -->\n\n```\w+\n([\s\S]*?)^```$/gm)].map(
  ([, name = '', code = '']) => ({ name, code }),
)
const tries = new Map(
  [...text.matchAll(/^<!-- try: (.*) -->\n\n```text\n([\s\S]*?)^```$/gm)].map(
    ([, title = '', output = '']) => [title, output.trimEnd().split('\n')],
  ),
)

let directory = ''
let port = ''
let built: 'first' | 'last' = 'first'
const running: Program[] = []

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'hawser-started-'))
  for (const name of ['first/src', 'first/dist', 'last/src', 'last/dist']) {
    mkdirSync(path.join(directory, name), { recursive: true })
  }
  writeFileSync(path.join(directory, 'package.json'), '{ "type": "module" }\n')
  installHawser(directory, [])
  port = String(await freePort())
})

afterEach(() => {
  for (const program of running.splice(0)) program.end('SIGKILL')
})

afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** Writes the files as the first or the last blocks of their names have them, and compiles them, for `start`. */
function build(pick: 'first' | 'last', names: readonly string[]): string[] {
  built = pick
  const sources: string[] = []
  for (const name of names) {
    const versions = files.filter((file) => file.name === name)
    const code = (pick === 'first' ? versions[0] : versions.at(-1))?.code ?? ''
    const file = path.join(directory, pick, name)
    writeFileSync(file, code.replaceAll('8080', port))
    if (!name.endsWith('.ts')) continue
    sources.push(file)
    const output = path.join(directory, pick, 'dist', path.basename(name, '.ts'))
    writeFileSync(`${output}.js`, transpile(code.replaceAll('8080', port)))
  }
  return sources
}

function start(name: string, ...args: string[]): Program {
  const cwd = path.join(directory, built)
  const program = new Program(path.join(cwd, 'dist', name), { args, cwd })
  running.push(program)
  return program
}

async function startServer(line: string): Promise<Program> {
  const server = start('server.js')
  await server.printed(line)
  return server
}

const FIRST_BUILD = ['src/server.ts', 'src/client.ts']
const SECOND_BUILD = ['src/sessions.ts', 'src/server.ts', 'src/client.ts', 'index.html']

describe('docs/getting-started.md', () => {
  it('has blocks whose types are right, before and after the login is added; docs/guides/typescript.md likewise', () => {
    expect(files.map(({ name }) => name)).toEqual([
      'tsconfig.json',
      'src/server.ts',
      'src/client.ts',
      ...SECOND_BUILD,
    ])
    const sources = [...build('first', FIRST_BUILD), ...build('last', SECOND_BUILD)]
    const guide = readFileSync(path.join(root, 'docs/guides/typescript.md'), 'utf8')
    const programs = [...guide.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code = ''], index) => {
      const file = path.join(directory, `typescript-${String(index)}.ts`)
      writeFileSync(file, code)
      return file
    })
    expect(programs.length).toBeGreaterThan(1)
    expect(findTypeErrors([...sources, ...programs], directory)).toEqual([])
  }, 60_000)

  it('prints in one client what is typed in the other one', async () => {
    build('first', FIRST_BUILD)
    await startServer(`listening on port ${port}`)
    const [typing, listening] = [start('client.js'), start('client.js')]
    await Promise.all([typing, listening].map((client) => client.printed('welcome to lobby')))
    const [line = ''] = tries.get('two clients, the first one types') ?? []
    typing.type(line)
    await listening.printed(line)
    typing.endInput()
    listening.endInput()
    expect(await typing.ended).toEqual({ status: 0, errors: '', lines: ['welcome to lobby'] })
    expect(await listening.ended).toEqual({ status: 0, errors: '', lines: ['welcome to lobby', line] })
  })

  it('refuses a wrong password, tells who comes, speaks and leaves, and stops by Ctrl+C', async () => {
    build('last', SECOND_BUILD)
    const server = await startServer(`open http://localhost:${port}`)
    const refused = await start('client.js', 'ada', 'guessed').ended
    expect(refused).toEqual({ status: 0, errors: '', lines: tries.get('ada guessed') })
    const expected = tries.get('ada lovelace, alan turing says and leaves') ?? []
    const ada = start('client.js', 'ada', 'lovelace')
    await ada.printed('ada is here')
    const alan = start('client.js', 'alan', 'turing')
    await ada.printed('alan is here')
    alan.type('hello there')
    await ada.printed('alan: hello there')
    alan.endInput()
    await ada.printed('alan has left')
    server.end('SIGINT')
    expect(await ada.ended).toEqual({ status: 0, errors: '', lines: expected })
    expect((await server.ended).errors).toBe('')
  })
})

const executablePath = findChromium()
const isSkipped = executablePath === null && process.env['CI'] !== 'true'
// eslint-disable-next-line no-restricted-properties -- reported as skipped where there is no browser; CI has one
const inBrowser = isSkipped ? describe.skip : describe

inBrowser('the page of docs/getting-started.md in Chromium', () => {
  it('says what is wrong with a login, and talks to the room after a right one', async () => {
    build('last', SECOND_BUILD)
    await startServer(`open http://localhost:${port}`)
    if (executablePath === null) throw new Error('no Chromium here')
    const browser = await launchChromium(executablePath)
    try {
      const page = await browser.newPage()
      page.setDefaultTimeout(15_000)
      await page.goto(`http://localhost:${port}/`)
      const logHas = (line: string): Promise<void> => page.locator('#log').filter({ hasText: line }).waitFor()
      await page.locator('input[name=user]').fill('alan')
      await page.locator('input[name=password]').fill('guessed')
      await page.locator('#login button').click()
      await logHas('wrong name or password')
      await page.locator('input[name=password]').fill('turing')
      await page.locator('#login button').click()
      await logHas('alan is here')
      await page.locator('input[name=text]').fill('hello from the page')
      await page.locator('#say button').click()
      await logHas('alan: hello from the page')
      expect(await page.locator('#login button').count()).toBe(1)
      expect(await page.evaluate('document.cookie')).toBe('')
    } finally {
      await browser.close()
    }
  }, 60_000)
})
