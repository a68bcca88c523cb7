// slow: starts the layer check twice
/**
 * The layer rules of `.dependency-cruiser.mjs` bite: each is broken once, in a tree made for it. The table in CONTRIBUTING
 * has what they allow.
 */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { evaluatorOf } from '../helpers/evaluate.js'

const root = path.join(__dirname, '../..')

interface Cruise {
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[]
    readonly ruleSetUsed: { readonly forbidden: readonly { readonly name: string }[] }
  }
}

/** Files that import nothing, for the others to import. */
const LEAVES = [
  'dist/esm/index.js',
  'src/check.ts',
  'src/error-codes.ts',
  'src/errors.ts',
  'src/limits.ts',
  'src/index.ts',
  'src/frame/index.ts',
  'src/frame/header.ts',
  'src/handshake/extension-header.ts',
  'src/extension/message-codec.ts',
  'src/handshake/tokens.ts',
  'src/deflate/codec.ts',
  'src/deflate/negotiation.ts',
  'src/connection/events.ts',
  'src/native/handle.ts',
  'src/native/response-into.ts',
  'src/transport/transport.ts',
  'src/transport/timer-wheel.ts',
  'src/service/codec.ts',
  'src/socket/socket.ts',
  'src/server/path-matching.ts',
  'src/client/target.ts',
  'src/dial/leaf.ts',
  'src/client/client-leaf.ts',
  'src/dial/redirects.ts',
  'src/socket/fan-out.ts',
  'src/frame/close-code.ts',
  'src/hub/groups.ts',
  'src/recovery/history.ts',
  'src/hub/remote.ts',
  'src/connection/prepared-message.ts',
  'src/backplane/backplane.ts',
  'src/backplane/local-node.ts',
  'src/backplane/relay.ts',
  'src/backplane/envelope.ts',
  'demo/page.ts',
  'test/helpers/bytes.ts',
]

