/** The results of the bench of brokers as tables in Markdown, for docs/scaling.md. */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { percent } from '../lib/quiet.mjs'
import { FOLDER, readAllResults } from '../lib/read-results.mjs'
import { CONTENDERS, keyOf, ROWS } from './plan.mjs'

/** The results of every processor, the last measured first. */
export function readBrokerResults(folder = path.join(FOLDER, 'brokers')) {
  return existsSync(folder) ? readAllResults(folder) : []
}

/** Figures stand to the right, the load and whose figures they are to the left. */
const table = (head, rows) => {
  const line = (cells) => `| ${cells.join(' | ')} |`
  const ruler = head.map((title) => (title === 'load' || title === 'of' ? '---' : '---:'))
  return [line(head), line(ruler), ...rows.map(line)].join('\n')
}

const whole = (value) => Math.round(value).toLocaleString('en')
const micros = (value) => (value < 0 ? '–' : value >= 100 ? whole(value) : value.toPrecision(3))
const perSecond = (value) =>
  value >= 1e6
    ? `${(value / 1e6).toFixed(2)} M`
    : value >= 1e4
      ? `${(value / 1e3).toFixed(0)} k`
      : whole(value)

const found = (row, contender, setup) => {
  const one = row?.contenders[keyOf(contender, setup)]
  return one === undefined || one.error ? undefined : one
}
const failed = (row, contender, setup) => row?.contenders[keyOf(contender, setup)]?.error !== undefined
const cell = (row, contender, setup, show) => {
  const one = found(row, contender, setup)
  return one === undefined ? (failed(row, contender, setup) ? 'failed' : '') : show(one)
}

const ONE = { processes: 1, third: null }
const TWO = { processes: 2, third: null }
/** One process has no adapter: that of Socket.IO is measured once. */
const aloneOf = (name, rows) =>
  Object.keys(CONTENDERS).find(
    (other) => CONTENDERS[other].node === CONTENDERS[name].node && found(rows[0], other, ONE) !== undefined,
  ) ?? name

const namesIn = ({ rows }) =>
  Object.keys(CONTENDERS).filter((name) =>
    rows.some(({ contenders }) => Object.keys(contenders).some((key) => key.startsWith(`${name}, `))),
  )

const withCpu = (one) => `${perSecond(one.median)} · ${micros(one.cpuMicros)} µs`

/** Two processes beside one. */
function deliveryTable({ rows }, names) {
  const chosen = rows.filter((row) => names.some((name) => found(row, aloneOf(name, rows), ONE)))
  return table(
    ['load', 'of', '1 process', '2 processes', '2 to 1'],
    chosen.flatMap((row) =>
      names.map((name) => {
        const alone = aloneOf(name, rows)
        const [one, two] = [found(row, alone, ONE), found(row, name, TWO)]
        const ratio = one === undefined || two === undefined ? '' : (two.median / one.median).toFixed(2)
        return [
          row.name,
          CONTENDERS[name].title,
          cell(row, alone, ONE, withCpu),
          cell(row, name, TWO, withCpu),
          ratio,
        ]
      }),
    ),
  )
}

/** What the broker does for a message. */
function costTable({ rows }, names) {
  const setupOf = (row) =>
    ROWS.find(({ name }) => name === row.name)?.setups.find(({ processes }) => processes > 1)
  return table(
    ['load', 'of', 'commands', 'bytes to it', 'bytes from it', 'its processor time, µs'],
    rows.flatMap((row) =>
      names.flatMap((name) => {
        const one = found(row, name, setupOf(row) ?? TWO)
        if (one?.commandsPerMessage === undefined) return []
        const { commandsPerMessage, bytesInPerMessage, bytesOutPerMessage, brokerCpuMicros } = one
        return [
          [
            row.name,
            CONTENDERS[name].title,
            commandsPerMessage.toFixed(2),
            whole(bytesInPerMessage),
            whole(bytesOutPerMessage),
            micros(brokerCpuMicros),
          ],
        ]
      }),
    ),
  )
}

/** From the write of the publisher to a member at its own node, and to one at the other. */
function latencyTable({ rows }, names) {
  const row = rows.find(({ name }) => name.startsWith('latency'))
  const points = ['localP50', 'localP99', 'remoteP50', 'remoteP99', 'addedP50', 'addedP99']
  return table(
    ['of', ...points.map((point) => point.replace('P', ' p'))],
    names.map((name) => [
      CONTENDERS[name].title,
      ...points.map((point) => cell(row, name, TWO, (one) => micros(one[point]))),
    ]),
  )
}

/** A third node, at which the publisher is, or which only listens. */
function thirdTable({ rows }, names) {
  const setup = { processes: 2, third: 'publishes' }
  const rowWhere = (fits) =>
    rows.find((row) => names.some((name) => found(row, name, setup) && fits(found(row, name, setup))))
  const from = rowWhere(({ thirdReadPerMessage }) => thirdReadPerMessage === undefined)
  const beside = rowWhere(({ thirdReadPerMessage }) => thirdReadPerMessage !== undefined)
  return table(
    [
      'of',
      'deliveries/s · processor time for each',
      'a node that only listens reads, B a message',
      'its processor time, µs a message',
    ],
    names.map((name) => [
      CONTENDERS[name].title,
      cell(from, name, setup, withCpu),
      cell(beside, name, setup, (one) => whole(one.thirdReadPerMessage)),
      cell(beside, name, setup, (one) => micros(one.thirdCpuMicros)),
    ]),
  )
}

export function quietText({ noisyRows, worstShare, loadBefore }) {
  if (worstShare === null) return 'whether the machine was quiet was not measured'
  const before = `load average ${loadBefore.toFixed(2)} before`
  return noisyRows.length === 0
    ? `the machine was quiet (${before}, other processes at most ${percent(worstShare)} of a core)`
    : `**the machine was not quiet** (${before}): other processes took up to ${percent(worstShare)} of a core, in ${noisyRows.length} ${noisyRows.length === 1 ? 'row' : 'rows'}`
}

/** What the figures depend on. */
export function runText(results) {
  const { date, commit, changed, node, cores, cpu, system, rounds, seconds, quiet, versions } = results
  const others = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const warning = changed ? ' **The tree had changes that are in no commit.**' : ''
  return `Measured ${date} at commit ${(commit ?? 'unknown').slice(0, 10)} on Node ${node.replace('v', '')}, ${cores} cores of ${cpu}, ${system}; ${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s; ${quietText(quiet)}. With ${others.join(', ')}.${warning}`
}

/** Everything between the markers `bench:brokers`. @param results those of one processor */
export function brokerText(results) {
  const names = namesIn(results)
  return [
    runText(results),
    'Deliveries a second, and the processor time of all nodes for each:',
    deliveryTable(results, names),
    'What the broker does for each message that is published, with two nodes that have members:',
    costTable(results, names),
    'Microseconds from the write of the publisher to a member at its own node (`local`) and at the other (`remote`), with nothing else to do:',
    latencyTable(results, names),
    'A third node without members: the publisher is connected to it; and what it hears where it only listens, while others publish to 1,000 groups.',
    thirdTable(results, names),
  ].join('\n\n')
}
