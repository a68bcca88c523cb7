/** The flags of `npm run soak`. */
import { parseArgs } from 'node:util'
import { readNumber } from '../../benchmarks/lib/flags.mjs'
import { SCENARIOS } from './attacks.mjs'
import { STEADY } from './settings.mjs'

export const LEAKS = 'leaks'
export const NAMES = [...SCENARIOS.map(({ name }) => name), LEAKS]

const WHOLE = { steady: STEADY.connections, seconds: 12, connections: 1_000_000 }
const QUICK = { steady: 2_000, seconds: 3, connections: 20_000 }

export const HELP = `npm run soak -- [flags]

  --only NAME          only this scenario, several times for several: ${NAMES.join(', ')}
  --connections N      how many connections the leaks open in all (default ${WHOLE.connections})
  --steady N           how many connections have steady traffic beside a flood (default ${WHOLE.steady})
  --seconds S          how long a flood lasts (default ${WHOLE.seconds})
  --quick              ${QUICK.steady} steady connections, floods of ${QUICK.seconds} s, leaks of ${QUICK.connections}: in a few minutes; latencies are not judged
  --json FILE          where the results go (default soak/results/PROCESSOR.json, where everything was measured)
  --list               the scenarios
  --help               this text
`

const OPTIONS = {
  only: { type: 'string', multiple: true, default: [] },
  connections: { type: 'string' },
  steady: { type: 'string' },
  seconds: { type: 'string' },
  quick: { type: 'boolean', default: false },
  json: { type: 'string' },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
}

/** @param {string[]} args @throws Error with a message for the user */
export function readFlags(args) {
  const { values } = parseArgs({ args, options: OPTIONS })
  const { only, quick, json, list, help } = values
  const wrong = only.find((name) => !NAMES.includes(name))
  if (wrong !== undefined)
    throw new Error(`--only has no ${JSON.stringify(wrong)}; there are ${NAMES.join(', ')}`)
  const usual = quick ? QUICK : WHOLE
  const read = (name, range) => readNumber(name, values[name] ?? String(usual[name]), range)
  const numbers = {
    connections: read('connections', { min: 2_000, max: 100_000_000, integer: true }),
    steady: read('steady', { min: 100, max: STEADY.connections, integer: true }),
    seconds: read('seconds', { min: 1, max: 3_600, integer: false }),
  }
  const names = only.length === 0 ? NAMES : NAMES.filter((name) => only.includes(name))
  return {
    ...{ names, quick, json, list, help },
    ...numbers,
    // The quiet beside which a flood is judged, measured before each.
    quietSeconds: Math.max(1, Math.min(6, numbers.seconds / 2)),
    // Everything, be it less of it.
    isComplete: names.length === NAMES.length,
    // Part of it, or less of it, is nothing to publish.
    isWhole:
      names.length === NAMES.length && Object.entries(WHOLE).every(([name, value]) => numbers[name] >= value),
  }
}
