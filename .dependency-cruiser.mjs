/**
 * Who may import whom (docs/adr has the why): bytes go socket -> connection -> frame -> deflate and back, and no
 * room knows the rooms above it. Checked by `npm run layers`. What is not allowed for a room is forbidden to it.
 */

const room = (name) => `^src/${name}/`
const file = (name) => `^src/${name.replaceAll('.', '[.]')}$`
const shared = ['^src/(check|error-codes|errors|inspect|limits)[.]ts$']

/** A room may import these paths of src, and nothing else of it. */
const only = (name, ...allowed) => ({
  name: `${name}-imports`,
  comment: `src/${name} may import only: ${[name, 'check', 'error-codes', 'errors', 'inspect', 'limits', ...allowed].join(', ')}`,
  severity: 'error',
  from: { path: room(name) },
  to: {
    path: '^src/',
    pathNot: [...shared, room(name), ...allowed.map((to) => (to.endsWith('.ts') ? file(to) : room(to)))],
  },
})

/** A room may use these modules of Node, and no others; `where` narrows one to some of its files. */
const builtins = (name, allowed, where = '') => ({
  name: `${name}-builtins${where === '' ? '' : `-${allowed.join('-')}`}`,
  comment:
    where === ''
      ? `src/${name} may use of Node: ${allowed.length === 0 ? 'nothing' : allowed.join(', ')}`
      : `in src/${name}, only ${where} may use ${allowed.join(', ')}`,
  severity: 'error',
  from: where === '' ? { path: room(name) } : { path: room(name), pathNot: `${room(name)}${where}` },
  to: {
    dependencyTypes: ['core'],
    ...(where === '' ? { pathNot: modules(allowed) } : { path: modules(allowed) }),
  },
})
const modules = (names) => (names.length === 0 ? '^$' : `^(node:)?(${names.join('|')})(/|$)`)

