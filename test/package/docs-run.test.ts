// slow: builds the package, and runs every block of code in the documents
/**
 * The code in README.md and docs/ runs as it stands. A block after `<!-- run -->` is a program that ends by itself;
 * `<!-- run: server -->` and `<!-- run: client -->` are two that run side by side, `<!-- run: test -->` one of `node:test`. What their comments say they print
 * (`// prints: ...`) is what they print. The examples run too.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { freePort, installHawser, Program, root, TEXT_PORT, transpile } from '../helpers/doc-programs.js'

const PAGES = [
  'README.md',
  ...readdirSync(path.join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map(
    (name) => `docs/${name.replaceAll(path.sep, '/')}`,
  ),
].filter((name) => name.endsWith('.md'))

interface Block {
  readonly page: string
  readonly line: number
  /** `''`, or the role in a pair. */
  readonly role: string
  readonly code: string
}

function findBlocks(page: string): Block[] {
  const text = readFileSync(path.join(root, page), 'utf8')
  const marked = /^<!-- run(?:: (\w+))? -->\n\n```(js|ts)\n([\s\S]*?)^```$/gm
  return [...text.matchAll(marked)].map((match) => ({
    page,
    line: text.slice(0, match.index).split('\n').length,
    role: match[1] ?? '',
    code: match[2] === 'ts' ? transpile(match[3] ?? '') : (match[3] ?? ''),
  }))
}

/** What a block says that it prints. */
const expectedOutput = (code: string): string[] =>
  [...code.matchAll(/\/\/ prints: (.*)$/gm)].map((match) => match[1] ?? '')

const blocks = PAGES.flatMap(findBlocks)
const programs = blocks.filter(({ role }) => role === '')
let directory = ''

beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'hawser-readme-'))
  installHawser(directory, [
    ...['@hono/node-server', '@nestjs/common', '@nestjs/core', '@nestjs/websockets', 'express', 'fastify'],
    ...['@opentelemetry/api', '@opentelemetry/sdk-metrics', 'h3', 'hono', 'reflect-metadata', 'ws', 'zod'],
  ])
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

  const tests = blocks.filter(({ role }) => role === 'test')
  it.each(tests.map((block) => [`${block.page}:${String(block.line)}`, block] as const))(
    '%s passes each of its tests',
    async (place, { code }) => {
      const count = [...code.matchAll(/^test\(/gm)].length
      const { status, lines } = await new Program(write(`${place.replace(/\W/g, '-')}.mjs`, code)).ended
      expect(count).toBeGreaterThan(0)
      expect(lines.filter((line) => / (pass|fail) \d+$/.test(line)).map((line) => line.slice(2))).toEqual([
        `pass ${String(count)}`,
        'fail 0',
      ])
      expect(status).toBe(0)
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
