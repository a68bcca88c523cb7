/** The flags of `npm run bench:brokers`. */
import { parseArgs } from 'node:util'
import { readNumber } from '../lib/flags.mjs'
import { CONTENDERS, ROWS } from './plan.mjs'

export const HELP = `npm run bench:brokers -- [flags]

  --only TEXT          only the rows whose name contains this (several times for several)
  --contenders LIST    all by default: ${Object.keys(CONTENDERS).join(', ')}
  --rounds N           how often each of them runs (default 4)
  --seconds S          how long one run is measured (default 1.5)
  --quick              one round of 0.2 s with fewer members: does it all run? The figures mean nothing
  --json FILE          where the results go (default benchmarks/results/brokers/PROCESSOR.json, where everything was measured)
  --list               the rows
  --help               this text
`

const OPTIONS = {
  only: { type: 'string', multiple: true, default: [] },
  contenders: { type: 'string' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  quick: { type: 'boolean', default: false },
  json: { type: 'string' },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
}

function readContenders(text) {
  const all = Object.keys(CONTENDERS)
  if (text === undefined) return all
  const names = text.split(',').filter((name) => name !== '')
  const wrong = names.find((name) => !all.includes(name))
  if (wrong !== undefined)
    throw new Error(`--contenders has no ${JSON.stringify(wrong)}; there are ${all.join(', ')}`)
  if (names.length === 0) throw new Error('--contenders names none')
  return all.filter((name) => names.includes(name))
}

function readRows(only) {
  for (const text of only) {
    if (!ROWS.some(({ name }) => name.includes(text)))
      throw new Error(`--only ${JSON.stringify(text)} fits no row; --list shows them`)
  }
  return only.length === 0 ? ROWS : ROWS.filter(({ name }) => only.some((text) => name.includes(text)))
}

/** @param {string[]} args @throws Error with a message for the user */
export function readFlags(args) {
  const { values } = parseArgs({ args, options: OPTIONS })
  const { only, contenders, rounds, seconds, quick, json, list, help } = values
  const rows = readRows(only)
  const chosen = readContenders(contenders)
  return {
    ...{ rows, quick, json, list, help, contenders: chosen },
    // Part of it, or runs that mean nothing, are nothing to publish.
    isWhole: rows.length === ROWS.length && chosen.length === Object.keys(CONTENDERS).length && !quick,
    rounds: readNumber('rounds', rounds ?? (quick ? '1' : '4'), { min: 1, max: 100, integer: true }),
    seconds: readNumber('seconds', seconds ?? (quick ? '0.2' : '1.5'), { min: 0.1, max: 60, integer: false }),
  }
}
