/** Charts of the results as SVG, drawn by Vega. */
import { latencyData, medianData, ratioData } from './chart-data.mjs'
import { here } from './contenders.mjs'
import { drawSpec } from './draw.mjs'

const COLORS = [
  '#2563a8',
  '#d9822b',
  '#5b8c5a',
  '#8a5ba8',
  '#b0413e',
  '#6b7280',
  '#0f9aa8',
  '#9a7b4f',
  '#c2577f',
]
const LINE_HEIGHT = 14
const INK = { value: '#111' }

const inGroup = { scale: 'row', field: 'row', offset: { scale: 'inner', field: 'series' } }
const inMiddle = { ...inGroup, offset: { scale: 'inner', field: 'series', offset: LINE_HEIGHT / 2 - 1 } }
const color = { scale: 'color', field: 'series' }
const at = (field) => ({ scale: 'x', field })

/** Marks of a table. */
const marks = (type, encoding, table = 'table') => ({
  type,
  from: { data: table },
  encode: { enter: encoding },
})

/** Bars from a line on: on a logarithmic axis they have no other honest beginning. */
const barsFrom = (line) => [
  marks('rect', {
    y: inGroup,
    height: { scale: 'inner', band: 0.9 },
    x: { scale: 'x', value: line },
    x2: at('value'),
    fill: color,
  }),
  marks(
    'rect',
    { y: inGroup, height: { scale: 'inner', band: 0.9 }, x: at('floor'), width: { value: 2 }, fill: INK },
    'floors',
  ),
  {
    type: 'rule',
    encode: {
      enter: {
        x: { scale: 'x', value: line },
        y: { value: 0 },
        y2: { signal: 'height' },
        stroke: INK,
      },
    },
  },
]

/** A dot for each value, with a line to the second value where there is one. */
const dots = () => [
  marks('rule', { y: inMiddle, x: at('value'), x2: at('end'), stroke: color, strokeWidth: { value: 3 } }),
  marks('symbol', { y: inMiddle, x: at('value'), fill: color, size: { value: 60 } }),
]

/** Groups of lines, one group a row, on a logarithmic axis. */
export function chartSpec(data, { title, axis, format, line }) {
  const values = data.map((one) => {
    const end = one.value2 ?? one.value
    return { ...one, end, right: Math.max(one.value, end, line ?? 0) }
  })
  const rows = [...new Set(values.map(({ row }) => row))]
  const series = [...new Set(values.map((one) => one.series))]
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    width: 560,
    height: rows.length * (series.length * LINE_HEIGHT + 8),
    padding: { left: 8, top: 8, bottom: 8, right: 48 },
    background: 'white',
    title: { text: title, anchor: 'start', fontSize: 14 },
    data: [
      { name: 'table', values },
      { name: 'floors', values: values.filter(({ floor }) => typeof floor === 'number') },
    ],
    scales: [
      { name: 'row', type: 'band', domain: rows, range: 'height', paddingInner: 0.18 },
      { name: 'color', type: 'ordinal', domain: series, range: COLORS },
      { name: 'inner', type: 'band', domain: series, range: { signal: "[0, bandwidth('row')]" } },
      {
        name: 'x',
        type: 'log',
        domain: domainOf(values, line),
        range: 'width',
      },
    ],
    axes: [
      { orient: 'bottom', scale: 'x', title: axis, grid: true, tickCount: 5, format },
      { orient: 'left', scale: 'row', labelLimit: 400, ticks: false, domain: false },
    ],
    legends: [{ fill: 'color', orient: 'top', direction: 'horizontal' }],
    marks: [
      ...(line === undefined ? dots() : barsFrom(line)),
      marks('text', {
        y: inMiddle,
        x: { scale: 'x', field: 'right', offset: 7 },
        baseline: { value: 'middle' },
        fontSize: { value: 10 },
        text: { signal: "format(datum.value, datum.value >= 1000 ? '.3~s' : '.3~r')" },
      }),
    ],
  }
}

function domainOf(values, line) {
  const all = values.flatMap(({ value, end, floor }) => [value, end, floor ?? value, line ?? value])
  return [Math.min(...all) / 1.15, Math.max(...all) * 1.05]
}

const listCharts = (results) => ({
  ratios: [
    ratioData(results),
    {
      title: 'Hawser beside ws and Bun, in one run',
      axis: 'times as good (black tick: the floor)',
      format: '.2~f',
      line: 1,
    },
  ],
  echo: [medianData(results, 'echo'), { title: 'Echo', axis: 'messages a second', format: '~s' }],
  latency: [
    latencyData(results),
    {
      title: 'Round trips under full load',
      axis: 'microseconds: from the median (dot, and in figures) to the 99th percentile',
      format: '~s',
    },
  ],
  memory: [
    medianData(results, 'idle'),
    { title: 'An idle connection', axis: 'bytes resident', format: '~s' },
  ],
})

/** @param results with the `slug` of their processor, which has a folder of its own @returns the files written, from benchmarks/ on */
export async function drawCharts(results) {
  const folder = `results/${results.slug}`
  const written = []
  for (const [name, [data, options]] of Object.entries(listCharts(results))) {
    const usable = data.filter(({ value }) => value > 0)
    if (usable.length === 0) continue
    await drawSpec(chartSpec(usable, options), here(`${folder}/${name}.svg`))
    written.push(`${folder}/${name}.svg`)
  }
  return written
}