const ALLOWED: readonly (readonly [file: string, statement: string])[] = [
  ['src/frame/frame-parser.ts', "import '../errors.js'\nimport '../limits.js'\nimport './header.js'"],
  ['src/frame/utf8.ts', "import 'node:buffer'"],
  ['src/frame/masking.ts', "import 'node:crypto'"],
  ['src/handshake/key.ts', "import 'node:crypto'"],
  ['src/deflate/options.ts', "import '../handshake/extension-header.js'"],
  ['src/deflate/inflater.ts', "import 'node:zlib'"],
  [
    'src/connection/connection.ts',
    "import type { leaf } from '../extension/message-codec.js'\nimport '../frame/header.js'\nexport type Port = typeof leaf",
  ],
  ['src/native/probe.ts', "import 'node:net'\nimport 'node:zlib'"],
  ['src/native/collection-pace.ts', "import 'node:v8'"],
  ['src/frame/read-buffer.ts', "import '../native/collection-pace.js'"],
  [
    'src/transport/stream-transport.ts',
    "import 'node:net'\nimport '../native/handle.js'\nimport type { Duplex } from 'node:stream'\nexport type D = Duplex",
  ],
  ['src/transport/tcp-table.ts', "import 'node:fs'"],
  ['src/socket/driver.ts', "import '../transport/transport.js'"],
  [
    'src/service/dispatcher.ts',
    "import '../socket/socket.js'\nimport '../transport/timer-wheel.js'\nimport '../connection/events.js'",
  ],
  [
    'src/server/upgrade.ts',
    "import 'node:http'\nimport '../hub/groups.js'\nimport '../socket/socket.js'\nimport '../backplane/local-node.js'",
  ],
  ['src/endpoints/directory.ts', "import 'node:fs/promises'\nimport '../server/path-matching.js'"],
  ['src/json/router.ts', "import '../server/path-matching.js'\nimport '../service/codec.js'"],
  ['src/dial/websocket-url.ts', "import '../handshake/tokens.js'\nimport 'node:tls'"],
  ['src/client/dials.ts', "import '../dial/leaf.js'"],
  ['src/whatwg/websocket.ts', "import '../client/target.js'\nimport '../handshake/tokens.js'"],
  [
    'src/client/connect.ts',
    "import 'node:tls'\nimport '../socket/socket.js'\nimport '../handshake/tokens.js'",
  ],
  ['src/client/client-socket.ts', "import './client-leaf.js'\nimport '../dial/redirects.js'"],
  ['src/dial/exchange.ts', "import 'node:tls'\nimport '../handshake/tokens.js'"],
  [
    'src/hub/send.ts',
    "import '../socket/fan-out.js'\nimport '../frame/close-code.js'\nimport '../connection/events.js'",
  ],
  [
    'src/recovery/feed.ts',
    "import '../socket/socket.js'\nimport '../connection/events.js'\nimport '../frame/close-code.js'\nimport 'node:crypto'",
  ],
  ['src/hub/publishing.ts', "import '../recovery/history.js'"],
  ['src/client/recovering.ts', "import '../recovery/history.js'"],
  ['src/backplane/cluster-pipe.ts', "import 'node:cluster'\nimport './relay.js'"],
  ['src/backplane/worker-pipe.ts', "import 'node:worker_threads'\nimport './relay.js'"],
  [
    'src/backplane/over-a-broker.ts',
    "import 'node:net'\nimport 'node:tls'\nimport './backplane.js'\nimport '../hub/remote.js'\nimport '../connection/prepared-message.js'",
  ],
  ['src/brokers/link.ts', "import '../backplane/envelope.js'\nimport 'node:diagnostics_channel'"],
  ['src/hub/broadcast.ts', "import type { leaf } from '../socket/socket.js'\nexport type S = typeof leaf"],
  [
    'src/adapters/express.ts',
    "import '../server/path-matching.js'\nimport '../native/response-into.js'\nimport 'node:http'",
  ],
  ['demo/main.ts', "import 'hawser'\nimport 'hawser/frame'\nimport './page.js'\nimport 'node:http'"],
  [
    'packages/ws/src/inside.ts',
    "import '../../../src/frame/header.js'\nimport '../../../src/transport/transport.js'\nimport 'node:http'",
  ],
  ['test/helpers/frame-builder.ts', "import './bytes.js'"],
]

