/**
 * What is measured, as data. An echo row: connections, messages in flight on each, bytes of payload. `contenders` are
 * who can do it; the first three are measured by default, and all others with `--contenders all`.
 */
const MAIN = ['hawser', 'ws', 'bun']
const NODE = ['ws-plain', 'websocket', 'faye-websocket']
const EVERYONE = [...MAIN, ...NODE, 'deno', 'net']

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
  echo('echo, 1 KiB, 1 in flight', 16, 1, KIB, { contenders: EVERYONE }),
  echo('echo, 64 KiB binary', 8, 4, 64 * KIB, { type: 'binary', contenders: EVERYONE }),

  echo('deflate echo, 128 B', 64, 1, 128, { deflate: true }),
  echo('deflate echo, 1 KiB, 4 in flight', 16, 4, KIB, { deflate: true }),
  echo('deflate echo, 64 KiB, 2 in flight', 4, 2, 64 * KIB, { deflate: true }),

  {
    ...echo('fan-out, 1000 conns, 1 in flight', 1000, 1, 128),
    kind: 'fanout',
    unit: 'deliveries/s',
  },
  {
    ...echo('fan-out, 1000 conns, 16 in flight', 1000, 16, 128),
    kind: 'fanout',
    unit: 'deliveries/s',
  },
  {
    ...echo('fan-out, 200 conns, 1 in flight', 200, 1, 128),
    kind: 'fanout',
    unit: 'deliveries/s',
  },

  { name: 'handshakes', kind: 'handshakes', unit: 'handshakes/s', concurrency: 32, contenders: EVERYONE },
  {
    name: 'idle memory',
    kind: 'idle',
    unit: 'B/conn',
    lowerIsBetter: true,
    connections: 9000,
    contenders: EVERYONE,
    always: ['net'],
  },
  {
    name: 'idle memory, deflate',
    kind: 'idle',
    unit: 'B/conn',
    lowerIsBetter: true,
    connections: 9000,
    deflate: true,
    contenders: [...MAIN, 'net'],
    always: ['net'],
  },

  ...[
    ['client, 32 B, 1 in flight', 1, 32],
    ['client, 32 B, 16 in flight', 16, 32],
    ['client, 64 KiB, 1 in flight', 1, 64 * KIB],
  ].map(([name, inFlight, bytes]) => ({
    name,
    kind: 'client',
    unit: 'msg/s',
    connections: 16,
    inFlight,
    bytes,
    contenders: ['hawser', 'ws', 'bun', 'undici', 'node'],
  })),

  // Large and small: nothing may be slower than ws.
  echo('echo, 1 MiB binary', 4, 1, MIB, { type: 'binary' }),
  echo('echo, 1 MiB text', 4, 1, MIB),
  echo('echo, 16 MiB binary', 2, 1, 16 * MIB, { type: 'binary' }),
  echo('echo, 64 KiB in 4 fragments', 8, 1, 64 * KIB, { type: 'binary', fragmentBytes: 16 * KIB }),
  echo('echo, 4 KiB in 1024 fragments', 8, 1, 4 * KIB, { type: 'binary', fragmentBytes: 4 }),
  echo('echo, 1 KiB text, not ASCII', 16, 1, KIB, { alphabet: 'äöü€' }),
  {
    ...echo('one message each, 10000 conns', 10_000, 1, 32),
    kind: 'once',
    unit: 'conns/s',
    concurrency: 32,
  },
  echo('TLS echo, 32 B, 1 in flight', 32, 1, 32, { tls: true }),
  echo('TLS echo, 32 B, 16 in flight', 32, 16, 32, { tls: true }),
  echo('TLS echo, 64 KiB binary', 4, 2, 64 * KIB, { type: 'binary', tls: true }),

  {
    name: 'Autobahn 12 and 13, whole time',
    kind: 'autobahn',
    unit: 's',
    lowerIsBetter: true,
    contenders: ['hawser', 'ws'],
  },
]