export default {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle has no first file to read, in types as in code',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'An import must lead to a file',
      severity: 'error',
      // What a package gives out names what is built, and the types of Node.
      from: { pathNot: '^packages/[^/]+/(index[.]d[.]m?ts|wrapper[.]mjs)$' },
      to: { couldNotResolve: true },
    },
    {
      name: 'not-built',
      comment: 'What is built is not there in a new clone, where this is checked before the build',
      severity: 'error',
      from: {},
      to: { path: '^dist/' },
    },
    {
      name: 'no-packages',
      comment:
        'Hawser has no runtime dependency: src imports itself and Node, types included; only adapters know types of their framework',
      severity: 'error',
      from: { path: '^src/', pathNot: room('adapters') },
      to: { path: 'node_modules|^hawser' },
    },
    {
      name: 'adapters-types',
      comment: 'Nothing is loaded that the user of another framework, or of none, does not have',
      severity: 'error',
      from: { path: room('adapters') },
      to: { path: 'node_modules|^hawser', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'adapters-framework',
      comment: 'Each adapter is a file by the name of its framework, and knows no other',
      severity: 'error',
      from: { path: '^src/adapters/([^/]+)[.]ts$' },
      to: { path: 'node_modules', pathNot: 'node_modules/$1/' },
    },
    {
      name: 'no-own-name',
      comment: 'Inside, a file is imported by its path: by the name of the package it would be a public room',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['aliased'] },
    },
    {
      name: 'src-imports-src',
      comment: 'The demo, the drop-in for `ws`, tests, benchmarks and tools use src, never the other way',
      severity: 'error',
      from: { path: '^src/' },
      to: { pathNot: '^src/', dependencyTypes: ['local', 'aliased'] },
    },
    {
      name: 'leaves',
      comment:
        'check, error-codes, errors, inspect and limits may be imported by all; of them limits imports check, errors imports error-codes',
      severity: 'error',
      from: { path: shared },
      to: { pathNot: [file('check.ts'), file('error-codes.ts')] },
    },
    {
      name: 'surface',
      comment: 'src/index.ts is the way in for users; inside, import the file that holds the thing',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/index[.]ts$' },
    },

    only(
      'frame',
      'native/buffer-text.ts',
      'native/buffer-view.ts',
      'native/collection-pace.ts',
      'native/freed-memory.ts',
      'native/simd.ts',
    ),
    builtins('frame', ['buffer', 'crypto']),
    builtins('frame', ['crypto'], 'masking[.]ts$'),

    only('handshake', 'native/buffer-text.ts'),
    builtins('handshake', ['crypto']),
    builtins('handshake', ['crypto'], 'key[.]ts$'),

    only('extension', 'handshake/extension-header.ts'),
    builtins('extension', ['buffer']),

    only('deflate', 'extension', 'handshake/extension-header.ts', 'native/zlib-handle.ts'),
    builtins('deflate', ['buffer', 'crypto', 'zlib']),
    builtins('deflate', ['crypto'], 'inflater[.]ts$'),
    builtins('deflate', ['zlib'], '(deflater|inflater|inflate-job|inflate-window)[.]ts$'),

    only(
      'connection',
      'frame',
      'native/buffer-text.ts',
      'native/collection-pace.ts',
      'extension/message-codec.ts',
    ),
    builtins('connection', []),
    {
      name: 'connection-port-types',
      comment: 'The connection knows the codec as a port: its types, not its code',
      severity: 'error',
      from: { path: room('connection') },
      to: { path: room('extension'), dependencyTypesNot: ['type-only'] },
    },

    only('native'),
    builtins('native', ['net', 'tls', 'http', 'stream', 'zlib', 'util', 'v8']),
    builtins('native', ['v8'], 'collection-pace[.]ts$'),

    only('transport', 'native'),
    builtins('transport', ['net', 'stream', 'fs']),
    {
      ...builtins('transport', ['fs'], 'tcp-table[.]ts$'),
      comment: 'Files are read by tcp-table alone: Linux tells in one what no call of Node does',
    },

    only('socket', 'transport', 'connection', 'frame', 'handshake'),
    builtins('socket', ['crypto', 'stream']),
    {
      name: 'socket-streams',
      comment:
        'Streams are touched by the transports, before them by the handshake; the driver has a Transport',
      severity: 'error',
      from: { path: room('socket'), pathNot: `${room('socket')}handshake-io[.]ts$` },
      to: {
        dependencyTypes: ['core'],
        path: modules(['net', 'tls', 'stream', 'http', 'https', 'http2', 'fs']),
      },
    },

    only('service', 'socket', 'transport/timer-wheel.ts', 'connection', 'frame'),
    builtins('service', []),

    only('recovery', 'socket', 'connection', 'frame/close-code.ts'),
    builtins('recovery', ['crypto', 'diagnostics_channel']),

    only(
      'server',
      'backplane/local-node.ts',
      'backplane/backplane.ts',
      'hub',
      'recovery',
      'service',
      'socket',
      'transport',
      'native',
      'connection',
      'extension',
      'deflate',
      'frame',
      'handshake',
    ),
    only('dial', 'handshake', 'socket/handshake-io.ts', 'socket/headers-input.ts'),
    builtins('dial', ['events', 'http', 'net', 'stream', 'tls']),
    only(
      'client',
      'dial',
      'recovery',
      'json/json-codec.ts',
      'json/schema.ts',
      'service',
      'socket',
      'transport',
      'connection',
      'extension',
      'deflate',
      'frame',
      'handshake',
    ),
    only('endpoints', 'server', 'client', 'service', 'socket', 'connection/ready-state.ts'),
    builtins('endpoints', ['fs', 'module', 'path', 'url', 'async_hooks']),
    only('json', 'server', 'service', 'connection'),
    builtins('json', []),
    only(
      'whatwg',
      'client',
      'socket/abort-listeners.ts',
      'connection',
      'frame/close-code.ts',
      'handshake/tokens.ts',
    ),
    builtins('whatwg', ['stream', 'util']),
    only(
      'adapters',
      'server',
      'service',
      'handshake',
      'native/response-into.ts',
      'whatwg/events.ts',
      'whatwg/own-bytes.ts',
      // Types, and the version of the envelopes, for the adapter of crossws.
      'connection/message-data.ts',
      'hub/group.ts',
      'backplane/backplane.ts',
      'backplane/envelope.ts',
    ),
    builtins('adapters', ['http', 'stream']),
    only('hub', 'socket', 'connection', 'frame/close-code.ts', 'recovery/history.ts'),
    builtins('hub', []),
    {
      name: 'hub-socket-types',
      comment: 'The hub knows the public Socket as a type only; what it runs is the sending to many',
      severity: 'error',
      from: { path: room('hub') },
      to: { path: room('socket'), pathNot: file('socket/fan-out.ts'), dependencyTypesNot: ['type-only'] },
    },

    only('backplane', 'hub/remote.ts', 'connection/prepared-message.ts', 'frame/close-code.ts'),
    // A broker is spoken to over a socket: `net` and `tls` are for a backplane over one.
    builtins('backplane', ['cluster', 'worker_threads', 'crypto', 'net', 'tls']),
    builtins('backplane', ['cluster'], 'cluster-pipe[.]ts$'),
    builtins('backplane', ['worker_threads'], 'worker-pipe[.]ts$'),

    only('brokers', 'backplane/backplane.ts', 'backplane/envelope.ts', 'recovery/history.ts'),
    builtins('brokers', ['crypto', 'diagnostics_channel', 'timers']),

    {
      name: 'drop-in-imports',
      comment:
        'The drop-in for `ws` is built over the engine: connections, handshakes and what they stand on, not servers, clients or hubs',
      severity: 'error',
      from: { path: '^packages/ws/' },
      to: {
        path: '^(src|demo|test)/',
        pathNot: [
          ...shared,
          ...[
            'frame',
            'handshake',
            'extension',
            'deflate',
            'connection',
            'transport',
            'socket',
            'native',
          ].map(room),
        ],
      },
    },
    {
      name: 'drop-in-packages',
      comment: 'The drop-in has no runtime dependency: what it takes of the engine is built into it',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: 'node_modules|^hawser' },
    },
    {
      name: 'demo-imports',
      comment:
        'The demo is a user of the package: it imports `hawser` and its subpaths by name, and no file of src',
      severity: 'error',
      from: { path: '^demo/' },
      to: { path: '^(src|test)/', dependencyTypesNot: ['aliased'] },
    },
    {
      name: 'demo-packages',
      comment: 'The command is installed with the package, which has no dependency',
      severity: 'error',
      from: { path: '^demo/' },
      to: { path: 'node_modules' },
    },

    {
      name: 'independent-frame-builder',
      comment:
        'Frames for tests are built by code that shares nothing with src, or both agree on the same bug',
      severity: 'error',
      from: { path: '^test/helpers/frame-builder' },
      to: { path: '^src/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: 'specify',
    enhancedResolveOptions: {
      extensions: ['.ts', '.mts', '.js', '.mjs', '.cjs', '.json'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      exportsFields: ['exports'],
    },
    detectProcessBuiltinModuleCalls: true,
  },
}
