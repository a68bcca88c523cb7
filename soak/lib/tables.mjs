/** The results of the soak as tables in Markdown, for docs/robustness.md. */
import { quietText } from '../../benchmarks/brokers/tables.mjs'
import { shortCpu, table } from '../../benchmarks/lib/doc-tables.mjs'
import { percent } from '../../benchmarks/lib/quiet.mjs'
import { resolveLimitsOf } from './limits-of.mjs'
import { SCENARIOS } from './attacks.mjs'
import {
  connectionBound,
  GARBAGE_BYTES,
  LEFT_BYTES,
  LEFT_COMPILED_BYTES,
  LEFT_RESIDENT_BYTES,
} from './bounds.mjs'
import { FEED, LATENCY_FACTOR, SERVER_OPTIONS } from './settings.mjs'
import { latencyRatio, leftOf } from './verdict.mjs'

const KIB = 1024
const MIB = 1024 * KIB
const RED = '🔴'
const whole = (value) => Math.round(value).toLocaleString('en')
const mebibytes = (bytes) => (Math.abs(bytes) >= 100 * MIB ? whole(bytes / MIB) : (bytes / MIB).toFixed(1))
const titleOf = (name) => SCENARIOS.find((one) => one.name === name)?.title ?? name
const code = (text) => `\`${text}\``
const isRed = ({ faults }) => faults.length > 0
/** The name of a row, marked where it is red. */
const named = (row, title = titleOf(row.name)) => (isRed(row) ? `${RED} ${title}` : title)
const list = (counts) =>
  Object.entries(counts)
    .sort((a, b) => b[1] - a[1])
    .map(([what, count]) => `${whole(count)} ${what}`)
    .join(', ')

/** What the figures depend on. */
export function runText(results) {
  const { date, commit, changed, node, cores, memoryGiB, system, quiet, took, seconds, quietSeconds } =
    results
  const less = results.quick ? ' **A quick run: latencies were not judged.**' : ''
  const warning = changed ? ' **The tree had changes that are in no commit.**' : ''
  return (
    `Measured ${date} at commit ${(commit ?? 'unknown').slice(0, 10)} on Node ${node.replace('v', '')}, ${cores} cores of ${results.cpu}, ` +
    `${memoryGiB} GiB, ${system}; floods of ${seconds} s, the quiet before each ${quietSeconds} s, ${Math.round(took / 60)} minutes in all; ${quietText(quiet)}.${less}${warning}`
  )
}

/** Whether all is clean, and else why not. @param reasons by the name of a row */
export function verdictText(results, reasons) {
  const all = [...results.rows, ...results.leaks]
  const red = all.filter(isRed)
  if (red.length === 0) return `All ${all.length} rows are clean.`
  const lines = red.map((row) => {
    const why = reasons[row.name] ?? '**No reason is known yet.**'
    return `- ${RED} ${row.title ?? titleOf(row.name)}: ${row.faults.join('; ')}. ${why}`
  })
  return [`**${red.length} of ${all.length} rows are not clean:**`, lines.join('\n')].join('\n\n')
}

/** What the attackers do, and what meets it. */
export const attackTable = () =>
  table(
    ['flood', 'what the attackers do', 'connections at once', 'addresses', 'what meets it'],
    SCENARIOS.map(({ title, attack, connections, addresses, defence }) => [
      ...[title, attack, whole(connections), addresses],
      defence.map(code).join(', '),
    ]),
  )

const micros = (value) => (value >= 100 ? whole(value) : value.toPrecision(2))

const latencyTable = ({ rows }) =>
  table(
    [
      'flood',
      'quiet p50',
      'quiet p99',
      'under it p50',
      'under it p99',
      `p99, times the usual quiet one (at most ${LATENCY_FACTOR})`,
    ],
    rows.map((row) => [
      named(row),
      ...[row.quiet.p50, row.quiet.p99, row.flood.p50, row.flood.p99].map(micros),
      latencyRatio(row).toFixed(1),
    ]),
  )

