/** The results as tables in Markdown, for docs/performance.md. */
import { FLOORS } from '../floors.mjs'
import { short } from './report.mjs'
import { ratio } from './statistics.mjs'

const NAMES = { bun: 'Bun', deno: 'Deno', net: 'bare net.Socket', 'ws-plain': 'ws without bufferutil' }
const named = (name) => NAMES[name] ?? name

const times = (value) => (value === null ? '' : `${value >= 10 ? value.toFixed(1) : value.toFixed(2)}`)
const table = (head, rows) => {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

function floorText(floor, name) {
  if (floor?.[name] !== undefined) return String(floor[name])
  if (name !== 'ws' || floor?.atMost === undefined) return ''
  const { contender, plus, value } = floor.atMost
  return contender === undefined ? `at most ${value}` : `at most ${named(contender)} + ${plus} B`
}

/** A verdict that nobody passes over. */
const shownVerdict = ({ status }) =>
  status === 'BELOW' || status === 'not measured' ? `🔴 **${status}**` : status

/** A ratio, with one digit more where it would read like the floor that it misses. */
function shownRatio(value, floor) {
  const shown = times(value)
  return value !== null && value < floor && Number(shown) >= floor ? value.toFixed(3) : shown
}

/** How many rows are where they have to be, and which are not: what the table is about, in words. */
export function verdictText({ rows }, floors = FLOORS) {
  const judged = rows.filter(({ floor }) => floor)
  const red = judged.filter(({ verdict }) => verdict.status === 'BELOW')
  const measured = judged
    .filter(({ verdict }) => ['ok', 'BELOW'].includes(verdict.status))
    .map(({ name }) => name)
  const left = Object.keys(floors).filter((name) => !measured.includes(name))
  const list = (some) => some.map((name) => `\`${name}\``).join('; ')
  const parts = [
    red.length === 0
      ? `All ${judged.length} rows with a floor are at it or above.`
      : `**${red.length} of ${judged.length} rows with a floor are below it** (🔴): ${list(red.map(({ name }) => name))}.`,
  ]
  if (left.length > 0) parts.push(`Not measured in this run, though there is a floor: ${list(left)}.`)
  return parts.join('\n\n')
}

/** Ratios first, of all rows that have a floor. */
export function ratioTable({ rows }) {
  return table(
    ['work', 'to ws', 'floor', 'to Bun', 'floor', 'result', 'spread'],
    rows
      .filter(({ floor }) => floor)
      .map(({ name, contenders, lowerIsBetter, floor, verdict }) => {
        const to = (other) =>
          shownRatio(ratio(contenders.hawser, contenders[other], lowerIsBetter), floor[other] ?? -Infinity)
        const spreads = ['hawser', 'ws', 'bun'].map((one) => contenders[one]?.spread ?? 0)
        const spread = `± ${Math.round(Math.max(...spreads) * 100)} %`
        return [
          name,
          to('ws'),
          floorText(floor, 'ws'),
          to('bun'),
          floorText(floor, 'bun'),
          shownVerdict(verdict),
          spread,
        ]
      }),
  )
}

const cell = (one) =>
  one === undefined ? '' : one.error ? (one.isAbsent ? 'absent' : 'failed') : short(one.median)

/** Medians of the rows of some kinds, a column for each contender that has any. */
export function medianTable({ rows }, kinds) {
  const chosen = rows.filter(({ kind }) => kinds.includes(kind))
  const names = [...new Set(chosen.flatMap(({ contenders }) => Object.keys(contenders)))]
  return table(
    ['work', 'unit', ...names.map(named)],
    chosen.map(({ name, unit, contenders }) => [name, unit, ...names.map((one) => cell(contenders[one]))]),
  )
}

/** Round trips, in microseconds. */
export function latencyTable({ rows }) {
  const points = ['p50', 'p99', 'p999']
  const names = ['hawser', 'ws', 'bun']
  return table(
    ['work', ...names.flatMap((name) => points.map((point) => `${named(name)} ${point}`))],
    rows
      .filter(({ contenders }) => contenders.hawser?.latency)
      .map(({ name, contenders }) => [
        name,
        ...names.flatMap((one) =>
          points.map((point) => (contenders[one]?.latency ? short(contenders[one].latency[point]) : '')),
        ),
      ]),
  )
}

/** Processor time of the server for one message, and what the replies of compressed rows were. */
export function costTable({ rows }) {
  const names = ['hawser', 'ws', 'bun']
  const cpu = (one) => (one?.cpuMicros === undefined ? '' : short(one.cpuMicros))
  const size = (one) =>
    one?.bytesPerReply === undefined
      ? ''
      : `${Math.round(one.bytesPerReply)} B, ${Math.round(one.compressedShare * 100)} % compressed`
  return table(
    [
      'work',
      ...names.map((name) => `${named(name)}, µs`),
      ...names.map((name) => `a reply of ${named(name)}`),
    ],
    rows
      .filter(({ contenders }) => contenders.hawser?.cpuMicros !== undefined)
      .map(({ name, contenders }) => [
        name,
        ...names.map((one) => cpu(contenders[one])),
        ...names.map((one) => size(contenders[one])),
      ]),
  )
}

/** What the figures depend on. */
export function runText(results) {
  const { date, node, cpu, cores, system, commit, changed, rounds, seconds, loader, versions } = results
  const packages = Object.entries(versions)
    .filter(([name]) => !['hawser', 'net', 'node', 'ws-plain'].includes(name))
    .map(([name, version]) => `${named(name)} ${version}`)
  const at = commit === null ? 'unknown' : commit.slice(0, 10)
  const warning = changed
    ? `\n\n**The tree had changes that are in no commit: the figures are those of ${at} with something unknown on top, and cannot be repeated exactly.**`
    : ''
  return `Measured ${date} at commit ${at} on Node ${node.replace('v', '')}, ${cores} cores of ${cpu}, ${system}; ${rounds} rounds of ${seconds} s; load generator in ${loader}. Beside it: ${packages.join(', ')}.${warning}`
}

/** A chart of charts.mjs, from docs/ on. */
const chart = (name, text) => `![${text}](../benchmarks/results/${name}.svg)`

/** The rows of the parts by themselves. */
const PARTS = ['micro', 'instructions']

/** What stands between each pair of markers. */
export function makeRegions(results, floors = FLOORS) {
  const parts = {
    run: [runText(results)],
    ratios: [verdictText(results, floors), ratioTable(results), chart('ratios', 'Ratios to ws and to Bun')],
    messages: [
      medianTable(results, ['echo', 'fanout', 'once', 'handshakes', 'client']),
      chart('echo', 'Echo: messages a second'),
    ],
    memory: [medianTable(results, ['idle']), chart('memory', 'Memory of an idle connection')],
    latency: [latencyTable(results), chart('latency', 'Round trips under full load')],
    cost: [costTable(results)],
    parts: [
      results.rows.some(({ kind }) => PARTS.includes(kind))
        ? medianTable(results, PARTS)
        : 'Not measured in this run.',
    ],
  }
  return Object.fromEntries(Object.entries(parts).map(([name, texts]) => [name, texts.join('\n\n')]))
}

/** @returns the text with every region filled @throws where one has lost its markers */
export function fillRegions(text, regions) {
  return Object.entries(regions).reduce((filled, [name, region]) => {
    const between = new RegExp(`(?<=^<!-- bench:${name} -->\\n)[\\s\\S]*?(?=^<!-- /bench:${name} -->$)`, 'm')
    if (!between.test(filled)) throw new Error(`docs/performance.md has lost its markers of ${name}`)
    return filled.replace(between, () => `\n${region}\n\n`)
  }, text)
}
