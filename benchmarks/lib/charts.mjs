/** Charts of the results as SVG, drawn by Vega. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { here } from './contenders.mjs'
import { ratio } from './statistics.mjs'

const FOLDER = 'results'
const COLORS = ['#2563a8', '#d9822b', '#5b8c5a', '#8a5ba8', '#b0413e', '#6b7280', '#0f9aa8', '#9a7b4f']
const BAR_HEIGHT = 14

/** Ratios of all rows that have one: above 1, Hawser is better. */
export function ratioData({ rows }) {
  return rows.flatMap(({ name, contenders, lowerIsBetter, floor }) =>
    ['ws', 'bun'].flatMap((to) => {
      const value = ratio(contenders.hawser, contenders[to], lowerIsBetter)
      return value === null
        ? []
        : [{ row: name, series: `to ${to === 'bun' ? 'Bun' : to}`, value, floor: floor?.[to] ?? null }]
    }),
  )
}

/** Medians of one unit, for every contender. */
export function medianData({ rows }, kind, scale = 1) {
  return rows
    .filter((row) => row.kind === kind && !/^TLS|fragments|MiB/.test(row.name))
    .flatMap(({ name, contenders }) =>
      Object.entries(contenders)
        .filter(([, one]) => !one.error)
        .map(([series, one]) => ({ row: name, series, value: one.median * scale })),
    )
}

/** Round trips of one percentile, in microseconds. */
export function latencyData({ rows }, point) {
  return rows.flatMap(({ name, contenders }) =>
    Object.entries(contenders)
      .filter(([series, one]) => one.latency && ['hawser', 'ws', 'bun'].includes(series))
      .map(([series, one]) => ({ row: name, series: `${series} ${point}`, value: one.latency[point] })),
  )
}

/** Groups of horizontal bars, one group a row, on a logarithmic axis; a tick where a floor is. */
export function barSpec(values, { title, axis, lineAt }) {
  const rows = [...new Set(values.map(({ row }) => row))]
  const series = [...new Set(values.map((one) => one.series))]
  const band = { scale: 'row', field: 'row' }
  const low = Math.min(...values.map(({ value }) => value), lineAt ?? Infinity)
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    width: 560,
    height: rows.length * (series.length * BAR_HEIGHT + 8),
    padding: 8,
    background: 'white',
    title: { text: title, anchor: 'start', fontSize: 14 },
    data: [{ name: 'table', values }],
    scales: [
      { name: 'row', type: 'band', domain: rows, range: 'height', paddingInner: 0.18 },
      { name: 'color', type: 'ordinal', domain: series, range: COLORS },
      { name: 'inner', type: 'band', domain: series, range: { signal: "[0, bandwidth('row')]" } },
      {
        name: 'x',
        type: 'log',
        domain: { data: 'table', field: 'value' },
        domainMin: low / 1.3,
        range: 'width',
        nice: false,
      },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: axis, grid: true, tickCount: 6, format: '~s' },
      { orient: 'left', scale: 'row', labelLimit: 260, ticks: false, domain: false },
    ],
    legends: [{ fill: 'color', orient: 'top', direction: 'horizontal' }],
    marks: [
      {
        type: 'rect',
        from: { data: 'table' },
        encode: {
          enter: {
            y: { ...band, offset: { scale: 'inner', field: 'series' } },
            height: { scale: 'inner', band: 0.9 },
            x: { scale: 'x', signal: String(low / 1.3) },
            x2: { scale: 'x', field: 'value' },
            fill: { scale: 'color', field: 'series' },
          },
        },
      },
      {
        type: 'text',
        from: { data: 'table' },
        encode: {
          enter: {
            y: { ...band, offset: { scale: 'inner', field: 'series' } },
            dy: { scale: 'inner', band: 0.45 },
            x: { scale: 'x', field: 'value', offset: 4 },
            baseline: { value: 'middle' },
            fontSize: { value: 10 },
            text: { signal: "datum.value >= 1000 ? format(datum.value, '.3~s') : format(datum.value, '.3~r')" },
          },
        },
      },
      {
        type: 'rect',
        from: { data: 'floors' },
        encode: {
          enter: {
            y: { ...band, offset: { scale: 'inner', field: 'series' } },
            height: { scale: 'inner', band: 0.9 },
            x: { scale: 'x', field: 'floor', offset: -1 },
            width: { value: 2 },
            fill: { value: '#111' },
          },
        },
      },
      ...(lineAt === undefined
        ? []
        : [
            {
              type: 'rule',
              encode: {
                enter: {
                  x: { scale: 'x', value: lineAt },
                  y: { value: 0 },
                  y2: { signal: 'height' },
                  stroke: { value: '#111' },
                  strokeDash: { value: [4, 3] },
                },
              },
            },
          ]),
    ],
  }
}

/** Those of the values that have a floor, as a second table. */
const withFloors = (spec) => {
  const [table] = spec.data
  const floors = table.values.filter(({ floor }) => typeof floor === 'number')
  return { ...spec, data: [table, { name: 'floors', values: floors }] }
}

function listCharts(results) {
  return [
    [
      'ratios',
      ratioData(results),
      { title: 'Hawser beside ws and Bun, in one run', axis: 'times as good (tick: the floor)', lineAt: 1 },
    ],
    ['echo', medianData(results, 'echo'), { title: 'Echo', axis: 'messages a second' }],
    [
      'latency',
      ['p50', 'p99'].flatMap((point) => latencyData(results, point)),
      { title: 'Round trips under full load', axis: 'microseconds' },
    ],
    ['memory', medianData(results, 'idle'), { title: 'An idle connection', axis: 'bytes resident' }],
  ]
}

/** @returns the files written, from benchmarks/ on */
export async function drawCharts(results) {
  const { parse, View } = await import('vega')
  mkdirSync(here(FOLDER), { recursive: true })
  const written = []
  for (const [name, values, options] of listCharts(results)) {
    const usable = values.filter(({ value }) => value > 0)
    if (usable.length === 0) continue
    const view = new View(parse(withFloors(barSpec(usable, options))), { renderer: 'none' })
    const svg = await view.toSVG()
    view.finalize()
    writeFileSync(here(`${FOLDER}/${name}.svg`), `${svg}\n`)
    written.push(`${FOLDER}/${name}.svg`)
  }
  return written
}
