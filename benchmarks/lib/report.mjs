/** What is printed: a line for each row as soon as it is measured, and the sum at the end. */
import { NOISY, percent } from './quiet.mjs'
import { ratio } from './statistics.mjs'

/** A figure in the least room: 1.2, 123, 12 k, 1.23 M. */
export function short(value) {
  const size = Math.abs(value)
  if (size >= 1e6) return `${(value / 1e6).toFixed(2)} M`
  if (size >= 1e4) return `${(value / 1e3).toFixed(size >= 1e5 ? 0 : 1)} k`
  return value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0)
}

const times = (value) => (value === null ? '-' : `${value >= 10 ? value.toFixed(1) : value.toFixed(2)} x`)
const atLeast = (value) => (value === undefined ? '' : `>= ${value}`)

/** A floor in the column of ws, which a bound on the figure itself takes where there is none. */
function formatFloor({ ws, atMost }) {
  if (ws !== undefined || atMost === undefined) return atLeast(ws)
  if (atMost.value !== undefined) return `<= ${atMost.value}`
  return `<= ${atMost.contender}${atMost.plus === 0 ? '' : '+'}`
}

function formatMedian(name, one, unit) {
  if (one.error) return `${name} (${one.error})`
  const perSecond = unit === 'ns' && one.bytes ? ` (${(one.bytes / one.median).toFixed(2)} GB/s)` : ''
  // Processor time of who is measured, of all its threads, for each message.
  const cpu = one.cpuMicros === undefined ? '' : ` ${short(one.cpuMicros)} us`
  return `${name} ${short(one.median)}${perSecond} ±${Math.round(one.spread * 100)} %${cpu}`
}

export const HEAD = [
  'row'.padEnd(50),
  'Node'.padEnd(5),
  'to ws'.padStart(8),
  'floor'.padStart(8),
  'to Bun'.padStart(8),
  'floor'.padStart(8),
  '  ',
  'result'.padEnd(13),
  'medians, ± spread, processor time of the server for each',
].join('')

/** One line: ratios first (above 1: Hawser is better), the floors, the medians and their spread last. */
export function formatRow(row, floor = {}, verdict = { status: '', why: [] }) {
  const { hawser, 'hawser-2': two, 'hawser-1': one } = row.contenders
  const twice = two === undefined ? '' : `; 2 processes are ${times(ratio(two, one))} as fast as 1`
  const to = (name) => times(ratio(hawser, row.contenders[name], row.lowerIsBetter))
  const medians = Object.entries(row.contenders).map(([name, one]) => formatMedian(name, one, row.unit))
  const missing = verdict.missing === undefined ? '' : ` ${verdict.missing.toFixed(2)} x`
  const others = Math.max(0, ...Object.values(row.contenders).map(({ othersShare }) => othersShare ?? 0))
  const noise = others > NOISY ? `; NOT QUIET: others took ${percent(others)} of a core` : ''
  return [
    row.name.padEnd(50),
    String(row.node ?? '')
      .replace(/^v?(\d+).*/, '$1')
      .padEnd(5),
    to('ws').padStart(8),
    formatFloor(floor).padStart(8),
    to('bun').padStart(8),
    atLeast(floor.bun).padStart(8),
    '  ',
    `${verdict.status === 'no floor' ? '' : verdict.status}${missing}`.padEnd(13),
    `${row.unit}: ${medians.join(', ')}${twice}${noise}`,
  ].join('')
}

/** Where a terminal is, one line that is written over; else nothing, for progress fills no log. */
export function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

/** What is below its floor or could not be compared, in words. @param nodes versions, by name @returns whether all is well */
export function printSum(rows, nodes) {
  const judged = rows.filter(({ verdict }) => verdict.status !== 'no floor' && verdict.status !== 'not here')
  const bad = judged.filter(({ verdict }) => verdict.status !== 'ok')
  console.log(
    `\n${judged.length - bad.length} of ${judged.length} rows with a floor are where they have to be`,
  )
  for (const { name, node, verdict } of bad)
    console.log(`${verdict.status}: ${name}, Node ${nodes[node]}: ${verdict.why.join('; ')}`)
  return bad.length === 0
}
