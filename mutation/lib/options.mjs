/** The command line of `npm run mutation`: what is asked, or a RangeError that says what is legal. */
import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'

/**
 * @typedef {object} Options
 * @property {string[]} targets files and folders of src, from the root of the project, with slashes
 * @property {number} concurrency processes at a time
 * @property {number | null} maxMutants how many mutants are chosen; null: all
 * @property {number | null} seconds after which nothing new is tried; null: no end
 * @property {number} seed of the choice
 * @property {boolean} list shows the mutants and the tests, and runs nothing
 * @property {boolean} write keeps the scores in mutation/results.json and in docs/mutation.md
 * @property {string | null} again a report: only what it has not as killed is tried
 * @property {string | null} report a file for every mutant with its outcome, as JSON
 */

const DEFAULT_SEED = 1
const MAX_CONCURRENCY = 64

/** @param {string} name @param {string | undefined} text @param {number} least @param {number} most @returns {number | null} */
function readNumber(name, text, least, most) {
  if (text === undefined) return null
  const number = text.trim() === '' ? Number.NaN : Number(text)
  if (!Number.isInteger(number) || number < least || number > most) {
    throw new RangeError(
      `--${name} is a whole number from ${String(least)} to ${String(most)}, not ${JSON.stringify(text)}`,
    )
  }
  return number
}

/**
 * @param {string} root of the project
 * @param {string} given a path, from the current folder or from the root
 * @returns {string} from the root, with slashes
 */
function readTarget(root, given) {
  const source = path.join(root, 'src')
  const file = [path.resolve(given), path.resolve(root, given)].find((one) => existsSync(one))
  if (file === undefined) throw new RangeError(`there is no file or folder ${JSON.stringify(given)}`)
  const inside = path.relative(source, file)
  if (inside.startsWith('..') || path.isAbsolute(inside) || inside === '') {
    throw new RangeError(`a target is a folder or a file in src, not ${JSON.stringify(given)}`)
  }
  if (statSync(file).isFile() && !file.endsWith('.ts')) {
    throw new RangeError(`a target is a folder, or a file that ends with .ts, not ${JSON.stringify(given)}`)
  }
  return path.relative(root, file).replaceAll(path.sep, '/')
}

/** What parseArgs throws, as a RangeError: it names the option. */
function parse(args) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        concurrency: { type: 'string' },
        'max-mutants': { type: 'string' },
        seconds: { type: 'string' },
        seed: { type: 'string' },
        list: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
        again: { type: 'string' },
        report: { type: 'string' },
      },
    })
  } catch (error) {
    throw new RangeError(error.message)
  }
}

/**
 * @param {string} root of the project
 * @param {readonly string[]} args of the command
 * @param {readonly string[]} otherwise the targets where none is given
 * @returns {Options}
 * @throws {RangeError} for a path that is not in src, for an option that is not known, for a number out of its range
 */
export function readOptions(root, args, otherwise) {
  const { values, positionals } = parse(args)
  const number = (name, least, most = Number.MAX_SAFE_INTEGER) => readNumber(name, values[name], least, most)
  const asked = positionals.length === 0 ? otherwise : positionals
  const options = {
    targets: [...new Set(asked.map((one) => readTarget(root, one)))],
    concurrency: number('concurrency', 1, MAX_CONCURRENCY) ?? 1,
    maxMutants: number('max-mutants', 1),
    seconds: number('seconds', 1),
    seed: number('seed', 0) ?? DEFAULT_SEED,
    list: values.list,
    write: values.write,
    again: values.again ?? null,
    report: values.report ?? null,
  }
  if (options.write && (options.maxMutants !== null || options.seconds !== null)) {
    throw new RangeError('--write keeps the score of a whole run: not with --max-mutants or --seconds')
  }
  const notFolder = options.targets.find((target) => !statSync(path.join(root, target)).isDirectory())
  if (options.write && notFolder !== undefined) {
    throw new RangeError(`--write keeps the score of a folder, not of ${notFolder}`)
  }
  return options
}
