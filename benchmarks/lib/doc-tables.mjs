/** The results as tables in Markdown, for docs/performance.md: ratios of all processors side by side. */
import { floorOf, FLOORS, REASONS } from '../floors.mjs'
import { percent } from './quiet.mjs'
import { short } from './report.mjs'
import { ratio } from './statistics.mjs'
import { judge } from './verdict.mjs'

const NAMES = {
  hawser: 'Hawser',
  'hawser-return': 'Hawser, by `return`',
  bun: 'Bun',
  deno: 'Deno',
  net: 'bare net.Socket',
  handle: 'bare handle',
  'ws-plain': 'ws without add-ons',
}
const named = (name) => NAMES[name] ?? name

const times = (value) => (value === null ? '' : `${value >= 10 ? value.toFixed(1) : value.toFixed(2)}`)
/** A table in Markdown: the first column to the left, the others, which are figures, to the right. */
export const table = (head, rows) => {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

/** The name of a processor without what every name has. */
export function shortCpu({ cpu, model }) {
  const words = cpu.replace(/\((?:R|TM|C)\)|\b(?:Processor|CPU)\b|@.*/gi, ' ').split(/\s+/)
  return [...words, model ?? ''].filter((word) => word !== '').join(' ')
}

const shortNode = (version) => `Node ${/\d+/.exec(version)[0]}`

/** Everything that a ratio is of: each processor, each Node. */
const columnsOf = (all) =>
  all.flatMap((results) =>
    Object.entries(results.nodes).map(([node, version]) => ({
      results,
      node,
      title: `${shortCpu(results)}, ${shortNode(version)}`,
    })),
  )

const rowIn = ({ results, node }, name) => results.rows.find((row) => row.name === name && row.node === node)

/** A ratio, with one digit more where it would read like the floor that it misses. */
function shownRatio(value, floor) {
  const shown = times(value)
  return value !== null && value < floor && Number(shown) >= floor ? value.toFixed(3) : shown
}

const RED = '🔴'

/** `to ws · to Bun`, and what is missing to the floor. */
function ratioCell(row, floor) {
  if (row === undefined) return ''
  const { contenders, lowerIsBetter } = row
  const shown = ['ws', 'bun'].map((other) => {
    const value = ratio(contenders.hawser, contenders[other], lowerIsBetter)
    const least = (floor[other] ?? -Infinity) * (1 - (floor.slack ?? 0))
    const text = shownRatio(value, floor[other] ?? -Infinity)
    // Which of the two is below.
    return value !== null && value < least ? `**${text}**` : text
  })
  const handle = ratio(contenders.hawser, contenders.handle, lowerIsBetter)
  const toHandle = floor.handle === undefined || handle === null ? '' : ` (handle ${handle.toFixed(2)})`
  const ratios = shown.map((one) => one || '–').join(' · ') + toHandle
  const { status, missing } = judge(row, floor)
  if (status === 'BELOW') return `${RED} ${ratios}, ${missing.toFixed(2)} x missing`
  return status === 'not measured' ? `${ratios} (not whole)` : ratios
}

function floorText(floor) {
  const parts = [[floor.ws, floor.bun].map((one) => one ?? '–').join(' · ')]
  if (floor.newest?.bun !== undefined) parts.push(`newest Node: ${floor.ws} · ${floor.newest.bun}`)
  if (floor.handle !== undefined) parts.push(`${floor.handle} of a bare handle`)
  if (floor.atMost?.value !== undefined) parts.push(`at most ${floor.atMost.value}`)
  else if (floor.atMost !== undefined) {
    const { contender, plus } = floor.atMost
    parts.push(`at most ${named(contender)}${plus === 0 ? '' : ` + ${plus} B`}`)
  }
  return parts.filter((part) => part !== '– · –').join('; ')
}

const namesOf = (all, floors) =>
  Object.keys(floors).filter((name) => all.some(({ rows }) => rows.some((row) => row.name === name)))

/** Ratios first, of all rows that have a floor, of all processors and both Nodes. */
export function ratioTable(all, floors = FLOORS) {
  const columns = columnsOf(all)
  return table(
    ['work', 'floor', ...columns.map(({ title }) => title)],
    namesOf(all, floors).map((name) => [
      name,
      floorText(floors[name]),
      ...columns.map((column) => ratioCell(rowIn(column, name), floorOf(name, column.node, floors))),
    ]),
  )
}

/** Every row that is below its floor: `{ name, title, why }`. */
export function redRows(all, floors = FLOORS) {
  return columnsOf(all).flatMap((column) =>
    namesOf(all, floors).flatMap((name) => {
      const row = rowIn(column, name)
      if (row === undefined) return []
      const { status, why } = judge(row, floorOf(name, column.node, floors))
      return status === 'BELOW' ? [{ name, title: column.title, why }] : []
    }),
  )
}

/** How many rows are where they have to be, which are not and why, and which were not measured. */
export function verdictText(all, floors = FLOORS, reasons = REASONS) {
  const red = redRows(all, floors)
  const names = namesOf(all, floors)
  const counted = columnsOf(all).map((column) => {
    const own = names.filter((name) => rowIn(column, name) !== undefined)
    const below = red.filter(({ title }) => title === column.title).length
    return below === 0
      ? `- ${column.title}: all ${own.length} rows with a floor are at it or above.`
      : `- ${column.title}: **${below} of ${own.length} rows with a floor are below it** (${RED}).`
  })
  const left = Object.keys(floors).filter((name) => !names.includes(name))
  const unmeasured =
    left.length > 0
      ? [`Not measured here, though there is a floor: ${left.map((name) => `\`${name}\``).join('; ')}.`]
      : []
  return [counted.join('\n'), ...unmeasured, reasonText(red, floors, reasons)]
    .filter((text) => text !== '')
    .join('\n\n')
}

/** Why rows are below their floors: those with one reason together. */
function reasonText(red, floors, reasons) {
  const names = Object.keys(floors).filter((name) => red.some((one) => one.name === name))
  if (names.length === 0) return ''
  const byReason = new Map()
  for (const name of names) {
    const reason = reasons[name] ?? '**No reason is known yet.**'
    byReason.set(reason, [...(byReason.get(reason) ?? []), `\`${name}\``])
  }
  const lines = [...byReason].map(([reason, some]) => `- ${some.join('; ')}: ${reason}`)
  return ['Why rows are below their floors:', lines.join('\n')].join('\n\n')
}