const memoryTable = ({ rows }) =>
  table(
    [
      'flood',
      'quiet, resident',
      'under it',
      'the bound',
      'heap, quiet',
      'under it',
      'external, quiet',
      'under it',
    ],
    rows.map((row) => [
      named(row),
      ...[row.memory.quiet.rss, row.memory.flood.rss, row.memory.bound].map(mebibytes),
      ...['heapUsed', 'external'].flatMap((kind) =>
        [row.memory.quiet[kind], row.memory.flood[kind]].map(mebibytes),
      ),
    ]),
  )

/** What the attackers met, by the status of the response, and how their connections ended. */
const refusalsOf = ({ statuses }) =>
  list(
    Object.fromEntries(
      Object.entries(statuses)
        .filter(([status]) => status !== '101')
        .map(([status, count]) => [`times ${status}`, count]),
    ),
  )

/** What the server did: cuts by quotas, closes by code. */
function cutsOf({ quotas = {}, closes = {}, errorCodes = {} }) {
  const codes = Object.fromEntries(
    Object.entries(closes).map(([number, count]) => [`closed ${number}`, count]),
  )
  const errors = Object.fromEntries(Object.entries(errorCodes).map(([name, count]) => [code(name), count]))
  return [list(codes), list(errors), quotas.closed > 0 ? `${whole(quotas.closed)} by a quota` : '']
    .filter((text) => text !== '')
    .join('; ')
}

const countTable = ({ rows }) =>
  table(
    [
      'flood',
      'connections of the attackers',
      'accepted',
      'most at once',
      'refused',
      'what the server cut and saw',
      'sent, MiB',
    ],
    rows.map((row) => [
      named(row),
      ...[row.attack.started, row.attack.statuses['101'] ?? 0, row.attack.most].map(whole),
      refusalsOf(row.attack),
      cutsOf(row.counted),
      mebibytes(row.attack.bytesSent),
    ]),
  )

const share = ({ user, system }) => `${percent(user + system)} (${percent(system)})`

/** A core is taken by the kernel where it is busy, and hardly with the program. */
const KERNEL_SHARE = 0.6
const BUSY = 0.95

/** Which main threads took a whole core, and whether their processes were in the kernel. */
function coreText({ own }) {
  const notes = ['server', 'attackers'].flatMap((name) => {
    const { user, system, main = user + system } = own[name]
    if (main < BUSY) return []
    return [
      system / (user + system) > KERNEL_SHARE
        ? `${name}: a whole core, most of it in the kernel`
        : `${name}: a whole core`,
    ]
  })
  return notes.join('; ')
}

const machineTable = ({ rows }) =>
  table(
    ['flood', 'server, quiet', 'server', 'attackers', 'steady clients and probe', 'cores busy', ''],
    rows.map((row) => {
      const { quiet, flood } = row.machine
      const clients = ['user', 'system'].map((kind) => [kind, flood.own.steady[kind] + flood.own.probe[kind]])
      return [
        named(row),
        ...[quiet.own.server, flood.own.server, flood.own.attackers, Object.fromEntries(clients)].map(share),
        flood.cores.map(({ busy }) => percent(busy)).join(', '),
        coreText(flood),
      ]
    }),
  )

function steadyText({ steady, rows }) {
  const { connections, probes, intervalSeconds, memory } = steady
  const harmed = rows.reduce(
    (sum, { harm }) => sum + harm.steady.gone + harm.probe.gone + harm.steady.wrong + harm.probe.wrong,
    0,
  )
  const parts = [
    `${whole(connections)} steady connections, each with a message in every ${intervalSeconds} s, and ${probes} of the probe.`,
    `With them open the server takes ${mebibytes(memory.full.rss)} MiB, ${whole(memory.eachRss)} bytes resident for each connection, of which ${whole(memory.eachHeap)} are heap.`,
    harmed === 0
      ? 'None of them was closed or got a wrong answer in any flood.'
      : `**${whole(harmed)} of them were closed or got a wrong answer.**`,
  ]
  return parts.join(' ')
}

