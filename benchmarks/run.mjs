/**
 * Hawser against `ws`, in one run: parser, masking, echo. Each contender runs in fresh processes, the order alternates,
 * medians count, and ratios come first. See benchmarks/README.md.
 */
import { existsSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { findLoader, runEcho, runMicro } from './lib/processes.mjs'
import { median, spread } from './lib/statistics.mjs'
import { ECHO, MICRO } from './workloads.mjs'

const HELP = `npm run bench -- [flags]

  --rounds N     how often each contender runs (default 5)
  --seconds S    how long one echo run is measured (default 3)
  --only TEXT    only the rows whose name contains this
  --help         this text
`
const CONTENDERS = ['hawser', 'ws']

function readFlags() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '3' },
      only: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  })
  const rounds = Number(values.rounds)
  const seconds = Number(values.seconds)
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds must be 1 or more, not ${values.rounds}`)
  if (!(seconds > 0 && seconds <= 600))
    throw new Error(`--seconds must be above 0, up to 600, not ${values.seconds}`)
  return { rounds, seconds, only: values.only, help: values.help }
}

/** Runs every contender, the order turned round by round. @returns {Map<string, Map<string, number[]>>} by row */
async function alternate(rounds, row, measureOne) {
  const results = new Map()
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? CONTENDERS : [...CONTENDERS].reverse()
    for (const contender of order) {
      process.stderr.write(`\r\x1b[K${row}: round ${round + 1} of ${rounds}, ${contender}`)
      for (const [name, value] of Object.entries(await measureOne(contender))) {
        if (!results.has(name)) results.set(name, new Map(CONTENDERS.map((one) => [one, []])))
        results.get(name).get(contender).push(value)
      }
    }
  }
  process.stderr.write('\r\x1b[K')
  return results
}

const short = (value) =>
  value >= 10_000 ? `${(value / 1000).toFixed(0)} k` : value.toFixed(value < 100 ? 1 : 0)

/** One line: the ratio (above 1: Hawser is faster), the medians, and the larger of the two spreads. */
function printRow(name, unit, byContender) {
  const own = byContender.get('hawser')
  const other = byContender.get('ws')
  const ratio = unit === 'ns' ? median(other) / median(own) : median(own) / median(other)
  const noise = Math.max(spread(own), spread(other)) * 100
  console.log(
    `${name.padEnd(28)}${`${ratio.toFixed(2)} x`.padStart(9)}${short(median(own)).padStart(10)}` +
      `${short(median(other)).padStart(10)}  ${unit.padEnd(5)} ±${noise.toFixed(0)} %`,
  )
}

async function main() {
  let flags
  try {
    flags = readFlags()
  } catch (error) {
    console.error(`bench: ${error.message}`)
    return 2
  }
  if (flags.help) {
    console.log(HELP)
    return 0
  }
  if (!existsSync(new URL('../dist/esm/index.js', import.meta.url))) {
    console.error('bench: build first: npm run build')
    return 2
  }
  const loader = findLoader()
  console.log(
    `node ${process.version}, ${cpus().length} x ${cpus()[0].model.trim()}, load generator in ${loader.name}`,
  )
  console.log(`${''.padEnd(28)}${'ratio'.padStart(9)}${'hawser'.padStart(10)}${'ws'.padStart(10)}`)
  for (const name of MICRO.filter((row) => row.includes(flags.only))) {
    const rows = await alternate(flags.rounds, name, (contender) => runMicro(name, contender))
    for (const [row, byContender] of rows) printRow(row, 'ns', byContender)
  }
  for (const workload of ECHO.filter((row) => row.name.includes(flags.only))) {
    const rows = await alternate(flags.rounds, workload.name, async (contender) => {
      const timing = { seconds: flags.seconds, warmup: 1 }
      return { [workload.name]: (await runEcho(contender, loader, workload, timing)).perSecond }
    })
    for (const [row, byContender] of rows) printRow(row, 'msg/s', byContender)
  }
  return 0
}

process.exitCode = await main()
