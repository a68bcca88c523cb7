/**
 * Mutants and the code that holds them all, made by the instrumenter of Stryker. A mutant is switched on by its id while the
 * program runs: nothing is compiled again.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { createInjector } from 'typed-inject'
import { createInstrumenter } from '@stryker-mutator/instrumenter'

/**
 * @typedef {object} Mutant
 * @property {string} id in this run
 * @property {string} file from the root of the project
 * @property {number} line from 1
 * @property {string} mutator the name that Stryker gives to the kind of change
 * @property {string} text the line of the source on which the mutant begins, without the spaces around it
 * @property {string} original what is replaced
 * @property {string} replacement
 */

/** The helpers of Stryker, which look for their state at each call, and count what nobody reads. */
const HELPERS = /function stryNS_9fa48\(\) \{[\s\S]*?\nfunction stryMutAct_9fa48\(id\) \{[\s\S]*?\n\}\n/

/** As fast as can be: they are called for each expression. A program that a test starts has the mutant of its parent. */
const OWN_HELPERS = `var stryState_9fa48 = globalThis.__mutation__ || (globalThis.__mutation__ =
  { active: process.env.HAWSER_MUTANT, hits: null, hitCount: 0, hitLimit: Infinity });
function stryCov_9fa48() {
  var hits = stryState_9fa48.hits;
  if (hits !== null) for (var i = 0; i < arguments.length; i++) hits[arguments[i]] = (hits[arguments[i]] | 0) + 1;
}
function stryMutAct_9fa48(id) {
  if (stryState_9fa48.active !== id) return false;
  if (++stryState_9fa48.hitCount > stryState_9fa48.hitLimit) throw new Error('this mutant does not end');
  return true;
}
`

const silent = () => undefined
const LOGGER = {
  isTraceEnabled: () => false,
  isDebugEnabled: () => false,
  isInfoEnabled: () => false,
  isWarnEnabled: () => true,
  isErrorEnabled: () => true,
  isFatalEnabled: () => true,
  trace: silent,
  debug: silent,
  info: silent,
  warn: console.warn,
  error: console.error,
  fatal: console.error,
}

/** @param {string} text @param {{ start: { line: number, column: number }, end: { line: number, column: number } }} location */
function cut(text, { start, end }) {
  const lines = text.split('\n').slice(start.line, end.line + 1)
  lines[lines.length - 1] = lines.at(-1).slice(0, end.column)
  lines[0] = lines[0].slice(start.column)
  return lines.join('\n')
}

/**
 * @param {string} root of the project
 * @param {readonly string[]} files sources, from the root
 * @returns {Promise<{ files: { file: string, content: string }[], mutants: Mutant[] }>} the sources with every mutant in
 *   them, and the mutants in the order of the sources
 */
export async function instrument(root, files) {
  const injector = createInjector()
  const instrumenter = injector
    .provideValue('logger', LOGGER)
    .provideValue('options', {})
    .provideValue('getLogger', () => LOGGER)
    .injectFunction(createInstrumenter)
  const texts = new Map(files.map((file) => [file, readFileSync(path.join(root, file), 'utf8')]))
  const given = files.map((file) => ({ name: file, content: texts.get(file), mutate: true }))
  const result = await instrumenter.instrument(given, { plugins: null, excludedMutations: [], ignorers: [] })
  const mutants = result.mutants
    .filter(({ status }) => status === undefined)
    .map(({ id, fileName, mutatorName, replacement, location }) => {
      const text = texts.get(fileName)
      return {
        id: String(id),
        file: fileName,
        line: location.start.line + 1,
        mutator: mutatorName,
        text: text.split('\n')[location.start.line].trim(),
        original: cut(text, location),
        replacement,
      }
    })
  return {
    files: result.files.map(({ name, content }) => ({ file: name, content: withHelpers(name, content) })),
    mutants,
  }
}

/** @param {string} file @param {string} content */
function withHelpers(file, content) {
  if (!content.includes('stryMutAct_9fa48')) return content
  if (!HELPERS.test(content))
    throw new Error(`${file}: the instrumenter of Stryker has other helpers than before`)
  return content.replace(HELPERS, () => OWN_HELPERS)
}
