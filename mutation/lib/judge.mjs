/** From what is known about each mutant to a score, and to what is wrong with the list of survivors. */

/**
 * A mutant that no test can kill, and why. Lines may move: it is found by its text.
 * @typedef {object} Row
 * @property {string} file
 * @property {string} mutator
 * @property {string} text the line of the source, without the spaces around it
 * @property {string} original
 * @property {string} replacement
 * @property {string} reason why the program does the same with the mutant
 */

/** How a row finds its mutant, and a report its own. */
export const keyOf = ({ file, mutator, text, original, replacement }) =>
  JSON.stringify([file, mutator, text, original, replacement])

/**
 * @param {readonly import('./instrument.mjs').Mutant[]} mutants
 * @param {readonly import('./ledger.mjs').Ledger[]} ledgers of the workers, which have some of the mutants each
 * @param {boolean} isWhole whether every worker came to its end
 * @returns {(import('./instrument.mjs').Mutant & { status: string, by: string | null })[]} `status`: killed, timeout,
 *   crashed, survived, unreached; where time ran out, open
 */
export function outcomesOf(mutants, ledgers, isWhole) {
  return mutants.map((mutant) => {
    const decided = ledgers.map((ledger) => ledger.decided.get(mutant.id)).find((one) => one !== undefined)
    if (decided !== undefined) return { ...mutant, ...decided }
    const isReached = ledgers.some(({ reached, again }) => reached.has(mutant.id) || again.has(mutant.id))
    return { ...mutant, status: isWhole ? (isReached ? 'survived' : 'unreached') : 'open', by: null }
  })
}

const KILLED = ['killed', 'timeout', 'crashed']

/**
 * @param {ReturnType<typeof outcomesOf>} outcomes
 * @param {readonly Row[]} rows the list of survivors
 * @param {readonly import('./instrument.mjs').Mutant[]} all mutants of the files at hand, also those that were not chosen
 * @returns {{ unlisted: object[], gone: Row[], killedRows: Row[] }} survivors that the list does not have; rows without a
 *   mutant; rows whose mutants were all tried, and are killed
 */
export function compare(outcomes, rows, all) {
  const listed = new Set(rows.map(keyOf))
  const existing = new Set(all.map(keyOf))
  const files = new Set(all.map(({ file }) => file))
  const byKey = Map.groupBy?.(outcomes, keyOf) ?? groupBy(outcomes, keyOf)
  const survived = ({ status }) => status === 'survived' || status === 'unreached'
  const isKilled = (row) => {
    const same = byKey.get(keyOf(row)) ?? []
    const count = all.filter((mutant) => keyOf(mutant) === keyOf(row)).length
    return same.length > 0 && same.length === count && same.every(({ status }) => KILLED.includes(status))
  }
  const here = rows.filter(({ file }) => files.has(file))
  return {
    unlisted: outcomes.filter((outcome) => survived(outcome) && !listed.has(keyOf(outcome))),
    gone: here.filter((row) => !existing.has(keyOf(row))),
    killedRows: here.filter(isKilled),
  }
}

function groupBy(values, key) {
  const groups = new Map()
  for (const value of values) groups.set(key(value), [...(groups.get(key(value)) ?? []), value])
  return groups
}

/**
 * @param {ReturnType<typeof outcomesOf>} outcomes of one folder
 * @param {readonly Row[]} rows
 * @returns {{ mutants: number, killed: number, timeouts: number, listed: number, unlisted: number, score: number }} `score`:
 *   per cent of the mutants that the tests kill, in tenths, rounded down; those in the list count as alive
 */
export function scoreOf(outcomes, rows) {
  const listed = new Set(rows.map(keyOf))
  const judged = outcomes.filter(({ status }) => status !== 'open')
  const dead = judged.filter(({ status }) => KILLED.includes(status))
  const alive = judged.filter(({ status }) => !KILLED.includes(status))
  const known = alive.filter((outcome) => listed.has(keyOf(outcome))).length
  return {
    mutants: judged.length,
    killed: dead.length,
    timeouts: dead.filter(({ status }) => status !== 'killed').length,
    listed: known,
    unlisted: alive.length - known,
    score: judged.length === 0 ? 0 : Math.floor((1000 * dead.length) / judged.length) / 10,
  }
}