const FORBIDDEN: readonly (readonly [rule: string, file: string, statement: string])[] = [
  ['not-built', 'test/helpers/imports-dist.ts', "import '../../dist/esm/index.js'"],
  ['no-cycles', 'src/client/client-leaf.ts', "import type {} from './client-socket.js'"],
  ['resolvable', 'src/client/gone.ts', "import './not-there.js'"],
  ['no-packages', 'src/server/peer.ts', "import 'ws'"],
  [
    'no-packages',
    'src/server/peer-types.ts',
    "import type { WebSocket } from 'ws'\nexport type W = WebSocket",
  ],
  ['resolvable', 'src/client/unknown-package.ts', "import 'left-out-of-the-manifest'"],
  ['no-packages', 'src/client/itself.ts', "import 'hawser/connection'"],
  ['no-own-name', 'src/client/itself-again.ts', "import 'hawser/frame'"],
  ['src-imports-src', 'src/server/helped.ts', "import '../../test/helpers/bytes.js'"],
  ['leaves', 'src/errors.ts', "import './limits.js'"],
  ['leaves', 'src/error-codes.ts', "import './limits.js'"],
  ['leaves', 'src/limits.ts', "import 'node:buffer'"],
  ['leaves', 'src/check.ts', "import './errors.js'"],
  ['surface', 'src/server/from-the-top.ts', "import '../index.js'"],
  ['src-imports-src', 'src/socket/from-demo.ts', "import '../../demo/page.js'"],
  ['frame-imports', 'src/frame/reaches-handshake.ts', "import '../handshake/tokens.js'"],
  ['frame-builtins', 'src/frame/reaches-net.ts', "import 'node:net'"],
  ['frame-builtins', 'src/frame/reaches-timers.ts', "import 'timers/promises'"],
  ['frame-builtins-crypto', 'src/frame/header-key.ts', "import 'node:crypto'"],
  ['handshake-imports', 'src/handshake/reaches-frame.ts', "import '../frame/header.js'"],
  ['handshake-builtins', 'src/handshake/reaches-http.ts', "import 'node:http'"],
  ['handshake-builtins-crypto', 'src/handshake/token-hash.ts', "import 'node:crypto'"],
  ['extension-imports', 'src/extension/reaches-frame.ts', "import '../frame/header.js'"],
  ['extension-builtins', 'src/extension/reaches-zlib.ts', "import 'node:zlib'"],
  ['deflate-imports', 'src/deflate/reaches-tokens.ts', "import '../handshake/tokens.js'"],
  ['deflate-imports', 'src/deflate/reaches-frame.ts', "import '../frame/header.js'"],
  ['deflate-builtins', 'src/deflate/reaches-fs.ts', "import 'node:fs'"],
  ['deflate-builtins-zlib', 'src/deflate/pool.ts', "import 'node:zlib'"],
  ['deflate-builtins-crypto', 'src/deflate/mark.ts', "import 'node:crypto'"],
  [
    'connection-imports',
    'src/connection/reaches-negotiation.ts',
    "import type {} from '../deflate/negotiation.js'",
  ],
  ['connection-imports', 'src/connection/reaches-handshake.ts', "import '../handshake/tokens.js'"],
  ['connection-imports', 'src/connection/reaches-socket.ts', "import '../socket/socket.js'"],
  ['connection-builtins', 'src/connection/clock.ts', "import 'node:perf_hooks'"],
  ['connection-builtins', 'src/connection/clock-by-require.ts', "process.getBuiltinModule('node:timers')"],
  ['connection-port-types', 'src/connection/runs-codec.ts', "import '../extension/message-codec.js'"],
  ['socket-imports', 'src/socket/reaches-server.ts', "import '../server/path-matching.js'"],
  [
    'socket-streams',
    'src/socket/streams.ts',
    "import type { Duplex } from 'node:stream'\nexport type D = Duplex",
  ],
  ['socket-imports', 'src/socket/reaches-service.ts', "import '../service/codec.js'"],
  ['socket-imports', 'src/socket/reaches-deflate.ts', "import '../deflate/negotiation.js'"],
  ['socket-builtins', 'src/socket/reads-clock.ts', "import 'node:perf_hooks'"],
  ['socket-streams', 'src/socket/reads-files.ts', "import 'node:fs/promises'"],
  ['native-imports', 'src/native/reaches-socket.ts', "import '../socket/socket.js'"],
  ['native-builtins', 'src/native/reads-files.ts', "import 'node:fs'"],
  ['native-builtins-v8', 'src/native/reads-heap.ts', "import 'node:v8'"],
  ['transport-imports', 'src/transport/reaches-socket.ts', "import '../socket/socket.js'"],
  ['transport-builtins', 'src/transport/reaches-http.ts', "import 'node:http'"],
  ['transport-builtins-fs', 'src/transport/reads-files.ts', "import 'node:fs/promises'"],
  ['service-imports', 'src/service/reaches-server.ts', "import '../server/path-matching.js'"],
  ['service-imports', 'src/service/reaches-transport.ts', "import '../transport/transport.js'"],
  ['service-builtins', 'src/service/reaches-net.ts', "import 'node:net'"],
  ['server-imports', 'src/server/reaches-client.ts', "import '../client/target.js'"],
  ['endpoints-imports', 'src/endpoints/reaches-hub.ts', "import '../hub/groups.js'"],
  ['endpoints-builtins', 'src/endpoints/reaches-net.ts', "import 'node:net'"],
  ['adapters-types', 'src/adapters/fastify.ts', "import 'fastify'"],
  ['adapters-types', 'src/adapters/itself.ts', "import 'hawser/connection'"],
  [
    'adapters-framework',
    'src/adapters/koa.ts',
    "import type { FastifyInstance } from 'fastify'\nexport type F = FastifyInstance",
  ],
  ['adapters-imports', 'src/adapters/reaches-client.ts', "import '../client/target.js'"],
  ['adapters-imports', 'src/adapters/reaches-handles.ts', "import '../native/handle.js'"],
  ['adapters-builtins', 'src/adapters/reaches-net.ts', "import 'node:net'"],
  ['server-imports', 'src/server/reaches-adapters.ts', "import '../adapters/express.js'"],
  ['json-imports', 'src/json/reaches-transport.ts', "import '../transport/transport.js'"],
  ['json-builtins', 'src/json/reads-files.ts', "import 'node:fs'"],
  ['dial-imports', 'src/dial/reaches-client.ts', "import '../client/client-leaf.js'"],
  ['dial-builtins', 'src/dial/reaches-fs.ts', "import 'node:fs'"],
  ['whatwg-imports', 'src/whatwg/reaches-socket.ts', "import '../socket/socket.js'"],
  ['whatwg-builtins', 'src/whatwg/reaches-net.ts', "import 'node:net'"],
  ['client-imports', 'src/client/reaches-server.ts', "import type {} from '../server/path-matching.js'"],
  ['dial-imports', 'src/dial/reaches-client.ts', "import '../client/target.js'"],
  ['dial-imports', 'src/dial/reaches-socket.ts', "import '../socket/socket.js'"],
  ['dial-builtins', 'src/dial/reads-files.ts', "import 'node:fs'"],
  ['client-imports', 'src/client/reaches-hub.ts', "import '../hub/groups.js'"],
  ['hub-imports', 'src/hub/reaches-server.ts', "import '../server/path-matching.js'"],
  ['hub-imports', 'src/hub/reaches-backplane.ts', "import type {} from '../backplane/backplane.js'"],
  ['recovery-imports', 'src/recovery/reaches-hub.ts', "import type {} from '../hub/remote.js'"],
  ['recovery-imports', 'src/recovery/reaches-server.ts', "import '../server/path-matching.js'"],
  ['recovery-builtins', 'src/recovery/reaches-net.ts', "import 'node:net'"],
  ['hub-imports', 'src/hub/reaches-feed.ts', "import '../recovery/feed.js'"],
  ['hub-builtins', 'src/hub/makes-ids.ts', "import 'node:crypto'"],
  ['backplane-imports', 'src/backplane/reaches-hub.ts', "import type {} from '../hub/groups.js'"],
  ['backplane-imports', 'src/backplane/reaches-server.ts', "import '../server/path-matching.js'"],
  ['backplane-builtins', 'src/backplane/reaches-http.ts', "import 'node:http'"],
  ['backplane-builtins-cluster', 'src/backplane/forks.ts', "import 'node:cluster'"],
  ['backplane-builtins-worker_threads', 'src/backplane/ports.ts', "import 'node:worker_threads'"],
  ['brokers-imports', 'src/brokers/reaches-node.ts', "import '../backplane/local-node.js'"],
  ['brokers-builtins', 'src/brokers/reaches-net.ts', "import 'node:net'"],
  ['server-imports', 'src/server/reaches-relay.ts', "import '../backplane/relay.js'"],
  ['hub-socket-types', 'src/hub/runs-socket.ts', "import '../socket/socket.js'"],
  ['drop-in-imports', 'packages/ws/src/above.ts', "import '../../../src/server/path-matching.js'"],
  ['drop-in-packages', 'packages/ws/src/outside.ts', "import 'ws'"],
  ['demo-imports', 'demo/reaches-frame.ts', "import '../src/frame/header.js'"],
  ['demo-imports', 'demo/reaches-server.ts', "import type {} from '../src/server/path-matching.js'"],
  ['demo-imports', 'demo/by-path.ts', "import '../src/index.js'"],
  ['demo-imports', 'demo/helped.ts', "import '../test/helpers/bytes.js'"],
  ['demo-packages', 'demo/peer.ts', "import 'ws'"],
  ['independent-frame-builder', 'test/helpers/frame-builder-2.ts', "import '../../src/frame/header.js'"],
]

