/**
 * What is measured, as data. An echo row: connections, messages in flight on each, bytes of payload. `contenders` are
 * who can do it; `--contenders all` measures those too that are not measured by default. What runs in Node runs in both
 * Nodes, but in a row with `isOneNode`.
 */
const MAIN = ['hawser', 'ws', 'bun']
const OTHERS = ['ws-plain', 'websocket', 'faye-websocket']
/** Beside these: Hawser with both ways to reply, its drop-in for ws, and what Node allows. */
const LINES = ['hawser', 'hawser-return', 'hawser-ws', 'ws', 'bun', 'net', 'handle']
const EVERYONE = [...LINES, ...OTHERS, 'deno']

const echo = (name, connections, inFlight, bytes, more = {}) => ({
  name,
  kind: 'echo',
  unit: 'msg/s',
  connections,
  inFlight,
  bytes,
  type: 'text',
  contenders: MAIN,
  ...more,
})

const fanOut = (name, connections, inFlight, more = {}) => ({
  ...echo(name, connections, inFlight, 128, more),
  kind: 'fanout',
  unit: 'deliveries/s',
})

/** The bound of each is what a bare socket takes. */
const idle = (name, connections, more = {}) => ({
  name,
  kind: 'idle',
  unit: 'B/conn',
  lowerIsBetter: true,
  connections,
  contenders: [...MAIN, 'net', ...OTHERS, 'deno'],
  ...more,
})

const cores = (name, connections, inFlight, bytes, more = {}) => ({
  ...echo(name, connections, inFlight, bytes, more),
  kind: 'cores',
  isPinned: false,
  contenders: ['hawser-2', 'hawser-1'],
})

const micro = (name, module, unit = 'ns') => ({
  name,
  kind: 'micro',
  module,
  unit,
  lowerIsBetter: true,
  contenders: ['hawser', 'ws'],
})

const KIB = 1024
const MIB = 1024 * KIB

export const WORKLOADS = [
  micro('parser', 'parser'),
  micro('serializer', 'serializer'),
  micro('masking', 'masking'),
  micro('UTF-8', 'utf8'),
  micro('deflate by itself', 'deflate'),
  micro('allocated', 'allocations', 'B'),
  {
    name: 'instructions, echo of 32 B',
    kind: 'instructions',
    unit: 'instr',
    lowerIsBetter: true,
    contenders: ['hawser', 'ws'],
  },

  echo('echo, 32 B, 1 in flight', 64, 1, 32, { contenders: EVERYONE }),
  echo('echo, 32 B, 16 in flight', 64, 16, 32, { contenders: EVERYONE }),
  echo('echo, 100 B, 16 in flight', 64, 16, 100),
  echo('echo, 1 KiB, 1 in flight', 16, 1, KIB),
  echo('echo, 1 KiB text, not ASCII', 16, 1, KIB, { alphabet: 'äöü€' }),
  echo('echo, 16 KiB binary', 16, 1, 16 * KIB, { type: 'binary', contenders: ['hawser', 'ws'] }),
  echo('echo, 64 KiB binary', 8, 4, 64 * KIB, {
    type: 'binary',
    contenders: [...MAIN, 'hawser-ws', 'net', 'handle', ...OTHERS, 'deno'],
  }),
  echo('echo, 1 MiB binary', 4, 1, MIB, { type: 'binary' }),
  echo('echo, 1 MiB text', 4, 1, MIB),
  echo('echo, 16 MiB binary', 2, 1, 16 * MIB, { type: 'binary' }),
  echo('echo, 16 MiB text', 2, 1, 16 * MIB),
  echo('echo, 64 KiB in 4 fragments', 8, 1, 64 * KIB, { type: 'binary', fragmentBytes: 16 * KIB }),
  echo('echo, 4 KiB in 1024 fragments', 8, 1, 4 * KIB, { type: 'binary', fragmentBytes: 4 }),

  // The client asks for no context of its own; then it keeps one.
  ...[{}, { clientContext: true }].flatMap((more) => {
    const context = more.clientContext ? ', context kept' : ''
    return [
      echo(`deflate echo, 128 B${context}`, 64, 1, 128, { deflate: true, ...more }),
      echo(`deflate echo, 1 KiB, 4 in flight${context}`, 16, 4, KIB, { deflate: true, ...more }),
      echo(`deflate echo, 64 KiB, 2 in flight${context}`, 8, 2, 64 * KIB, { deflate: true, ...more }),
    ]
  }),

  fanOut('fan-out, 1000 conns, 1 in flight', 1000, 1),
  fanOut('fan-out, 1000 conns, 16 in flight', 1000, 16),
  fanOut('fan-out, 200 conns, 1 in flight', 200, 1, { isOneNode: true }),

  {
    name: 'handshakes',
    kind: 'handshakes',
    unit: 'handshakes/s',
    concurrency: 32,
    contenders: [...MAIN, ...OTHERS, 'deno'],
  },
  {
    ...echo('one message each, 10000 conns', 10_000, 1, 32, { isOneNode: true }),
    kind: 'once',
    unit: 'conns/s',
    concurrency: 32,
  },

  idle('idle memory', 9000),
  idle('idle memory, deflate', 9000, { deflate: true }),
  idle('idle memory, TLS', 2000, { tls: true }),

  ...[
    ['client, 32 B, 1 in flight', 1, 32, { isOneNode: true }],
    ['client, 32 B, 16 in flight', 16, 32, {}],
    ['client, 64 KiB, 1 in flight', 1, 64 * KIB, {}],
  ].map(([name, inFlight, bytes, more]) => ({
    name,
    kind: 'client',
    unit: 'msg/s',
    connections: 16,
    inFlight,
    bytes,
    contenders: [...MAIN, 'undici', 'node'],
    ...more,
  })),

  echo('TLS echo, 32 B, 1 in flight', 32, 1, 32, { tls: true }),
  echo('TLS echo, 32 B, 16 in flight', 32, 16, 32, { tls: true }),
  echo('TLS echo, 64 KiB binary', 4, 2, 64 * KIB, { type: 'binary', tls: true }),

  // Two processes at one port beside one, nothing pinned, the load on the same cores: no server has two cores here.
  cores('2 processes beside 1, echo, 32 B, 1 in flight', 64, 1, 32),
  cores('2 processes beside 1, deflate echo, 1 KiB, 4 in flight', 64, 4, KIB, { deflate: true }),

  {
    name: 'Autobahn 12 and 13, whole time',
    kind: 'autobahn',
    unit: 's',
    lowerIsBetter: true,
    contenders: ['hawser', 'ws'],
  },
]
