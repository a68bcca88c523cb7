/** The flags of `npm run bench`. */
import { parseArgs } from 'node:util'
import { CONTENDER_NAMES } from './contenders.mjs'

export const HELP = `npm run bench -- [flags]

  --only TEXT          only the rows whose name contains this (several with commas between them, or several times)
  --contenders LIST    hawser,hawser-return,ws,net,handle,bun (default), all, or a list; hawser is always among them
  --node NODES         both (default): this Node and the newest; this; newest
  --rounds N           how often each contender runs (default 3)
  --seconds S          how long one run is measured (default 2)
  --quick              one round of 0.5 s: does it all run? The figures mean nothing
  --check              ends with 1 where a row is below its floor, or could not be measured
  --json FILE          where the results go (default benchmarks/results/PROCESSOR.json, where all rows were measured)
  --no-charts          draws nothing
  --autobahn           also the time of the Autobahn groups 12 and 13, which takes 40 minutes
  --soak SECONDS       instead of all this: Hawser alone, under changing load, and its memory
  --list               the rows
  --help               this text
`

const OPTIONS = {
  only: { type: 'string', multiple: true, default: [] },
  contenders: { type: 'string', default: 'hawser,hawser-return,ws,net,handle,bun' },
  node: { type: 'string', default: 'both' },
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  quick: { type: 'boolean', default: false },
  check: { type: 'boolean', default: false },
  json: { type: 'string' },
  'no-charts': { type: 'boolean', default: false },
  autobahn: { type: 'boolean', default: false },
  soak: { type: 'string' },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
}

/** A number that was given as a flag. @throws Error with the flag and its range */
export function readNumber(name, text, { min, max, integer }) {
  const value = Number(text)
  const fits = text.trim() !== '' && value >= min && value <= max && (!integer || Number.isInteger(value))
  if (!fits) {
    throw new Error(
      `--${name} must be ${integer ? 'an integer' : 'a number'} from ${min} to ${max}, not ${JSON.stringify(text)}`,
    )
  }
  return value
}

function readContenders(text) {
  if (text === 'all') return CONTENDER_NAMES
  const names = text.split(',').filter((name) => name !== '')
  const wrong = names.find((name) => !CONTENDER_NAMES.includes(name))
  if (wrong !== undefined) {
    throw new Error(
      `--contenders has no ${JSON.stringify(wrong)}; there are ${CONTENDER_NAMES.join(', ')}, and all`,
    )
  }
  return CONTENDER_NAMES.filter((name) => name === 'hawser' || names.includes(name))
}

/** What `--node` means: the Nodes of `NODES` (nodes.mjs), the first of which also runs what needs one alone. */
const NODE_CHOICES = { both: ['this', 'newest'], this: ['this'], newest: ['newest'] }

function readNodes(text) {
  if (Object.hasOwn(NODE_CHOICES, text)) return NODE_CHOICES[text]
  throw new Error(`--node must be both, this or newest, not ${JSON.stringify(text)}`)
}

/** @param {string[]} args @throws Error with a message for the user */
export function readFlags(args) {
  const { values } = parseArgs({ args, options: OPTIONS })
  const { quick } = values
  return {
    only: values.only.flatMap((text) => splitNames(text)),
    contenders: readContenders(values.contenders),
    nodes: readNodes(values.node),
    rounds: readNumber('rounds', values.rounds ?? (quick ? '1' : '3'), { min: 1, max: 1000, integer: true }),
    seconds: readNumber('seconds', values.seconds ?? (quick ? '0.5' : '2'), {
      min: 0.1,
      max: 600,
      integer: false,
    }),
    soak:
      values.soak === undefined
        ? undefined
        : readNumber('soak', values.soak, { min: 5, max: 1_000_000, integer: false }),
    quick,
    check: values.check,
    json: values.json,
    charts: !values['no-charts'],
    autobahn: values.autobahn,
    list: values.list,
    help: values.help,
  }
}

/** Names of rows have a comma and a space in them: only a comma alone parts two. */
function splitNames(text) {
  return text.split(/,(?! )/).filter((name) => name !== '')
}

/** @returns the rows that were asked for @throws Error where a text fits none */
export function selectRows(rows, only) {
  for (const text of only) {
    if (!rows.some(({ name }) => name.includes(text)))
      throw new Error(`--only ${JSON.stringify(text)} fits no row; --list shows them`)
  }
  return only.length === 0 ? rows : rows.filter(({ name }) => only.some((text) => name.includes(text)))
}
