// slow: it runs the compiler over a program, with the types of crossws and of H3
import path from 'node:path'
import ts from 'typescript'

const ROOT = path.join(__dirname, '../../..')
/** Where the program would stand: a file there would be compiled and linted with ours, without the types of a browser. */
const PROGRAM = path.join(__dirname, 'program.mts')

/** Hooks by the types of crossws and H3, in the adapter and the plugin. */
const TEXT = `
import { createServer } from 'node:http'
import { defineHooks, type Hooks, type Message, type Peer } from 'crossws'
import nodeAdapter from 'crossws/adapters/node'
import { broadcastChannel } from 'crossws/sync'
import { defineWebSocketHandler, H3, serve } from 'h3'
import { BackplaneRelay } from 'hawser/backplane'
import { backplaneSync, crosswsAdapter, plugin } from 'hawser/crossws'

const typed: Partial<Hooks> = {
  upgrade: () => ({ headers: { a: 'b' }, context: { user: 'ada' } }),
  message: (peer: Peer, message: Message) => void peer.send(message.json<number>()),
}
const hooks = defineHooks({
  open: (peer) => {
    peer.subscribe('a')
  },
  drain: (peer) => void peer.bufferedAmount,
  close: (_peer, details) => void details.code,
})

const sync = backplaneSync(new BackplaneRelay().backplane())
const adapter = crosswsAdapter({ hooks: typed, sync: broadcastChannel({ channel: 'a' }) })
crosswsAdapter({ hooks, resolve: () => typed })
nodeAdapter({ hooks, sync })
createServer().on('upgrade', (request, socket, head) => void adapter.handleUpgrade(request, socket, head))

crosswsAdapter({
  hooks: {
    message: async (peer, message) => {
      await peer.raw?.write(message.text())
      peer.send(message.json<{ a: number }>().a)
    },
  },
})

const app = new H3()
app.get('/', defineWebSocketHandler(hooks))
serve(app, {
  plugins: [
    plugin(),
    plugin(typed),
    plugin({
      resolve: async (request) => ((await app.fetch(request)) as { crossws?: Partial<Hooks> }).crossws,
    }),
  ],
})

// @ts-expect-error -- a hook that does not exist
crosswsAdapter({ hooks: { mesage: () => undefined } })
`

/** Reads the program from here, and other files as they are. */
function hostFor(options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile } = host
  host.fileExists = (name) => name === PROGRAM || fileExists(name)
  host.readFile = (name) => (name === PROGRAM ? TEXT : readFile(name))
  return host
}

describe('The types of hawser/crossws', () => {
  it('take hooks that are typed by crossws and H3, and give what these take', () => {
    const options: ts.CompilerOptions = {
      target: ts.ScriptTarget.ES2022,
      // The types of crossws need those of a browser.
      lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
      types: ['node'],
      typeRoots: [path.join(ROOT, 'node_modules/@types')],
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      paths: {
        hawser: [path.join(ROOT, 'src/index.ts')],
        'hawser/backplane': [path.join(ROOT, 'src/backplane/index.ts')],
        'hawser/crossws': [path.join(ROOT, 'src/adapters/crossws.ts')],
      },
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
    }
    const program = ts.createProgram([PROGRAM], options, hostFor(options))
    const file = program.getSourceFile(PROGRAM)
    const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
    expect(
      found.map(({ start = 0, messageText }) => {
        const line = (file?.getLineAndCharacterOfPosition(start).line ?? 0) + 1
        return `${String(line)} ${ts.flattenDiagnosticMessageText(messageText, '\n')}`
      }),
    ).toEqual([])
  }, 120_000)
})