/** A median, and processor time of the server for each beside it. */
function cell(one) {
  if (one === undefined) return ''
  if (one.error) return one.isAbsent ? 'absent' : 'failed'
  return one.cpuMicros === undefined ? short(one.median) : `${short(one.median)} · ${short(one.cpuMicros)} µs`
}

/** Medians of the rows of some kinds in one Node, a column for each contender that has any. */
export function medianTable({ rows }, node, kinds) {
  const chosen = rows.filter((row) => kinds.includes(row.kind) && row.node === node)
  const names = Object.keys(NAMES)
  const order = (name) => (names.includes(name) ? names.indexOf(name) : name === 'ws' ? 1.5 : names.length)
  const found = [...new Set(chosen.flatMap(({ contenders }) => Object.keys(contenders)))]
  const sorted = found.sort((a, b) => order(a) - order(b))
  return table(
    ['work', 'unit', ...sorted.map(named)],
    chosen.map(({ name, unit, contenders }) => [name, unit, ...sorted.map((one) => cell(contenders[one]))]),
  )
}

/** The same for each Node, under its name. */
const medianTables = (results, kinds) =>
  Object.entries(results.nodes)
    .filter(([node]) => results.rows.some((row) => kinds.includes(row.kind) && row.node === node))
    .flatMap(([node, version]) => [`${shortNode(version)}:`, medianTable(results, node, kinds)])

/** Round trips, in microseconds, in the first Node. */
export function latencyTable({ rows }) {
  const points = ['p50', 'p99', 'p999']
  const names = ['hawser', 'ws', 'bun']
  return table(
    ['work', ...names.flatMap((name) => points.map((point) => `${named(name)} ${point}`))],
    rows
      .filter(({ node, contenders }) => node === 'this' && contenders.hawser?.latency)
      .map(({ name, contenders }) => [
        name,
        ...names.flatMap((one) =>
          points.map((point) => (contenders[one]?.latency ? short(contenders[one].latency[point]) : '')),
        ),
      ]),
  )
}

/** What the replies of compressed rows were. */
export function replyTable({ rows }) {
  const names = ['hawser', 'ws', 'bun']
  const size = (one) =>
    one?.bytesPerReply === undefined
      ? ''
      : `${Math.round(one.bytesPerReply)} B, ${Math.round(one.compressedShare * 100)} % compressed`
  return table(
    ['work', ...names.map((name) => `a reply of ${named(name)}`)],
    rows
      .filter(({ node, contenders }) => node === 'this' && contenders.hawser?.bytesPerReply !== undefined)
      .map(({ name, contenders }) => [name, ...names.map((one) => size(contenders[one]))]),
  )
}

/** Two processes beside one, in each Node. */
export function coresTable({ rows, nodes }) {
  const chosen = rows.filter(({ kind }) => kind === 'cores')
  if (chosen.length === 0) return 'Not measured in this run.'
  return table(
    ['work', 'Node', 'by', 'unit', '1 process', '2 processes', '2 to 1'],
    chosen.map(({ name, node, unit, contenders }) => {
      const { 'hawser-1': one, 'hawser-2': two } = contenders
      const work = name.replace('2 processes beside 1, ', '')
      const shown = [one, two].map((each) => cell(each))
      return [work, shortNode(nodes[node]), two?.uses ?? '', unit, ...shown, times(ratio(two, one, false))]
    }),
  )
}

