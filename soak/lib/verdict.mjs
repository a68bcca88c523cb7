/** Which rows are clean: bounds are compared here, and nowhere else. */
import { LEFT_BYTES, LEFT_COMPILED_BYTES, LEFT_RESIDENT_BYTES } from './bounds.mjs'
import { LATENCY_FACTOR } from './settings.mjs'

const MIB = 1024 * 1024
const mebibytes = (bytes) => `${(bytes / MIB).toFixed(1)} MiB`
const kibibytes = (bytes) => `${Math.round(bytes / 1024).toLocaleString('en')} KiB`
const micros = (value) => `${Math.round(value).toLocaleString('en')} µs`

/**
 * Notes in each row what the floods are compared with: the median of the quiet p99s of the run. A single one depends on whether
 * a collection of garbage falls into its seconds: they were 497 to 17,802 us in one run, of the same traffic.
 */
export function noteUsualP99(rows) {
  const sorted = rows.map(({ quiet }) => quiet.p99).sort((a, b) => a - b)
  const middle = sorted.length / 2
  const usualP99 = (sorted[Math.ceil(middle) - 1] + sorted[Math.floor(middle)]) / 2
  for (const row of rows) row.usualP99 = usualP99
}

/** p99 under the flood, of the usual quiet one. */
export const latencyRatio = ({ usualP99, flood }) => flood.p99 / usualP99

/**
 * What is wrong with a scenario, of which the usual p99 is noted.
 * @param isQuick latencies are not judged then: a quick run is for a busy machine
 * @returns texts; none: it is clean
 */
export function faultsOfLoad(row, isQuick) {
  const { usualP99, flood, memory, harm, settled } = row
  const faults = []
  const ratio = latencyRatio(row)
  if (!isQuick && !(ratio <= LATENCY_FACTOR)) {
    faults.push(
      `p99 ${micros(flood.p99)} is ${ratio.toFixed(1)} times the usual quiet one, ${micros(usualP99)}; at most ${LATENCY_FACTOR} times is allowed`,
    )
  }
  if (memory.flood.rss > memory.bound)
    faults.push(`${mebibytes(memory.flood.rss)} resident, at most ${mebibytes(memory.bound)} are allowed`)
  for (const [who, { gone, wrong, lastCode }] of Object.entries(harm)) {
    if (gone > 0) faults.push(`${gone} of the ${who} clients are gone, the last one with ${lastCode}`)
    if (wrong > 0) faults.push(`${wrong} wrong answers to the ${who} clients`)
  }
  if (!(flood.samples > 0)) faults.push('the probe got no answers')
  if (settled.left !== 0)
    faults.push(`${settled.left} connections more than before are open ${settled.ms} ms after the flood`)
  return faults
}

/** Outcomes of a way that are not what it means: a peer may meet a busy machine now and then. */
const OTHER_SHARE = 0.01
const OTHER_COUNT = 2

function faultsOfWays(ways) {
  return ways.flatMap(({ kind, name, outcomes }) => {
    const { done = 0, ...others } = outcomes
    const other = Object.values(others).reduce((sum, count) => sum + count, 0)
    if (other <= OTHER_SHARE * (done + other) + OTHER_COUNT && (outcomes.stuck ?? 0) === 0) return []
    const shown = Object.entries(others).filter(([, count]) => count > 0)
    return [
      `"${kind}: ${name}" ended otherwise in ${other} of ${done + other}: ${shown.map(([what, count]) => `${what} ${count}`).join(', ')}`,
    ]
  })
}

/** Memory, handles and files that are there after the connections and were not before: bytes, and texts. `bytes`: objects and external memory. */
export function leftOf({ before, after }) {
  return {
    bytes: after.objects + after.external - before.objects - before.external,
    compiled: after.compiled - before.compiled,
    resident: after.rss - before.rss,
    files: after.files - before.files,
    timers: after.timers,
    connections: after.connections,
    handles: Object.keys({ ...before.handles, ...after.handles })
      .map((kind) => [kind, (after.handles[kind] ?? 0) - (before.handles[kind] ?? 0)])
      .filter(([, count]) => count !== 0)
      .map(([kind, count]) => `${count > 0 ? '+' : ''}${count} ${kind}`),
  }
}

/** What is wrong with a row of the leaks. @returns texts; none: it is clean */
export function faultsOfLeaks(row) {
  const { bytes, compiled, resident, files, timers, connections, handles } = leftOf(row)
  const faults = []
  if (!Number.isFinite(bytes + compiled + resident)) faults.push('what is left was not measured')
  if (bytes > LEFT_BYTES)
    faults.push(
      `${kibibytes(bytes)} of objects and external memory are left, at most ${kibibytes(LEFT_BYTES)} are allowed`,
    )
  if (compiled > LEFT_COMPILED_BYTES)
    faults.push(
      `V8 keeps ${mebibytes(compiled)} more of programs, at most ${mebibytes(LEFT_COMPILED_BYTES)} are allowed`,
    )
  if (resident > LEFT_RESIDENT_BYTES)
    faults.push(
      `${mebibytes(resident)} more are resident, at most ${mebibytes(LEFT_RESIDENT_BYTES)} are allowed`,
    )
  if (files !== 0) faults.push(`${files} more files are open`)
  if (timers !== 0) faults.push(`${timers} timers are left`)
  if (connections !== 0) faults.push(`${connections} connections are left`)
  if (handles.length > 0) faults.push(`handles: ${handles.join(', ')}`)
  return [...faults, ...faultsOfWays(row.ways)]
}
