/** Changes of texts, and how they reach a process that is to read the changed files. */

/**
 * A change that takes a protection away.
 * @typedef {object} Change
 * @property {string} file from the root of the project
 * @property {string} from occurs exactly once in the file
 * @property {string} to
 */

/** The variable that names the changes to read-changed.mjs. */
const VARIABLE = 'HAWSER_TAKEN_AWAY'

/** @param {string} text @param {string} from @returns {number} how often it occurs */
export const countOf = (text, from) => text.split(from).length - 1

/**
 * @param {string} text of a file
 * @param {readonly Change[]} changes of this file
 * @throws Error where what is to be changed does not occur exactly once
 */
export function applyChanges(text, changes) {
  let changed = text
  for (const { file, from, to } of changes) {
    const count = countOf(changed, from)
    if (count !== 1) throw new Error(`${file} has ${String(count)} times: ${from}`)
    changed = changed.split(from).join(to)
  }
  return changed
}

/** @param {Record<string, string | undefined>} env @returns {Change[]} */
export const readChanges = (env) => JSON.parse(env[VARIABLE] ?? '[]')

/**
 * The variables of a process in which changed files are read.
 * @param {readonly Change[]} changes
 * @param {string} preload the path of read-changed.mjs
 */
export function changedEnvironment(changes, preload) {
  const given = process.env.NODE_OPTIONS ?? ''
  return {
    ...process.env,
    [VARIABLE]: JSON.stringify(changes),
    NODE_OPTIONS: `${given} --import=${JSON.stringify(preload)}`.trim(),
  }
}
