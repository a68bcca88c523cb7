/** What the charts show, from the results: lists of `{ row, series, value, ... }`. */
import { ratio } from './statistics.mjs'

const LATENCY_OF = ['hawser', 'ws', 'bun']

/** Ratios of all rows that have a floor: above 1, Hawser is better. */
export function ratioData({ rows }) {
  return rows
    .filter(({ floor }) => floor)
    .flatMap(({ name, contenders, lowerIsBetter, floor }) =>
      ['ws', 'bun'].flatMap((to) => {
        const value = ratio(contenders.hawser, contenders[to], lowerIsBetter)
        const series = `to ${to === 'bun' ? 'Bun' : to}`
        return value === null ? [] : [{ row: name, series, value, floor: floor[to] ?? null }]
      }),
    )
}

const measured = (contenders) => Object.entries(contenders).filter(([, one]) => !one.error)

/** Medians of the rows of one kind that most contenders have a part in. */
export function medianData({ rows }, kind) {
  const ofKind = rows.filter((row) => row.kind === kind)
  const most = Math.max(0, ...ofKind.map(({ contenders }) => measured(contenders).length))
  return ofKind
    .filter(({ contenders }) => kind === 'idle' || measured(contenders).length === most)
    .flatMap(({ name, contenders }) =>
      measured(contenders).map(([series, one]) => ({ row: name, series, value: one.median })),
    )
}

/** Round trips in microseconds: half of them are shorter than `value`, 99 of 100 shorter than `value2`. */
export function latencyData({ rows }) {
  return rows.flatMap(({ name, contenders }) =>
    measured(contenders)
      .filter(([series, one]) => one.latency && LATENCY_OF.includes(series))
      .map(([series, { latency }]) => ({ row: name, series, value: latency.p50, value2: latency.p99 })),
  )
}
