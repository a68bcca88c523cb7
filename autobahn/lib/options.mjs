import { parseArgs } from 'node:util'
import { Stop } from './stop.mjs'

/** @typedef {'server' | 'client'} RoleName */
/** @typedef {'hawser' | 'ws'} ContenderName */

/**
 * What to run.
 * @typedef {object} RunOptions
 * @property {readonly RoleName[]} roles
 * @property {ContenderName} contender
 * @property {readonly string[]} patterns case ids, `*` for any part; empty: all cases (or the sample)
 * @property {boolean} sample
 * @property {boolean} stream Hawser with `directIo: false`: by the streams of its sockets, not by their handles
 * @property {boolean} updateExpected
 * @property {boolean} help
 */

export const HELP = `npm run autobahn -- [flags]

Runs the Autobahn WebSocket test suite against Hawser and compares with the committed expectation.

  --role server|client|both    which side of Hawser is judged (default both, side by side)
  --cases 1.*,6.4.*            only these cases; may be given several times
  --sample                     all of 1 to 10, and a fixed sample of 12 and 13
  --stream                     Hawser by the streams of its sockets (directIo: false) instead of by their handles
  --contender hawser|ws        who is judged (default hawser)
  --update-expected            write what happened as the new expectation (complete runs only)
  --help                       this text

The suite comes from its docker image where a Docker engine answers, otherwise from a Python 2.7 (HAWSER_PYTHON2,
python2.7, pyenv). Exit status: 0 as expected, 1 drift or a failed run, 2 wrong flags or no suite.`

/**
 * @param {string} flag
 * @param {string | undefined} value
 * @param {readonly string[]} choices
 */
function checkChoice(flag, value, choices) {
  if (value === undefined || !choices.includes(value)) {
    throw new Stop(`${flag} must be one of ${choices.join(', ')}, not ${JSON.stringify(value)}`, 2)
  }
  return value
}

/** @param {readonly string[]} args */
function readFlags(args) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        role: { type: 'string', default: 'both' },
        cases: { type: 'string', multiple: true, default: [] },
        sample: { type: 'boolean', default: false },
        stream: { type: 'boolean', default: false },
        contender: { type: 'string', default: 'hawser' },
        'update-expected': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).split(/\.\s|\n/)[0]
    throw new Stop(`${reason}; --help lists the flags`, 2)
  }
}

/**
 * Reads the command line.
 * @param {readonly string[]} args without node and the script
 * @returns {RunOptions}
 * @throws Stop with one line and exit code 2 for wrong flags
 */
export function parseOptions(args) {
  const flags = readFlags(args)
  const role = checkChoice('--role', flags.role, ['server', 'client', 'both'])
  const contender = checkChoice('--contender', flags.contender, ['hawser', 'ws'])
  const given = flags.cases.flatMap((value) => value.split(',')).map((pattern) => pattern.trim())
  const patterns = given.filter((pattern) => pattern !== '')
  const wrong = patterns.find((pattern) => !/^[\d*]+(\.[\d*]+)*$/.test(pattern))
  if (wrong !== undefined)
    throw new Stop(`--cases takes ids such as 6.4.1 or 12.*, not ${JSON.stringify(wrong)}`, 2)
  if (flags.cases.length > 0 && patterns.length === 0)
    throw new Stop('--cases needs at least one case, such as 1.*', 2)
  if (patterns.length > 0 && flags.sample) throw new Stop('--cases and --sample exclude each other', 2)
  if (flags['update-expected'] && (patterns.length > 0 || flags.sample)) {
    throw new Stop('--update-expected needs a run of all cases: leave --cases and --sample out', 2)
  }
  if (flags.stream && contender !== 'hawser') {
    throw new Stop('--stream is a way of Hawser: leave it out with --contender ws', 2)
  }
  if (flags.stream && flags['update-expected']) {
    throw new Stop('--update-expected is for runs by handle: what is expected is the same by stream', 2)
  }
  return {
    roles: role === 'both' ? ['server', 'client'] : [/** @type {RoleName} */ (role)],
    contender: /** @type {ContenderName} */ (contender),
    patterns,
    sample: flags.sample,
    stream: flags.stream,
    updateExpected: flags['update-expected'],
    help: flags.help,
  }
}