/** Makes the tree and runs the rules over it. @returns what they found, as `rule file`, and their names */
async function cruise(
  files: Iterable<readonly [file: string, statement: string]>,
): Promise<{ found: Set<string>; rules: string[] }> {
  const tree = await mkdtemp(path.join(tmpdir(), 'hawser-layers-'))
  try {
    for (const name of ['.dependency-cruiser.mjs', 'tsconfig.json', 'package.json']) {
      await copyFile(path.join(root, name), path.join(tree, name))
    }
    await symlink(path.join(root, 'node_modules'), path.join(tree, 'node_modules'))
    for (const [file, statement] of [...LEAVES.map((leaf) => [leaf, ''] as const), ...files]) {
      const full = path.join(tree, file)
      await mkdir(path.dirname(full), { recursive: true })
      await writeFile(full, `${statement}\nexport const leaf = 0\n`)
    }
    const command = path.join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs')
    const args = [
      command,
      '--config',
      '.dependency-cruiser.mjs',
      '--output-type',
      'json',
      'src',
      'demo',
      'packages',
      'test',
    ]
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: tree, maxBuffer: 64 << 20 })
    const { violations, ruleSetUsed } = (JSON.parse(stdout) as Cruise).summary
    return {
      found: new Set(violations.map(({ rule, from }) => `${rule.name} ${from}`)),
      rules: ruleSetUsed.forbidden.map(({ name }) => name),
    }
  } finally {
    await rm(tree, { recursive: true, force: true })
  }
}

