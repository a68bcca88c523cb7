/** What the charts show, from the results: lists of `{ row, series, value, ... }`. */
import { floorOf, FLOORS } from '../floors.mjs'
import { ratio } from './statistics.mjs'

const SHOWN = ['hawser', 'ws', 'bun']
const BARE = ['net', 'handle']
const NAMES = { hawser: 'Hawser', bun: 'Bun', net: 'bare net.Socket', handle: 'bare handle' }
const named = (name) => NAMES[name] ?? name

const nodeOf = (results, row) => `Node ${/\d+/.exec(results.nodes[row.node])[0]}`
const measured = (contenders) => Object.entries(contenders).filter(([, one]) => !one.error)

/** Ratios of all rows that have a floor: above 1, Hawser is better. */
export function ratioData(results, floors = FLOORS) {
  return results.rows.flatMap((row) => {
    const { name, node, contenders, lowerIsBetter } = row
    const floor = floorOf(name, node, floors)
    if (floor === undefined) return []
    return ['ws', 'bun'].flatMap((to) => {
      const value = ratio(contenders.hawser, contenders[to], lowerIsBetter)
      const series = `to ${named(to)}, ${nodeOf(results, row)}`
      return value === null ? [] : [{ row: name, series, value, floor: floor[to] ?? null }]
    })
  })
}

/** Medians of the rows of one kind; what does not run in Node stands there once. */
export function medianData(results, kind) {
  const shown = kind === 'idle' ? [...SHOWN, 'net'] : [...SHOWN, ...BARE]
  return results.rows
    .filter((row) => row.kind === kind)
    .flatMap((row) =>
      measured(row.contenders)
        .filter(([series]) => shown.includes(series) && (series !== 'bun' || row.node === 'this'))
        .map(([series, one]) => ({
          row: row.name,
          series: series === 'bun' ? 'Bun' : `${named(series)}, ${nodeOf(results, row)}`,
          value: one.median,
        })),
    )
}

/** Round trips in microseconds: half of them are shorter than `value`, 99 of 100 shorter than `value2`. */
export function latencyData({ rows }) {
  return rows
    .filter(({ node }) => node === 'this')
    .flatMap(({ name, contenders }) =>
      measured(contenders)
        .filter(([series, one]) => one.latency && SHOWN.includes(series))
        .map(([series, { latency }]) => ({
          row: name,
          series: named(series),
          value: latency.p50,
          value2: latency.p99,
        })),
    )
}
