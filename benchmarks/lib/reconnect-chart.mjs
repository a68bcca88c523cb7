/** The chart of a rolling restart: how many clients come back in each second, with and without a spread (docs/guides/deploys.md). */
import { drawSpec } from './draw.mjs'

const COLORS = ['#d9822b', '#2563a8']

/** @param runs of test/stress/rolling-restart.mjs: their `spreadMs`, and `at`, the seconds at which clients were back */
export function reconnectSpec(runs) {
  const series = runs.map(({ spreadMs }) =>
    spreadMs === 0 ? 'close()' : `close({ spreadMs: ${spreadMs.toLocaleString('en').replaceAll(',', '_')} })`,
  )
  const table = runs.flatMap(({ at }, index) => {
    const counts = new Map()
    for (const second of at.map(Math.floor)) counts.set(second, (counts.get(second) ?? 0) + 1)
    return [...counts].map(([second, count]) => ({ second, count, series: series[index] }))
  })
  const x = { scale: 'x', field: 'second' }
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    width: 600,
    height: 240,
    padding: 8,
    background: 'white',
    title: {
      text: 'Clients that come back, in each second of a rolling restart of two nodes',
      anchor: 'start',
      fontSize: 14,
    },
    data: [{ name: 'table', values: table }],
    scales: [
      {
        name: 'x',
        domain: [0, Math.max(...table.map(({ second }) => second)) + 1],
        range: 'width',
        nice: true,
      },
      { name: 'y', domain: { data: 'table', field: 'count' }, range: 'height', zero: true, nice: true },
      { name: 'color', type: 'ordinal', domain: series, range: COLORS },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: 'seconds' },
      { orient: 'left', scale: 'y', title: 'clients', grid: true },
    ],
    legends: [{ fill: 'color', orient: 'top', direction: 'horizontal', labelLimit: 400 }],
    marks: [
      {
        type: 'rect',
        from: { data: 'table' },
        encode: {
          enter: {
            x,
            x2: { scale: 'x', signal: 'datum.second + 0.85' },
            y: { scale: 'y', field: 'count' },
            y2: { scale: 'y', value: 0 },
            fill: { scale: 'color', field: 'series' },
            fillOpacity: { value: 0.85 },
          },
        },
      },
    ],
  }
}

/** Writes the chart as SVG. */
export const drawReconnects = (runs, file) => drawSpec(reconnectSpec(runs), file)