/** The configuration of the server, as code. */
export function settingsText() {
  const show = (value, indent) => {
    if (typeof value === 'number') return value.toLocaleString('en').replaceAll(',', '_')
    if (typeof value !== 'object') return `'${value}'`
    const inner = `${indent}  `
    return `{\n${Object.entries(value)
      .map(([name, one]) => `${inner}${name}: ${show(one, inner)},\n`)
      .join('')}${indent}}`
  }
  return `\`\`\`js\nnew WebSocketServer(${show(SERVER_OPTIONS, '')})\n\`\`\``
}

/** The formula with the figures of this configuration. */
export function boundText() {
  const one = connectionBound(resolveLimitsOf(SERVER_OPTIONS), FEED.messageBytes)
  return (
    `With these limits, and messages of ${whole(FEED.messageBytes / KIB)} KiB to members of the group, one connection may hold ${whole(one / KIB)} KiB; ` +
    `the garbage is ${whole(GARBAGE_BYTES / MIB)} MiB.`
  )
}

const leakTable = ({ leaks }) =>
  table(
    [
      'role',
      'connections',
      'warm-up',
      'objects and external, before',
      'after',
      'bytes left of each',
      'programs, before',
      'after',
      'resident, before',
      'after',
      'files',
      'timers',
      'handles',
    ],
    leaks.map((row) => {
      const { before, after, connections } = row
      const { bytes, files, timers, handles } = leftOf(row)
      return [
        named(row, row.title),
        ...[connections, row.warmUp].map(whole),
        ...[before, after].map(({ objects, external }) => `${mebibytes(objects + external)} MiB`),
        Math.max(0, bytes / connections).toFixed(2),
        ...[before, after].map(({ compiled }) => `${mebibytes(compiled)} MiB`),
        ...[before, after].map(({ rss }) => `${mebibytes(rss)} MiB`),
        ...[files, timers],
        handles.join(', ') || 'as before',
      ]
    }),
  )

/** How many connections ended in each kind of way. */
function wayTable({ leaks }) {
  const kinds = [...new Set(leaks.flatMap(({ ways }) => ways.map(({ kind }) => kind)))]
  const count = ({ ways }, kind) =>
    ways
      .filter((way) => way.kind === kind)
      .reduce((sum, { outcomes }) => sum + Object.values(outcomes).reduce((all, one) => all + one, 0), 0)
  const ways = (row, kind) => row.ways.filter((way) => way.kind === kind).length
  return table(
    ['how they end', ...leaks.map(({ title }) => title)],
    kinds.map((kind) => [
      kind,
      ...leaks.map((row) => `${whole(count(row, kind))} (${ways(row, kind)} ways)`),
    ]),
  )
}

const chart = ({ slug }, name, text) => `![${text}](../soak/results/${slug}/${name}.svg)`

/** What stands between each pair of markers. @param results of one processor */
export function makeRegions(results, reasons) {
  const about = (text) => `${text}, ${shortCpu(results)}`
  const parts = {
    run: [runText(results), verdictText(results, reasons)],
    settings: [settingsText()],
    bound: [boundText()],
    attacks: [attackTable()],
    steady: [steadyText(results)],
    latency: [
      latencyTable(results),
      chart(results, 'latency', about('Round trips of a well-behaved client, quiet and under each flood')),
    ],
    memory: [
      memoryTable(results),
      chart(results, 'memory', about('Resident memory of the server, and the bound')),
    ],
    counts: [countTable(results)],
    machine: [machineTable(results)],
    leaks: [
      leakTable(results),
      `At most ${LEFT_BYTES / KIB} KiB of objects and external memory may be left in each row; V8 may keep ${LEFT_COMPILED_BYTES / MIB} MiB more of programs, and ${LEFT_RESIDENT_BYTES / MIB} MiB more may be resident.`,
      chart(results, 'leaks', about('Objects and external memory after collections, on the way')),
    ],
    ways: [wayTable(results)],
  }
  return Object.fromEntries(Object.entries(parts).map(([name, texts]) => [name, texts.join('\n\n')]))
}
