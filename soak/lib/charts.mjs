/** The charts of the soak as SVG. */
import path from 'node:path'
import { chartSpec } from '../../benchmarks/lib/charts.mjs'
import { drawSpec } from '../../benchmarks/lib/draw.mjs'
import { SCENARIOS } from './attacks.mjs'

const MIB = 1024 * 1024
const COLORS = ['#2563a8', '#d9822b', '#5b8c5a', '#8a5ba8']
const titleOf = (name) => SCENARIOS.find((one) => one.name === name)?.title ?? name

/** For each flood the quiet and the flood, from p50 to p99. */
export const latencyData = ({ rows }) =>
  rows.flatMap(({ name, quiet, flood }) =>
    Object.entries({ quiet, 'under the flood': flood }).map(([series, { p50, p99 }]) => ({
      ...{ row: titleOf(name), series, value: p50, value2: p99 },
    })),
  )

export const memoryData = ({ rows }) =>
  rows.flatMap(({ name, memory }) =>
    Object.entries({ quiet: memory.quiet.rss, 'under the flood': memory.flood.rss, bound: memory.bound }).map(
      ([series, bytes]) => ({
        ...{ row: titleOf(name), series, value: bytes / MIB },
      }),
    ),
  )

/** What is left on the way, of each part. */
export const leakData = ({ leaks }) =>
  leaks.flatMap(({ title, connections, looks }) =>
    looks.map((look) => ({
      series: title,
      share: (100 * look.connections) / connections,
      bytes: (look.objects + look.external) / MIB,
    })),
  )

function leakSpec(results) {
  const values = leakData(results)
  const series = [...new Set(values.map((one) => one.series))]
  const x = { scale: 'x', field: 'share' }
  const y = { scale: 'y', field: 'bytes' }
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    ...{ width: 600, height: 240, padding: 8, background: 'white' },
    title: {
      text: 'Objects and external memory after collections, while connections come and go',
      anchor: 'start',
      fontSize: 14,
    },
    data: [{ name: 'table', values }],
    scales: [
      { name: 'x', domain: [0, 100], range: 'width' },
      { name: 'y', domain: { data: 'table', field: 'bytes' }, range: 'height', zero: true, nice: true },
      { name: 'color', type: 'ordinal', domain: series, range: COLORS },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: '% of the connections' },
      { orient: 'left', scale: 'y', title: 'MiB', grid: true },
    ],
    legends: [{ fill: 'color', orient: 'top', direction: 'horizontal', labelLimit: 400 }],
    marks: [
      {
        type: 'group',
        from: { facet: { name: 'one', data: 'table', groupby: 'series' } },
        marks: [
          {
            type: 'line',
            from: { data: 'one' },
            encode: {
              enter: { x, y, stroke: { scale: 'color', field: 'series' }, strokeWidth: { value: 2 } },
            },
          },
          {
            type: 'symbol',
            from: { data: 'one' },
            encode: { enter: { x, y, fill: { scale: 'color', field: 'series' }, size: { value: 30 } } },
          },
        ],
      },
    ],
  }
}

/** @param results of a whole run @param folder where the charts go */
export async function drawCharts(results, folder) {
  const specs = {
    latency: chartSpec(latencyData(results), {
      title: 'Round trips of a well-behaved client',
      axis: 'microseconds: from the median (dot, and in figures) to the 99th percentile',
      format: '~s',
    }),
    memory: chartSpec(memoryData(results), {
      title: 'Resident memory of the server',
      axis: 'MiB',
      format: '~s',
    }),
    leaks: leakSpec(results),
  }
  for (const [name, spec] of Object.entries(specs)) await drawSpec(spec, path.join(folder, `${name}.svg`))
}