function quietText({ quiet }) {
  if (quiet === undefined || quiet.worstShare === null)
    return 'whether the machine was quiet was not measured'
  const before = `load average ${quiet.loadBefore.toFixed(2)} before`
  return quiet.noisyRows.length === 0
    ? `the machine was quiet (${before}, other processes at most ${percent(quiet.worstShare)} of a core)`
    : `**the machine was not quiet** (${before}): other processes took up to ${percent(quiet.worstShare)} of a core in ${quiet.noisyRows.map((name) => `\`${name}\``).join('; ')}`
}

/** How far the rounds of one contender lay apart: in half of all, and at most. */
function spreadText({ rows }) {
  const spreads = rows
    .flatMap(({ name, contenders }) =>
      Object.values(contenders)
        .filter(({ spread, values }) => spread !== undefined && values.length > 1)
        .map(({ spread }) => ({ name, spread })),
    )
    .sort((a, b) => a.spread - b.spread)
  if (spreads.length === 0) return ''
  const [middle, last] = [spreads[spreads.length >> 1], spreads.at(-1)]
  return `; rounds lie apart by ± ${percent(middle.spread)} in half of all figures, at most by ± ${percent(last.spread)} (\`${last.name}\`)`
}

/** A row that was measured by itself. */
function aloneText({ name, date, commit, changed, isQuiet, version }) {
  const inNode = version === null ? '' : ` on Node ${version.replace('v', '')}`
  const notes = [changed && '**in a tree with changes**', !isQuiet && '**on a machine that was not quiet**']
  const where = `${date} at commit ${commit?.slice(0, 10) ?? 'unknown'}${inNode}`
  return [`\`${name}\`, ${where}`, ...notes.filter(Boolean)].join(', ')
}

/** Results without `tlsLoader` are of before the load generator in C spoke TLS. */
const loaderText = ({ loader, tlsLoader = 'JavaScript' }) =>
  loader === tlsLoader ? loader : `${loader}, for TLS in ${tlsLoader}, which is about as busy as the servers`

/** What the figures of one processor depend on. */
export function runText(results) {
  const { date, nodes, cores, system, commit, changed, rounds, seconds, versions } = results
  const packages = Object.entries(versions)
    .filter(([name]) => !['hawser', 'net', 'node', 'ws-plain'].includes(name))
    .map(([name, version]) => `${named(name)} ${version}`)
  const at = commit === null ? 'unknown' : commit.slice(0, 10)
  const warning = changed
    ? ` **The tree had changes that are in no commit: the figures are those of ${at} with something unknown on top, and cannot be repeated exactly.**`
    : ''
  const helpers = Object.entries(results.wsHelpers ?? {}).map(
    ([version, uses]) => ` In ${shortNode(version)} ws ${uses}.`,
  )
  const alone = (results.alone ?? []).map((one) => ` By itself: ${aloneText(one)}.`)
  const inNodes = Object.values(nodes).map((version) => version.replace('v', ''))
  return `- **${shortCpu(results)}**: measured ${date} at commit ${at} on Node ${inNodes.join(' and ')}, ${cores} cores of ${results.cpu}, ${system}; ${rounds} rounds of ${seconds} s; load generator in ${loaderText(results)}; ${quietText(results)}${spreadText(results)}. Beside it: ${packages.join(', ')}.${helpers.join('')}${alone.join('')}${warning}`
}

/** A chart of charts.mjs, from docs/ on. */
const chart = ({ slug }, name, text) => `![${text}](../benchmarks/results/${slug}/${name}.svg)`

/** The rows of the parts by themselves. */
const PARTS = ['micro', 'instructions']

/**
 * What stands between each pair of markers.
 * @param all the results of each processor, the last measured first: absolute figures are those of the first
 */
export function makeRegions(all, floors = FLOORS, reasons = REASONS) {
  const [last] = all
  const parts = {
    run: [all.map((results) => runText(results)).join('\n')],
    ratios: [
      verdictText(all, floors, reasons),
      ratioTable(all, floors),
      ...all.map((results) => chart(results, 'ratios', `Ratios to ws and to Bun, ${shortCpu(results)}`)),
    ],
    messages: [
      ...medianTables(last, ['echo', 'fanout', 'once', 'handshakes', 'client']),
      chart(last, 'echo', 'Echo: messages a second'),
    ],
    memory: [...medianTables(last, ['idle']), chart(last, 'memory', 'Memory of an idle connection')],
    latency: [latencyTable(last), chart(last, 'latency', 'Round trips under full load')],
    replies: [replyTable(last)],
    cores: [coresTable(last)],
    parts: last.rows.some(({ kind }) => PARTS.includes(kind))
      ? [medianTable(last, 'this', PARTS)]
      : ['Not measured in this run.'],
  }
  return Object.fromEntries(Object.entries(parts).map(([name, texts]) => [name, texts.join('\n\n')]))
}

/**
 * @param kind the first part of the markers
 * @returns the text with every region filled
 * @throws where one has lost its markers
 */
export function fillRegions(text, regions, page = 'docs/performance.md', kind = 'bench') {
  return Object.entries(regions).reduce((filled, [name, region]) => {
    const between = new RegExp(
      `(?<=^<!-- ${kind}:${name} -->\\n)[\\s\\S]*?(?=^<!-- /${kind}:${name} -->$)`,
      'm',
    )
    if (!between.test(filled)) throw new Error(`${page} has lost its markers of ${name}`)
    return filled.replace(between, () => `\n${region}\n\n`)
  }, text)
}
