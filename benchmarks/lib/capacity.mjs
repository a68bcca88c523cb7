/**
 * Capacity by calculation, from measured figures, for docs/scaling.md. Figures are rounded as the page shows them before anything
 * is calculated, so that a reader who takes them from the page gets the same results.
 */

const digits = (value) => Number(value.toPrecision(3))

/** The figures of the page. `from`: the row that they are of. @returns null where one was not measured */
export function readFigures(results, brokers) {
  const rowOf = (name) =>
    results.rows.find((row) => row.name === name && row.node === 'this')?.contenders.hawser
  const groups = (setup) =>
    brokers.rows.find(({ name }) => name.startsWith('1,000 groups'))?.contenders[setup]
  const [alone, two] = [groups('hawser, 1'), groups('hawser, 2')]
  const members = brokers.rows.find(({ name }) => name.startsWith('1,000 groups'))?.load
  const perMessage = (members.members * members.memberships) / members.groups
  const { memory } = brokers
  const median = (name) => digits(rowOf(name).median)
  const cpu = (name) => digits(rowOf(name).cpuMicros)
  return [
    ['b', 'memory of an idle connection', median('idle memory'), 'B', '`idle memory`'],
    [
      'b~d~',
      'the same with permessage-deflate',
      median('idle memory, deflate'),
      'B',
      '`idle memory, deflate`',
    ],
    ['b~t~', 'the same with TLS', median('idle memory, TLS'), 'B', '`idle memory, TLS`'],
    ['s', 'memory of the kernel for a socket', digits(memory.kernelSocketBytes), 'B', 'the bench of brokers'],
    [
      'd',
      'a delivery to a member of a group',
      cpu('fan-out, 1000 conns, 1 in flight'),
      'µs',
      '`fan-out, 1000 conns, 1 in flight`',
    ],
    [
      'd~16~',
      'the same, where 16 messages leave at once',
      cpu('fan-out, 1000 conns, 16 in flight'),
      'µs',
      '`fan-out, 1000 conns, 16 in flight`',
    ],
    [
      'm',
      'a message that is received, with a reply',
      cpu('echo, 32 B, 1 in flight'),
      'µs',
      '`echo, 32 B, 1 in flight`',
    ],
    ['h', 'a handshake, without TLS', cpu('handshakes'), 'µs', '`handshakes`'],
    [
      'p',
      'what a message takes more at a node for each copy that Redis hands out',
      digits(Math.max(0, ((two.cpuMicros - alone.cpuMicros) * perMessage) / 2)),
      'µs',
      '`1,000 groups of 10`: 2 processes less 1, for each of 2 copies',
    ],
    ['q', 'processor time of Redis for each such copy', digits(two.brokerCpuMicros / 2), 'µs', 'the same'],
    [
      'o',
      'bytes that Redis sends for each copy of a message of 32 B',
      digits(two.bytesOutPerMessage / 2),
      'B',
      'the same',
    ],
    [
      'a',
      'memory for a name that another node has',
      digits(memory.remoteNameBytes),
      'B',
      'the bench of brokers',
    ],
    [
      'a~g~',
      'memory for a group of another node',
      digits(memory.remoteGroupBytes),
      'B',
      'the bench of brokers',
    ],
  ].map(([symbol, what, value, unit, from]) => ({ symbol, what, value, unit, from }))
}

/** What is assumed of the load and chosen for the nodes: the second table of the page. */
export const ASSUMED = { r: 0.1, g: 10, u: 0.5, l: 50_000 }
export const SIZES = [10_000, 100_000, 1_000_000, 10_000_000]

/**
 * @param f figures by symbol
 * @param connections how many there are
 * @returns what is needed, not rounded
 */
export function plan(f, connections, { r, g, u, l } = ASSUMED) {
  const messages = connections * r
  const copiesAt = (nodes) => Math.min(g, nodes)
  const coresAt = (nodes) => (messages * (f.m + g * f.d + copiesAt(nodes) * f.p)) / 1e6
  let nodes = Math.max(2, Math.ceil(connections / l))
  while (coresAt(nodes) > u * nodes) nodes++
  const copies = copiesAt(nodes)
  const each = connections / nodes
  const redisCores = (messages * copies * f.q) / 1e6
  return {
    messages,
    deliveries: messages * g,
    nodes,
    each,
    load: coresAt(nodes) / nodes,
    memory: each * (f.b + f.s),
    memoryTls: each * (f['b~t~'] + f.s),
    names: (connections - each) * f.a,
    copies: messages * copies,
    redisBytes: messages * copies * f.o,
    redisCores,
    redises: Math.ceil(redisCores / u),
    storm: (connections * f.h) / nodes / 1e6,
    spread: (each * f.h) / (nodes - 1) / 0.1 / 1e6,
  }
}

const three = (value) => digits(value).toLocaleString('en', { maximumSignificantDigits: 3 })
const MB = 1e6

/** The lines of the third table: what, its formula, and how it is shown. */
const LINES = [
  ['messages a second', 'M = C · r', ({ messages }) => three(messages)],
  ['deliveries a second', 'D = M · g', ({ deliveries }) => three(deliveries)],
  ['nodes', 'n', ({ nodes }) => nodes.toLocaleString('en')],
  ['connections of a node', 'C / n', ({ each }) => three(each)],
  ['load of a node, cores', 'M · (m + g · d + k · p) / n', ({ load }) => three(load)],
  ['memory of a node, MB', 'C / n · (b + s)', ({ memory }) => three(memory / MB)],
  ['the same with TLS in Node, MB', 'C / n · (b~t~ + s)', ({ memoryTls }) => three(memoryTls / MB)],
  ['a name for each connection: memory of a node, MB', '(C − C / n) · a', ({ names }) => three(names / MB)],
  ['copies that Redis hands out a second', 'M · k', ({ copies }) => three(copies)],
  ['bytes from Redis, MB a second', 'M · k · o', ({ redisBytes }) => three(redisBytes / MB)],
  ['processor time of Redis, cores', 'R = M · k · q', ({ redisCores }) => three(redisCores)],
  ['so many Redis servers', '⌈R / u⌉', ({ redises }) => redises.toLocaleString('en')],
  ['all come back at once: seconds of work for a node', 'C · h / n', ({ storm }) => three(storm)],
  [
    'a node closes: `spreadMs`, in s, for a tenth of a core of the others',
    'C / n · h / (n − 1) / 0.1',
    ({ spread }) => three(spread),
  ],
]

const line = (cells) => `| ${cells.join(' | ')} |`

/** The measured figures, with their symbols. */
export const figureTable = (figures) =>
  [
    line(['', 'figure', 'value', 'measured as']),
    line(['---', '---', '---:', '---']),
    ...figures.map(({ symbol, what, value, unit, from }) =>
      line([
        `*${symbol.replace(/~(\w+)~/, '<sub>$1</sub>')}*`,
        what,
        `${value.toLocaleString('en')} ${unit}`,
        from,
      ]),
    ),
  ].join('\n')

/** What they come to, for each number of connections. */
export function planTable(figures) {
  const bySymbol = Object.fromEntries(figures.map(({ symbol, value }) => [symbol, value]))
  const plans = SIZES.map((size) => plan(bySymbol, size))
  const shown = (text) => text.replace(/~(\w+)~/, '<sub>$1</sub>')
  return [
    line(['', 'formula', ...SIZES.map((size) => size.toLocaleString('en'))]),
    line(['---', '---', ...SIZES.map(() => '---:')]),
    ...LINES.map(([what, formula, show]) => line([what, shown(formula), ...plans.map(show)])),
  ].join('\n')
}
