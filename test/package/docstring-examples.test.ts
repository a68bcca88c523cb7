// slow: compiles the examples with the types of the whole project
/** The `@example`s of docstrings compile, and run against a real server in the order in which a program needs them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { findTypeErrors, freePort, installHawser, Program, root, transpile } from '../helpers/doc-programs.js'

/** The examples of a text, by the name of what is declared after the docstring. */
function findExamples(text: string): (readonly [name: string, code: string])[] {
  const docstrings =
    /^( *)\/\*\*\n(?: *\*[^/\n]*(?:\/[^\n]*)?\n)*? *\* @example\n *\* ```ts\n((?: *\*.*\n)*?) *\* ```\n *\*\/\n(.*)$/gm
  return [...text.matchAll(docstrings)].map(([, , code = '', declaration = '']) => [
    /(\w+)[(<]/.exec(declaration)?.[1] ?? '',
    code.replace(/^ *\* ?/gm, ''),
  ])
}

const source = path.join(root, 'src')
const examples = new Map<string, string>(
  readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) =>
      findExamples(readFileSync(path.join(source, name), 'utf8')).map(
        ([method, code]) => [`${path.basename(name, '.ts')}: ${method}`, code] as const,
      ),
    ),
)

/** In the order in which they run: the client connects to what the server serves. */
const METHODS = [
  'websocket-server: route',
  'server-socket: join',
  'websocket-server: listen',
  'websocket-server: attach',
  'group: publish',
  'connect: connect',
  'client-socket: receive',
  'socket: send',
  'socket: write',
  'socket: drained',
  'websocket-server: broadcast',
  'socket: close',
]

/** What the examples take from the program around them. */
const BEFORE_SERVER = `import { createServer } from 'node:http'
import { connect, WebSocketServer } from 'hawser'
import { memoryHistory } from 'hawser/recovery'

const server = new WebSocketServer({ recovery: { history: memoryHistory(), groups: ['room:*'] } })
const lines = ['one', 'two']
const report = 'a report'
const file = [Buffer.from('part 1'), Buffer.from('part 2')]
`
const BEFORE_CLIENT = "const socket = await connect('ws://localhost:8080/rooms/dogs')\n"
const AFTER_ALL = "await server.close()\nconsole.log('done')\nprocess.exit()\n"

describe('the examples in docstrings', () => {
  it('are there for the methods that are used most', () => {
    expect([...examples.keys()].sort()).toEqual([...METHODS].sort())
  })

  it('compile, and run one after the other', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'hawser-examples-'))
    try {
      installHawser(directory, [])
      const [port, httpPort] = [String(await freePort()), String(await freePort())]
      const blocks = METHODS.map((method) => `{\n${examples.get(method) ?? ''}}\n`)
      const firstOfClient = METHODS.indexOf('connect: connect')
      blocks.splice(firstOfClient, 0, BEFORE_CLIENT)
      const program = [BEFORE_SERVER, ...blocks, AFTER_ALL].join('\n')
      const code = program.replaceAll('8080', port).replaceAll('8081', httpPort)
      const file = path.join(directory, 'examples.mts')
      writeFileSync(file, code)
      expect(findTypeErrors([file], directory)).toEqual([])
      writeFileSync(path.join(directory, 'examples.mjs'), transpile(code))
      expect(await new Program(path.join(directory, 'examples.mjs')).ended).toEqual({
        status: 0,
        errors: '',
        lines: [
          `listening on port ${port}`,
          'message 1 of the room',
          'welcome to dogs',
          '1 connections took it, 0 read too slowly',
          'done',
        ],
      })
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }, 60_000)
})