describe('the layer rules', () => {
  it('allow what the design allows', async () => {
    const { found } = await cruise(ALLOWED)
    expect([...found]).toEqual([])
  })

  it('forbid the rest, each by its own rule, and no rule is left untried', async () => {
    const { found, rules } = await cruise([...ALLOWED, ...FORBIDDEN.map(([, ...row]) => row)])
    expect(FORBIDDEN.map(([rule, file]) => `${rule} ${file}`).filter((row) => !found.has(row))).toEqual([])
    expect(rules.filter((name) => !FORBIDDEN.some(([rule]) => rule === name))).toEqual([])
  })
})

interface Rule {
  readonly name: string
  readonly from: object
  readonly to: object
}

const rules = evaluatorOf('.')(
  '.dependency-cruiser.mjs',
  'return subject.default.forbidden',
) as readonly Rule[]

describe('the rooms that the rules name', () => {
  const files = ['src', 'demo', 'packages', 'test'].flatMap((top) =>
    readdirSync(path.join(root, top), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${top}/${name}`),
  )

  /** Each way through the alternatives of a pattern: `a(b|c)?d` is `abd`, `acd` and `ad`. */
  function alternatives(pattern: string): string[] {
    const group = /\(([^()]*)\)(\?)?/.exec(pattern)
    if (group === null) return [pattern]
    const [whole, inside = '', optional] = group
    const choices = [...inside.split('|'), ...(optional === undefined ? [] : [''])]
    return choices.flatMap((choice) => alternatives(pattern.replace(whole, () => choice)))
  }

  const patternsOf = (side: object): string[] =>
    Object.entries(side)
      .filter(([key]) => key === 'path' || key === 'pathNot')
      .flatMap(([, value]) => value as string | string[])
      .filter((pattern) => /^\^(src|demo|test)\//.test(pattern))

  it('are there, every file and room of every rule', () => {
    const missing = rules.flatMap(({ name, from, to }) =>
      [...patternsOf(from), ...patternsOf(to)]
        .flatMap(alternatives)
        .filter((pattern) => !files.some((file) => new RegExp(pattern).test(file)))
        .map((pattern) => `${name}: ${pattern}`),
    )
    expect(rules.length).toBeGreaterThan(20)
    expect(missing).toEqual([])
  })

  it('are all that there are', () => {
    const rooms = readdirSync(path.join(root, 'src'), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    )
    const bound = rules
      .filter(({ name }) => name.endsWith('-imports'))
      .flatMap(({ from }) => patternsOf(from))
    expect(rooms.map(({ name }) => `^src/${name}/`).filter((room) => !bound.includes(room))).toEqual([])
  })
})

describe('the table of rooms in CONTRIBUTING', () => {
  const SHARED = ['check', 'error-codes', 'errors', 'inspect', 'limits']

  /** `^src/frame/` is `frame`, `^src/hub/remote[.]ts$` is `hub/remote`. */
  const pathOf = (pattern: string): string => pattern.replace(/^\^src\//, '').replace(/(\/|\[\.\]ts\$)$/, '')

  /** What a rule leaves out of what it forbids. */
  function exceptionsOf(name: string): string[] | null {
    const to = rules.find((rule) => rule.name === name)?.to as { pathNot: string | string[] } | undefined
    return to === undefined ? null : [to.pathNot].flat()
  }

  function importsOf(room: string): string[] {
    const allowed = (exceptionsOf(`${room}-imports`) ?? []).map(pathOf)
    return allowed.filter((name) => name !== room && !/^\(.*\)$/.test(name))
  }

  /** `^(node:)?(net|tls)(/|$)` is `net` and `tls`. @returns null: no rule says which */
  function modulesOf(room: string): string[] | null {
    const [pattern] = exceptionsOf(`${room}-builtins`) ?? []
    if (pattern === undefined) return null
    return /^\^\(node:\)\?\((.*)\)\(\/\|\$\)$/.exec(pattern)?.[1]?.split('|') ?? []
  }

  const namesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)

  const rows = readFileSync(path.join(root, 'CONTRIBUTING.md'), 'utf8')
    .split('\n## The rooms\n')[1]!
    .split('\n## ')[0]!
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').slice(1, -1))
    .map(([name = '', , imports = '', node = '']) => ({ names: namesIn(name), imports, node }))
  const ofRooms = rows.slice(1, -1).map(({ names, ...rest }) => ({ room: names[0] as string, ...rest }))

  it('has a row for what all may import, for each room, and for the demo', () => {
    const rooms = readdirSync(path.join(root, 'src'), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
    expect(rows[0]?.names.sort()).toEqual(SHARED)
    expect(namesIn(rows[0]?.imports ?? '')).toEqual(exceptionsOf('leaves')?.map((one) => pathOf(one)))
    expect(ofRooms.map(({ room }) => room).sort()).toEqual(rooms.sort())
    expect(rows.at(-1)?.names[0]).toBe('demo/')
  })

  it.each(ofRooms)('says what $room may import, as the rules do', ({ room, imports }) => {
    expect(namesIn(imports).sort()).toEqual(importsOf(room).sort())
    expect(imports.trim() === 'nothing').toBe(namesIn(imports).length === 0)
  })

  it.each(ofRooms)('says what $room may use of Node, as the rules do', ({ room, node }) => {
    const allowed = modulesOf(room)
    expect(namesIn(node).sort()).toEqual(allowed?.sort() ?? [])
    expect(node.trim() === 'anything').toBe(allowed === null)
    expect(node.trim() === 'nothing').toBe(allowed?.length === 0)
  })

  it.each(ofRooms)('names nothing that $room does not import', ({ room, imports }) => {
    const folder = path.join(root, 'src', room)
    const code = readdirSync(folder)
      .filter((name) => name.endsWith('.ts'))
      .map((name) => readFileSync(path.join(folder, name), 'utf8'))
      .join('\n')
    const used = [...code.matchAll(/from '\.\.\/([^']+)\.js'/g)].map(([, name = '']) => name)
    const isUsed = (name: string): boolean => used.some((one) => one === name || one.startsWith(`${name}/`))
    expect(namesIn(imports).filter((name) => !isUsed(name))).toEqual([])
  })
})
